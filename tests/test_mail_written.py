"""What the author of a mail really wrote."""

import textwrap

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from adapters.mail.cli import add_commands
from adapters.mail.written import MOST_LINES, is_footer, written

INTRODUCTIONS = {
    "Gmail, English": "On Thu, 5 May 2016 at 10:03, Firstline Support <help@shop.example> wrote:",
    "Gmail, English, US": "On Thu, May 5, 2016 at 10:03 AM Firstline Support <help@shop.example> wrote:",
    "Gmail, GMT": "2016-05-05 10:03 GMT+02:00 Firstline Support <help@shop.example>:",
    "Gmail, German": "Am Do., 5. Mai 2016 um 10:03 Uhr schrieb Firstline Support <help@shop.example>:",
    "Gmail, German, name first": "Firstline Support <help@shop.example> schrieb am Do., 5. Mai 2016, 10:03:",
    "Gmail, French": "Le jeu. 5 mai 2016 à 10:03, Firstline Support <help@shop.example> a écrit\xa0:",
    "Gmail, Spanish": "El jue, 5 may 2016 a las 10:03, Firstline Support (<help@shop.example>) escribió:",
    "Gmail, Italian": "Il giorno gio 5 mag 2016 alle ore 10:03 Firstline Support <help@shop.example> ha scritto:",
    "Gmail, Portuguese": "Firstline Support <help@shop.example> escreveu (quinta, 5/05/2016 à(s) 10:03):",
    "Gmail, Brazilian": "Em qui., 5 de mai. de 2016 às 10:03, Firstline Support <help@shop.example> escreveu:",
    "Gmail, Dutch": "Op do 5 mei 2016 om 10:03 schreef Firstline Support <help@shop.example>:",
    "Gmail, Swedish": "Den tors 5 maj 2016 kl 10:03 skrev Firstline Support <help@shop.example>:",
    "Gmail, Danish": "Den tor. 5. maj 2016 kl. 10.03 skrev Firstline Support <help@shop.example>:",
    "Gmail, Norwegian": "tor. 5. mai 2016 kl. 10:03 skrev Firstline Support <help@shop.example>:",
    "Gmail, Finnish": "to 5. toukok. 2016 klo 10.03 Firstline Support (help@shop.example) kirjoitti:",
    "Gmail, Polish": "czw., 5 maj 2016 o 10:03 Firstline Support <help@shop.example> napisał(a):",
    "Gmail, Czech": "čt 5. 5. 2016 v 10:03 odesílatel Firstline Support <help@shop.example> napsal:",
    "Gmail, Slovak": "št 5. 5. 2016 o 10:03 Firstline Support <help@shop.example> napísal(a):",
    "Gmail, Hungarian": "Firstline Support <help@shop.example> ezt írta (időpont: 2016. máj. 5., Cs, 10:03):",
    "Gmail, Romanian": "În joi, 5 mai 2016 la 10:03, Firstline Support <help@shop.example> a scris:",
    "Gmail, Bulgarian": "На чт, 5.05.2016 г. в 10:03 Firstline Support <help@shop.example> написа:",
    "Gmail, Russian": "чт, 5 мая 2016 г. в 10:03, Firstline Support <help@shop.example>:",
    "Gmail, Ukrainian": "чт, 5 трав. 2016 р. о 10:03 Firstline Support <help@shop.example> пише:",
    "Gmail, Serbian": "чет, 5. мај 2016. у 10:03 Firstline Support <help@shop.example> је написао/ла:",
    "Gmail, Croatian": "čet, 5. svi 2016. u 10:03 Firstline Support <help@shop.example> napisao je:",
    "Gmail, Slovenian": "V V čet., 5. maj 2016 ob 10:03 je oseba Firstline Support <help@shop.example> napisala:",
    "Gmail, Greek": "Στις Πέμ 5 Μαΐ 2016 στις 10:03 π.μ., ο χρήστης Firstline <help@shop.example> έγραψε:",
    "Gmail, Turkish": "Firstline Support <help@shop.example>, 5 May 2016 Per, 10:03 tarihinde şunu yazdı:",
    "Gmail, Estonian": "Firstline Support <help@shop.example> kirjutas kuupäeval N, 5. mai 2016 kell 10:03:",
    "Gmail, Latvian": "ceturtd., 2016. g. 5. maijs, plkst. 10:03 — lietotājs Firstline (<help@shop.example>) rakstīja:",
    "Gmail, Lithuanian": "2016-05-05, kt, 10:03 Firstline Support <help@shop.example> rašė:",
    "Gmail, Catalan": "Missatge de Firstline Support <help@shop.example> del dia dj., 5 de maig 2016 a les 10:03:",
    "Gmail, Arabic": "في الخميس، 5 مايو 2016 في 10:03 ص تمت كتابة ما يلي بواسطة Firstline <help@shop.example>:",
    "Gmail, Hebrew": "\u202bבתאריך יום ה׳, 5 במאי 2016 ב-10:03 מאת Ann <\u202ahelp@shop.example\u202c\u200f>:\u202c",
    "Gmail, Persian": "در تاریخ پنجشنبه ۵ مهٔ ۲۰۱۶، ۱۰:۰۳ Firstline Support <help@shop.example> نوشت:",
    "Gmail, Hindi": "गुरु, 5 मई 2016 को 10:03 am बजे को Firstline Support <help@shop.example> ने लिखा:",
    "Gmail, Bengali": "বৃহস্পতি, 5 মে, 2016 তারিখে 10:03 AM টায় তে, Firstline <help@shop.example> লিখেছেন:",
    "Gmail, Indonesian": "Pada tanggal Kam, 5 Mei 2016 pukul 10.03 Firstline <help@shop.example> menulis:",
    "Gmail, Vietnamese": "Vào Th 5, 5 thg 5, 2016 vào lúc 10:03 Firstline <help@shop.example> đã viết:",
    "Gmail, Thai": "ในวันที่ พฤ. 5 พ.ค. 2016 เวลา 10:03 Firstline Support <help@shop.example> เขียนว่า:",
    "Gmail, Chinese": "Firstline Support <help@shop.example> 于2016年5月5日周四 上午10:03写道：",
    "Gmail, Chinese, traditional": "Firstline Support <help@shop.example> 於 2016年5月5日 週四 上午10:03寫道：",
    "Gmail, Japanese": "2016年5月5日(木) 10:03 Firstline Support <help@shop.example>:",
    "Gmail, Korean": "2016년 5월 5일 (목) 오전 10:03, Firstline Support <help@shop.example>님이 작성:",
    "Apple, English": "On May 5, 2016, at 10:03 AM, Firstline Support <help@shop.example> wrote:",
    "Apple, no address": "On 5 May 2016, at 10:03, Firstline Support wrote:",
    "Apple, German": "Am 05.05.2016 um 10:03 schrieb Firstline Support <help@shop.example>:",
    "Apple, French": "Le 5 mai 2016 à 10:03, Firstline Support <help@shop.example> a écrit :",
    "Apple, Spanish": "El 5 may 2016, a las 10:03, Firstline Support <help@shop.example> escribió:",
    "Apple, Italian": "Il giorno 05 mag 2016, alle ore 10:03, Firstline <help@shop.example> ha scritto:",
    "Apple, Dutch": "Op 5 mei 2016, om 10:03 heeft Firstline Support <help@shop.example> het volgende geschreven:",
    "Apple, Danish": "Den 5. maj 2016 kl. 10.03 skrev Firstline Support <help@shop.example>:",
    "Apple, Finnish": "Firstline Support <help@shop.example> kirjoitti 5.5.2016 kello 10.03:",
    "Apple, Polish": "Wiadomość napisana przez Firstline <help@shop.example> w dniu 05.05.2016, o godz. 10:03:",
    "Apple, Czech": "5. 5. 2016 v 10:03, Firstline Support <help@shop.example>:",
    "Apple, Russian": "5 мая 2016 г., в 10:03, Firstline Support <help@shop.example> написал(а):",
    "Apple, Chinese": "在 2016年5月5日，上午10:03，Firstline Support <help@shop.example> 写道：",
    "Apple, Chinese, traditional": "Firstline Support <help@shop.example> 於 2016年5月5日 上午10:03 寫道：",
    "Apple, Japanese": "2016/05/05 10:03、Firstline Support <help@shop.example>のメール:",
    "Apple, Korean": "2016. 5. 5., 오전 10:03, Firstline Support <help@shop.example> 작성:",
    "Apple, Hungarian": "2016. máj. 5. dátummal, 10:03 időpontban Firstline <help@shop.example> írta:",
    "Apple, Turkish": "Firstline Support <help@shop.example> şunları yazdı (5 May 2016 10:03):",
    "Apple, Arabic": "في ٥ مايو ٢٠١٦، الساعة ١٠:٠٣ ص، كتب Firstline <help@shop.example>:",
    "Yahoo, English": "On Thursday, May 5, 2016, 10:03:11 AM GMT+2, Firstline Support <help@shop.example> wrote:",
    "Yahoo, German": "Am Donnerstag, 5. Mai 2016, 10:03:11 MESZ hat Ann <help@shop.example> Folgendes geschrieben:",
    "Yahoo, Spanish": "El jueves, 5 de mayo de 2016 10:03:11 CEST, Firstline <help@shop.example> escribió:",
    "Yahoo, Portuguese": "Em quinta-feira, 5 de maio de 2016 10:03:11 BRT, Firstline <help@shop.example> escreveu:",
    "Thunderbird, English": "On 5/5/2016 10:03 AM, Firstline Support wrote:",
    "Thunderbird, German": "Am 05.05.16 um 10:03 schrieb Firstline Support:",
    "Thunderbird, French": "Le 05/05/2016 à 10:03, Firstline Support a écrit :",
    "Thunderbird, Spanish": "El 5/5/16 a las 10:03, Firstline Support escribió:",
    "Thunderbird, Dutch": "Op 05-05-16 om 10:03 schreef Firstline Support:",
    "Thunderbird, Italian": "Il 05/05/2016 10:03, Firstline Support ha scritto:",
    "Thunderbird, Czech": "Dne 05.05.2016 v 10:03 Firstline Support napsal(a):",
    "Thunderbird, Polish": "W dniu 05.05.2016 o 10:03, Firstline Support pisze:",
    "Thunderbird, Swedish": "Den 2016-05-05 kl. 10:03, skrev Firstline Support:",
    "Thunderbird, Russian": "05.05.2016 10:03, Firstline Support пишет:",
    "Thunderbird, Ukrainian": "05.05.16 10:03, Firstline Support пише:",
    "Thunderbird, Hungarian": "2016. 05. 05. 10:03 keltezéssel, Firstline Support írta:",
    "Thunderbird, Slovak": "Dňa 5. 5. 2016 o 10:03 Firstline Support napísal(a):",
    "Outlook for Mac": 'On 5/5/16, 10:03 AM, "Firstline Support" <help@shop.example> wrote:',
    "Exchange, on behalf": 'On 5 May 2016 10:03, "Desk" <help@shop.example<mailto:help@shop.example>> wrote:',
    "Notes": "Firstline Support <help@shop.example> wrote on 05/05/2016 10:03:11 AM:",
    "Proton": "On Thursday, May 5th, 2016 at 10:03 AM, Firstline Support <help@shop.example> wrote:",
    "Samsung, name first": "Firstline Support <help@shop.example> wrote:",
    "Mail.ru": "Четверг, 5 мая 2016, 10:03 +03:00 от Firstline Support <help@shop.example>:",
    "Eudora": "At 10:03 AM 5/5/2016, you wrote:",
    "Horde": "Quoting Firstline Support <help@shop.example>:",
    "Old Yahoo": "--- On Thu, 5/5/16, Firstline Support <help@shop.example> wrote:",
    "Yandex": '05.05.2016, 10:03, "Firstline Support" <help@shop.example>:',
    "NetEase": 'At 2016-05-05 10:03:11, "Firstline Support" <help@shop.example> wrote:',
    "NetEase, Chinese": '在 2016-05-05 10:03:11，"Firstline Support" <help@shop.example> 写道：',
}
"""Where the names of the programs stand for how they write: the sentences are made up."""

QUESTION = "Was it solved?\nTell us, please."
MARKED = "> Was it solved?\n> Tell us, please."


@pytest.mark.parametrize("introduction", INTRODUCTIONS.values(), ids=INTRODUCTIONS)
def test_an_answer_above_what_it_answers_is_left_alone(introduction: str) -> None:
    for columns in (400, 76, 60, 45):
        line = textwrap.fill(introduction, columns, break_long_words=False, break_on_hyphens=False)
        assert written(f"Yes, solved\n\n{line}\n{MARKED}") == "Yes, solved"
        assert written(f"Yes, solved\n\n{line}\n\n{MARKED}\n") == "Yes, solved"
        assert written(f"Yes, solved\n{line}\n{MARKED}") == "Yes, solved"
        assert written(f"Yes, solved\r\n\r\n{line}\r\n\r\n{QUESTION}") == "Yes, solved"
        assert written(f"{line}\n{MARKED}\n\nYes, solved\n") == "Yes, solved"


HEADERS = {
    "English": ("From", "Sent", "To", "Subject"),
    "German": ("Von", "Gesendet", "An", "Betreff"),
    "French": ("De", "Envoyé", "À", "Objet"),
    "Spanish": ("De", "Enviado el", "Para", "Asunto"),
    "Italian": ("Da", "Inviato", "A", "Oggetto"),
    "Portuguese": ("De", "Enviado", "Para", "Assunto"),
    "Brazilian": ("De", "Enviada em", "Para", "Assunto"),
    "Dutch": ("Van", "Verzonden", "Aan", "Onderwerp"),
    "Swedish": ("Från", "Skickat", "Till", "Ämne"),
    "Danish": ("Fra", "Sendt", "Til", "Emne"),
    "Finnish": ("Lähettäjä", "Lähetetty", "Vastaanottaja", "Aihe"),
    "Estonian": ("Saatja", "Saadetud", "Adressaat", "Teema"),
    "Polish": ("Od", "Wysłano", "Do", "Temat"),
    "Czech": ("Od", "Odesláno", "Komu", "Předmět"),
    "Slovak": ("Od", "Odoslané", "Komu", "Predmet"),
    "Hungarian": ("Feladó", "Elküldve", "Címzett", "Tárgy"),
    "Romanian": ("De la", "Trimis", "Către", "Subiect"),
    "Bulgarian": ("От", "Изпратено", "До", "Относно"),
    "Russian": ("От", "Отправлено", "Кому", "Тема"),
    "Ukrainian": ("Від", "Надіслано", "Кому", "Тема"),
    "Greek": ("Από", "Στάλθηκε", "Προς", "Θέμα"),
    "Turkish": ("Kimden", "Gönderildi", "Kime", "Konu"),
    "Arabic": ("من", "تاريخ الإرسال", "إلى", "الموضوع"),
    "Hebrew": ("מאת", "נשלח", "אל", "נושא"),
    "Hindi": ("प्रेषक", "भेजा गया", "प्रति", "विषय"),
    "Indonesian": ("Dari", "Dikirim", "Kepada", "Perihal"),
    "Vietnamese": ("Từ", "Đã gửi", "Đến", "Chủ đề"),
    "Thai": ("จาก", "ส่ง", "ถึง", "เรื่อง"),
    "Chinese": ("发件人", "发送时间", "收件人", "主题"),
    "Chinese, traditional": ("寄件者", "寄件日期", "收件者", "主旨"),
    "Japanese": ("差出人", "送信日時", "宛先", "件名"),
    "Korean": ("보낸 사람", "보낸 날짜", "받는 사람", "제목"),
}
VALUES = (
    "Firstline <help@shop.example>",
    "5 May 2016 10:03",
    "Bea Roe; Cid Poe;\n Dan Foe <dan@home.example>",
    "Your card",
)


FORMS = ("{}: {}", "*{}:* {}", "**{}:** {}", "{} : {}", "{}\uff1a{}", "{}:\t{}", "{}: {}\n")


@pytest.mark.parametrize("labels", HEADERS.values(), ids=HEADERS)
def test_a_header_block_ends_what_was_written(labels: tuple[str, ...]) -> None:
    for form in FORMS:
        block = "\n".join(form.format(*pair) for pair in zip(labels, VALUES, strict=True))
        assert written(f"Yes, solved\n\n{block}\n\n{QUESTION}") == "Yes, solved"
        assert written(f"Yes, solved\n{'_' * 32}\n{block}\n\n{QUESTION}") == "Yes, solved"
        assert written(f"{block}\n\n{QUESTION}") == QUESTION


@pytest.mark.parametrize(
    "line",
    [
        "-----Original Message-----",
        "-------- Original Message --------",
        "*-------- Original Message --------*",
        "----- Reply message -----",
        "-----Ursprüngliche Nachricht-----",
        "-----Message d'origine-----",
        "-----Mensaje original-----",
        "-----Messaggio originale-----",
        "-----Mensagem original-----",
        "-----Oorspronkelijk bericht-----",
        "-----Ursprungligt meddelande-----",
        "-----Oprindelig meddelelse-----",
        "-----Opprinnelig melding-----",
        "-----Alkuperäinen viesti-----",
        "-----Wiadomość oryginalna-----",
        "-----Původní zpráva-----",
        "-----Pôvodná správa-----",
        "-----Eredeti üzenet-----",
        "-----Mesaj original-----",
        "-----Исходное сообщение-----",
        "-----Αρχικό μήνυμα-----",
        "-----Orijinal Mesaj-----",
        "-----الرسالة الأصلية-----",
        "-----הודעה מקורית-----",
        "-----Jatorrizko zerbait-----\nFrom: Ann\nTo: Bea",
        "-----मूल संदेश-----",
        "-----Pesan asli-----",
        "------------------ 原始邮件 ------------------",
        "-----元のメッセージ-----",
        "-----원본 메시지-----",
        "##- Please type your reply above this line -##",
    ],
)
def test_the_line_above_the_original_ends_what_was_written(line: str) -> None:
    assert written(f"Yes, solved\n\n{line}\n{QUESTION}") == "Yes, solved"


FOOTERS = [
    "Sent from my iPhone",
    "*Sent from my iPhone*",
    "(sent from a phone)",
    "Sent from my Galaxy S24, please excuse typos.",
    "Sent from Mail for Windows",
    "Sent with Proton Mail secure email.",
    "Sent from Yahoo Mail. Get the app",
    "Sent from my iPhone\nPlease excuse typos and brevity.",
    "Sent via BlackBerry from T-Mobile",
    "Sent from Gmail Mobile",
    "Sent from AOL Mobile Mail\n\u1427",
    "Get Outlook for iOS<https://links.example/x>",
    "Get [Outlook for Android](https://links.example/x)",
    "Sent from [Outlook](http://links.example/x)",
    "Von meinem iPhone gesendet",
    "Vom Handy gesendet",
    "Holen Sie sich Outlook für Android",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
    "Envoyé de mon iPhone",
    "Télécharger Outlook pour iOS",
    "Provenance : Courrier pour Windows",
    "Enviado desde mi iPhone",
    "Obtener Outlook para Android",
    "Enviado do meu iPhone",
    "Inviato da iPhone",
    "Verstuurd vanaf mijn iPhone",
    "Skickat från min iPhone",
    "Sendt fra min iPhone",
    "Lähetetty iPhonesta",
    "Wysłane z iPhone’a",
    "Odesláno z iPhonu",
    "Odoslané z iPhonu",
    "iPhone-omról küldve",
    "Trimis de pe iPhone-ul meu",
    "Изпратено от моя iPhone",
    "Отправлено с iPhone",
    "Надіслано з iPhone",
    "Στάλθηκε από το iPhone μου",
    "iPhone'umdan gönderildi",
    "تم الإرسال من الـ iPhone",
    "נשלח מה-iPhone שלי",
    "मेरे iPhone से भेजा गया",
    "Dikirim dari iPhone saya",
    "Đã gửi từ iPhone của tôi",
    "ส่งจาก iPhone ของฉัน",
    "发自我的 iPhone",
    "從我的 iPhone 傳送",
    "iPhoneから送信",
    "나의 iPhone에서 보냄",
]


@pytest.mark.parametrize("footer", FOOTERS)
def test_the_footer_of_a_telephone_is_not_written(footer: str) -> None:
    assert written(f"Yes, solved\n\n{footer}\n") == "Yes, solved"
    assert written(f"Yes, solved\n\n{footer}\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n{MARKED}") == "Yes, solved"
    assert written(f"Yes, solved\n\n{footer}\n\n> On 5 May 2016, at 10:03, Ann wrote:\n>\n{MARKED}") == "Yes, solved"


@pytest.mark.parametrize(
    "line",
    [
        "I paid from my phone",
        "I sent the money from my phone",
        "Sent from my account, 500 EUR",
        "Sent 500 EUR twice",
        "Sorry for the wrong amount",
        "Sent by mistake, they say it cannot be cancelled",
        "Get my money back",
        "Von meinem Konto abgebucht",
        "Enviado desde mi cuenta",
        "My phone was stolen",
    ],
)
def test_a_sentence_of_a_telephone_or_of_money_that_was_sent_is_no_footer(line: str) -> None:
    assert not is_footer(line)
    assert written(f"Hello\n\n{line}") == f"Hello\n\n{line}"


@pytest.mark.parametrize("delimiter", ["--", "-- ", "--\xa0", "\u2014"])
def test_what_follows_the_delimiter_of_a_signature_is_not_written(delimiter: str) -> None:
    assert written(f"Yes, solved\n\n{delimiter}\nBea Roe\nRoe & Co.\n") == "Yes, solved"
    quoted = f"Yes, solved\n\n{delimiter}\nBea Roe\n\nAm 05.05.16 um 10:03 schrieb Ann:\n{MARKED}"
    assert written(quoted) == "Yes, solved"
    assert written(f"Am 05.05.16 um 10:03 schrieb Ann:\n{MARKED}\n\nYes, solved\n{delimiter}\nBea") == "Yes, solved"


def test_a_rule_ends_what_was_written_if_a_visiting_card_or_the_footer_of_a_list_is_below_it() -> None:
    assert written("Yes, solved\n\n-----\nBea Roe\nTel. +49 30 1234567\n") == "Yes, solved"
    listed = f"Yes, solved\n\n{'_' * 47}\nHelp mailing list\nhttps://lists.example/listinfo/help"
    assert written(listed) == "Yes, solved"


@pytest.mark.parametrize(
    "text",
    [
        "These are missing:\n-----\nOrder 1, 5 EUR\nOrder 2, 7 EUR\n-----\nPlease look",
        "My order:\n=====\nOrder 1, 5 EUR",
        "I tried it twice:\n\nthe card was refused",
        "From: Paris\nTo: London\nDate: 5 May 2016\n\nWhere is my ticket?",
        "I paid on 5 May 2016 and your colleague wrote:\nwe will refund it",
        "Hello,\nI paid 49.90 on 5 May 2016, and your colleague wrote:\nit will be refunded",
        "Hello,\nYour colleague Ann wrote:\n> it is refunded\nBut it is not",
        "On this day I paid twice.\n\nOn the next your colleague wrote:\n\nit will be refunded",
        "Note: see below\nAmount: 5 EUR",
        "5.5.2016 10:03: the card was charged\n5.5.2016 10:04: it was charged again",
        "Hello,\n\nmy order is late.\n\nBest regards,\nBea",
        "He wrote me: pay at 10:00",
        "a | b\n| c",
        "Email: bea@home.example\nPhone: 123",
        "\u2014Bea",
        "--- no rule",
    ],
)
def test_what_only_looks_like_a_mark_stays(text: str) -> None:
    assert written(text) == text


def test_answers_between_the_lines_stay_with_what_they_answer() -> None:
    answered = "> Solved?\nYes\n> Refund?\nNo"
    assert written(f"On 5/5/2016 10:03 AM, Ann wrote:\n{answered}") == answered
    assert written(f"Hi Ann,\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n{answered}") == f"Hi Ann,\n\n{answered}"
    assert written(answered) == answered


def test_an_answer_below_the_quote_is_found_also_with_a_greeting_above() -> None:
    text = f"Hi Ann,\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n{MARKED}\n\nYes, solved\n\n-- \nBea"
    assert written(text) == f"Hi Ann,\n\n{MARKED}\n\nYes, solved"


def test_an_introduction_that_is_quoted_itself_or_stands_on_the_line_of_the_quote_is_one() -> None:
    introduction = "On 5 May 2016, at 10:03, Ann <ann@shop.example> wrote:"
    assert written(f"> {introduction}\n>\n{MARKED}\n\nYes, solved") == "Yes, solved"
    assert written(f"Yes, solved\n\n> {introduction}\n>\n{MARKED}\n") == "Yes, solved"
    assert written(f"Yes, solved\n\n{introduction} Was it solved? Tell us.") == "Yes, solved"
    mine = "On 5 May 2016 I sent <help@shop.example> a mail: nobody answered"
    assert written(f"Hello\n\n{mine}") == f"Hello\n\n{mine}"


def test_a_quote_that_was_wrapped_badly_is_no_answer_between_the_lines() -> None:
    long = "> was it solved in the end, or is there something that we can still do for\nyou\n> ? Tell us."
    assert written(f"Yes, solved\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n{long}\n") == "Yes, solved"


def test_a_quote_without_an_introduction_goes_if_it_is_below_and_stays_if_it_is_answered() -> None:
    assert written(f"Yes, solved\n\n{MARKED}") == "Yes, solved"
    assert written(f"{MARKED}\n\nYes, solved") == f"{MARKED}\n\nYes, solved"
    assert written(MARKED) == MARKED


def test_nothing_was_written_where_all_is_quoted_under_an_introduction() -> None:
    assert written(f"On 5/5/2016 10:03 AM, Ann wrote:\n{MARKED}\n") == ""
    assert written(f"Sent from my iPhone\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n{MARKED}\n") == ""


@pytest.mark.parametrize("text", ["Sent from my iPhone", "--\nBea Roe", "-----", "> hi", "--", "\u2014"])
def test_a_text_in_which_nothing_is_quoted_is_never_made_empty(text: str) -> None:
    assert written(text) == text


@pytest.mark.parametrize(
    "mark",
    [
        "---------- Forwarded message ---------",
        "Begin forwarded message:",
        "-------- Forwarded Message --------",
        "---------- Weitergeleitete Nachricht ----------",
        "Début du message réexpédié :",
        "---------- Mensaje reenviado ---------",
        "---------- Пересылаемое сообщение --------",
        "---------- 转发的邮件 ---------",
    ],
)
def test_the_body_of_a_forwarded_mail_stays(mark: str) -> None:
    block = "From: Shop <shop@shop.example>\nDate: Thu, 5 May 2016\nSubject: Payment failed\nTo: <bea@home.example>"
    assert written(f"{mark}\n{block}\n\nPayment 12 failed") == "Payment 12 failed"
    assert written(f"What is this?\n\n{mark}\n\n{block}\n\nPayment 12 failed").split("\n\n") == [
        "What is this?",
        "Payment 12 failed",
    ]
    assert written(f"{block}\n\n> Payment 12 failed") == "> Payment 12 failed"
    history = f"\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n{MARKED}"
    assert written(f"{mark}\n{block}\n\nPayment 12 failed{history}") == "Payment 12 failed"


def test_lines_beyond_those_that_are_looked_at_stay() -> None:
    text = "\n".join(f"line {number}" for number in range(MOST_LINES * 2))
    assert written(text) == text
    assert written(f"Yes, solved\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n\n{text}") == "Yes, solved"


PIECES = ["Yes", "", "> a", "| a", "--", "-----", "____", "On 5 May 2016 at 10:00, Ann <a@b.example> wrote:", "wrote:"]
PIECES += ["From: a@b.example", "To: b", "Subject: c", "-----Original Message-----", "Begin forwarded message:", "<"]
PIECES += [
    "> wrote:",
    "Ann <",
    "a@b.example> wrote:",
    "Sent from my iPhone",
    " ",
    "\t> b",
    "\u200b",
    "On 5",
    "5.5.2016 10:00:",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=25))
def test_whatever_comes_only_whole_lines_of_it_come_out(pieces: list[str]) -> None:
    text = "\n".join(pieces).replace("\r", "")
    lines = {line.strip() for line in text.split("\n")}
    assert {line.strip() for line in written(text).split("\n")} <= lines | {""}


def test_the_command_prints_what_was_written_in_utf_8_or_latin_1() -> None:
    app = typer.Typer()
    add_commands(app)
    for charset in ("utf-8", "latin-1"):
        mail = f"Ja, gelöst\r\n\r\nAm 05.05.16 um 10:03 schrieb Ann:\r\n{MARKED}".encode(charset)
        done = CliRunner().invoke(app, ["mail", "reply"], input=mail)
        assert done.exit_code == 0
        assert done.output == "Ja, gelöst\n"
