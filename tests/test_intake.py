"""The one way in: committed before it is acknowledged, once, in order, and masked."""

import threading
from typing import Any

import pytest
from peewee import OperationalError

from bot.errors import NotCommitted
from bot.intake import LARGEST_BATCH, Intake
from bot.model import InboundMessage
from storage import database, inbox
from storage.tables import InboxMessage, Lane
from tests.fakes import NOON, TestClock, WakeList


def message(key: str, text: str = "charged twice", **more: Any) -> InboundMessage:
    return InboundMessage(**{
        "channel": "web", "external_id": key, "lane": f"web/{key}", "customer_id": "C-1", "text": text,
        "answer_on": "email", **more,
    })  # fmt: skip


def stored() -> list[dict[str, Any]]:
    with database.session():
        return database.rows(InboxMessage.select().order_by(InboxMessage.id))


class Held:
    """An intake whose next commit waits until it is let go, so that what comes meanwhile is one batch."""

    def __init__(self, clock: TestClock, wakes: WakeList, monkeypatch: pytest.MonkeyPatch) -> None:
        self.intake = Intake(wakes, clock)
        self.batches: list[int] = []
        self._go_on, self._held = threading.Event(), threading.Event()
        add = inbox.add

        def wait_and_add(rows: Any) -> set[str]:
            self.batches.append(len(rows))
            self._held.set()
            assert self._go_on.wait(10)
            return add(rows)

        monkeypatch.setattr(inbox, "add", wait_and_add)
        self.first = self.intake.submit(message("first"))
        assert self._held.wait(10)

    def let_go(self) -> None:
        self._go_on.set()
        self.intake.close()


@pytest.fixture
def wakes() -> WakeList:
    return WakeList()


@pytest.fixture
def held(db: str, clock: TestClock, wakes: WakeList, monkeypatch: pytest.MonkeyPatch) -> Held:
    return Held(clock, wakes, monkeypatch)


@pytest.fixture
def intake(db: str, clock: TestClock, wakes: WakeList) -> Any:
    intake = Intake(wakes, clock)
    yield intake
    intake.close()


def test_what_is_accepted_is_committed_and_its_lane_is_woken(intake: Intake, wakes: WakeList) -> None:
    accepted = intake.accept(message("k-1", fingerprint="f"))
    (row,) = stored()
    assert (row["incident_id"], row["state"], row["due_at"]) == (accepted.incident_id, "new", NOON)
    assert (accepted.duplicate, accepted.fingerprint) == (False, "f")
    assert wakes.woken == ["in/web/k-1"]
    with database.session():
        assert [lane["key"] for lane in database.rows(Lane.select())] == ["in/web/k-1"]


def test_it_comes_out_as_it_went_in(intake: Intake) -> None:
    sent = message("k-1", "日本 ' \" \\ 😀\nsecond line", fingerprint="f")
    intake.accept(sent)
    assert InboundMessage.from_json(stored()[0]["payload"]) == sent


def test_a_redelivery_finds_the_first_and_wakes_nobody(intake: Intake, wakes: WakeList) -> None:
    first = intake.accept(message("k-1", fingerprint="f"))
    again = intake.accept(message("k-1", "another text", fingerprint="g"))
    assert (again.incident_id, again.duplicate, again.fingerprint) == (first.incident_id, True, "f")
    assert len(stored()) == 1
    assert wakes.woken == ["in/web/k-1"]


def test_the_same_id_on_another_channel_is_another_message(intake: Intake) -> None:
    intake.accept(message("k-1"))
    assert not intake.accept(message("k-1", channel="chat")).duplicate


def test_duplicates_within_one_commit_are_one_row(held: Held) -> None:
    both = [held.intake.submit(message("k-1", fingerprint=name)) for name in ("f", "g")]
    held.let_go()
    receipts = [submission.committed.result(0) for submission in both]
    assert held.batches == [1, 2]
    assert [receipt.duplicate for receipt in receipts] == [False, True]
    assert {(receipt.incident_id, receipt.fingerprint) for receipt in receipts} == {(both[0].incident_id, "f")}
    assert len(stored()) == 2


def test_what_comes_while_a_commit_is_under_way_is_the_next_one_in_order(held: Held) -> None:
    later = [held.intake.submit(message(f"k-{number:03}")) for number in range(LARGEST_BATCH + 50)]
    assert not any(submission.committed.done() for submission in [held.first, *later])
    held.let_go()
    assert held.batches == [1, LARGEST_BATCH, 50]
    assert [row["external_id"] for row in stored()] == ["first", *(f"k-{n:03}" for n in range(LARGEST_BATCH + 50))]


def test_closing_commits_all_that_was_submitted(db: str, clock: TestClock, wakes: WakeList) -> None:
    intake = Intake(wakes, clock)
    submitted = [intake.submit(message(f"k-{number}")) for number in range(300)]
    intake.close()
    assert all(submission.committed.done() for submission in submitted)
    assert len(stored()) == 300


def test_a_row_that_cannot_be_stored_keeps_no_other_out(held: Held) -> None:
    names = ["k-1", "\ud800", "k-2"]
    submitted = [held.intake.submit(message(name, lane="web/x")) for name in names]
    held.let_go()
    assert held.batches == [1, 3, 1, 1, 1]
    assert [type(submission.committed.exception(0)) for submission in submitted] == [
        type(None),
        NotCommitted,
        type(None),
    ]
    assert [row["external_id"] for row in stored()] == ["first", "k-1", "k-2"]


def test_a_database_that_is_ill_is_asked_once_and_nothing_is_acknowledged(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def locked(rows: Any) -> set[str]:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched:
        patched.setattr(inbox, "add", locked)
        with pytest.raises(NotCommitted, match="Send it again"):
            intake.accept(message("k-1"))
    assert stored() == []
    assert not intake.accept(message("k-1")).duplicate


def test_who_no_longer_waits_for_the_commit_keeps_nobody_else_out(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, other = held.intake.submit(message("k-1")), held.intake.submit(message("k-2"))
    gone.committed.cancel()
    monkeypatch.setattr(threading, "excepthook", lambda failure: None)
    held.let_go()
    assert other.committed.done()
    assert not other.committed.result(0).duplicate


def test_many_at_once_get_each_their_own_receipt(intake: Intake) -> None:
    receipts: dict[int, str] = {}

    def post(number: int) -> None:
        receipts[number] = intake.accept(message(f"k-{number % 20}")).incident_id

    threads = [threading.Thread(target=post, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_key = {row["external_id"]: row["incident_id"] for row in stored()}
    assert len(by_key) == 20
    assert all(receipts[number] == by_key[f"k-{number % 20}"] for number in range(60))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("card 4111 1111 1111 1111, twice", "4111"),
        ("my IBAN is DE89 3704 0044 0532 0130 00", "3704"),
        ("my password is hunter22", "hunter22"),
    ],
)
def test_what_must_not_be_kept_is_masked_before_it_is_stored(intake: Intake, text: str, kept: str) -> None:
    intake.accept(message("k-1", text))
    assert kept not in str(stored())


def test_what_no_person_typed_is_dropped_before_it_is_stored(intake: Intake) -> None:
    intake.accept(message("k-1", "  a\x00b\r\nc\x1b[31m\ud800 "))
    assert stored()[0]["payload"]["text"] == "ab\nc[31m"
