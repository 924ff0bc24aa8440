"""The training messages of our own, and the variants that are made of them."""

import random
from collections import Counter
from pathlib import Path

import pytest

from bot import patterns, variants
from bot.errors import ConfigurationError
from bot.model import Category
from bot.patterns import Written, expand

WRITTEN = patterns.read()


def test_a_pattern_expands_to_what_its_choices_and_slots_allow() -> None:
    found = expand("[the|a] {pet} [sleeps|] , [well|badly]", {"pet": ["cat", "dog"]})
    assert set(found) <= {
        f"{one} {pet}{verb}, {how}"
        for one in ("the", "a")
        for pet in ("cat", "dog")
        for verb in (" sleeps", "")
        for how in ("well", "badly")
    }
    assert len(found) == len(set(found)) == patterns.MOST


def test_a_pattern_without_choices_is_one_message() -> None:
    assert expand("charged twice", {}) == ["charged twice"]


def test_reading_twice_gives_the_same() -> None:
    assert patterns.read() == WRITTEN


def test_no_sign_of_a_pattern_is_left_in_a_message() -> None:
    texts = [text for text, _ in WRITTEN.messages] + WRITTEN.fillers + WRITTEN.remedies
    assert [text for text in texts if set(text) & set("[]{}|") or text != text.strip() or not text] == []


def test_every_category_has_hundreds_of_messages() -> None:
    numbers = Counter(next(iter(shares)) for _, shares in WRITTEN.messages)
    assert min(numbers[name] for name in Category) > 500


def test_the_shares_of_a_message_add_up_to_one() -> None:
    assert all(sum(shares.values()) == pytest.approx(1) for _, shares in WRITTEN.messages)


@pytest.mark.parametrize(
    "content",
    [
        "[duplicate_payment]\nlines = 3",
        "[duplicate_payment]\ntext = 'x'",
        "[no_category]\nlines = 'x'",
        "[other]\nlines = '{no_slot}'",
        "not TOML",
    ],
)
def test_a_file_that_holds_no_messages_is_refused_by_name(tmp_path: Path, content: str) -> None:
    (tmp_path / "wrong.toml").write_text(content)
    with pytest.raises(ConfigurationError, match=r"wrong\.toml does not hold training messages"):
        patterns.read(tmp_path)


def test_none_of_our_sets_is_trained_on() -> None:
    import csv

    folder = Path(__file__).parent / "data" / "classify"
    trained = {text.lower() for text, _ in WRITTEN.messages}
    with (folder / "incidents.csv").open(encoding="utf-8", newline="") as file:
        alike = [
            row["text"] for row in csv.DictReader(file) if row["text"].lower() in trained and len(row["text"]) > 30
        ]
    assert alike == []


def test_composed_messages_keep_the_category_of_the_cause() -> None:
    cause, question = "taken twice", "what time is it"
    few = Written(
        messages=[(cause, {Category.DUPLICATE_PAYMENT: 1.0})] * 50 + [(question, {Category.OTHER: 1.0})] * 50,
        remedies=["refund me"],
        fillers=["hello dear"],
    )
    found = list(variants.composed(few, random.Random(1)))
    assert {next(iter(shares)) for text, shares in found if cause in text} == {Category.DUPLICATE_PAYMENT}
    assert any(cause in text and "refund me" in text for text, _ in found)
    assert any(cause in text and "hello dear" in text for text, _ in found)
    assert {next(iter(shares)) for text, shares in found if cause not in text} == {Category.OTHER}


def test_of_two_problems_the_one_that_does_more_harm_counts() -> None:
    few = Written(
        messages=[("locked", {Category.ACCOUNT_LOCKED: 1.0})] * 300 + [("stolen", {Category.FRAUD_REPORT: 1.0})] * 300
    )
    both = [
        shares for text, shares in variants.composed(few, random.Random(2)) if "locked" in text and "stolen" in text
    ]
    assert both
    assert all(list(shares) == [Category.FRAUD_REPORT] for shares in both)


def test_mistyped_text_differs_but_stays_alike() -> None:
    text = "my card was charged twice by the shop, please help me"
    found = [variants.mistyped(text, random.Random(seed)) for seed in range(50)]
    assert len(set(found)) > 40
    assert all(0.6 * len(text) < len(one) < 1.4 * len(text) for one in found)


def test_accents_are_dropped_or_spelt_out() -> None:
    found = {variants.without_accents("Überweisung gestört, ¿qué pasó? ł", random.Random(seed)) for seed in range(9)}
    assert found == {"ueberweisung gestoert, ¿que paso? l", "uberweisung gestort, ¿que paso? l"}


def test_vowel_signs_of_hindi_stay() -> None:
    assert variants.without_accents("मेरे पैसे", random.Random(1)) == "मेरे पैसे"


def test_shortened_text_is_what_somebody_notes_down() -> None:
    found = {variants.shortened("why was my account locked please", random.Random(seed)) for seed in range(30)}
    assert any("acct" in one and "pls" in one for one in found)
