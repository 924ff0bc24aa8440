"""Mails that were forwarded by hand, and mailboxes that ask whether they may."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.forwarded import Confirmation, confirmation, moment, original
from adapters.mail.parse import parse
from adapters.mail.parsed import Mail, Mailbox
from tests.test_mail_written import HEADERS

BEA = Mailbox("Bea Roe", "bea@home.example")
BODY = "My card was charged twice.\n\nBea"


def mail(text: str, subject: str = "Fwd: Twice", sender: str = "ann@shop.example") -> Mail:
    """Return a mail of a colleague's, with this text."""
    return parse(
        f"From: Ann Lee <{sender}>\nTo: help@shop.example\nSubject: {subject}\n"
        f"Message-ID: <1@shop.example>\nContent-Type: text/plain; charset=utf-8\n\n{text}".encode()
    )


def block(labels: tuple[str, ...] = HEADERS["English"], sender: str = "Bea Roe <bea@home.example>") -> str:
    values = (sender, "Thu, 5 May 2016 10:03:11 +0200", "Support <help@shop.example>", "Twice on my card")
    return "\n".join(f"{label}: {value}" for label, value in zip(labels, values, strict=True))


MARKS = {
    "Gmail": "---------- Forwarded message ---------",
    "Apple": "Begin forwarded message:\n",
    "Outlook": "________________________________",
    "Outlook, in words": "-----Original Message-----",
    "Outlook, with nothing": "",
    "Thunderbird": "-------- Forwarded Message --------",
    "Yahoo": "----- Forwarded Message -----",
    "Proton": "------- Forwarded Message -------",
    "Notes": "----- Forwarded by Ann Lee/Shop on 05/05/2016 11:00 AM -----\n",
    "German": "---------- Weitergeleitete Nachricht ---------",
    "German, Apple": "Anfang der weitergeleiteten Nachricht:\n",
    "German, Thunderbird": "-------- Weitergeleitete Nachricht --------",
    "French": "---------- Message transféré ---------",
    "French, Apple": "Début du message réexpédié :\n",
    "Spanish": "---------- Mensaje reenviado ---------",
    "Italian": "---------- Messaggio inoltrato ---------",
    "Italian, Apple": "Inizio messaggio inoltrato:\n",
    "Portuguese": "---------- Mensagem encaminhada ---------",
    "Dutch": "---------- Doorgestuurd bericht ---------",
    "Swedish": "---------- Vidarebefordrat meddelande ---------",
    "Danish": "---------- Videresendt meddelelse ---------",
    "Finnish": "---------- Välitetty viesti ---------",
    "Polish": "---------- Wiadomość przekazana dalej ---------",
    "Czech": "---------- Přeposlaná zpráva ---------",
    "Hungarian": "---------- Továbbított üzenet ---------",
    "Russian": "---------- Пересылаемое сообщение ---------",
    "Ukrainian": "---------- Переслане повідомлення ---------",
    "Turkish": "---------- İletilen mesaj ---------",
    "Arabic": "---------- الرسالة المعاد توجيهها ---------",
    "Hindi": "---------- अग्रेषित संदेश ---------",
    "Chinese": "---------- 转发的邮件 ---------",
    "Japanese": "---------- 転送されたメッセージ ---------",
    "Korean": "---------- 전달된 메일 ---------",
}


@pytest.mark.parametrize("mark", MARKS.values(), ids=MARKS)
def test_the_original_of_a_forwarded_mail_is_found(mark: str) -> None:
    found = original(mail(f"Please look at this.\n\n{mark}\n{block()}\n\n{BODY}\n"))
    assert found is not None
    assert (found.sender, found.subject, found.text) == (BEA, "Twice on my card", BODY)
    assert found.comment == "Please look at this."
    assert found.date == datetime(2016, 5, 5, 8, 3, 11, tzinfo=UTC)


@pytest.mark.parametrize("labels", HEADERS.values(), ids=HEADERS)
def test_the_original_is_found_in_every_language(labels: tuple[str, ...]) -> None:
    found = original(mail(f"{block(labels)}\n\n{BODY}"))
    assert found is not None
    assert (found.sender, found.subject, found.text, found.comment) == (BEA, "Twice on my card", BODY, "")


@pytest.mark.parametrize(
    "sender",
    [
        "Bea Roe <bea@home.example>",
        '"Bea Roe" <bea@home.example>',
        "Bea Roe <bea@HOME.example>",
        "Bea Roe [mailto:bea@home.example]",
        "Bea Roe <mailto:bea@home.example>",
        "Bea Roe <bea@home.example<mailto:bea@home.example>>",
        "Bea Roe <bea@home.example <mailto:bea@home.example>>",
        "Bea Roe <[bea@home.example](mailto:bea@home.example)>",
    ],
)
def test_the_sender_is_read_as_programs_write_it(sender: str) -> None:
    found = original(mail(f"-----Original Message-----\n{block(sender=sender)}\n\n{BODY}"))
    assert found is not None
    assert found.sender == BEA


def test_a_plain_text_that_apple_mail_quoted_is_read() -> None:
    quoted = "\n".join(f"> {line}".rstrip() for line in f"{block()}\n\n{BODY}".split("\n"))
    found = original(mail(f"See below\n\n-- \nAnn Lee\n\nBegin forwarded message:\n\n{quoted}\n"))
    assert found is not None
    assert (found.sender, found.text, found.comment) == (BEA, BODY, "See below")


def test_a_body_that_is_quoted_below_its_headers_is_read() -> None:
    quoted = "\n".join(f"> {line}".rstrip() for line in BODY.split("\n"))
    found = original(mail(f"See below\n\n{block()}\n\n{quoted}\n"))
    assert found is not None
    assert found.text == BODY


def test_headers_in_bold_in_another_order_and_wrapped_are_read() -> None:
    headers = "*Subject:* Twice on\nmy card\n*Date:* 5 May 2016\n*From:* Bea Roe <bea@home.example>\n*To:* Ann"
    found = original(mail(f"-------- Forwarded Message --------\n{headers}\n\n{BODY}"))
    assert found is not None
    assert (found.sender, found.subject, found.date) == (BEA, "Twice on my card", None)


def test_the_id_of_the_original_is_known_if_the_block_has_it() -> None:
    found = original(mail(f"---- Forwarded message ----\n{block()}\nMessage-ID: <7@home.example>\n\n{BODY}"))
    assert found is not None
    assert found.message_id == "<7@home.example>"


def test_only_the_first_block_counts() -> None:
    inner = block(sender="Cid <cid@else.example>")
    found = original(
        mail(f"---- Forwarded message ----\n{block()}\n\nsee\n\n---- Forwarded message ----\n{inner}\n\nhi")
    )
    assert found is not None
    assert found.sender == BEA
    assert "cid@else.example" in found.text
    nameless = block(sender="Bea Roe")
    assert original(mail(f"{nameless}\n\nsee\n\n---- Forwarded message ----\n{inner}\n\nhi")) is None


def test_a_name_alone_tells_nobody_who_it_was() -> None:
    assert original(mail(f"-----Original Message-----\n{block(sender='Bea Roe')}\n\nask bea@home.example")) is None


@pytest.mark.parametrize(
    "text",
    [
        "Bea Roe <bea@home.example> was charged twice",
        "From: bea@home.example\n\nShe was charged twice",
        "On Thu, 5 May 2016 at 10:03, Bea Roe <bea@home.example> wrote:\n> I was charged twice",
        "---------- Forwarded message ---------\n\nbea@home.example was charged twice",
        "",
    ],
)
def test_an_address_that_merely_occurs_is_nobodys(text: str) -> None:
    assert original(mail(text)) is None


def test_what_was_forwarded_in_a_mail_that_is_answered_here_is_not_forwarded_here() -> None:
    answered = "Done\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n\n---- Forwarded message ----\n"
    assert original(mail(f"{answered}{block()}\n\n{BODY}")) is None
    quoted = "\n".join(f"> {line}" for line in f"---- Forwarded message ----\n{block()}\n\n{BODY}".split("\n"))
    assert original(mail(f"Done\n\nOn 5/5/2016 10:03 AM, Ann wrote:\n{quoted}")) is None


def test_the_signature_of_the_forwarder_alone_is_no_comment() -> None:
    found = original(mail(f"-- \nAnn Lee\nShop\n\n---------- Forwarded message ---------\n{block()}\n\n{BODY}"))
    assert found is not None
    assert found.comment == ""


INNER = (
    "From: Bea Roe <bea@home.example>\nSubject: Twice\nMessage-ID: <7@home.example>\n"
    f"Date: Thu, 5 May 2016 10:03:11 +0200\n\n{BODY}"
)


def attached(inner: str) -> Mail:
    """Return a mail of a colleague's to which this one is attached."""
    return parse(
        (
            "From: Ann Lee <ann@shop.example>\nSubject: Fwd\nContent-Type: multipart/mixed; boundary=b\n\n"
            "--b\nContent-Type: text/plain\n\nPlease look\n\n-- \nAnn\n"
            f"--b\nContent-Type: message/rfc822\n\n{inner}\n--b--\n"
        ).encode()
    )


def test_an_attached_mail_is_the_original() -> None:
    found = original(attached(INNER))
    assert found is not None
    assert (found.sender, found.subject, found.text.strip()) == (BEA, "Twice", BODY)
    assert (found.message_id, found.comment) == ("<7@home.example>", "Please look")
    assert found.date == datetime(2016, 5, 5, 8, 3, 11, tzinfo=UTC)


def test_an_attached_mail_that_cannot_be_read_or_has_no_sender_is_passed_over() -> None:
    assert original(replace(attached(INNER), forwarded=b"\x00")) is None
    assert original(attached("Subject: Twice\n\nhi")) is None
    both = replace(mail(f"---- Forwarded message ----\n{block()}\n\n{BODY}"), forwarded=b"\x00")
    assert original(both) is not None


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("Thu, 5 May 2016 10:03:11 +0200", 8),
        ("Thu, 5 May 2016 at 10:03:11 GMT+2", 8),
        ("5 May 2016 10:03:11 (GMT+02:00)", 8),
        ("2016-05-05T10:03:11+02:00", 8),
        ("2016-05-05 10:03:11 +02:00", 8),
        ("Thu, 5 May 2016 10:03:11 UTC", 10),
        ("Thu, May 5, 2016 at 10:03 AM", None),
        ("Thursday, 5 May 2016 10:03", None),
        ("+9999999 GMT", None),
        ("", None),
    ],
)
def test_a_date_counts_only_with_its_zone(text: str, hour: int | None) -> None:
    assert moment(text) == (None if hour is None else datetime(2016, 5, 5, hour, 3, 11, tzinfo=UTC))


PIECES = [
    "Yes",
    "",
    "> a",
    "--",
    "____",
    "---- Forwarded message ----",
    "From: Bea <bea@home.example>",
    "From: Bea",
    ">",
]
PIECES += ["To: b", "Subject: c", "Date: 5 May", "> From: bea@home.example", "> To: c", "> Date: +9999", "Ann wrote:"]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=12), max_size=20))
def test_whatever_comes_an_original_has_a_sender_that_can_be_written_to(pieces: list[str]) -> None:
    found = original(replace(mail("x"), text="\n".join(pieces)))
    assert found is None or found.sender.address == "bea@home.example"


# --- mailboxes that ask

GOOGLE = "forwarding-noreply@google.com"
LINK = "https://mail-settings.google.com/mail/vf-%5BANGjdJ_x-1%5D-Zz0"
ASKS = f"""bea@home.example has requested to automatically forward mail to help@shop.example.
Confirmation code: 304298959

To allow this, please follow the link:

{LINK}

To refuse: https://mail-settings.google.com/mail/uf-%5BANGjdJ%5D-Yy1
"""


@pytest.mark.parametrize(
    "subject",
    [
        "(#304298959) Gmail Forwarding Confirmation - Receive Mail from bea@home.example",
        "(#304298959) Confirmación de reenvío de Gmail - Recibir correo de bea@home.example",
        "Gmail 转发确认",
    ],
)
def test_gmails_question_is_read_in_any_language(subject: str) -> None:
    asked = confirmation(mail(ASKS, subject, GOOGLE))
    assert asked == Confirmation("Gmail", "bea@home.example", "304298959", LINK)


def test_a_question_with_only_a_link_or_only_a_code_is_one() -> None:
    only_link = confirmation(mail(f"help@shop.example\nbea@home.example\n<{LINK}>.", "Hi", GOOGLE))
    assert only_link == Confirmation("Gmail", "bea@home.example", "", LINK)
    only_code = confirmation(mail("hello", "(#304298959) Receive Mail", GOOGLE))
    assert only_code == Confirmation("Gmail", "", "304298959", "")


@pytest.mark.parametrize(
    "sender", ["bea@home.example", "forwarding-noreply@google.com.evil.example", "x-forwarding-noreply@google.com"]
)
def test_who_only_imitates_gmails_question_asks_nothing(sender: str) -> None:
    assert confirmation(mail(ASKS, "(#304298959) Gmail Forwarding Confirmation", sender)) is None


def test_a_link_to_somewhere_else_or_to_refuse_is_not_taken() -> None:
    elsewhere = ASKS.replace(LINK, "https://mail-settings.google.com.evil.example/mail/vf-1")
    asked = confirmation(mail(elsewhere, "Hi", GOOGLE))
    assert asked == Confirmation("Gmail", "bea@home.example", "304298959", "")


def test_zohos_question_is_read_and_its_other_mails_are_none() -> None:
    link = "https://mail.zoho.eu/zm/verifyForward.do?key=abc"
    asked = confirmation(mail(f"bea@home.example wants to forward.\n{link}", "Verify", "noreply@zoho.eu"))
    assert asked == Confirmation("Zoho", "bea@home.example", "", link)
    assert confirmation(mail(link.replace("zoho.eu", "zoho.evil.example"), "Verify", "noreply@zoho.eu")) is None
    assert confirmation(mail("https://www.zoho.com/news", "News", "noreply@zoho.com")) is None


def test_a_code_of_microsofts_is_for_operators() -> None:
    sender = "account-security-noreply@accountprotection.microsoft.com"
    asked = confirmation(mail("Security code: 481516", "Verify your address", sender))
    assert asked == Confirmation("Microsoft", "", "481516", "")
