"""What every channel promises, asked of each in the same words (tests/contract.py): nothing is acknowledged before it
is committed, one message is one, and of each text that is sent we know what became of it, or say that we do not."""

import logging
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot import telemetry
from bot.errors import CannotTell, DeliveryFailed, TryLater, Uncertain, Undeliverable
from bot.ids import new_id
from bot.model import InboundMessage, MessageKind, Notice, NoticeKind, Sent
from storage.tables import InboxMessage
from tests.contract import SECONDS, Ground, Posted, Rig, Written
from tests.door import Door
from tests.email_rig import EmailByHttp, EmailBySmtp
from tests.fakes import NOON, TestClock
from tests.house import House
from tests.slack_house import backend, core_of, impatient, locked
from tests.slack_rig import SlackByHttp, SlackBySocket
from tests.telegram_rig import TelegramByPolling, TelegramByWebhook
from tests.twilio_rig import Sms, WhatsApp

__all__ = ["backend", "impatient"]

RIGS: dict[str, Any] = {
    "slack": SlackByHttp,
    "telegram": TelegramByWebhook,
    "email": EmailByHttp,
    "sms": Sms,
    "whatsapp": WhatsApp,
}
"""Every channel."""

WAYS = {
    **RIGS,
    "slack by socket": SlackBySocket,
    "telegram by polling": TelegramByPolling,
    "email by smtp": EmailBySmtp,
}
"""The same, in each way in which it can be told of things."""

ONE_WAY = pytest.mark.parametrize("way", RIGS.values(), ids=RIGS, indirect=True)
"""For a question whose answer does not depend on how the channel is told of things."""


def telling_of(what: str, rigs: Mapping[str, Any] = RIGS) -> pytest.MarkDecorator:
    """For a question about something of which not every platform tells."""
    telling = {name: rig for name, rig in rigs.items() if what in rig.tells_of}
    return pytest.mark.parametrize("way", telling.values(), ids=telling, indirect=True)


WROTE = "My card was charged twice"
SOON, LATER = NOON + timedelta(minutes=1), NOON + timedelta(minutes=2)

HOSTILE = {
    "mentions": "<!channel> <!here|x> <@U1> <#C1> @channel @everyone @ana",
    "links": "<https://evil.example|your bank> [your bank](https://evil.example) <tg://user?id=1>",
    "tags": '<b>bold</b> <a href="https://evil.example">bank</a> <script>alert(1)</script>',
    "characters with a meaning": "a & b &amp; c &lt;b&gt; d < e > f \\ \" ' ` | ~ ^",
    "marks of emphasis": "*bold* _leaning_ ~struck~ `code` ```block``` > quote # head - list",
    "emoji": "👩‍👩‍👧 🇪🇸 💳 :eyes:",
    "right to left": "بطاقتي خُصمت مرتين and العربية",
}
LONG = {
    "very long": "x" * 40_000,
    "very long, of what has to be escaped": "&<>" * 13_333,
    "very long, outside the first plane": "😀" * 20_000,
    "very long, of lines": "a\n" * 20_000,
}


@pytest.fixture(params=RIGS.values(), ids=RIGS)
def rig(request: pytest.FixtureRequest, door: Door, db: str) -> Iterator[Rig]:
    """A channel, with which a test sends."""
    with request.param(Ground(door)) as rig:
        yield rig


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def hasty(request: pytest.FixtureRequest, door: Door, impatient: None, db: str) -> Iterator[Rig]:
    """A channel that does not wait for long."""
    with request.param(Ground(door, hasty=True)) as rig:
        yield rig


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest, door: Door, impatient: None, db: str) -> Iterator[Rig]:
    """A channel, which a test tells of things."""
    with request.param(Ground(door)) as rig:
        yield rig


class Street:
    """A channel in use: what is delivered reaches the core."""

    def __init__(self, rig: Rig, house: House) -> None:
        self.rig = rig
        self.house = house

    def take(self, written: Written) -> None:
        """Have it delivered, and all be done that comes of it."""
        assert self.rig.deliver(written)
        self.house.settle()

    def opens(self, text: str = WROTE, who: str = "ana") -> Written:
        """Have a customer's message open an incident."""
        written = self.rig.write(text, NOON, who)
        self.take(written)
        return written

    def messages(self) -> list[InboundMessage]:
        return [InboundMessage.from_json(row["payload"]) for row in self.house.all(InboxMessage)]

    def only(self) -> dict[str, Any]:
        (incident,) = self.house.incidents()
        return incident

    def answers(self) -> list[Posted]:
        return self.rig.posted()


def house_with(rig: Rig, clock: TestClock) -> House:
    channel: Any = rig.channel
    return House(clock, mail=channel) if channel.name == "email" else House(clock, chat=channel)


@pytest.fixture
def house(way: Rig, clock: TestClock) -> Iterator[House]:
    house = house_with(way, clock)
    yield house
    house.stop()


@pytest.fixture
def street(way: Rig, house: House) -> Iterator[Street]:
    with way.listening(core_of(house)):
        yield Street(way, house)


# --- in: committed, then acknowledged


def a_message(street: Street) -> Written:
    return street.rig.write(WROTE, NOON)


def an_edit(street: Street) -> Written:
    return street.rig.edit(street.opens(), "My card was charged three times", SOON)


def a_deletion(street: Street) -> Written:
    return street.rig.delete(street.opens(), SOON)


def a_button(street: Street) -> Written:
    street.opens()
    return street.rig.press("solved", street.answers()[-1], street.only()["id"], SOON)


DEEDS = {a_message: None, an_edit: "edits", a_deletion: "deletions", a_button: "buttons"}
"""What can be told of, and what a platform calls it that does not tell of everything."""

EACH_DEED = pytest.mark.parametrize(
    ("way", "deed"),
    [
        pytest.param(rig, deed, id=f"{deed.__name__}, {name}")
        for name, rig in WAYS.items()
        for deed, what in DEEDS.items()
        if what is None or what in rig.tells_of
    ],
    indirect=["way"],
)


@EACH_DEED
def test_what_is_not_committed_is_not_acknowledged_and_taken_when_it_is_delivered_again(
    street: Street, tmp_path: Path, deed: Callable[[Street], Written]
) -> None:
    written = deed(street)
    before = len(street.messages())
    with locked(tmp_path):
        assert not street.rig.deliver(written, patience=1)
    street.take(written)
    assert len(street.messages()) == before + 1


@EACH_DEED
def test_what_is_delivered_again_is_acknowledged_and_taken_once(
    street: Street, deed: Callable[[Street], Written]
) -> None:
    written = deed(street)
    street.take(written)
    stored, said = street.messages(), len(street.answers())
    for _ in range(2):
        assert street.rig.deliver(written)
    street.house.work()
    assert street.messages() == stored
    assert len(street.answers()) == said


def test_whoever_stops_listening_can_begin_again(way: Rig, house: House) -> None:
    with way.listening(core_of(house)):
        written = Street(way, house).opens()
    with way.listening(core_of(house)):
        street = Street(way, house)
        street.take(way.write("It was on Monday", SOON, under=written))
    assert house.said(street.only()["id"]) == [WROTE, "It was on Monday"]


# --- in: what becomes of it


def test_a_message_has_an_id_a_lane_an_address_and_the_platforms_time(street: Street) -> None:
    written = street.opens()
    (message,) = street.messages()
    assert message.kind is MessageKind.NEW
    assert message.text == WROTE
    assert message.external_id
    assert message.channel == message.answer_on == written.address.channel
    assert message.addresses == (written.address,)
    assert message.lane.startswith(f"{message.channel}/")
    assert message.written_at is not None
    assert message.written_at.replace(microsecond=0) == NOON
    assert message.customer_id
    assert (message.reporter, message.proven) == ("", ())


@ONE_WAY
def test_people_and_their_conversations_are_told_apart(street: Street) -> None:
    first = street.opens()
    street.opens("My account is locked", "bea")
    street.take(street.rig.write("It was on Monday", SOON, under=first))
    ana, bea, again = street.messages()
    assert (ana.customer_id, ana.lane) == (again.customer_id, again.lane)
    assert ana.customer_id != bea.customer_id
    assert ana.lane != bea.lane
    assert len({ana.external_id, bea.external_id, again.external_id}) == 3
    assert [incident["message"] for incident in street.house.incidents()] == [WROTE, "My account is locked"]


@telling_of("edits")
def test_an_edit_is_another_text_of_the_same_message(street: Street) -> None:
    written = street.opens()
    said = len(street.answers())
    street.take(street.rig.edit(written, "My card was charged three times", SOON))
    _, edit = street.messages()
    assert (edit.kind, edit.about) == (MessageKind.EDIT, street.messages()[0].external_id)
    assert street.only()["message"] == "My card was charged three times"
    assert street.house.events(street.only()["id"]).count("edited") == 1
    assert len(street.answers()) == said


@telling_of("edits")
def test_a_second_edit_is_another_revision(street: Street) -> None:
    written = street.opens()
    street.take(street.rig.edit(written, "My card was charged three times", SOON))
    street.take(street.rig.edit(written, "My card was charged four times", LATER))
    assert street.only()["message"] == "My card was charged four times"
    assert street.house.events(street.only()["id"]).count("edited") == 2


@telling_of("edits")
def test_an_edit_of_what_was_never_seen_is_a_message(street: Street) -> None:
    unseen = street.rig.write(WROTE, NOON)
    street.take(street.rig.edit(unseen, "My card was charged three times", SOON))
    assert street.only()["message"] == "My card was charged three times"
    assert [posted.address for posted in street.answers()] == [unseen.address]


@telling_of("deletions")
def test_a_deleted_message_is_hidden_and_its_incident_stays(street: Street) -> None:
    street.take(a_deletion(street))
    assert street.messages()[-1].kind is MessageKind.DELETE
    assert (street.only()["message"], street.only()["status"]) == ("", "open")
    assert len(street.answers()) == 1


@telling_of("buttons", WAYS)
def test_a_button_does_what_it_says(street: Street) -> None:
    street.take(a_button(street))
    assert (street.messages()[-1].kind, street.only()["status"]) == (MessageKind.ACTION, "resolved")


@pytest.mark.parametrize("ours", [True, False], ids=["ours", "another's"])
def test_what_a_bot_writes_is_acknowledged_and_not_answered(street: Street, ours: bool) -> None:
    street.take(street.rig.write_as_bot(WROTE, NOON, ours))
    assert len(street.messages()) == street.rig.keeps_machines
    assert [incident["message"] for incident in street.house.incidents()] == [WROTE] * street.rig.keeps_machines
    assert street.answers() == []
    assert street.house.owed("acknowledgement") == []


@ONE_WAY
def test_the_answer_stands_where_the_question_does_and_names_the_ticket(street: Street) -> None:
    for written, incident in zip([street.opens(), street.opens("My account is locked", "bea")], [0, 1], strict=True):
        answer = street.answers()[incident]
        assert answer.address == written.address
        assert street.house.incidents()[incident]["ticket_id"] in answer.text


@ONE_WAY
def test_a_customers_text_is_stored_as_it_was_meant_and_does_nothing_in_the_answer(street: Street) -> None:
    text = "\n".join(["I was charged twice:", *HOSTILE.values()])
    street.opens(text)
    assert street.only()["message"] == text
    (answer,) = street.answers()
    assert list(answer.marks) == []


# --- out: what is sent


def notice(**changes: Any) -> Notice:
    incident_id = new_id()
    parts = Notice(
        key=f"{incident_id}.added.0a1b2c3d",
        kind=NoticeKind.ADDED,
        incident_id=incident_id,
        ticket_id="TKT-98042a72",
        subject="[TKT-98042a72] A subject",
        greeting="Thank you.",
        lead="We have added this to ticket TKT-98042a72.",
        facts=(("Status", "open"),),
        quote="the customer's own words",
        closing="Write here if there is more.",
    )
    return replace(parts, **changes)


def send(rig: Rig, written: Notice) -> Sent | DeliveryFailed:
    try:
        return rig.channel.send(rig.where, written)
    except DeliveryFailed as exc:
        return exc


UNKNOWN = "nobody can say"


def look(rig: Rig, written: Notice) -> Sent | str | None:
    """Look whether it arrived. Who cannot say may have it repeated once, or as often as the rig says."""
    try:
        return rig.channel.find(rig.where, written)
    except CannotTell as exc:
        return UNKNOWN if exc.repeats <= rig.repeats else str(exc)


def test_a_text_is_sent_once_and_known_by_the_platforms_name_for_it(rig: Rig) -> None:
    sent = send(rig, notice())
    (posted,) = rig.posted()
    assert (sent, posted.address) == (Sent(posted.name), rig.where)
    assert "TKT-98042a72" in posted.text


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_text_arrives_as_it_is_and_nothing_in_it_is_a_mention_or_a_link(rig: Rig, text: str) -> None:
    for part in ("greeting", "lead", "closing"):
        assert isinstance(send(rig, notice(**{part: text})), Sent)
        posted = rig.posted()[-1]
        assert text in posted.text
        assert list(posted.marks) == []


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("part", ["greeting", "lead", "quote", "closing", "facts"])
def test_a_text_that_is_too_long_is_shortened_and_arrives(rig: Rig, part: str, text: str) -> None:
    sent = send(rig, notice(**{part: (("Note", text),) if part == "facts" else text}))
    assert isinstance(sent, Sent), sent
    assert {tuple(posted.marks) for posted in rig.posted()} == {()}  # of one part, or several


def test_a_platform_that_is_busy_gets_as_much_patience_as_it_asks_for(rig: Rig) -> None:
    rig.be_busy(17)
    failure = send(rig, notice())
    assert isinstance(failure, TryLater)
    assert failure.retry_after == (17 if rig.asks_for_patience else None)
    assert rig.posted() == []


def test_what_is_refused_for_good_is_undeliverable(rig: Rig) -> None:
    rig.refuse()
    assert isinstance(send(rig, notice()), Undeliverable)
    assert rig.posted() == []


def test_what_is_no_address_of_the_channel_is_undeliverable(rig: Rig) -> None:
    with pytest.raises(Undeliverable):
        rig.channel.send(replace(rig.where, key="no address at all"), notice())


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is lost"])
def test_after_a_broken_connection_nobody_knows_until_they_look(rig: Rig, arrives: bool) -> None:
    rig.hang_up(arrives)
    is_looked_for(rig, arrives)


@pytest.mark.parametrize("arrives", [True, False], ids=["arrives", "is lost"])
def test_the_deadline_holds_and_after_it_nobody_knows_until_they_look(hasty: Rig, arrives: bool) -> None:
    hasty.fall_silent(arrives)
    began = time.monotonic()
    is_looked_for(hasty, arrives)
    assert hasty.channel.deadline == SECONDS
    assert time.monotonic() - began < 15


def is_looked_for(rig: Rig, arrives: bool) -> None:
    written = notice()
    assert isinstance(send(rig, written), Uncertain)
    posted = rig.posted()
    assert len(posted) == arrives
    assert look(rig, written) in (UNKNOWN, Sent(posted[0].name) if arrives else None)


def test_among_other_texts_that_one_is_found_which_is_looked_for(rig: Rig) -> None:
    written, other = notice(), notice()
    sent = send(rig, written)
    send(rig, other)
    assert look(rig, written) in (UNKNOWN, sent)
    assert look(rig, notice()) in (UNKNOWN, None)


@ONE_WAY
def test_a_text_whose_outcome_was_unknown_arrives_at_most_twice_and_once_if_that_can_be_known(
    street: Street, house: House
) -> None:
    street.rig.hang_up(arrives=True)
    street.opens()
    house.later(seconds=6)
    house.later(minutes=10)
    (owed,) = house.owed("acknowledgement")
    assert owed["status"] == "sent"
    assert len(street.answers()) == (1 if owed["repeats"] == 0 else 2)


def test_it_may_be_closed_twice(rig: Rig) -> None:
    send(rig, notice())
    rig.channel.close()
    rig.channel.close()


# --- secrets


@contextmanager
def everything_that_is_said(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> Iterator[list[str]]:
    """All that is printed or logged while entered, by us or by a library, once it is left."""
    said: list[str] = []
    telemetry.set_up("DEBUG", "json")
    with caplog.at_level(logging.DEBUG):
        yield said
    printed = capsys.readouterr()
    said += [printed.out, printed.err, caplog.text]


def test_no_secret_and_no_text_is_in_any_log_line_or_exception(
    hasty: Rig,
    clock: TestClock,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    house = house_with(hasty, clock)
    ways = [
        lambda: None,
        lambda: hasty.be_busy(1),
        hasty.refuse,
        lambda: hasty.hang_up(arrives=True),
        lambda: hasty.fall_silent(arrives=False),
    ]
    with everything_that_is_said(capsys, caplog) as said:
        with hasty.listening(core_of(house)):
            street = Street(hasty, house)
            street.opens("Marmalade was charged twice")
            with locked(tmp_path):
                hasty.deliver(hasty.write("Marmalade is lost", SOON), patience=1)
        for misbehave in ways:
            misbehave()
            failure = send(hasty, notice(lead="Marmalade is on its way"))
            if isinstance(failure, DeliveryFailed):
                said += traceback.format_exception(failure)
    house.stop()
    assert "message.accepted" in "".join(said)
    for secret in (*hasty.secrets, "Marmalade"):
        assert secret not in "".join(said)
