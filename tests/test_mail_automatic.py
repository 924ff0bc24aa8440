"""Which mail is a machine's, so that it is never answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.automatic import is_automatic
from adapters.mail.parsed import Envelope
from tests.mails import read

ANN = "From: Ann <ann@example.com>"
SMTP = Envelope("ann@example.com", ("support@firstline.example",), "smtp")


def own(address: str) -> bool:
    """As the door tells it where mail to support+anything@ arrives."""
    return address.lower().replace("+token", "") == "support@firstline.example"


def automatic(*headers: str, author: str = ANN, subject: str = "Help", envelope: Envelope = SMTP) -> bool:
    lines = [author, "To: support@firstline.example", f"Subject: {subject}", *headers]
    return is_automatic(read("\n".join(lines) + "\n\nMy card was charged twice.\n"), envelope, own)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: auto-replied",
        "AUTO-SUBMITTED: Auto-Generated; owner-email=a@b.example",
        "Auto-Submitted: auto-replied (vacation)",
        "Auto-Submitted: auto-notified",
        "X-Auto-Response-Suppress: All",
        "X-Auto-Response-Suppress: DR, RN, NRN, OOF, AutoReply",
        "Precedence: bulk",
        "Precedence: junk",
        "Precedence: list",
        "Precedence: Auto_Reply",
        "List-Id: News <news.shop.example>",
        "List-Unsubscribe: <https://shop.example/u>",
        "List-Post: NO",
        "X-Autoreply: yes",
        "X-Autorespond: Re: Help",
        "X-Mail-Autoreply: 1",
        "X-Loop: support@firstline.example",
        "X-Loop: bob@example.com, <Support+token@firstline.example>",
        "Return-Path: <>",
        "X-Failed-Recipients: bob@example.com",
        "Feedback-Type: abuse",
        "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
        "X-MS-Exchange-Inbox-Rules-Loop: ann@example.com",
    ],
)
def test_a_header_tells_a_machine(header: str) -> None:
    assert automatic(header)


@pytest.mark.parametrize(
    "header",
    [
        "Auto-Submitted: no",
        "Auto-Submitted: No (a person)",
        "Auto-Submitted:",
        "X-Auto-Response-Suppress: None",
        "X-Auto-Response-Suppress: DR, NDR, RN, NRN",
        "Precedence: first-class",
        "Precedence: special-delivery",
        "X-Autoreply: no",
        "X-Loop: bob@example.com",
        "Return-Path: <ann@example.com>",
        "Content-Type: multipart/alternative; boundary=x",
        "X-Mailing-List: no",
        "X-Mailer: Vacation Planner 2",
        "Importance: high",
    ],
)
def test_a_header_tells_no_machine(header: str) -> None:
    assert not automatic(header)


@pytest.mark.parametrize(
    "address",
    [
        "mailer-daemon@example.com",
        "MAILER-DAEMON@example.com",
        "postmaster@example.com",
        "noreply@example.com",
        "no-reply@example.com",
        "no_reply+abc@example.com",
        "messages-noreply@example.com",
        "do-not-reply@example.com",
        "DoNotReply@example.com",
        "auto-reply@example.com",
        "MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@example.com",
        "support@firstline.example",
        "support+token@firstline.example",
    ],
)
def test_an_address_tells_a_machine_or_ourselves(address: str) -> None:
    assert automatic(author=f"From: Somebody <{address}>")


@pytest.mark.parametrize("local", ["ann", "norepl", "noreplya", "arno.reply", "reply", "postmasters", "daemon", "auto"])
def test_an_address_of_a_person_tells_no_machine(local: str) -> None:
    assert not automatic(author=f"From: {local}@example.com")


@pytest.mark.parametrize(
    ("sender", "tells"),
    [
        ("", True),
        ("MAILER-DAEMON@example.com", True),
        (None, False),
        ("ann@example.com", False),
        ("support+caf_=in=firstline.example@firstline.example", False),
        ("noreply@forms.example", False),
    ],
)
def test_an_envelope_that_nobody_can_answer_tells_a_machine(sender: str | None, tells: bool) -> None:
    """A contact form writes in a customer's name; a group of ours, or a rule, writes to us from our own domain."""
    assert automatic(envelope=Envelope(sender)) is tells


GROUP = (
    "Precedence: list",
    "List-ID: <support.firstline.example>",
    "List-Post: <https://groups.example/post>, <mailto:support@firstline.example>",
    "List-Help: <https://groups.example/help>, <mailto:support+help@firstline.example>",
    "List-Unsubscribe: <mailto:googlegroups-manage+1+unsubscribe@googlegroups.example>",
)


def test_what_a_group_of_ours_passes_on_is_what_people_wrote() -> None:
    assert not automatic(*GROUP)
    assert not automatic(GROUP[0], GROUP[1])
    assert not automatic(GROUP[0], GROUP[2])


def test_a_machine_that_writes_to_a_group_of_ours_is_a_machine() -> None:
    assert automatic(*GROUP, "Auto-Submitted: auto-replied")
    assert automatic(*GROUP, author="From: noreply@example.com")
    assert automatic(*GROUP[1:], "Precedence: bulk")


def test_a_list_that_is_not_ours_is_one() -> None:
    assert automatic(*(header.replace("support", "users") for header in GROUP))


def test_what_a_rule_of_our_own_mailbox_passes_on_is_what_people_wrote() -> None:
    assert not automatic(
        "X-MS-Exchange-Inbox-Rules-Loop: support@firstline.example",
        "X-MS-Exchange-Generated-Message-Source: Mailbox Rules Agent",
    )


SUBJECTS = [
    "Automatic reply: Help",
    "Out of Office: Help",
    "out of the office until Monday",
    "Automatische Antwort: Hilfe",
    "Abwesenheitsnotiz",
    "Réponse automatique : Aide",
    "Respuesta automática: Ayuda",
    "Автоматический ответ: Помощь",
    "自动回复: 帮助",
]


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize(
    "sign", ["In-Reply-To: <1@firstline.example>", "X-Auto-Response-Suppress: DR", "X-Mailer: vacation 1.4"]
)
def test_an_out_of_office_reply_is_told_by_two_signs(subject: str, sign: str) -> None:
    assert automatic(sign, subject=subject)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_subject_alone_tells_nothing(subject: str) -> None:
    assert not automatic(subject=subject)


@pytest.mark.parametrize("subject", ["Re: Automatic reply: Help", "Your automatic reply", "Help", ""])
def test_an_answer_of_a_person_is_no_out_of_office_reply(subject: str) -> None:
    assert not automatic("In-Reply-To: <1@firstline.example>", subject=subject)


def test_a_mail_without_a_sender_is_no_failure() -> None:
    assert not is_automatic(read("Subject: Help\n\nHi\n"), Envelope(), own)


NAMES = [
    "auto-submitted", "precedence", "list-id", "list-post", "x-loop", "return-path", "x-auto-response-suppress",
    "x-autoreply", "subject", "x-ms-exchange-inbox-rules-loop",
]  # fmt: skip


def test_a_report_without_its_parts_is_a_report() -> None:
    assert automatic('Content-Type: Multipart/Report; report-type="disposition-notification"; boundary=x')


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.text(), max_size=3).map(tuple)), st.text(max_size=20))
def test_whatever_the_headers_say_is_no_failure(headers: dict[str, tuple[str, ...]], sender: str) -> None:
    from dataclasses import replace

    is_automatic(replace(read("Subject: Help\n\nHi\n"), headers=headers, subject=sender), Envelope(sender), own)


def test_our_own_mail_is_automatic() -> None:
    from adapters.mail.compose import compose
    from tests.test_mail_compose import AT, NOTICE

    raw = compose(NOTICE, "ann@example.com", "bot@elsewhere.example", AT)
    assert is_automatic(read(raw), Envelope("bot@elsewhere.example"), own)
