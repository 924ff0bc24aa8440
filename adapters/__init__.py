"""The registration tuples: dotted names, imported by `bot/app.py`."""

CHANNELS = ("adapters.slack.channel", "adapters.telegram.channel")
"""Modules with `channels(state: State) -> list[Channel]`, the ways in and out, and `switches() -> list[Switch]`: what
is on and what not."""

SENDERS = ("adapters.mail.send", "adapters.twilio")
"""Modules with `senders() -> list[Sender]`, the ways out, and `switches()`."""

CLASSIFIERS = ("adapters.gemini",)
"""Modules with `classifiers(within: float) -> list[Classifier]`, best first, and `switches()`."""

DESKS = ("adapters.ticket_desk",)
"""Modules with `desks() -> list[TicketDesk]`, and `switches()`."""

COMMANDS = ("adapters.http.cli", "adapters.slack.cli", "adapters.telegram.check", "adapters.mail.cli")
"""Modules with `add_commands(app: typer.Typer)`."""
