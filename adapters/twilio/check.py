"""`bot twilio check`."""

from typing import Final

import typer
from rich.console import Console

from adapters.twilio.api import TwilioApi
from adapters.twilio.look import look
from adapters.twilio.settings import Channel, TwilioSettings
from bot.errors import ConfigurationError, FirstlineError
from bot.settings import Settings

CHANNELS: Final[tuple[Channel, ...]] = ("sms", "whatsapp")


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(help="Set up SMS and WhatsApp.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("check")(check)
    app.add_typer(group, name="twilio")


def check() -> None:
    """Ask Twilio whether everything is well, and say what to do about what is not."""
    settings = TwilioSettings.read()
    if settings.twilio_account_sid is None:
        raise ConfigurationError("TWILIO_ACCOUNT_SID is not set: the first page of the Twilio console shows it.")
    out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    api, bad = TwilioApi(settings), 0
    try:
        for channel in CHANNELS:
            if settings.number_of(channel) is None:
                continue
            for finding in look(channel, settings, Settings.read().public_url, api):
                bad += not finding.well
                out.print(f"{'ok ' if finding.well else 'NOT'}  {channel}: {finding.says}")
                if not finding.well and finding.remedy:
                    out.print(f"     → {finding.remedy}")
    finally:
        api.close()
    if bad:
        raise FirstlineError(f"Not well: {bad}. What to do stands above, and in docs/sms-whatsapp.md")
