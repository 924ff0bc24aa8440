"""The command line. `bot --help` lists the commands; an error is one clear line."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bot.errors import ConfigurationError, FirstlineError

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Firstline: a customer's message becomes a ticket that is confirmed, followed up and never lost.",
)  # fmt: skip
dead = typer.Typer(no_args_is_help=True, help="What was given up and waits for a person.")
app.add_typer(dead, name="dead")

out = Console(highlight=False)
TicketArgument = Annotated[str, typer.Argument(metavar="TICKET", help="Ticket number or incident id.")]


def main() -> None:
    """Run a command; turn what we raise on purpose into one line on stderr."""
    from bot.app import add_commands

    try:
        add_commands(app)
        app()
    except (ConfigurationError, FirstlineError) as exc:
        print(f"bot: {exc}", file=sys.stderr)
        sys.exit(2 if isinstance(exc, ConfigurationError) else 1)


# --- processes


@app.command()
def run() -> None:
    """Everything in one process."""
    _run(["web", "worker", "clock"])


@app.command()
def web() -> None:
    """Accept messages and serve the API; leave the work to others."""
    _run(["web"])


@app.command()
def worker() -> None:
    """Handle messages and send notices."""
    _run(["worker"])


@app.command()
def clock() -> None:
    """Look at every incident again a day after it was opened."""
    _run(["clock"])


def _run(parts: list[str]) -> None:
    from bot import app as firstline
    from bot.settings import Settings

    settings = Settings.read()
    firstline.set_up_logging(settings)
    firstline.run(settings, parts, lambda url: greet(settings.database_url, parts, url))


def greet(database_url: str, parts: list[str], url: str | None) -> None:
    """Say what is on, what is off and what would turn it on, and what to try."""
    from bot import app as firstline
    from bot.telemetry import redact_text

    print(f"\nFirstline is up: {', '.join(parts)}, on {redact_text(database_url)}", end="")
    print(f" and {url}\n" if url else "\n", flush=True)
    if url is None:
        return
    for switch in firstline.switches():
        print(f"  {'on ' if switch.on else 'off'}  {switch.name:<12} {switch.says}")
    print(f"\nTry it:\n\n{EXAMPLE.format(url=url)}\n\nStop it with Ctrl-C.\n", flush=True)


EXAMPLE = """\
  curl -s {url}/api/incidents -H 'Content-Type: application/json' -d '{{
    "customer_id": "C-1042", "message": "My card was charged twice for the same order",
    "channel": "email", "email": "ana@example.com"}}'"""


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date."""
    from bot import app as firstline
    from bot.settings import Settings

    applied = firstline.open_database(Settings.read(), migrating=True)
    print("\n".join(f"applied {name}" for name in applied) or "The schema is up to date.")


# --- people


@app.command()
def resolve(ticket: TicketArgument, note: Annotated[str, typer.Argument(help="Why, or how.")] = "") -> None:
    """Resolve an incident: nobody will be reminded of it."""
    incident = _commands().resolve(ticket, "command line", note)
    out.print(f"{incident.ticket_id} is resolved.")


@app.command()
def show(ticket: TicketArgument) -> None:
    """Show an incident with its history."""
    from bot.model import Received

    found = _views().incident(ticket)
    if isinstance(found, Received):
        out.print(f"{found.incident_id} was received at {_time(found.received_at)} and is not handled yet.")
        return
    incident = found.incident
    out.print(f"[bold]{escape(incident.ticket_id)}[/]  {incident.status}  {incident.category}  {_confidence(incident)}")
    out.print(f"{escape(incident.customer_id)}, by {incident.channel}, at {_time(incident.created_at)}")
    out.print(f"incident {incident.id}\n\n{escape(incident.message)}\n")
    timeline = _table("when", "who", "what", "")
    for entry in found.timeline:
        timeline.add_row(_time(entry.at), escape(entry.who), entry.what, escape(entry.text))
    out.print(timeline)
    notices = _table("notice", "by", "to", "state", "attempts", "when", "error")
    for row in found.notifications:
        cells = (row.kind, row.channel, row.recipient, row.status, str(row.attempts), _time(row.sent_at))
        notices.add_row(*map(escape, cells), escape(row.error or ""))
    out.print(notices)


@app.command(name="list")
def list_incidents(
    status: Annotated[str | None, typer.Option(help="open or resolved")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """List the youngest incidents."""
    table = _table("ticket", "status", "about", "sure", "customer", "by", "opened", "message")
    for incident in _views().incidents(limit, status):
        words = " ".join(incident.message.split())
        table.add_row(
            escape(incident.ticket_id), incident.status, incident.category, _confidence(incident),
            escape(incident.customer_id), incident.channel, _time(incident.created_at),
            escape(words if len(words) <= 48 else f"{words[:47]}…"),
        )  # fmt: skip
    out.print(table)


@app.command()
def stats() -> None:
    """Count."""
    table = _table("figure", "value")
    for name, value in _views().stats().items():
        shown = ", ".join(f"{key} {number}" for key, number in value.items()) if isinstance(value, dict) else value
        table.add_row(name.replace("_", " "), "-" if shown in (None, "") else str(shown))
    out.print(table)


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Folder with train.csv and dev.csv.")],
    to: Annotated[Path | None, typer.Option(help="Where to put the model; the one in use, if not given.")] = None,
) -> None:
    """Train the local classifier anew."""
    from bot.local_model import DEFAULT
    from bot.training import train as learn

    report = learn(data, to or DEFAULT)
    out.print(f"{report.rows} rows, {report.seconds:.0f} s, {report.size / 1e6:.2f} MB: "
              f"{report.dev_accuracy:.1%} of the dev rows right")  # fmt: skip


# --- the dead


@dead.command(name="list")
def dead_list() -> None:
    """List what was given up."""
    table = _table("name", "state", "attempts", "incident", "error")
    for one in _views().dead():
        table.add_row(one.name, one.state, str(one.attempts), one.incident_id or "", escape(one.error or ""))
    out.print(table if table.row_count else "Nothing was given up.")


@dead.command(name="show")
def dead_show(name: str) -> None:
    """Show all that is known of one of them."""
    for key, value in _views().dead_one(name).items():
        out.print(f"[bold]{key:>14}[/]  {escape(_time(value) if isinstance(value, datetime) else str(value))}")


@dead.command(name="retry")
def dead_retry(name: str) -> None:
    """Try it again, with all its attempts ahead of it."""
    _commands().retry(name)
    out.print(f"{name} is back in its lane.")


# --- shared


def _views() -> Any:
    return _firstline().views


def _commands() -> Any:
    return _firstline().commands


def _firstline() -> Any:
    """Open the database for one command. Work that it makes is found by the workers' lookout."""
    from bot import app as firstline
    from bot import telemetry
    from bot.settings import Settings

    settings = Settings.read()
    telemetry.set_up("WARNING", settings.log_format)
    firstline.open_database(settings, migrating=False)
    return firstline.Firstline(settings, firstline.World(senders=(), classifiers=(), desk=None), works=False)


def _table(*columns: str) -> Table:
    """A table whose first column is never cut, and whose last takes what room is left."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=column is not columns[-1], min_width=12 if column is columns[0] else None)
    return table


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S}"


def _confidence(incident: Any) -> str:
    return "" if incident.confidence is None else f"{incident.confidence:.0%}"


if __name__ == "__main__":
    main()
