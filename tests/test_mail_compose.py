"""What a confirmation looks like on the wire, and that nobody's text becomes a header or mark-up."""

import email
import json
import re
import smtplib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser

import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from adapters.mail.compose import MOST_REFERENCES, addr_spec, compose, html, message_id, one_line, safe_key
from adapters.mail.sealed import Audience, Sealed, Tokens, digest_of
from bot import wording
from bot.language import LANGUAGES
from bot.model import TO_AGENTS, Action, Address, Category, Incident, Notice, NoticeKind

SENDER = "Firstline <support@firstline.example>"
AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
NOTICE = Notice(
    key="ack-7",
    kind=NoticeKind.ACKNOWLEDGEMENT,
    incident_id="0f8fad5b",
    ticket_id="TKT-98042a72",
    subject="We have your message: TKT-98042a72",
    greeting="Hello,",
    lead="We have opened an incident.",
    facts=(("Category", "Duplicate payment"), ("Status", "open")),
    quote="I was charged twice",
    closing="Kind regards\nSupport",
)
HEADERS = {
    "content-type", "mime-version", "from", "to", "subject", "date", "message-id", "auto-submitted",
    "x-auto-response-suppress", "precedence", "x-firstline-ticket", "x-firstline-notice",
}  # fmt: skip
ANY_TEXT = st.text(st.characters() | st.sampled_from("\r\n\x00\x0b\x0c\x1e\x85\u2028\u2029\ud800<>&\"'=?:@. \t"))
TEXT = ANY_TEXT | st.sampled_from(["a\r\nBcc: eve@evil.example", "=?utf-8?q?a=0D=0ABcc:_x?=", "x\n\n--b\nFrom: y"])
ANY_ID = (
    TEXT | st.builds("<{}@{}>".format, TEXT, TEXT) | st.sampled_from(["<a@b>", "<=?utf-8?q?a=0Ab?=@b>", "<a@b> <c"])
)
ANY_IDS = st.lists(ANY_ID, min_size=1, max_size=5)
TOKENS = Tokens("k" * 32)
INCIDENT = "01a20aa6-fe10-7546-96ca-4f715fe2fe96"


class Page(HTMLParser):
    """Collects the tags, the attributes of `html` and the text that a browser would show."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.shown = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "html":
            self.attributes = dict(attrs)

    def handle_data(self, data: str) -> None:
        self.shown += data


def read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, subtype: str) -> str:
    body = message.get_body((subtype,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def composed(**changes: object) -> EmailMessage:
    return read(compose(replace(NOTICE, **changes), "ann@example.com", SENDER, AT))  # type: ignore[arg-type]


def test_a_mail_has_the_headers_that_a_reader_and_an_automaton_need() -> None:
    mail = composed()

    assert mail["From"] == '"Firstline" <support@firstline.example>' or mail["From"] == SENDER
    assert mail["To"] == "ann@example.com"
    assert mail["Subject"] == NOTICE.subject
    assert mail["Date"].datetime == AT
    assert mail["Message-ID"] == "<ack-7@firstline.example>"
    assert mail["X-Firstline-Ticket"] == "TKT-98042a72"
    assert (mail["Auto-Submitted"], mail["Precedence"]) == ("auto-generated", "auto_reply")
    assert mail["X-Auto-Response-Suppress"] == "All"


def test_the_text_part_says_what_the_notice_says() -> None:
    assert part(composed(), "plain").rstrip("\n") == NOTICE.text


def test_the_html_part_says_what_the_notice_says() -> None:
    shown = Page(part(composed(), "html")).shown

    for words in ("TKT-98042a72", "Hello,", "opened an incident", "Category", "Duplicate payment", "charged twice"):
        assert words in shown


def test_the_date_is_now_unless_told_otherwise() -> None:
    mail = read(compose(NOTICE, "ann@example.com", SENDER))

    assert abs((datetime.now(UTC) - mail["Date"].datetime).total_seconds()) < 60


def test_a_notice_that_is_composed_twice_is_the_same_to_the_byte() -> None:
    assert compose(NOTICE, "ann@example.com", SENDER, AT) == compose(NOTICE, "ann@example.com", SENDER, AT)


def test_line_ends_are_crlf_and_lines_are_short_however_long_the_words() -> None:
    notice = replace(NOTICE, subject="x" * 5000, quote="y" * 5000 + "\rü" * 3000, ticket_id="T" * 32)
    raw = compose(notice, "ann@example.com", SENDER, AT)

    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 78


@pytest.mark.parametrize("subject", ["Wir prüfen das: TKT-1", "لدينا رسالتك TKT-1", "हमें आपका संदेश मिला " * 6, "🙂"])
def test_a_subject_in_any_language_arrives_as_it_was(subject: str) -> None:
    assert composed(subject=subject.strip())["Subject"] == subject.strip()


@pytest.mark.parametrize("quote", ["zweimal für 10 €", "मुझसे दो बार पैसे लिए गए", "已被扣款两次", "a.\n.\n..\n=3D"])
def test_a_quote_in_any_language_arrives_as_it_was(quote: str) -> None:
    assert part(composed(quote=quote, greeting="", lead="", facts=(), closing=""), "plain") == "".join(
        f"> {line}\n" for line in quote.splitlines()
    )


@pytest.mark.parametrize("language", ["ar", "he", "fa-IR", "ur"])
def test_languages_that_run_from_right_to_left_are_marked_so(language: str) -> None:
    assert Page(html(replace(NOTICE, language=language))).attributes == {"lang": language, "dir": "rtl"}


def test_other_languages_run_from_left_to_right() -> None:
    assert Page(html(replace(NOTICE, language="hi"))).attributes == {"lang": "hi", "dir": "ltr"}


def test_a_part_that_is_empty_leaves_no_trace() -> None:
    assert "blockquote" in Page(html(NOTICE)).tags
    assert "blockquote" not in Page(html(replace(NOTICE, quote=""))).tags


def test_a_customers_mark_up_is_shown_not_obeyed() -> None:
    evil = "<img src=x onerror=alert(1)></blockquote><script>alert(1)</script>"
    page = Page(html(replace(NOTICE, quote=evil, facts=((evil, evil),), language='"><script>')))

    assert not {"img", "script"} & set(page.tags)
    assert page.shown.count(evil) == 3


@pytest.mark.parametrize("name", ["Müller & Söhne", 'Firstline "Support", Inc.', "=?utf-8?q?x?=", "サポート"])
def test_the_senders_name_may_hold_anything(name: str) -> None:
    mail = read(compose(NOTICE, "ann@example.com", f"{name} <support@firstline.example>", AT))

    assert [(each.display_name, each.addr_spec) for each in mail["From"].addresses] == [
        (name, "support@firstline.example")
    ]


def test_a_senders_long_name_is_cut_into_encoded_words_that_a_reader_joins_again() -> None:
    raw = compose(NOTICE, "ann@example.com", f"{'サポート' * 20} <support@firstline.example>", AT)
    parsed = email.message_from_bytes(raw)["From"]  # policy.default would leave spaces between encoded words

    assert str(make_header(decode_header(parsed))) == f"{'サポート' * 20} <support@firstline.example>"
    assert max(map(len, raw.split(b"\r\n"))) <= 78


def test_an_address_with_letters_beyond_ascii_stands_in_the_header_as_it_is() -> None:
    raw = compose(NOTICE, "jürgen@straße.example", SENDER, AT)

    assert "To: jürgen@xn--strae-oqa.example\r\n".encode() in raw


@pytest.mark.parametrize(
    "address",
    ["", "ann", "ann@", "@example.com", "ann@exa mple.com", "a@b, c@d", "ann@x\r\nBcc: eve@evil.example", "a b@x.org",
     "<ann@example.com>", "ann@[127.0.0.1]", "ann@-\udc80.example", "a\x00@example.com", "ann@" + "x" * 300],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_being_repeated(address: str) -> None:
    with pytest.raises(ValueError, match=r"^(?!.*example\.com)"):
        compose(NOTICE, address, SENDER, AT)


@seed(1)
@settings(max_examples=200, deadline=None)
@given(st.text() | st.builds("{}@{}".format, st.text(max_size=8), st.text("ab.-ü", min_size=1, max_size=8)))
def test_an_address_that_is_taken_goes_into_the_envelope_unchanged(address: str) -> None:
    try:
        taken = addr_spec(address)
    except ValueError:
        return
    assert smtplib.quoteaddr(taken) == f"<{taken}>"


@seed(2)
@settings(max_examples=200, deadline=None)
@given(key=TEXT, ticket=TEXT, subject=TEXT, label=TEXT, quote=TEXT, name=TEXT, language=TEXT, topic=TEXT, ids=ANY_IDS)
def test_no_text_becomes_a_header_a_part_or_mark_up(
    key: str, ticket: str, subject: str, label: str, quote: str, name: str, language: str, topic: str, ids: list[str]
) -> None:
    notice = replace(
        NOTICE, key=key, ticket_id=ticket, subject=subject, greeting=label, lead=label, facts=((label, label),),
        quote=quote, closing=label, language=language, topic=topic, answers=ids[-1], references=tuple(ids[:-1]),
    )  # fmt: skip
    sender = f"{name.translate({60: None, 62: None})} <support@firstline.example>"
    raw = compose(notice, "ann@example.com", sender, AT)
    mail = read(raw)

    headers = HEADERS if ticket else HEADERS - {"x-firstline-ticket"}
    headers = headers | {"in-reply-to", "references"} if mail["References"] else headers
    assert {header.lower() for header in mail} == headers
    assert len(mail.keys()) == len(headers)
    assert [each.get_content_type() for each in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]
    assert [each.addr_spec for each in mail["From"].addresses] == ["support@firstline.example"]
    assert mail["To"] == "ann@example.com"
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\r" not in raw.replace(b"\r\n", b"").replace(b"\n", b"\r")
    assert set(Page(part(mail, "html")).tags) <= {
        "html", "head", "meta", "title", "body", "table", "tr", "td", "div", "bdi", "blockquote", "br"
    }  # fmt: skip


@seed(3)
@settings(max_examples=200, deadline=None)
@given(TEXT.filter(lambda text: len(text) < 150))
def test_a_subject_arrives_as_one_line_of_the_same_words(subject: str) -> None:
    assert composed(subject=subject)["Subject"].split() == one_line(subject).split()


@seed(4)
@settings(max_examples=200, deadline=None)
@given(TEXT, TEXT)
def test_two_keys_never_become_one_name(one: str, other: str) -> None:
    assert (safe_key(one) == safe_key(other)) == (one == other)
    assert message_id(replace(NOTICE, key=one), SENDER).isascii()
    assert "/" not in safe_key(one)
    assert safe_key(one).strip(".")


def test_what_the_reader_can_do_at_once_is_a_link_in_both_parts() -> None:
    actions = (Action("solved", "Yes, it is solved <ok>", "https://support.example/a/x?a=1&b=2"), Action("rate-1", "1"))
    mail = composed(actions=actions)
    assert "\n\nYes, it is solved <ok>:\nhttps://support.example/a/x?a=1&b=2\n" in part(mail, "plain")
    assert 'href="https://support.example/a/x?a=1&amp;b=2"' in part(mail, "html")
    assert part(mail, "html").count("<a ") == 1  # what has no link yet is for a channel with buttons
    assert "Yes, it is solved <ok>" in Page(part(mail, "html")).shown


# In its thread


def test_a_notice_keeps_its_thread_when_it_is_stored_and_one_from_before_there_were_threads_has_none() -> None:
    notice = replace(NOTICE, answers="<c2@x>", references=("<c1@x>", "<c2@x>"), topic="Charged twice")
    stored = json.loads(json.dumps(notice.to_json()))
    old = {name: value for name, value in stored.items() if name not in ("references", "topic")}

    assert Notice.from_json(stored) == notice
    assert Notice.from_json(old) == replace(notice, references=(), topic="")


def test_a_mail_answers_the_customers_and_refers_to_all_before_it() -> None:
    mail = composed(answers="<c3@x>", references=("<c1@x>", "<ours@firstline.example>"))

    assert mail["In-Reply-To"] == "<c3@x>"
    assert mail["References"].split() == ["<c1@x>", "<ours@firstline.example>", "<c3@x>"]


@pytest.mark.parametrize(
    "answers", ["", "1732612345.000200", "key-7", "<no at>", "<a@b", "a@b", "<a@b>\r\nBcc: eve@x.org"]
)
def test_a_mail_that_answers_none_is_put_behind_the_last_one(answers: str) -> None:
    mail = composed(answers=answers, references=("<c1@x>", "<c2@x>"))

    assert mail["In-Reply-To"] == "<c2@x>"
    assert mail["References"].split() == ["<c1@x>", "<c2@x>"]


def test_what_is_answered_is_not_referred_to_twice() -> None:
    assert composed(answers="<c1@x>", references=("<c1@x>", "<c1@x>"))["References"] == "<c1@x>"


def test_the_first_mail_of_a_thread_refers_to_none() -> None:
    mail = composed(answers="1732612345.000200", references=("not an id", "<two@x> <ids@x>", "<ü@x>"))

    assert mail["In-Reply-To"] is None
    assert mail["References"] is None


def test_of_a_long_thread_the_first_and_the_last_are_named() -> None:
    references = [f"<{n}@x>" for n in range(200)]
    named = composed(answers="<200@x>", references=tuple(references))["References"].split()

    assert len(named) == MOST_REFERENCES
    assert named[:10] == references[:10]
    assert named[10:] == [*references[181:], "<200@x>"]


def test_ids_stand_whole_behind_their_headers_names_one_on_a_line() -> None:
    ids = tuple(f"<{'x' * 70}{n}@mail.example>" for n in range(3))
    raw = compose(replace(NOTICE, key="k" * 90, answers=ids[0], references=ids), "ann@example.com", SENDER, AT)

    assert f"\r\nMessage-ID: <{'k' * 90}@firstline.example>\r\n".encode() in raw
    assert f"\r\nIn-Reply-To: {ids[0]}\r\n".encode() in raw
    assert f"\r\nReferences: {ids[0]}\r\n {ids[1]}\r\n {ids[2]}\r\n".encode() in raw


def test_the_subject_is_the_customers_own_with_the_ticket_number() -> None:
    assert composed(topic="AW: Zweimal bezahlt, 10 €")["Subject"] == "Re: [TKT-98042a72] Zweimal bezahlt, 10 €"
    assert composed(topic="Re: [TKT-98042a72] Charged twice")["Subject"] == "Re: [TKT-98042a72] Charged twice"


@pytest.mark.parametrize("topic", ["", "Re:", " \r\n "])
def test_without_a_subject_of_the_customers_it_is_ours(topic: str) -> None:
    assert composed(topic=topic)["Subject"] == NOTICE.subject


@pytest.mark.parametrize("kind", sorted(TO_AGENTS))
def test_agents_read_our_subject(kind: NoticeKind) -> None:
    assert composed(kind=kind, topic="Charged twice")["Subject"] == NOTICE.subject


# Signed


@pytest.mark.parametrize(("kind", "audience"), [(NoticeKind.REMINDER, "customer"), (NoticeKind.ALERT, "agents")])
def test_a_message_id_and_the_address_for_answers_are_signed(kind: NoticeKind, audience: Audience) -> None:
    notice = replace(NOTICE, kind=kind, incident_id=INCIDENT)
    mail = read(compose(notice, "ann@example.com", SENDER, AT, TOKENS, plus=True))

    [reply_to] = mail["Reply-To"].addresses
    assert TOKENS.read_message_id(mail["Message-ID"]) == Sealed(INCIDENT, audience, "message", digest_of("ack-7"))
    assert mail["Message-ID"] == message_id(notice, SENDER, TOKENS)
    assert TOKENS.read_address(reply_to.addr_spec) == Sealed(INCIDENT, audience, "reply")
    assert (reply_to.display_name, reply_to.domain) == ("Firstline", "firstline.example")


@pytest.mark.parametrize(
    ("tokens", "plus", "incident"), [(TOKENS, False, INCIDENT), (None, True, INCIDENT), (TOKENS, True, "")]
)
def test_without_plus_addresses_tokens_or_an_incident_answers_go_to_the_sender(
    tokens: Tokens | None, plus: bool, incident: str
) -> None:
    raw = compose(replace(NOTICE, incident_id=incident), "ann@example.com", SENDER, AT, tokens, plus)

    assert read(raw)["Reply-To"] is None


# Automatic or not


@pytest.mark.parametrize("kind", sorted(set(NoticeKind) - {NoticeKind.REPLY}))
@pytest.mark.parametrize(
    ("answers", "said"), [("<c1@x>", "auto-replied"), ("", "auto-generated"), ("key", "auto-generated")]
)
def test_automatic_mail_says_so_and_whether_it_answers_one(kind: NoticeKind, answers: str, said: str) -> None:
    mail = composed(kind=kind, answers=answers, references=("<c0@x>",))

    assert (mail["Auto-Submitted"], mail["X-Auto-Response-Suppress"], mail["Precedence"]) == (said, "All", "auto_reply")


def test_what_an_agent_has_written_is_no_automatic_mail() -> None:
    mail = composed(kind=NoticeKind.REPLY, answers="<c1@x>")

    assert not {"auto-submitted", "x-auto-response-suppress", "precedence"} & {name.lower() for name in mail}


# What it looks like


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_a_page_of_its_own(language: str) -> None:
    said = ("ann", "email", "<b>10 €</b>", Category.OTHER, None, "", "", "open")
    incident = Incident(INCIDENT, "TKT-1", None, *said, created_at=AT, language=language)
    to = Address("email", "ann@example.com")
    for notice in (
        wording.acknowledgement(incident, to, timedelta(hours=24), ("amount", "date")),
        wording.reminder(
            incident, to, 1, AT, (Action("solved", wording.action_label("solved", language), "https://x"),)
        ),
        wording.resolved(incident, to, "done"),
    ):
        page = Page(part(read(compose(notice, "ann@example.com", SENDER, AT)), "html"))
        assert page.attributes == {"lang": language, "dir": "rtl" if language == "ar" else "ltr"}
        for text in (notice.greeting, *notice.lead.splitlines(), *notice.closing.splitlines(), *sum(notice.facts, ())):
            assert text in page.shown


def test_the_list_of_mails_shows_what_a_mail_says_first() -> None:
    before_the_page = html(NOTICE).partition("<body")[2].partition("<table")[0]

    assert ">We have opened an incident.</div>" in before_the_page
    assert len(html(replace(NOTICE, lead="x" * 50_000))) < 60_000


def test_a_page_asks_nothing_of_the_network_and_hides_nothing_in_style_sheets() -> None:
    page = html(replace(NOTICE, actions=(Action("solved", "Yes", "https://support.example/a"),)))

    assert page.count("https://") == 1
    for word in ("src=", "url(", "<link", "<style", "@import", "<script", "class="):
        assert word not in page


def test_each_paragraph_runs_in_the_direction_of_its_own_words() -> None:
    page = html(replace(NOTICE, language="ar", lead="أغلقنا التذكرة.\n\nWe have paid it back."))

    assert '<div dir="auto">أغلقنا التذكرة.</div>' in page
    assert re.search(r'<div dir="auto"[^>]*>We have paid it back\.</div>', page)


def test_the_text_part_is_flowed() -> None:
    mail = composed(quote="word " * 40)
    text = mail.get_body(("plain",))

    assert text is not None
    assert text["Content-Type"].params["format"] == "flowed"
    assert f"\n> {'word ' * 14}\n> {'word ' * 14}\n> word" in part(mail, "plain")
