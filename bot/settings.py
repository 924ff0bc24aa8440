"""Settings come from the environment and from `.env`, are read once at the start, and are frozen."""

import re
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import ConfigurationError

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_duration(value: Any) -> Any:
    """Turn "24h", "10s", "500ms", "14d" or a bare number of seconds into a timedelta; leave the rest to pydantic."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?\s*", str(value))
    if match is None or isinstance(value, timedelta):
        return value
    return timedelta(seconds=float(match[1]) * UNITS[match[2] or "s"])


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class FromEnvironment(BaseSettings):
    """Base of every settings class, the adapters' too. An empty variable counts as not set."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True)

    @classmethod
    def read(cls) -> Self:
        """Read the environment. Raises ConfigurationError, which names each wrong variable and shows no value."""
        try:
            return cls()
        except ValidationError as exc:
            wrong = [f"{'.'.join(map(str, error['loc'])).upper()}: {error['msg']}" for error in exc.errors()]
        raise ConfigurationError("Settings that cannot be used:\n  " + "\n  ".join(wrong))


class Settings(FromEnvironment):
    """The core's own settings."""

    database_url: str = Field("sqlite:///incidents.db", description="Where incidents are kept.")
    workers: int = Field(16, ge=1, le=256, description="Threads that handle messages and send notices.")
    classify_within: Duration = Field(timedelta(seconds=5), description="How long Gemini may take to classify.")
    ticket_within: Duration = Field(timedelta(seconds=3), description="How long the ticket desk may hold up a message.")
    follow_up_after: Duration = Field(timedelta(hours=24), description="When an incident is looked at again.")
    attempts: int = Field(24, ge=1, description="How often a piece of work is tried before it is put aside as dead.")
    lease: Duration = Field(
        timedelta(seconds=10),
        description="How long a worker keeps a lane without a sign of life; then another goes on.",
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="DEBUG, INFO, WARNING or ERROR.")
    log_format: str = Field("console", pattern="^(console|json)$", description="console for people, json for machines.")
