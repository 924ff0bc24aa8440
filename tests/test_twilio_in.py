"""SMS and WhatsApp in: what is taken, from whom, and what comes of it."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from starlette.applications import Starlette

from adapters.twilio import keys
from adapters.twilio.channel import TwilioChannel
from adapters.twilio.signature import sign
from bot.errors import TooLarge, TryLater, Undeliverable
from bot.model import Caller, Role
from bot.state import State
from storage import database
from storage.tables import Attachment, Notification, Unreachable
from tests.door import Door
from tests.fakes import TestClock
from tests.house import CLERK
from tests.slack_house import backend
from tests.twilio_api import ANA, BEA, ROOT, SHOP, TOKEN, TwilioApi, signed
from tests.twilio_house import CHANNELS, Phones, configured, on_the_phone

__all__ = ["backend"]

WROTE = "My card was charged twice"
RECEIVED = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@pytest.fixture
def api() -> Iterator[TwilioApi]:
    with TwilioApi() as api:
        yield api


@pytest.fixture(params=CHANNELS)
def phones(request: pytest.FixtureRequest, api: TwilioApi, clock: TestClock, door: Door, db: str) -> Iterator[Phones]:
    with on_the_phone(request.param, api, clock, door) as phones:
        yield phones


@pytest.fixture
def sms(api: TwilioApi, clock: TestClock, door: Door, db: str) -> Iterator[Phones]:
    with on_the_phone("sms", api, clock, door) as phones:
        yield phones


# --- who may bring something


@pytest.mark.parametrize("path", ["", "/status?incident=i-1&text=0"], ids=["a message", "a report"])
def test_what_is_not_signed_with_our_token_is_refused_and_nothing_of_it_is_kept(phones: Phones, path: str) -> None:
    url, fields = phones.url + path, phones.api.says(WROTE, channel=phones.name)
    changed = {**fields, "Body": "My account is locked"}
    for headers in (
        {},
        {"X-Twilio-Signature": ""},
        {"X-Twilio-Signature": "no signature at all"},
        {"X-Twilio-Signature": signed(url, fields, "another token")},
        {"X-Twilio-Signature": signed(url, changed)},
        {"X-Twilio-Signature": signed(url.replace("http:", "https:"), fields)},
        {"X-Twilio-Signature": signed(f"{url}?more=1", fields)},
    ):
        assert requests.post(url, data=fields, headers=headers, timeout=10).status_code == 403
    assert phones.stored() == 0
    assert State().all("twilio/") == {}


def test_the_address_that_is_signed_is_that_of_the_settings_and_not_of_the_request(sms: Phones) -> None:
    fields = sms.api.says(WROTE)
    elsewhere = sms.url.replace("127.0.0.1", "evil.example")
    headers = {"X-Twilio-Signature": signed(elsewhere, fields), "Host": elsewhere.split("/")[2]}
    headers |= {"X-Forwarded-Host": elsewhere.split("/")[2], "X-Forwarded-Proto": "http"}
    assert requests.post(sms.url, data=fields, headers=headers, timeout=10).status_code == 403
    headers["X-Twilio-Signature"] = signed(sms.url, fields)
    assert requests.post(sms.url, data=fields, headers=headers, timeout=10).status_code == 200
    assert sms.stored() == 1


def test_a_message_that_comes_as_json_is_known_by_the_hash_of_its_body(sms: Phones) -> None:
    body = json.dumps(sms.api.says(WROTE)).encode()
    url = f"{sms.url}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = {"X-Twilio-Signature": sign(TOKEN, url, {}), "Content-Type": "application/json"}
    assert requests.post(url, data=body + b" ", headers=headers, timeout=10).status_code == 403
    assert requests.post(url, data=body, headers=headers, timeout=10).status_code == 200
    sms.house.work()
    assert sms.only()["message"] == WROTE


def test_a_name_that_comes_twice_is_signed_with_both_and_read_once(sms: Phones) -> None:
    fields = list(sms.api.says(WROTE).items())
    values = {name: [value] for name, value in fields} | {"Body": [WROTE, "another"]}
    body = urlencode([*fields, ("Body", "another")])
    headers = {
        "X-Twilio-Signature": sign(TOKEN, sms.url, values),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert requests.post(sms.url, data=body, headers=headers, timeout=10).status_code == 200
    sms.house.work()
    assert sms.only()["message"] == WROTE


def test_what_is_too_large_is_refused_before_it_is_read(sms: Phones) -> None:
    fields = sms.api.says("x" * 300_000)
    assert sms.bring(fields).status_code == 413
    assert sms.stored() == 0


def test_without_a_public_address_there_is_no_route(api: TwilioApi, clock: TestClock, db: str) -> None:
    channel, app = TwilioChannel("sms", configured(api), State(), None, clock), Starlette()
    core: Any = None
    with channel.listening(core, app):
        assert app.routes == []
    channel.close()


# --- messages


def test_a_message_becomes_an_incident_and_is_answered_where_it_came_from(phones: Phones) -> None:
    assert phones.say(WROTE) == RECEIVED
    incident = phones.only()
    assert (incident["message"], incident["channel"], incident["customer_id"]) == (WROTE, phones.name, ANA)
    (ack,) = phones.api.sent
    assert ack.to.removeprefix("whatsapp:") == ANA
    assert incident["ticket_id"] in ack.body


def test_what_is_brought_again_is_one_message(phones: Phones) -> None:
    fields = phones.api.says(WROTE, channel=phones.name)
    for _ in range(3):
        assert phones.bring(fields).status_code == 200
        phones.house.settle()
    assert (phones.stored(), len(phones.api.sent)) == (1, 1)


def test_a_second_message_joins_what_is_open_and_others_have_their_own(phones: Phones, clock: TestClock) -> None:
    phones.say(WROTE)
    clock.forward(minutes=5)
    phones.say("It was on Monday")
    phones.say("My account is locked", BEA)
    assert len(phones.house.incidents()) == 2
    assert phones.house.said(phones.house.incidents()[0]["id"]) == [WROTE, "It was on Monday"]
    assert "We have added this" in phones.texts()[1]


def test_another_problem_is_one_if_its_writer_says_so(phones: Phones) -> None:
    phones.say(WROTE)
    phones.say("/new My account is locked")
    assert [one["message"] for one in phones.house.incidents()] == [WROTE, "My account is locked"]


def test_customers_are_answered_in_their_language(phones: Phones) -> None:
    phones.say("Me han cobrado dos veces la misma compra y quiero que me devuelvan el dinero")
    assert "Hemos abierto el ticket" in phones.texts()[0]


def test_yes_to_the_reminder_solves_it_and_a_digit_rates_it(phones: Phones) -> None:
    phones.say(WROTE)
    phones.house.later(hours=23, minutes=58)
    State().put(keys.heard(phones.ana), phones.house.clock().isoformat())  # the next texts are no templates
    phones.house.later(minutes=5)
    assert "still open" in phones.texts()[-1]
    phones.say("Yes")
    assert phones.only()["status"] == "resolved"
    phones.say("5")
    assert phones.house.events(phones.only()["id"]).count("rated") == 1


def test_places_are_words(phones: Phones) -> None:
    phones.say("", Latitude="52.5", Longitude="13.4", Label="The shop", Address="Main Street 1")
    assert phones.only()["message"] == "[location: 52.5, 13.4, The shop, Main Street 1]"


def test_a_message_of_nothing_is_none(phones: Phones) -> None:
    assert phones.say("  ") == RECEIVED
    assert phones.stored() == 0


def test_whoever_says_the_same_again_may_be_a_machine_and_is_not_answered_again(
    phones: Phones, clock: TestClock
) -> None:
    phones.say("I am driving and will answer later")
    clock.forward(minutes=5)
    for _ in range(3):
        phones.say("I am driving and will answer later")
        clock.forward(minutes=5)
    assert len(phones.api.sent) == 1


# --- the buttons of templates


def test_a_button_of_a_template_is_for_the_ticket_of_that_text(
    api: TwilioApi, clock: TestClock, door: Door, db: str
) -> None:
    with on_the_phone("whatsapp", api, clock, door) as phones:
        phones.say(WROTE)
        phones.say("/new My account is locked")
        first, second = phones.house.incidents()
        ack = next(one for one in api.sent if first["ticket_id"] in one.body)
        pressed = {"ButtonText": "Yes, it is solved", "OriginalRepliedMessageSid": ack.sid}
        phones.say("Yes, it is solved", ButtonPayload="solved", **pressed)
        assert [one["status"] for one in phones.house.incidents()] == ["resolved", "open"]
        phones.say("Call me", ButtonPayload="call-me", **{**pressed, "ButtonText": "Call me"})
        assert "Call me" in str(phones.house.said(first["id"]) + phones.house.said(second["id"]))


# --- STOP and START


@pytest.mark.parametrize("word", ["STOP", "stop", " Stop. ", "STOPALL", "Unsubscribe", "CANCEL", "end", "QUIT"])
def test_stop_stops_everything_and_opens_no_incident(phones: Phones, word: str) -> None:
    phones.say(WROTE)
    ticket = phones.only()["ticket_id"]
    assert phones.say(word) == RECEIVED
    assert [(one["channel"], one["key"]) for one in phones.house.all(Unreachable)] == [(phones.name, ANA)]
    assert (phones.stored(), len(phones.house.incidents())) == (1, 1)
    phones.house.commands.reply(ticket, CLERK, "Which card was it?")
    phones.house.settle()
    assert len(phones.api.sent) == 1


@pytest.mark.parametrize(
    "text", ["Please cancel my card", "STOP charging me twice", "quit it", "the end", "stop stop", "Can you stop?"]
)
def test_these_words_among_others_are_a_message(phones: Phones, text: str) -> None:
    phones.say(text)
    assert phones.only()["message"] == text
    assert len(phones.api.sent) == 1


def test_what_is_written_after_stop_is_taken_and_not_answered(phones: Phones) -> None:
    phones.say("STOP")
    assert phones.say(WROTE) == RECEIVED
    assert phones.say("help") == RECEIVED
    assert phones.only()["message"] == WROTE
    assert phones.api.sent == []
    (ack,) = [one for one in phones.house.all(Notification) if one["kind"] == "acknowledgement"]
    assert (ack["status"], ack["error"]) == (
        "failed",
        "the customer has opted out (STOP), and START would let us write again",
    )


@pytest.mark.parametrize("word", ["START", "unstop", "Yes"])
def test_start_takes_it_back(phones: Phones, word: str) -> None:
    phones.say("STOP")
    assert phones.say(word) == RECEIVED
    assert phones.house.all(Unreachable) == []
    assert phones.stored() == 0
    phones.say(WROTE)
    assert len(phones.api.sent) == 1


def test_of_two_people_only_the_one_who_says_stop_is_stopped(phones: Phones) -> None:
    phones.say("STOP", BEA)
    phones.say(WROTE)
    assert len(phones.api.sent) == 1


def test_where_twilio_itself_keeps_the_list_its_word_counts(phones: Phones) -> None:
    assert phones.say("Nicht mehr schreiben", OptOutType="STOP") == RECEIVED
    assert len(phones.house.all(Unreachable)) == 1
    assert phones.say("HILFE", OptOutType="HELP") == RECEIVED
    assert phones.say("Wieder schreiben", OptOutType="START") == RECEIVED
    assert phones.house.all(Unreachable) == []
    assert (phones.stored(), phones.api.sent) == (0, [])


def test_whoever_has_opted_out_at_twilio_alone_is_marked_when_we_write(phones: Phones) -> None:
    phones.api.refuse(400, 21610)
    phones.say(WROTE)
    assert len(phones.house.all(Unreachable)) == 1


# --- commands


def test_commands_are_answered_at_once_and_open_nothing(phones: Phones) -> None:
    phones.say(WROTE)
    ticket = phones.only()["ticket_id"]
    assert ticket in phones.say("status")
    assert ticket in phones.say("List")
    assert f"{ticket}  open" in phones.say(f"STATUS {ticket.lower()}")
    assert "&lt;" not in phones.say("help")
    assert "status" in phones.say("INFO")
    assert ticket not in phones.say("status", BEA)
    assert (phones.stored(), len(phones.api.sent)) == (1, 1)


def test_a_customer_closes_their_own_ticket_and_nobody_elses(phones: Phones) -> None:
    phones.say(WROTE)
    ticket = phones.only()["ticket_id"]
    phones.say(f"close {ticket}", BEA)
    assert phones.only()["status"] == "open"
    fields = phones.api.says(f"close {ticket}", channel=phones.name)
    assert f"{ticket} is solved" in phones.bring(fields).text
    phones.house.settle()
    phones.house.commands.reopen(ticket, CLERK)
    assert phones.bring(fields).text == RECEIVED
    assert phones.only()["status"] == "open"


def test_a_mail_address_is_given_and_proven_in_the_chat(phones: Phones) -> None:
    phones.say(WROTE)
    assert "We have sent a code to ana@example.com" in phones.say("email ana@example.com")
    (code,) = [one for to, one in phones.house.mail.sent if one.kind == "code"]
    digits = next(word for word in code.lead.replace(".", " ").split() if len(word) == 6 and word.isdigit())
    assert "ana@example.com is confirmed" in phones.say(f"code {digits}")
    assert {"channel": "email", "key": "ana@example.com"} in list(phones.only()["addresses"])


def test_a_message_that_begins_like_a_command_is_a_message(phones: Phones) -> None:
    phones.say("help me please, my card was charged twice")
    assert phones.only()["classification"] == "duplicate_payment"


# --- machines


def test_what_no_telephone_has_sent_is_no_message(phones: Phones) -> None:
    for sender in ("72645", "AMAZON", "", "messenger:1234567", phones.api.says("", channel=phones.name)["To"]):
        assert phones.say(WROTE, From=sender) == RECEIVED
    assert phones.stored() == 0


# --- files

MEDIA = "/Messages/MM1/Media/ME1"


def photo(api: TwilioApi, name: str = MEDIA) -> dict[str, str]:
    return {"NumMedia": "1", "MediaUrl0": f"{api.url}{ROOT}{name}", "MediaContentType0": "image/jpeg"}


def test_a_photo_is_fetched_and_kept_and_its_url_reaches_nobody(phones: Phones) -> None:
    phones.api.files = {MEDIA: f"{phones.api.url}/cdn/photo", "/cdn/photo": b"\xff\xd8\xff\xe0 a photo"}
    phones.say("Here it is", **photo(phones.api))
    assert phones.only()["message"] == "Here it is\n[photo.jpg]"
    (kept,) = phones.house.all(Attachment)
    assert (kept["state"], kept["name"], kept["media_type"]) == ("kept", "photo.jpg", "image/jpeg")
    assert phones.api.strangers == [("/cdn/photo", "")]
    assert TOKEN not in str(kept)


def test_several_files_are_told_apart_and_words_need_not_be_there(phones: Phones) -> None:
    phones.api.files = {MEDIA: b"%PDF-1.4", f"{MEDIA}2": b"BEGIN:VCARD"}
    more = {"MediaUrl1": f"{phones.api.url}{ROOT}{MEDIA}2", "MediaContentType1": "text/vcard", "NumMedia": "2"}
    phones.say("", **{**photo(phones.api), "MediaContentType0": "application/pdf", **more})
    assert phones.only()["message"] == "[file.pdf]\n[contact 2.vcf]"
    assert [one["state"] for one in phones.house.all(Attachment)] == ["kept", "kept"]


def test_nothing_is_fetched_from_elsewhere_and_our_credentials_go_nowhere(phones: Phones) -> None:
    with TwilioApi() as elsewhere:
        phones.say("Look", **{**photo(phones.api), "MediaUrl0": f"{elsewhere.url}{ROOT}{MEDIA}"})
        assert elsewhere.asked == []
    (kept,) = phones.house.all(Attachment)
    assert kept["state"] == "refused"


@pytest.fixture
def channel(api: TwilioApi, db: str, clock: TestClock) -> Iterator[TwilioChannel]:
    channel = TwilioChannel("sms", configured(api), State(), None, clock)
    yield channel
    channel.close()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"x" * 101, TooLarge),
        (None, Undeliverable),
        ("ftp://127.0.0.1/photo", Undeliverable),
        ("https://127.0.0.1:9/photo", Undeliverable),
        ("http://127.0.0.1:9/photo", TryLater),
        ("", Undeliverable),
    ],
    ids=["too large", "gone", "ftp", "another scheme", "nobody there", "in a circle"],
)
def test_what_cannot_be_fetched_says_so_without_an_address(
    channel: TwilioChannel, api: TwilioApi, content: Any, kind: type[Exception]
) -> None:
    api.files = {} if content is None else {MEDIA: content}
    if content == "":
        api.files = {MEDIA: f"{api.url}/cdn/a", "/cdn/a": f"{api.url}/cdn/a"}
    with pytest.raises(kind) as failed:
        channel.fetch(MEDIA, 100)
    assert "127.0.0.1" not in str(failed.value)
    assert all(authorization == "" for _, authorization in api.strangers)


@pytest.mark.parametrize(
    "ref", ["elsewhere", "/Messages/../../x", "/Messages/MM1/Media/ME1?x=1", "https://evil.example/"]
)
def test_a_ref_that_is_no_place_in_the_account_is_asked_of_nobody(
    channel: TwilioChannel, api: TwilioApi, ref: str
) -> None:
    with pytest.raises(Undeliverable):
        channel.fetch(ref, 100)
    assert api.asked == []


# --- the check


def test_the_check_says_what_is_well_and_what_is_not(
    api: TwilioApi, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from adapters.twilio.check import check
    from bot.errors import ConfigurationError, FirstlineError

    with pytest.raises(ConfigurationError, match="TWILIO_ACCOUNT_SID"):
        check()
    settings = configured(api)
    values = {"TWILIO_ACCOUNT_SID": settings.twilio_account_sid, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_SMS_FROM": SHOP}
    for name, value in {**values, "TWILIO_API_URL": api.url, "PUBLIC_URL": "https://shop.example"}.items():
        monkeypatch.setenv(name, str(value))
    with pytest.raises(FirstlineError):
        check()
    assert "NOT  sms: Twilio brings SMS to nowhere" in capsys.readouterr().out
    api.numbers[0]["sms_url"] = "https://shop.example/twilio/sms"
    check()
    assert "NOT" not in capsys.readouterr().out
    api.numbers.clear()
    with pytest.raises(FirstlineError):
        check()
    assert f"{SHOP} is not a number of the account" in capsys.readouterr().out
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "wrong")
    with pytest.raises(FirstlineError):
        check()
    assert "it does not know us" in capsys.readouterr().out


def test_forgetting_a_customer_leaves_their_number_nowhere_and_stop_holds(phones: Phones) -> None:
    phones.say(WROTE)
    phones.say("STOP")
    phones.became(phones.api.sent[0], "failed", 30005)
    details: Any = phones.house.firstline.views.incident(phones.only()["id"])
    phones.house.firstline.privacy.forget(details.customer, Caller("root", Role.ADMIN))
    with database.session():
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        kept = {name: str(database.execute(f"SELECT * FROM {name}").fetchall()) for (name,) in tables}
    assert [name for name, rows in kept.items() if ANA[1:] in rows] == []
    phones.say(WROTE)
    assert len(phones.api.sent) == 1
