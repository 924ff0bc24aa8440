"""`bot mail …`."""

import typer
from rich.console import Console

from adapters.mail.look import check
from adapters.mail.settings import MailInSettings
from bot.errors import FirstlineError


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(help="Mail: what came in.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("check")(print_checks)
    app.add_typer(group, name="mail")


def print_checks() -> None:
    """Try whether the mailboxes of IMAP_URL can be read, and say what to do if not; exit code 1 then."""
    out = Console(highlight=False, markup=False, emoji=False)
    bad = 0
    for finding in check(MailInSettings.read()):
        bad += not finding.well
        out.print(f"{'ok ' if finding.well else 'NOT'}  {finding.says}")
        if not finding.well and finding.remedy:
            out.print(f"     → {finding.remedy}")
    if bad:
        raise FirstlineError(f"Not well: {bad}. What to do stands above")
