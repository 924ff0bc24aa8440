"""Command-line commands that talk to a running bot over HTTP."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from adapters.http.settings import HttpSettings
from bot.errors import FirstlineError

MARGIN = 5
"""Seconds beyond the bot's own wait before we stop waiting for it."""


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
    url = f"http://{settings.host}:{settings.port}/api/incidents"
    body = {"customer_id": customer, "message": text, "channel": "email", "email": email}
    try:
        answer = requests.post(url, json=body, timeout=settings.response_wait.total_seconds() + MARGIN)
    except requests.RequestException:
        raise FirstlineError(f"Nobody answers at {url}. Start the bot first: bot run") from None
    if not answer.ok:
        raise FirstlineError(answer.json()["detail"])
    out = Console(highlight=False)
    for name, value in answer.json().items():
        out.print(f"[bold]{name:>16}[/]  {escape(str(value))}")
