"""Ratings, by table and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.ratings import rating


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("1", 1), ("5", 5), ("4!", 4), ("4!!!", 4), ("3.", 3), (" 2 \n", 2), ("4 !", 4)],
        *[("5/5", 5), ("4 / 5", 4), ("1/5.", 1), ("4/5 stars", 4)],
        *[("٤", 4), ("۴", 4), ("४", 4), ("５", 5), ("٤/٥", 4), ("४/५", 4), ("5️⃣", 5)],
        *[
            ("⭐", 1),
            ("⭐⭐⭐⭐", 4),
            ("⭐️⭐️⭐️⭐️⭐️", 5),
            ("★★★☆☆", 3),
            ("⭐ ⭐", 2),
            ("🌟🌟🌟!", 3),
            ("4⭐", 4),
            ("5 ★", 5),
            ("5*", 5),
        ],
        *[("5 stars", 5), ("1 star", 1), ("Five", 5), ("FOUR stars!", 4), ("four out of five", 4), ("5stars", 5)],
        *[("cinco", 5), ("una estrella", 1), ("4 estrellas", 4), ("tres de cinco", 3), ("Uno", 1)],
        *[("fünf", 5), ("fuenf", 5), ("ein Stern", 1), ("4 Sterne", 4), ("4 von 5 Sternen", 4), ("vier", 4)],
        *[("cinq", 5), ("quatre étoiles", 4), ("3 sur 5", 3), ("une étoile", 1), ("deux", 2)],
        *[("três", 3), ("tres", 3), ("duas estrelas", 2), ("um de cinco", 1), ("quatro", 4)],
        *[("पाँच", 5), ("पांच", 5), ("चार सितारे", 4), ("५ स्टार", 5), ("5 में से 4", 4), ("तीन।", 3)],
        *[("خمسة", 5), ("خمس نجوم", 5), ("أربعة", 4), ("اربعة", 4), ("٥ من ٥", 5), ("نجمة واحدة", 1), ("نجمتان", 2)],
    ],
)
def test_a_number_from_one_to_five_alone_is_a_rating(text: str, number: int) -> None:
    assert rating(text) == number


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "0", "6", "12", "55", "05", "1 2", "-4", "+4", "4.5", "4,5", "4?", "5%", "#5", "5)", "½", "½ star"],
        *["10/5", "5/10", "6/5", "0/5", "5/", "/5", "4/5/5", "4/4", "5 5"],
        *["5 euros", "5 €", "$5", "3 days later still nothing", "5 stars but slow", "not 5", "5 please call me"],
        *["⭐⭐⭐⭐⭐⭐", "☆☆☆☆☆", "★★☆", "☆★★★★", "⭐ but slow", "***", "👍"],
        *["six", "seis", "um", "Um...", "una", "eine", "one more thing", "uno más", "fünfzig", "five hundred"],
        *["छह", "एक समस्या", "ستة", "واحد فقط", "thanks", "cinco euros", "4 de octubre", "5 de maio"],
        "5" * 50,
    ],
)
def test_anything_else_is_none(text: str) -> None:
    assert rating(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert rating(text) in {None, 1, 2, 3, 4, 5}


@given(
    number=st.sampled_from(["5", "4 stars", "⭐⭐⭐", "cinco", "٤"]),
    rest=st.text(st.characters(categories=["Lu", "Ll", "Nd"])),
)
def test_words_after_a_number_make_it_no_rating(number: str, rest: str) -> None:
    assert rating(f"{number} x{rest}") is None
