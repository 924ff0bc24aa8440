"""`bot mail dead …` and `bot mail confirmations`: what came in and waits for a person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from adapters.mail.parsed import Unreadable
from bot.errors import FirstlineError
from bot.model import DeadLetter
from bot.ports import Core
from bot.settings import Settings

CHANNEL = "email"


def add_commands(group: typer.Typer) -> None:
    dead = typer.Typer(help="Mails of which no message could be made.", no_args_is_help=True)
    dead.command("list")(list_all)
    dead.command("show")(show)
    dead.command("retry")(retry)
    group.add_typer(dead, name="dead")
    group.command("confirmations")(confirmations)


def list_all(context: typer.Context) -> None:
    """List them, the oldest first: number, when it came, size, and why it was laid aside."""
    with _open(context) as core:
        found = core.originals.laid_aside(CHANNEL)
    for letter in found:
        typer.echo(_line(letter))
    if not found:
        typer.echo("None.")


def show(context: typer.Context, number: int) -> None:
    """Write one to standard output as it came, byte for byte; why it was laid aside goes to standard error."""
    with _open(context) as core:
        letter, raw = core.originals.dead(CHANNEL, number)
    typer.echo(_line(letter), err=True)
    sys.stdout.buffer.write(raw)


def retry(context: typer.Context, number: int) -> None:
    """Take one in once more, as if it had just come: after an upgrade, say, that can read it."""
    from adapters.mail.channel import door_of

    with _open(context) as core:
        try:
            says = door_of(core).retry(number).says
        except Unreadable as exc:
            raise FirstlineError(f"It still cannot be read: {exc}") from None
    typer.echo(f"{number}: {says}")


def confirmations(context: typer.Context) -> None:
    """List the questions of mail providers whether mail may be forwarded to us, with their codes and links."""
    with _open(context) as core:
        found = core.state.all("mail/confirmation/")
    for _, written in sorted(found.items(), key=lambda one: one[1]):
        at, _, text = written.partition("\n")
        typer.echo(f"{at[:16].replace('T', ' ')} UTC\n{text}\n")
    if not found:
        typer.echo("None came. Providers send one when you set up forwarding to one of our addresses.")


@contextmanager
def _open(context: typer.Context) -> Iterator[Core]:
    with context.obj.core(Settings.read()) as core:
        yield core


def _line(letter: DeadLetter) -> str:
    return f"{letter.number}  {letter.received_at:%Y-%m-%d %H:%M} UTC  {letter.size} bytes  {letter.reason}"
