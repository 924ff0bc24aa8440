"""The agents' board: one card for each incident, as it stands, and below it what happens."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.errors import Conflict, TryLater, Uncertain, Undeliverable
from bot.model import Address, Caller, Category, Classification, Notice, NoticeKind, Role
from bot.outbox import lane_of
from storage.tables import Notification
from tests.fakes import RecordingSender, TestClock
from tests.house import CLERK, House

BOARD = Address("chat", "agents")
CHAT = Address("chat", "7")
EVA = Caller("eva", Role.AGENT)
ADMIN = Caller("admin", Role.ADMIN)
TWICE = "My card was charged twice"


class Wall(RecordingSender):
    """A chat with a board. `watch` is called with each text just before it is taken."""

    def __init__(self) -> None:
        super().__init__("chat")
        self.watch: Any = lambda notice: None

    def send(self, to: Address, notice: Notice) -> Any:
        self.watch(notice)
        return super().send(to, notice)

    @property
    def cards(self) -> list[Notice]:
        return [notice for to, notice in self.sent if to == BOARD and notice.kind is NoticeKind.CARD]

    @property
    def lines(self) -> list[str]:
        """What stands under the cards: what happened, who did it, and what they said."""
        told = [notice for to, notice in self.sent if to == BOARD and notice.kind is NoticeKind.ENTRY]
        return [" | ".join([each.lead, *dict(each.facts).values(), each.quote]).rstrip(" |") for each in told]


def facts(card: Notice) -> dict[str, str]:
    return dict(card.facts)


def actions(card: Notice) -> list[str]:
    return [action.name for action in card.actions]


def unsure(text: str) -> Classification:
    return Classification(Category.FRAUD_REPORT, 0.55, "", "local")


@pytest.fixture
def wall() -> Wall:
    return Wall()


@pytest.fixture
def house(db: str, clock: TestClock, wall: Wall) -> Iterator[House]:
    house = House(clock, chat=wall, board=BOARD)
    yield house
    house.stop()


@pytest.fixture
def ticket(house: House) -> str:
    return str(house.write(TWICE, "k-1")["ticket_id"])


def test_an_incident_is_shown_with_its_customer_its_category_and_how_sure_that_is(wall: Wall, ticket: str) -> None:
    [card] = wall.cards
    assert card.ticket_id == ticket
    assert card.quote == TWICE
    assert facts(card) == {
        "Status": "open",
        "Priority": "normal",
        "Customer": "C-1042, says shop",
        "Answered by": "Email",
        "Category": "Duplicate payment (95%)",
        "Opened": "2026-11-22 12:00 UTC",
    }
    assert actions(card) == ["assign", "reply", "resolve", "category"]
    assert card.lead == ""
    assert wall.lines == []


def test_every_change_brings_the_card_up_to_date_and_stands_below_it(house: House, wall: Wall, ticket: str) -> None:
    house.commands.assign(ticket, EVA)
    house.work()
    house.commands.reply(ticket, EVA, "We are on it.")
    house.work()
    house.commands.note(ticket, EVA, "She called.")
    house.work()
    house.commands.category(ticket, EVA, "refund_request")
    house.work()
    house.commands.resolve(ticket, EVA, "Refunded.")
    house.work()
    house.commands.reopen(ticket, CLERK)
    house.work()
    assert wall.lines == [
        "Assigned. | eva | eva",
        "We answered the customer: | eva | We are on it.",
        "Note, which the customer does not see: | eva | She called.",
        "The category is now: Refund request | eva",
        "Resolved. | eva | Refunded.",
        "Open again. | clerk",
    ]
    assert len(wall.cards) == 7
    resolved, opened = map(facts, wall.cards[-2:])
    assert (resolved["Status"], resolved["Resolved by"], resolved["Assigned to"]) == ("resolved", "eva", "eva")
    assert actions(wall.cards[-2]) == ["reopen", "category"]
    assert (opened["Status"], "Resolved by" in opened) == ("open", False)


def test_what_the_customer_writes_changes_and_presses_stands_below_the_card(house: House, wall: Wall) -> None:
    first = house.write(TWICE, "k-1")
    house.answer(first["incident_id"], "It was on Monday", "k-2")
    house.edit("shop:k-2", "It was on Tuesday", "k-3", external_id="shop:k-3")
    house.press(first["incident_id"], "solved", "k-4")
    house.press(first["incident_id"], "rate-4", "k-5")
    assert "The customer wrote: | C-1042 | It was on Monday" in wall.lines
    assert "The customer says that it is solved. | C-1042" in wall.lines
    assert "The customer rated our help: 4 | C-1042" in wall.lines
    assert facts(wall.cards[-1])["Status"] == "resolved"


def test_a_deleted_message_is_shown_no_longer(house: House, wall: Wall) -> None:
    house.chats(TWICE, "m-1")
    house.chats("", "m-2", kind="delete", about="m-1")
    assert wall.cards[-1].quote == ""
    assert wall.lines == ["The customer deleted a message. | u-7"]


def test_what_becomes_urgent_by_a_message_says_so(house: House, wall: Wall) -> None:
    first = house.write(TWICE, "k-1")
    house.answer(first["incident_id"], "and now it is stolen", "k-2")
    assert wall.lines[-1] == "The category is now: Fraud report | words"
    assert facts(wall.cards[-1])["Priority"] == "urgent"


def test_of_an_urgent_incident_the_card_tells_and_no_alert_beside_it(house: House, wall: Wall) -> None:
    house.write("My card was stolen", "k-1")
    assert [notice.kind for to, notice in wall.sent if to == BOARD] == [NoticeKind.CARD]
    assert house.mails("alert", to=Address("email", "agents@shop.example"))


def test_what_happens_while_a_card_waits_is_on_it_and_not_on_a_further_one(
    house: House, wall: Wall, ticket: str, clock: TestClock
) -> None:
    wall.failures = [TryLater("busy", retry_after=30)]
    house.commands.assign(ticket, EVA)
    house.work()
    house.commands.note(ticket, EVA, "one")
    house.commands.resolve(ticket, EVA)
    clock.forward(seconds=60)
    house.work()
    assert len(wall.cards) == 2
    assert (facts(wall.cards[-1])["Status"], facts(wall.cards[-1])["Assigned to"]) == ("resolved", "eva")
    assert len(wall.lines) == 3
    assert [notice.kind for to, notice in wall.sent if to == BOARD][1] is NoticeKind.CARD  # before what stands below it


def test_what_changes_while_a_card_is_being_sent_is_on_the_next(house: House, wall: Wall, ticket: str) -> None:
    def meanwhile(notice: Notice) -> None:
        wall.watch = lambda notice: None
        house.commands.resolve(ticket, EVA)

    wall.watch = meanwhile
    house.commands.assign(ticket, EVA)
    house.work()
    assert [facts(card)["Status"] for card in wall.cards] == ["open", "open", "resolved"]


def test_what_changes_between_taking_a_card_up_and_sending_it_is_on_it(house: House, wall: Wall, ticket: str) -> None:
    class Meddler(dict[str, Any]):
        """The senders; the first to ask for one finds that the incident has just been resolved."""

        def get(self, name: str, default: Any = None) -> Any:
            outbox._senders = dict(self)
            house.commands.resolve(ticket, EVA)
            return super().get(name, default)

    outbox = house.firstline.lanes._handlers["out"].__self__  # type: ignore[attr-defined]
    outbox._senders = Meddler(outbox._senders)
    house.commands.assign(ticket, EVA)
    house.firstline.lanes.run(lane_of(BOARD))
    assert [facts(card)["Status"] for card in wall.cards[1:]] == ["resolved"]


def test_a_card_keeps_its_key_when_it_is_rewritten(house: House, wall: Wall, ticket: str, clock: TestClock) -> None:
    wall.failures = [TryLater("busy")]
    house.commands.assign(ticket, EVA)
    house.work()
    house.commands.resolve(ticket, EVA)
    clock.forward(hours=1)
    house.work()
    sent = {row["dedupe"] for row in house.all(Notification) if row["kind"] == "card" and row["status"] == "sent"}
    assert {card.key for card in wall.cards} == sent


def test_many_at_once_leave_the_card_as_the_incident_is(house: House, wall: Wall, ticket: str) -> None:
    def act(number: int) -> None:
        try:
            if number % 3 == 0:
                house.commands.resolve(ticket, EVA)
            elif number % 3 == 1:
                house.commands.reopen(ticket, EVA)
            else:
                house.commands.assign(ticket, Caller(f"agent-{number}", Role.AGENT))
        except Conflict:
            pass

    def work() -> None:
        house.firstline.lanes.run(lane_of(BOARD))

    with ThreadPoolExecutor(6) as pool:
        done = [pool.submit(act, number) for number in range(30)] + [pool.submit(work) for _ in range(10)]
        for each in done:
            each.result()
    house.work()
    [incident] = house.incidents()
    last = facts(wall.cards[-1])
    assert (last["Status"], last.get("Assigned to")) == (incident["status"], incident["assignee"])


def test_what_nobody_is_sure_of_asks_a_person_until_one_has_confirmed_it(db: str, clock: TestClock, wall: Wall) -> None:
    house = House(clock, chat=wall, board=BOARD, classifier=unsure)
    ticket = house.write("hm", "k-1")["ticket_id"]
    assert "confirm or change the category" in wall.cards[0].lead
    assert actions(wall.cards[0]) == ["assign", "reply", "resolve", "category-fraud_report", "category"]
    house.commands.category(ticket, EVA, "fraud_report")
    house.work()
    assert wall.cards[-1].lead == ""
    assert actions(wall.cards[-1]) == ["assign", "reply", "resolve", "category"]
    assert facts(wall.cards[-1])["Category"] == "Fraud report"
    assert wall.lines == ["The category was confirmed: Fraud report | eva"]
    house.stop()


def test_a_note_that_was_written_on_the_board_is_not_repeated_there(house: House, wall: Wall, ticket: str) -> None:
    house.commands.note(ticket, EVA, "written here", "chat")
    house.commands.note(ticket, EVA, "written elsewhere", "slack")
    house.work()
    assert wall.lines == ["Note, which the customer does not see: | eva | written elsewhere"]


def test_agents_see_which_answer_did_not_reach_the_customer(house: House, wall: Wall, ticket: str) -> None:
    house.mail.failures = [Undeliverable("there is no such mailbox")]
    house.commands.reply(ticket, EVA, "We are on it.")
    house.work()
    assert wall.lines[-1] == "This did not reach the customer: reply by email (there is no such mailbox) | Firstline"


def test_agents_see_which_answer_may_not_have_reached_the_customer(
    house: House, wall: Wall, ticket: str, clock: TestClock
) -> None:
    house.mail.can_look = False
    house.mail.failures = [Uncertain("no answer")] * 2
    house.commands.reply(ticket, EVA, "We are on it.")
    for _ in range(4):
        house.work()
        clock.forward(minutes=10)
    assert wall.lines[-1].startswith("Nobody can say whether this reached the customer: reply by email")


def test_a_card_that_cannot_be_put_up_is_tried_at_the_next_change_and_tells_nobody_of_itself(
    house: House, wall: Wall, ticket: str
) -> None:
    wall.failures = [Undeliverable("the bot is not in the channel")]
    house.commands.assign(ticket, EVA)
    house.work()
    assert not any("did not reach" in line for line in wall.lines)
    house.commands.resolve(ticket, EVA)
    house.work()
    assert facts(wall.cards[-1])["Status"] == "resolved"


def test_whoever_is_forgotten_is_forgotten_on_the_card(house: House, wall: Wall, ticket: str) -> None:
    house.firstline.privacy.forget("C-1042", ADMIN)
    house.work()
    assert TWICE not in wall.cards[-1].text
    assert "C-1042" not in wall.cards[-1].text


def test_without_a_board_nothing_is_owed_to_one(db: str, clock: TestClock) -> None:
    house = House(clock)
    house.write(TWICE, "k-1")
    assert {row["kind"] for row in house.all(Notification)} == {"acknowledgement"}
    house.stop()
