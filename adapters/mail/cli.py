"""`bot mail …`."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adapters.mail.parsed import Envelope
from adapters.mail.settings import MailInSettings
from adapters.mail.ways import Door

Doors = Callable[[typer.Context], AbstractContextManager[Door]]
"""Opens the database for a command, and gives who takes mail."""


def mail_commands(doors: Doors) -> typer.Typer:
    """Return the group of commands."""
    group = typer.Typer(help="Mail: what came in.", no_args_is_help=True)
    group.callback()(lambda: None)

    @group.command("ingest")
    def ingest(
        context: typer.Context,
        source: Annotated[
            Path | None, typer.Argument(metavar="[FILE|FOLDER]", help="A mail, an mbox or a Maildir.", exists=True)
        ] = None,
        mbox: Annotated[
            bool, typer.Option("--mbox", help="It is an mbox, also if it comes by standard input.")
        ] = False,
        sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="The envelope's sender.")] = None,
        recipient: Annotated[list[str] | None, typer.Option("--to", metavar="ADDRESS", help="Its recipient.")] = None,
    ) -> None:
        """Take in mail that lies in files or, without any, the one that a mail server pipes into this."""
        from adapters.mail import bulk  # its progress bar costs every command, if it is imported with this

        out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

        def act() -> int:
            told = None if sender is None else sender.strip("<>")
            envelope = Envelope(told, tuple(recipient or ()), "file" if source else "pipe")
            most = MailInSettings.read().max_mail
            return bulk.run(lambda: doors(context), source, mbox, envelope, most, out)

        is_piped = source is None and not mbox
        code = bulk.run_for_a_server(act, Console(stderr=True, highlight=False, markup=False)) if is_piped else act()
        if code:
            raise typer.Exit(code)

    return group
