"""The outbox: a text is sent once, or it is known why not."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot import outbox
from bot.errors import TryLater, Uncertain, Undeliverable
from bot.lanes import Lanes
from bot.model import Address, Notice, NoticeKind
from bot.outbox import Outbox
from storage import database, incidents, notifications
from tests.fakes import NOON, RecordingSender, TestClock
from tests.test_storage import values

TO = Address("email", "ana@example.com")


def notice(number: int = 1) -> Notice:
    return Notice(
        key=f"i-1.acknowledgement-{number}.email",
        kind=NoticeKind.ACKNOWLEDGEMENT,
        incident_id="i-1",
        ticket_id="TKT-1",
        subject="We have it",
        greeting="Thank you.",
        lead="Ticket TKT-1.",
        facts=(("Ticket", "TKT-1"),),
        quote="charged twice",
        closing="Within 24 hours.",
    )


@dataclass
class Post:
    """An outbox with a sender that can be told to fail."""

    clock: TestClock
    sender: RecordingSender = field(default_factory=RecordingSender)
    attempts: int = 3

    def __post_init__(self) -> None:
        self.lanes = Lanes(
            {"out": Outbox({self.sender.name: self.sender}, self.attempts).handle}, self.clock, timedelta(seconds=10), 3
        )
        with database.transaction():
            incidents.open(values())
            outbox.owe([(TO, notice())], NOON)

    def run(self) -> dict[str, Any]:
        """Look at the lane once, and return the notification's row."""
        self.lanes.run(f"out/{TO}")
        return self.row()

    def row(self) -> dict[str, Any]:
        with database.session():
            return notifications.of_incident("i-1")[0]


@pytest.fixture
def post(db: str, clock: TestClock) -> Post:
    return Post(clock)


def test_what_we_owe_is_sent_once_and_marked_with_the_providers_id(post: Post) -> None:
    row = post.run()
    post.run()
    assert (row["status"], row["provider_id"], row["sent_at"]) == ("sent", f"id-{notice().key}", NOON)
    assert post.sender.sent == [(TO, notice())]


def test_the_same_text_cannot_be_owed_twice(post: Post) -> None:
    with database.transaction():
        outbox.owe([(TO, notice())], NOON)
    with database.session():
        assert len(notifications.of_incident("i-1")) == 1


def test_without_a_provider_it_is_simulated(post: Post) -> None:
    post.sender.simulated = True
    assert post.run()["status"] == "simulated"


def test_not_now_means_again_later(post: Post) -> None:
    post.sender.failures = [TryLater("greylisted", retry_after=300)]
    row = post.run()
    assert (row["status"], row["due_at"]) == ("pending", NOON + timedelta(seconds=300))
    assert "greylisted" in row["error"]
    post.clock.forward(seconds=300)
    assert post.run()["status"] == "sent"


def test_it_is_given_up_after_its_attempts(post: Post) -> None:
    post.sender.failures = [TryLater("busy")] * 9
    for _ in range(5):
        post.run()
        post.clock.forward(hours=1)
    row = post.row()
    assert (row["status"], row["attempts"], row["due_at"]) == ("failed", 3, None)
    assert post.sender.sent == []


def test_never_means_never(post: Post) -> None:
    post.sender.failures = [Undeliverable("no such mailbox")]
    row = post.run()
    assert (row["status"], row["error"]) == ("failed", "no such mailbox")


def test_no_sender_for_a_channel_is_said_and_does_not_block(db: str, clock: TestClock) -> None:
    post = Post(clock, sender=RecordingSender("sms"))
    row = post.run()
    assert row["status"] == "failed"
    assert "no sender for the channel email" in row["error"]


def test_what_is_cancelled_just_before_it_is_sent_is_not_sent(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    """Resolving cancels a pending reminder without waiting for its lane, also after a worker has read it."""
    begin = notifications.mark_sending

    def cancelled_meanwhile(row: dict[str, Any], settles_at: datetime) -> bool:
        database.execute("UPDATE notifications SET status = 'cancelled', due_at = NULL")
        return begin(row, settles_at)

    monkeypatch.setattr(notifications, "mark_sending", cancelled_meanwhile)
    assert post.run()["status"] == "cancelled"
    assert post.sender.sent == []


def test_a_reminder_that_comes_back_to_be_sent_after_its_incident_was_resolved_is_not_sent(post: Post) -> None:
    with database.transaction():
        database.execute("UPDATE notifications SET kind = 'reminder'")
    post.sender.failures = [TryLater("busy")]
    assert post.run()["status"] == "pending"
    with database.transaction():
        incidents.resolve("i-1", NOON, "test", NOON)
    post.clock.forward(hours=1)
    assert post.run()["status"] == "cancelled"
    assert post.sender.sent == []


class TestCase16AnUnknownOutcome:
    """A send that may or may not have happened."""

    def test_case_16_it_is_looked_for_and_not_repeated_if_it_arrived(self, post: Post) -> None:
        post.sender.failures, post.sender.arrives_all_the_same = [Uncertain("no answer")], True
        assert post.run()["status"] == "uncertain"
        post.clock.forward(seconds=5)
        assert post.run()["status"] == "sent"
        assert len(post.sender.sent) == 1

    def test_case_16_it_is_sent_again_if_it_did_not_arrive(self, post: Post) -> None:
        post.sender.failures = [Uncertain("no answer")]
        post.run()
        post.clock.forward(seconds=5)
        assert post.run()["status"] == "sent"
        assert len(post.sender.sent) == 1

    def test_case_16_where_nobody_can_look_it_is_repeated_once_and_then_left_to_a_person(self, post: Post) -> None:
        post.sender.failures, post.sender.can_look = [Uncertain("no answer")] * 25, False
        post.sender.arrives_all_the_same = True
        for _ in range(25):
            post.run()
            post.clock.forward(hours=1)
        row = post.row()
        assert (row["status"], row["due_at"], row["repeats"]) == ("uncertain", None, 1)
        assert len(post.sender.sent) == 2

    def test_case_16_what_never_arrives_is_given_up(self, post: Post) -> None:
        post.sender.failures = [Uncertain("no answer")] * 25
        for _ in range(25):
            post.run()
            post.clock.forward(hours=2)
        row = post.row()
        assert (row["status"], row["attempts"]) == ("failed", 3)
        assert "none arrived" in row["error"]

    def test_case_16_a_mistake_of_ours_counts_as_an_unknown_outcome(self, post: Post) -> None:
        post.sender.failures = [KeyError("anywhere")]
        assert post.run()["status"] == "uncertain"

    def test_case_16_a_crash_while_sending_is_looked_into_after_lease_and_deadline(self, post: Post) -> None:
        post.sender.failures = [KeyboardInterrupt()]  # type: ignore[list-item]
        post.sender.arrives_all_the_same = True
        with pytest.raises(KeyboardInterrupt):
            post.run()
        assert post.row()["status"] == "sending"
        post.clock.forward(seconds=6)
        assert post.run()["status"] == "sending"
        post.clock.forward(seconds=60)
        assert post.run()["status"] == "sent"
        assert len(post.sender.sent) == 1

    def test_case_16_a_provider_that_cannot_be_asked_now_is_asked_again(self, post: Post) -> None:
        post.sender.failures = [Uncertain("no answer")]
        found = post.sender.find
        asked: list[object] = []

        def away_once(to: Address, what: Notice) -> Any:
            asked.append(to)
            if len(asked) == 1:
                raise TryLater("away")
            return found(to, what)

        post.sender.find = away_once  # type: ignore[method-assign]
        for _ in range(4):
            post.run()
            post.clock.forward(minutes=10)
        assert post.row()["status"] == "sent"
        assert len(post.sender.sent) == 1


def test_a_sender_that_hangs_beyond_its_deadline_is_an_unknown_outcome(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    released = threading.Event()
    monkeypatch.setattr(outbox, "MARGIN", 0.05)
    post.sender.deadline = 0.05
    post.sender.send = lambda to, what: released.wait(10)  # type: ignore[assignment, method-assign]
    row = post.run()
    released.set()
    assert row["status"] == "uncertain"
    assert "DeadlinePassed" in row["error"]
