"""What a message about a payment does not tell yet: how much, when, and the last four digits of the card.

In doubt a thing counts as told: nobody is to be asked for what they have written. The text is cut into tokens once, and
every rule looks at a number and a few tokens around it, so the time is linear in the text.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from bot.model import Category

ASKED: Final = frozenset({Category.DUPLICATE_PAYMENT, Category.FAILED_PAYMENT})

LONGEST: Final = 20_000
"""Characters of a text that is looked at; a longer one counts as telling all. Others wait while this is done."""


def missing(category: Category, text: str) -> tuple[str, ...]:
    """Return which of "amount", "date" and "last_four", in this order, the masked text of a duplicate or a failed
    payment does not hold; for other categories nothing. Knows the words of English, Spanish, German, French,
    Portuguese, Hindi and Arabic."""
    if category not in ASKED or len(text) > LONGEST:
        return ()
    tokens = TOKEN.findall(_plain(text))
    places = [_Place(tokens, at) for at, token in enumerate(tokens) if _may_tell(token)]
    return tuple(name for name, is_told in CHECKS if not any(map(is_told, places)))


# --- reading


@dataclass(frozen=True, slots=True)
class _Place:
    """A token among the others."""

    tokens: Sequence[str]
    at: int

    @property
    def token(self) -> str:
        return self.tokens[self.at]

    def next(self, steps: int) -> str:
        """The token so many steps on (or back), "" beyond the ends."""
        at = self.at + steps
        return self.tokens[at] if 0 <= at < len(self.tokens) else ""

    def around(self, before: int, after: int) -> set[str]:
        """The tokens so many before and so many after this one."""
        at = self.at
        return {*self.tokens[max(0, at - before) : at], *self.tokens[at + 1 : at + 1 + after]}


TOKEN: Final = re.compile(r"\d+(?:[.,:/'’-]\d+)*|(?:[^\W\d_]|[\u0900-\u0963])++|\S")
"""A number as it is written, dates too; a word, with the vowel signs of Devanagari; or any other character."""

SPELT_OUT: Final = re.compile(r"(?<!\d)(?<!\d )\d \d \d \d(?! ?\d)")
TICKET: Final = re.compile(r"\btkt-[0-9a-f]{8}\b")
"""Our own numbers say nothing about the payment."""


def _plain(text: str) -> str:
    """Lower case, ASCII digits, no accents or vowel marks, and "4 2 4 2" as 4242."""
    lines = text.replace("\n", " ; ")  # the end of a line parts as well as a comma does
    plain = lines.lower() if lines.isascii() else "".join(map(_plain_form, lines))
    plain = " ".join(plain.split())
    return TICKET.sub(" ", SPELT_OUT.sub(lambda digits: digits[0].replace(" ", ""), plain))


@lru_cache(maxsize=8192)
def _plain_form(char: str) -> str:
    # One character at a time: to put a long run of accents into order takes time that is quadratic in the run.
    if char in "٫٬":  # the Arabic decimal and thousands separators
        return "." if char == "٫" else ","
    if unicodedata.category(char) == "Pd" or char == "\N{MINUS SIGN}":
        return "-"
    return "".join(map(_bare, unicodedata.normalize("NFKD", char.casefold())))


def _bare(char: str) -> str:
    if unicodedata.category(char) == "Cf" or "\u0300" <= char <= "\u036f" or char in MARKS:
        return ""
    decimal = unicodedata.decimal(char, None)
    return LETTERS.get(char, char) if decimal is None else str(decimal)


MARKS: Final = frozenset("\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u0653\u0654\u0655\u0670\u093c")
"""Arabic vowels, hamzas above a letter, the stretcher; the dot of Devanagari."""

LETTERS: Final = {"ى": "ي", "ة": "ه", "ی": "ي", "ک": "ك", "ँ": "ं", "ı": "i"}


def _words(text: str) -> frozenset[str]:
    return frozenset(_plain(" ".join(text.split())).split())


# --- amounts

CURRENCIES: Final = _words(
    """
    aed afn amd ars aud azn bam bdt bgn bhd bob brl bwp byn cad chf clp cny cop crc czk dkk dop dzd egp eur gbp gel
    ghs gtq hkd hnl hrk huf idr ils inr iqd irr isk jmd jod jpy kes krw kwd kzt lbp lkr lyd mad mdl mkd mmk mur mxn
    myr mzn ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub sar sdg sek sgd syp thb tnd try ttd
    twd tzs uah ugx usd uyu uzs ves vnd xaf xof yer zar zmw
    bitcoin btc buck bucks cent cents centimes centavos centimos centime dinar dinars dirham dirhams dolares dolar
    dollar dollars eth euro euros franc francs franken franco francos grand kr krona kronen libra libras lira liras
    lire livres naira paisa paise pence penny peso pesos pfund pound pounds quid rand real reais real rial rials riyal
    riyals rs
    rupee rupees rupia rupias roupies rupien rupaye rupay rupya rupiya ruble rubles shilling shillings sol soles
    sterling tl usdt yen yuan zloty zlotys zl lakh lakhs crore
    रुपये रुपए रुपया रूपये रूपए रु डॉलर यूरो पाउंड पैसे रियाल दिरहम लाख हजार करोड़
    """
)
ARABIC_CURRENCIES: Final = tuple(_words("ريال دولار يورو جنيه دينار دنانير درهم دراهم ليره ليرات هلله فلس قرش دج"))
"""Stems, for articles, prepositions and endings are written together with them."""

AMOUNT_WORDS: Final = _words(
    """
    payment purchase refund amount amounts amounting total sum price cost costs value worth paid pay payed charged
    charge deducted debited debit taken took withdrawn billed transferred sent spent
    pago compra importe cantidad monto suma precio valor coste costo pague pagado cobraron cobrado cobro cobrando
    cargo cargaron cargado cargos descontaron pagar cuesta
    kauf betrag summe preis bezahlt gezahlt zahlte bezahlte abgebucht belastet eingezogen abgezogen berechnet kostet
    kosten uberwiesen zahlung paiement achat montant somme prix paye payer debite debites preleve preleves facture
    facturee coute cout virement
    pagamento quantia montante preco paguei pago cobraram cobrada descontaram debitado debitaram custou total
    राशि रकम कीमत कट कटे काटे कटा भुगतान दिए दिया amount paisa kat kate
    مبلغ المبلغ بمبلغ قيمه بقيمه القيمه دفعت خصم سحب دفع خصموا
    """
)
ORDER_WORDS: Final = _words(
    """
    order orders ordernumber ticket invoice booking reference ref receipt case id transaction tracking pedido orden
    factura referencia reserva bestellung bestellnummer auftrag auftragsnummer rechnung rechnungsnummer vorgang
    vorgangsnummer buchung
    commande facture reservation encomenda fatura referencia
    ऑर्डर आर्डर इनवॉइस टिकट طلب الطلب طلبيه الطلبيه فاتوره الفاتوره
    """
)
NUMBER_SIGNS: Final = _words(
    "# no nr num nbr number numero nummer numbers n ° º º: : . is = ist es est e नंबर संख्या رقم رقمه"
)
"""What stands between "order" and its number."""

COUNTED: Final = _words(
    """
    times time x days day weeks week months month hours hour minutes minute minutos mins years year payments payment
    charges charge transactions transaction orders items tickets people attempts
    veces vez dias dia semanas semana meses mes horas hora minuto pagos cobros cargos intentos
    mal tage tagen tag wochen woche monate monaten monat stunden stunde minuten jahre zahlungen buchungen abbuchungen
    fois jours jour semaines semaine mois heures heure minute paiements prelevements
    vezes pagamentos cobrancas tentativas
    बार दिन दिनों हफ्ते महीने घंटे मिनट baar din hafte
    مرات مره مرتين ايام يوم اسابيع اسبوع اشهر شهر ساعات ساعه دقائق دقيقه
    occasions cards
    am pm uhr h hrs hs st nd rd th % percent prozent
    """
)
NUMBER_WORDS: Final = _words(
    """
    a one un una une um uma ein eine einen एक
    two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
    nineteen twenty thirty forty fourty fifty sixty seventy eighty ninety hundred hundreds thousand million
    dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis veinte veinticinco
    treinta cuarenta cincuenta sesenta setenta ochenta noventa cien ciento cientos doscientos trescientos quinientos
    mil
    zwei drei vier funf sechs sieben acht neun zehn elf zwolf fuenf zwoelf
    deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize vingt trente quarante
    cinquante soixante cent cents mille dois duas quatro sete oito nove dez vinte trinta quarenta cinquenta sessenta
    oitenta noventa cem cento duzentos trezentos quinhentos दो तीन चार पांच छह सात आठ नौ दस बीस पच्चीस तीस चालीस पचास
    साठ सत्तर अस्सी नब्बे सौ हजार हज़ार
    pachas sau hazaar hazar
    ثلاثه اربعه خمسه سته سبعه ثمانيه تسعه عشره عشرين ثلاثين اربعين خمسين ستين سبعين ثمانين تسعين عشرون ثلاثون اربعون
    خمسون ستون سبعون ثمانون تسعون مئه مائه ميه مئتين مئتان الف الفين
    """
)
ARTICLES: Final = _words("a one un una une um uma ein eine einen एक")
PLAIN_NUMBERS: Final = NUMBER_WORDS - ARTICLES
SEPARATORS: Final = frozenset({"", ",", ";", "."})
GERMAN_NUMBER: Final = re.compile(r"[a-z]{1,40}(?:zehn|zig|ssig|hundert|tausend)")

MONEY: Final = re.compile(r"\d{1,3}(?:[.,'’]\d{2,3})*[.,]\d{2,3}|\d+[.,]\d{1,2}")
"""Decimals or groups of thousands, "1,00,000" too. "4.242" is one as well."""

INTEGER: Final = re.compile(r"\d{1,7}")


def _is_amount(place: _Place) -> bool:
    token = place.token
    if not token[0].isdigit():
        return _is_spelt_amount(place)
    if DATE.fullmatch(token) and not DAY_AND_MONTH.fullmatch(token):
        return False
    return _has_currency(place) or _has_dash(place) or _is_money(place) or _is_bare_amount(place)


def _is_spelt_amount(place: _Place) -> bool:
    """Whether this is the currency in "fifty dollars", or the number in "paid fifty"."""
    before = place.next(-1)
    if _is_currency(place.token) and (before in NUMBER_WORDS or GERMAN_NUMBER.fullmatch(before)):
        return True
    return place.token in PLAIN_NUMBERS and before in AMOUNT_WORDS and place.next(1) not in COUNTED


def _is_currency(token: str) -> bool:
    if not token:
        return False
    if len(token) == 1:
        return unicodedata.category(token) == "Sc"
    return token in CURRENCIES or (not token.isascii() and any(stem in token for stem in ARABIC_CURRENCIES))


def _has_currency(place: _Place) -> bool:
    if _is_currency(place.next(1)):
        return True
    back = -2 if place.next(-1) in {".", ":", "-", "~", "+"} else -1
    return _is_currency(place.next(back)) or (place.next(1) in {"k", "mil", "thousand"} and _is_currency(place.next(2)))


def _has_dash(place: _Place) -> bool:
    """Whether it is written like "50,-" or "1200/-"."""
    return place.next(1) in {",", ".", "/"} and place.next(2) == "-"


def _is_money(place: _Place) -> bool:
    if not MONEY.fullmatch(place.token) or place.next(1) in COUNTED:
        return False
    return not (_is_day_and_month(place.token) and place.next(-1) in DAY_PREPOSITIONS)


def _is_bare_amount(place: _Place) -> bool:
    """Whether it is a number without a currency, but beside a word about paying, or alone between commas."""
    if not INTEGER.fullmatch(place.token) or place.next(1) in NO_MONEY or _is_of_order(place) or _is_of_card(place):
        return False
    before = place.next(-1)
    if before in AMOUNT_WORDS:
        return True
    if before in MONTH_NAMES or YEAR.fullmatch(place.token) or (before in DAY_PREPOSITIONS and len(place.token) < 3):
        return False
    if len(place.token) < 4 and {before, place.next(1)} <= SEPARATORS:
        return True
    return not AMOUNT_WORDS.isdisjoint(place.around(3, 2))


def _is_of_order(place: _Place) -> bool:
    """Whether it is an order's number: "order 4711", "pedido n.º 4711"."""
    steps = -1
    while steps > -4 and place.next(steps) in NUMBER_SIGNS:
        steps -= 1
    return place.next(steps) in ORDER_WORDS or place.next(-1) == "#"


# --- dates

DATE: Final = re.compile(
    r"\d{4}([./-])\d{1,2}\1\d{1,2}|\d{1,2}([./-])\d{1,2}\2(?:\d{4}|\d{2})|\d{1,2}[./-]\d{1,2}"
    r"|20\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
)
DAY_AND_MONTH: Final = re.compile(r"(\d{1,2})[./-](\d{1,2})")
DAY: Final = re.compile(r"0?[1-9]|[12]\d|3[01]")
YEAR: Final = re.compile(r"(?:19|20)\d{2}")

MONTHS: Final = _words(
    """
    january february april june july august september sept october november december
    enero febrero marzo abril mayo junio julio septiembre setiembre octubre noviembre diciembre
    januar janner februar marz maerz mai juni juli oktober dezember
    janvier fevrier avril juin juillet aout septembre octobre novembre decembre
    janeiro fevereiro marco maio junho julho agosto setembro outubro novembro dezembro
    जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर सितम्बर अक्टूबर अक्तूबर नवंबर नवम्बर दिसंबर दिसम्बर
    يناير فبراير مارس ابريل مايو يونيو يونيه يوليو يوليه اغسطس سبتمبر اكتوبر نوفمبر ديسمبر شباط اذار نيسان ايار
    حزيران تموز ايلول تشرين كانون رمضان
    """
)
MONTHS_OR_WORDS: Final = _words(
    "may march mars mar jan feb apr abr avr jun jul aug ago sep set oct okt out nov dec dic dez fev ene juil"
)
"""Months only beside a day or a year: "may" is a verb as well."""

WEEKDAYS: Final = _words(
    """
    monday tuesday wednesday thursday friday saturday sunday tue tues wed thu thur thurs fri weekend
    lunes martes miercoles jueves viernes sabado domingo finde
    montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag wochenende
    lundi mardi mercredi jeudi vendredi samedi dimanche
    सोमवार मंगलवार बुधवार गुरुवार बृहस्पतिवार वीरवार शुक्रवार शनिवार रविवार इतवार somvar mangalvar budhvar guruvar
    shukravar shanivar ravivar itvar الاحد الاثنين الثلاثاء الاربعاء الخميس الجمعه السبت
    """
)
SHORT_WEEKDAYS: Final = _words(
    "mon sat sun mo di mi do fr sa so lun mie jue vie sab dom mer jeu ven sam dim seg ter qua qui sex"
)
PORTUGUESE_WEEKDAYS: Final = _words("segunda terca quarta quinta sexta")
"""Also "second" to "sixth", in Spanish too."""

NUMBERED: Final = _words(
    "vez via cobranca cobrança compra parcela fatura factura tentativa transacao transaccion operacion cuota tarjeta"
)
RELATIVE: Final = _words(
    """
    yesterday today tonight yday ystrday tdy todays yesterdays
    ayer anteayer antier anoche hoy
    gestern vorgestern heute gerade eben soeben
    hier aujourd avant-hier
    ontem anteontem hoje
    कल आज परसों kal aaj parso parson
    امس البارحه مبارح امبارح اليوم النهارده
    """
)
UNITS: Final = _words(
    """
    day days week weeks weekend month months year night morning evening afternoon noon hour hours hr hrs minute
    minutes mins min moment
    dia dias semana semanas mes meses ano noche manana tarde hora horas minuto minutos rato
    tag tage tagen woche wochen monat monate monaten monats jahr nacht morgen abend mittag nachmittag vormittag stunde
    stunden minute minuten fruh jour jours semaine semaines mois annee nuit matin soir midi apres heure heures
    mes noite manha hora
    दिन दिनों हफ्ते हफ्ता सप्ताह महीने महीना साल रात सुबह शाम दोपहर घंटे घंटा मिनट din hafte mahine subah raat shaam
    يوم ايام يومين اسبوع اسبوعين الاسبوع اسابيع شهر شهرين الشهر اشهر سنه الليله ليله الصباح صباح مساء المساء ساعه
    ساعات ساعتين دقائق دقيقه
    """
)
PAST: Final = _words(
    """
    last past previous ago this earlier few since couple before same
    pasado pasada pasados ultimo ultima este esta hace desde mismo
    letzte letzten letzter letztes letztem vergangene vergangenen vergangener vor seit diese diesen dieser heute
    selben dernier derniere derniers ce cet cette depuis y passe passee
    passado passada este esta nesta neste ha faz atras
    पिछले पिछली पिछला पहले इस आज pichle pichli pehle pahle
    الماضي الماضيه قبل منذ هذا هذه هذي
    """
)
MONTH_NAMES: Final = MONTHS | MONTHS_OR_WORDS
NAMED_DAYS: Final = MONTHS | WEEKDAYS | RELATIVE
ORDINALS: Final = frozenset({"st", "nd", "rd", "th"})
NO_DAY: Final = COUNTED - ORDINALS
NO_MONEY: Final = COUNTED | MONTH_NAMES
DAY_PREPOSITIONS: Final = _words("on am vom seit el le du dia jour since dated ao يوم بتاريخ तारीख")


def _is_date(place: _Place) -> bool:
    token = place.token
    if token[0].isdigit():
        return _is_dated(place) or _is_day(place)
    if token in NAMED_DAYS:
        return True
    if token in PORTUGUESE_WEEKDAYS:
        return place.next(1) not in NUMBERED
    if token in MONTHS_OR_WORDS:
        return any(DAY.fullmatch(near) or YEAR.fullmatch(near) for near in place.around(3, 2))
    if token in SHORT_WEEKDAYS:
        return place.next(-1) in DAY_PREPOSITIONS or place.next(-1) in {"last", "this", "na"}
    return token in UNITS and any(near in PAST or near.isdigit() for near in place.around(3, 2))


def _is_dated(place: _Place) -> bool:
    """Whether it is a date in figures. One with a point, such as "12.10", may be an amount too, and counts as both."""
    token = place.token
    if not DATE.fullmatch(token) or _has_currency(place) or place.next(1) in {"uhr", "h"}:
        return False
    if not DAY_AND_MONTH.fullmatch(token):
        return True
    return _is_day_and_month(token) and not ("." in token and place.next(-1) in AMOUNT_WORDS)


def _is_day_and_month(token: str) -> bool:
    match = DAY_AND_MONTH.fullmatch(token)
    if match is None or token == "24/7":
        return False
    low, high = sorted(map(int, match.groups()))
    return 1 <= low <= 12 and high <= 31


def _is_day(place: _Place) -> bool:
    """Whether it is the number in "on the 3rd", "am 3.", "le 3", "el día 3"."""
    if not DAY.fullmatch(place.token) or _has_currency(place):
        return False
    if place.next(-1) == "the":
        return place.next(1) in ORDINALS and place.next(-2) in {"on", "since", "from"}
    is_numbered = place.next(-1) in DAY_PREPOSITIONS and place.next(1) not in NO_DAY
    return is_numbered or place.next(1) in {"तारीख", "tarikh"}


# --- the last four digits

MASKS: Final = frozenset({"card", "iban", "code"})
"""What a mask begins with; a masked code may have been the four digits."""

CARD_WORDS: Final = _words(
    """
    card cards visa mastercard maestro amex discover rupay debit credit account acct
    tarjeta tarjetas cuenta karte kreditkarte girokarte bankkarte kartennummer konto carte compte cartao conta
    कार्ड खाता खाते البطاقه بطاقه بطاقتي بطاقتك الكارت حسابي
    """
)
ENDING_WORDS: Final = _words(
    """
    ending ends end ended digits
    termina terminada terminado acaba acabada digitos cifras finaliza
    endet endend endziffer endziffern endnummer endung ziffern
    terminant termine finissant finit chiffres
    terminando final finais algarismos
    अंक समाप्त खत्म ank
    تنتهي ينتهي المنتهيه منتهيه ارقام نهايتها اخرها
    """
)
LAST_WORDS: Final = _words("last ultimos ultimas letzte letzten derniers dernieres अंतिम आखिरी आखरी akhri antim اخر")
FOUR_WORDS: Final = _words("4 four cuatro vier quatre quatro चार char اربع اربعه")
IS_OR_WHERE: Final = _words("is are ist sind es son est sont e sao पर में से هي")
BEFORE_CARD_DIGITS: Final = NUMBER_SIGNS | {"(", "-", ",", ";"}
FILLED: Final = re.compile(r"[x*•●∗]+")
FOUR_DIGITS: Final = re.compile(r"(?:\d{4}-)*\d{4}")
LONG_NUMBER: Final = re.compile(r"(?:\d{4}-){2,3}\d{1,7}|\d{12,19}")


def _is_last_four(place: _Place) -> bool:
    token = place.token
    if token == "[":
        return place.next(1) in MASKS
    if LONG_NUMBER.fullmatch(token):  # with a slip in it, or else it were masked
        return not CARD_WORDS.isdisjoint(place.around(4, 0))
    if not FOUR_DIGITS.fullmatch(token):
        return False
    return _is_of_card(place) or not (
        YEAR.fullmatch(token) or _has_currency(place) or _is_of_order(place) or place.next(-1) in AMOUNT_WORDS
    )


def _is_of_card(place: _Place) -> bool:
    """Whether the number is said to be a card's: "ending in 4242", "card no. 4242", "4242 are the last digits"."""
    if not FOUR_DIGITS.fullmatch(place.token):
        return False
    if FILLED.fullmatch(place.next(-1)) or place.next(-2) == place.next(-1) == "#" or _is_ending(_words_before(place)):
        return True
    if place.next(1) in IS_OR_WHERE and _is_ending(place.around(0, 5)):
        return True
    steps = -1
    while steps > -4 and place.next(steps) in BEFORE_CARD_DIGITS:
        steps -= 1
    return place.next(steps) in CARD_WORDS


def _words_before(place: _Place) -> set[str]:
    """Up to five tokens before this one, but none before another number: that is what they speak of."""
    words = set()
    for steps in range(-1, -6, -1):
        word = place.next(steps)
        if word[:1].isdigit() and word != "4":
            break
        words.add(word)
    return words


def _is_ending(words: set[str]) -> bool:
    if not ENDING_WORDS.isdisjoint(words):
        return True
    return not LAST_WORDS.isdisjoint(words) and not FOUR_WORDS.isdisjoint(words)


CHECKS: Final[tuple[tuple[str, Callable[[_Place], bool]], ...]] = (
    ("amount", _is_amount),
    ("date", _is_date),
    ("last_four", _is_last_four),
)

TELLING: Final = frozenset(
    {*CURRENCIES, *PLAIN_NUMBERS, *NAMED_DAYS, *PORTUGUESE_WEEKDAYS, *MONTHS_OR_WORDS, *SHORT_WEEKDAYS, *UNITS}
)
"""All words at which the checks look."""


def _may_tell(token: str) -> bool:
    """Whether a check may hold at a token: at most words of most texts none can."""
    return token in TELLING or not (token.isascii() and token.isalpha())
