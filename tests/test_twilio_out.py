"""SMS and WhatsApp out: what Twilio says about a text, at once and later, and what comes of it."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.twilio import keys
from adapters.twilio.channel import TwilioChannel, channels
from bot.errors import Blocked, DeliveryFailed, Elsewhere, TryLater, Uncertain, Undeliverable
from bot.model import Address, Notice, NoticeKind, Sent
from bot.originals import Originals
from bot.sealing import Seal
from bot.state import State
from storage import database, incidents
from storage.tables import Notification, Unreachable
from tests.door import Door
from tests.fakes import NOON, TestClock
from tests.house import CLERK, House
from tests.slack_house import backend
from tests.test_twilio_text import TICKET, notice
from tests.twilio_api import ANA, BEA, HX, SHOP, SHOP_WHATSAPP, TOKEN, TwilioApi
from tests.twilio_house import CHANNELS, Phones, configured, on_the_phone

__all__ = ["backend"]

WROTE = "My card was charged twice"
MAIL = Address("email", "ana@example.com")


@pytest.fixture
def api() -> Iterator[TwilioApi]:
    with TwilioApi() as api:
        yield api


@pytest.fixture
def sms(api: TwilioApi, db: str, clock: TestClock) -> Iterator[TwilioChannel]:
    channel = TwilioChannel("sms", configured(api), State(), "https://shop.example", clock)
    api.clock = clock
    yield channel
    channel.close()


@pytest.fixture
def whatsapp(api: TwilioApi, db: str, clock: TestClock) -> Iterator[TwilioChannel]:
    settings = configured(api, twilio_templates=f"reminder={HX}")
    channel = TwilioChannel("whatsapp", settings, State(), "https://shop.example", clock)
    api.clock = clock
    yield channel
    channel.close()


def send(channel: TwilioChannel, written: Notice, number: str = ANA) -> Sent | DeliveryFailed:
    try:
        return channel.send(Address(channel.name, number), written)
    except DeliveryFailed as exc:
        return exc


# --- what is sent


def test_an_sms_goes_from_our_number_and_twilio_is_told_where_to_report(sms: TwilioChannel, api: TwilioApi) -> None:
    assert isinstance(send(sms, notice()), Sent)
    (sent,) = api.sent
    assert (sent.to, sent.sender) == (ANA, SHOP)
    assert sent.body == f"Thank you. We have added this to ticket {TICKET}."
    about = keys.digest("i-1.added.sms-1")
    assert sent.callback == f"https://shop.example/twilio/sms/status?incident=i-1&text={about}"


def test_an_sms_may_go_from_a_messaging_service(api: TwilioApi, db: str, clock: TestClock) -> None:
    service = "MG" + "a" * 32
    channel = TwilioChannel("sms", configured(api, twilio_sms_from=service), State(), None, clock)
    assert isinstance(send(channel, notice()), Sent)
    channel.close()
    assert (api.sent[0].sender, api.sent[0].callback) == (service, "")


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 21211, Undeliverable),
        (400, 21614, Undeliverable),
        (400, 21610, Blocked),
        (400, 63003, Blocked),
        (400, 99999, Undeliverable),
        (404, 20404, Undeliverable),
        (429, 20429, TryLater),
        (400, 63018, TryLater),
        (401, 20003, TryLater),
        (403, 20003, TryLater),
        (500, 0, TryLater),
        (503, 20503, TryLater),
        (307, 0, TryLater),
    ],
)
def test_what_twilio_answers_is_taken_for_what_it_means(
    sms: TwilioChannel, api: TwilioApi, status: int, code: int, kind: type[DeliveryFailed]
) -> None:
    api.refuse(status, code, Location=f"{api.url}/elsewhere")
    failure = send(sms, notice())
    assert type(failure) in (kind, *kind.__subclasses__())
    assert "Marmalade" not in str(failure)
    assert api.sent == []
    assert [path for _, path in api.asked if "elsewhere" in path] == []


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"sid": 7}', b"{}", b'{"sid": "' + b"x" * 600_000 + b'"}', b"[" * 100_000],
    ids=["nothing", "a page", "a list", "a number", "no name", "endless", "deep"],
)
def test_an_answer_that_says_yes_and_no_name_is_looked_into(sms: TwilioChannel, api: TwilioApi, body: bytes) -> None:
    api.answer_with(201, body)
    assert isinstance(send(sms, notice()), Uncertain)


def test_what_reaches_nobody_is_tried_later(api: TwilioApi, db: str, clock: TestClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    channel = TwilioChannel("sms", configured(api, twilio_api_url=f"http://127.0.0.1:{port}"), State(), None, clock)
    failure = send(channel, notice())
    channel.close()
    assert isinstance(failure, TryLater)
    assert str(port) not in str(failure)
    assert channel.find(Address("sms", "+14155552679"), notice(key="i-2.added.sms-1")) is None  # nothing was begun


def test_of_two_equal_texts_that_one_is_found_which_no_other_is(sms: TwilioChannel, api: TwilioApi) -> None:
    to, first, second = Address("sms", ANA), notice(), notice(key="i-1.added.sms-2")
    sent = send(sms, first)
    api.drop(takes=True)
    assert isinstance(send(sms, second), Uncertain)
    assert sms.find(to, second) == Sent(api.sent[1].sid)
    assert sms.find(to, first) == sent


def test_an_equal_text_of_before_is_not_taken_for_the_one_that_got_lost(
    sms: TwilioChannel, api: TwilioApi, clock: TestClock
) -> None:
    written = notice()
    send(sms, written)
    State().drop(keys.text(written.key))
    clock.forward(minutes=5)
    api.drop(takes=False)
    assert isinstance(send(sms, written), Uncertain)
    assert sms.find(Address("sms", ANA), written) is None


def test_what_a_trial_account_writes_before_a_text_hides_it_from_nobody(sms: TwilioChannel, api: TwilioApi) -> None:
    api.drop(takes=True)
    send(sms, notice())
    api.sent[0].body = f"Sent from your Twilio trial account - {api.sent[0].body}"
    assert sms.find(Address("sms", ANA), notice()) == Sent(api.sent[0].sid)


def test_a_look_that_fails_is_repeated_and_nothing_is_sent_meanwhile(sms: TwilioChannel, api: TwilioApi) -> None:
    api.drop(takes=True)
    send(sms, notice())
    api.__exit__()
    with pytest.raises(TryLater):
        sms.find(Address("sms", ANA), notice())
    api._server.server_close()


def test_what_is_kept_about_numbers_names_none_and_is_dropped_when_it_is_old(
    sms: TwilioChannel, api: TwilioApi, clock: TestClock
) -> None:
    send(sms, notice(kind=NoticeKind.REPLY))
    state = State()
    kept = state.all("twilio/")
    assert len(kept) == 2
    assert ANA[1:] not in str(kept)
    keys.tidy(state, clock.now)
    assert state.all("twilio/") == kept
    state.put(keys.stopped(Address("sms", ANA)), clock.now.isoformat())
    clock.forward(days=15)
    keys.tidy(state, clock.now)
    assert list(state.all("twilio/")) == [keys.stopped(Address("sms", ANA))]


# --- WhatsApp and its 24 hours


def heard(clock: TestClock) -> None:
    State().put(keys.heard(Address("whatsapp", ANA)), clock.now.isoformat())


def test_within_a_day_of_their_last_message_customers_are_written_to_freely(
    whatsapp: TwilioChannel, api: TwilioApi, clock: TestClock
) -> None:
    heard(clock)
    clock.forward(hours=23, minutes=58)
    assert isinstance(send(whatsapp, notice()), Sent)
    assert (api.sent[0].to, api.sent[0].sender) == (f"whatsapp:{ANA}", f"whatsapp:{SHOP_WHATSAPP}")
    assert (api.sent[0].template, api.sent[0].body) == ("", f"Thank you.\n\nWe have added this to ticket {TICKET}.")


@pytest.mark.parametrize("hours", [None, 24, 1000])
def test_later_or_never_heard_of_they_get_the_template_for_that_kind(
    whatsapp: TwilioChannel, api: TwilioApi, clock: TestClock, hours: int | None
) -> None:
    if hours is not None:
        heard(clock)
        clock.forward(hours=hours)
    assert isinstance(send(whatsapp, notice(kind=NoticeKind.REMINDER)), Sent)
    (sent,) = api.sent
    assert sent.template == HX
    assert sent.variables == {"1": TICKET, "2": f"Thank you. We have added this to ticket {TICKET}."}


def test_without_a_template_the_text_goes_elsewhere_and_the_address_takes_others(
    whatsapp: TwilioChannel, api: TwilioApi
) -> None:
    failure = send(whatsapp, notice())
    assert isinstance(failure, Elsewhere)
    assert not isinstance(failure, Blocked)
    assert api.sent == []
    assert isinstance(send(whatsapp, notice(key="i-2.r.w", kind=NoticeKind.REMINDER)), Sent)


def test_where_whatsapp_knows_better_that_it_is_too_late_the_template_goes_out_at_once(
    whatsapp: TwilioChannel, api: TwilioApi, clock: TestClock
) -> None:
    heard(clock)
    api.windows.add(ANA)
    assert isinstance(send(whatsapp, notice(kind=NoticeKind.REMINDER)), Sent)
    assert [one.template for one in api.sent] == [HX]
    assert isinstance(send(whatsapp, notice(key="i-2.a.w")), Elsewhere)


def test_a_template_that_is_refused_sends_the_text_elsewhere(whatsapp: TwilioChannel, api: TwilioApi) -> None:
    api.refuse(400, 21656)
    failure = send(whatsapp, notice(kind=NoticeKind.REMINDER))
    assert isinstance(failure, Elsewhere)
    assert "{{2}} (21656)" in str(failure)


def test_a_template_is_found_again_by_the_ticket_in_it(whatsapp: TwilioChannel, api: TwilioApi) -> None:
    written, to = notice(kind=NoticeKind.REMINDER), Address("whatsapp", ANA)
    api.drop(takes=True)
    assert isinstance(send(whatsapp, written), Uncertain)
    assert whatsapp.find(to, replace(written)) == Sent(api.sent[0].sid)


# --- with the core behind it: what became of a text


@pytest.fixture(params=CHANNELS)
def phones(request: pytest.FixtureRequest, api: TwilioApi, clock: TestClock, door: Door, db: str) -> Iterator[Phones]:
    with on_the_phone(request.param, api, clock, door) as phones:
        yield phones


def row(phones: Phones, kind: str = "acknowledgement") -> dict[str, Any]:
    return next(one for one in phones.house.all(Notification) if one["kind"] == kind and one["channel"] == phones.name)


def test_what_twilio_tells_of_a_text_is_noted_however_often_and_in_whatever_order(phones: Phones) -> None:
    phones.say(WROTE)
    (ack,) = phones.api.sent
    seen = []
    for status in ("queued", "sent", "queued", "delivered", "sent", "sending", "read", "delivered", "read"):
        phones.became(ack, status)
        seen.append(row(phones)["delivery"])
    assert seen == ["queued", "sent", "sent", *["delivered"] * 3, *["read"] * 3]
    assert (row(phones)["status"], phones.stored()) == ("sent", 1)


@pytest.mark.parametrize("status", ["undelivered", "failed"])
def test_what_did_not_arrive_is_a_failed_text_that_agents_see(phones: Phones, status: str) -> None:
    phones.say(WROTE)
    for _ in range(2):
        phones.became(phones.api.sent[0], status, 30008)
        phones.became(phones.api.sent[0], "sent")
    shown = row(phones)
    assert (shown["status"], shown["delivery"]) == ("failed", status)
    assert shown["error"] == "it came back: the carrier did not say why (30008)"
    assert phones.house.all(Unreachable) == []


def test_what_was_delivered_did_not_fail(phones: Phones) -> None:
    phones.say(WROTE)
    phones.became(phones.api.sent[0], "delivered")
    phones.became(phones.api.sent[0], "failed", 30008)
    assert (row(phones)["status"], row(phones)["delivery"]) == ("sent", "delivered")


@pytest.mark.parametrize(
    ("code", "marked"), [(30003, False), (30005, True), (30006, True), (21610, True), (30007, False)]
)
def test_a_number_at_which_nothing_arrives_is_marked_until_somebody_writes_from_it(
    phones: Phones, code: int, marked: bool
) -> None:
    phones.say(WROTE)
    phones.became(phones.api.sent[0], "undelivered", code)
    assert [one["key"] for one in phones.house.all(Unreachable)] == [ANA] * marked
    phones.say("It was on Monday")
    assert phones.house.all(Unreachable) == []


def test_a_report_that_is_quicker_than_our_own_note_waits_for_it(phones: Phones) -> None:
    """Twilio tells that a text has failed while the answer that it has it is still on its way."""
    phones.api.drop(takes=True)
    phones.say(WROTE)
    with_outcome_unknown = row(phones)
    assert with_outcome_unknown["status"] == "uncertain"
    phones.became(phones.api.sent[0], "failed", 30005)
    assert row(phones)["status"] == "failed"
    phones.house.later(minutes=10)
    assert (row(phones)["status"], len(phones.api.sent)) == ("failed", 1)


def test_a_report_of_a_text_of_somebody_else_changes_nothing(phones: Phones) -> None:
    phones.say(WROTE)
    (ack,) = phones.api.sent
    before = row(phones)
    for callback in (
        ack.callback.partition("?")[0],
        ack.callback.replace("text=", "text=0"),
        ack.callback[:-1] + ("0" if ack.callback[-1] != "0" else "1"),
    ):
        phones.became(replace(ack, callback=callback), "failed", 30005)
    assert row(phones) == before


# --- 63016 in a report, with and without a template


@pytest.mark.parametrize("templates", ["", f"any={HX}"], ids=["no template", "a template"])
def test_what_whatsapp_refuses_afterwards_goes_out_as_a_template_or_by_mail(
    api: TwilioApi, clock: TestClock, door: Door, db: str, templates: str
) -> None:
    with on_the_phone("whatsapp", api, clock, door, twilio_templates=templates) as phones:
        phones.say(WROTE)
        incident = phones.only()
        add_mail(phones, incident)
        for _ in range(2):
            phones.became(api.sent[0], "failed", 63016)
        assert [one.template for one in api.sent] == ["", HX][: 1 + bool(templates)]
        mailed = [to for to, one in phones.house.mail.sent if one.kind == "acknowledgement"]
        assert mailed == ([] if templates else [MAIL])
        assert row(phones)["status"] == ("sent" if templates else "failed")
        assert phones.house.all(Unreachable) == []
        if templates:
            phones.became(api.sent[1], "delivered")
            assert row(phones)["delivery"] == "delivered"


def add_mail(phones: Phones, incident: dict[str, Any]) -> None:
    with database.transaction():
        both = [{"channel": phones.name, "key": ANA}, {"channel": "email", "key": MAIL.key}]
        incidents.readdress(incident["id"], both)


# --- simulated


def test_without_an_account_texts_are_simulated_and_never_said_to_be_sent(
    db: str, clock: TestClock, capsys: pytest.CaptureFixture[str]
) -> None:
    sms, whatsapp = channels(State(), Originals(Seal(), clock))
    assert (sms.simulated, whatsapp.simulated) == (True, True)
    house = House(clock, chat=sms)
    to = (Address("sms", ANA), MAIL)
    answer = house.write(WROTE, "k1", answer_on="sms", addresses=to)
    assert "SMS simulated, not sent" in answer["message"]
    (shown,) = [one for one in house.all(Notification) if one["channel"] == "sms"]
    assert (shown["status"], shown["delivery"]) == ("simulated", None)
    assert answer["ticket_id"] in capsys.readouterr().out
    house.stop()


def test_with_one_number_the_other_channel_is_simulated(
    db: str, clock: TestClock, api: TwilioApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = configured(api)
    names = {"TWILIO_ACCOUNT_SID": settings.twilio_account_sid, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_SMS_FROM": SHOP}
    for name, value in names.items():
        monkeypatch.setenv(name, str(value))
    sms, whatsapp = channels(State(), Originals(Seal(), clock))
    assert (sms.simulated, whatsapp.simulated) == (False, True)
    sms.close()
    whatsapp.close()


# --- a number in a POST is claimed


def test_what_is_posted_for_a_number_is_confirmed_there_and_an_answer_from_there_belongs_to_it(
    phones: Phones, clock: TestClock
) -> None:
    State().put(keys.heard(phones.ana), NOON.isoformat())
    opened = phones.house.write(WROTE, "k1", answer_on=phones.name, addresses=(phones.ana,))
    assert opened["ticket_id"] in phones.texts()[0]
    phones.say("It was on Monday")
    assert phones.only()["id"] == opened["incident_id"]
    assert phones.house.said(opened["incident_id"]) == [WROTE, "It was on Monday"]
    phones.say("My account is locked", BEA)
    assert len(phones.house.incidents()) == 2


def test_an_agents_answer_goes_out_with_the_number_and_what_comes_back_days_later_belongs_to_it(
    phones: Phones, clock: TestClock
) -> None:
    phones.say(WROTE)
    incident = phones.only()
    phones.house.commands.reply(incident["ticket_id"], CLERK, "Which card was it?")
    phones.house.work()
    assert phones.texts()[-1] == f"{incident['ticket_id']}: Which card was it?"
    clock.forward(days=2)
    phones.say("The blue one")
    assert phones.only()["id"] == incident["id"]
    assert phones.house.said(incident["id"]) == [WROTE, "The blue one"]


def test_a_complaint_that_answers_the_resolution_opens_the_ticket_again(phones: Phones, clock: TestClock) -> None:
    phones.say(WROTE)
    incident = phones.only()
    phones.house.commands.resolve(incident["ticket_id"], CLERK, "refunded")
    phones.house.work()
    assert "refunded" in phones.texts()[-1]
    clock.forward(days=1)
    phones.say("But it was charged twice again")
    assert (phones.only()["id"], phones.only()["status"]) == (incident["id"], "open")
