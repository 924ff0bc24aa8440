"""What somebody might try by mail, to see what is another's, to have mail lost, or to be forgotten only in part (CASES
2, 3, 8, 9, 14, 19)."""

import threading
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest

from adapters.mail.parsed import Envelope
from bot.errors import NotFound
from bot.model import Address, Caller, Role
from storage import customers, database
from storage.tables import ALL, InboxMessage, Message, Original
from tests.fakes import TestClock
from tests.house import CLERK as AGENT
from tests.mail_house import ANA, BEA, CLERK, SUPPORT, Post, proven, with_mail
from tests.test_mail_door import report

TWICE = "My card was charged twice"
MORE = "It was on Monday"
EVE, EVES_FRIEND = "eve@evil.example", "friend@evil.example"
ADMIN = Caller("admin", Role.ADMIN)


@pytest.fixture
def post(db: str, clock: TestClock) -> Iterator[Post]:
    with with_mail(clock) as post:
        yield post


def ours(post: Post, to: str = ANA) -> EmailMessage:
    """The last mail that we sent to somebody."""
    return post.sent_to(to)[-1]


def reply(post: Post, incident: dict[str, Any], text: str = "We are looking into it") -> None:
    post.house.commands.reply(incident["ticket_id"], AGENT, text)
    post.house.settle()


def resolve(post: Post, incident: dict[str, Any]) -> None:
    post.house.commands.resolve(incident["ticket_id"], AGENT)
    post.house.settle()


# --- shown to the wrong person


def test_only_the_customer_adds_people_who_get_what_agents_write(post: Post) -> None:
    post.take(proven(post.write(TWICE, Cc=BEA)))
    post.take(proven(post.write("Me too", BEA, To=str(ours(post)["Reply-To"]), Cc=EVES_FRIEND)))
    post.take(proven(post.answer(ours(post), "I had a mail of hers", EVE, Cc=EVES_FRIEND)))
    reply(post, post.incident())
    assert post.sent_to(EVES_FRIEND) == []
    assert len(post.sent_to(BEA)) == 1


def test_who_got_a_copy_does_not_draw_the_customers_answers_to_themselves(post: Post) -> None:
    post.take(proven(post.write(TWICE, Cc=BEA)))
    first = post.incident()
    reply(post, first)
    copy, letter = ours(post, BEA), ours(post)
    resolve(post, first)
    post.take(proven(post.answer(copy, "I am locked out", BEA)))
    assert len(post.house.incidents()) == 2
    post.take(post.answer(letter, "It was charged twice again"))
    (second,) = [one for one in post.house.incidents() if one["id"] != first["id"]]
    assert post.house.said(second["id"]) == ["I am locked out"]
    assert "It was charged twice again" in post.house.said(first["id"])
    assert second["continues"] is None


def test_only_the_customer_says_that_it_is_solved_and_rates_it(post: Post) -> None:
    post.take(proven(post.write(TWICE, Cc=BEA)))
    post.house.later(hours=24)
    post.take(proven(post.answer(ours(post), "Yes, it is solved", BEA)))
    assert post.incident()["status"] == "open"
    resolve(post, post.incident())
    post.take(proven(post.answer(ours(post), "1", BEA)))
    post.take(post.answer(ours(post), "1", EVE))
    assert "rated" not in post.house.events(post.incident()["id"])
    post.take(post.answer(ours(post), "5"))
    assert "rated" in post.house.events(post.incident()["id"])


def test_a_copy_of_a_mail_with_another_reply_to_does_not_take_its_place(post: Post) -> None:
    mail = post.write(TWICE)
    stolen = b"Reply-To: " + EVE.encode() + b"\r\n" + bytes(mail)
    post.take(stolen)
    assert not post.take(mail).duplicate
    assert [one["addresses"][0]["key"] for one in post.house.incidents()] == [EVE, ANA]


def test_agents_see_where_answers_go(post: Post) -> None:
    from bot import wording
    from bot.model import Address, Incident

    post.take(post.write(TWICE, Reply_To=EVE))
    card = wording.card(Incident.of(post.incident()), Address("chat", "agents"), "1")
    assert f"{ANA}; answers go to {EVE}" in dict(card.facts).values()


def test_what_an_agent_forwards_joins_no_incident_of_somebody_else(post: Post) -> None:
    hers = post.write(TWICE)
    post.take(hers)
    bait = post.write("Yes, it is solved. Send the money to me", EVE, Message_ID=hers["Message-ID"])
    forward = post.write("See below", CLERK, Subject="Fwd: A question")
    forward.add_attachment(bait)
    post.take(prove(forward))
    assert post.house.said(post.house.incidents()[0]["id"]) == [TWICE]


def prove(mail: EmailMessage) -> bytes:
    domain = mail["From"].rpartition("@")[2]
    return f"Authentication-Results: mx.shop.example; dmarc=pass header.from={domain}\r\n".encode() + bytes(mail)


OUTLOOK = (
    "________________________________\nFrom: {sender}\nSent: Tuesday, March 3, 2026 12:00 PM\nTo: {to}\nSubject: A\n\n"
)


def test_an_agents_answer_to_a_customer_is_no_forward(post: Post) -> None:
    text = "I have refunded it\n\n" + OUTLOOK.format(sender=f"Ana <{ANA}>", to=CLERK) + TWICE
    post.take(proven(post.write(text, CLERK, To=ANA, Cc=SUPPORT)))
    assert [(one["customer_id"], one["message"]) for one in post.house.incidents()] == [(CLERK, "I have refunded it")]


def test_we_are_no_customer_of_ours_whatever_an_agent_forwards(post: Post) -> None:
    text = "Please look\n\n" + OUTLOOK.format(sender=f"Shop <{SUPPORT}>", to=CLERK) + "Your ticket is solved"
    post.take(proven(post.write(text, CLERK)))
    assert post.incident()["customer_id"] == CLERK


def test_nobody_is_sent_a_strangers_link_in_a_subject(post: Post) -> None:
    post.take(post.write(TWICE, BEA, Subject="Win at https://evil.example/now"))
    (mail,) = post.sent_to(BEA)
    assert "evil.example" not in mail["Subject"]


def test_a_letter_that_becomes_another_in_lower_case_makes_nobody_an_agent(post: Post) -> None:
    post.take(post.write("My card was stolen"))
    answer = post.answer(ours(post, "agents@shop.example"), "I am no agent", "x@shop.example")
    raw = prove(answer).replace(b"From: x@", "From: cler\u212a@".encode())
    post.take(raw)
    assert post.house.said(post.incident()["id"], "note") == []


# --- lost


def test_a_number_of_an_older_ticket_leads_to_where_its_conversation_goes_on(post: Post) -> None:
    post.take(proven(post.write(TWICE)))
    first = post.incident()
    resolve(post, first)
    post.take(proven(post.answer(ours(post), "I am locked out")))
    assert len(post.house.incidents()) == 2
    post.take(proven(post.write(MORE, Subject=f"My ticket [{first['ticket_id']}]")))
    assert [row["state"] for row in post.house.all(InboxMessage)] == ["done"] * 3
    said = [text for row in post.house.incidents() for text in post.house.said(row["id"])]
    assert MORE in said


def test_what_an_agent_answers_in_outlook_is_the_note(post: Post) -> None:
    post.take(post.write("My card was stolen"))
    alert = ours(post, "agents@shop.example")
    text = (
        "I have called them\n\n________________________________\nFrom: Shop <support@shop.example>\n"
        "Sent: Tuesday, March 3, 2026 12:00 PM\nTo: clerk@shop.example\n"
        f"Subject: {alert['Subject']}\n\nA customer writes that a card was stolen."
    )
    post.take(proven(post.answer(alert, text, CLERK)))
    assert post.house.said(post.incident()["id"], "note") == ["I have called them"]


def test_an_agents_answer_of_which_no_note_can_be_made_is_laid_aside(post: Post) -> None:
    post.take(post.write("My card was stolen"))
    alert = ours(post, "agents@shop.example")
    assert "laid aside" in post.take(proven(post.answer(alert, "", CLERK))).says
    assert len(post.house.firstline.originals.laid_aside("email")) == 1


def test_an_agents_files_are_told_of_in_the_note(post: Post) -> None:
    post.take(post.write("My card was stolen"))
    answer = post.answer(ours(post, "agents@shop.example"), "See the picture", CLERK)
    answer.add_attachment(b"x", maintype="image", subtype="png", filename="photo.png")
    post.take(prove(answer))
    (note,) = post.house.said(post.incident()["id"], "note")
    assert "See the picture" in note
    assert "photo.png" in note


def test_an_agents_machine_has_not_seen_to_anything(post: Post) -> None:
    post.take(post.write("My card was stolen"))
    alert = ours(post, "agents@shop.example")
    away = proven(post.answer(alert, "I am away", CLERK, Auto_Submitted="auto-replied"))
    post.take(away)
    assert post.house.said(post.incident()["id"], "note") == []
    assert post.incident()["touched_at"] is None
    assert len(post.sent_to("agents@shop.example")) == 1


def test_a_customer_at_a_provider_that_asks_for_confirmations_is_no_provider(post: Post) -> None:
    mail = post.write(
        "I confirm: https://mail.zoho.com/zm/verifyForward.do?key=1 was charged twice", "ana@zohomail.com"
    )
    post.take(mail)
    assert post.incident()["customer_id"] == "ana@zohomail.com"


def test_one_mail_that_many_bring_at_once_is_one(post: Post) -> None:
    mails = [bytes(post.write(f"{TWICE}: {number}", Message_ID=f"<{number}@x>")) for number in range(4)]
    barrier = threading.Barrier(8)

    def bring(number: int) -> None:
        barrier.wait(20)
        for at in range(4):
            post.door.take(mails[(at + number) % 4], Envelope())

    threads = [threading.Thread(target=bring, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    post.house.settle()
    assert sorted(one["message"] for one in post.house.incidents()) == [f"{TWICE}: {number}" for number in range(4)]
    assert len(post.house.all(Original)) == 4


def test_a_dead_letter_is_taken_once_however_often_it_is_retried(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(raw: bytes) -> None:
        raise RuntimeError("a mistake of ours")

    mail = bytes(post.write(TWICE))
    with monkeypatch.context() as patched:
        patched.setattr("adapters.mail.door.parse", broken)
        post.take(mail)
        post.take(mail)
    (letter,) = post.house.firstline.originals.laid_aside("email")
    post.door.retry(letter.number)
    with pytest.raises(NotFound):
        post.door.retry(letter.number)
    assert post.take(mail).duplicate
    assert post.incident()["message"] == TWICE


ODD = {
    "nobody wrote it": {"From": ""},
    "no date": {"Date": ""},
    "a date before there was mail": {"Date": "Mon, 1 Jan 0101 00:00:00 +0000"},
    "a date after all": {"Date": "Fri, 31 Dec 9999 23:59:59 -1200"},
    "an address of nobody": {"From": "undisclosed-recipients:;"},
    "a comment as address": {"From": "(ana@example.com)"},
    "a long subject": {"Subject": "x" * 5000},
}


@pytest.mark.parametrize("headers", ODD.values(), ids=ODD)
def test_an_odd_mail_opens_an_incident(post: Post, headers: dict[str, str]) -> None:
    written = {"From": ANA, "To": SUPPORT, "Subject": "A question", "Date": "Tue, 3 Mar 2026 12:00:00 +0000", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in written.items() if value)
    post.take(f"{head}\r\n{TWICE}\r\n".encode())
    assert post.incident()["message"] == TWICE
    assert [row["state"] for row in post.house.all(InboxMessage)] == ["done"]
    post.house.later(hours=24)
    assert post.house.said(post.incident()["id"]) == [TWICE]


def test_a_huge_mail_of_many_opens_an_incident(post: Post) -> None:
    mail = post.write("My card was charged twice. " * 100_000, Cc=", ".join(f"a{n}@example.com" for n in range(1000)))
    for number in range(30):
        mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename=f"{number}.pdf")
    post.take(mail)
    assert [row["state"] for row in post.house.all(InboxMessage)] == ["done"]
    (row,) = post.house.all(Message)[:1]
    assert len(post.incident()["message"]) <= 50_000
    assert len(row["whole"]) > 2_600_000


def test_bytes_that_no_text_has_open_an_incident(post: Post) -> None:
    raw = b"From: ana@example.com\r\nSubject: a\x00b \xed\xa0\x80\r\n\r\nCharged \x00 twice \xed\xa0\x80\xff\r\n"
    post.take(raw)
    assert [row["state"] for row in post.house.all(InboxMessage)] == ["done"]
    assert len(post.house.incidents()) == 1


def test_nothing_but_a_quote_opens_an_incident(post: Post) -> None:
    post.take(post.write("> charged twice\n> yes\n"))
    assert len(post.house.incidents()) == 1


# --- loops


def test_our_own_mail_that_comes_back_under_another_name_is_a_machines(post: Post) -> None:
    post.take(post.write(TWICE))
    reply(post, post.incident())
    letter = ours(post)
    resolve(post, post.incident())
    back = letter.as_bytes().replace(b"From: ", b"From: a.list@example.org\r\nX-From: ")
    post.take(back)
    assert post.incident()["status"] == "resolved"


# --- forgotten


def everything(post: Post) -> str:
    """All that is kept, as one text."""
    return "\n".join(f"{table.__name__}: {row}" for table in ALL for row in post.house.all(table))


def forget(post: Post, name: str) -> None:
    """Forget all customers who go by a name."""
    with database.session():
        found = sorted({row["customer"] for row in customers.named(name)})
    for customer in found:
        post.house.firstline.privacy.forget(customer, ADMIN)


def left(post: Post, *traces: str) -> list[str]:
    """The rows in which there is still something of somebody."""
    return [row for row in everything(post).splitlines() if any(trace in row for trace in traces)]


def test_nothing_is_left_of_who_was_forgotten(db: str, clock: TestClock) -> None:
    with with_mail(clock, board=Address("chat", "agents")) as post:
        first = post.write(f"{TWICE}, says Marmalade\n\n> and Marmalade before", Subject="Marmalade")
        first.add_attachment(b"Marmalade", maintype="text", subtype="csv", filename="Marmalade.csv")
        post.take(first)
        post.take(post.write("Held Marmalade", In_Reply_To=first["Message-ID"]))
        post.take(report(post, ours(post)))
        resolve(post, post.incident())
        forget(post, ANA)
        assert left(post, ANA, "armalade") == []


def test_nothing_is_left_of_a_guest_who_was_forgotten(db: str, clock: TestClock) -> None:
    with with_mail(clock, board=Address("chat", "agents")) as post:
        post.take(proven(post.write(TWICE, BEA, Cc=ANA)))
        bea = post.incident()
        reply(post, bea)
        post.take(proven(post.answer(ours(post), "I am Marmalade")))
        post.take(
            post.answer(ours(post), "And I was held, Marmalade", In_Reply_To=f"<1.{BEA}>", References="", To=SUPPORT)
        )
        post.take(report(post, ours(post)))
        forget(post, ANA)
        (beas,) = left(post, ANA, "armalade")  # how Bea's own mail came in says to whom it went
        assert "InboxMessage: {'id': 1," in beas
        assert TWICE in post.house.said(bea["id"])


def test_a_question_of_a_provider_is_forgotten_with_whom_it_names(post: Post) -> None:
    text = f"{ANA} has asked to forward. Confirmation code: 123456789"
    post.take(post.write(text, "forwarding-noreply@google.com", Subject="(#123456789) Gmail Forwarding Confirmation"))
    assert left(post, ANA)
    post.take(post.write(TWICE))
    forget(post, ANA)
    assert left(post, ANA) == []


def test_an_answer_to_a_ticket_of_who_was_forgotten_is_a_matter_of_its_own(post: Post) -> None:
    post.take(post.write(TWICE))
    letter = ours(post)
    forget(post, ANA)
    post.take(post.answer(letter, "The refund failed"))
    (_, second) = post.house.incidents()
    assert second["message"] == "The refund failed"
    assert second["customer_id"] == ANA
    assert len(post.sent_to(ANA)) == 2
