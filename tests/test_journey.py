"""The main job, whole, on real input: HTTP in; a model, a ticket desk and an SMTP server on loopback; mail out."""

import sqlite3
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.desk import LocalDesk
from tests.gemini import FakeGemini, fake, running_fake
from tests.mailbox import Mailbox, wait_until
from tests.process import Process

__all__ = ["fake", "running_fake"]

NEW = {"customer_id": "C-7", "message": "My card was charged twice", "channel": "email", "email": "berta@example.com"}
GOOD = {"category": "refund_request", "confidence": 0.93, "reason": "The customer wants the money back."}
WAIT = 10.0


@pytest.fixture
def process(
    fake: FakeGemini, desk: LocalDesk, mailbox: Mailbox, database_url: str, tmp_path: Path
) -> Iterator[Process]:
    settings = {
        "GEMINI_API_KEY": "a-key-that-must-not-leak",
        "GEMINI_BASE_URL": f"{fake.url}/gemini",
        "CLASSIFY_WITHIN": "2s",
        "TICKET_API_URL": desk.url,
        "TICKET_API_TOKEN": "a-token-that-must-not-leak",
        "DATABASE_URL": database_url,
        **mailbox.environment(),
    }
    with Process(tmp_path, settings) as process:
        yield process.wait_up()
        assert process.terminate() == 0
        assert "must-not-leak" not in "".join(process.output)
        assert "berta@example.com" not in "".join(process.output)


def text_of(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    assert part is not None
    text: str = part.get_content()
    return text


def test_a_message_becomes_a_ticket_at_the_desk_and_a_mail_that_says_so(
    process: Process, fake: FakeGemini, desk: LocalDesk, mailbox: Mailbox
) -> None:
    fake.will_say(GOOD)
    answer = process.post(NEW, "k-1")
    assert answer.status_code == 201
    body = answer.json()
    ticket = f"TKT-{desk.tickets[body['incident_id']]}"
    assert body["ticket_id"] == ticket
    assert (body["classification"], body["confidence"]) == ("refund_request", 0.93)
    assert body["message"] == "Ticket created. Email on its way."
    wait_until(mailbox.mails)
    (mail,) = mailbox.mails()
    assert mail["To"] == "berta@example.com"
    assert ticket in mail["Subject"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["X-Auto-Response-Suppress"] == "All"
    for kind in ("plain", "html"):
        text = text_of(mail, kind)
        for said in ("Thank you", body["incident_id"], ticket, "My card was charged twice", "within 24 hours"):
            assert said in text, (kind, said)
    assert desk.requests[0].headers["authorization"] == "Bearer a-token-that-must-not-leak"
    assert desk.requests[0].body == {
        "incident_id": body["incident_id"],
        "category": "refund_request",
        "message": "My card was charged twice",
    }


AILING: dict[str, dict[str, Any]] = {
    "too many requests": {"type": "fail", "status": 429, "retry_after": 30, "times": 99},
    "unavailable": {"type": "fail", "status": 503, "times": 99},
    "nonsense": {"type": "reply", "text": '{"category": "pizza", "confidence": 7}', "times": 99},
    "half an answer": {"type": "reply", "text": '{"category": "refund_requ', "times": 99},
    "nothing": {"type": "reply", "text": "", "times": 99},
    "silence": {"type": "delay", "seconds": 30, "times": 99},
}


@pytest.mark.parametrize("behaviour", AILING.values(), ids=list(AILING))
def test_case_18_when_the_model_ails_the_local_one_answers_in_time(
    process: Process, fake: FakeGemini, mailbox: Mailbox, behaviour: dict[str, Any]
) -> None:
    fake.will(**behaviour)
    began = time.monotonic()
    answer = process.post(NEW, "k-1")
    assert time.monotonic() - began < WAIT
    assert answer.status_code == 201
    assert answer.json()["classification"] == "duplicate_payment"
    incident = requests.get(f"{process.url}/api/incidents/{answer.json()['ticket_id']}", timeout=5).json()
    assert incident["classified_by"] == "local"
    wait_until(mailbox.mails)


def test_case_17_a_desk_that_is_slow_after_it_made_the_ticket_is_linked_later_and_the_number_stays(
    process: Process, fake: FakeGemini, desk: LocalDesk
) -> None:
    fake.will_say(GOOD)
    desk.hang_after_creating(5)
    body = process.post(NEW, "k-1").json()
    assert body["ticket_id"].startswith("TKT-")
    assert len(body["ticket_id"]) == 12
    url = f"{process.url}/api/incidents/{body['incident_id']}"
    wait_until(lambda: requests.get(url, timeout=5).json()["external_ticket_id"], 30)
    incident = requests.get(url, timeout=5).json()
    assert incident["ticket_id"] == body["ticket_id"]
    assert incident["external_ticket_id"] == desk.tickets[body["incident_id"]]
    assert desk.creations == {body["incident_id"]: 1}


def test_a_mail_server_that_is_away_keeps_nobody_waiting_and_gets_the_mail_when_it_is_back(
    fake: FakeGemini, desk: LocalDesk, database_url: str, tmp_path: Path
) -> None:
    mailbox = Mailbox()
    settings = {"TICKET_API_URL": desk.url, "DATABASE_URL": database_url, **mailbox.environment()}
    with Process(tmp_path, settings) as process:
        answer = process.wait_up().post(NEW, "k-1")
        assert answer.status_code == 201
        url = f"{process.url}/api/incidents/{answer.json()['incident_id']}"
        wait_until(lambda: requests.get(url, timeout=5).json()["notifications"][0]["attempts"] > 0)
        with mailbox:
            wait_until(mailbox.mails)
            wait_until(lambda: requests.get(url, timeout=5).json()["notifications"][0]["status"] == "sent")


def test_on_a_laptop_mails_are_files_and_a_person_can_read_the_database(tmp_path: Path) -> None:
    with Process(tmp_path, {}) as process:
        body = process.wait_up().post(NEW, "k-1").json()
        assert body["classification"] == "duplicate_payment"
        assert body["message"] == "Ticket created. Email simulated, not sent: no provider is configured."
        wait_until(lambda: list((tmp_path / "outbox").glob("*.eml")))
        wait_until(lambda: shell(tmp_path, "SELECT status FROM notifications") == [("simulated",)])
    rows = shell(tmp_path, "SELECT ticket_id, classification, status FROM incidents")
    assert rows == [(body["ticket_id"], "duplicate_payment", "open")]


def shell(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(folder / "incidents.db") as connection:
        rows = connection.execute(query).fetchall()
    connection.close()
    return rows
