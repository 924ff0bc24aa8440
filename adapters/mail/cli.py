"""`bot mail …`. The context holds what opens the core."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from adapters.mail import dead
from adapters.mail.parsed import Envelope
from adapters.mail.settings import MailInSettings
from adapters.mail.ways import Door
from bot.errors import FirstlineError
from bot.settings import Settings


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(help="Mail: what came in.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("check")(check)
    group.command("ingest")(ingest)
    group.command("reply")(reply)
    dead.add_commands(group)
    app.add_typer(group, name="mail")


def check() -> None:
    """Try whether the mailboxes of IMAP_URL can be read, and say what to do if not; exit code 1 then."""
    from adapters.mail import look

    out = Console(highlight=False, markup=False, emoji=False)
    bad = 0
    for finding in look.check(MailInSettings.read()):
        bad += not finding.well
        out.print(f"{'ok ' if finding.well else 'NOT'}  {finding.says}")
        if not finding.well and finding.remedy:
            out.print(f"     → {finding.remedy}")
    if bad:
        raise FirstlineError(f"Not well: {bad}. What to do stands above")


def ingest(
    context: typer.Context,
    source: Annotated[
        Path | None, typer.Argument(metavar="[FILE|FOLDER]", help="A mail, an mbox or a Maildir.", exists=True)
    ] = None,
    mbox: Annotated[bool, typer.Option("--mbox", help="It is an mbox, also if it comes by standard input.")] = False,
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="The envelope's sender.")] = None,
    recipient: Annotated[list[str] | None, typer.Option("--to", metavar="ADDRESS", help="Its recipient.")] = None,
) -> None:
    """Take in mail that lies in files or, without any, the one that a mail server pipes into this."""
    from adapters.mail import bulk  # its progress bar costs every command, if it is imported with this

    out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)

    def act() -> int:
        told = None if sender is None else sender.strip("<>")
        envelope = Envelope(told, tuple(recipient or ()), "file" if source else "pipe")
        return bulk.run(lambda: _door(context), source, mbox, envelope, MailInSettings.read().max_mail, out)

    is_piped = source is None and not mbox
    code = bulk.run_for_a_server(act, Console(stderr=True, highlight=False, markup=False)) if is_piped else act()
    if code:
        raise typer.Exit(code)


def reply() -> None:
    """Read the plain text of a mail from standard input, and print what its author wrote."""
    from adapters.mail.written import written

    typer.echo(written(_decoded(sys.stdin.buffer.read())))


def _decoded(data: bytes) -> str:
    """Take for Latin-1 what is not UTF-8: that one takes any bytes."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


@contextmanager
def _door(context: typer.Context) -> Iterator[Door]:
    """Open the database, and give who takes mail."""
    from adapters.mail.channel import door_of

    with context.obj.core(Settings.read()) as core:
        yield door_of(core)
