"""The registration tuples: dotted names, imported by `bot/app.py`."""

CHANNELS = ("adapters.mail.channel", "adapters.slack.channel", "adapters.telegram.channel", "adapters.twilio.channel")
"""Modules with `channels(state: State, originals: Originals) -> list[Channel]`, the ways in and out, and `switches() ->
list[Switch]`: what is on and what not."""

CLASSIFIERS = ("adapters.gemini",)
"""Modules with `classifiers(within: float) -> list[Classifier]`, best first, and `switches()`."""

DESKS = ("adapters.ticket_desk",)
"""Modules with `desks() -> list[TicketDesk]`, and `switches()`."""

COMMANDS = (
    "adapters.http.cli",
    "adapters.mail.cli",
    "adapters.slack.cli",
    "adapters.telegram.check",
    "adapters.twilio.check",
)
"""Modules with `add_commands(app: typer.Typer)`."""
