"""What people write in Slack: which of it is a customer's message, and what becomes of that."""

from typing import Any

import pytest

from adapters.slack import keys
from adapters.slack.keys import Place
from adapters.slack.translate import escape, heard, plain, without_mention
from bot.model import Address, InboundMessage, MessageKind
from tests.slack_house import LATER, ROOT, WATCH, Slack, api, backend, event, house, impatient, payload, slack

__all__ = ["api", "backend", "house", "impatient", "slack"]


def translated(name: str, **changes: Any) -> InboundMessage | None:
    return heard(event(name, **changes)["event"], WATCH)


# --- which messages, and what becomes of them


def test_a_reply_in_the_thread_joins_the_incident(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_reply")
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice", "It was on Monday"]


def test_a_reply_before_its_parent_is_one_incident_with_it(slack: Slack) -> None:
    slack.take("message_reply")
    slack.take("message")
    slack.only()


def test_a_message_in_another_channel_is_none_of_our_business(slack: Slack) -> None:
    slack.take("message", channel="C5")
    slack.take("message_reply", channel="C5")
    assert slack.stored() == 0


def test_after_a_mention_the_thread_is_a_conversation_in_any_channel(slack: Slack) -> None:
    slack.take("app_mention", channel="C5")
    slack.take("message_reply", channel="C5")
    assert slack.house.said(slack.only()["id"]) == ["My card was charged twice", "It was on Monday"]


def test_a_direct_message_is_answered_in_the_chat(slack: Slack) -> None:
    slack.take("message_im")
    assert slack.only()["chat"] == "slack/T1/D1"
    assert [to for to, _ in slack.house.chat.sent] == [Address("slack", "T1/D1")]


def test_a_second_direct_message_joins_what_is_open(slack: Slack) -> None:
    slack.take("message_im")
    slack.take("message_im", ts=LATER, text="I tried three times")
    assert slack.house.said(slack.only()["id"]) == ["My account is locked", "I tried three times"]


@pytest.mark.parametrize("text", ["/new my refund is late", "new: my refund is late", "NEW:my refund is late"])
def test_a_direct_message_may_be_another_problem(slack: Slack, text: str) -> None:
    slack.take("message_im")
    slack.take("message_im", ts=LATER, text=text)
    assert [incident["message"] for incident in slack.house.incidents()] == [
        "My account is locked",
        "my refund is late",
    ]


def test_who_writes_nothing_but_the_bots_name_is_told_to_write_more(slack: Slack) -> None:
    slack.take("app_mention", text="<@UBOT>")
    assert slack.stored() == 0
    assert slack.told() == ["Write what the matter is as well, in the same message."]


def test_an_edit_is_a_new_text_of_the_same_message(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_changed")
    assert slack.only()["message"] == "My card was charged three times"
    assert slack.house.events(slack.only()["id"]).count("edited") == 1


def test_a_deleted_message_is_hidden(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_deleted")
    assert slack.only()["message"] == ""


def test_a_deleted_message_with_answers_is_hidden(slack: Slack) -> None:
    slack.take("message")
    slack.take("message_tombstone")
    assert slack.only()["message"] == ""


def test_a_mention_of_the_whole_channel_is_plain_text_to_us(slack: Slack) -> None:
    slack.take("message", text="<!channel> my card was charged twice &lt;!here&gt;")
    assert slack.only()["message"] == "@channel my card was charged twice <!here>"


def test_a_card_number_is_masked_before_it_is_stored(slack: Slack) -> None:
    slack.take("message", text="4111 1111 1111 1111 was charged twice")
    assert "4111 1111" not in slack.only()["message"]


def test_what_the_bot_itself_writes_is_nobodys_message_though_it_does_not_say_that_a_bot_wrote_it(slack: Slack) -> None:
    slack.take("message_im", user="UBOT", text="help")
    slack.take("message_im", user="UBOT", text="<@UBOT>", ts=LATER)
    assert (slack.stored(), slack.told()) == (0, [])


# --- translation


def test_a_message_has_the_workspace_channel_and_time_in_its_id() -> None:
    message = translated("message")
    assert message is not None
    assert (message.external_id, message.thread, message.lane) == (ROOT, ROOT, f"slack/{ROOT}")
    assert message.addresses == (Address("slack", ROOT),)
    assert message.written_at is not None
    assert message.written_at.isoformat() == "2026-11-22T12:00:00.000100+00:00"
    assert (message.private, message.proven, message.answer_on) == (False, (), "slack")


def test_a_reply_waits_in_the_lane_of_its_thread() -> None:
    message = translated("message_reply")
    assert message is not None
    assert (message.external_id, message.thread) == ("T1/C1/1795348860.000200", ROOT)
    assert message.lane == f"slack/{ROOT}"


def test_a_direct_message_in_a_thread_is_answered_there() -> None:
    message = translated("message_im", ts=LATER, thread_ts="1795348800.000100")
    assert message is not None
    assert (message.thread, message.lane, message.private) == ("T1/D1/1795348800.000100", "slack/T1/D1", True)
    assert message.addresses == (Address("slack", "T1/D1/1795348800.000100"),)


def test_a_person_of_another_workspace_keeps_that_in_the_name_and_is_answered_in_ours() -> None:
    message = heard(payload("message_of_a_guest")["event"], WATCH)
    assert message is not None
    assert message.customer_id == "T2/U7"
    assert message.addresses == (Address("slack", ROOT),)


def test_a_group_of_people_is_heard_when_it_calls_the_bot() -> None:
    assert translated("message_mpim", text="our account is locked") is None
    message = translated("message_mpim")
    assert message is not None
    assert (message.text, message.private) == ("our account is locked", False)


def test_files_are_named() -> None:
    message = translated("message_with_files")
    assert message is not None
    assert message.text == "Here is the statement\n[statement.pdf]"


@pytest.mark.parametrize("subtype", ["thread_broadcast", "me_message", "file_share"])
def test_what_a_person_wrote_is_taken_whatever_its_form(subtype: str) -> None:
    assert translated("message", subtype=subtype) is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"subtype": "channel_topic"},
        {"subtype": "a_subtype_of_next_year"},
        {"bot_id": "B7"},
        {"user": "UBOT"},
        {"user": None},
        {"ts": "yesterday"},
        {"ts": None},
        {"channel": None},
        {"text": ""},
        {"channel": "C9", "text": "<@UBOT> do you hear us?"},
    ],
    ids=str,
)
def test_what_is_no_customers_message_is_none(changes: dict[str, Any]) -> None:
    assert translated("message", **changes) is None


def test_an_edit_names_the_message_and_the_time_of_the_edit() -> None:
    message = translated("message_changed")
    assert message is not None
    assert message.kind is MessageKind.EDIT
    assert (message.external_id, message.about) == (f"{ROOT}/edit/1795348900.000000", ROOT)
    assert message.written_at is not None
    assert message.written_at.timestamp() == 1795348900


def test_the_preview_of_a_link_is_no_edit() -> None:
    assert translated("message_unfurled") is None


def test_a_bots_edit_is_none() -> None:
    body = payload("message_changed")
    body["event"]["message"]["bot_id"] = "B7"
    assert heard(body["event"], WATCH) is None


def test_an_edit_elsewhere_counts_only_with_the_bots_name() -> None:
    assert translated("message_changed", channel="C5") is None
    body = event("message_changed", channel="C5")
    body["event"]["message"]["text"] = "<@UBOT> My card was charged three times"
    message = heard(body["event"], WATCH)
    assert message is not None
    assert message.text == "My card was charged three times"


@pytest.mark.parametrize("name", ["message_deleted", "message_tombstone"])
def test_a_deletion_names_the_message_that_is_gone(name: str) -> None:
    message = translated(name)
    assert message is not None
    assert message.kind is MessageKind.DELETE
    assert (message.external_id, message.about, message.text) == (f"{ROOT}/deleted", ROOT, "")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a &lt; b &amp;&amp; c &gt; d", "a < b && c > d"),
        ("&amp;lt;", "&lt;"),
        ("see <https://shop.example/a?b=1&amp;c=2>", "see https://shop.example/a?b=1&c=2"),
        ("see <https://shop.example/1|order 1>", "see order 1 (https://shop.example/1)"),
        ("<http://shop.example|shop.example>", "http://shop.example"),
        ("<mailto:ana@example.com|ana@example.com>", "ana@example.com"),
        ("<tel:+14155552671|+1 415>", "+1 415 (+14155552671)"),
        ("<@U1> and <@U2|bea>", "@U1 and @bea"),
        ("in <#C1|general> or <#C2>", "in #general or #C2"),
        ("<!channel> <!here|here> <!subteam^S1|@team> <!subteam^S1>", "@channel here @team @subteam"),
        ("<!date^1392734382^{date}^https://shop.example|18 February>", "18 February"),
        ("1 < 2 <b>", "1 < 2 <b>"),
        ("  around  ", "around"),
    ],
)
def test_slacks_writing_becomes_plain_text(written: str, meant: str) -> None:
    assert plain(written) == meant


def test_hostile_texts_cost_no_more_than_their_length() -> None:
    for piece in ("<", "<@", "<a:", "<!", " ", "<@UBOT", "<@UBOT|"):
        text = piece * (40_000 // len(piece))
        plain(without_mention(text, "UBOT"))
        plain(without_mention(text, ""))


def test_what_we_say_pings_nobody() -> None:
    assert escape("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


@pytest.mark.parametrize("written", ["T1/C1", ROOT, "T1/D1/1.1"])
def test_a_key_is_read_as_it_was_written(written: str) -> None:
    assert keys.key(keys.parse(written)) == written


def test_a_place_has_its_parts() -> None:
    assert keys.parse(ROOT) == Place("T1", "C1", "1795348800.000100")


@pytest.mark.parametrize(
    "written", ["", "T1", "T1/", "T1/C1/", "T1/C1/now", "t1/c1", f"{ROOT}/edit", "ana@example.com"]
)
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no address in Slack"):
        keys.parse(written)
