"""What delivery reports say of our mails, as the common servers write them; and that nobody can make one up."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.automatic import Bounced, bounces, is_automatic
from adapters.mail.parsed import Envelope
from adapters.mail.sealed import Tokens, digest_of
from tests.mails import read

TOKENS = Tokens("k" * 32)
INCIDENT = "01a20aa6-fe10-7546-96ca-4f715fe2fe96"
OURS = TOKENS.message_id("ack-7", INCIDENT, "customer", "firstline.example")
OTHER = TOKENS.message_id("ack-8", INCIDENT, "customer", "firstline.example")
VERP = TOKENS.bounce_address("support@firstline.example", "ack-7", INCIDENT, "customer")
FORGED = Tokens("x" * 32).message_id("ack-7", INCIDENT, "customer", "firstline.example")
NULL = Envelope("", ("support@firstline.example",), "smtp")


def report(
    fields: str, returned: str = f"Message-ID: {OURS}", kind: str = "text/rfc822-headers", head: str = ""
) -> str:
    body = f"{returned}\nContent-Type: text/plain\n\nHi" if kind == "message/rfc822" else f"\n{returned}\n"
    returned_part = f"Content-Type: {kind}\n\n{body.lstrip()}"
    return f"""\
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: support@firstline.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
{head}Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
X-Postfix-Queue-ID: 4Zx1
Arrival-Date: Wed, 25 Nov 2026 10:00:00 +0000

{fields}
--b
{returned_part}
--b--
"""


POSTFIX = """\
Final-Recipient: rfc822; ann@example.com
Original-Recipient: rfc822;ann@example.com
Action: failed
Status: 5.1.1
Remote-MTA: dns; mx.example.com
Diagnostic-Code: smtp; 550 5.1.1 <ann@example.com>: Recipient address rejected:
    User unknown in virtual mailbox table
"""
ANN_UNKNOWN = Bounced(
    "ann@example.com",
    True,
    "5.1.1",
    "550 5.1.1 <ann@example.com>: Recipient address rejected: User unknown in virtual mailbox table",
    OURS,
    INCIDENT,
    digest_of("ack-7"),
)


def told(raw: str, envelope: Envelope = NULL) -> tuple[Bounced, ...]:
    mail = read(raw)
    assert is_automatic(mail, envelope, lambda address: False)
    return bounces(mail, envelope, TOKENS)


def only(raw: str, envelope: Envelope = NULL) -> Bounced:
    (bounced,) = told(raw, envelope)
    return bounced


# --- reports as RFC 3464 has them


@pytest.mark.parametrize("kind", ["text/rfc822-headers", "message/rfc822"])
def test_a_report_of_postfix_names_the_notification_and_the_reason(kind: str) -> None:
    assert only(report(POSTFIX, kind=kind)) == ANN_UNKNOWN


def test_the_return_address_tells_as_well() -> None:
    raw = report(POSTFIX, "Message-ID: <somebody@changed.it>")

    for envelope, head in (
        (Envelope("", (VERP,)), ""),
        (Envelope("", (VERP.upper(),)), ""),
        (Envelope(""), f"Delivered-To: {VERP}\n"),
        (Envelope(""), f"X-Original-To: <{VERP}>\n"),
    ):
        bounced = only(raw.replace("MIME-Version", f"{head}MIME-Version"), envelope)
        assert (bounced.incident_id, bounced.digest) == (INCIDENT, digest_of("ack-7"))
        assert (bounced.message_id, bounced.permanent) == (OURS, True)
    assert only(raw.replace("To: support@firstline.example", f"To: {VERP}")).digest == digest_of("ack-7")
    assert told(raw) == ()


def test_exchange_reports_with_codes_of_its_own() -> None:
    fields = (
        "Final-Recipient: rfc822;ann@example.com\nAction: failed\nStatus: 5.1.10\n"
        "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup\n"
    )
    bounced = only(report(fields, kind="message/rfc822").replace("MAILER-DAEMON", "postmaster"))

    assert (bounced.recipient, bounced.permanent, bounced.status) == ("ann@example.com", True, "5.1.10")
    assert bounced.says.endswith("RecipientNotFound; Recipient not found by SMTP address lookup")


def test_gmail_reports_what_the_other_server_said() -> None:
    fields = (
        "Final-Recipient: rfc822; ann@example.com\nAction: failed\nStatus: 5.1.1\n"
        "Remote-MTA: dns; mx.example.com. (192.0.2.7, the server for the domain example.com.)\n"
        "Diagnostic-Code: smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try\n"
        " 550-5.1.1 double-checking the recipient's email address for typos or\n"
        " 550 5.1.1 unnecessary spaces. a1-2c3d4e - gsmtp\nLast-Attempt-Date: Wed, 25 Nov 2026 02:00:00 -0800 (PST)\n"
    )
    bounced = only(report(fields, kind="message/rfc822", head="X-Failed-Recipients: ann@example.com\n"))

    assert (bounced.recipient, bounced.permanent, bounced.status) == ("ann@example.com", True, "5.1.1")
    assert bounced.says.startswith("550-5.1.1 The email account that you tried to reach does not exist.")


@pytest.mark.parametrize(
    ("status", "diagnosis", "read_as", "permanent"),
    [
        ("5.0.0", "smtp; 550 5.1.1 unknown", "5.1.1", True),
        ("5.0.0", "smtp; 550 unknown", "5.0.0", True),
        ("5.0.0", "smtp; 421 4.7.0 try again", "4.7.0", False),
        ("5.0.0", "smtp; 451 try again", "4.0.0", False),
        ("5.0.0", "", "5.0.0", True),
        ("", "smtp; 550 unknown", "5.0.0", True),
        ("", "", "", False),
        ("5.2.2 (mailbox full)", "smtp; 552 5.2.2 over quota", "5.2.2", True),
        ("4.4.7", "smtp; 550 5.1.1 unknown", "4.4.7", False),
        ("nonsense", "x", "", False),
        ("5.7.1", "smtp; 550 from 192.0.2.1 refused", "5.7.1", True),
    ],
)
def test_exim_writes_one_status_for_all_and_is_exact_below(
    status: str, diagnosis: str, read_as: str, permanent: bool
) -> None:
    fields = "Action: failed\nFinal-Recipient: rfc822;ann@example.com\n"
    fields += f"Status: {status}\n" if status else ""
    fields += f"Diagnostic-Code: {diagnosis}\n" if diagnosis else ""
    bounced = only(report(fields))

    assert (bounced.status, bounced.permanent) == (read_as, permanent)
    assert bounced.says


def test_a_mail_that_is_late_has_not_failed() -> None:
    fields = POSTFIX.replace("Action: failed", "Action: delayed")

    for late in (only(report(fields)), only(report(fields.replace("5.1.1", "4.4.1")))):
        assert (late.permanent, late.late) == (False, True)


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "", "other"])
def test_good_news_is_no_bounce(action: str) -> None:
    assert told(report(POSTFIX.replace("Action: failed", f"Action: {action}"))) == ()


def test_each_recipient_has_a_line() -> None:
    both = told(report(POSTFIX + "\n" + POSTFIX.replace("ann@", "bob@").replace("failed", "delivered")))
    assert both == (ANN_UNKNOWN,)
    assert [one.recipient for one in told(report(POSTFIX + "\n" + POSTFIX.replace("ann@", "bob@")))] == [
        "ann@example.com",
        "bob@example.com",
    ]
    assert len(told(report("\n".join([POSTFIX] * 500)))) == 20


def test_who_forwards_their_mail_is_known_by_the_address_that_we_wrote_to() -> None:
    fields = POSTFIX.replace("Final-Recipient: rfc822; ann@example.com", "Final-Recipient: rfc822; ann@home.example")

    assert only(report(fields)).recipient == "ann@example.com"
    assert only(report(fields.replace("rfc822;ann@example.com", "unknown"))).recipient == "ann@home.example"


def test_what_it_says_is_one_short_line() -> None:
    fields = POSTFIX.replace("User unknown", "a\x1b[31m\x07b" + " c" * 400)
    says = only(report(fields)).says

    assert len(says) == 300
    assert says.isprintable()


def test_what_is_no_address_is_no_recipient() -> None:
    fields = POSTFIX.replace("rfc822; ann@example.com", "rfc822; ann").replace("rfc822;ann@example.com", "x;")

    assert only(report(fields)).recipient == ""


# --- reports in free text


def free(
    text: str, subject: str = "failure notice", author: str = "MAILER-DAEMON@mx.example.com", head: str = ""
) -> str:
    return f"From: {author}\nTo: support@firstline.example\nSubject: {subject}\n{head}\n{text}\n"


QMAIL = f"""\
Hi. This is the qmail-send program at mx.example.com.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ann@example.com>:
192.0.2.7 does not like recipient.
Remote host said: 550 5.1.1 User unknown
Giving up on 192.0.2.7.

--- Below this line is a copy of the message.

Return-Path: <support@firstline.example>
Message-ID: {OURS}
From: support@firstline.example

Status: 4.4.4 is what the customer wrote
"""
EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ann@example.com
    host mx.example.com [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<ann@example.com>:
    550 Unrouteable address
"""
OFFICE = f"""\
Delivery has failed to these recipients or groups:

ann@example.com<mailto:ann@example.com>
The email address you entered couldn't be found. Please check the recipient's email address.

Diagnostic information for administrators:

Generating server: AM0PR01.example.com
ann@example.com
Remote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found'

Original message headers:

Received: from mx (192.0.2.1) by AM0PR01.example.com with id 15.20.4.1; Wed, 25 Nov 2026 10:00:00 +0000
Message-ID: {OURS}
"""


def test_qmail_is_read() -> None:
    assert only(free(QMAIL)) == Bounced(
        "ann@example.com", True, "5.1.1", "Remote host said: 550 5.1.1 User unknown", OURS, INCIDENT, digest_of("ack-7")
    )


def test_qmail_that_tells_no_code_says_permanent() -> None:
    raw = free(QMAIL.replace("Remote host said: 550 5.1.1 User unknown", "No mailbox here by that name. (#5.1.1)"))
    assert only(raw).status == "5.1.1"
    bounced = only(free(QMAIL.replace("Remote host said: 550 5.1.1 User unknown", "Go away.")))
    assert (bounced.status, bounced.permanent) == ("5.0.0", True)
    assert bounced.says.startswith("This is a permanent error")


def test_exim_without_a_report_part_is_read() -> None:
    bounced = only(free(EXIM, head=f"X-Failed-Recipients: ann@example.com\nReferences: {OURS}\n"))

    assert (bounced.recipient, bounced.permanent, bounced.status) == ("ann@example.com", True, "5.0.0")
    assert bounced.message_id == OURS


@pytest.mark.parametrize("head", ["", f"In-Reply-To: {OURS}\nReferences: {OTHER} {OURS}\n"])
def test_office_365_without_report_parts_is_read(head: str) -> None:
    author = "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com"
    bounced = only(free(OFFICE, "Undeliverable: Your ticket", author, head))

    assert (bounced.permanent, bounced.status, bounced.message_id) == (True, "5.1.10", OURS)
    assert bounced.says.startswith("Remote Server returned '550 5.1.10")


def test_a_language_that_we_do_not_read_is_told_by_its_code() -> None:
    text = "Fehler bei der Zustellung an folgende Empfänger:\n\nann@example.com\n#< #5.1.1 smtp;550 5.1.1 unbekannt>"

    assert only(free(text), Envelope("", (VERP,))).permanent
    assert told(free(text.replace("5.1.1", "4.4.1")), Envelope("", (VERP,))) == ()


def test_an_attached_copy_tells_which_mail_it_was() -> None:
    raw = (
        "From: postmaster@example.com\nSubject: Undeliverable: Your ticket\nMIME-Version: 1.0\n"
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
        "#550 5.1.1 no such user\n--b\nContent-Type: message/rfc822\n\n"
        f"From: support@firstline.example\nMessage-ID:\n {OURS}\n\nHi\n--b--\n"
    )

    assert (only(raw).message_id, only(raw).status) == (OURS, "5.1.1")


def test_a_warning_that_a_mail_is_late_is_no_bounce_for_good() -> None:
    text = "Delivery to ann@example.com failed for now: 451 4.4.1 timed out. Will be tried again."
    found = told(free(text, "Delivery Status Notification (Delay)"), Envelope("", (VERP,)))

    assert [(one.permanent, one.status) for one in found] in ([], [(False, "4.4.1")])


def test_an_out_of_office_reply_to_the_return_address_is_no_bounce() -> None:
    """RFC 3834, 4: it goes to where bounces go, and from nowhere."""
    raw = free(
        "I am away until 5.1.2027 and will not read your mail. Call 555 5123.",
        "Automatic reply: Your ticket",
        "Ann <ann@example.com>",
        f"Auto-Submitted: auto-replied\nIn-Reply-To: {OURS}\n",
    )

    assert told(raw, Envelope("", (VERP,))) == ()


def test_what_a_person_writes_is_no_bounce() -> None:
    mail = read(
        free("My mail to you was undeliverable: 550 5.1.1", "Undeliverable", "ann@example.com", f"References: {OURS}\n")
    )

    assert bounces(mail, Envelope("ann@example.com", (VERP,)), TOKENS) == ()


# --- what forgers try


@pytest.mark.parametrize(
    "returned",
    ["Subject: Hi", f"Message-ID: {FORGED}", "Message-ID: <ack-7@firstline.example>", f"X-Message-ID: {OURS}"],
)
def test_a_report_without_a_token_of_ours_says_nothing(returned: str) -> None:
    assert told(report(POSTFIX, returned)) == ()


def test_free_text_without_a_token_of_ours_says_nothing() -> None:
    assert told(free(QMAIL.replace(OURS, FORGED))) == ()
    assert told(free(OFFICE.replace(OURS, FORGED), author="postmaster@example.com")) == ()


def test_a_reply_address_is_no_proof_for_whoever_writes_to_us_has_it() -> None:
    reply = TOKENS.reply_address("support@firstline.example", INCIDENT, "customer")

    assert told(report(POSTFIX, "Subject: Hi"), Envelope("", (reply,))) == ()
    assert told(report(POSTFIX, "Subject: Hi"), Envelope("", (reply, VERP))) != ()


def test_the_returned_mail_counts_more_than_the_references() -> None:
    raw = report(POSTFIX, head=f"In-Reply-To: {OTHER}\nReferences: {OTHER}\n")

    assert only(raw).digest == digest_of("ack-7")


def test_of_several_references_the_last_is_the_mail_that_came_back() -> None:
    assert only(report(POSTFIX, "Subject: Hi", head=f"References: {OTHER} {OURS}\n")).message_id == OURS


def test_a_complaint_and_a_receipt_are_no_bounces() -> None:
    receipt = POSTFIX.replace("Action: failed\nStatus: 5.1.1", "Disposition: automatic-action/MDN-sent; displayed")

    assert told(report(receipt)) == ()


@given(st.text(), st.lists(st.dictionaries(st.sampled_from(["action", "status", "final-recipient", "diagnostic-code"]),
       st.text() | st.sampled_from(["failed", "5.1.1", "rfc822; a@b.example"]))))  # fmt: skip
def test_whatever_a_report_says_is_no_failure(text: str, lines: list[dict[str, str]]) -> None:
    from dataclasses import replace

    mail = replace(read(free(QMAIL)), text=text, report=tuple(lines), subject=text)
    for bounced in bounces(mail, Envelope("", (VERP,)), TOKENS):
        assert bounced.digest == digest_of("ack-7")
        assert len(bounced.says) <= 300


def test_long_reports_take_no_time() -> None:
    started = time.monotonic()
    for text in (
        "<" * 200_000,
        "<a" * 100_000,
        "<aaaaaaaaaaaaaaaa@" * 10_000,
        "said " * 40_000,
        "a@" * 100_000,
        "\n" * 200_000,
    ):
        bounces(read(free(text, head=f"X-Failed-Recipients: {text[:50_000]}\n".replace("\n\n", "\n"))), NULL, TOKENS)

    assert time.monotonic() - started < 30
