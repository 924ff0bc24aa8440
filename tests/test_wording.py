"""What people read, in every language."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from string import Formatter
from tomllib import loads

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import wording
from bot.language import LANGUAGES
from bot.model import Action, Address, Category, Incident, Notice, NoticeKind
from tests.fakes import NOON

DAY = timedelta(days=1)
MAIL = Address("email", "ana@example.com")
PHONE = Address("sms", "+14155552671")
OTHER_LANGUAGES = [language for language in LANGUAGES if language != "en"]
AGENTS_SECTIONS = {"agents", "agent_reminder", "escalation", "card", "button", "entry", "news"}
WORDS = "Xylophone https://evil.example/login"
INCIDENT = Incident(
    id="3f2b6c1e-98a7-4d11-8c3a-123456789012",
    ticket_id="TKT-98042a72",
    external_ticket_id=None,
    customer_id="C-1",
    channel="email",
    message=WORDS,
    category=Category.FRAUD_REPORT,
    confidence=0.9,
    reason="",
    classified_by="local",
    status="open",
    created_at=NOON - DAY,
    assignee="Kim",
    openings=2,
    resolutions=3,
    last_opened_at=NOON - timedelta(hours=2),
)
ACTIONS = (Action("solved", "Yes", "https://support.example/a/1"),)
TO_CUSTOMERS: dict[NoticeKind, Callable[[Incident, Address], Notice]] = {
    NoticeKind.ACKNOWLEDGEMENT: lambda incident, to: wording.acknowledgement(
        incident, to, DAY, ("amount", "date", "last_four")
    ),
    NoticeKind.ADDED: lambda incident, to: wording.added(incident, to, "m-7"),
    NoticeKind.REMINDER: lambda incident, to: wording.reminder(incident, to, 7, NOON, ACTIONS),
    NoticeKind.RESOLVED: lambda incident, to: wording.resolved(incident, to, "Zither", ACTIONS),
    NoticeKind.REOPENED: lambda incident, to: wording.reopened(incident, to, DAY),
    NoticeKind.FILES_REFUSED: lambda incident, to: wording.files_refused(incident, to, 3, [("a.pdf", "too_large")]),
    NoticeKind.REPLY: lambda incident, to: wording.reply(incident, to, "m-8", "Zither"),
}
TO_AGENTS: dict[NoticeKind, Callable[[Incident, Address], Notice]] = {
    NoticeKind.ALERT: lambda incident, to: wording.alert(incident, to, "opened"),
    NoticeKind.AGENT_REMINDER: lambda incident, to: wording.agents_reminder(incident, to, 7, NOON),
    NoticeKind.ESCALATION: lambda incident, to: wording.escalation(incident, to, 7, NOON),
    NoticeKind.NEWS: lambda incident, to: wording.taken_for(incident, to, "m-1"),
}
ALL = TO_CUSTOMERS | TO_AGENTS


def sentences(language: str) -> dict[str, str]:
    """Read a catalogue anew, without what only agents read."""
    sections = loads((wording.CATALOGUES / f"{language}.toml").read_text(encoding="utf-8"))
    return {
        f"{section}.{name}": text
        for section, texts in sections.items()
        if section not in AGENTS_SECTIONS and not section.startswith("alert_")
        for name, text in texts.items()
    }


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


# --- the catalogues


def test_every_kind_of_notice_is_tested_here() -> None:
    untold = {NoticeKind.CARD, NoticeKind.ENTRY}  # what a board is to show; none does yet
    assert set(ALL) == set(NoticeKind) - untold - {NoticeKind.CODE}  # of no incident: below


def test_every_language_has_a_catalogue_and_every_catalogue_a_language() -> None:
    assert {path.stem for path in wording.CATALOGUES.iterdir()} == set(LANGUAGES)


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_no_sentence_is_missing_and_none_is_left_over(language: str) -> None:
    assert set(sentences(language)) == set(sentences("en"))


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_every_sentence_has_the_placeholders_of_the_english_one(language: str) -> None:
    english = sentences("en")
    assert {name: placeholders(text) for name, text in sentences(language).items()} == {
        name: placeholders(text) for name, text in english.items()
    }


@pytest.mark.parametrize("language", OTHER_LANGUAGES)
def test_no_sentence_is_left_in_english(language: str) -> None:
    english = sentences("en")
    repeated = {name for name, text in sentences(language).items() if text == english[name]}
    assert repeated <= {"label.ticket", "channel.sms", "missing.comma"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_sentence_is_empty_or_has_blanks_at_its_ends(language: str) -> None:
    for name, text in sentences(language).items():
        assert text, name
        assert text == text.strip() or name in {"missing.comma", "missing.and"}, name


# --- every notice, in every language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ALL)
def test_a_notice_is_filled_in_and_names_its_ticket(kind: NoticeKind, language: str) -> None:
    notice = ALL[kind](replace(INCIDENT, language=language), MAIL)
    assert notice.kind is kind
    assert notice.language == (language if kind in TO_CUSTOMERS else "en")
    assert notice.subject.startswith("[TKT-98042a72] ")
    assert (notice.ticket_id, notice.incident_id) == (INCIDENT.ticket_id, INCIDENT.id)
    assert "TKT-98042a72" in notice.text
    assert not set("{}") & set(notice.subject + notice.text)
    assert notice.subject.split("] ")[1]
    assert notice.lead


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ALL)
def test_nobodys_own_words_stand_in_a_subject(kind: NoticeKind, language: str) -> None:
    subject = ALL[kind](replace(INCIDENT, language=language), MAIL).subject
    assert not re.search("xylophone|zither|evil|kim", subject, re.IGNORECASE)


@pytest.mark.parametrize("kind", ALL)
def test_no_link_of_a_customer_is_sent_on(kind: NoticeKind) -> None:
    assert "evil.example" not in ALL[kind](INCIDENT, MAIL).text


@pytest.mark.parametrize("kind", TO_CUSTOMERS)
def test_a_language_that_we_do_not_write_gets_english(kind: NoticeKind) -> None:
    unknown = TO_CUSTOMERS[kind](replace(INCIDENT, language="../it"), MAIL)
    assert unknown == TO_CUSTOMERS[kind](INCIDENT, MAIL)
    assert unknown.language == "en"


@pytest.mark.parametrize("kind", ALL)
def test_the_key_is_the_same_each_time_and_another_for_each_address(kind: NoticeKind) -> None:
    write = ALL[kind]
    keys = [write(INCIDENT, to).key for to in (MAIL, PHONE, replace(MAIL, key="bea@example.com"))]
    assert keys[0] == write(INCIDENT, MAIL).key
    assert len(set(keys)) == 3
    assert keys[0].startswith(f"{INCIDENT.id}.")
    assert "ana" not in keys[0]


def test_a_key_tells_incident_reason_channel_and_a_digest_of_the_address() -> None:
    assert re.fullmatch(rf"{INCIDENT.id}\.added-m-7\.email-[0-9a-f]{{8}}", wording.added(INCIDENT, MAIL, "m-7").key)


def test_each_turn_of_an_incidents_life_has_keys_of_its_own() -> None:
    again = replace(INCIDENT, openings=3, resolutions=4)
    assert wording.reopened(INCIDENT, MAIL, DAY).key != wording.reopened(again, MAIL, DAY).key
    assert wording.resolved(INCIDENT, MAIL).key != wording.resolved(again, MAIL).key


# --- one by one


def test_an_acknowledgement_promises_the_follow_up() -> None:
    assert wording.acknowledgement(INCIDENT, MAIL, DAY).closing == "We will get back to you within 24 hours."


@pytest.mark.parametrize(
    ("missing", "asked"),
    [
        (["amount"], "please tell us the amount."),
        (["amount", "last_four"], "please tell us the amount and the last four digits of the card."),
        (["amount", "date", "last_four"], "tell us the amount, the date and the last four digits of the card."),
    ],
)
def test_an_acknowledgement_asks_for_exactly_what_is_missing(missing: list[str], asked: str) -> None:
    closing = wording.acknowledgement(INCIDENT, MAIL, DAY, missing).closing
    assert asked in closing
    assert closing.endswith(" We will get back to you within 24 hours.")


def test_a_reminder_tells_since_when_and_asks_whether_it_is_solved() -> None:
    notice = wording.reminder(INCIDENT, MAIL, 7, NOON, ACTIONS)
    assert notice.lead == "Ticket TKT-98042a72 was opened 24 hours ago; our team is on it."
    assert "solved by now?" in notice.closing
    assert notice.actions == ACTIONS


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_resolution_carries_the_note_the_time_to_answer_and_the_question(language: str) -> None:
    notice = wording.resolved(replace(INCIDENT, language=language), MAIL, "Zither {braces}", ACTIONS)
    assert notice.lead.endswith("\n\nZither {braces}")
    assert re.search(r"\b14\b.*\b1\b.*\b5\b", notice.closing, re.DOTALL)
    assert notice.actions == ACTIONS


def test_a_resolution_without_a_note_leaves_no_gap() -> None:
    assert wording.resolved(INCIDENT, MAIL).lead == "We have closed ticket TKT-98042a72."


def test_the_time_to_answer_is_as_long_as_it_is_set() -> None:
    assert "you have 3 days to answer" in wording.resolved(INCIDENT, MAIL, reopen_within=timedelta(days=3)).closing


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_reply_is_the_agents_text_as_it_is_without_the_customers(language: str) -> None:
    notice = wording.reply(replace(INCIDENT, language=language), MAIL, "m-8", "See https://bank.example/help {1}\n:)")
    assert notice.lead == "See https://bank.example/help {1}\n:)"
    assert notice.quote == ""
    assert [value for _, value in notice.facts] == ["TKT-98042a72"]


@pytest.mark.parametrize("why", ["opened", "category", "reopened", "reopened-2"])
def test_an_alert_is_urgent_names_the_category_and_quotes_the_customer(why: str) -> None:
    notice = wording.alert(INCIDENT, MAIL, why)
    assert "URGENT" in notice.subject
    assert "Fraud report" in notice.subject
    assert notice.quote == "Xylophone [link]"
    assert f".alert-{why}." in notice.key
    assert ("Assigned to", "Kim") in notice.facts


def test_a_customers_no_is_not_called_urgent() -> None:
    assert wording.alert(INCIDENT, MAIL, "not_solved-2").subject == "[TKT-98042a72] Not solved: Fraud report"


def test_an_alert_for_no_known_reason_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no section \[alert_boredom\]"):
        wording.alert(INCIDENT, MAIL, "boredom")


def test_agents_are_told_how_long_it_has_been_open_this_time() -> None:
    assert "opened 2 hours ago" in wording.agents_reminder(INCIDENT, MAIL, 7, NOON).lead
    assert "opened 2 hours ago" in wording.escalation(INCIDENT, MAIL, 7, NOON).lead
    assert "opened 24 hours ago" in wording.escalation(replace(INCIDENT, last_opened_at=None), MAIL, 7, NOON).lead


def test_an_id_keeps_its_order_in_arabic() -> None:
    values = [value for _, value in wording.acknowledgement(replace(INCIDENT, language="ar"), MAIL, DAY).facts]
    assert values[:2] == ["TKT-98042a72", f"\u2066{INCIDENT.id}\u2069"]


# --- lengths of time


@pytest.mark.parametrize(
    ("language", "hours", "ago"),
    [
        ("en", 1, "1 hour ago"),
        ("en", 0.001, "1 minute ago"),
        ("en", 0.5, "30 minutes ago"),
        ("en", 47, "47 hours ago"),
        ("en", 48, "2 days ago"),
        ("en", 24 * 400, "400 days ago"),
        ("es", 48, "hace 2 días"),
        ("de", 48, "vor 2 Tagen"),
        ("fr", 24, "il y a 24 heures"),
        ("pt", 24, "há 24 horas"),
        ("hi", 24, "24 घंटे पहले"),
        ("ar", 1, "قبل ساعة واحدة"),
        ("ar", 2, "قبل ساعتين"),
        ("ar", 3, "قبل 3 ساعات"),
        ("ar", 24, "قبل 24 ساعة"),
        ("ar", 48, "قبل يومين"),
        ("ar", 24 * 100, "قبل 100 يوم"),
    ],
)
def test_a_length_of_time_is_said_as_the_language_wants_it(language: str, hours: float, ago: str) -> None:
    incident = replace(INCIDENT, language=language, created_at=NOON - timedelta(hours=hours))
    assert ago in wording.reminder(incident, MAIL, 7, NOON).lead.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("language", "soon"),
    [
        ("es", "dentro de 24 horas"),
        ("de", "in 24 Stunden"),
        ("fr", "dans 24 heures"),
        ("pt", "em 24 horas"),
        ("hi", "24 घंटे में"),
        ("ar", "خلال 24 ساعة"),
    ],
)
def test_a_promise_is_said_as_the_language_wants_it(language: str, soon: str) -> None:
    notice = wording.acknowledgement(replace(INCIDENT, language=language), MAIL, DAY)
    assert soon in notice.closing.replace("\u00a0", " ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_is_told_with_how_long_it_holds_and_not_in_the_subject(language: str) -> None:
    notice = wording.code("n-1", MAIL, "012345", timedelta(minutes=15), language)
    assert "012345" in notice.lead
    assert "15" in notice.lead
    assert "012345" not in notice.subject
    assert (notice.kind, notice.language, notice.incident_id, notice.ticket_id) == (NoticeKind.CODE, language, "", "")
    assert not set("{}") & set(notice.subject + notice.text)


# --- short answers and words

ANSWERS = [name.partition(".")[2] for name in sentences("en") if name.startswith("answer.")]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", sorted({*ANSWERS} - {"on_its_way", "simulated", "linked_new"}))
def test_a_short_answer_needs_no_values_and_may_be_given_some(name: str, language: str) -> None:
    assert wording.said(name, language) == wording.said(name, language, ticket="TKT-1")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_ticket_is_told_with_the_one_before(language: str) -> None:
    said = wording.said("linked_new", language, ticket="TKT-2", old="TKT-1")
    assert said.index("TKT-2") < said.index("TKT-1")


def test_an_answer_that_nobody_has_written_is_refused() -> None:
    with pytest.raises(KeyError, match=r"answer\.hello"):
        wording.said("hello")


def test_a_created_ticket_tells_what_is_under_way_and_what_is_not() -> None:
    assert wording.ticket_created(["sms", "web"], ["email"]) == (
        "Ticket created. Email on its way. SMS simulated, not sent: no provider is configured. "
        "Web simulated, not sent: no provider is configured."
    )


def test_a_created_ticket_is_told_in_the_callers_language() -> None:
    assert wording.ticket_created([], ["email"], "de") == "Ticket angelegt. E-Mail ist unterwegs."


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_button_of_a_rating_is_its_digit(language: str) -> None:
    assert [wording.action_label(f"rate-{digit}", language) for digit in range(1, 6)] == ["1", "2", "3", "4", "5"]


def test_the_buttons_of_a_reminder_are_sentences() -> None:
    assert wording.action_label("solved", "en") == "Yes, it is solved"
    assert wording.action_label("not_solved", "de") == "Nein, noch nicht"


@pytest.mark.parametrize("name", ["rate-6", "rate-0", "delete"])
def test_a_button_that_there_is_not_is_refused(name: str) -> None:
    with pytest.raises(KeyError):
        wording.action_label(name, "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_category_has_a_word_of_its_own(language: str) -> None:
    assert len({wording.category_word(category, language) for category in Category}) == len(Category)


# --- what customers wrote


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example",
        "HTTP://EVIL.EXAMPLE/x",
        "ftp://evil.example",
        "www.evil.example",
        "evil.example/login",
        "evil.example?id=1",
        "evil.example#a",
        "evil.example:8080/x",
        "a.b.c.d.e.f.g.h.i.j.k.evil.example/x",
        "пример.рф/вход",
        "xn--e1afmkfd.xn--p1ai/x",
        "//evil.example/x",
        "user@evil.example/x",
        "https://evil.example/a,https://evil.example/b",
    ],
)
def test_a_link_is_not_repeated(link: str) -> None:
    assert wording.quoted(f"Look:\n {link} now") == "Look:\n [link] now"


@pytest.mark.parametrize(("before", "after"), [("(", ")."), ("<", ">"), ("«", "»!"), ('"', '",')])
def test_the_punctuation_around_a_link_stays(before: str, after: str) -> None:
    assert wording.quoted(f"{before}https://evil.example/x{after}") == f"{before}[link]{after}"


@pytest.mark.parametrize(
    "text",
    [
        "charged 2.50/month on 10.11.2026",
        "and/or ... e.g. p.m./a.m.",
        "Why? What?! [card …4242]",
        "Booking.com charged me",
        "a:b 12:30 #5 w/o",
        "",
        "  two\n\nlines ",
    ],
)
def test_what_is_no_link_is_repeated_as_it_is(text: str) -> None:
    assert wording.quoted(text) == text


def test_a_long_text_is_cut_behind_a_word() -> None:
    quote = wording.quoted("twelve chars " * 100)
    assert quote.endswith("twelve chars…")
    assert 485 < len(quote) <= 500


def test_a_text_of_exactly_the_longest_length_is_whole() -> None:
    assert wording.quoted("x" * 500) == "x" * 500
    assert wording.quoted("x" * 501) == "x" * 499 + "…"


def test_a_word_that_just_fits_is_not_lost() -> None:
    for last in ("y" * 198 + " z", "y" * 197 + " zz"):
        assert wording.quoted(f"{'x' * 300} {last}") == f"{'x' * 300} {last.split()[0]}…"


def test_a_very_long_word_is_cut_in_itself() -> None:
    assert wording.quoted("no " + "x" * 600) == "no " + "x" * 496 + "…"


def test_a_link_is_no_link_because_it_is_cut() -> None:
    assert "evil" not in wording.quoted("x" * 480 + " https://evil.example/login")


@given(st.text(st.characters() | st.sampled_from(" .:/?#w(…\n\ud800"), max_size=1200))
def test_a_quote_is_short_and_has_no_scheme_in_it(text: str) -> None:
    quote = wording.quoted(text)
    assert len(quote) <= 500
    assert "://" not in quote


def test_a_deleted_message_leaves_an_empty_quote() -> None:
    assert wording.acknowledgement(replace(INCIDENT, message=""), MAIL, DAY).quote == ""
