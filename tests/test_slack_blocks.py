"""What a notice looks like in Slack: within its limits, as Slack's own models know them, and harmless."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block

from adapters.slack.blocks import BODY, FIELD, SECTION, TEXT, render
from bot.model import Action, Category, Notice, NoticeKind

INCIDENT = "01900000-0000-7000-8000-000000000001"
ACK = Notice(
    key=f"{INCIDENT}.acknowledgement.slack-0a1b2c3d",
    kind=NoticeKind.ACKNOWLEDGEMENT,
    incident_id=INCIDENT,
    ticket_id="TKT-98042a72",
    subject="[TKT-98042a72] We have received your message",
    greeting="Thank you for contacting us.",
    lead="We have opened ticket TKT-98042a72 for you.",
    facts=(("Ticket", "TKT-98042a72"), ("Incident", INCIDENT), ("About", "Duplicate payment")),
    quote="I was charged twice.\nPlease help",
    closing="We will get back to you within 24 hours.",
)
ALERT = replace(ACK, kind=NoticeKind.ALERT, subject="[TKT-98042a72] URGENT: Fraud report", greeting="An urgent one.")
CARD = replace(
    ACK,
    kind=NoticeKind.CARD,
    subject="[TKT-98042a72] Duplicate payment",
    greeting="",
    lead="",
    facts=(("Status", "open"), ("Priority", "normal"), ("About", "Duplicate payment"), ("Opened", "2026-11-22 12:00")),
    closing="",
    actions=(
        Action("assign", "Assign to me"),
        Action("reply", "Reply"),
        Action("category-other", "Confirm: Other"),
        Action("category", "Category"),
    ),
)
ENTRY = replace(ACK, kind=NoticeKind.ENTRY, greeting="", lead="T1/U7 wrote", facts=(), closing="")
NASTY = "<!channel> <@U123> <!subteam^S1> <https://evil.example|your bank> & <script> &lt;!here&gt;"
KINDS = st.sampled_from(list(NoticeKind))
TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet="&<>\n ab😀\ud83dشכ\u200d", max_size=400),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=8), st.integers(1, 3000)),
)
FACTS = st.lists(st.tuples(TEXTS, TEXTS), max_size=14).map(tuple)
ACTIONS = st.lists(st.builds(Action, st.text(min_size=1, max_size=20), TEXTS), max_size=30).map(tuple)
NOTICES = st.builds(
    Notice,
    key=st.just("k"),
    kind=KINDS,
    incident_id=st.just(INCIDENT),
    ticket_id=st.text(min_size=1, max_size=200),
    subject=TEXTS,
    greeting=TEXTS,
    lead=TEXTS,
    facts=FACTS,
    quote=TEXTS,
    closing=TEXTS,
    actions=ACTIONS,
)


def texts(value: Any) -> list[str]:
    """Every text in these blocks that is shown."""
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for each in value.values() for text in texts(each)]
    return []


def shown(notice: Notice) -> str:
    return "\n".join(texts(render(notice)[1]))


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def buttons(notice: Notice) -> dict[str, str]:
    blocks = [block for block in render(notice)[1] if block["type"] == "actions"]
    return {
        element["action_id"]: element["value"]
        for block in blocks
        for element in block["elements"]
        if element["type"] == "button"
    }


def assert_slack_takes(notice: Notice) -> None:
    """Hold the rendering to Slack's models, and to the limits that they do not look at."""
    text, blocks = render(notice)
    parsed = Block.parse_all(blocks)
    assert [block.to_dict() for block in parsed] == blocks  # to_dict validates, and nothing was dropped on the way
    assert 1 <= len(blocks) <= 50
    assert 0 < units(text) < 4000
    assert all(text.strip() for text in texts(blocks))
    for block in blocks:
        assert all(units(field["text"]) <= FIELD for field in block.get("fields", []))
        assert units(block["text"]["text"] if "text" in block else "") <= SECTION
        if block["type"] == "context":
            assert 1 <= len(block["elements"]) <= 10
            assert all(units(element["text"]) <= SECTION for element in block["elements"])
        if block["type"] == "actions":
            names = [element["action_id"] for element in block["elements"]]
            assert len(set(names)) == len(names) <= 25
            for element in block["elements"]:
                assert units(element.get("text", {}).get("text", "")) <= 75
                assert len(element.get("value", "")) <= 2000
                assert all(len(option["value"]) <= 150 for option in element.get("options", []))
    for each in [text, *texts(blocks)]:
        each.encode()  # no half of a surrogate pair
        assert not re.search(r"<|&(?!amp;|lt;|gt;)", each)


@given(NOTICES)
def test_slack_takes_whatever_a_notice_holds(notice: Notice) -> None:
    assert_slack_takes(notice)


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("word", ["word ", "&", "😀", "<!channel>\n"])
def test_slack_takes_a_text_of_40_000_characters(kind: NoticeKind, word: str) -> None:
    text = word * (40_000 // len(word))
    assert_slack_takes(replace(ACK, kind=kind, lead=text, quote=text, closing=text, facts=((text, text),)))


@pytest.mark.parametrize("kind", list(NoticeKind))
def test_nothing_that_a_customer_writes_pings_anybody_or_becomes_a_link(kind: NoticeKind) -> None:
    notice = replace(ACK, kind=kind, lead=NASTY, quote=NASTY, facts=((NASTY, NASTY),), closing=NASTY)
    text, blocks = render(notice)
    assert "&lt;!channel&gt; &lt;@U123&gt; &lt;!subteam^S1&gt;" in text
    for each in [text, *texts(blocks)]:
        assert "<" not in each


def test_an_ampersand_is_escaped_before_the_angle_brackets_are() -> None:
    assert "&amp;lt;!here&amp;gt; &amp;amp; R&amp;D" in shown(replace(ALERT, quote="&lt;!here&gt; &amp; R&D"))


def test_plain_words_are_not_made_into_mentions() -> None:
    _, blocks = render(replace(ALERT, quote="@channel @here #general"))
    written = [block["text"] for block in blocks] + [field for block in blocks for field in block.get("fields", [])]
    assert all(text["verbatim"] is True for text in written)


@pytest.mark.parametrize("before", range(12))
def test_a_long_text_is_cut_between_two_escapes(before: int) -> None:
    text, _ = render(replace(ALERT, subject="x" * before, lead="&" * 10_000))
    assert re.fullmatch(r"x*\s*(An urgent one\.\s)?(&amp;)+…", text)


@pytest.mark.parametrize("before", range(3))
def test_a_long_text_is_cut_between_two_emoji(before: int) -> None:
    text, _ = render(replace(ALERT, subject="x" * (before + 1), greeting="", lead="😀" * 10_000))
    assert re.fullmatch(r"x+\n😀+…", text)
    assert TEXT - 1 <= units(text) <= TEXT


def test_a_text_that_just_fits_is_not_cut() -> None:
    whole = "a" * TEXT
    assert render(replace(ACK, greeting="", lead=whole, facts=(), closing=""))[0] == whole


def test_half_of_a_surrogate_pair_is_left_out() -> None:
    assert "broken  here" in shown(replace(ACK, lead="broken \ud83d here"))


def test_control_characters_are_left_out() -> None:
    assert "a\x00b\x07" not in shown(replace(ACK, lead="a\x00b\x07c"))


def test_right_to_left_text_stays_as_it_is() -> None:
    arabic = "فتحنا لكم التذكرة \u2066TKT-98042a72\u2069."
    assert arabic in shown(replace(ACK, lead=arabic))


# --- customers


def test_an_acknowledgement_tells_the_number_the_category_and_what_comes_next() -> None:
    assert all(part in shown(ACK) for part in ("TKT-98042a72", "Duplicate payment", "within 24 hours"))


def test_an_acknowledgement_repeats_neither_the_customers_words_nor_the_id() -> None:
    text, _ = render(ACK)
    assert "charged twice" not in text + shown(ACK)
    assert INCIDENT not in text + shown(ACK)


def test_a_reply_of_the_longest_that_agents_may_write_arrives_whole() -> None:
    words = [f"word{number}" for number in range(1220)]
    lead = " ".join(words)
    reply = replace(ACK, kind=NoticeKind.REPLY, greeting="", lead=lead, facts=ACK.facts[:1], closing="")
    sections = [block["text"]["text"] for block in render(reply)[1] if "text" in block]
    assert 9_500 < len(lead) <= 10_000
    assert len(sections) > 1
    assert " ".join(sections).split() == words


def test_what_is_longer_than_slack_takes_in_all_ends_with_an_ellipsis() -> None:
    sections = [block["text"]["text"] for block in render(replace(ACK, lead="word " * 8000))[1] if "text" in block]
    assert sections[-2].endswith("…")
    assert sum(map(units, sections)) <= BODY + len(ACK.closing)


def test_a_button_names_the_action_and_the_incident() -> None:
    actions = (Action("solved", "Yes, it is solved"), Action("not_solved", "No, not yet", "https://shop.example/a/x"))
    assert buttons(replace(ACK, actions=actions)) == {"solved": f"{INCIDENT}:", "not_solved": f"{INCIDENT}:"}


def test_there_are_no_more_buttons_than_slack_takes() -> None:
    assert_slack_takes(replace(ACK, actions=tuple(Action(f"action-{number}", "Press") for number in range(30))))


def test_a_link_is_not_put_beside_the_button_that_stands_for_it() -> None:
    notice = replace(ACK, actions=(Action("solved", "Yes", "https://shop.example/a/secret"),))
    assert "https://" not in repr(render(notice))


# --- agents


def test_a_card_is_headed_by_ticket_priority_and_status() -> None:
    header = render(CARD)[1][0]
    assert header["type"] == "header"
    assert header["text"]["text"] == "🟢 TKT-98042a72 · normal · open"


def test_a_card_shows_its_facts_and_the_customers_words() -> None:
    assert "*About*\nDuplicate payment" in shown(CARD)
    assert "> I was charged twice.\n> Please help" in shown(CARD)


def test_a_card_tells_the_time_in_small_print() -> None:
    context = next(block for block in render(CARD)[1] if block["type"] == "context")
    assert texts(context) == ["Opened: 2026-11-22 12:00"]


def test_the_buttons_of_a_card_are_those_that_the_core_names() -> None:
    assert buttons(CARD) == dict.fromkeys(("assign", "reply", "category-other"), "TKT-98042a72")
    assert buttons(replace(CARD, actions=())) == {}


def test_a_card_has_a_menu_of_all_categories() -> None:
    menu = render(CARD)[1][-1]["elements"][-1]
    assert menu["type"] == "static_select"
    assert menu["action_id"] == "category"
    assert [option["value"] for option in menu["options"]] == [f"TKT-98042a72:{each}" for each in Category]


def test_an_entry_says_in_small_print_who_spoke_and_below_it_what_they_said() -> None:
    _, [small, said] = render(ENTRY)
    assert (small["type"], said["type"]) == ("context", "section")
    assert texts([small, said]) == ["T1/U7 wrote", "I was charged twice.\nPlease help"]


@pytest.mark.parametrize("kind", [NoticeKind.ALERT, NoticeKind.AGENT_REMINDER, NoticeKind.ESCALATION])
def test_what_agents_must_know_is_one_section(kind: NoticeKind) -> None:
    _, [block] = render(replace(ALERT, kind=kind))
    assert block["type"] == "section"
    assert all(part in shown(ALERT) for part in ("*An urgent one.*", "TKT-98042a72", "> I was charged twice."))


def test_the_notification_of_an_alert_begins_with_its_subject() -> None:
    assert render(ALERT)[0].startswith("[TKT-98042a72] URGENT: Fraud report\n")
