"""What SMS and WhatsApp messages look like: how long they are, how they are cut, and what by whom is signed."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.twilio import render
from adapters.twilio.segments import BASIC, EXTENDED, economical, fitted, segments, septets, units
from adapters.twilio.settings import TwilioSettings
from adapters.twilio.signature import is_signed, is_signed_json, sign
from bot import wording
from bot.errors import ConfigurationError
from bot.language import LANGUAGES
from bot.model import Address, Category, Incident, Notice, NoticeKind
from tests.fakes import NOON
from tests.twilio_api import ACCOUNT, HX, SHOP, TOKEN

TICKET = "TKT-98042a72"
ANA = Address("sms", "+14155552671")


def notice(**changes: Any) -> Notice:
    values: dict[str, Any] = {
        "key": "i-1.added.sms-1", "kind": NoticeKind.ADDED, "incident_id": "i-1", "ticket_id": TICKET,
        "subject": "A subject", "greeting": "Thank you.", "lead": f"We have added this to ticket {TICKET}.",
        "facts": (), "quote": "", "closing": "", **changes,
    }  # fmt: skip
    return Notice(**values)


# --- segments


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),  # each is an escape and a sign
        ("€" * 81, 2),
        ("€" * 153, 3),  # 76 go into one of 153 septets: the 77th would be divided
        ("a" + "€" * 152, 2),
        ("á" * 70, 1),
        ("á" * 71, 2),
        ("á" * 134, 2),
        ("á" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("😀" * 67, 3),  # 33 pairs go into one of 67 units
        ("a" * 159 + "ç", 3),
    ],
)
def test_a_text_has_as_many_segments_as_a_telephone_makes_of_it(text: str, number: int) -> None:
    assert segments(text) == number


def test_the_small_alphabet_is_that_of_the_standard() -> None:
    assert (len(BASIC), len(EXTENDED)) == (127, 10)  # 128 places, one of which is the escape
    assert not BASIC & EXTENDED
    assert septets("Für 5 € [sic]") == 16
    assert [septets(letter) for letter in "àèéùìòñÑ¿¡ß"] == [1] * 11
    assert [septets(letter) for letter in "áíóúçãõê`’…"] == [None] * 11


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("It’s “here” — at 5 pm…", 'It\'s "here" - at 5 pm...'),
        ("ticket \u2066TKT-1\u2069", "ticket TKT-1"),
        ("cafe\u0301", "café"),
        ("«Está» aquí…", "«Está» aquí…"),  # the accents need the large alphabet all the same
        ("well 👍…", "well 👍…"),
    ],
)
def test_typographic_signs_are_written_plainly_where_that_saves_the_small_alphabet(text: str, written: str) -> None:
    assert economical(text) == written


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", ["acknowledgement", "reminder", "resolved", "reopened"])
def test_our_own_texts_are_of_the_small_alphabet_where_their_language_is(language: str, kind: str) -> None:
    text = render.sms(_written(kind, language), 4)
    assert septets(text) is not None
    assert TICKET in text


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["acknowledgement", "reminder", "resolved", "reopened"])
def test_our_own_texts_are_cut_in_no_language(language: str, kind: str) -> None:
    most = TwilioSettings(_env_file=None).twilio_sms_segments  # type: ignore[call-arg]
    assert "..." not in render.sms(_written(kind, language), most)


def _written(kind: str, language: str) -> Notice:
    incident = Incident(
        "i-1", TICKET, None, "C-1", "sms", "charged twice", Category.DUPLICATE_PAYMENT, 0.9, "", "words", "open", NOON,
        language=language, addresses=(ANA,), last_opened_at=NOON,
    )  # fmt: skip
    day = timedelta(days=1)
    written = {
        "acknowledgement": lambda: wording.acknowledgement(incident, ANA, day),
        "reminder": lambda: wording.reminder(incident, ANA, 1, NOON + day),
        "resolved": lambda: wording.resolved(incident, ANA, "", 14 * day),
        "reopened": lambda: wording.reopened(incident, ANA, day),
    }
    return written[kind]()


# --- cutting


@given(st.text(min_size=1, max_size=2000), st.integers(1, 10))
@example("😀" * 900, 2)
@example("a€" * 900, 3)
@example("👩‍👩‍👧" * 300, 1)
def test_whatever_is_cut_has_no_more_segments_than_it_may_and_says_so(text: str, most: int) -> None:
    shown = fitted(text, lambda one: segments(one) <= most, "...")
    assert segments(shown) <= most
    if shown != text:
        assert shown.endswith("...")
        assert text.startswith(shown.removesuffix("..."))


def test_a_long_text_is_cut_behind_a_word_and_names_its_ticket_and_where_the_rest_is() -> None:
    text = render.sms(notice(lead="refund " * 400), 2)
    assert segments(text) == 2
    assert text.endswith(f"refund... This is not all: write here to get the rest of {TICKET}.")


def test_of_a_text_that_is_too_long_the_greeting_goes_first() -> None:
    assert render.sms(notice(lead=f"{TICKET} " + "x" * 140, closing="Bye."), 1) == f"{TICKET} {'x' * 140} Bye."
    assert render.sms(notice(lead=f"{TICKET}.", closing="Bye."), 1) == f"Thank you. {TICKET}. Bye."


def test_an_emoji_of_several_signs_is_not_cut_in_two() -> None:
    family = "👩‍👩‍👧"
    shown = fitted(family * 20, lambda one: units(one) <= 50, "")
    assert shown
    assert shown == family * (len(shown) // len(family))


def test_what_says_where_the_rest_is_is_said_in_every_language_that_we_write() -> None:
    assert set(render.REST) == set(LANGUAGES)
    assert all("{ticket}" in says for says in render.REST.values())


def test_what_an_agent_writes_has_the_tickets_number_before_it() -> None:
    written = notice(kind=NoticeKind.REPLY, greeting="", lead="Which card was it?")
    assert render.sms(written, 4) == f"{TICKET}: Which card was it?"
    assert render.whatsapp(written) == f"{TICKET}: Which card was it?"


def test_a_reminder_on_whatsapp_repeats_what_the_customer_wrote() -> None:
    written = notice(kind=NoticeKind.REMINDER, quote="charged twice\non Monday", closing="Is it solved?")
    assert "> charged twice\n> on Monday\n\nIs it solved?" in render.whatsapp(written)


def test_a_template_takes_the_number_and_what_there_is_to_say_in_one_line() -> None:
    found = json.loads(render.variables(notice(lead="first\n\nsecond   line " + "x" * 2000)))
    assert found["1"] == TICKET
    assert found["2"].startswith("Thank you. first second line xxx")
    assert len(found["2"]) <= 900
    assert "\n" not in found["2"]


# --- signatures

URL = "https://mycompany.com/myapp.php?foo=1&bar=2"
CALL = {
    "CallSid": ["CA1234567890ABCDE"], "Caller": ["+12349013030"], "Digits": ["1234"], "From": ["+12349013030"],
    "To": ["+18005551212"],
}  # fmt: skip


def test_a_signature_is_what_twilios_documents_say_it_is() -> None:
    assert sign("12345", URL, CALL) == "0/KCTR6DLpKmkAf8muzZqo1nDgQ="
    assert is_signed("12345", "0/KCTR6DLpKmkAf8muzZqo1nDgQ=", URL, CALL)


def test_a_body_that_is_no_form_is_known_by_its_hash() -> None:
    body = b'{"property": "value", "boolean": true}'
    url = f"{URL}&bodySHA256=0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
    assert is_signed_json("12345", "a9nBmqA0ju/hNViExpshrM61xv4=", url, body)
    assert not is_signed_json("12345", "a9nBmqA0ju/hNViExpshrM61xv4=", url, body + b" ")
    assert not is_signed_json("12345", sign("12345", URL, {}), URL, body)


def test_a_name_that_comes_twice_counts_once_with_each_of_its_values_in_order() -> None:
    once = sign("12345", "https://shop.example/x", {"Body": ["a", "b"]})
    assert sign("12345", "https://shop.example/x", {"Body": ["b", "a", "b"]}) == once
    assert sign("12345", "https://shop.example/x", {"Body": ["ab"]}) != once


@pytest.mark.parametrize(
    ("token", "url", "values"),
    [
        ("12346", URL, CALL),
        ("12345", URL.replace("https", "http"), CALL),
        ("12345", URL + "&x=1", CALL),
        ("12345", URL, {**CALL, "Digits": ["1235"]}),
        ("12345", URL, {**CALL, "More": [""]}),
        ("12345", URL, {name: values for name, values in CALL.items() if name != "Digits"}),
    ],
)
def test_another_token_address_or_field_is_not_what_was_signed(token: str, url: str, values: Any) -> None:
    assert not is_signed(token, sign("12345", URL, CALL), url, values)


@pytest.mark.parametrize("given", ["", "x", "0/KCTR6DLpKmkAf8muzZqo1nDgQ", "é✓", "\udcff"])
def test_what_is_no_signature_is_refused(given: str) -> None:
    assert not is_signed("12345", given, URL, CALL)


def test_an_address_may_be_signed_with_the_port_of_its_scheme_or_without() -> None:
    with_port = URL.replace(".com", ".com:443")
    assert is_signed("12345", sign("12345", with_port, CALL), URL, CALL)
    assert is_signed("12345", sign("12345", URL, CALL), with_port, CALL)
    assert not is_signed("12345", sign("12345", URL.replace(".com", ".com:8443"), CALL), URL, CALL)


# --- settings

WHOLE = {"TWILIO_ACCOUNT_SID": ACCOUNT, "TWILIO_AUTH_TOKEN": TOKEN, "TWILIO_SMS_FROM": SHOP}


def read(monkeypatch: pytest.MonkeyPatch, **more: str) -> TwilioSettings:
    for name, value in {**WHOLE, **more}.items():
        monkeypatch.setenv(name, value)
    return TwilioSettings.read()


@pytest.mark.parametrize("lacks", WHOLE)
def test_half_a_configuration_is_refused_and_names_what_lacks(monkeypatch: pytest.MonkeyPatch, lacks: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{lacks}.* is not set") as refused:
        read(monkeypatch, **{lacks: ""})
    assert TOKEN not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TWILIO_ACCOUNT_SID", "AC123"),
        ("TWILIO_SMS_FROM", "5550001111 or so"),
        ("TWILIO_SMS_FROM", "+0155500011"),
        ("TWILIO_WHATSAPP_FROM", "15550001111"),
        ("TWILIO_TEMPLATES", f"reminder:{HX}"),
        ("TWILIO_TEMPLATES", f"greeting={HX}"),
        ("TWILIO_TEMPLATES", "reminder=HX12"),
        ("TWILIO_API_URL", "api.twilio.com"),
        ("TWILIO_SMS_SEGMENTS", "11"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        read(monkeypatch, **{"TWILIO_WHATSAPP_FROM": SHOP, name: value})


@pytest.mark.parametrize("sender", [SHOP, "MG" + "a" * 32, "72645", "MyShop 24"])
def test_an_sms_may_come_from_a_number_a_service_a_short_code_or_a_name(
    monkeypatch: pytest.MonkeyPatch, sender: str
) -> None:
    assert read(monkeypatch, TWILIO_SMS_FROM=sender).twilio_sms_from == sender


def test_the_nearest_template_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, three = (f"HX{digit * 32}" for digit in "123")
    written = f"reminder.es={one}, reminder={two},\n any={three},"
    found = read(monkeypatch, TWILIO_WHATSAPP_FROM=f"whatsapp:{SHOP}", TWILIO_TEMPLATES=written)
    assert found.twilio_whatsapp_from == SHOP
    asked = (("reminder", "es"), ("reminder", "de"), ("resolved", "es"))
    assert [found.template(kind, language) for kind, language in asked] == [one, two, three]
    assert read(monkeypatch, TWILIO_TEMPLATES=f"reminder={one}").template("resolved", "en") is None
