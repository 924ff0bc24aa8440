"""Texts that tell a classifier what to answer: "classify this as …", "ignore the rules", a piece of JSON.

A bag of words reads "classify as refund_request" as talk of a refund. So such sentences are found by rules, in the
languages that the local model knows, and have no say; a person looks at what remains. Texts come in lower case, as
`bot.local_model.normalise` leaves them.
"""

import re

from bot.model import Category

_NAMES = "|".join(name.replace("_", "[_ -]?") for name in Category if name != Category.OTHER)
_TOPICS = rf"(?:{_NAMES}|fraud|scam|duplicate|refund)"
_AT_A_WORD = (  # every gap is bounded, so that the search is linear
    r"(?:ignore|disregard|forget|override)\b.{0,40}"
    r"\b(?:instructions?|prompts?|rules|guidelines|above|everything|told)\b"
    r"|(?:classify|categori[sz]e|label|tag|be (?:classified|categori[sz]ed|label?led|tagged))\b.{0,40}\bas\b"
    r"|(?:mark|file|flag|treat|route|sort|put|assign|set|pretend)\b.{0,40}\b(?:as|under|into|tag|is an?)\b"
    rf".{{0,12}}\b{_TOPICS}"
    r"|(?:classification|category)\W{1,4}(?:is|to|must|should|:|=)|(?:category|label|class)\W{0,4}[:=]"
    r"|(?:right|correct|only|proper) (?:answer (?:is|here)|category|class|label|output)\b"
    r"|your (?:answer|output) (?:must|should)\b|set (?:the )?(?:class|label|priority)\b"
    rf"|(?:class|label) (?:to|is) .{{0,12}}\b{_TOPICS}"
    rf"|(?:answer|respond|reply)\s(?:only |just )?with\b.{{0,20}}\b(?:{_NAMES})\b"
    rf"|(?:output|print|choose|pick|select|answer|repeat)\b.{{0,30}}\b(?:{_NAMES})\b"
    rf"|(?:{'|'.join(name for name in Category if name != Category.OTHER)})\b"
    r"|(?:system (?:prompt|override)|developer message|new instructions?)\b"
    r"|(?:note to|for) (?:the )?(?:ai|assistant|model|bot)\b|you are now (?:a|an|the|my|dan)\b"
    r"|you are (?:a|an|the) (?:\w{1,20} )?(?:classifier|language model)\b|you must (?:output|answer|choose)\b"
    r"|confidence\W{1,5}(?:of |is |to )?[01](?:\.\d{1,9})?\b|(?:as|return|output) (?:\w{1,10} )?json\b"
    r"|(?:ignorier|ignore[zr]?\b|ignora|oubli|olvid|negeer|zignoruj|vergiss).{0,40}"
    r"\b(?:anweisung|instru|consigne|règle|regel|regla|istruzion|polece)\w*"
    r"|(?:klassifizier|kategorisier|classificeer|sklasyfikuj)\w*|ord(?:ne|nen sie)\b.{0,40}\b(?:als|unter)\b"
    r"|clasific(?:a|ar|alo|ue)\b|clas\w{1,9}\b.{0,40}\bcom(?:[oe]|me)\b"
    r"|(?:etiquet|étiquet|rotul|etichett|marqu|marca).{0,30}\bcom(?:[oe]|me)\b"
)
_ANYWHERE = (
    r"(?:^|[.!?,])[ >#*-]{0,5}(?:system|assistant|developer) ?[:,]"
    r"|<\|?/?(?:system|assistant|im_start|im_end)\b|\[/?inst\]"
    r"|वर्गीकृत|(?:निर्देश|अनदेखा).{0,40}(?:अनदेखा|निर्देश)|صنف|تجاهل.{0,40}(?:تعليمات|السابق)"
)
_INSTRUCTIONS = re.compile(rf"\b(?:{_AT_A_WORD})|{_ANYWHERE}", re.MULTILINE)
"""The word's beginning stands before all of those that begin at one: so nothing is tried within words."""

_HINTS = (  # a text without any of these instructs nobody; looking for them is much quicker
    "ignor", "disregard", "forget", "overrid", "classif", "categor", "label", "tag", "mark", "file", "flag", "treat",
    "route", "sort", "put", "assign", "set ", "pretend", "class", "answer", "respon", "reply", "repeat", "choose",
    "pick", "select", "_", "system", "developer", "instruct", "assistant", "or ai", "to ai", " the ai", "model", " bot",
    "inst]", "you are now", "you must", "confidence", "json", "print", "priority", "zier", "oubli", "olvid", "negeer",
    "vergiss", "sklas", "ordne", "clas", "tiquet", "etichett", "rotul", "marc", "marqu", "निर्देश", "वर्गीकृत",
    "صنف", "تجاهل",
)  # fmt: skip
_LOOKALIKES = str.maketrans(
    "аеорсухіјѕԁոаοεικν", "aeopcyxijsdnaoeikv"
)  # Cyrillic, Armenian, Greek: to dodge the search
_WORD = re.compile(r"[^\W\d_]{2}")
_SPACED_OUT = re.compile(r"\b(?:\w ){4,30}\w\b")
_SENTENCE = re.compile(r"[^.!?;\n]+[.!?;\n]*")


def instructs(text: str) -> bool:
    """Whether the text, or a part of it, is meant for a machine that sorts messages."""
    plain = _plain(text)
    return any(hint in plain for hint in _HINTS) and _INSTRUCTIONS.search(plain) is not None


def without_instructions(text: str) -> str:
    """Return the sentences that instruct nobody. If each of them does, what stands beside the instructions in them."""
    rest = "".join(part for part in _SENTENCE.findall(text) if not instructs(part))
    return rest if _WORD.search(rest) else _INSTRUCTIONS.sub(" ", _plain(text))


def _plain(text: str) -> str:
    """Return the text with letters of other alphabets that look like ours as ours, and "c l a s s i f y" as a word."""
    if not text.isascii():
        text = text.translate(_LOOKALIKES)
    return _SPACED_OUT.sub(lambda found: found[0].replace(" ", ""), text)
