"""How long an SMS is. It is paid by the segment, and one letter outside the small alphabet more than halves what goes
into one (3GPP TS 23.038, sections 6.1.2 and 6.2.1; TS 23.040, section 9.2.3.24.1)."""

import unicodedata
from collections.abc import Callable, Iterator
from typing import Final

BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""What takes two septets: an escape, and the character."""

SEPTETS: Final = (160, 153)
UNITS: Final = (70, 67)
"""What goes into a message of one segment, and into each of several, which carry a header: septets, or UTF-16 units."""

PLAIN: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u200a\u202f", " "),
        **dict.fromkeys("\u200b\u200e\u200f\u2060\u2066\u2067\u2068\u2069\ufeff", ""),
        "…": "...",
        "•": "-",
        "\t": " ",
    }
)
"""What stands for typographic signs where the text is otherwise of the small alphabet."""

CLINGS: Final = frozenset("\u200d\ufe0e\ufe0f\u20e3")
"""What belongs to the sign before it: joiners, and how an emoji is to look."""

LONGEST: Final = 1600
"""Characters that Twilio takes (twilio.com/docs/api/errors/21617)."""


def septets(text: str) -> int | None:
    """Return the length in the small alphabet; None for what cannot be written in it."""
    if any(character not in BASIC and character not in EXTENDED for character in text):
        return None
    return sum(map(_septets, text))


def units(text: str) -> int:
    """Return the length in UTF-16, in which what lies beyond the first plane (an emoji) is a pair."""
    return sum(map(_units, text))


def segments(text: str) -> int:
    """Return how many segments a text has; neither an escape nor a pair is divided between two."""
    size, (one, each) = (_units, UNITS) if septets(text) is None else (_septets, SEPTETS)
    if sum(map(size, text)) <= one:
        return 1
    return _packed(text, size, each)


def economical(text: str) -> str:
    """Write a text with plain quotation marks, dashes and spaces, if nothing else keeps it out of the small alphabet;
    else leave it as it is."""
    composed = unicodedata.normalize("NFC", text)
    plain = composed.translate(PLAIN)
    return composed if septets(plain) is None else plain


def fitted(text: str, fits: Callable[[str], bool], tail: str) -> str:
    """Return a text that fits, or as much of it as fits with the tail, to the end of a word if one is near."""
    text = text[: 2 * LONGEST]
    if fits(text):
        return text
    least, most = 0, len(text)
    while least < most:  # `least` always fits
        middle = (least + most + 1) // 2
        least, most = (middle, most) if fits(text[:middle].rstrip() + tail) else (least, middle - 1)
    end = _whole_signs(text, least)
    space = max(text.rfind(" ", end * 3 // 4, end), text.rfind("\n", end * 3 // 4, end))
    head = text[:space] if space > 0 and end < len(text) else text[:end]
    return head.rstrip() + tail


def _whole_signs(text: str, end: int) -> int:
    """Step back to where no sign is cut in two: an emoji of several characters, or a letter and its accent."""
    while 0 < end < len(text) and (_clings(text[end]) or text[end - 1] == "\u200d"):
        end -= 1
    return end


def _clings(character: str) -> bool:
    return character in CLINGS or unicodedata.combining(character) > 0 or "\U0001f3fb" <= character <= "\U0001f3ff"


def _packed(text: str, size: Callable[[str], int], each: int) -> int:
    number, left = 1, each
    for length in _sizes(text, size):
        if length > left:
            number, left = number + 1, each
        left -= length
    return number


def _sizes(text: str, size: Callable[[str], int]) -> Iterator[int]:
    return map(size, text)


def _septets(character: str) -> int:
    return 2 if character in EXTENDED else 1


def _units(character: str) -> int:
    return 2 if character > "\uffff" else 1
