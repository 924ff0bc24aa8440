"""What a message about a payment leaves out, by table, in masked and unmasked form, and at length."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.masking import mask
from bot.missing import missing
from bot.model import Category

DUPLICATE, FAILED = Category.DUPLICATE_PAYMENT, Category.FAILED_PAYMENT
ALL = ("amount", "date", "last_four")


def told(text: str) -> set[str]:
    """What the masked text tells; a text is always masked before anybody looks at it."""
    return set(ALL) - set(missing(DUPLICATE, mask(text)))


@pytest.mark.parametrize("category", sorted(set(Category) - {DUPLICATE, FAILED}))
def test_nothing_is_missing_in_other_categories(category: Category) -> None:
    assert missing(category, "help") == ()


@pytest.mark.parametrize("category", [DUPLICATE, FAILED])
def test_what_is_missing_is_named_in_one_order(category: Category) -> None:
    assert missing(category, "I was charged twice") == ALL
    assert missing(category, "I was charged 49.90 twice") == ("date", "last_four")
    assert missing(category, "I was charged twice yesterday, card 4242") == ("amount",)
    assert missing(category, "49.90 EUR on 3 May, card ending 4242") == ()


AMOUNTS = [
    *["49.90", "49,90 €", "€50", "50€", "50 euros", "50 dollars", "fifty dollars", "$5", "US$50", "USD 50", "50usd"],
    *["R$ 50", "R$50,00", "£ 12", "Rs 1,200", "Rs. 500", "Rs.500", "₹500", "₹५००", "1,00,000 rupees", "2 lakh rupees"],
    *["1.200,50 EUR", "1,200.50", "1'200.50", "1 200,50", "1.200", "CHF 50.-", "50,-", "Rs 1200/-", "$2k", "50 bucks"],
    *["fünfzig Euro", "50 Euro abgebucht", "50 abgebucht", "cien pesos", "50 pesos", "cinquenta reais", "50 reais"],
    *["cinquante euros", "débité de 50", "me cobraron 50", "fui cobrado 50", "100 lira", "50 TL"],
    *["١٢٣ ريال", "ريال ١٢٣", "١٢٣٫٥٠", "50 دولاراً", "بمبلغ 300", "خمسون ريال", "500 रुपये", "पचास रुपये", "राशि 500"],
    *["they took 50 from me", "paid 50", "paid 2000", "paid fifty", "amount: 75", "Betrag 75", "importe 75", "a euro"],
    *["50", "75, please", "charged 1500 to my card ending in 4242", "card ending 4242, 1500 charged", "49.90 at 10:30"],
    *["４９.９０", "50\u202f€", "\u200f٥٠ ريال"],
]


@pytest.mark.parametrize("text", AMOUNTS)
def test_an_amount_is_seen(text: str) -> None:
    assert "amount" in told(text)


@pytest.mark.parametrize(
    "text",
    [
        *["", "I was charged twice", "order 4711", "order no. 84732, charged twice", "my order #84732 failed"],
        *["pedido n.º 4711", "Bestellung Nr. 4711 doppelt bezahlt", "commande 4711 payée deux fois", "الطلب رقم 4711"],
        *["charged 2 times", "charged on 3 May", "paid on 2026-11-02", "my card ending 4242 was charged twice"],
        *[
            "visa 4242 charged twice",
            "la tarjeta 4242 cobraron dos veces",
            "charged 3 days ago",
            "at 10:30",
            "02/11/2026",
        ],
        *[
            "dos veces cobrado",
            "zweimal abgebucht",
            "am 3.5. doppelt abgebucht",
            "deux fois débité",
            "दो बार भुगतान कट गया",
        ],
        *[
            "card 4242 4242 4242 4242 charged twice",
            "ticket TKT-98042a72",
            "since 2024",
            "paid in 2026",
            "charged two times",
        ],
        *["um 10.30 Uhr", "in euros", "charged twice on May 3"],
    ],
)
def test_what_is_no_amount_is_not_taken_for_one(text: str) -> None:
    assert "amount" not in told(text)


DATES = [
    *["yesterday", "today", "on 3 May", "May 3", "3rd of May", "on the 3rd", "3 may 2026", "in November", "last week"],
    *["2026-11-02", "02/11/2026", "2.11.26", "02.11.", "3/5", "2026/11/02", "20261102", "2026-11-02T10:15:00Z"],
    *[
        "this morning",
        "last night",
        "3 days ago",
        "two weeks ago",
        "an hour ago",
        "Monday",
        "on Tue",
        "on Sat",
        "last month",
    ],
    *[
        "gestern",
        "vorgestern",
        "am Montag",
        "am 3. Mai",
        "am 3.",
        "vor zwei Tagen",
        "letzte Woche",
        "heute früh",
        "März",
    ],
    *["ayer", "anteayer", "el lunes", "el 3 de mayo", "el día 3", "hace dos días", "la semana pasada", "esta mañana"],
    *[
        "hier",
        "avant-hier",
        "aujourd'hui",
        "lundi",
        "le 3 mai",
        "le 3",
        "il y a deux jours",
        "la semaine dernière",
        "ce matin",
    ],
    *[
        "ontem",
        "anteontem",
        "hoje",
        "segunda-feira",
        "na sexta",
        "dia 3",
        "3 de maio",
        "há dois dias",
        "semana passada",
    ],
    *["कल", "आज", "परसों", "सोमवार", "3 मई", "३ मई", "पिछले हफ्ते", "दो दिन पहले", "kal", "3 तारीख"],
    *["أمس", "اليوم", "البارحة", "يوم الإثنين", "3 مايو", "٣ مايو", "الأسبوع الماضي", "قبل يومين", "٢٠٢٦/١١/٠٢"],
]


@pytest.mark.parametrize("text", DATES)
def test_a_date_is_seen(text: str) -> None:
    assert "date" in told(text)


@pytest.mark.parametrize(
    "text",
    [
        *["", "I was charged twice", "49.90", "50 euros", "card 4242", "it may fail", "I may have paid twice", "24/7"],
        *["order 84732", "the 2nd charge", "charged a 2nd time", "segunda vez", "una segunda compra", "mon compte"],
        *[
            "at 10:30",
            "1,200.50",
            "$12.10",
            "12.10 €",
            "charged 12.10",
            "the last four digits",
            "99/99",
            "zweimal bezahlt",
        ],
        *[
            "deux fois débité",
            "cobrado dos veces",
            "cobrado duas vezes",
            "दो बार भुगतान",
            "تم الخصم مرتين",
            "um 10.30 Uhr",
        ],
    ],
)
def test_what_is_no_date_is_not_taken_for_one(text: str) -> None:
    assert "date" not in told(text)


LAST_FOURS = [
    *[
        "ending 4242",
        "card 4242",
        "card ending in 4242",
        "last four 4242",
        "4242 are the last four digits",
        "Visa 4242",
    ],
    *[
        "last 4: 2024",
        "card ending in 2024",
        "card no. 2024",
        "card (2024)",
        "****4242",
        "**** 2024",
        "xxxx4242",
        "…4242",
    ],
    *["4242", "49.90, yesterday, 4242", "4 2 4 2", "the digits are 4242", "XXXX-XXXX-XXXX-4242"],
    *["my card 4242424242424242", "card 4242 4242 4242 4242", "card 4242424242424241", "card 4242-4242-4242-4241"],
    *["[card ending 1111]", "[card …1111]", "DE89 3704 0044 0532 0130 00", "card code 4242"],
    *[
        "últimos cuatro 4242",
        "tarjeta terminada en 2024",
        "la tarjeta 4242",
        "termina en 4242",
        "últimos 4 dígitos: 2024",
    ],
    *["Endziffern 4242", "Karte 4242", "endet auf 2024", "die letzten vier Ziffern sind 4242", "Kartennummer 4242"],
    *["carte 4242", "se terminant par 2024", "quatre derniers chiffres : 4242", "finissant par 4242"],
    *["cartão 4242", "final 2024", "termina em 4242", "últimos quatro dígitos 4242"],
    *["कार्ड 4242", "आखिरी चार अंक ४२४२", "4242 पर समाप्त", "2024 पर समाप्त होने वाला कार्ड", "अंतिम 4 अंक 2024"],
    *["بطاقة 4242", "تنتهي بـ ٤٢٤٢", "آخر أربعة أرقام 2024", "آخر 4 أرقام ٤٢٤٢", "البطاقة ٢٠٢٤"],
]


@pytest.mark.parametrize("text", LAST_FOURS)
def test_the_last_four_digits_are_seen(text: str) -> None:
    assert "last_four" in told(text)


@pytest.mark.parametrize(
    "text",
    [
        *["", "my card was charged twice", "2026", "in 2026", "on 3 May 2026", "my card, 3 May 2026", "since 2024"],
        *[
            "order 4711",
            "order number 4711",
            "#4711",
            "Bestellung Nr. 4711",
            "pedido 4711",
            "commande n° 4711",
            "طلب رقم 4711",
        ],
        *[
            "1500 euros",
            "€1500",
            "Rs 1200",
            "paid 1500",
            "49.90",
            "424",
            "42424",
            "at 10:30",
            "2026-11-02",
            "02/11/2026",
        ],
        *[
            "card 42",
            "1234567890123456",
            "ticket TKT-98042a72",
            "ticket TKT-1234abcd",
            "the last week",
            "+1 212 555 01234",
        ],
    ],
)
def test_what_is_no_last_four_is_not_taken_for_it(text: str) -> None:
    assert "last_four" not in told(text)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert set(missing(FAILED, text)) <= set(ALL)


PIECES = [
    "I was charged twice",
    "please help me",
    "mir wurde doppelt abgebucht",
    "me cobraron dos veces",
    "मदद",
    "مرحبا",
]


@given(
    amount=st.sampled_from(AMOUNTS),
    date=st.sampled_from(DATES),
    last_four=st.sampled_from(LAST_FOURS),
    before=st.sampled_from(PIECES),
)
def test_who_has_told_all_is_asked_nothing(amount: str, date: str, last_four: str, before: str) -> None:
    assert missing(DUPLICATE, mask(f"{before}. {amount}\n{date}\n{last_four}")) == ()


@pytest.mark.parametrize(
    "piece",
    [
        *[
            "1",
            "1,",
            "1.",
            "1 ",
            "1-",
            "1/1/",
            "1,1,1,",
            "12,345,",
            "12.34.",
            "€",
            "€1 ",
            "a",
            "card ",
            "ending ",
            "1:1",
        ],
        *[
            "no. ",
            "order ",
            "#",
            "* ",
            "*",
            "x",
            "4242 ",
            "4242-",
            "zig",
            "may ",
            "\u0301\u0316",
            "ﷺ",
            "क\u093c",
            "tkt-",
            "[",
        ],
    ],
)
def test_time_does_not_explode_with_length(piece: str) -> None:
    """With anything quadratic in it, a hundred thousand characters would take hours."""
    for text in (piece * (100_000 // len(piece)), "card " + piece * 10_000 + "!"):
        assert set(missing(DUPLICATE, text)) <= set(ALL)
