"""Settings come from the environment and from `.env`, are read once at the start, and are frozen."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot import telemetry
from bot.errors import ConfigurationError
from bot.quiet_hours import QuietHours
from bot.sealing import Seal

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
LONGEST = timedelta(days=3650)
"""A time that is added to today's date must not lead beyond the calendar."""


def parse_duration(value: Any) -> Any:
    """Turn "24h", "10s", "500ms", "14d" or a bare number of seconds into a timedelta. Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*(ms|s|m|h|d)?\s*", str(value))
    seconds = float(match[1]) * UNITS[match[2] or "s"] if match else -1.0
    if not 0 <= seconds <= LONGEST.total_seconds():
        raise ValueError("must be a length of time, such as 24h, 30m, 10s or 500ms")
    return timedelta(seconds=seconds)


Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


class FromEnvironment(BaseSettings):
    """Base of every settings class, the adapters' too. An empty variable counts as not set."""

    model_config = SettingsConfigDict(
        env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    @classmethod
    def read(cls) -> Self:
        """Read the environment, and keep the secrets in it out of the log from now on.

        Raises ConfigurationError, which names each wrong variable and shows no value.
        """
        try:
            settings = cls()
        except ValidationError as exc:
            wrong = [f"{_variable(error['loc'])}: {_said(error['msg'])}" for error in exc.errors()]
        except (OSError, UnicodeError) as exc:
            wrong = [f".env: cannot be read ({type(exc).__name__})"]
        else:
            telemetry.hide(settings._secrets())
            return settings
        raise ConfigurationError("Settings that cannot be used:\n  " + "\n  ".join(wrong))

    def _secrets(self) -> Iterator[str]:
        for name in type(self).model_fields:
            value = getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
            if isinstance(value, SecretStr):
                yield text
            if password := re.match(r"\w+://[^/\s:@]*:([^/\s@]+)@", text):
                yield password[1]


def _keys(written: SecretStr) -> list[str]:
    return [key.strip() for key in written.get_secret_value().split(",") if key.strip()]


def _variable(place: tuple[int | str, ...]) -> str:
    return ".".join(map(str, place)).upper() or "The settings"


def _said(message: str) -> str:
    return message.removeprefix("Value error, ").rstrip(".")


class Settings(FromEnvironment):
    """The core's own settings."""

    database_url: str = Field("sqlite:///incidents.db", description="Where incidents are kept.")
    queue_url: SecretStr | None = Field(
        None,
        description="RabbitMQ (amqp://user:password@host/) or Redis (redis://host), by which processes tell each other "
        "of work; needs the extra `queue`. Not set: each looks into the database.",
    )
    workers: int = Field(16, ge=1, le=256, description="Threads that handle messages and send notices.")
    classify_within: Duration = Field(
        timedelta(seconds=5), gt=timedelta(0), description="How long Gemini may take to classify."
    )
    classifier: Literal["gemini", "local", "cascade"] | None = Field(
        None,
        description="Who classifies: gemini; local, the model inside; or cascade, Gemini only where that one is not "
        "sure. Not set: gemini if there is a key, else local.",
    )
    classify_cache: int = Field(
        1000, ge=0, le=1_000_000, description="How many of Gemini's answers are kept for messages that come again."
    )
    ticket_within: Duration = Field(
        timedelta(seconds=3), gt=timedelta(0), description="How long the ticket desk may hold up a message."
    )
    follow_up_after: Duration = Field(timedelta(hours=24), description="When an incident is looked at again.")
    escalate_after: Duration = Field(
        timedelta(hours=48), description="When agents are told of an incident that none of them has touched."
    )
    quiet_hours: str | None = Field(None, description="When no reminder is sent, such as 22:00-07:00.")
    time_zone: str = Field("UTC", description="Whose clock QUIET_HOURS go by, such as Europe/Madrid.")
    conversation_idle: Duration = Field(
        timedelta(hours=4), description="How long a private chat may be silent and still be about the same incident."
    )
    burst: Duration = Field(
        timedelta(seconds=60), description="How long after a message the next one is joined to it without a word."
    )
    reopen_within: Duration = Field(
        timedelta(days=14), description="How long after its resolution an answer reopens an incident."
    )
    agents_email: str | None = Field(
        None, description="Where agents are told of urgent, reminded and untouched incidents."
    )
    public_url: str | None = Field(
        None, description="Address of the HTTP side as customers see it, for links in mails. Not set: HOST and PORT."
    )
    link_key: SecretStr | None = Field(
        None, description="Signs the links in mails. Not set: a key that is made once and kept in the database."
    )
    data_key: SecretStr | None = Field(
        None,
        description="Encrypts files and tokens that are kept; several with commas: the first encrypts, all decrypt.",
    )
    max_file: int = Field(10_000_000, ge=0, le=100_000_000, description="Largest file that is kept, in bytes.")
    max_files: int = Field(10, ge=0, le=100, description="How many files of one message are kept.")
    max_files_size: int = Field(25_000_000, ge=0, description="Largest size of one message's files together, in bytes.")
    raw_kept: Duration = Field(timedelta(days=14), description="How long files, and mails as they came, are kept.")
    retain: Duration | None = Field(
        None,
        gt=timedelta(0),
        description="How long after its resolution an incident is deleted with all that belongs to it. Not set: never.",
    )
    attempts: int = Field(24, ge=1, description="How often a piece of work is tried before it is put aside as dead.")
    lease: Duration = Field(
        timedelta(seconds=10),
        ge=timedelta(milliseconds=100),
        description="How long a worker keeps a lane without a sign of life; then another goes on.",
    )
    otel_exporter_otlp_endpoint: str | None = Field(
        None, description="Collector to send spans to (OTLP over HTTP); needs the extra `tracing`."
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )
    log_format: Literal["console", "json"] = Field("console", description="console for people, json for machines.")

    @property
    def seal(self) -> Seal:
        """What encrypts files and tokens."""
        return Seal(tuple(() if self.data_key is None else _keys(self.data_key)))

    @property
    def quiet(self) -> QuietHours | None:
        """The hours in which no reminder is sent, if there are any."""
        return None if self.quiet_hours is None else QuietHours.parse(self.quiet_hours, self.time_zone)

    @field_validator("queue_url")
    @classmethod
    def _a_broker(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.match(r"(amqps?|rediss?)://[^/\s]", value.get_secret_value()):
            raise ValueError("must begin with amqp://host, amqps://host, redis://host or rediss://host")
        return value

    @field_validator("quiet_hours")
    @classmethod
    def _hours(cls, value: str | None) -> str | None:
        if value is not None:
            QuietHours.parse(value, "UTC")
        return value

    @field_validator("time_zone")
    @classmethod
    def _a_zone(cls, value: str) -> str:
        QuietHours.parse("22:00-07:00", value)
        return value

    @field_validator("link_key")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < 32:
            raise ValueError("needs at least 32 bytes")
        return value

    @field_validator("data_key")
    @classmethod
    def _all_long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not all(len(key.encode()) >= 32 for key in _keys(value)):
            raise ValueError("each key needs at least 32 bytes")
        return value

    @field_validator("agents_email")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"[^@\s,;<>]{1,64}@[^@\s,;<>]{1,190}", value):
            raise ValueError("must be one mail address, such as agents@shop.example")
        return value

    @field_validator("public_url")
    @classmethod
    def _an_url(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", value):
            raise ValueError("must be an address such as https://support.shop.example")
        return None if value is None else value.rstrip("/")
