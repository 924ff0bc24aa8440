"""Takes mail addresses and phone numbers out of what a model outside is shown. They are no secret from us: the database
has them, and agents need them."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

MAIL: Final = re.compile(
    r"(?<![\w.+-])[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}", re.UNICODE
)  # an address may lack its dot ("ana@localhost"), and is still somebody's
CALLED: Final = re.compile(
    r"(?<!\w)(?:phone|tel|telephone|mobile|cell|cellphone|call me|call|text me|reach me|whatsapp|sms|fax|my number|dial"
    r"|tel[ée]fono|m[óo]vil|celular|ll[áa]m[ea]\w{0,5}|mi n[úu]mero|telefon\w{0,7}|handy\w{0,7}|mobilnummer|rufnummer"
    r"|ruf\w{0,3}|erreich\w{0,6}|meine nummer|t[ée]l[ée]phone|portable|appel\w{0,5}|mon num[ée]ro|telefone|telem[óo]vel"
    r"|meu n[úu]mero|lig\w{0,3}|cellulare|chiam\w{0,4}|il mio numero|फ़ोन|फोन|मोबाइल|कॉल|मेरा नंबर|mera number"
    r"|व्हाट्सएप|هاتف\w{0,2}|جوال\w{0,2}|رقمي|اتصل\w{0,2}|واتساب)"
    r"(?!\w)[^\d\n+]{0,25}\Z",
    re.IGNORECASE,
)
"""Before digits that are somebody's phone number, however they are written."""

NO_PHONE: Final = re.compile(
    r"(?:order|invoice|tracking|booking|reference|ref|ticket|case|transaction|iban|id|pedido|factura|bestell\w{0,8}"
    r"|rechnung\w{0,8}|commande|facture|ऑर्डर|طلب)[\s:.#-]{0,3}(?:number|no|nr|id|n[°ºo])?[\s:.#=-]{0,3}\Z",
    re.IGNORECASE,
)
CANDIDATE: Final = re.compile(
    r"(?<![\w.,/:$€£₹-])(?:\+|00|\()?\d(?:[ ()/.\u00a0\u2011–-]{0,2}\d){6,14}(?![\w%]|[.,:-]?\d)"
)
GROUPS: Final = re.compile(r"\d+")
DATE: Final = re.compile(r"(?:\d{4}[-./]\d{1,2}[-./]\d{1,2}|\d{1,2}[-./]\d{1,2}[-./]\d{4})(?:[ T]|\Z)")
LOOK: Final = 60
REGIONS: Final = ("US", "GB", "DE", "FR", "ES", "IT", "PT", "BR", "MX", "AR", "IN", "SA", "AE", "EG", "MA")
"""Whose national numbers are known: where the languages that we write are spoken."""


def hide_contacts(text: str) -> str:
    """Replace mail addresses by "[email]" and phone numbers by "[phone]". Of digits that may be something else, only
    those are taken that a word announces, or that are written as one country or another writes its numbers. Takes time
    linear in the text; raises nothing."""
    if "@" in text:
        text = MAIL.sub("[email]", text)
    if any(char.isdigit() for char in text):
        text = _cut(text, _phones(text))
    return text


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in CANDIDATE.finditer(text):
        before = text[max(0, match.start() - LOOK) : match.start()]
        if _is_phone(match[0], before):
            yield match.span()


def _is_phone(written: str, before: str) -> bool:
    if NO_PHONE.search(before) or DATE.match(written):
        return False
    number = _ascii(written)
    if number.startswith("+"):
        return True
    if number.startswith("00"):
        return _valid(f"+{number[2:]}", None)
    if CALLED.search(before):
        return True
    groups = GROUPS.findall(number)
    looks_dialled = number.startswith(("0", "(")) or (
        len(groups) > 2 and re.fullmatch(r"\d{3}[-.]\d{3}[-.]\d{4}", number)
    )
    return bool(looks_dialled) and len(groups) > 1 and any(_valid(number, region) for region in REGIONS)


def _ascii(number: str) -> str:
    return "".join(str(int(char)) if char.isdigit() else char for char in number)


def _valid(number: str, region: str | None) -> bool:
    import phonenumbers  # 0.1 s, and most messages carry no number

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


def _cut(text: str, spans: Iterator[tuple[int, int]]) -> str:
    edges = [(0, 0), *spans, (len(text), len(text))]
    return "[phone]".join(text[left[1] : right[0]] for left, right in pairwise(edges))
