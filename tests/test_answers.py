"""Waiting for an outcome, wherever it is made."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from bot import answers as module
from bot.answers import Answers
from storage import database, inbox
from storage.tables import InboxMessage
from tests.fakes import NOON

OUTCOME = {"ticket_id": "TKT-1", "confidence": None}


@pytest.fixture
def polling(db: str) -> Iterator[Answers]:
    answers = Answers()
    poller = threading.Thread(target=answers.poll)
    poller.start()
    yield answers
    answers.stop()
    poller.join(5)
    assert not poller.is_alive()


def receive(incident_id: str) -> None:
    """Store a message that nobody has handled yet."""
    row = inbox.NewMessage("web", incident_id, incident_id, f"in/{incident_id}", {}, "", NOON)
    with database.transaction():
        inbox.add([row])


def handle(incident_id: str) -> None:
    """Handle it in another process, as far as the waiting one can tell."""
    with database.transaction():
        inbox.done(InboxMessage.get(InboxMessage.incident_id == incident_id).id, OUTCOME)


def test_what_is_handled_here_is_answered_at_once_to_all_who_wait() -> None:
    answers = Answers()
    waiting = [answers.expect("i-1") for _ in range(3)]
    other = answers.expect("i-2")
    answers.fulfil("i-1", OUTCOME)
    assert [future.result(0) for future in waiting] == [OUTCOME] * 3
    assert not other.done()


def test_what_nobody_waits_for_is_nobodys_loss() -> None:
    Answers().fulfil("i-1", OUTCOME)


def test_who_has_stopped_waiting_is_passed_over() -> None:
    answers = Answers()
    gone, other = answers.expect("i-1"), answers.expect("i-1")
    gone.cancel()
    answers.fulfil("i-1", OUTCOME)
    assert other.result(0) == OUTCOME


def test_what_another_process_handles_is_seen(polling: Answers) -> None:
    receive("i-1")
    answer = polling.expect("i-1")
    time.sleep(0.12)
    assert not answer.done()
    handle("i-1")
    assert answer.result(5) == OUTCOME


def test_what_was_handled_before_anybody_waited_is_seen_too(polling: Answers) -> None:
    receive("i-1")
    handle("i-1")
    assert polling.expect("i-1").result(5) == OUTCOME


def test_many_are_asked_for_in_one_query(polling: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    outcomes = inbox.outcomes

    def count(wanted: Any) -> Any:
        asked.append(len(wanted))
        return outcomes(wanted)

    for number in range(30):
        receive(f"i-{number}")
    waiting: list[Future[Any]] = [polling.expect(f"i-{number}") for number in range(30)]
    monkeypatch.setattr(inbox, "outcomes", count)
    for number in range(30):
        handle(f"i-{number}")
    assert all(future.result(5) == OUTCOME for future in waiting)
    assert len(asked) < 30


def test_while_nobody_waits_the_database_is_left_alone(polling: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = polling.expect("i-1")
    gone.cancel()
    time.sleep(3 * module.POLL_EVERY)
    asked: list[Any] = []
    monkeypatch.setattr(inbox, "outcomes", lambda wanted: asked.append(wanted) or {})
    time.sleep(3 * module.POLL_EVERY)
    assert asked == []


def test_a_database_that_is_ill_for_a_while_ends_no_waiting(polling: Answers, monkeypatch: pytest.MonkeyPatch) -> None:
    receive("i-1")

    def ill(wanted: Any) -> Any:
        raise OSError

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "outcomes", ill)
        answer = polling.expect("i-1")
        time.sleep(3 * module.POLL_EVERY)
    handle("i-1")
    assert answer.result(5) == OUTCOME
