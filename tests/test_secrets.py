"""Secrets as people write them, by the hundred: none is left. And what is none stays."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from bot.masking import mask
from tests.secrets import AROUND, KINDS, bare, told

HARMLESS = (Path(__file__).parent / "payloads" / "harmless.txt").read_text(encoding="utf-8").splitlines()

MANY = settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])


def leaks(text: str, secret: str) -> bool:
    """Whether a secret is still to be read in what is left of a text."""
    return bare(secret) in bare(mask(text))


@MANY
@given(told("card"))
def test_no_card_number_is_left(example: tuple[str, str]) -> None:
    assert not leaks(*example)


@MANY
@given(told("iban"))
def test_no_iban_is_left(example: tuple[str, str]) -> None:
    assert not leaks(*example)


@MANY
@given(told("cvv"))
def test_no_cvv_is_left(example: tuple[str, str]) -> None:
    assert not leaks(*example)


@MANY
@given(told("code"))
def test_no_one_time_code_is_left(example: tuple[str, str]) -> None:
    assert not leaks(*example)


@MANY
@given(told("pin"))
def test_no_pin_is_left(example: tuple[str, str]) -> None:
    assert not leaks(*example)


@MANY
@given(told("password"))
def test_no_password_is_left(example: tuple[str, str]) -> None:
    assert not leaks(*example)


@pytest.mark.parametrize("kind", KINDS)
def test_every_phrasing_in_every_surrounding_is_masked(kind: str) -> None:
    samples = {
        "card": "4242 4242 4242 4242",
        "iban": "DE89 3704 0044 0532 0130 00",
        "cvv": "937",
        "password": "Hunter22!",
    }
    secret = samples.get(kind, "471198")
    texts = [around.format(phrase.format(secret)) for phrase in KINDS[kind][0] for around in AROUND]
    assert [text for text in texts if leaks(text, secret)] == []


def test_of_three_hundred_harmless_messages_full_of_numbers_none_is_masked() -> None:
    assert len(HARMLESS) >= 300
    assert [text for text in HARMLESS if mask(text) != text] == []


PIECES = [
    *(
        "पासवर्ड ",
        "ओटीपी 1",
        "كلمة السر ",
        "رمز التحقق ",
        "order ",
        "order number ",
        "DE89 3704 ",
        "AO",
        "password a1",
        "hai ",
    ),
    *(
        "il CVV è ",
        "code on the back ",
        "the 3 digits on the ",
        "4242 4242 ",
        "123-1234567-1234567 ",
        "password is ",
        "1 है ",
    ),
    *("code que me ", "Geheimzahl ", "1234 is ", "मेरा ", " "),
]


def seconds(text: str) -> float:
    started = time.process_time()
    mask(text)
    return time.process_time() - started


@pytest.mark.parametrize("piece", PIECES)
def test_a_hundred_kilobytes_of_hostile_text_are_masked_in_no_time(piece: str) -> None:
    assert seconds((piece * (100_000 // len(piece) + 1))[:100_000]) < 5  # 0.3 s at most here; a quadratic one: minutes


@pytest.mark.soak
@pytest.mark.parametrize("piece", PIECES)
def test_a_megabyte_of_hostile_text_is_masked_in_seconds(piece: str) -> None:
    assert seconds((piece * (1_000_000 // len(piece) + 1))[:1_000_000]) < 30  # 3 s at most here


@pytest.mark.soak
def test_a_megabyte_of_everything_hostile_is_masked_in_seconds() -> None:
    pieces = PIECES * 20
    random.Random(7).shuffle(pieces)
    assert seconds(("".join(pieces) * 2000)[:1_000_000]) < 80  # 8 s here
