"""Masking, by example, by property and by the clock."""

import json
import random
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.masking import JSON, mask, mask_value

# --- card numbers

VISA, AMEX, DINERS, MAESTRO = "4242424242424242", "378282246310005", "30569309025904", "6304000000000000000"


@pytest.mark.parametrize("gap", ["", " ", "-", ".", " - ", "\u00a0", "\u2009", "\u2011", "–", "\u200b", "\t"])
def test_a_card_number_keeps_its_last_four_digits_only(gap: str) -> None:
    card = gap.join(VISA[at : at + 4] for at in range(0, 16, 4))
    assert mask(f"My card {card} was declined") == "My card [card …4242] was declined"


@pytest.mark.parametrize(
    "card", ["4222222222222", DINERS, AMEX, VISA, MAESTRO, "3782 822463 10005", "6304 0000 0000 0000 000"]
)
def test_card_numbers_have_13_to_19_digits(card: str) -> None:
    assert mask(f"({card})") == f"([card …{card.replace(' ', '')[-4:]}])"


@pytest.mark.parametrize("zero", ["０", "٠", "०", "𝟎", "০"])
def test_card_numbers_are_found_in_the_digits_of_any_script(zero: str) -> None:
    card = "".join(chr(ord(zero) + int(digit)) for digit in VISA)
    assert mask(f"card {card}!") == "card [card …4242]!"


def test_letters_and_other_numbers_around_a_card_do_not_hide_it() -> None:
    assert mask(f"x{VISA}y") == "x[card …4242]y"
    assert VISA[:12] not in mask("invoice 17 4242 4242 4242 4242 of 49.90").replace(" ", "")


def test_several_cards_are_masked_each() -> None:
    assert mask(f"{VISA}, {AMEX}\n{VISA}") == "[card …4242], [card …0005]\n[card …4242]"


@pytest.mark.parametrize(
    "text",
    [
        "order 1234567890123456",
        "order 4242424242424241",
        "ticket TKT-98042a72, incident 0b8e5f0c-7d55-4d4f-9f8e-3f5f0f8d2c11",
        "49.90 EUR, 1,234,567.89 USD, Rs. 12 500.00",
        "2026-11-22 10:15:00, 22.11.2026 1000000, 11/22/2026",
        "+1 212 555 0123, +44 7911 123456, (030) 1234567, 0151-23456789",
        "+4915123456784, +86 138 0013 8001",
        "between 2026-11-22 2026-11-29 2026-12-06",
        "1234 5678 9012",
        "12345678901234567890123",
    ],
)
def test_other_numbers_stay(text: str) -> None:
    assert mask(text) == text


def luhn(digits: list[int]) -> int:
    """The check digit for these, written from ISO/IEC 7812-1, annex B."""
    doubled = [digit * 2 if at % 2 == 0 else digit for at, digit in enumerate(reversed(digits))]
    return -sum(digit // 10 + digit % 10 for digit in doubled) % 10


@st.composite
def cards(draw: st.DrawFn) -> tuple[str, str]:
    """A card number with a right check digit: its digits, and how somebody wrote it."""
    digits = draw(st.lists(st.integers(0, 9), min_size=12, max_size=18))
    digits = [max(digits[0], 2), *digits[1:]]
    number = "".join(map(str, [*digits, luhn(digits)]))
    gaps = draw(st.lists(st.sampled_from(["", "", "", " ", "-", ".", "  ", " - "]), min_size=20, max_size=20))
    return number, "".join(digit + gap for digit, gap in zip(number, gaps, strict=False)).rstrip(" -.")


ORDINARY = st.text(st.characters(exclude_categories=["Nd", "No", "Nl", "Cs"]), max_size=40)


@given(before=ORDINARY, card=cards(), after=ORDINARY)
def test_every_card_number_anywhere_is_gone(before: str, card: tuple[str, str], after: str) -> None:
    number, written = card
    if before.endswith("+") and len(number) < 15:
        before += " "  # with a plus directly before it, 13 or 14 digits are a phone number
    masked = mask(before + written + after)
    assert number not in "".join(char for char in masked if char.isdigit())


# --- IBANs


@pytest.mark.parametrize(
    ("iban", "masked"),
    [
        ("DE89370400440532013000", "[IBAN DE…3000]"),
        ("DE89 3704 0044 0532 0130 00", "[IBAN DE…3000]"),
        ("de89 3704 0044 0532 0130 00", "[IBAN DE…3000]"),
        ("GB29 NWBK 6016 1331 9268 19", "[IBAN GB…6819]"),
        ("gb29-nwbk-6016-1331-9268-19", "[IBAN GB…6819]"),
        ("FR14 2004 1010 0505 0001 3M02 606", "[IBAN FR…2606]"),
        ("NO93 8601 1117 947", "[IBAN NO…7947]"),
        ("MT84 MALT 0110 0001 2345 MTLC AST0 01S", "[IBAN MT…001S]"),
        ("ＤＥ８９ ３７０４ ００４４ ０５３２ ０１３０ ００", "[IBAN DE…3000]"),
    ],
)
def test_an_iban_keeps_its_country_and_last_four_characters(iban: str, masked: str) -> None:
    assert mask(f"Pay to {iban} please, it is mine") == f"Pay to {masked} please, it is mine"


@pytest.mark.parametrize(
    "text",
    ["DE88 3704 0044 0532 0130 00", "order AB12 3456", "at10 this morning my card was charged 3 times", "IN2026-0117"],
)
def test_what_only_looks_like_an_iban_stays(text: str) -> None:
    assert mask(text) == text


@given(before=ORDINARY, account=st.integers(0, 10**18 - 1), spaced=st.booleans(), after=ORDINARY)
def test_every_german_iban_is_gone(before: str, account: int, spaced: bool, after: str) -> None:
    check = 98 - int(f"{account:018}131400") % 97
    iban = f"DE{check:02}{account:018}"
    written = " ".join(iban[at : at + 4] for at in range(0, 22, 4)) if spaced else iban
    text = f"{before} {written} {after}"
    assert iban[4:] not in mask(text).replace(" ", "")


# --- codes and PINs


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("my code is 123456", "my code is [code]"),
        ("The code: 4711.", "The code: [code]."),
        ("OTP: 123 456", "OTP: [code]"),
        ("otp 12 34 56 came late", "otp [code] came late"),
        ("my PIN 1234", "my PIN [code]"),
        ("my pin for the card is 4711", "my pin for the card is [code]"),
        ("PIN code=1234", "PIN code=[code]"),
        ("cvv 123", "cvv [code]"),
        ("CVC2: 1234", "CVC2: [code]"),
        ("cvv 123 4242 4242 4242 4242", "cvv [code] [card …4242]"),
        ("passcode 445566", "passcode [code]"),
        ("one-time password 998877", "one-time password [code]"),
        ("G-123456 is your Google verification code", "G-[code] is your Google verification code"),
        ("123456 is your Google verification code", "[code] is your Google verification code"),
        ("1234 is my PIN", "[code] is my PIN"),
        ("Use security code\n123456", "Use security code\n[code]"),
        ("mi código de verificación es 998877", "mi código de verificación es [code]"),
        ("el PIN de mi tarjeta es 1234", "el PIN de mi tarjeta es [code]"),
        ("Der Sicherheitscode lautet 8765", "Der Sicherheitscode lautet [code]"),
        ("meine TAN ist 123456", "meine TAN ist [code]"),
        ("code de vérification : 445566", "code de vérification : [code]"),
        ("mon code secret est 1234", "mon code secret est [code]"),
        ("o código de segurança é 123456", "o código de segurança é [code]"),
        ("ｃｖｖ １２３", "ｃｖｖ [code]"),
    ],
)
def test_a_named_code_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "error code 12345",
        "the app says Fehlercode 40404",
        "promo code 202611",
        "zip code 90210, sort code 12-34-56",
        "código postal 28001",
        "code postal 75001",
        "the code for order 445566 did not work",
        "I tried my PIN 3 times",
        "I forgot the pin for my 401k account",
        "code is 404",
        "no cuesta tan 1500",
        "spin 1234, pinned 5678, Berlin 10115",
        "I did not get the code, my number is 0151 23456789",
        "my PIN was refused on 2026-11-22 when I paid 4500.00",
    ],
)
def test_numbers_that_are_no_codes_stay(text: str) -> None:
    assert mask(text) == text


# --- passwords


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("password: hunter2", "password: [password]"),
        ("Password=hunter2&x=1 ok", "Password=[password] ok"),
        ("my password is hunter2", "my password is [password]"),
        ("my password is swordfish", "my password is [password]"),
        ("The password for my account is hunter2 and", "The password for my account is [password] and"),
        ('password is "correct horse battery" ok', "password is [password] ok"),
        ('{"password": "hunter2"}', '{"password": [password]}'),
        ("password:\nhunter2", "password:\n[password]"),
        ("db_password: hunter2", "db_password: [password]"),
        ("pwd: hunter2, pw: hunter3", "pwd: [password] pw: [password]"),
        ("hunter2 is my password", "[password] is my password"),
        ("my password 123456", "my password [code]"),
        ("Mein Passwort lautet Geheim!", "Mein Passwort lautet [password]"),
        ("Kennwort: Geheim!", "Kennwort: [password]"),
        ("mi contraseña es Sol2020", "mi contraseña es [password]"),
        ("CONTRASEÑA: Sol2020", "CONTRASEÑA: [password]"),
        ("contrasen\u0303a: Sol2020", "contrasen\u0303a: [password]"),
        ("mon mot de passe est soleil", "mon mot de passe est [password]"),
        ("mot de passe : soleil", "mot de passe : [password]"),
        ("minha senha é abacaxi", "minha senha é [password]"),
        (f"password: {VISA}", "password: [password]"),
        ("password: " + "x" * 5000 + " ok", "password: [password] ok"),
    ],
)
def test_a_named_password_is_masked(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "I forgot my password. It is urgent",
        "my password is not working",
        "the password was reset, and my password is wrong now",
        "Mein Passwort ist falsch",
        "la contraseña es incorrecta",
        "mon mot de passe est expiré",
        "minha senha está errada",
        "What is the password for my account?",
        "I will pass by at noon, my boarding pass is lost",
        "Password:\nRegards",
    ],
)
def test_talk_about_a_password_stays(text: str) -> None:
    assert mask(text) == text


# --- any text

PIECES = st.sampled_from(
    [
        *(
            "password",
            "Passwort",
            "my",
            "is",
            ":",
            "=",
            '"',
            "'",
            " ",
            " ",
            " ",
            "\n",
            "-",
            ".",
            ",",
            "+",
            "[",
            "]",
            "(",
            "x",
        ),
        *("code", "PIN", "cvv", "OTP", "is your", "is my", "error", "mot de passe", "senha", "pw:", "…", "/", "_"),
        *("123", "1234", "123456", "12", "4", VISA, "4242 4242 4242 4242", AMEX, "2026-11-22", "DE", "DE89", "hunter2"),
        *(
            "DE89 3704 0044 0532 0130 00",
            "[code]",
            "[password]",
            "[card …4242]",
            "[IBAN DE…3000]",
            "[card …",
            "４",
            "ñ",
        ),
    ]
)
HOSTILE = st.lists(PIECES, max_size=25).map("".join)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(HOSTILE | st.text())
def test_masked_text_stays_as_it_is(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.text(st.characters()))
def test_nothing_makes_it_raise(text: str) -> None:
    assert isinstance(mask(text), str)


def test_half_a_surrogate_pair_does_not_make_it_raise() -> None:
    assert mask("\ud83d cvv 123 \udc00") == "\ud83d cvv [code] \udc00"


def hostile(size: int) -> dict[str, str]:
    pieces = [
        *(
            "4",
            "4 ",
            "4242 ",
            "1-",
            "4.2",
            " ",
            "1 \t",
            "password ",
            "password:",
            "password is ",
            "passwordpassword",
            "pw:'",
        ),
        *(
            "code is my ",
            "otp 1 2 3 4 5 6 7 8 9 ",
            "DE12 ",
            "DE12",
            "2026-11-22 ",
            "123 is my pin ",
            'mdp"',
            "my is the ",
        ),
        *("cvv 123 4242 4242 4242 4242 ", "pin 1234:5678 is my ", "password:[password]", "password:\n", "code\n", "４"),
    ]
    return {piece: (piece * (size // len(piece) + 1))[:size] for piece in pieces}


@pytest.mark.parametrize("piece", hostile(0))
def test_hostile_text_takes_time_in_proportion(piece: str) -> None:
    def seconds(size: int) -> float:
        started = time.process_time()
        mask(hostile(size)[piece])
        return time.process_time() - started

    small, large = min(seconds(20_000) for _ in range(3)), seconds(160_000)
    assert large < 8 * 3 * small + 0.1  # eight times the text; a quadratic one would take 64 times as long


def test_400_kb_of_everything_hostile_finishes() -> None:
    pieces = list(hostile(40))
    random.Random(7).shuffle(pieces)
    started = time.process_time()
    mask(("".join(pieces) * 2000)[:400_000])
    assert time.process_time() - started < 10


def test_an_ordinary_message_takes_microseconds() -> None:
    text = ("Hello, I tried to pay for my subscription and the app told me that something went wrong. " * 3)[:200]
    for _ in range(100):
        mask(text)
    started = time.process_time()
    for _ in range(2000):
        mask(text)
    assert (time.process_time() - started) / 2000 < 100e-6


# --- JSON values


def test_every_string_in_a_json_value_is_masked() -> None:
    value: JSON = {"text": f"card {VISA}", "list": [1, 2.5, None, True, [f"{AMEX}"]], f"{VISA}": {"deep": "PIN 1234"}}
    before = json.dumps(value)
    assert mask_value(value) == {
        "text": "card [card …4242]",
        "list": [1, 2.5, None, True, ["[card …0005]"]],
        "[card …4242]": {"deep": "PIN [code]"},
    }
    assert json.dumps(value) == before


def test_what_stands_under_the_name_of_a_secret_is_masked_whole() -> None:
    value: JSON = {
        "password": "correct horse",
        "card_cvv": 123,
        "user-pin": "0000",
        "has_password": True,
        "shipping": "x 1",
    }
    assert mask_value(value) == {
        "password": "[password]",
        "card_cvv": "[password]",
        "user-pin": "[password]",
        "has_password": True,
        "shipping": "x 1",
    }


@pytest.mark.parametrize("value", [None, True, 3, 2.5, "", [], {}])
def test_a_value_without_secrets_comes_back_equal(value: JSON) -> None:
    assert mask_value(value) == value


def test_a_value_may_be_nested_deeper_than_the_stack() -> None:
    deep: JSON = f"{VISA}"
    for _ in range(50_000):
        deep = [deep]
    masked = mask_value(deep)
    for _ in range(50_000):
        assert isinstance(masked, list)
        masked, deep = masked[0], deep[0] if isinstance(deep, list) else deep
    assert masked == "[card …4242]"
