"""Variants of training messages: what people write around a problem, and how badly they type it.

Everything here depends on the texts and on the dice that are handed in, so that training stays repeatable.
"""

import random
import re
import unicodedata
from collections.abc import Iterator, Sequence

from bot.model import Category
from bot.patterns import Shares, Written

MISTYPED = (0.03, 0.12)  # share of the letters that are wrong: from, to
BESIDE = {  # the keys around a key
    "q": "wa", "w": "qase", "e": "wsdr", "r": "edft", "t": "rfgy", "y": "tghu", "u": "yhji", "i": "ujko", "o": "iklp",
    "p": "ol", "a": "qwsz", "s": "awedxz", "d": "serfcx", "f": "drtgvc", "g": "ftyhbv", "h": "gyujnb", "j": "huikmn",
    "k": "jiolm", "l": "kop", "z": "asx", "x": "zsdc", "c": "xdfv", "v": "cfgb", "b": "vghn", "n": "bhjm", "m": "njk",
}  # fmt: skip
SPELT = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "ı": "i", "ł": "l"}  # what has no accent that could be dropped
SHORT = {
    "you": "u", "your": "ur", "are": "r", "please": "pls", "because": "cuz", "and": "n", "for": "4", "to": "2",
    "account": "acct", "payment": "pymt", "transaction": "txn", "amount": "amt", "customer": "cust", "why": "y",
    "message": "msg", "the": "", "a": "", "my": "", "is": "", "was": "", "have": "", "with": "w", "through": "thru",
    "people": "ppl", "thanks": "thx", "statement": "stmt", "balance": "bal", "password": "pw", "something": "smth",
}  # fmt: skip
_WORD = re.compile(r"\w+")
_CAUSES = frozenset(Category) - {Category.REFUND_REQUEST, Category.OTHER}
_LESSER = {  # with two problems the one with more harm counts; these are the problems that it counts more than
    Category.FRAUD_REPORT: frozenset(Category) - {Category.FRAUD_REPORT},
    Category.ACCOUNT_LOCKED: frozenset(Category) - {Category.FRAUD_REPORT, Category.ACCOUNT_LOCKED},
}

_Message = tuple[str, Shares]


def composed(written: Written, dice: random.Random) -> Iterator[_Message]:
    """Yield messages of two or three sentences: a cause with what is asked for, a problem between fillers, a problem
    with a question, two problems of which one does more harm, and the fillers alone, whole and in pieces."""
    plain = [(text, next(iter(shares))) for text, shares in written.messages if len(shares) == 1 and text.isascii()]
    by_category = {name: [text for text, category in plain if category == name] for name in Category}
    for text, category in plain:
        if category in _CAUSES and written.remedies and dice.random() < 0.3:
            yield _joined([text, dice.choice(written.remedies)], dice), {category: 1.0}
        if written.fillers and dice.random() < 0.4:
            before, after = (dice.choice(written.fillers) for _ in range(2))
            yield _joined(dice.choice([[before, text], [text, after], [before, text, after]]), dice), {category: 1.0}
        if category != Category.OTHER and by_category[Category.OTHER] and dice.random() < 0.1:
            parts = [text, dice.choice(by_category[Category.OTHER])]
            yield _joined(dice.sample(parts, 2), dice), {category: 1.0}
        if category in _LESSER and dice.random() < 0.3:
            others = by_category[dice.choice(sorted(_LESSER[category]))]
            if others:
                other = dice.choice(others)
                both = [f"{other} because {text}", _joined(dice.sample([text, other], 2), dice)]
                yield dice.choice(both), {category: 1.0}
    for text in written.fillers:
        yield text, {Category.OTHER: 1.0}
        words = " ".join([text, *(dice.choice(written.fillers) for _ in range(2))]).split()
        start = dice.randrange(len(words) // 2 + 1)
        yield " ".join(words[start : start + dice.randint(4, 16)]), {Category.OTHER: 1.0}


def _joined(parts: Sequence[str], dice: random.Random) -> str:
    return dice.choice([". ", ". ", ", ", " ", " - ", "\n", " and "]).join(parts)


def mistyped(text: str, dice: random.Random) -> str:
    """Return the text as somebody types it in a hurry: letters swapped, doubled, left out, hit beside, with few spaces
    less. How many, the dice say."""
    share = dice.uniform(*MISTYPED)
    written: list[str] = []
    for letter in text:
        if dice.random() >= share:
            written.append(letter)
            continue
        match dice.randrange(4):
            case 0:
                written += [letter, letter]
            case 1:
                written.append(dice.choice(BESIDE.get(letter.lower(), letter)))
            case 2:
                written.insert(-1 if written else 0, letter)
    return "".join(written)


def shortened(text: str, dice: random.Random) -> str:
    """Return the text as somebody notes it down: some words left out or cut short."""
    return _WORD.sub(lambda word: SHORT.get(word[0].lower(), word[0]) if dice.random() < 0.7 else word[0], text)


def without_accents(text: str, dice: random.Random) -> str:
    """Return the text as somebody types it on a foreign keyboard (German vowels as pairs or without their dots)."""
    spelt = SPELT if dice.random() < 0.5 else {}
    letters = "".join(spelt.get(letter, letter) for letter in text.lower())
    apart = unicodedata.normalize("NFD", letters)
    bare = "".join(mark for mark in apart if not "\u0300" <= mark <= "\u036f")
    return unicodedata.normalize("NFC", "".join(SPELT.get(letter, letter) for letter in bare))
