"""Two hundred secrets of each kind, told by customers: none lies in the database, in the log, in a trace, or in what
Gemini is asked."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pydantic import SecretStr

from adapters.gemini import GeminiClassifier, GeminiSettings
from bot import measure, telemetry
from bot.breaker import Breaker
from bot.classify import Guarded
from storage.tables import InboxMessage, Incident, Message
from tests.fakes import TestClock
from tests.gemini import FakeGemini, fake, running_fake
from tests.house import ANA, House
from tests.postgres import ON_SQLITE
from tests.secrets import KINDS, bare, told

__all__ = ["fake", "running_fake"]

A_MESSAGE = 5
"""Secrets in one message, each in a paragraph of its own."""
PARAGRAPH = "\n\n"

Told = tuple[str, str]


def examples(kind: str) -> list[Told]:
    """At least two hundred messages in which a secret of this kind is told; the same at each run."""
    found: dict[Told, None] = {}

    @settings(max_examples=320, suppress_health_check=list(HealthCheck))
    @given(told(kind))
    def collect(example: Told) -> None:
        found[example] = None

    collect()
    assert len(found) >= 200
    return list(found)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(measure, "_tracer", provider.get_tracer("test"))
    yield exporter
    provider.shutdown()


def paragraphs(texts: list[str]) -> list[str]:
    return [part for text in texts for part in text.split(PARAGRAPH)]


@ON_SQLITE
@pytest.mark.parametrize("kind", KINDS)
def test_no_secret_is_kept_logged_traced_or_shown_to_a_model(
    kind: str,
    db: str,
    clock: TestClock,
    fake: FakeGemini,
    spans: InMemorySpanExporter,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    telemetry.set_up("DEBUG", "json")
    fake.will_say({"category": "other", "confidence": 0.9, "reason": "It is about nothing known."}, times=None)
    settings = GeminiSettings(gemini_api_key=SecretStr("k" * 20), gemini_base_url=f"{fake.url}/gemini")
    house = House(clock, better=[Guarded(GeminiClassifier(settings), Breaker("classifier"), 30)])
    secrets = examples(kind)
    for number in range(0, len(secrets), A_MESSAGE):
        text = PARAGRAPH.join(text for text, _ in secrets[number : number + A_MESSAGE])
        house.accept(text, f"m-{number}", addresses=(ANA,) if number % 25 == 0 else ())
    house.work()
    house.stop()

    asked = [body["contents"][0]["parts"][0]["text"].split("\n", 1)[1].rsplit("\n", 1)[0] for body in fake.bodies()]
    where = {
        "inbox": [row["payload"]["text"] for row in house.all(InboxMessage)],
        "incidents": [row["message"] for row in house.all(Incident)],
        "messages": [row["text"] for row in house.all(Message) if row["direction"] == "customer"],
        "model": asked,
    }
    for name, texts in where.items():
        kept = paragraphs(texts)
        assert len(kept) == len(secrets), name
        if name != "model":  # asked in the order in which they are handled; any order is as good
            leaked = [
                (text, secret) for text, (_, secret) in zip(kept, secrets, strict=True) if bare(secret) in bare(text)
            ]
            assert leaked == [], name
    assert set(paragraphs(asked)) <= set(paragraphs(where["inbox"]))
    written = {
        "database": "\n".join(sqlite3.connect(tmp_path / "incidents.db").iterdump()),
        "log": capsys.readouterr().err,
        "traces": "".join(span.to_json() for span in spans.get_finished_spans()),
        "model": json.dumps(fake.bodies(), ensure_ascii=False),
    }
    assert "message.accepted" in written["log"]
    assert "classify" in written["traces"]
    for name, text in written.items():
        squeezed = bare(text)
        assert [told for told, secret in secrets if leaks(told, secret, squeezed)] == [], name


def leaks(told: str, secret: str, squeezed: str) -> bool:
    """Whether a secret, or the line in which it was told, can be read in a text. The short ones stand in some number or
    other of any long text, so of these only the line counts."""
    (line,) = [line for line in told.split("\n") if secret in line]
    if len(bare(secret)) >= 9 and bare(secret) in squeezed:
        return True
    return len(bare(line)) > len(bare(secret)) + 4 and bare(line) in squeezed


def test_the_search_finds_what_leaks() -> None:
    assert leaks("My PIN is 1234\nThanks", "1234", bare('x {"text": "My PIN is 1234"}'))
    assert leaks("card 4242 4242 4242 4242", "4242 4242 4242 4242", bare("4242424242424242"))
    assert not leaks("My PIN is 1234", "1234", bare("TKT-12345678 My PIN is [code]"))


CONTACTS = "my mail is ana.{0}@example.com, call me at +49 151 2345{0:04} or (030) 123{0:04}"


@ON_SQLITE
def test_a_model_is_shown_no_mail_address_and_no_phone_number_but_agents_are(
    db: str, clock: TestClock, fake: FakeGemini
) -> None:
    settings = GeminiSettings(gemini_api_key=SecretStr("k" * 20), gemini_base_url=f"{fake.url}/gemini")
    house = House(clock, better=[Guarded(GeminiClassifier(settings), Breaker("classifier"), 30)])
    for number in range(20):
        house.accept(CONTACTS.format(number), addresses=())
    house.work()
    house.stop()
    asked: list[Any] = [body["contents"][0]["parts"][0]["text"] for body in fake.bodies()]
    assert len(asked) == 20
    assert all("my mail is [email], call me at [phone] or [phone]" in text for text in asked)
    assert {row["message"] for row in house.incidents()} == {CONTACTS.format(number) for number in range(20)}
