"""What a customer answers when asked how we did: a number from one to five, and nothing else."""

import re
import unicodedata
from typing import Final

LONGEST: Final = 40
"""Characters. "four out of five stars!" has 23."""

NUMBERS: Final = {
    1: "1 one uno una eins ein eine un une um uma एक واحد واحدة",
    2: "2 two dos zwei deux dois duas दो اثنان اثنين اثنتان اثنتين",
    3: "3 three tres drei trois três तीन ثلاث ثلاثة",
    4: "4 four cuatro vier quatre quatro चार أربع أربعة",
    5: "5 five cinco fünf fuenf cinq पाँच पांच خمس خمسة",
}
NO_RATING_ALONE: Final = "ein eine um una une uma"
"""Articles, and "um" is what somebody types who thinks; with "stars" or "out of five" they are numbers."""

OF: Final = "/|out of|of|de|von|sur|em|من|من أصل"
UNITS: Final = (
    "star stars estrella estrellas stern sterne sternen étoile étoiles estrela estrelas"
    " स्टार स्टार्स सितारा सितारे तारा तारे نجمة نجوم نجمات"
)
SIGNS: Final = "⭐★🌟"
EMPTY: Final = "☆"
MARKS: Final = "[\u0300-\u036f\u064b-\u0655\u0670\u0640\u200b-\u200f\ufe0f\u20e3]"
"""Accents, Arabic vowels and letter stretchers, and what is invisible: variation selectors and keycaps of emoji."""


def _fold(text: str) -> str:
    plain = re.sub(MARKS, "", unicodedata.normalize("NFKD", text.casefold()))
    return "".join(_ascii_digit(char) for char in " ".join(plain.split()))


def _ascii_digit(char: str) -> str:
    value = unicodedata.decimal(char, None)
    return char if value is None else str(value)


def _any(words: str) -> str:
    return "|".join(map(re.escape, sorted(_fold(words).split(), key=len, reverse=True)))


VALUES: Final = {word: number for number, words in NUMBERS.items() for word in _fold(words).split()}
VALUE: Final = rf"(?P<value>{_any(' '.join(NUMBERS.values()))})"
UNIT: Final = rf"(?: ?(?:{_any(UNITS)}|[{SIGNS}*]))"
FIVE: Final = rf"(?:{_any(NUMBERS[5])})"
END: Final = r" ?[.!।۔]*"

RATINGS: Final = tuple(
    re.compile(form + END)
    for form in (
        rf"{VALUE}{UNIT}?",
        rf"{VALUE} ?(?:{_fold(OF)}) ?{FIVE}{UNIT}?",
        rf"{FIVE} में से {VALUE}{UNIT}?",
        rf"(?:{_fold('نجمة')}) {VALUE}",
    )
)
TWO_STARS: Final = re.compile(rf"(?:{_any('نجمتان نجمتين')}){END}")
STARS: Final = re.compile(rf"(?:[{SIGNS}] ?){{1,5}}(?:{EMPTY} ?){{0,4}}{END}")


def rating(text: str) -> int | None:
    """Return the 1 to 5 that the text is: a digit of any script, "4/5", "4 stars", four drawn stars, or the number as a
    word in English, Spanish, German, French, Portuguese, Hindi or Arabic. None if there is anything else in it."""
    if len(text) > LONGEST:
        return None
    folded = _fold(text)
    if folded.rstrip(".! ") in NO_RATING_ALONE.split():
        return None
    for form in RATINGS:
        if match := form.fullmatch(folded):
            return VALUES[match["value"]]
    return 2 if TWO_STARS.fullmatch(folded) else _stars(folded)


def _stars(folded: str) -> int | None:
    """Count drawn stars. Empty ones, if any, must fill up to five."""
    if not STARS.fullmatch(folded):
        return None
    full, empty = sum(folded.count(sign) for sign in SIGNS), folded.count(EMPTY)
    return None if empty and full + empty != 5 else full
