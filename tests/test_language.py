"""In which language a message is taken to be written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import language
from bot.language import LANGUAGES, LOOK, detect

WRITTEN = {
    "en": [
        "my card was charged twice",
        "I don't recognise this payment",
        "hi, the app logs me out",
        "My name is Carlos Fernández and my card is blocked",
        "payment to José García not received",
        "ATM ate my card",
    ],
    "es": [
        "me han cobrado dos veces",
        "tarjeta bloqueada",
        "¿dónde está mi dinero?",
        "la app no funciona",
        "mi tarjeta esta bloqueada",
        "COBRARON DOS VECES EL MISMO PEDIDO",
    ],
    "de": [
        "Karte gesperrt",
        "mir wurde zweimal abgebucht",
        "doppelte Abbuchung",
        "Geld zurück bitte",
        "MEINE KARTE WURDE GESTOHLEN",
    ],
    "fr": [
        "j'ai été débité deux fois",
        "paiement refusé",
        "carte volée",
        "bonjour, j'ai un problème avec ma carte",
        "MA CARTE A ETE VOLEE",
    ],
    "pt": [
        "fui cobrado duas vezes",
        "meu cartão foi bloqueado",
        "não reconheço esta compra",
        "nao consigo entrar na minha conta",
        "preciso de ajuda",
    ],
    "hi": ["मेरे खाते से दो बार पैसे कट गए", "मेरा card block हो गया है", "नमस्ते", "पासवर्ड भूल गया"],
    "ar": ["تم خصم المبلغ مرتين", "انسحب مني المبلغ مرتين وما وصلني شي", "مرحبا", "شكرا", "فلوسي راحت گاع"],
}
OTHERS = [
    "la mia carta è bloccata",
    "mijn kaart is geblokkeerd",
    "cardul meu este blocat",
    "moja karta jest zablokowana",
    "kartımdan iki kez para çekildi",
    "моя карта заблокирована",
    "我的卡被扣款两次",
    "از حساب من دو بار پول کم شده است",
    "میرا کارڈ بلاک ہو گیا ہے",
    "माझे कार्ड ब्लॉक झाले आहे",
    "मेरो कार्ड ब्लक भयो",
]


@pytest.mark.parametrize(("language", "text"), [(code, text) for code, texts in WRITTEN.items() for text in texts])
def test_a_short_message_is_told_by_its_language(language: str, text: str) -> None:
    assert detect(text) == language


@pytest.mark.parametrize("text", OTHERS)
def test_a_language_that_we_do_not_write_is_answered_in_english(text: str) -> None:
    assert detect(text) == "en"


@pytest.mark.parametrize("text", ["mera paisa kat gaya", "mere account se do baar paise kat gaye"])
def test_hindi_in_latin_letters_is_answered_in_english(text: str) -> None:
    assert detect(text) == "en"


@pytest.mark.parametrize("text", ["la meva targeta està bloquejada", "a miña tarxeta está bloqueada"])
def test_catalan_and_galician_are_answered_in_spanish(text: str) -> None:
    assert detect(text) == "es"


@pytest.mark.parametrize("text", ["", " \n\t", "12345", "?", "😡😡", "ok", "https://tienda.example/mi-cuenta"])
def test_a_text_that_says_nothing_of_its_language_is_answered_in_english(text: str) -> None:
    assert detect(text) == "en"


@pytest.mark.parametrize("text", ["incorrect balance displayed", "refund kab milega", "Uber Eats 45.90 EUR"])
def test_what_could_be_several_languages_is_answered_in_english(text: str) -> None:
    assert detect(text) == "en"


MASKS = ["[card …1111]", "[IBAN DE…3000]", "[code]", "[password]"]


@pytest.mark.parametrize("mask", MASKS)
def test_a_mask_counts_for_no_language(mask: str) -> None:
    assert detect(f"{mask} कार्ड") == "hi"
    assert detect(mask) == "en"


@pytest.mark.parametrize(("language", "text"), [("es", "tarjeta bloqueada"), ("de", "Karte gesperrt")])
def test_english_words_of_masks_do_not_decide(language: str, text: str) -> None:
    assert detect(f"{text} {' '.join(MASKS)}") == language


def test_a_name_of_another_script_does_not_decide() -> None:
    assert detect("my transfer to محمد did not arrive") == "en"
    assert detect("मेरा refund कब मिलेगा") == "hi"


def test_a_link_or_a_mail_address_does_not_decide() -> None:
    link, address = "https://www.bank.example/please/log/in/to/my/account", "ann.the.customer@example.com"
    assert detect(f"Karte gesperrt {link} {address}") == "de"


def test_a_message_of_several_lines_is_read_as_one() -> None:
    assert detect("Guten Tag,\r\n\nmeine Karte\nwurde gesperrt.\n") == "de"


def test_what_stands_far_down_is_not_read() -> None:
    assert detect("a b " * (LOOK // 4) + "me han cobrado dos veces " * 800) == "en"
    assert detect("me han cobrado dos veces " * 800) == "es"


@given(st.text(st.characters() | st.sampled_from("[]…\x00\ud800ёßñ\u0902\u0610")))
def test_any_text_has_one_of_our_languages(text: str) -> None:
    assert detect(text) in LANGUAGES


def test_a_model_that_fails_leaves_english(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(language, "_model", fail)
    assert detect("Karte gesperrt") == "en"
