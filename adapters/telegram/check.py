"""`bot telegram check`."""

import typer
from rich.console import Console

from adapters.telegram.api import BotApi
from adapters.telegram.look import look
from adapters.telegram.settings import TelegramSettings
from bot.errors import ConfigurationError, FirstlineError
from bot.settings import Settings


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(help="Set up Telegram.", no_args_is_help=True)
    group.callback()(lambda: None)
    group.command("check")(check)
    app.add_typer(group, name="telegram")


def check() -> None:
    """Ask Telegram whether everything is well, and say what to do about what is not."""
    settings = TelegramSettings.read()
    if settings.telegram_bot_token is None:
        raise ConfigurationError("TELEGRAM_BOT_TOKEN is not set: @BotFather gives one for a new bot.")
    out = Console(highlight=False, markup=False, emoji=False)
    api, bad = BotApi(settings), 0
    try:
        for finding in look(settings, Settings.read().public_url, api):
            bad += not finding.well
            out.print(f"{'ok ' if finding.well else 'NOT'}  {finding.says}")
            if not finding.well and finding.remedy:
                out.print(f"     → {finding.remedy}")
    finally:
        api.close()
    if bad:
        raise FirstlineError(f"Not well: {bad}. What to do stands above, and in docs/telegram.md")
