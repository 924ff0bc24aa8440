"""Settings of Telegram."""

import re
from datetime import timedelta

from pydantic import Field, SecretStr, field_validator

from bot.settings import Duration, FromEnvironment

TOKEN = re.compile(r"[0-9]{3,20}:[A-Za-z0-9_-]{3,100}")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}")
"""What Telegram takes as a secret (core.telegram.org/bots/api, "setWebhook")."""


class TelegramSettings(FromEnvironment):
    """The bot's token, where it listens, and who its agents are. Without TELEGRAM_BOT_TOKEN there is no Telegram."""

    telegram_bot_token: SecretStr | None = Field(
        None, description="The bot's token, from @BotFather. Not set: Firstline is not on Telegram."
    )
    telegram_webhook_secret: SecretStr | None = Field(
        None, description="By what Telegram is known at the webhook, A-Z a-z 0-9 _ -; needed where PUBLIC_URL is set."
    )
    telegram_agents: str = Field("", description="User ids of who may act on incidents, with commas between them.")
    telegram_agents_group: int | None = Field(
        None, description="Id of the agents' group, -100…, in which each incident has a topic."
    )
    telegram_api_url: str = Field("https://api.telegram.org", description="Where Telegram's Bot API is.")
    telegram_timeout: Duration = Field(
        timedelta(seconds=5), gt=timedelta(0), description="How long one network step to Telegram may take."
    )
    telegram_deadline: Duration = Field(
        timedelta(seconds=15), gt=timedelta(0), description="How long sending one text to Telegram may take in all."
    )
    telegram_file_deadline: Duration = Field(
        timedelta(seconds=60), gt=timedelta(0), description="How long fetching one file from Telegram may take in all."
    )

    @property
    def agents(self) -> frozenset[int]:
        return frozenset(map(int, _split(self.telegram_agents)))

    @property
    def bot_id(self) -> int:
        """The bot's own user id: the token begins with it."""
        assert self.telegram_bot_token is not None
        return int(self.telegram_bot_token.get_secret_value().partition(":")[0])

    @field_validator("telegram_bot_token")
    @classmethod
    def _is_a_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not TOKEN.fullmatch(token.get_secret_value()):
            raise ValueError("is no bot's token; those look like 123456789:AbC-dEf and come from @BotFather")
        return token

    @field_validator("telegram_webhook_secret")
    @classmethod
    def _is_a_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None and not SECRET.fullmatch(secret.get_secret_value()):
            raise ValueError("has 1 to 256 of the characters A-Z a-z 0-9 _ -")
        return secret

    @field_validator("telegram_agents")
    @classmethod
    def _are_ids(cls, written: str) -> str:
        if not all(re.fullmatch("[0-9]{1,16}", agent) for agent in _split(written)):
            raise ValueError("must be user ids such as 123456789, never names; @userinfobot tells yours")
        return written

    @field_validator("telegram_agents_group")
    @classmethod
    def _is_a_group(cls, group: int | None) -> int | None:
        if group is not None and group >= 0:
            raise ValueError("must be the id of a group, which begins with -100")
        return group

    @field_validator("telegram_api_url")
    @classmethod
    def _is_an_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", url):
            raise ValueError("must be an address such as https://api.telegram.org")
        return url.rstrip("/")


def _split(written: str) -> list[str]:
    return [part.strip() for part in written.split(",") if part.strip()]
