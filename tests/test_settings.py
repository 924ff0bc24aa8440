"""Settings: read from the environment or `.env`; a wrong one is named, and its value is never shown."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, SecretStr, ValidationError

from bot import telemetry
from bot.errors import ConfigurationError
from bot.settings import LONGEST, Duration, FromEnvironment, Settings


class Example(FromEnvironment):
    """One setting of each kind."""

    example_port: int = Field(80, ge=0, le=65535)
    example_kind: Literal["red", "green"] = "red"
    example_wait: Duration = timedelta(seconds=10)
    example_token: SecretStr | None = None
    example_url: str = ""


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("500ms", timedelta(milliseconds=500)),
        ("10s", timedelta(seconds=10)),
        ("1.5h", timedelta(minutes=90)),
        ("30 m", timedelta(minutes=30)),
        (" 24h ", timedelta(days=1)),
        ("14d", timedelta(days=14)),
        ("10", timedelta(seconds=10)),
        ("0.25", timedelta(milliseconds=250)),
        ("0", timedelta(0)),
    ],
)
def test_a_length_of_time_is_a_number_with_a_unit_or_of_seconds(
    monkeypatch: pytest.MonkeyPatch, text: str, length: timedelta
) -> None:
    monkeypatch.setenv("EXAMPLE_WAIT", text)
    assert Example.read().example_wait == length


@pytest.mark.parametrize(
    "text",
    ["-5s", "5 apples", "1h30m", "10S", "nan", "inf", "1e3", "s", "0x10", "999999999999d", "9" * 400, "P1D", "½h"],
)
def test_what_is_no_length_of_time_is_refused_with_an_example_of_one(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("EXAMPLE_WAIT", text)
    with pytest.raises(ConfigurationError, match=r"EXAMPLE_WAIT: .* such as 24h, 30m, 10s or 500ms$"):
        Example.read()


def test_a_length_of_time_may_be_given_as_such() -> None:
    assert Example(example_wait=timedelta(minutes=1)).example_wait == timedelta(minutes=1)


@settings(max_examples=300, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.one_of(st.text(), st.from_regex(r"\s*\d+(\.\d+)?\s*(ms|s|m|h|d)?", fullmatch=True)))
def test_any_text_is_a_length_of_time_within_ten_years_or_is_refused(text: str) -> None:
    try:
        length = Example(example_wait=text).example_wait
    except ValidationError:
        return
    assert timedelta(0) <= length <= LONGEST


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXAMPLE_PORT", "hunter22"),
        ("EXAMPLE_PORT", "65536"),
        ("EXAMPLE_PORT", "8000.5"),
        ("EXAMPLE_KIND", "hunter22"),
        ("EXAMPLE_WAIT", "hunter22"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}: ") as caught:
        Example.read()
    assert value not in f"{caught.value!r}"
    assert caught.value.__context__ is None
    assert str(caught.value).count("\n") == 1


def test_all_wrong_values_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXAMPLE_PORT", "x")
    monkeypatch.setenv("EXAMPLE_KIND", "x")
    with pytest.raises(ConfigurationError, match=r"(?s)EXAMPLE_PORT: .*EXAMPLE_KIND: .*'red' or 'green'"):
        Example.read()


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("EXAMPLE_PORT", "EXAMPLE_WAIT", "EXAMPLE_TOKEN", "EXAMPLE_KIND"):
        monkeypatch.setenv(name, "")
    assert Example.read() == Example()
    assert Example.read().example_token is None


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Example.read().example_port = 81


class TestDotEnv:
    """The file `.env` in the folder where the bot is started."""

    def test_is_read(self) -> None:
        Path(".env").write_text("EXAMPLE_PORT=81\n# a comment\nEXAMPLE_KIND='green'\n", encoding="utf-8")
        assert (Example.read().example_port, Example.read().example_kind) == (81, "green")

    def test_counts_less_than_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path(".env").write_text("EXAMPLE_PORT=81\n", encoding="utf-8")
        monkeypatch.setenv("EXAMPLE_PORT", "82")
        assert Example.read().example_port == 82

    def test_may_hold_what_others_want(self) -> None:
        Path(".env").write_text("SOMEBODY_ELSES=1\n", encoding="utf-8")
        assert Example.read() == Example()

    def test_is_named_when_a_value_in_it_is_wrong(self) -> None:
        Path(".env").write_text("EXAMPLE_PORT=hunter22\n", encoding="utf-8")
        with pytest.raises(ConfigurationError, match="EXAMPLE_PORT: ") as caught:
            Example.read()
        assert "hunter22" not in str(caught.value)

    def test_that_cannot_be_read_is_said(self) -> None:
        Path(".env").write_bytes(b"EXAMPLE_PORT=\xff\n")
        with pytest.raises(ConfigurationError, match=r"\.env: cannot be read"):
            Example.read()


class TestWhatTheCoreNeeds:
    """The core's own settings."""

    def test_has_a_default_for_everything(self) -> None:
        settings = Settings.read()
        assert settings.database_url == "sqlite:///incidents.db"
        assert settings.follow_up_after == timedelta(hours=24)

    @pytest.mark.parametrize("name", ["CLASSIFY_WITHIN", "TICKET_WITHIN", "LEASE", "WORKERS", "ATTEMPTS"])
    def test_cannot_be_nothing(self, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
        monkeypatch.setenv(name, "0")
        with pytest.raises(ConfigurationError, match=f"{name}: "):
            Settings.read()

    @pytest.mark.parametrize(("name", "value"), [("LOG_LEVEL", "LOUD"), ("LOG_FORMAT", "xml")])
    def test_is_one_of_those_that_the_error_lists(self, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError, match=rf"{name}: Input should be .* or '\w+'"):
            Settings.read()


class TestASecret:
    """A setting that nobody may see."""

    def test_is_kept_out_of_the_log_from_the_moment_it_is_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EXAMPLE_TOKEN", "correct horse battery")
        Example.read()
        assert telemetry.redact_text("it said: correct horse battery!") == "it said: [secret]!"

    def test_is_a_password_in_an_address_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://ana:open-sesame@db.example/firstline")
        Settings.read()
        assert telemetry.redact_text("FATAL: open-sesame was refused") == "FATAL: [secret] was refused"

    def test_does_not_stand_in_the_settings_own_text(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("EXAMPLE_TOKEN", "open-sesame")
        assert "open-sesame" not in repr(Example.read())
