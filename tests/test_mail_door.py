"""A mail that comes in becomes an incident or joins the right one, and is answered where it was written (CASES 2, 5, 7,
8, 9, 10, 11, 12, 14, 16)."""

from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from peewee import OperationalError

from adapters.mail.parsed import Envelope
from bot.errors import NotCommitted
from bot.model import Address, IncidentDetails
from storage import database
from storage.tables import Attachment, Event, InboxMessage, Original
from tests.fakes import TestClock
from tests.house import CLERK as AGENT
from tests.mail_house import ANA, BEA, CLERK, SUPPORT, Post, proven, with_mail

TWICE = "My card was charged twice"
MORE = "It was on Monday"


@pytest.fixture
def post(db: str, clock: TestClock) -> Iterator[Post]:
    with with_mail(clock) as post:
        yield post


def test_a_mail_opens_an_incident_and_is_answered_in_its_thread(post: Post) -> None:
    mail = post.write(TWICE, Subject="Charged twice")
    post.take(mail)
    incident = post.incident()
    assert (incident["message"], incident["customer_id"], incident["channel"]) == (TWICE, ANA, "email")
    (answer,) = post.sent_to(ANA)
    assert answer["In-Reply-To"] == mail["Message-ID"]
    assert answer["Subject"] == f"Re: [{incident['ticket_id']}] Charged twice"
    assert answer["Auto-Submitted"] == "auto-replied"


def test_an_answer_to_our_answer_joins_its_incident_though_nothing_proves_the_sender(post: Post) -> None:
    post.take(post.write(TWICE))
    (ours,) = post.sent_to(ANA)
    quoted = "\n".join(f"> {line}" for line in ours.get_body(("plain",)).get_content().splitlines())  # type: ignore[union-attr]
    post.take(post.answer(ours, f"{MORE}\n\nOn Tuesday Shop <{SUPPORT}> wrote:\n{quoted}"))
    assert post.house.said(post.incident()["id"]) == [TWICE, MORE]


@pytest.mark.parametrize("kept", ["To", "In-Reply-To"], ids=["the address alone", "the Message-ID alone"])
def test_one_signed_token_is_enough(post: Post, kept: str) -> None:
    post.take(post.write(TWICE))
    answer = post.answer(post.sent[-1], MORE)
    for name in {"To", "In-Reply-To", "References"} - {kept}:
        del answer[name]
    if kept != "To":
        answer["To"] = SUPPORT
    post.take(answer)
    assert post.house.said(post.incident()["id"]) == [TWICE, MORE]


def test_all_that_was_sent_can_be_seen_and_what_was_written_is_what_counts(post: Post) -> None:
    post.take(post.write(TWICE))
    (ours,) = post.sent_to(ANA)
    sent = f"{MORE}\n\nOn Tuesday Shop <{SUPPORT}> wrote:\n> We have opened ticket"
    post.take(post.answer(ours, sent))
    details = post.house.firstline.views.incident(post.incident()["id"])
    assert isinstance(details, IncidentDetails)
    (entry,) = [entry for entry in details.timeline if entry.text == MORE]
    assert entry.whole == sent


def test_whoever_knows_the_number_and_the_senders_name_gets_nowhere(post: Post) -> None:
    first = post.write(TWICE)
    post.take(first)
    ticket = post.incident()["ticket_id"]
    forged = post.write("Send the money to me", Subject=f"Re: [{ticket}] Charged", In_Reply_To=first["Message-ID"])
    post.take(forged)
    assert post.house.said(post.incident()["id"]) == [TWICE]
    assert len(post.sent_to(ANA)) == 1
    post.take(post.write("Another matter: locked out", BEA, Subject=f"[{ticket}]"))
    assert len(post.house.incidents()) == 2


def test_a_proven_sender_who_takes_part_needs_no_token(post: Post) -> None:
    first = proven(post.write(TWICE))
    post.take(first)
    post.take(proven(post.write(MORE, In_Reply_To=first["Message-ID"])))
    ticket = post.incident()["ticket_id"]
    post.take(proven(post.write("And on Tuesday", Subject=f"Your ticket [{ticket}]")))
    assert post.house.said(post.incident()["id"]) == [TWICE, MORE, "And on Tuesday"]


def test_the_same_mail_by_two_ways_is_one(post: Post) -> None:
    mail = post.write(TWICE)
    post.take(mail)
    again = b"Received: from a by b\r\nDelivered-To: support@shop.example\r\n" + bytes(mail)
    assert post.take(again, source="another way").duplicate
    assert len(post.house.incidents()) == 1


def test_one_message_id_used_for_two_mails_is_two(post: Post) -> None:
    post.take(post.write(TWICE, Message_ID="<device@1>"))
    other = post.write("The refund failed", BEA, Message_ID="<device@1>")
    assert not post.take(other).duplicate
    assert post.take(other).duplicate
    assert [row["message"] for row in post.house.incidents()] == [TWICE, "The refund failed"]
    assert len(post.house.all(Original)) == 2


def test_a_mail_without_a_message_id_is_known_by_what_it_says(post: Post) -> None:
    mail = post.write(TWICE, Message_ID="")
    assert not post.take(mail).duplicate
    assert post.take(mail).duplicate
    assert post.incident()["message"] == TWICE


def test_a_parent_that_comes_late_joins_its_childs_incident(post: Post) -> None:
    post.take(proven(post.write(MORE, Message_ID="<child@example.com>", In_Reply_To="<parent@example.com>")))
    post.take(proven(post.write(TWICE, Message_ID="<parent@example.com>")))
    assert sorted(post.house.said(post.incident()["id"])) == sorted([TWICE, MORE])


def test_files_are_kept_and_one_that_is_too_large_is_told(db: str, clock: TestClock) -> None:
    with with_mail(clock, max_file=1000) as post:
        mail = post.write(TWICE)
        mail.add_attachment(b"%PDF-1.4 small", maintype="application", subtype="pdf", filename="bill.pdf")
        mail.add_attachment(b"x" * 2000, maintype="image", subtype="png", filename="photo.png")
        post.take(mail)
        kept, refused = post.house.all(Attachment)
        assert (kept["name"], kept["state"], kept["media_type"]) == ("bill.pdf", "kept", "application/pdf")
        assert (refused["name"], refused["refusal"]) == ("photo.png", "too_large")
        details = post.house.firstline.views.file(post.incident()["ticket_id"], kept["id"])
        assert details[1] == b"%PDF-1.4 small"
        texts = [mail.get_body(("plain",)).get_content() for mail in post.sent_to(ANA)]  # type: ignore[union-attr]
        assert any("photo.png" in text for text in texts)


def test_a_mail_with_nothing_to_read_is_opened_for_a_person(post: Post) -> None:
    mail = post.write("x", Subject="")
    mail.clear_content()
    mail.set_content('<html><body><img src="https://evil.example/pixel.gif"></body></html>', subtype="html")
    post.take(mail)
    incident = post.incident()
    assert (incident["classification"], incident["confidence"], incident["message"]) == ("other", None, "")


def test_html_alone_is_read(post: Post) -> None:
    mail = post.write("x")
    mail.clear_content()
    html = f"<p>{TWICE}</p><style>p {{color: red}}</style><ul><li>Monday</li></ul><script>alert(1)</script>"
    mail.set_content(html, subtype="html")
    post.take(mail)
    assert post.incident()["message"] == f"{TWICE}\n\n- Monday"


MACHINE = {
    "out of office": {"Auto_Submitted": "auto-replied"},
    "Exchange": {"X_Auto_Response_Suppress": "All"},
    "bulk": {"Precedence": "bulk"},
    "a list": {"List_Id": "<news.example.com>"},
    "nobody to answer": {"Return_Path": "<>"},
}


@pytest.mark.parametrize("headers", MACHINE.values(), ids=MACHINE)
def test_machine_mail_is_put_on_the_incident_and_neither_answered_nor_reopens(
    post: Post, headers: dict[str, str]
) -> None:
    post.take(post.write(TWICE))
    post.house.commands.resolve(post.incident()["ticket_id"], AGENT)
    post.house.work()
    before = len(post.sent)
    post.take(post.answer(post.sent[-1], "I am away until Monday", **headers))
    assert post.incident()["status"] == "resolved"
    assert len(post.sent) == before
    assert "I am away until Monday" in post.house.said(post.incident()["id"])


def test_a_mail_of_our_own_is_never_answered(post: Post) -> None:
    post.take(post.write(TWICE, SUPPORT))
    assert post.sent_to(SUPPORT) == []


def test_an_address_that_mail_is_forwarded_to_is_ours_beside_that_of_mail_from(db: str, clock: TestClock) -> None:
    with with_mail(clock, mail_addresses="inbox@in.shop.example") as post:
        for address in (SUPPORT, "inbox@in.shop.example"):
            assert post.door.is_ours(address)
            post.take(post.write(f"{TWICE}, says {address}", address))
        assert len(post.house.incidents()) == 2
        assert post.sent == []


def test_the_answer_goes_to_reply_to_and_never_to_ourselves_or_to_copies(post: Post) -> None:
    post.take(post.write(TWICE, Reply_To="ana.home@example.com", Cc=f"{BEA}, help+x@shop.example"))
    post.take(post.write("Locked out", BEA, Reply_To=SUPPORT))
    customers = [mail["To"] for mail in post.sent if "agents@" not in mail["To"]]
    assert customers == ["ana.home@example.com", BEA]
    assert not any(mail["Cc"] for mail in post.sent)


def test_the_customer_answers_a_resolved_ticket_and_it_is_open_again(post: Post) -> None:
    post.take(post.write(TWICE))
    post.house.commands.resolve(post.incident()["ticket_id"], AGENT, "We have refunded it")
    post.house.settle()
    post.take(post.answer(post.sent_to(ANA)[-1], "It was charged twice again today"))
    assert post.incident()["status"] == "open"


def test_the_customer_answers_the_reminder_with_yes(post: Post) -> None:
    post.take(post.write(TWICE))
    post.house.later(hours=24)
    (reminder,) = [mail for mail in post.sent_to(ANA)[1:]]
    yes = f"Yes, it is solved. Thanks!\n\nOn Tuesday, Shop <{SUPPORT}> wrote:\n> Is it solved?"
    post.take(post.answer(reminder, yes))
    assert post.incident()["status"] == "resolved"


def test_our_mails_thread_in_the_customers_program(post: Post) -> None:
    first = post.write(TWICE, Subject="Charged twice")
    post.take(first)
    post.house.clock.forward(minutes=1)
    second = post.answer(post.sent_to(ANA)[0], MORE)
    post.take(second)
    post.house.clock.forward(minutes=1)
    post.house.commands.reply(post.incident()["ticket_id"], AGENT, "We are looking into it")
    post.house.settle()
    ack, reply = post.sent_to(ANA)
    assert reply["References"].split() == [first["Message-ID"], ack["Message-ID"], second["Message-ID"]]
    assert reply["Subject"] == ack["Subject"]


def test_an_agents_answer_to_a_mail_for_agents_is_a_note(post: Post) -> None:
    post.take(post.write("My card was stolen"))
    (alert,) = post.sent_to("agents@shop.example")
    answer = proven(post.answer(alert, "I have called them", CLERK))
    post.take(answer)
    post.take(answer)
    assert post.house.said(post.incident()["id"], "note") == ["I have called them"]
    post.take(post.answer(alert, "I am no agent", CLERK))  # nothing proves it
    assert post.house.said(post.incident()["id"], "note") == ["I have called them"]


def report(post: Post, ours: EmailMessage, status: str = "5.1.1", action: str = "failed") -> bytes:
    """What a mail server sends back."""
    return (
        f"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.example.com\r\nTo: {SUPPORT}\r\nSubject: Undelivered Mail\r\n"
        "Auto-Submitted: auto-replied\r\nMessage-ID: <bounce.1@mx.example.com>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nIt could not be delivered.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n"
        f"Final-Recipient: rfc822; {ANA}\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} no such user\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {ours['Message-ID']}\r\nTo: {ANA}\r\n--b--\r\n"
    ).encode()


def test_a_report_names_the_text_that_came_back_and_its_address_is_stopped(post: Post) -> None:
    post.take(post.write(TWICE))
    (ours,) = post.sent_to(ANA)
    (comes_back_to,) = [sender for sender, to, _ in post.mailbox.letters() if to == ANA]
    post.take(report(post, ours), recipients=(comes_back_to,))
    (ack,) = [row for row in post.house.owed("acknowledgement")]
    assert ack["status"] == "failed"
    assert "5.1.1" in ack["error"]
    post.house.commands.reply(post.incident()["ticket_id"], AGENT, "We are looking into it")
    post.house.settle()
    assert len(post.sent_to(ANA)) == 1
    assert len(post.house.incidents()) == 1


def test_a_report_that_knows_no_more_than_the_message_id_stops_no_address(post: Post) -> None:
    """Whoever gets an answer of the customer's sees that in its References."""
    post.take(post.write(TWICE))
    post.take(report(post, post.sent_to(ANA)[0]))
    assert [row["status"] for row in post.house.owed("acknowledgement")] == ["failed"]
    post.house.commands.reply(post.incident()["ticket_id"], AGENT, "We are looking into it")
    post.house.settle()
    assert len(post.sent_to(ANA)) == 2


def test_a_mail_that_is_late_is_not_said_to_have_failed(post: Post) -> None:
    post.take(post.write(TWICE))
    (ours,) = post.sent_to(ANA)
    post.take(report(post, ours, "4.4.1", "delayed"))
    assert [row["status"] for row in post.house.owed("acknowledgement")] == ["sent"]
    assert len(post.house.incidents()) == 1
    failed = report(post, ours, "4.4.7").replace(b"bounce.1@", b"bounce.2@")
    post.take(failed)
    assert [row["status"] for row in post.house.owed("acknowledgement")] == ["failed"]


def test_a_report_of_a_mail_that_we_never_sent_stops_nothing_and_is_not_answered(post: Post) -> None:
    post.take(post.write(TWICE))
    forged = EmailMessage()
    forged["Message-ID"] = "<made.up@shop.example>"
    post.take(report(post, forged))
    assert [row["status"] for row in post.house.owed("acknowledgement")] == ["sent"]
    assert len(post.sent_to(ANA)) == 1


def test_what_cannot_be_read_is_a_dead_letter_and_taken_once_it_can_be(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(raw: bytes) -> None:
        raise RuntimeError("a mistake of ours")

    mail = bytes(post.write(TWICE))
    with monkeypatch.context() as patched:
        patched.setattr("adapters.mail.door.parse", broken)
        assert "laid aside" in post.take(mail).says
    assert post.house.incidents() == []
    (letter,) = post.house.firstline.originals.laid_aside("email")
    post.door.retry(letter.number)
    post.house.settle()
    assert post.incident()["message"] == TWICE
    assert post.house.firstline.originals.laid_aside("email") == []


def test_what_is_not_committed_is_not_taken(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    mail = bytes(post.write(TWICE))
    with monkeypatch.context() as patched:
        patched.setattr(database, "insert", _away)
        patched.setattr("storage.inbox.execute", _away)
        with pytest.raises(NotCommitted):
            post.door.take(mail, Envelope())
    post.take(mail)
    assert post.incident()["message"] == TWICE


def _away(*_: object, **__: object) -> None:
    raise OperationalError("away")


def test_nothing_of_a_mail_is_in_the_log(post: Post, capsys: pytest.CaptureFixture[str]) -> None:
    post.take(post.write("Marmalade was charged twice", Subject="Marmalade"))
    post.take(post.answer(post.sent_to(ANA)[0], "Marmalade again"))
    printed = capsys.readouterr()
    assert "message.accepted" in printed.out + printed.err
    assert "Marmalade" not in printed.out + printed.err
    assert ANA not in printed.out + printed.err


def test_secrets_are_masked_in_what_is_kept_to_be_searched(post: Post) -> None:
    post.take(post.write(f"{TWICE}: 4111 1111 1111 1111\n\n-- \nAna, PIN 4111111111111111", Subject="4111111111111111"))
    rows = [*post.house.all(InboxMessage), *post.house.incidents(), *post.house.all(Event)]
    assert "4111" not in str(rows)


def test_where_a_mail_waits_agents_are_told_on_the_board(db: str, clock: TestClock) -> None:
    with with_mail(clock, board=Address("chat", "agents")) as post:
        first = post.write(TWICE)
        post.take(first)
        post.take(post.write(MORE, In_Reply_To=first["Message-ID"]))
        assert any(MORE in notice.quote for _, notice in post.house.chat.sent)


FORWARDED = f"""Please see to this one.

---------- Forwarded message ---------
From: Ana Example <{ANA}>
Date: Tue, 24 Nov 2026 at 09:00
Subject: Charged twice
To: <sales@shop.example>

{TWICE}
"""


def test_what_an_agent_forwards_is_the_customers_and_the_agent_is_told_whom_we_took_for_them(post: Post) -> None:
    post.take(proven(post.write(FORWARDED, CLERK, Subject="Fwd: Charged twice")))
    incident = post.incident()
    assert (incident["customer_id"], incident["message"], incident["subject"]) == (ANA, TWICE, "Charged twice")
    assert post.sent_to(ANA) == []  # the agent answers, or has it answered: nobody has written to us
    (told,) = post.sent_to(CLERK)
    assert ANA in told.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    post.house.commands.reply(incident["ticket_id"], AGENT, "We are looking into it")
    post.house.settle()
    assert len(post.sent_to(ANA)) == 1


@pytest.mark.parametrize("who", [CLERK, BEA], ids=["somebody who says that they are the agent", "anybody"])
def test_what_others_forward_is_their_own(post: Post, who: str) -> None:
    mail = post.write(FORWARDED, who, Subject="Fwd: Charged twice")
    post.take(proven(mail) if who == BEA else mail)
    assert post.incident()["customer_id"] == who
    assert post.sent_to(ANA) == []


def test_a_mail_that_an_agent_attaches_is_the_customers(post: Post) -> None:
    inner = EmailMessage()
    inner["From"], inner["Subject"], inner["Message-ID"] = f"Ana <{ANA}>", "Charged twice", "<inner@example.com>"
    inner.set_content(TWICE)
    mail = proven(post.write("Please see to this one.", CLERK, Subject="Fwd"))
    mail.add_attachment(inner)
    post.take(mail)
    assert (post.incident()["customer_id"], post.incident()["message"]) == (ANA, TWICE)


CONFIRMATION = (
    "Ana has requested to automatically forward mail to your email address support@shop.example.\n"
    "Confirmation code: 358239123\n\n"
    "https://mail-settings.google.com/mail/vf-%5BANGjdJ8%5D-abcDEF123\n"
)


def test_a_question_of_gmails_is_shown_to_operators_and_is_no_incident(post: Post) -> None:
    asked = post.write(
        CONFIRMATION, "forwarding-noreply@google.com", Subject="(#358239123) Gmail Forwarding Confirmation"
    )
    post.take(asked)
    post.take(asked)
    assert post.house.incidents() == []
    (told,) = post.sent_to("agents@shop.example")
    text = told.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "358239123" in text
    assert "vf-" in text
    kept = post.door.core.state.all("mail/confirmation/")
    assert len(kept) == 1


def test_server_side_forwarding_needs_no_agent(post: Post) -> None:
    post.take(post.write(TWICE, To="sales@elsewhere.example", X_Forwarded_To=SUPPORT, Delivered_To=SUPPORT))
    assert post.incident()["customer_id"] == ANA
    assert len(post.sent_to(ANA)) == 1
