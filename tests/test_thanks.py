"""Thanks and "it is solved", by table in ten languages and by property."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.thanks import is_thanks, says_solved

THANKS = {
    "English": [
        *["thanks", "Thank you!", "Thank you so much for your quick help.", "thx", "ty", "tysm!!", "Cheers mate"],
        *["THANKS A LOT", "thaaanks", "ok", "Okk", "Great, works now", "all good", "It's fixed, thank you", "Perfect!"],
        *[
            "many thanks for everything",
            "Much appreciated",
            "I really appreciate it.",
            "Got it, thanks",
            "Yes, it works now!",
        ],
        *["Hi team, thank you and have a nice day", "Thanks Ana!", "Thanks, Ana. Works now", "Thank you Mr. Smith"],
        *[
            "Thanks Ana for your help!",
            "Hi Ana thank you",
            "Thanks Jean-Luc!",
            "Hi Ana Lopez,\nthanks!",
            "thanks for fixing it so quickly",
            "oh great, thanks guys",
            "awesome 👍",
            "Thanks a million, you guys rock!",
        ],
    ],
    "Spanish": [
        *[
            "gracias",
            "¡Muchas gracias!",
            "Mil gracias por su ayuda",
            "graaacias",
            "Gracias, Ana",
            "gracias por todo",
            "vale",
        ],
        *[
            "Perfecto, muchas gracias",
            "ya funciona, gracias",
            "Todo solucionado. ¡Gracias!",
            "Ok, gracias",
            "muy amable",
        ],
        *[
            "Hola, ya está resuelto, muchas gracias. Un saludo",
            "se lo agradezco mucho",
            "que tenga un buen día, gracias",
        ],
        *["Sí, ya funciona", "Gracias equipo 🙏", "Genial", "Gracias señora García"],
    ],
    "German": [
        *[
            "Danke",
            "Vielen Dank!",
            "Dankeschön",
            "vielen lieben Dank für die schnelle Hilfe",
            "Herzlichen Dank",
            "Super, danke",
        ],
        *[
            "Danke sehr",
            "Alles klar, danke",
            "Perfekt",
            "Danke, funktioniert jetzt",
            "es geht wieder, vielen Dank",
            "Ja, erledigt",
        ],
        *["Hallo, vielen Dank für Ihre Unterstützung! Viele Grüße", "danke schoen", "Danke Ana!", "Danke, Frau Müller"],
        *["ich danke Ihnen", "Danke und schönes Wochenende", "daaanke", "Alles gut, danke dir"],
    ],
    "French": [
        *[
            "merci",
            "Merci beaucoup !",
            "Un grand merci pour votre aide",
            "merciii",
            "Merci bcp",
            "D'accord, merci",
            "d’accord",
        ],
        *["Parfait, merci", "C'est bon, merci", "ça marche", "Tout fonctionne, merci beaucoup", "Je vous remercie"],
        *[
            "Bonjour, merci pour votre réponse rapide. Bonne journée",
            "Merci Claire !",
            "Merci, Claire",
            "Merci, Monsieur Dupont",
            "Génial",
        ],
        *[
            "Le problème est résolu, merci",
            "Oui, c'est réglé",
            "merci à vous et bonne soirée",
            "Super, merci à toute l’équipe",
        ],
    ],
    "Portuguese": [
        *[
            "obrigado",
            "Obrigada!",
            "Muito obrigado pela ajuda",
            "obg",
            "valeu",
            "vlw",
            "brigada",
            "Ok, obrigado",
            "beleza",
        ],
        *[
            "Perfeito, muito obrigada",
            "Já está resolvido, obrigado",
            "agradeço a atenção",
            "Show de bola",
            "Obrigado, Ana",
        ],
        *[
            "Bom dia, funcionou, obrigada!",
            "Tudo certo, obrigado",
            "obrigaaado",
            "Olá, muito obrigado e bom fim de semana",
        ],
        *["Sim, já funciona", "Obrigado por tudo", "Obrigada pelo excelente atendimento"],
    ],
    "Italian": [
        *[
            "grazie",
            "Grazie mille!",
            "Tante grazie per l'aiuto",
            "grazieee",
            "Perfetto, grazie",
            "ok grazie",
            "va bene",
        ],
        *["Ora funziona, grazie", "Tutto risolto, grazie mille", "Vi ringrazio", "La ringrazio molto", "Gentilissimi"],
        *[
            "Buongiorno, grazie per la risposta. Cordiali saluti",
            "Grazie Marco!",
            "Grazie, signora Rossi",
            "Ottimo lavoro",
        ],
        *["Sì, risolto", "grazie a tutti e buona giornata", "tutto a posto", "Benissimo, grazie di cuore"],
    ],
    "Dutch": [
        *[
            "bedankt",
            "Dank je wel!",
            "Hartelijk dank voor de snelle hulp",
            "dankjewel",
            "dank u",
            "Heel erg bedankt",
            "top",
        ],
        *[
            "Prima, bedankt",
            "Het werkt nu, bedankt",
            "Super bedankt!",
            "oké",
            "Alles werkt weer, dank jullie wel",
            "Opgelost!",
        ],
        *["Hallo, hartelijk bedankt voor alles. Met vriendelijke groet", "Bedankt Sanne!", "Bedankt, mevrouw Visser"],
        *["Ja, het is opgelost", "bedankt en fijne dag", "Geweldig", "bedaaankt"],
    ],
    "Hindi": [
        *["धन्यवाद", "बहुत बहुत धन्यवाद!", "आपकी मदद के लिए धन्यवाद", "शुक्रिया", "धन्यवाद जी", "ठीक है", "ठीक है, धन्यवाद।"],
        *["अब ठीक है, धन्यवाद", "समस्या हल हो गई", "बहुत बढ़िया", "नमस्ते, बहुत आभार", "हाँ, हो गया", "थैंक यू सर"],
        *[
            "dhanyavad",
            "bahut bahut dhanyawad",
            "shukriya ji",
            "theek hai, shukriya",
            "ab theek hai dhanyavaad",
            "ho gaya 👍",
        ],
        *["aapki madad ke liye dhanyavad", "problem solve ho gaya, shukriya bhai", "shukriyaaa"],
    ],
    "Arabic": [
        *[
            "شكرا",
            "شكراً",
            "شكرًا جزيلاً",
            "شكرا لكم",
            "شكراااا",
            "جزاك الله خيرا",
            "يعطيك العافية",
            "تسلم",
            "تمام",
            "حسنا، شكرا",
        ],
        *[
            "شكرا على المساعدة",
            "ممتاز، شكرا لك",
            "تم حل المشكلة، شكرا",
            "كل شيء يعمل الآن",
            "مرحبا، شكرا جزيلا لكم",
            "مشكورين",
        ],
        *["نعم، تم الحل", "أشكركم جزيل الشكر", "ألف شكر", "شـكـرا 🙏", "السلام عليكم، شكرا على سرعة الرد"],
    ],
    "Turkish": [
        *[
            "teşekkürler",
            "Teşekkür ederim",
            "Çok teşekkürler!",
            "tesekkurler",
            "TEŞEKKÜR EDERİM",
            "sağol",
            "sağ olun",
            "tamam",
        ],
        *[
            "Yardımınız için teşekkür ederim",
            "Süper, teşekkürler",
            "Sorun çözüldü, teşekkürler",
            "şimdi çalışıyor",
            "tşk",
        ],
        *["Merhaba, çok teşekkür ederim. İyi günler", "eyvallah", "Harika!", "Teşekkürler Ayşe Hanım", "Evet, çözüldü"],
        *["Her şey için teşekkürler", "Allah razı olsun", "Elinize sağlık"],
    ],
    "signs": [
        "👍",
        "👍🏽",
        "🙏🙏🙏",
        "❤️",
        "😊",
        "thanks 👍😊",
        "Thanks :)",
        "<3",
        "ok ✅",
        "👍🏿 gracias ❤️",
        "*Thanks*!",
    ],
}

NO_THANKS = {
    "English": [
        *[
            "thanks, but it was charged again today",
            "thank you, when will the refund arrive?",
            "thanks again",
            "thanks?",
            "no",
        ],
        *[
            "Thanks for nothing",
            "not ok",
            "thanks, still not working",
            "Thank you in advance",
            "thanks, my card is blocked",
            "",
        ],
        *[
            "Thanks, I paid 50",
            "thanks ana",
            "Thanks Refund",
            "Thanks. Locked.",
            "Thanks Nothing works",
            "no thanks",
            "it doesn't work",
        ],
        *[
            "please help",
            "ok but why",
            "Yes",
            "yes, thanks",
            "ok, call me",
            "Thanks ... card declined",
            "thank you for charging me",
        ],
        *[
            "hello",
            "for your help",
            "have a nice day",
            "It works not",
            "works, thanks, now the other card",
            "Thanks Nobody Answers",
        ],
        *[
            "THANKS STILL BROKEN",
            "great, another charge",
            "thanks, Visa Gone Missing",
            "ok ok ok wait",
            "thanks 2",
            "thanks :(",
        ],
        *[
            "Thanks/please",
            "thanks 👎",
            "🙄",
            "Thanks 😡",
            "good grief",
            "works for others",
            "Thanks Ana the card is lost",
            "Thanks Ana Maria Lopez",
            "Thanks Ana - Broken",
            "thanks. Ana",
            "😢",
        ],
    ],
    "Spanish": [
        *[
            "gracias, pero me cobraron otra vez",
            "gracias, ¿cuándo llega el reembolso?",
            "no",
            "no funciona",
            "Gracias por nada",
        ],
        *[
            "gracias, todavía no está resuelto",
            "vale, pero no",
            "Muchas gracias, sigue igual",
            "gracias de antemano, espero",
            "sí, gracias",
        ],
        *[
            "Gracias. La tarjeta está bloqueada",
            "ok, llámenme",
            "hola",
            "Gracias, Problema sin resolver",
            "gracias, aún nada",
        ],
    ],
    "German": [
        *[
            "danke, aber die Karte ist noch gesperrt",
            "Danke, wann kommt das Geld?",
            "nein",
            "nicht gut",
            "Danke für nichts",
        ],
        *[
            "Vielen Dank, es geht immer noch nicht",
            "Danke im Voraus für die Erstattung",
            "danke, wurde wieder abgebucht",
            "ja danke",
        ],
        *[
            "Danke, Betrug!",
            "Danke, Doppelabbuchung",
            "Danke, Buchungsfehler.",
            "ok, bitte zurückrufen",
            "Hallo",
            "alles gut aber",
        ],
        *["es funktioniert nicht", "Danke, noch eine Frage", "geht nicht"],
    ],
    "French": [
        *["merci, mais j'ai été débité encore une fois", "merci, quand serai-je remboursé ?", "non", "Merci pour rien"],
        *[
            "merci, ça ne marche toujours pas",
            "ce n'est pas bon",
            "merci d'avance",
            "ok mais non",
            "merci, la carte est bloquée",
        ],
        *["Bonjour", "oui merci", "merci de me rappeler", "Merci, Erreur", "tout ne fonctionne pas", "ça marche pas"],
    ],
    "Portuguese": [
        *[
            "obrigado, mas cobraram de novo",
            "obrigada, quando chega o reembolso?",
            "não",
            "não está bom",
            "Obrigado por nada",
        ],
        *[
            "obrigado, ainda não funciona",
            "ok, mas não",
            "obrigado desde já",
            "obrigada, o cartão está bloqueado",
            "sim, obrigado",
        ],
        *["Obrigado. Preciso de ajuda", "oi", "Obrigado, Problema continua", "não funciona", "tudo errado"],
    ],
    "Italian": [
        *[
            "grazie, ma mi hanno addebitato ancora",
            "grazie, quando arriva il rimborso?",
            "no",
            "non va bene",
            "Grazie per niente",
        ],
        *[
            "grazie, non funziona ancora",
            "ok ma no",
            "grazie in anticipo",
            "grazie, la carta è bloccata",
            "sì grazie",
            "ciao",
        ],
        *["Grazie. Ho un problema", "Grazie, Truffa", "non funziona", "tutto sbagliato", "richiamatemi, grazie"],
    ],
    "Dutch": [
        *[
            "bedankt, maar er is weer afgeschreven",
            "bedankt, wanneer komt het geld?",
            "nee",
            "niet goed",
            "Bedankt voor niets",
        ],
        *[
            "bedankt, het werkt nog niet",
            "oké maar nee",
            "alvast bedankt",
            "bedankt, mijn kaart is geblokkeerd",
            "ja bedankt",
            "hoi",
        ],
        *[
            "Bedankt. Ik heb een vraag",
            "Bedankt, Oplichting",
            "het werkt niet",
            "bel mij terug, bedankt",
            "nog steeds kapot",
        ],
    ],
    "Hindi": [
        *["धन्यवाद, लेकिन पैसे फिर से कट गए", "धन्यवाद, रिफंड कब आएगा?", "नहीं", "ठीक नहीं है", "अभी तक नहीं हुआ", "हाँ, धन्यवाद"],
        *["धन्यवाद, कार्ड ब्लॉक है", "काम नहीं कर रहा", "नमस्ते", "धन्यवाद, 500 रुपये", "मदद चाहिए", "धन्यवाद पर पैसा नहीं आया"],
        *[
            "dhanyavad lekin paisa nahi aaya",
            "shukriya, refund kab milega?",
            "theek nahi hai",
            "nahi",
            "abhi tak nahi hua",
        ],
    ],
    "Arabic": [
        *["شكرا، لكن تم الخصم مرة أخرى", "شكرا، متى يصل المبلغ؟", "لا", "لا يعمل", "لم تحل المشكلة", "شكرا على لا شيء"],
        *[
            "شكرا، البطاقة ما زالت محظورة",
            "حسنا لكن لماذا",
            "مرحبا",
            "نعم شكرا",
            "شكرا ٥٠ ريال",
            "شكرا مقدما على الاسترداد",
        ],
        *["المشكلة ما زالت موجودة", "شكرا اتصلوا بي", "غير جيد"],
    ],
    "Turkish": [
        *[
            "teşekkürler ama tekrar çekildi",
            "teşekkürler, iade ne zaman gelir?",
            "hayır",
            "iyi değil",
            "hala çalışmıyor",
        ],
        *[
            "teşekkürler, kartım bloke",
            "tamam ama neden",
            "merhaba",
            "evet teşekkürler",
            "şimdiden teşekkürler para iadesi için",
        ],
        *["Teşekkürler, Sorun devam ediyor", "çözülmedi", "beni arayın lütfen", "sağol yine olmadı", "çalışmıyor"],
    ],
}


def rows(table: dict[str, list[str]]) -> list[str]:
    return [text for texts in table.values() for text in texts]


@pytest.mark.parametrize("text", rows(THANKS))
def test_thanks_and_nothing_else_is_thanks(text: str) -> None:
    assert is_thanks(text)


@pytest.mark.parametrize("text", rows(NO_THANKS))
def test_anything_else_is_no_thanks(text: str) -> None:
    assert not is_thanks(text)


def test_every_language_has_a_dozen_rows_of_each() -> None:
    assert len(NO_THANKS) == 10
    assert all(len(NO_THANKS[language]) >= 12 <= len(THANKS[language]) for language in NO_THANKS)


def test_a_long_text_is_never_thanks() -> None:
    assert is_thanks("thanks " * 28)
    assert not is_thanks("thanks " * 29)


SOLVED = [
    *[
        "yes",
        "Yes, solved",
        "it works now",
        "It works again, thank you!",
        "Yes, all good",
        "the problem is resolved",
        "fixed",
    ],
    *["everything works fine now, thanks Ana!", "That fixed it", "Yep 👍", "yes it is", "you can close the ticket"],
    *[
        "sí",
        "sí, solucionado",
        "ya funciona",
        "Sí, todo bien, gracias",
        "ya está resuelto",
        "el problema ha sido resuelto",
    ],
    *[
        "ja",
        "ja, erledigt",
        "Ja, das Problem ist gelöst",
        "funktioniert wieder",
        "es geht jetzt wieder",
        "hat sich erledigt",
    ],
    *["oui", "oui, résolu", "c'est réglé, merci", "ça marche maintenant", "tout fonctionne", "le problème est résolu"],
    *["sim", "sim, resolvido", "já funciona", "deu certo, obrigado", "o problema foi resolvido", "tudo certo agora"],
    *[
        "sì",
        "sì, risolto",
        "ora funziona",
        "è tutto a posto, grazie",
        "il problema è stato risolto",
        "problema risolto",
    ],
    *[
        "ja, opgelost",
        "het werkt weer",
        "ja hoor",
        "het probleem is opgelost",
        "alles is in orde",
        "ja, het is gelukt, bedankt",
    ],
    *[
        "हाँ",
        "हाँ, हो गया",
        "समस्या हल हो गई है",
        "अब ठीक है",
        "अब काम कर रहा है",
        "haan",
        "ab theek hai",
        "problem solve ho gayi hai",
    ],
    *["نعم", "نعم، تم الحل", "تم حل المشكلة", "يعمل الآن", "انحلت المشكلة", "كل شيء تمام الآن، شكرا"],
    *["evet", "evet, çözüldü", "sorun çözüldü", "şimdi çalışıyor", "her şey yolunda", "Evet, halloldu, teşekkürler"],
]
UNSOLVED = [
    *[
        "no",
        "No.",
        "nope",
        "not solved",
        "still not working",
        "No, it still doesn't work",
        "not yet",
        "it is still broken",
    ],
    *[
        "Unfortunately the problem is still not fixed",
        "no, the same problem",
        "still not solved, thanks",
        "nothing has changed",
    ],
    *["no, todavía no", "no está solucionado", "sigue sin funcionar", "aún no", "el problema persiste", "no funciona"],
    *[
        "nein",
        "Nein, leider nicht",
        "noch nicht gelöst",
        "es funktioniert immer noch nicht",
        "leider nein",
        "geht noch nicht",
    ],
    *[
        "non",
        "non, toujours pas",
        "ce n'est pas résolu",
        "ça ne marche toujours pas",
        "pas encore",
        "le problème persiste",
    ],
    *[
        "não",
        "não, ainda não",
        "não foi resolvido",
        "ainda não funciona",
        "continua sem funcionar",
        "o problema continua",
    ],
    *[
        "no, non ancora",
        "non è risolto",
        "non funziona ancora",
        "il problema persiste",
        "purtroppo no",
        "non è ancora stato risolto",
    ],
    *[
        "nee",
        "nee, nog niet",
        "het is nog niet opgelost",
        "het werkt nog steeds niet",
        "helaas niet",
        "het probleem blijft",
    ],
    *[
        "नहीं",
        "नहीं, अभी नहीं",
        "समस्या हल नहीं हुई",
        "अभी भी काम नहीं कर रहा है",
        "nahi",
        "abhi tak nahi hua",
        "theek nahi hua hai",
    ],
    *["لا", "لا، ليس بعد", "لم تحل المشكلة", "لا يعمل", "المشكلة ما زالت موجودة", "للأسف لا"],
    *["hayır", "hayır, çözülmedi", "hala çalışmıyor", "sorun devam ediyor", "henüz değil", "maalesef çözülmedi"],
]
NEITHER = [
    *[
        "",
        "thanks",
        "ok",
        "👍",
        "great",
        "hello",
        "yes but not the second one",
        "yes?",
        "solved?",
        "is it solved",
        "no, thanks",
    ],
    *[
        "yes, still not working",
        "no, it works now",
        "not only solved",
        "no problem",
        "no idea",
        "yes, and another question",
        "yes 2",
    ],
    *[
        "no, call me",
        "not solved, I want my money back",
        "it works now but I was charged twice",
        "ok, no",
        "maybe",
        "almost solved",
    ],
    *["gracias", "sí, pero falta algo", "no sé", "solucionado a medias", "sí y no", "no, gracias"],
    *["danke", "ja, aber", "nein, danke", "ja und nein", "nicht sicher", "teilweise gelöst", "erledigt? nein"],
    *["merci", "oui mais", "non merci", "je ne sais pas", "presque résolu", "oui et non"],
    *["obrigado", "sim, mas", "não sei", "quase resolvido", "não, obrigado"],
    *["grazie", "sì ma", "non so", "quasi risolto", "no grazie"],
    *["bedankt", "ja maar", "weet niet", "bijna opgelost", "nee bedankt"],
    *["धन्यवाद", "हाँ लेकिन", "पता नहीं", "shukriya", "haan lekin", "नहीं, धन्यवाद"],
    *["شكرا", "نعم ولكن", "لا أعرف", "لا شكرا", "تقريبا"],
    *["teşekkürler", "evet ama", "bilmiyorum", "hayır teşekkürler", "kısmen çözüldü"],
]


@pytest.mark.parametrize("text", SOLVED)
def test_who_says_that_it_is_solved_is_believed(text: str) -> None:
    assert says_solved(text) is True


@pytest.mark.parametrize("text", UNSOLVED)
def test_who_says_that_it_is_not_solved_is_believed(text: str) -> None:
    assert says_solved(text) is False


@pytest.mark.parametrize("text", NEITHER)
def test_who_says_neither_or_more_has_not_answered(text: str) -> None:
    assert says_solved(text) is None


@pytest.mark.parametrize("text", UNSOLVED)
def test_what_is_unsolved_is_no_thanks(text: str) -> None:
    assert not is_thanks(text)


COMPLAINTS = [
    *[
        "it was charged again",
        "My card is still blocked",
        "the refund has not arrived",
        "Nothing works",
        "Please call me back",
    ],
    *[
        "Card Declined",
        "Refund",
        "Why",
        "where is my money",
        "I want my 50 back",
        "it is not working",
        "Fraud!",
        "still waiting",
    ],
    *[
        "la tarjeta sigue bloqueada",
        "No funciona",
        "quiero mi dinero",
        "Me cobraron dos veces",
        "Todavía nada",
        "otra vez",
    ],
    *[
        "die Karte ist noch gesperrt",
        "Es geht nicht",
        "wieder abgebucht",
        "Wo ist mein Geld",
        "Leider nein",
        "Karte gesperrt",
    ],
    *[
        "la carte est bloquée",
        "Ça ne marche pas",
        "où est mon argent",
        "Toujours rien",
        "encore débité",
        "Carte bloquée",
    ],
    *[
        "o cartão está bloqueado",
        "Não funciona",
        "cadê meu dinheiro",
        "cobraram de novo",
        "Ainda nada",
        "Cartão bloqueado",
    ],
    *["la carta è bloccata", "Non funziona", "dove sono i miei soldi", "Ancora niente", "addebitato di nuovo"],
    *["de kaart is geblokkeerd", "Het werkt niet", "waar is mijn geld", "Nog niets", "weer afgeschreven"],
    *["कार्ड ब्लॉक है", "काम नहीं कर रहा", "पैसे कब आएंगे", "फिर से कट गए", "paisa nahi aaya", "abhi bhi problem hai"],
    *["البطاقة محظورة", "لا يعمل", "أين أموالي", "تم الخصم مرة أخرى", "لم يصل المبلغ"],
    *["kartım bloke", "Çalışmıyor", "param nerede", "yine çekildi", "Hâlâ gelmedi"],
]
ANY_THANKS = st.sampled_from(rows(THANKS))
ANY_COMPLAINT = st.sampled_from(COMPLAINTS)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    assert is_thanks(text) in {True, False}
    assert says_solved(text) in {True, False, None}


@pytest.mark.parametrize("complaint", COMPLAINTS)
@pytest.mark.parametrize("join", [" ", ". ", ", ", "! ", "\n", "\n\n", " - ", " 👍 "])
def test_thanks_with_a_complaint_are_no_thanks(complaint: str, join: str) -> None:
    for text in rows(THANKS):
        assert not is_thanks(text + join + complaint), text
        assert not is_thanks(complaint + join + text), text


@given(thanks=ANY_THANKS, more=ANY_THANKS, complaint=ANY_COMPLAINT, join=st.sampled_from([" ", ", ", ".\n", "… "]))
def test_a_complaint_between_thanks_is_no_thanks(thanks: str, more: str, complaint: str, join: str) -> None:
    assert not is_thanks(join.join([thanks, complaint, more]))


@given(solved=st.sampled_from(SOLVED), complaint=ANY_COMPLAINT, join=st.sampled_from([" ", ", ", ".\n", "… "]))
def test_what_comes_with_a_complaint_is_not_solved(solved: str, complaint: str, join: str) -> None:
    assert says_solved(solved + join + complaint) is not True


@given(thanks=ANY_THANKS, word=st.text(st.characters(categories=["Ll"]), min_size=12, max_size=30))
def test_a_word_that_nobody_knows_is_no_thanks(thanks: str, word: str) -> None:
    assert not is_thanks(f"{thanks} x{word}q")


@given(thanks=ANY_THANKS, sign=st.sampled_from("?؟？¿1٣५½@#/%+(){}[]<>=\\|€👎😡🤔"))
def test_a_sign_that_is_no_thanks_spoils_it(thanks: str, sign: str) -> None:
    assert not is_thanks(f"{thanks} {sign}")
    assert not is_thanks(f"{sign} {thanks}")
