"""Mask what nobody should keep: card numbers, IBANs, one-time codes, PINs and passwords.

Runs before a message is stored and before a model sees it. Errs towards masking: of the numbers that are as long as a
card's, one in ten has a right check digit by chance. What a model outside sees has no mail addresses and phone numbers
either (`bot/contacts.py`).
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from itertools import islice, pairwise
from string import ascii_letters, digits
from typing import Any, Final, NamedTuple, TypeAlias

JSON: TypeAlias = "dict[str, JSON] | list[JSON] | str | int | float | bool | None"


class Span(NamedTuple):
    """A stretch of text and what to put in its place."""

    start: int
    end: int
    instead: str


def mask(text: str) -> str:
    """Replace card numbers by "[card …4242]", IBANs by "[IBAN DE…3000]", named codes and PINs by "[code]" and named
    passwords by "[password]". Never raises, takes time linear in the text, and leaves masked text as it is."""
    # One mask can lay open another ("cvv 123" before a card); each round hides more, so there is a last one.
    while _needs_a_look(text) and (spans := _merge(_find(text))):
        text = _replace(text, spans)
    return text


def mask_value(value: JSON) -> JSON:
    """Copy a JSON value with every string in it masked, keys too. What stands under a key that names a secret, such as
    `password` or `cvv`, is masked whole if it is a string or a number."""
    root: list[Any] = [value]
    waiting: list[list[Any] | dict[str, Any]] = [root]
    while waiting:  # not recursive: how deep it goes is up to whoever sent it
        box = waiting.pop()
        if isinstance(box, dict):
            masked = {mask(key): _mask_item(key, item) for key, item in box.items()}
            box.clear()
            box.update(masked)
        else:
            box[:] = [_mask_item("", item) for item in box]
        inside = box.values() if isinstance(box, dict) else box
        waiting += [item for item in inside if isinstance(item, list | dict)]
    result: JSON = root[0]
    return result


def _mask_item(key: str, item: JSON) -> JSON:
    if isinstance(item, list | dict):
        return item.copy()
    if item and isinstance(item, str | int) and not isinstance(item, bool) and SECRET_KEY.search(key):
        return "[password]"
    return mask(item) if isinstance(item, str) else item


def _needs_a_look(text: str) -> bool:
    """The cheap test that most messages fail: no digit, and no word that announces a password."""
    if DIGIT.search(text):
        return True
    folded = text.lower()
    return any(stem in folded for stem in PASSWORD_STEMS)


def _find(text: str) -> Iterator[Span]:
    plain = _plain(text)
    folded = plain.lower()
    if any(stem in folded for stem in STEMS):
        yield from _secrets(plain)
    if "[card" in folded:
        for match in EXPIRY_AND_CODE.finditer(plain):
            yield Span(match.start("value"), match.end("value"), "[code]")
    yield from _ibans(plain)
    yield from _cards(plain)


def _plain(text: str) -> str:
    """The same text, character for character, with every script's digits, spaces and hyphens as in ASCII."""
    return text if text.isascii() else text.translate(PLAIN)


def _merge(found: Iterator[Span]) -> list[Span]:
    """Sort; unite what overlaps under the name of what starts first, or else is longer, or else was found first."""
    merged: list[Span] = []
    for span in sorted(found, key=lambda span: (span.start, -span.end)):
        if merged and span.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, span.end))
        else:
            merged.append(span)
    return merged


def _replace(text: str, spans: list[Span]) -> str:
    edges = [Span(0, 0, ""), *spans, Span(len(text), len(text), "")]
    return "".join(left.instead + text[left.end : right.start] for left, right in pairwise(edges))


# --- characters

DIGIT: Final = re.compile(r"\d")


class _Plain(dict[int, int]):
    """Maps a character to its plain form, and remembers it."""

    def __missing__(self, code: int) -> int:
        plain = _plain_form(code)
        if len(self) < 20_000:
            self[code] = plain
        return plain


def _plain_form(code: int) -> int:
    char = chr(code)
    decimal = unicodedata.decimal(char, None)
    if decimal is not None:
        return ord("0") + decimal
    if 0xFF01 <= code <= 0xFF5E:  # full-width forms
        return code - 0xFEE0
    if unicodedata.category(char) in {"Zs", "Cf"}:  # spaces, and what is invisible between digits
        return ord(" ")
    if unicodedata.category(char) == "Pd" or char == "\N{MINUS SIGN}":
        return ord("-")
    return ord(".") if char in "·․‧∙•" else code


PLAIN: Final = _Plain({code: code for code in range(0xA0)})

# --- card numbers: ISO/IEC 7812-1, up to 19 digits, the last of which is the check digit

SHORTEST_CARD: Final = 13
LONGEST_CARD: Final = 19
LONGEST_GAP: Final = 3
"""Characters between two groups of one card number, as in "4242 - 4242"."""

LONGEST_PHONE: Final = 14
"""Digits; E.164 allows 15, which nobody has, but an American Express card does."""

DIGITS_AND_GAPS: Final = re.compile(r"[0-9][0-9 \t.\-]{12,}")
DIGITS: Final = re.compile(r"[0-9]+")
NO_CARD: Final = re.compile(  # dates, and the order numbers of a very large shop
    r"(?<![0-9])(?:[0-9]{3}-[0-9]{7}-[0-9]{7}(?!-)|(?:19|20)[0-9]{2}([-.])(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[1-9]|[12][0-9]|3[01])([-.])(?:0[1-9]|1[0-2])\2(?:19|20)[0-9]{2})(?![0-9])"
)
DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

NOT_OF_BANKS: Final = frozenset("01789")
"""First digits of what is no bank's card, but may be an airline's (ISO/IEC 7812-1, major industry identifiers)."""

IS_ANOTHER_NUMBER: Final = re.compile(
    r"(?:order|purchase|invoice|tracking|parcel|shipment|booking|reservation|reference|ref|ticket|incident|case"
    r"|transaction|customer|contract|pedido|compra|factura|fatura|env[íi]o|reserva|referencia|refer[êe]ncia|encomenda"
    r"|bestell(?:ung|nummer)|rechnung(?:snummer)?|auftrag(?:snummer)?|sendung(?:snummer)?|vorgang(?:snummer)?"
    r"|kundennummer|commande|facture|colis|suivi|dossier|r[ée]f[ée]rence|ordine|fattura|spedizione|prenotazione"
    r"|ऑर्डर|आर्डर|बिल|रसीद|الطلب|طلب|طلبي|الفاتورة|فاتورة|الشحنة)"
    r"(?:[\s-]{0,2}(?:number|no|nr|num|id|code|number is|n[°ºo]|n[úu]mero|numero|नंबर|नम्बर|رقم))?[\s:.#=]{0,4}\Z",
    re.IGNORECASE,
)


def _cards(plain: str) -> Iterator[Span]:
    for run in DIGITS_AND_GAPS.finditer(plain):
        for start, end in _unite(_card_windows(plain, _chains(plain, *run.span()))):
            if plain[start] in NOT_OF_BANKS and IS_ANOTHER_NUMBER.search(plain[max(0, start - 40) : start]):
                continue
            last = "".join(DIGITS.findall(plain, start, end))[-4:]
            yield Span(start, end, f"[card …{last}]")


def _chains(plain: str, start: int, end: int) -> Iterator[list[tuple[int, int]]]:
    """The groups of digits in this stretch, as chains without wide gaps, dates and the like in them."""
    dates = [match.span() for match in NO_CARD.finditer(plain, start, end)]
    starts = [first for first, _ in dates]
    chain: list[tuple[int, int]] = []
    for group in DIGITS.finditer(plain, start, end):
        place = bisect_right(starts, group.start()) - 1
        in_date = place >= 0 and group.start() < dates[place][1]
        if chain and (in_date or group.start() - chain[-1][1] > LONGEST_GAP):
            yield chain
            chain = []
        if not in_date:
            chain.append(group.span())
    if chain:
        yield chain


def _card_windows(plain: str, chains: Iterator[list[tuple[int, int]]]) -> Iterator[tuple[int, int]]:
    """From each group that a card number can start with, to the last that it can end with."""
    for chain in chains:
        for first, (start, _) in enumerate(chain):
            end = _card_end(plain, start, chain[first : first + LONGEST_CARD])
            if end:
                yield start, end


def _card_end(plain: str, start: int, groups: list[tuple[int, int]]) -> int:
    shortest = LONGEST_PHONE + 1 if plain[start - 1 : start] == "+" else SHORTEST_CARD
    length = card_end = 0
    single = double = 0  # the Luhn sums if the last digit so far counts once, or doubled
    for group_start, group_end in groups:
        length += group_end - group_start
        if length > LONGEST_CARD:
            break
        for char in plain[group_start:group_end]:
            digit = ord(char) - 48
            single, double = double + digit, single + DOUBLED[digit]
        if length >= shortest and single % 10 == 0:
            card_end = group_end
    return card_end


def _unite(windows: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Unite overlapping windows, which come sorted by their start."""
    current: tuple[int, int] | None = None
    for start, end in windows:
        if current is not None and start < current[1]:
            current = (current[0], max(current[1], end))
            continue
        if current is not None:
            yield current
        current = (start, end)
    if current is not None:
        yield current


# --- IBANs: ISO 13616; the check is ISO 7064's mod 97-10, the lengths are those of SWIFT's registry

IBAN_START: Final = re.compile(r"(?<![A-Za-z])[A-Za-z]{2}[0-9]{2}(?=[ -]?[A-Za-z0-9])")
LONGEST_IBAN: Final = 34
IBAN_DIGITS: Final = 8
"""Digits that the account part of any IBAN has at least; keeps "at10 this morning ..." from being one by chance."""

IBAN_LENGTHS: Final = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
        "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HN28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 "
        "LB28 LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 "
        "PT25 QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 "
        "YE30 "
        # used, though not in the registry
        "AO25 BF28 BJ28 CF27 CG27 CI28 CM27 CV25 DZ26 GA27 GQ27 GW25 IR26 KM27 MA28 MG27 ML28 NE28 SN28 TD27 TG28",
    )
}

IBAN_VALUES: Final = {char: (10 if char.isdigit() else 100, int(char, 36)) for char in digits + ascii_letters}
"""By what to multiply the number so far, and what to add: a letter is two digits, A = 10 to Z = 35."""


def _ibans(plain: str) -> Iterator[Span]:
    done = 0
    for match in IBAN_START.finditer(plain):
        if match.start() >= done and (iban := _iban_at(plain, match.start())) is not None:
            done = iban.end
            yield iban


def _iban_at(plain: str, start: int) -> Span | None:
    """The IBAN that starts here, as long as its country's are: among longer words one in a hundred fits by chance."""
    country = plain[start : start + 2].upper()
    places = list(islice(_account(plain, start + 4), IBAN_LENGTHS.get(country, 4) - 4))
    if not places or len(places) < IBAN_LENGTHS[country] - 4:
        return None
    rest = count = 0
    for at in places:
        factor, value = IBAN_VALUES[plain[at]]
        rest = (rest * factor + value) % 97
        count += factor == 10
    if count < IBAN_DIGITS or not _checks(plain[start : start + 4], rest):
        return None
    end = places[-1] + 1
    last = "".join(char for char in plain[end - 12 : end] if char.isalnum())[-4:].upper()
    return Span(start, end, f"[IBAN {country}…{last}]")


def _checks(head: str, rest: int) -> bool:
    """Whether country and check digits fit the account part, of which `rest` is the remainder by 97."""
    for char in head:
        factor, value = IBAN_VALUES[char]
        rest = (rest * factor + value) % 97
    return rest == 1


def _account(plain: str, at: int) -> Iterator[int]:
    """Where the letters and digits of the account part are: at most 30, with single spaces or hyphens between."""
    for _ in range(LONGEST_IBAN - 4):
        if plain[at : at + 1] in {" ", "-"}:
            at += 1
        if plain[at : at + 1] not in IBAN_VALUES:
            return
        yield at
        at += 1


# --- codes and passwords: found by the word that names them, in the languages of the catalogues and in Italian


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


PASSWORD: Final = (
    r"passwords?|passwd|pwd|pass-?phrase|passwort|passw[öo]rter|kennwort|contrase(?:ñ|n\u0303?)as?|mots? de passe|mdp"
    r"|senhas?|palavra[- ]passe|clave|parola d'ordine|पासवर्ड|(?:و|ب)?كلم[ةه] (?:ال)?(?:مرور|سر)ي?"
    r"|(?:ال)?باسورد"
)
SHORT_PASSWORD: Final = r"pass|pw"
CODE: Final = (
    r"pins?|otp|2fa|mfa|cvv2?|cvc2?|csc|[ms]-?tan|tan|nip|[^\W\d_]{0,20}codes?|c[óo]digos?|einmal-?passwort|einmalkennwort"
    r"|one[- ]time[- ](?:password|pin)|(?:karten)?pr[üu]f(?:ziffer|nummer)|cryptogramme|geheim(?:zahl|nummer)|codic[ei]"
    r"|(?:three|3|tres|três|drei|trois|tre) (?:last )?(?:digits|d[íi]gitos|ziffern|chiffres|cifre)|ओटीपी|पिन|सीवीवी|कोड"
    r"|(?:و|ب)?(?:ال)?(?:رمز|كود)|(?:ال)?رقم(?:ي)? السري|رقم التعريف الشخصي"
)
BARE_CODE: Final = re.compile(r"codes?|c[óo]digos?|codic[ei]|कोड|(?:و|ب)?(?:ال)?(?:رمز|كود)", re.IGNORECASE)
OF_THE_CARD: Final = re.compile(
    r"security|sicherheit|s[ée]curit[ée]|seguridad|seguran[çc]a|sicurezza|सुरक्षा|الأمان|الحماية|cvv|cvc", re.IGNORECASE
)
"""What makes of a code one of three digits."""
NO_SECRET: Final = _words(
    """
    area bar barcode bic book booking branch color colour country coupon currency decline dial dialing dialling
    discount error errorcode fehlercode gift gutscheincode http invite item länder merchant order part post postal
    postcode product promo promocode promotion promotional qr qrcode rabattcode reason reference referral response
    routing shop sort source status statuscode store swift tax tracking unicode vorwahl voucher zip zipcode
    barras cliente client commande desconto descuento erreur erro errore fehler pays país pedido postale producto
    produto rabatt réduction sconto البريدي الخطأ المنتج الخصم العميل الطلب
    एरर त्रुटि कूपन प्रोमो ऑफर डिस्काउंट पोस्टल ज़िप देश रेफरल बैंक शाखा आईएफएससी
    """
)
"""Words that make of "code" something that is no secret, before it or in one word with it."""

STEMS: Final = (
    *(
        "pass",
        "pwd",
        "pw",
        "kennw",
        "contrase",
        "mdp",
        "senha",
        "clave",
        "pin",
        "otp",
        "cvv",
        "cvc",
        "csc",
        "tan",
        "nip",
    ),
    *("code", "código", "codigo", "prüf", "pruf", "cryptogramme", "geheim", "codic", "2fa", "mfa"),
    *("digit", "dígito", "ziffern", "chiffres", "cifre", "parola", "ओटीपी", "पिन", "सीवीवी", "कोड", "पासवर्ड"),
    *("رمز", "كود", "السري", "التعريف", "كلم", "باسورد"),
)
PASSWORD_STEMS: Final = (
    *("pass", "pwd", "pw", "kennw", "contrase", "mdp", "senha", "clave", "parola", "पासवर्ड", "كلم", "باسورد"),
)
SECRET_KEY: Final = re.compile(
    rf"(?<![^\W_])(?:{PASSWORD}|{SHORT_PASSWORD}|pin|otp|cvv2?|cvc2?|csc|passcode)(?![^\W_])", re.IGNORECASE
)

IS: Final = (
    r"is|was|are|were|ist|war|lautet|lautete|sind|es|era|son|est|était|etait|sont|é|foi|eram|são|sao|è|e'|sono|है|हैं|था|थी|hai|tha"
    r"|هو|هي|كان|كانت"
)
MY: Final = (
    r"my|your|the|our|his|her|mein|meine|dein|deine|ihr|ihre|der|die|das|mi|tu|su|el|la|mon|ma|votre|ton|le|meu|minha"
    r"|seu|sua|o|a|il|lo|mio|mia|tuo|tua|suo|मेरा|मेरी|आपका|आपकी|mera|meri|aapka|apka"
)
ABOUT: Final = (
    rf"{IS}|{MY}|an|me|i|for|of|de|del|do|da|du|des|d|von|dem|für|fuer|para|pour|un|una|une|just|got|received|here"
    r"|number|no|nr|num|nummer|número|numero|numéro|code|código|codigo|pin|otp|sms|new|old|current|neu|neue|neuer|nuevo"
    r"|nueva|secret|secreto|verification|vérification|verificación|verificacion|verificação|verificacao|security"
    r"|sécurité|securite|seguridad|segurança|seguranca|access|acceso|accès|acces|acesso|login|confirmation"
    r"|confirmación|confirmacion|confirmação|validation|validación|authentication|autenticação|one-time|solo|uso|usage"
    r"|unique|à|that|it|to|by|via|per|par|por|que|me|j'ai|you|sent|arrived|reçu|recu|recibí|recibi|recibido|llegó|llego"
    r"|enviaron|mandaron|recebi|chegou|che|ho|ricevuto|di|della|il|mio|verifica|conferma|sicurezza|accesso|monouso"
    r"|visuel|confidentiel|on|back|side|reverse|auf|rückseite|rueckseite|hinten|atrás|atras|detrás|detras|reverso|verso"
    r"|au|dos|sul|retro|card|tarjeta|karte|carte|cartão|cartao|carta|cvv2?|cvc2?|नंबर|नम्बर|का|की|आया|मिला|कार्ड|यह|कोड"
    r"|ka|ki|aaya|mila|التحقق|التأكيد|التفعيل|الأمان|الحماية|السري|الخاص|بي|الدخول|البطاقة"
    r"|للبطاقة|بطاقتي|حسابي|الذي|التي|وصلني|وصلتني|استلمته"
    r"|[46][ -]digits?|(?:de )?[46] d[íi]gitos|à [46] chiffres|الخاصة|خلف|[46]-?stellig\w{0,2}"
)
THINGS: Final = (
    r"account|card|bank|app|banking|online|user|profile|debit|credit|wallet|mail|email|konto|karte|girokarte|cuenta"
    r"|tarjeta|compte|carte|conta|cartão|cartao|cajero|banco|atm|wifi|wi-fi|and|und|y|et|e"
)
GAP: Final = r"[\s:=#>*'\"(~\-]"
CODE_DIGITS: Final = (
    r"(?:[0-9]{3}[ -][0-9]{3}(?![ -]?[0-9])|[0-9]{4}[ -][0-9]{4}(?![ -]?[0-9])"
    r"|[0-9]{2}[ -][0-9]{2}[ -][0-9]{2}(?![ -]?[0-9])|[0-9](?:[ -][0-9]){3,7}(?![ -]?[0-9])"
    r"|[0-9]{3,8}(?![.,:/-]?[0-9]|[^\W\d_]))(?!\s?(?:[€$£₹%]|(?:EUR|USD|GBP|INR|euros?|dollars?|rupees)(?!\w)))"
)

SECRET_WORD: Final = re.compile(
    rf"(?<![^\W_])(?:(?P<code>{CODE})|(?P<password>{PASSWORD})|(?P<short>{SHORT_PASSWORD}))(?![^\W\d_])", re.IGNORECASE
)
CODE_AFTER: Final = re.compile(
    rf"(?:(?:{GAP}{{1,4}}(?:{ABOUT})(?!\w)){{0,6}}"
    rf"|(?:{GAP}{{1,4}}(?:{ABOUT}|{THINGS})(?!\w)){{0,8}}(?:{GAP}{{1,4}}(?:{IS})(?!\w)|\s?[:=]))"
    rf"{GAP}{{0,4}}(?:[A-Za-z]-)?(?P<value>{CODE_DIGITS})",
    re.IGNORECASE,
)
TOLD: Final = re.compile(
    r"(?<!\w)(?:(?:it|which|that) (?:was|is)|(?:told|gave|sent) (?:him|her|them)(?: (?:the|it|that))?|les? (?:di|dije)"
    r"|(?:ihm|ihr|ihnen) (?:den|die)|lui ai (?:donné|dit)|lhe (?:dei|disse)|gli ho (?:dato|detto))\s\Z",
    re.IGNORECASE,
)
"""Before a code that was told to somebody."""

TOLD_CODE: Final = re.compile(
    r"[0-9]{3,8}(?![.,:/-]?[0-9]|[^\W\d_]|\s?(?:[€$£₹%]|(?:EUR|USD|GBP|INR|euros?|dollars?|rupees|times|days)(?!\w)))",
    re.IGNORECASE,
)

EXPIRY_AND_CODE: Final = re.compile(
    r"\[card …[0-9]{4}\][\s,;|:/-]{1,4}(?:exp\w{0,8}\W{0,3})?(?:0[1-9]|1[0-2])\s?[/-]\s?(?:20)?[0-9]{2}[\s,;|:/-]{1,4}"
    r"(?P<value>[0-9]{3,4})(?![0-9]|[.,/:-][0-9])",
    re.IGNORECASE,
)
"""What stands behind a card's number and its month: the code on its back."""

CODE_BEFORE: Final = re.compile(
    rf"(?<![\w.,/…-])(?:[A-Za-z]-)?(?P<value>{CODE_DIGITS})\s(?:(?:{IS}|as|als|como|comme|come)\s(?:(?:{MY})\s)?|(?:{MY})\s)"
    rf"(?:\w{{1,20}}\s)?(?:(?:{ABOUT})\s){{0,3}}\Z",
    re.IGNORECASE,
)
PASSWORD_AFTER: Final = re.compile(
    rf"[\"'*]{{0,2}}(?:\s{{1,3}}(?:{ABOUT}|{THINGS})(?!\w)){{0,6}}"
    rf"(?:\s{{0,2}}(?P<sign>[:=]|[-=]>)|\s{{1,3}}(?P<verb>{IS})(?!\w)\s?:?)[ \t*]{{0,3}}(?P<line>\n?)[ \t]{{0,3}}"
    r"(?P<value>\S)",
    re.IGNORECASE,
)
PASSWORD_BEFORE: Final = re.compile(
    rf"(?<!\S)(?P<value>[^\s\[\]…]{{1,64}})\s(?:{IS})\s(?:{MY})\s(?:(?:{ABOUT}|{THINGS})\s){{0,3}}\Z", re.IGNORECASE
)
QUOTED: Final = re.compile(r"\"[^\"\n]{1,100}\"|'[^'\n]{1,100}'|“[^”\n]{1,100}”|«[^»\n]{1,100}»|`[^`\n]{1,100}`")
SPACE: Final = re.compile(r"\s")
WORD_BEFORE: Final = re.compile(r"((?:[^\W\d_]|[\u0900-\u097f])+)[\s-]\Z")
LIKE_A_PASSWORD: Final = re.compile(r"(?!TKT-|https?:)(?=\S{0,40}[A-Za-z])[^\s\"'),;]{6,64}", re.IGNORECASE)
"""A word of letters and digits, nearly next to what it is the password of, needs no verb between."""

LONGEST_CLAUSE: Final = 60
VERBS: Final = frozenset(f"{IS}|to".split("|"))
ITS: Final = frozenset(MY.split("|"))
NEAR: Final = frozenset(
    f"{ABOUT}|{THINGS}|as|use|used|uso|usé|chose|set|entered|typed|tried|benutze|utilise".split("|")
)
ANOTHER_CLAUSE: Final = _words(
    """
    after amount and balance because before but e error et mais mas o or order pero porque since total und aber weil
    when y
    """
)
LETTERS: Final = re.compile(r"(?:[^\W\d_]|[\u0300-\u036f\u0900-\u097f'])+")
SENTENCE_END: Final = re.compile(r"[.!?\n]")
BEFORE_HAI: Final = re.compile(
    r"[ \t]{1,3}(?P<value>(?=\S{0,40}[0-9#$!@%&*_])\S{3,64})\s(?:है|था|hai|tha)(?!\w)", re.IGNORECASE
)
MASKED: Final = ("[password]", "[code]", "[card …", "[IBAN ")
LOOK: Final = 100
"""Characters before and after a word that are looked at."""

STATES: Final = _words(
    """
    a about accepted again all already also always an and as asked at bad because been being blocked bloqueada
    bloqueado bloquée broken but by cambiada case changed compromised correct correcta correcte correta da das de
    del des different do du el en errada erronea erroné errónea esqueci expirada expired expiré expirée fail failed
    failing fails falsch fausse for forgot forgotten from gesperrt gone good got hacked half hard has hat have how i
    ich if im in inactive incorrect incorrecta incorrecte incorreta into invalid invalide inválida it just kein la
    le locked lost mal me mein mi missing mon muy my nada needed never nicht no non not nothing now não of ok okay
    old older on only or oublié out pas perdida por posible périmé recognised recognized refused refusé rejected
    rejeté required reset right safe same saved secure set short should si sin so somehow still stolen strong su
    temporary than that the there this to too unbekannt und ungültig unknown unsafe up used using valid vergessen
    verkehrt very válida was weak weg what when where which why with working wrong ya you your zu à être
    ab ancora aún bereits depuis desde doch encore già immer leider noch schon seit sempre since siempre
    todavía toujours
    bloccata bloccato corretta corretto errato giusta giusto molto rotta sbagliata sbagliato scaduta scaduto stata
    stato troppo galat kya nahi nahin bhool sahi गलत ग़लत क्या नहीं सही خاطئة صحيحة خطأ نفسها غير ليست
    """
)
"""What follows "the password is" without being one. Anything else is masked."""


def _secrets(plain: str) -> Iterator[Span]:
    done = 0
    for word in SECRET_WORD.finditer(plain):
        if word.start() < done or _is_a_mask(plain, word):
            continue
        span = _code_near(plain, word) if word["code"] else _password_near(plain, word)
        if span is not None:
            done = span.end
            yield span


def _is_a_mask(plain: str, word: re.Match[str]) -> bool:
    return plain[word.start() - 1 : word.end() + 1].lower() in {"[password]", "[code]"}


def _code_near(plain: str, word: re.Match[str]) -> Span | None:
    name = word[0]
    if name in {"tan", "Tan"} or name.lower() in NO_SECRET:  # "tan" is a Spanish word
        return None
    before = plain[max(0, word.start() - LOOK) : word.start()]
    is_bare = BARE_CODE.fullmatch(name) is not None
    previous = WORD_BEFORE.search(before[-30:]) if is_bare else None
    if previous is not None and previous[1].lower() in NO_SECRET:
        return None
    shortest = 4 if is_bare and not OF_THE_CARD.search(plain[max(0, word.start() - 20) : word.end() + 30]) else 3
    return (
        _code_after(plain, word.end(), shortest)
        or _code_before(before, word.start())
        or _code_told(plain, word.end(), shortest)
    )


def _code_told(plain: str, at: int, shortest: int) -> Span | None:
    """The code that "is", or that was told to somebody, in the same clause as the word for it."""
    digit = DIGIT.search(plain, at, at + LONGEST_CLAUSE)
    if digit is None or not (value := TOLD_CODE.match(plain, digit.start())) or len(value[0]) < shortest:
        return None
    between = plain[at : digit.start()]
    told = between[-1:].isspace() and (_is_clause(between) or TOLD.search(between))
    return Span(*value.span(), "[code]") if told and not SENTENCE_END.search(between) else None


def _mixed_word(plain: str, at: int) -> Span | None:
    """The word of letters and digits in the same clause as the word for a password."""
    digit = DIGIT.search(plain, at, at + LONGEST_CLAUSE)
    if digit is None:
        return None
    between = plain[at : digit.start()]
    start = at + max(between.rfind(gap) for gap in " \t\n\"'(:=,;>→–") + 1
    value = LIKE_A_PASSWORD.match(plain, start)
    if value is None or start == at or value[0].startswith(MASKED):
        return None
    between = plain[at:start]
    is_its = _is_clause(between) or {word.lower() for word in LETTERS.findall(between)} <= NEAR
    return Span(*value.span(), "[password]") if is_its and not SENTENCE_END.search(between) else None


def _is_clause(between: str) -> bool:
    """Whether these words say that what follows is what stands before them: a few words of one clause and "is", or
    "is my"."""
    words = LETTERS.findall(between.lower())
    if not 0 < len(words) <= 7 or "," in between or not (ANOTHER_CLAUSE | NO_SECRET).isdisjoint(words):
        return False
    return words[-1] in VERBS or (len(words) > 1 and words[-2] in VERBS and words[-1] in ITS)


def _code_after(plain: str, at: int, shortest: int) -> Span | None:
    match = CODE_AFTER.match(plain[at : at + LOOK])
    if match is None or len(match["value"]) < shortest:
        return None
    return Span(at + match.start("value"), at + match.end("value"), "[code]")


def _code_before(before: str, at: int) -> Span | None:
    match = CODE_BEFORE.search(before)
    if match is None:
        return None
    start = at - len(before)
    return Span(start + match.start("value"), start + match.end("value"), "[code]")


def _password_near(plain: str, word: re.Match[str]) -> Span | None:
    match = PASSWORD_AFTER.match(plain[word.end() : word.end() + LOOK])
    if match is not None and (match["sign"] or not word["short"]):
        return _password_at(plain, word.end() + match.start("value"), bool(match["verb"]), bool(match["line"]))
    if (span := _mixed_word(plain, word.end())) is not None:
        return span
    if found := BEFORE_HAI.match(plain[word.end() : word.end() + LOOK]):
        return Span(word.end() + found.start("value"), word.end() + found.end("value"), "[password]")
    if word["short"]:
        return None
    before = plain[max(0, word.start() - LOOK) : word.start()]
    return _code_after(plain, word.end(), shortest=4) or _password_before(before, word.start())


def _password_at(plain: str, start: int, after_verb: bool, on_next_line: bool) -> Span | None:
    """The password that starts here. After a mere "is" it may be a word about the password instead, and on the next
    line the next sentence."""
    if plain.startswith(MASKED, start):
        return None
    if quoted := QUOTED.match(plain, start):
        return Span(start, quoted.end(), "[password]")
    space = SPACE.search(plain, start)
    end = space.start() if space else len(plain)
    word = plain[start : min(end, start + 40)].strip(".,;:!?()\"'").lower()
    is_talk = (after_verb and (not word or word in STATES)) or (on_next_line and word.isalpha())
    return None if is_talk else Span(start, end, "[password]")


def _password_before(before: str, at: int) -> Span | None:
    match = PASSWORD_BEFORE.search(before)
    if match is None or not DIGIT.search(match["value"]):
        return None
    start = at - len(before)
    return Span(start + match.start("value"), start + match.end("value"), "[password]")
