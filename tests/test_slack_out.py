"""Slack out, against a small real Slack: what each of its answers and silences means to us, and what agents see."""

import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from adapters.slack.send import SlackSender
from adapters.slack.settings import SlackSettings
from bot.errors import CannotTell, ConfigurationError, DeliveryFailed, TryLater, Uncertain, Undeliverable
from bot.ids import new_id
from bot.model import Address, Notice, NoticeKind, Sent
from bot.ports import Sender
from tests.fakes import TestClock
from tests.house import House
from tests.mailbox import free_port
from tests.postgres import ON_SQLITE
from tests.slack_api import TOKEN, SlackApi
from tests.test_mail_send import DROP, Handler, talking_to

ROOT = Path(__file__).parent.parent
SECRET_WORDS = "charged twice at the flower shop"
BOARD = Address("slack", "T1/C9")
CHAT = Address("slack", "T1/D1")
SHORT = timedelta(milliseconds=200)


class Kept(dict[str, str]):
    """The state of an adapter, in memory."""

    def put(self, key: str, value: str) -> None:
        self[key] = value


def notice(kind: NoticeKind = NoticeKind.ADDED, what: str = "", incident_id: str = "") -> Notice:
    incident_id = incident_id or new_id()
    return Notice(
        key=f"{incident_id}.{what or kind}.slack-0a1b2c3d",
        kind=kind,
        incident_id=incident_id,
        ticket_id="TKT-98042a72",
        subject="[TKT-98042a72] A subject",
        greeting="Thank you.",
        lead="We have added this to ticket TKT-98042a72.",
        facts=(("Status", "open"),),
        quote=f"I was {SECRET_WORDS}",
        closing=f"You were {SECRET_WORDS}.",
    )


def configured(**settings: Any) -> SlackSettings:
    return SlackSettings(**{"_env_file": None, "slack_bot_token": TOKEN, **settings})


@pytest.fixture
def api() -> Iterator[SlackApi]:
    with SlackApi("C1", "D1", "C9") as api:
        yield api


@pytest.fixture
def state() -> Kept:
    return Kept()


@pytest.fixture
def slack(api: SlackApi, state: Kept) -> SlackSender:
    return SlackSender(configured(slack_api_url=api.url), state)


@pytest.fixture
def hasty(api: SlackApi, state: Kept) -> SlackSender:
    """One that does not wait for long."""
    return SlackSender(configured(slack_api_url=api.url, slack_timeout=SHORT), state)


@pytest.fixture
def thread(api: SlackApi) -> Address:
    """A thread that a customer began."""
    return Address("slack", f"T1/C1/{api.say('C1', 'I was charged twice')}")


def root_of(thread: Address) -> str:
    return thread.key.rpartition("/")[2]


def failure_of(act: Callable[[], object]) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as caught:
        act()
    return caught.value


# --- posting


def test_an_answer_goes_into_the_customers_thread(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    slack.send(thread, notice())
    assert [message.thread_ts for message in api.posted("C1")] == [root_of(thread)]


def test_an_answer_in_a_direct_message_goes_into_the_chat(api: SlackApi, slack: SlackSender) -> None:
    slack.send(CHAT, notice())
    assert [message.thread_ts for message in api.posted("D1")] == [None]


def test_the_receipt_names_the_message_so_that_replies_to_it_are_routed(
    api: SlackApi, slack: SlackSender, thread: Address
) -> None:
    sent = slack.send(thread, notice())
    assert sent == Sent(f"T1/C1/{api.posted('C1')[0].ts}")


def test_what_is_addressed_to_a_person_goes_into_their_chat_and_is_found_there(
    api: SlackApi, slack: SlackSender
) -> None:
    api.chats["U1"] = "D1"
    written = notice()
    sent = slack.send(Address("slack", "T1/U1"), written)
    assert sent == Sent(f"T1/D1/{api.posted('D1')[0].ts}")
    assert slack.find(Address("slack", "T1/U1"), written) == sent


def test_a_post_carries_its_key_and_unfurls_nothing(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    written = notice()
    slack.send(thread, written)
    [call] = api.called("chat.postMessage")
    assert call["metadata"] == {"event_type": "firstline_notice", "event_payload": {"key": written.key}}
    assert (call["unfurl_links"], call["unfurl_media"], call["link_names"]) == (False, False, False)
    assert not call.get("reply_broadcast")


def test_what_a_customer_wrote_reaches_agents_without_pinging_anybody(api: SlackApi, slack: SlackSender) -> None:
    slack.send(BOARD, replace(notice(NoticeKind.ALERT), quote="<!channel> <@U1> <https://evil.example|bank>"))
    [call] = api.called("chat.postMessage")
    assert "&lt;!channel&gt;" in call["text"]
    assert "<" not in call["text"] + repr(call["blocks"])


def test_many_threads_may_send_at_once(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    with ThreadPoolExecutor(16) as pool:
        sent = list(pool.map(lambda n: slack.send(thread, notice(what=f"added-{n}")), range(64)))
    assert len({each.provider_id for each in sent}) == len(api.posted("C1")) == 64


def test_what_is_no_address_in_slack_is_undeliverable(slack: SlackSender) -> None:
    with pytest.raises(Undeliverable):
        slack.send(Address("slack", "ana@example.com"), notice())


def test_without_a_token_there_is_no_sender(state: Kept) -> None:
    with pytest.raises(ConfigurationError, match="SLACK_BOT_TOKEN"):
        SlackSender(configured(slack_bot_token=None), state)


def test_slacks_library_is_not_imported_before_it_is_needed() -> None:
    program = "import sys, adapters.slack.send; print([name for name in sys.modules if name.startswith('slack_')])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60
    )
    assert done.stdout.strip() == "[]"


# --- what its refusals mean


def test_too_many_calls_are_put_off_for_as_long_as_slack_asks(
    api: SlackApi, slack: SlackSender, thread: Address
) -> None:
    api.rate_limit("chat.postMessage", 42)
    with pytest.raises(TryLater) as caught:
        slack.send(thread, notice())
    assert caught.value.retry_after == 42


def test_it_may_ask_for_patience_without_the_status_for_it(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    api.answer_with("chat.postMessage", {"ok": False, "error": "ratelimited"}, headers={"Retry-After": "7"})
    with pytest.raises(TryLater) as caught:
        slack.send(thread, notice())
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("header", "seconds"), [("999999", 3600), ("soon", None), ("-1", None), ("9" * 30, None), ("0", 0)]
)
def test_a_strange_length_of_waiting_does_no_harm(
    api: SlackApi, slack: SlackSender, thread: Address, header: str, seconds: float | None
) -> None:
    api.answer_with("chat.postMessage", b"", 429, headers={"Retry-After": header})
    with pytest.raises(TryLater) as caught:
        slack.send(thread, notice())
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("channel_not_found", "/invite"),
        ("not_in_channel", "/invite"),
        ("is_archived", "unarchive"),
        ("no_permission", "administrator"),
        ("restricted_action", "administrator"),
        ("restricted_action_read_only_channel", "administrator"),
        ("restricted_action_of_some_new_kind", "administrator"),
        ("messages_tab_disabled", "App Home"),
        ("user_disabled", "left the workspace"),
        ("cannot_dm_bot", "bot"),
        ("msg_too_long", "report"),
        ("msg_blocks_too_long", "report"),
        ("invalid_blocks", "report"),
        ("thread_not_found", "not there any more"),
    ],
)
def test_a_refusal_for_good_is_undeliverable_and_says_what_to_do(
    api: SlackApi, slack: SlackSender, thread: Address, error: str, remedy: str
) -> None:
    api.refuse("chat.postMessage", error)
    with pytest.raises(Undeliverable, match=error) as caught:
        slack.send(thread, notice())
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    "error", ["invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "ekm_access_denied"]
)
def test_what_settings_can_mend_is_tried_again(api: SlackApi, slack: SlackSender, thread: Address, error: str) -> None:
    api.refuse("chat.postMessage", error)
    with pytest.raises(TryLater, match=r"SLACK_BOT_TOKEN|administrator"):
        slack.send(thread, notice())


def test_a_missing_scope_is_named(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    api.refuse("chat.postMessage", "missing_scope", needed="chat:write", provided="im:read")
    with pytest.raises(TryLater, match="add the scope chat:write"):
        slack.send(thread, notice())


@pytest.mark.parametrize("error", ["service_unavailable", "ratelimited", "team_added_to_org", "brand_new_error"])
def test_a_refusal_for_now_or_an_unknown_one_is_tried_again(
    api: SlackApi, slack: SlackSender, thread: Address, error: str
) -> None:
    api.refuse("chat.postMessage", error)
    with pytest.raises(TryLater):
        slack.send(thread, notice())


@pytest.mark.parametrize(
    ("error", "status"), [("internal_error", 200), ("fatal_error", 200), ("internal_error", 500), ("", 503)]
)
def test_after_a_failure_of_slacks_it_may_have_arrived(
    api: SlackApi, slack: SlackSender, thread: Address, error: str, status: int
) -> None:
    api.refuse("chat.postMessage", error, status=status)
    with pytest.raises(Uncertain):
        slack.send(thread, notice())


@pytest.mark.parametrize(
    "body", [b"<html>Log in to the hotel's network</html>", b"", b"null", b"\xff\xfe", b'{"a": 1}']
)
def test_after_an_answer_that_is_none_of_slacks_it_may_have_arrived(
    api: SlackApi, slack: SlackSender, thread: Address, body: bytes
) -> None:
    api.answer_with("chat.postMessage", body)
    with pytest.raises(Uncertain):
        slack.send(thread, notice())


@pytest.mark.parametrize("answer", [{"ok": True}, {"ok": True, "channel": "C1", "ts": "soon"}])
def test_an_answer_without_a_number_leaves_it_uncertain(
    api: SlackApi, slack: SlackSender, thread: Address, answer: dict[str, Any]
) -> None:
    api.answer_with("chat.postMessage", answer, acts=True)
    with pytest.raises(Uncertain):
        slack.send(thread, notice())


def test_a_server_that_is_not_slack_is_named_by_its_setting(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    api.answer_with("chat.postMessage", b"<html>Not found</html>", 404)
    with pytest.raises(TryLater, match="SLACK_API_URL"):
        slack.send(thread, notice())


def test_a_refused_connection_is_tried_again(state: Kept, thread: Address) -> None:
    slack = SlackSender(configured(slack_api_url=f"http://127.0.0.1:{free_port()}/api/"), state)
    with pytest.raises(TryLater, match="SLACK_API_URL"):
        slack.send(thread, notice())


@pytest.mark.parametrize("acts", [True, False])
def test_after_a_time_out_it_may_have_arrived(api: SlackApi, hasty: SlackSender, thread: Address, acts: bool) -> None:
    api.hang("chat.postMessage", acts)
    with pytest.raises(Uncertain, match="TimeoutError"):
        hasty.send(thread, notice())


@pytest.mark.parametrize("acts", [True, False])
def test_after_a_broken_connection_it_may_have_arrived(
    api: SlackApi, slack: SlackSender, thread: Address, acts: bool
) -> None:
    api.drop("chat.postMessage", acts)
    with pytest.raises(Uncertain):
        slack.send(thread, notice())
    assert len(api.called("chat.postMessage")) == 1  # the library would have posted it again by itself


def test_no_step_outlives_the_deadline(api: SlackApi, state: Kept, thread: Address) -> None:
    slack = SlackSender(configured(slack_api_url=api.url, slack_timeout="1h", slack_deadline=SHORT), state)
    api.hang("chat.postMessage", acts=True)
    with pytest.raises(Uncertain, match="TimeoutError"):
        slack.send(thread, notice())


def test_when_the_time_is_used_up_slack_is_not_called_any_more(api: SlackApi, state: Kept, thread: Address) -> None:
    slack = SlackSender(configured(slack_api_url=api.url, slack_deadline=timedelta(microseconds=1)), state)
    with pytest.raises(TryLater, match="SLACK_DEADLINE"):
        slack.send(thread, notice())
    assert api.calls == []


@contextmanager
def everything_that_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    lines: list[str] = []
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as events:
        yield lines
    lines += [repr(event) for event in events] + [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    "misbehave",
    [
        lambda api: None,
        lambda api: api.refuse("chat.postMessage", "invalid_auth"),
        lambda api: api.refuse("chat.postMessage", "missing_scope", needed=f"{TOKEN} {SECRET_WORDS}"),
        lambda api: api.refuse("chat.postMessage", f"{TOKEN} {SECRET_WORDS}"),
        lambda api: api.refuse("chat.postMessage", f"{TOKEN} {SECRET_WORDS}", status=500),
        lambda api: api.answer_with("chat.postMessage", f"<p>{TOKEN} {SECRET_WORDS}".encode()),
        lambda api: api.answer_with("chat.postMessage", f"<p>{TOKEN} {SECRET_WORDS}".encode(), 400),
        lambda api: api.refuse("reactions.add", f"{TOKEN} {SECRET_WORDS}"),
        lambda api: api.drop("chat.postMessage", acts=True),
        lambda api: api.drop("reactions.add", acts=True),
    ],
)
def test_neither_token_nor_text_is_in_any_log_line_or_exception(
    api: SlackApi,
    slack: SlackSender,
    thread: Address,
    caplog: pytest.LogCaptureFixture,
    misbehave: Callable[[SlackApi], None],
) -> None:
    misbehave(api)
    told = ""
    with everything_that_is_logged(caplog) as lines:
        try:
            slack.send(thread, notice(NoticeKind.ACKNOWLEDGEMENT))
        except DeliveryFailed as exc:
            told = "".join(traceback.format_exception(exc))
    for text in [told, *lines]:
        assert TOKEN not in text
        assert SECRET_WORDS not in text


# --- looking before anything is repeated


@pytest.mark.parametrize("to", ["thread", CHAT, BOARD], ids=str)
def test_what_arrived_although_no_answer_came_is_found(
    api: SlackApi, slack: SlackSender, thread: Address, to: Address | str
) -> None:
    address = thread if isinstance(to, str) else to
    written = notice()
    api.drop("chat.postMessage", acts=True)
    failure_of(lambda: slack.send(address, written))
    found = slack.find(address, written)
    [posted] = [message for name in ("C1", "D1", "C9") for message in api.posted(name)]
    assert found is not None
    assert found.provider_id.endswith(f"/{posted.ts}")


@pytest.mark.parametrize("to", ["thread", CHAT, BOARD], ids=str)
def test_what_did_not_arrive_is_not_found(
    api: SlackApi, slack: SlackSender, thread: Address, to: Address | str
) -> None:
    address = thread if isinstance(to, str) else to
    slack.send(address, notice(what="another"))
    written = notice()
    api.drop("chat.postMessage", acts=False)
    failure_of(lambda: slack.send(address, written))
    assert slack.find(address, written) is None


def test_a_long_conversation_is_looked_through_page_by_page(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    written = notice()
    for number in range(450):
        api.say("C1", f"and another thing, {number}", root_of(thread))
    sent = slack.send(thread, written)
    assert slack.find(thread, written) == sent
    assert len(api.called("conversations.replies")) == 3


def test_in_a_chat_the_youngest_messages_are_looked_at_first(api: SlackApi, slack: SlackSender) -> None:
    written = notice()
    for number in range(450):
        api.say("D1", f"and another thing, {number}")
    sent = slack.send(CHAT, written)
    assert slack.find(CHAT, written) == sent
    assert len(api.called("conversations.history")) == 1


def test_who_finds_no_end_of_a_conversation_cannot_tell(api: SlackApi, slack: SlackSender) -> None:
    written = notice()
    for number in range(2_001):
        api.say("D1", f"and another thing, {number}")
    with pytest.raises(CannotTell) as caught:
        slack.find(CHAT, written)
    assert caught.value.repeats == 1
    assert len(api.called("conversations.history")) == 10


def test_nothing_is_looked_for_long_before_the_incident(api: SlackApi, slack: SlackSender) -> None:
    written = notice()
    slack.find(CHAT, written)
    [asked] = api.called("conversations.history")
    opened = float(api.message("D1", api.say("D1", "now")).ts)
    assert opened - 3700 < float(asked["oldest"]) < opened - 3500


def test_an_incident_whose_id_tells_no_time_is_looked_for_everywhere(api: SlackApi, slack: SlackSender) -> None:
    written = notice(incident_id="0f8fad5b-d9cb-469f-a165-70867728950e")
    sent = slack.send(CHAT, written)
    assert slack.find(CHAT, written) == sent


def test_in_a_thread_that_is_gone_nothing_arrived(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    api.delete("C1", root_of(thread))
    assert slack.find(thread, notice()) is None


@pytest.mark.parametrize(
    "misbehave",
    [
        lambda api: api.rate_limit("conversations.history", 3),
        lambda api: api.refuse("conversations.history", "internal_error"),
        lambda api: api.refuse("conversations.history", "missing_scope", needed="im:history"),
        lambda api: api.refuse("conversations.history", "invalid_auth"),
        lambda api: api.hang("conversations.history", acts=False),
        lambda api: api.drop("conversations.history", acts=False),
    ],
)
def test_who_cannot_look_now_looks_later(
    api: SlackApi, hasty: SlackSender, misbehave: Callable[[SlackApi], None]
) -> None:
    misbehave(api)
    with pytest.raises(TryLater):
        hasty.find(CHAT, notice())


def test_who_looks_for_what_is_no_address_cannot_tell(slack: SlackSender) -> None:
    with pytest.raises(CannotTell):
        slack.find(Address("slack", "ana@example.com"), notice())


@pytest.mark.parametrize("error", ["channel_not_found", "not_in_channel"])
def test_who_may_not_look_cannot_tell(api: SlackApi, slack: SlackSender, error: str) -> None:
    api.refuse("conversations.history", error)
    with pytest.raises(CannotTell) as caught:
        slack.find(CHAT, notice())
    assert caught.value.repeats == 1


# --- cards


def card_of(incident_id: str, number: int = 1) -> Notice:
    return replace(notice(NoticeKind.CARD, f"card-{number}", incident_id), lead=f"Version {number}")


def test_the_first_card_is_posted_and_leads_back_to_its_incident(
    api: SlackApi, slack: SlackSender, state: Kept
) -> None:
    card = card_of(new_id())
    sent = slack.send(BOARD, card)
    assert len(api.posted("C9")) == 1
    assert state[f"slack/card/{card.incident_id}"] == sent.provider_id
    assert state[f"slack/card-of/{sent.provider_id}"] == card.incident_id


def test_a_later_card_takes_the_place_of_the_first(api: SlackApi, slack: SlackSender) -> None:
    incident = new_id()
    first = slack.send(BOARD, card_of(incident, 1))
    second = slack.send(BOARD, card_of(incident, 2))
    [posted] = api.posted("C9")
    assert first == second
    assert "Version 2" in repr(posted.blocks)


def test_each_incident_has_its_own_card(api: SlackApi, slack: SlackSender) -> None:
    slack.send(BOARD, card_of(new_id()))
    slack.send(BOARD, card_of(new_id()))
    assert len(api.posted("C9")) == 2


def test_a_card_that_somebody_deleted_is_posted_anew(api: SlackApi, slack: SlackSender, state: Kept) -> None:
    incident = new_id()
    first = slack.send(BOARD, card_of(incident, 1))
    api.delete("C9", first.provider_id.rpartition("/")[2])
    second = slack.send(BOARD, card_of(incident, 2))
    assert [f"T1/C9/{message.ts}" for message in api.posted("C9")] == [second.provider_id]
    assert state[f"slack/card/{incident}"] == second.provider_id
    assert state[f"slack/card-of/{second.provider_id}"] == incident


def test_on_another_board_an_incident_gets_another_card(api: SlackApi, slack: SlackSender) -> None:
    incident = new_id()
    slack.send(BOARD, card_of(incident, 1))
    slack.send(Address("slack", "T1/C1"), card_of(incident, 2))
    assert len(api.posted("C9")) == len(api.posted("C1")) == 1


def test_a_card_whose_answer_was_lost_is_found_and_kept(api: SlackApi, slack: SlackSender, state: Kept) -> None:
    incident = new_id()
    api.drop("chat.postMessage", acts=True)
    failure_of(lambda: slack.send(BOARD, card_of(incident, 1)))
    found = slack.find(BOARD, card_of(incident, 1))
    slack.send(BOARD, card_of(incident, 2))
    [posted] = api.posted("C9")
    assert found == Sent(f"T1/C9/{posted.ts}")
    assert "Version 2" in repr(posted.blocks)
    assert state[f"slack/card-of/T1/C9/{posted.ts}"] == incident


def test_a_change_of_a_card_may_be_repeated_without_a_look(api: SlackApi, slack: SlackSender) -> None:
    incident = new_id()
    slack.send(BOARD, card_of(incident, 1))
    api.drop("chat.update", acts=True)
    assert isinstance(failure_of(lambda: slack.send(BOARD, card_of(incident, 2))), Uncertain)
    assert slack.find(BOARD, card_of(incident, 2)) is None
    slack.send(BOARD, card_of(incident, 2))
    assert len(api.posted("C9")) == 1
    assert not api.called("conversations.history")


def test_the_card_that_takes_a_deleted_ones_place_is_found_when_its_answer_was_lost(
    api: SlackApi, slack: SlackSender
) -> None:
    incident = new_id()
    first = slack.send(BOARD, card_of(incident, 1))
    api.delete("C9", first.provider_id.rpartition("/")[2])
    api.drop("chat.postMessage", acts=True)
    failure_of(lambda: slack.send(BOARD, card_of(incident, 2)))
    [posted] = api.posted("C9")
    assert slack.find(BOARD, card_of(incident, 2)) == Sent(f"T1/C9/{posted.ts}")


def test_a_board_in_the_tokens_own_workspace_is_known_by_the_workspaces_id(
    api: SlackApi, slack: SlackSender, state: Kept
) -> None:
    incident = new_id()
    sent = slack.send(Address("slack", "T/C9"), card_of(incident, 1))
    assert slack.send(Address("slack", "T/C9"), card_of(incident, 2)) == sent
    assert state[f"slack/card-of/T1/C9/{api.posted('C9')[0].ts}"] == incident
    assert len(api.called("auth.test")) == 1


@pytest.mark.parametrize(
    "misbehave",
    [
        lambda api: api.drop("auth.test", acts=False),
        lambda api: api.refuse("auth.test", "invalid_auth"),
        lambda api: api.answer_with("auth.test", {"ok": True}),
    ],
)
def test_a_card_waits_until_slack_tells_the_workspace(
    api: SlackApi, slack: SlackSender, misbehave: Callable[[SlackApi], None]
) -> None:
    misbehave(api)
    with pytest.raises(TryLater):
        slack.send(Address("slack", "T/C9"), card_of(new_id()))
    assert api.posted("C9") == []


TOLD = [NoticeKind.ENTRY, NoticeKind.ALERT, NoticeKind.AGENT_REMINDER, NoticeKind.ESCALATION]


@pytest.mark.parametrize("kind", TOLD)
def test_what_agents_are_told_of_an_incident_goes_under_its_card(
    api: SlackApi, slack: SlackSender, kind: NoticeKind
) -> None:
    incident = new_id()
    card = slack.send(BOARD, card_of(incident))
    slack.send(BOARD, notice(kind, incident_id=incident))
    assert f"T1/C9/{api.posted('C9')[1].thread_ts}" == card.provider_id


@pytest.mark.parametrize("kind", TOLD)
def test_without_a_card_it_goes_onto_the_board(api: SlackApi, slack: SlackSender, kind: NoticeKind) -> None:
    slack.send(BOARD, notice(kind))
    assert [message.thread_ts for message in api.posted("C9")] == [None]


@pytest.mark.parametrize("kind", TOLD)
def test_what_arrived_under_the_card_is_found_there(api: SlackApi, slack: SlackSender, kind: NoticeKind) -> None:
    incident = new_id()
    slack.send(BOARD, card_of(incident))
    written = notice(kind, incident_id=incident)
    sent = slack.send(BOARD, written)
    assert slack.find(BOARD, written) == sent


def test_what_belongs_under_a_card_that_somebody_deleted_goes_onto_the_board(api: SlackApi, slack: SlackSender) -> None:
    incident = new_id()
    card = slack.send(BOARD, card_of(incident))
    api.delete("C9", card.provider_id.rpartition("/")[2])
    slack.send(BOARD, notice(NoticeKind.ALERT, incident_id=incident))
    assert [message.thread_ts for message in api.posted("C9")] == [None]


def test_an_answer_to_a_customer_never_goes_under_a_card(api: SlackApi, slack: SlackSender) -> None:
    incident = new_id()
    slack.send(BOARD, card_of(incident))
    slack.send(BOARD, notice(NoticeKind.REPLY, incident_id=incident))
    assert api.posted("C9")[1].thread_ts is None


# --- reactions


@pytest.mark.parametrize(
    ("kind", "reaction"), [(NoticeKind.ACKNOWLEDGEMENT, "eyes"), (NoticeKind.RESOLVED, "white_check_mark")]
)
def test_the_customers_message_shows_how_it_stands(
    api: SlackApi, slack: SlackSender, thread: Address, kind: NoticeKind, reaction: str
) -> None:
    slack.send(thread, notice(kind))
    assert api.message("C1", root_of(thread)).reactions == {reaction}


def test_other_texts_change_no_reaction(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    slack.send(thread, notice(NoticeKind.ADDED))
    assert not api.called("reactions.add")


def test_a_chat_has_no_message_to_react_to(api: SlackApi, slack: SlackSender) -> None:
    slack.send(CHAT, notice(NoticeKind.ACKNOWLEDGEMENT))
    assert not api.called("reactions.add")


def test_a_reaction_that_is_there_already_is_no_failure(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    with structlog.testing.capture_logs() as events:
        slack.send(thread, notice(NoticeKind.RESOLVED, "resolved-1"))
        slack.send(thread, notice(NoticeKind.RESOLVED, "resolved-2"))
    assert events == []
    assert len(api.called("reactions.add")) == 2


@pytest.mark.parametrize(
    "misbehave",
    [
        lambda api: api.refuse("reactions.add", "too_many_reactions"),
        lambda api: api.refuse("reactions.add", "message_not_found"),
        lambda api: api.rate_limit("reactions.add", 30),
        lambda api: api.hang("reactions.add", acts=False),
        lambda api: api.drop("reactions.add", acts=False),
        lambda api: api.answer_with("reactions.add", [1]),
    ],
)
def test_a_reaction_that_fails_is_logged_and_repeats_nothing(
    api: SlackApi, hasty: SlackSender, thread: Address, misbehave: Callable[[SlackApi], None]
) -> None:
    misbehave(api)
    with structlog.testing.capture_logs() as events:
        sent = hasty.send(thread, notice(NoticeKind.ACKNOWLEDGEMENT))
    assert [event["event"] for event in events] == ["slack.reaction_failed"]
    assert sent == Sent(f"T1/C1/{api.posted('C1')[0].ts}")
    assert len(api.posted("C1")) == 1


def test_a_scope_that_reactions_lack_is_told_of_once(api: SlackApi, slack: SlackSender, thread: Address) -> None:
    api.refuse("reactions.add", "missing_scope", times=3, needed="reactions:write")
    with structlog.testing.capture_logs() as events:
        for number in range(3):
            slack.send(thread, notice(NoticeKind.RESOLVED, f"resolved-{number}"))
    assert len(events) == 1
    assert "reactions:write" in events[0]["reason"]


# --- with the core


@pytest.fixture
def house(db: str, clock: TestClock, slack: SlackSender) -> Iterator[House]:
    house: Any = House(clock, chat=slack)  # type: ignore[arg-type]
    yield house
    house.stop()


def write(house: House, thread: Address) -> None:
    """Have a customer's message in this thread come in."""
    house.accept(
        "I was charged twice",
        thread.key,
        channel="slack",
        customer_id="T1/U1",
        lane=f"slack/{thread.key}",
        thread=thread.key,
        answer_on="slack",
        addresses=(thread,),
        reporter="",
    )


@ON_SQLITE
@pytest.mark.parametrize("acts", [True, False])
def test_whatever_becomes_of_the_connection_a_customer_gets_one_acknowledgement(
    api: SlackApi, house: House, thread: Address, acts: bool
) -> None:
    api.drop("chat.postMessage", acts)
    write(house, thread)
    house.work()
    house.later(seconds=6)
    [owed] = house.owed("acknowledgement")
    [posted] = api.posted("C1")
    assert (owed["status"], owed["provider_id"]) == ("sent", f"T1/C1/{posted.ts}")


@ON_SQLITE
def test_a_text_waits_until_the_settings_are_mended(api: SlackApi, house: House, thread: Address) -> None:
    api.refuse("chat.postMessage", "invalid_auth")
    write(house, thread)
    house.work()
    [owed] = house.owed("acknowledgement")
    assert (owed["status"], "SLACK_BOT_TOKEN" in owed["error"]) == ("pending", True)
    house.later(minutes=10)
    assert len(api.posted("C1")) == 1


@ON_SQLITE
def test_operators_read_what_to_do_about_a_text_that_was_refused(api: SlackApi, house: House, thread: Address) -> None:
    api.refuse("chat.postMessage", "not_in_channel")
    write(house, thread)
    house.work()
    [owed] = house.owed("acknowledgement")
    assert (owed["status"], "/invite" in owed["error"]) == ("failed", True)


# --- what every sender promises


class Rig:
    """A sender with its other side, which can be told how to take the next text."""

    def __init__(self, sender: Sender, to: Address, arrived: Callable[[], int]) -> None:
        self.sender = sender
        self.to = to
        self.arrived = arrived
        self.busy: Callable[[], Any] = lambda: None
        self.refusing: Callable[[], Any] = lambda: None
        self.falling_silent: Callable[[], Any] = lambda: None


@pytest.fixture(params=["email", "slack"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    if request.param == "email":
        handler = Handler()
        with talking_to(handler) as (sender, _):
            rig = Rig(sender, Address("email", "ana@example.com"), lambda: len(handler.received))
            rig.busy = lambda: handler.answers.update(rcpt="451 come back later")
            rig.refusing = lambda: handler.answers.update(rcpt="550 no such mailbox")
            rig.falling_silent = lambda: handler.answers.update(data=DROP)
            yield rig
        return
    api: SlackApi = request.getfixturevalue("api")
    rig = Rig(request.getfixturevalue("slack"), CHAT, lambda: len(api.posted("D1")))
    rig.busy = lambda: api.rate_limit("chat.postMessage", 30)
    rig.refusing = lambda: api.refuse("chat.postMessage", "channel_not_found")
    rig.falling_silent = lambda: api.drop("chat.postMessage", acts=False)
    yield rig


def looked_for(rig: Rig, written: Notice) -> Sent | CannotTell | None:
    try:
        return rig.sender.find(rig.to, written)
    except CannotTell as exc:
        return exc


def test_a_sender_sends_a_text_once_and_returns_the_other_sides_name_for_it(rig: Rig) -> None:
    assert rig.sender.send(rig.to, notice()).provider_id
    assert rig.arrived() == 1


def test_a_sender_whose_other_side_is_busy_tries_later_and_nothing_arrived(rig: Rig) -> None:
    rig.busy()
    assert isinstance(failure_of(lambda: rig.sender.send(rig.to, notice())), TryLater)
    assert rig.arrived() == 0


def test_a_sender_knows_what_will_never_arrive(rig: Rig) -> None:
    rig.refusing()
    assert isinstance(failure_of(lambda: rig.sender.send(rig.to, notice())), Undeliverable)
    assert rig.arrived() == 0


def test_a_sender_that_gets_no_answer_is_uncertain_and_looks_or_says_that_it_cannot(rig: Rig) -> None:
    written = notice()
    rig.falling_silent()
    assert isinstance(failure_of(lambda: rig.sender.send(rig.to, written)), Uncertain)
    found = looked_for(rig, written)
    assert found is None or (isinstance(found, CannotTell) and found.repeats >= 1)
