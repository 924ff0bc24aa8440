"""Mail addresses and phone numbers, which no model outside is shown."""

import time

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.contacts import REGIONS, hide_contacts

NAME = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789", min_size=1, max_size=12)
MAILS = st.builds(
    "{}{}{}@{}.{}".format,
    NAME,
    st.sampled_from([".", "_", "-", "+", ""]),
    NAME,
    NAME,
    st.sampled_from(["com", "co.uk", "de"]),
)
MAIL_PHRASES = (
    "my mail is {}", "write to {}, please", "<{}>", "mailto:{}", "{}", "Mi correo es {}.", "Meine Mail: {}", "({})",
    "écrivez à {} svp", "मेरा ईमेल {} है", "بريدي {}",
)  # fmt: skip
PHONE_PHRASES = (
    "call me at {}", "my phone number is {}", "Tel.: {}", "mobile {}", "WhatsApp {}", "llámame al {}",
    "mi teléfono es {}",
    "Meine Telefonnummer ist {}", "Handy: {}", "rufen Sie mich an: {}", "mon téléphone : {}", "appelez-moi au {}",
    "meu telefone é {}", "ligue para {}", "il mio cellulare {}", "मेरा मोबाइल {} है", "फ़ोन: {}", "هاتفي {}",
    "جوال: {}",
)  # fmt: skip


@st.composite
def numbers(draw: st.DrawFn) -> str:
    """A number of a country whose numbers we know, as it is written there or abroad."""
    region = draw(st.sampled_from(REGIONS))
    kind = draw(st.sampled_from([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE]))
    example = phonenumbers.example_number_for_type(region, kind)
    assert example is not None
    form = draw(
        st.sampled_from(
            [
                phonenumbers.PhoneNumberFormat.E164,
                phonenumbers.PhoneNumberFormat.INTERNATIONAL,
                phonenumbers.PhoneNumberFormat.NATIONAL,
            ]
        )
    )
    return str(phonenumbers.format_number(example, form))


@settings(max_examples=250)
@given(MAILS, st.sampled_from(MAIL_PHRASES))
def test_no_mail_address_is_shown(mail: str, phrase: str) -> None:
    hidden = hide_contacts(phrase.format(mail))
    assert mail not in hidden
    assert "@" not in hidden
    assert "[email]" in hidden


@settings(max_examples=250)
@given(numbers(), st.sampled_from(PHONE_PHRASES))
def test_no_phone_number_is_shown(number: str, phrase: str) -> None:
    hidden = hide_contacts(phrase.format(number))
    assert not any(char.isdigit() for char in hidden)


@pytest.mark.parametrize(
    "text",
    [
        "+49 151 23456789",
        "reach us under (030) 123456 in Berlin",
        "0151-23456789",
        "212-555-0123 is my number",
        "0044 20 7946 0958",
        "06 12 34 56 78",
    ],
)
def test_a_number_as_a_country_writes_it_needs_no_word_before_it(text: str) -> None:
    assert "[phone]" in hide_contacts(text)


@pytest.mark.parametrize(
    "text",
    [
        "order 0123456789",
        "order number 302-1234567",
        "Bestellnummer 0151 23456789",
        "on 2026-11-22 10:15, and on 22.11.2026",
        "from 01.02.2024 to 03.04.2025",
        "I paid 1,234,567.89 EUR",
        "TKT-98042a72 and 0b8e5f0c-7d55-4d4f-9f8e-3f5f0f8d2c11",
        "it cost $1234567",
        "[card …4242] and [IBAN DE…3000]",
        "100% of 1234567%",
        "version 10.2.3.4, 12345678",
    ],
)
def test_other_numbers_are_shown(text: str) -> None:
    assert hide_contacts(text) == text


@pytest.mark.parametrize(
    "piece", ["0151 23456789 ", "a@", "@", "1 ", "+1 ", "(0) ", "phone ", "a.", "!", "call 1234567 ", "00"]
)
def test_100_kb_of_hostile_text_take_seconds_at_most(piece: str) -> None:
    text = (piece * (100_000 // len(piece)))[:100_000]
    started = time.process_time()
    hide_contacts(text)
    assert time.process_time() - started < 10
