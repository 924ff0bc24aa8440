"""What Gemini did not see is shown to it when it is back, unless a person has decided."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.breaker import Breaker
from bot.classify import Guarded
from bot.errors import ClassificationFailed
from bot.model import Address, Caller, Category, Classification, MessageKind, Role
from bot.second_look import MOST_ASKED
from storage.tables import Event, Job
from tests.fakes import RecordingSender, TestClock
from tests.house import CLERK, House
from tests.postgres import ON_SQLITE

pytestmark = pytest.mark.usefixtures("db")
BUDGET = 0.1
BOARD = Address("chat", "agents")


class Model:
    """A model outside. While it is down, some calls hang, and the others fail at once."""

    def __init__(self) -> None:
        self.up = False
        self.says = Classification(Category.STATEMENT_ERROR, 0.97, "a wrong amount", "gemini:test")
        self.asked: list[str] = []
        self._returned = threading.Event()

    def __call__(self, text: str) -> Classification:
        self.asked.append(text)
        if not self.up and len(self.asked) % 4 == 1:
            self._returned.wait(20)
        if not self.up:
            raise ClassificationFailed("it is away")
        return self.says

    def end(self) -> None:
        self._returned.set()


@pytest.fixture
def model() -> Iterator[Model]:
    model = Model()
    yield model
    model.end()


@pytest.fixture
def house(clock: TestClock, model: Model) -> Iterator[House]:
    breaker = Breaker("classifier", clock=lambda: clock.now.timestamp())
    house = House(clock, better=[Guarded(model, breaker, BUDGET)], chat=RecordingSender("chat"), board=BOARD)
    yield house
    house.stop()


def jobs(house: House) -> list[dict[str, Any]]:
    return [job for job in house.all(Job) if job["kind"] == "reclassify"]


def minutes_pass(house: House, number: int) -> None:
    for _ in range(number):
        house.clock.forward(minutes=1)
        house.work()


def test_an_incident_that_the_model_did_not_see_is_shown_to_it_later(house: House, model: Model) -> None:
    incident_id = house.write("refund my money")["incident_id"]
    assert house.incident(incident_id)["classified_by"] == "words"
    model.up = True
    minutes_pass(house, 3)
    after = house.incident(incident_id)
    assert (after["classification"], after["confidence"], after["reason"], after["classified_by"]) == (
        "statement_error",
        0.97,
        "a wrong amount",
        "gemini:test",
    )
    (event,) = [event for event in house.all(Event) if event["name"] == "category"]
    assert (event["actor"], event["before"], event["after"]) == ("gemini:test", "refund_request", "statement_error")
    assert [job["state"] for job in jobs(house)] == ["done"]
    assert len(house.mails("acknowledgement")) == 1  # the customer is not told again
    card = [notice for _, notice in house.chat.sent if notice.kind == "card"][-1]
    assert any("statement" in value.lower() for _, value in card.facts)


def test_what_the_model_has_seen_is_not_shown_to_it_again(house: House, model: Model) -> None:
    model.up = True
    house.write("refund my money")
    assert jobs(house) == []


def test_agents_are_told_of_one_that_turns_out_to_be_urgent(house: House, model: Model) -> None:
    house.write("refund my money")
    model.up, model.says = True, Classification(Category.FRAUD_REPORT, 0.97, "a thief", "gemini:test")
    minutes_pass(house, 3)
    assert sorted(row["channel"] for row in house.owed("alert")) == ["chat", "email"]


def test_a_later_message_that_made_it_urgent_is_not_overruled(house: House, model: Model) -> None:
    incident_id = house.write("refund my money")["incident_id"]
    house.answer(incident_id, "my card was stolen")
    model.up = True
    minutes_pass(house, 3)
    assert house.incident(incident_id)["classification"] == "fraud_report"
    assert [job["state"] for job in jobs(house)] == ["done"]


def test_an_erased_text_is_not_shown_to_anybody(house: House, model: Model) -> None:
    incident_id = house.write("refund my money")["incident_id"]
    house.firstline.privacy.forget("C-1042", Caller("root", Role.ADMIN))
    model.up, before = True, len(model.asked)
    minutes_pass(house, 20)
    assert len(model.asked) == before
    assert house.incident(incident_id)["reason"] == "(forgotten)"


def test_an_edit_while_the_model_reads_has_it_read_again(house: House, model: Model) -> None:
    incident_id = house.write("refund my money", "m-1")["incident_id"]
    texts: list[str] = []

    def while_it_reads(text: str) -> Classification:
        texts.append(text)
        if len(texts) == 1:
            house.firstline.lanes.run("in/web/m-2")
        return model.says

    house.better = [while_it_reads]
    house.die()
    house.accept("refund all my money", "m-2", about="m-1", kind=MessageKind.EDIT, lane="web/m-2")
    house.clock.forward(minutes=2)
    house.firstline.lanes.run(f"job/reclassify/{incident_id}")
    assert texts == ["refund my money", "refund all my money", "refund all my money"]  # the second: of the edit itself
    assert house.incident(incident_id)["classified_by"] == "gemini:test"


def test_a_text_that_the_model_always_refuses_is_left_to_the_local_model(house: House, model: Model) -> None:
    incident_id = house.write("refund my money")["incident_id"]

    def refuses(text: str) -> Classification:
        model.asked.append(text)
        raise ClassificationFailed("the message was blocked")

    model.asked.clear()
    house.better = [refuses]
    house.die()
    minutes_pass(house, 300)
    assert len(model.asked) == MOST_ASKED
    assert [(job["state"], job["error"]) for job in jobs(house)] == [("done", None)]
    assert house.incident(incident_id)["classified_by"] == "words"


@ON_SQLITE
@pytest.mark.parametrize("a_minute", [1, pytest.param(8, marks=pytest.mark.soak)])
def test_an_hour_without_the_model_under_load(house: House, model: Model, a_minute: int) -> None:
    """Nobody waits longer than the budget, all are classified again, what agents decided stays."""
    waits: list[float] = []
    ladder = house.firstline.lanes  # built now, so that its classifier can be timed
    pipeline: Any = ladder._handlers["in"].__self__
    inner = pipeline.classifier

    def timed(text: str) -> Classification:
        began = time.monotonic()
        try:
            answer: Classification = inner(text)
            return answer
        finally:
            waits.append(time.monotonic() - began)

    object.__setattr__(pipeline, "classifier", timed)
    reviewed: dict[str, str] = {}
    replied: list[str] = []
    with ThreadPoolExecutor(8) as workers:
        for minute in range(60):
            for number in range(a_minute):
                name = f"c-{minute}-{number}"
                house.accept("refund my money", name, addresses=(Address("email", f"{name}@example.com"),))
            list(workers.map(house.firstline.lanes.run, house.due()))
            house.work()
            if minute % 10 == 5:
                first, second, *_ = [row for row in house.incidents() if row["touched_at"] is None]
                house.commands.category(first["id"], CLERK, "account_locked")
                reviewed[first["id"]] = "account_locked"
                house.commands.reply(second["id"], CLERK, "We are looking into it.")
                replied.append(second["id"])
            house.clock.forward(minutes=1)
    assert len(waits) == 60 * a_minute
    assert max(waits) < BUDGET + 5  # a hung call would have taken 20 s; the machine may be busy
    assert len(model.asked) < 150  # after five failures it is left alone, but for a probe every 30 s
    assert max(job["attempts"] for job in jobs(house)) < MOST_ASKED
    told = len(house.mail.sent)

    model.up = True
    minutes_pass(house, 15)
    rows = {row["id"]: row for row in house.incidents()}
    assert len(rows) == 60 * a_minute
    for incident_id, row in rows.items():
        if incident_id in reviewed:
            assert (row["classification"], row["reviewed_by"]) == (reviewed[incident_id], CLERK.name)
        elif incident_id in replied:
            assert (row["classification"], row["classified_by"]) == ("refund_request", "words")
        else:
            assert (row["classification"], row["classified_by"]) == ("statement_error", "gemini:test")
    assert {job["state"] for job in jobs(house)} == {"done"}
    assert len(house.mail.sent) == told  # no customer was told anything by it
