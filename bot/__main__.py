"""The command line. `bot --help` lists the commands; an error is one clear line."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote

import typer
from peewee import PeeweeException
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot import classify_commands, database_commands
from bot.errors import ConfigurationError, FirstlineError
from bot.model import Caller, FileView, NotificationView, Role, TimelineEntry, tidy

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None,
    help="Firstline: a customer's message becomes a ticket that is confirmed, followed up and never lost.",
)  # fmt: skip
dead = typer.Typer(no_args_is_help=True, help="What was given up and waits for a person.")
app.add_typer(dead, name="dead")
token = typer.Typer(no_args_is_help=True, help="Tokens of the HTTP API: who may call it.")
app.add_typer(token, name="token")
customers = typer.Typer(no_args_is_help=True, help="Who is who.")
app.add_typer(customers, name="customers")
classify_commands.add_commands(app)
database_commands.add_commands(app)

out = Console(highlight=False, markup=False, emoji=False)  # what customers wrote is shown as they wrote it
TicketArgument = Annotated[str, typer.Argument(metavar="TICKET", help="Ticket number or incident id.")]
CustomerArgument = Annotated[
    str, typer.Argument(metavar="CUSTOMER", help="A customer's id, or the one name that a channel knows them by.")
]


def main() -> None:
    """Run a command; turn what we raise on purpose into one line on stderr."""
    from bot.app import ForCommands, add_commands

    try:
        add_commands(app)
        app(obj=ForCommands())
    except ConfigurationError as exc:
        _fail(str(exc), 2)
    except PeeweeException as exc:
        _fail(f"DATABASE_URL: the database cannot be used ({exc}).", 2)
    except FirstlineError as exc:
        _fail(str(exc), 1)


def _fail(text: str, code: int) -> None:
    """Say it in one line: what stands below a first line that ends with a colon is a list."""
    from bot.telemetry import redact_text

    first, *more = [line.strip() for line in text.strip().splitlines()] or [""]
    print(redact_text(f"bot: {first} {'; '.join(more)}".rstrip()), file=sys.stderr)
    sys.exit(code)


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
    needs_token = firstline.needs_token()
    print(f"\nTry it:\n\n{GET_A_TOKEN if needs_token else ''}{_example(url, needs_token)}\n")
    print(f"and, with the number that it answers:\n\n{THEN.format(bot=sys.argv[0])}\n")
    print("Stop it with Ctrl-C.\n", flush=True)


GET_A_TOKEN = "  TOKEN=$(bot token issue --role reporter)\n"
THEN = """\
  {bot} show TKT-…
  {bot} reply TKT-… "Which of the two amounts is wrong?"
  {bot} resolve TKT-… "refunded\""""


def _example(url: str, needs_token: bool) -> str:
    token = ' -H "Authorization: Bearer $TOKEN"' if needs_token else ""
    return f"""\
  curl -s {url}/api/incidents{token} -H 'Content-Type: application/json' -d '{{
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


TextArgument = Annotated[str, typer.Argument(metavar="TEXT", help="What to write, in quotes.")]


@app.command()
def resolve(
    ticket: TicketArgument, note: Annotated[str, typer.Argument(help="What the customer is told.")] = ""
) -> None:
    """Resolve an incident: its customer is told, and nobody is reminded of it."""
    _do("resolve", ticket, note)


@app.command()
def reopen(ticket: TicketArgument) -> None:
    """Open a resolved incident again."""
    _do("reopen", ticket)


@app.command()
def assign(ticket: TicketArgument, who: Annotated[str, typer.Argument(help="An agent's name, or nobody.")]) -> None:
    """Give an incident to an agent."""
    _do("assign", ticket, who)


@app.command()
def reply(ticket: TicketArgument, text: TextArgument) -> None:
    """Write to the customer."""
    _do("reply", ticket, text)


@app.command()
def note(ticket: TicketArgument, text: TextArgument) -> None:
    """Write a note for agents; it never goes out."""
    _do("note", ticket, text)


@app.command()
def category(ticket: TicketArgument, name: Annotated[str, typer.Argument(help="Such as fraud_report.")]) -> None:
    """Say what an incident is about."""
    _do("category", ticket, name)


HeldArgument = Annotated[str, typer.Argument(metavar="HELD", help="Such as held-7: bot quarantine tells it.")]


@app.command()
def quarantine() -> None:
    """List the messages that may not be from the customer, and wait for somebody to decide."""
    _do("quarantine")


@app.command()
def accept(name: HeldArgument) -> None:
    """Let such a message join its incident."""
    _do("accept", name)


@app.command()
def reject(name: HeldArgument) -> None:
    """Keep it out."""
    _do("reject", name)


def _do(*words: str) -> None:
    """Run one of the commands that agents have on every channel, and print its answer."""
    out.print(_commands().run(" ".join(words), _administrator()))


@app.command()
def show(
    ticket: TicketArgument,
    whole: Annotated[bool, typer.Option("--whole", help="With all that mails quote, and their signatures.")] = False,
) -> None:
    """Show an incident with its history."""
    from bot.model import Received

    found = _views().incident(ticket)
    if isinstance(found, Received):
        out.print(f"{found.incident_id} was received at {_time(found.received_at)} and is not handled yet.")
        return
    incident = found.incident
    parts = (incident.ticket_id, incident.status, incident.priority, incident.category, _percent(incident.confidence))
    out.print(Text("  ".join(part for part in parts if part), "bold"))
    out.print(tidy(f"{incident.customer_id}, by {incident.channel}, at {_time(incident.created_at)}"))
    if incident.assignee is not None:
        out.print(tidy(f"assigned to {incident.assignee}"))
    if incident.continues is not None:
        out.print(f"continues incident {incident.continues}")
    out.print(f"incident {incident.id}\ncustomer {found.customer}\n\n{tidy(incident.message)}\n")
    _print_table(
        [
            {
                "when": _time(entry.at),
                "who": _cut(entry.who, 20),
                "what": _what(entry),
                "": (whole and entry.whole) or entry.text,
            }
            for entry in found.timeline
        ],
        fold=True,
    )
    for file in found.files:
        out.print(f"\n{_what_became_of_file(file)}", end="")
    for notice in found.notifications:
        out.print(f"\n{_what_became_of(notice)}", end="")
    out.print()


def _what(entry: TimelineEntry) -> str:
    return f"{entry.what} (edited)" if entry.edited else entry.what


def _what_became_of(notice: NotificationView) -> str:
    at = "" if notice.sent_at is None else f" at {_time(notice.sent_at)}"
    at += "" if notice.delivery in (None, "sent") or notice.status == "failed" else f", {notice.delivery}"
    tries = "" if notice.attempts < 2 else f", {notice.attempts} attempts"
    error = "" if notice.error is None else f": {tidy(notice.error)}"
    return f"{notice.kind} by {notice.channel} to {tidy(notice.recipient)}: {notice.status}{at}{tries}{error}"


def _what_became_of_file(file: FileView) -> str:
    size = "" if file.size is None else f", {file.size} bytes"
    reason = "" if file.reason is None else f": {tidy(file.reason)}"
    return (
        f"file {file.id}, {tidy(file.name)} ({tidy(file.media_type) or 'of unknown type'}{size}): {file.state}{reason}"
    )


@app.command(name="file")
def save_file(
    ticket: TicketArgument,
    number: Annotated[int, typer.Argument(metavar="ID", help="The file's number: bot show TICKET tells it.")],
    to: Annotated[Path, typer.Option(metavar="PATH", help="Where to save it: a new file, or a folder.")],
) -> None:
    """Save a file that came with a message. It came from outside: look at it with care."""
    file, content = _views().file(ticket, number)
    path = to / file.name if to.is_dir() else to
    _write_new(path, content)
    out.print(f"{path} has {file.size} bytes, and is {file.media_type} by what they say.")


@app.command(name="list")
def list_incidents(
    status: Annotated[Literal["open", "resolved"] | None, typer.Option(help="Only these.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000)] = 20,
) -> None:
    """List the youngest incidents."""
    rows = [
        {
            "ticket": incident.ticket_id,
            "status": incident.status,
            "priority": incident.priority,
            "about": incident.category,
            "sure": _percent(incident.confidence),
            "customer": _cut(incident.customer_id, 24),
            "by": incident.channel,
            "opened": f"{incident.created_at:%Y-%m-%d %H:%M}",
            "message": " ".join(incident.message.split()),
        }
        for incident in _views().incidents(limit, status)
    ]
    _print_table(
        rows, spare=("sure", "by", "customer", "opened", "priority", "about"), nothing="There are no incidents."
    )


@app.command()
def stats() -> None:
    """Count."""
    rows = []
    for name, value in _views().stats().items():
        shown = ", ".join(f"{key} {number}" for key, number in value.items()) if isinstance(value, dict) else value
        rows.append({"figure": name.replace("_", " "), "value": "-" if shown in (None, "") else str(shown)})
    _print_table(rows, fold=True)


@app.command()
def train(
    data: Annotated[Path, typer.Option(help="Folder with train.csv and dev.csv.")],
    to: Annotated[Path | None, typer.Option(help="Where to put the model; the one in use, if not given.")] = None,
    with_reviews: Annotated[
        bool,
        typer.Option("--with-reviews", help="Learn from what agents decided, too; a worse model is not taken."),
    ] = False,
) -> None:
    """Train the local classifier anew."""
    from bot.local_model import DEFAULT
    from bot.training import train as learn

    if with_reviews:
        from bot import app as firstline
        from bot import reviews
        from bot.settings import Settings

        firstline.open_database(Settings.read(), migrating=False)
        report = reviews.train(data, to or DEFAULT)
    else:
        report = learn(data, to or DEFAULT)
    out.print(f"{report.rows} rows, {report.seconds:.0f} s, {report.size / 1e6:.2f} MB: "
              f"{report.dev_accuracy:.1%} of the dev rows right")  # fmt: skip


# --- the dead


@dead.command(name="list")
def dead_list() -> None:
    """List what was given up."""
    rows = [
        {
            "name": one.name,
            "state": one.state,
            "attempts": str(one.attempts),
            "incident": one.incident_id or "",
            "error": " ".join((one.error or "").split()),
        }
        for one in _views().dead()
    ]
    _print_table(rows, spare=("attempts", "state"), nothing="Nothing was given up.")


@dead.command(name="show")
def dead_show(name: str) -> None:
    """Show all that is known of one of them."""
    for key, value in _views().dead_one(name).items():
        shown = "-" if value is None else _time(value) if isinstance(value, datetime) else tidy(str(value))
        out.print(Text.assemble((f"{key:>14}", "bold"), f"  {shown}"))


@dead.command(name="retry")
def dead_retry(name: str) -> None:
    """Try it again, with all its attempts ahead of it."""
    _commands().retry(name)
    out.print(f"{name} is back in its lane.")


# --- tokens


@token.command(name="issue")
def token_issue(
    role: Annotated[Literal["reporter", "agent", "admin"], typer.Option(help="What its holder may do.")],
    length: Annotated[str, typer.Option("--for", metavar="TIME", help="How long it holds: 12h, 30d.")] = "30d",
    name: Annotated[str, typer.Option(help="Whom it is for; one is made up, if not given.")] = "",
) -> None:
    """Print a new token; say on stderr which it is."""
    from bot import app as firstline
    from bot.settings import parse_duration

    try:
        lifetime = parse_duration(length)
    except ValueError as exc:
        raise FirstlineError(f"--for: {exc}") from None
    signer = firstline.signer()
    text, issued = _firstline().tokens.issue(signer, Role(role), lifetime, name)
    print(
        f"{issued.jti}: {issued.name}, {issued.role}, until {_time(issued.expires_at)}. "
        f"Take it back: bot token revoke {issued.jti}",
        file=sys.stderr,
    )
    print(text)


@token.command(name="list")
def token_list() -> None:
    """List the tokens that were given out."""
    rows = [
        {
            "jti": one.jti,
            "name": _cut(one.name, 24),
            "role": one.role,
            "expires": f"{one.expires_at:%Y-%m-%d %H:%M}",
            "revoked": "" if one.revoked_at is None else f"{one.revoked_at:%Y-%m-%d %H:%M}",
        }
        for one in _firstline().tokens.listed()
    ]
    _print_table(rows, fold=True, nothing="No tokens were given out.")


@token.command(name="revoke")
def token_revoke(jti: Annotated[str, typer.Argument(metavar="JTI", help="The token's id.")]) -> None:
    """Take a token back: within 5 seconds nobody takes it any more."""
    revoked = _firstline().tokens.revoke(jti)
    out.print(f"{revoked.jti} ({revoked.name}, {revoked.role}) is revoked.")


# --- customers


@app.command()
def forget(customer: CustomerArgument) -> None:
    """Erase all texts, names and addresses of a customer for good; the figures stay."""
    done = _firstline().privacy.forget(customer, _administrator())
    out.print(f"The customer {done.customer_id} is forgotten.")
    shown = {
        "identities": done.identities,
        "incidents": done.incidents,
        "of these closed": done.closed,
        "messages": done.messages,
        "earlier texts": done.revisions,
        "files": done.files,
        "deliveries": done.deliveries,
        "notifications": done.notifications,
        "of these cancelled": done.cancelled,
        "follow-ups cancelled": done.follow_ups,
        "lines of the audit trail": done.events,
    }
    _print_table([{"erased": name, "number": str(number)} for name, number in shown.items()])
    if done.tickets:
        out.print(f"The ticket desk keeps its own copy of {', '.join(done.tickets)}; erase them there.")
    if done.sent:
        out.print(f"{done.sent} text(s) were sent before and stay where they arrived; simulated mails lie in outbox/.")
    out.print("Backups and copies of the database that were made before hold it still.")
    if not done.scrubbed:
        out.print(
            "Somebody kept us from cleaning the database's file: stop the bot, and run "
            'sqlite3 FILE "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)"'
        )


@app.command()
def export(
    customer: CustomerArgument,
    to: Annotated[Path | None, typer.Option(metavar="FILE", help="Write it here instead: for you alone.")] = None,
) -> None:
    """Print all that is kept about a customer, as JSON."""
    if to is not None and os.path.lexists(to):
        raise FirstlineError(f"--to: {to} is there already. Name another file.")
    document = _firstline().privacy.export(customer, _administrator())
    text = json.dumps(document, ensure_ascii=False, indent=2) + "\n"
    if to is None:
        typer.echo(text.encode("utf-8"), nl=False)
    else:
        _write_new(to, text.encode("utf-8"))
        out.print(f"All that is kept about {document['customer']['id']} is in {to}.")


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that nobody else may read, and that was not there before."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
    except OSError as exc:
        raise FirstlineError(f"--to: {path} cannot be written ({exc.strerror}).") from None


@customers.command()
def merge(
    customer: CustomerArgument,
    into: Annotated[str, typer.Argument(metavar="INTO", help="Who they are: an id, or the one name of a channel.")],
) -> None:
    """Join two customers who are one person: all that is the first one's is the second one's from now on."""
    _commands().merge(customer, into, _administrator())
    out.print(f"{tidy(customer)} and {tidy(into)} are one customer.")


def _administrator() -> Caller:
    """Whoever has the database's file or password may do everything."""
    return Caller("command line", Role.ADMIN)


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
    _refuse_a_missing_file(settings.database_url)
    firstline.open_database(settings, migrating=False)
    return firstline.Firstline(settings, firstline.World.for_a_command(settings), works=False)


def _refuse_a_missing_file(database_url: str) -> None:
    """Opening it would make an empty one, and whoever mistyped the name or the folder would not be told."""
    scheme, _, path = database_url.partition(":///")
    if scheme == "sqlite" and path and not Path(unquote(path)).exists():
        raise ConfigurationError(f"DATABASE_URL: there is no {unquote(path)} here. Begin one: bot migrate, or bot run")


LAST_COLUMN = 24
"""Characters that the last column needs to be worth showing."""


def _print_table(
    rows: Sequence[Mapping[str, str]], spare: Sequence[str] = (), fold: bool = False, nothing: str = ""
) -> None:
    """Print rows under their names, or `nothing` if there are none. Where they are too wide for the terminal, the
    columns `spare` are left out, one by one; then the last one is cut, or (`fold`) goes on below. No other is cut."""
    if not rows:
        out.print(nothing)
        return
    widths = {name: max(cell_len(text) for text in (name, *(tidy(row[name]) for row in rows))) for name in rows[0]}
    last = list(widths)[-1]
    for name in spare:
        if _width(widths, last) + min(widths[last], LAST_COLUMN) > out.width:
            del widths[name]
    widths[last] = max(1, min(widths[last], out.width - _width(widths, last)))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for name, width in widths.items():
        table.add_column(name, width=width, no_wrap=not fold, overflow="fold" if fold else "ellipsis")
    for row in rows:
        table.add_row(*(tidy(row[name]) for name in widths))
    out.print(table)


def _width(widths: Mapping[str, int], but: str) -> int:
    return sum(width + 2 for name, width in widths.items() if name != but)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _time(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _percent(confidence: float | None) -> str:
    return "" if confidence is None else f"{confidence:.0%}"


if __name__ == "__main__":
    main()
