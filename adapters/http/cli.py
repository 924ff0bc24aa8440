"""Command-line commands that talk to a running bot over HTTP."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from adapters.http.settings import HttpSettings
from bot.errors import FirstlineError

MARGIN = 5
"""Seconds beyond the bot's own wait before we stop waiting for it."""

LIFETIME = timedelta(minutes=1)
"""How long the token holds that a command makes for itself."""

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}
"""Where to find a bot on this machine that listens at all its addresses."""


def add_commands(app: typer.Typer) -> None:
    app.command()(send)


def send(
    text: Annotated[str, typer.Argument(help="What the customer writes.")],
    customer: Annotated[str, typer.Option(help="The customer's id.")] = "C-1042",
    email: Annotated[str, typer.Option(help="Where to confirm.")] = "ana@example.com",
) -> None:
    """Write to the running bot, as a customer, and print its answer."""
    import requests

    settings = HttpSettings.read()
    host = EVERYWHERE.get(settings.host, settings.host)
    host = f"[{host}]" if ":" in host else host
    url = f"http://{host}:{settings.port}/api/incidents"
    body = {"customer_id": customer, "message": text, "channel": "email", "email": email}
    try:
        with requests.Session() as session:
            session.trust_env = False  # no proxy can reach this machine's loopback
            session.headers.update(_authorization(settings))
            answer = session.post(url, json=body, timeout=settings.response_wait.total_seconds() + MARGIN)
            said = answer.json()
            if not answer.ok:
                raise FirstlineError(said["detail"])
    except requests.JSONDecodeError:
        raise FirstlineError(f"What answers at {url} is not Firstline. Set PORT as it is set for the bot") from None
    except requests.RequestException:
        raise FirstlineError(f"Nobody answers at {url}. Start the bot first: bot run") from None
    out = Console(highlight=False, markup=False, emoji=False)
    for name, value in said.items():
        out.print(Text.assemble((f"{name:>16}", "bold"), f"  {value}"))


def _authorization(settings: HttpSettings) -> dict[str, str]:
    """The header that the bot wants where it has keys: whoever has them too may sign for themselves."""
    if not settings.keys:
        return {}
    from adapters.http.auth import COMMAND_LINE, Keys

    now = datetime.now(UTC)
    token = Keys.of(settings).sign(COMMAND_LINE, secrets.token_hex(8), now, now + LIFETIME)
    return {"Authorization": f"Bearer {token}"}
