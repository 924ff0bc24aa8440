"""Files that are shared in Slack: what a message tells of them, and fetching them from a real server on loopback."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.slack.channel import SlackChannel
from adapters.slack.files import SlackFiles, attachments
from adapters.slack.settings import SlackSettings
from adapters.slack.translate import heard
from bot.errors import TooLarge, TryLater, Undeliverable
from bot.model import Attachment, MessageKind
from bot.ports import FileSource
from bot.state import State
from storage.tables import Attachment as Row
from tests.fakes import RecordingSender, TestClock
from tests.house import House
from tests.slack_api import TOKEN, File, SlackApi
from tests.slack_house import SECRET, WATCH, event

PDF = b"%PDF-1.7\n"
LOGIN = File(b"<html>Sign in to Shop</html>", "text/html; charset=utf-8")


@pytest.fixture
def backend() -> str:
    """Nothing in here depends on the kind of the database."""
    return "sqlite"


@pytest.fixture
def api() -> Iterator[SlackApi]:
    with SlackApi("C1") as api:
        api.files["/files/F1"] = File(PDF, "application/pdf", length=len(PDF))
        yield api


@pytest.fixture
def elsewhere() -> Iterator[SlackApi]:
    """A server that is none of Slack's."""
    with SlackApi() as elsewhere:
        elsewhere.files["/F1"] = File(b"stolen", "application/pdf")
        yield elsewhere


def settings(api: SlackApi, **more: Any) -> SlackSettings:
    values = {"slack_bot_token": TOKEN, "slack_signing_secret": SECRET, "slack_api_url": api.url, **more}
    return SlackSettings(_env_file=None, **values)


def source(api: SlackApi, **more: Any) -> SlackFiles:
    return SlackFiles(settings(api, **more), lambda team: SecretStr(TOKEN) if team == "T1" else None)


def shared(url: str = "", **more: Any) -> str:
    """The ref of a file that Slack tells us of."""
    said = {"id": "F1", "name": "a.pdf", "mimetype": "application/pdf", "url_private_download": url, **more}
    (file,) = attachments([said], "T1")
    return file.ref


# --- what a message tells


def test_a_message_brings_its_files() -> None:
    message = heard(event("message_with_files")["event"], WATCH)
    assert message is not None
    assert [(file.name, file.media_type, file.size) for file in message.attachments] == [
        ("statement.pdf", "application/pdf", 12345)
    ]
    assert json.loads(message.attachments[0].ref) == {"file": "F1", "team": "T1", "url": "https://files.example/F1"}
    assert message.text == "Here is the statement\n[statement.pdf]"


def test_a_message_without_files_brings_none() -> None:
    message = heard(event("message")["event"], WATCH)
    assert message is not None
    assert message.attachments == ()


def test_an_edit_brings_the_files_of_its_message() -> None:
    body = event("message_changed")["event"]
    body["message"]["files"] = [{"id": "F1", "name": "a.pdf"}]
    message = heard(body, WATCH)
    assert message is not None
    assert (message.kind, [file.name for file in message.attachments]) == (MessageKind.EDIT, ["a.pdf"])


@pytest.mark.parametrize(
    "files",
    [None, "F1", [None, 7], {}, [{}], [{"size": -1}], [{"size": "9", "name": None}], [{"url_private": "http://["}]],
)
def test_odd_files_are_no_failure(files: Any) -> None:
    assert all(isinstance(file, Attachment) and file.size is None for file in attachments(files, "T1"))


def test_a_ref_holds_no_token() -> None:
    ref = shared("https://files.slack.com/files-pri/T1-F1/download/a.pdf?t=xoxe-1&origin_team=T2&x=xoxb-2&pub_secret=3")
    assert "xox" not in ref
    assert "pub_secret" not in ref
    assert "origin_team=T2" in ref


# --- fetching


def test_a_file_is_fetched_with_the_token(api: SlackApi) -> None:
    fetched = source(api).fetch(shared(api.at("/files/F1")), 100)
    assert (fetched.content, fetched.media_type) == (PDF, "application/pdf")
    assert api.fetched == [("/files/F1", TOKEN)]


def test_the_other_address_will_do(api: SlackApi) -> None:
    ref = shared(url_private=api.at("/files/F1"))
    assert source(api).fetch(ref, 100).content == PDF


def test_netrc_does_not_take_the_place_of_the_token(
    api: SlackApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    source(api).fetch(shared(api.at("/files/F1")), 100)
    assert api.fetched == [("/files/F1", TOKEN)]


def test_without_a_token_for_the_workspace_nobody_is_asked(api: SlackApi) -> None:
    (file,) = attachments([{"id": "F1", "url_private": api.at("/files/F1")}], "T2")
    with pytest.raises(TryLater, match="token"):
        source(api).fetch(file.ref, 100)
    assert api.fetched == []


# --- where the token goes


def test_a_foreign_host_is_not_asked(api: SlackApi, elsewhere: SlackApi) -> None:
    with pytest.raises(Undeliverable, match="does not lie at Slack"):
        source(api).fetch(shared(elsewhere.at("/F1")), 100)
    assert elsewhere.fetched == []


def test_a_redirect_to_a_foreign_host_is_not_followed(api: SlackApi, elsewhere: SlackApi) -> None:
    api.files["/files/F1"] = File(status=302, headers={"Location": elsewhere.at("/F1")})
    with pytest.raises(Undeliverable, match="somewhere else"):
        source(api).fetch(shared(api.at("/files/F1")), 100)
    assert elsewhere.fetched == []


def test_a_redirect_within_slack_is_followed(api: SlackApi) -> None:
    api.files["/old"] = File(status=302, headers={"Location": "/files/F1"})
    assert source(api).fetch(shared(api.at("/old")), 100).content == PDF
    assert api.fetched == [("/old", TOKEN), ("/files/F1", TOKEN)]


def test_a_circle_of_redirects_ends(api: SlackApi) -> None:
    api.files["/old"] = File(status=302, headers={"Location": "/old"})
    with pytest.raises(TryLater, match="circle"):
        source(api).fetch(shared(api.at("/old")), 100)
    assert len(api.fetched) == 6


@pytest.mark.parametrize(
    "url",
    [
        "http://files.slack.com/F1",
        "https://files.slack.com:8443/F1",
        "https://evilslack.com/F1",
        "https://slack.com.evil.example/F1",
        "https://slack-files.com.evil.example/F1",
        "https://evil.example/slack.com",
        "https://files.slack.com@evil.example/F1",
        "https://evil.example\\@files.slack.com/F1",
        "https://evil.example#.slack.com/",
        "https://evil.example?.slack.com/",
        "https://files.slack.com\t.evil.example/",
        "ftp://files.slack.com/F1",
        "file:///etc/passwd",
        "//files.slack.com/F1",
        "https:///F1",
        "https://[::1/F1",
    ],
)
def test_what_is_not_plainly_slacks_gets_no_token(api: SlackApi, url: str) -> None:
    ref = json.dumps({"file": "F1", "team": "T1", "url": url})
    with pytest.raises(Undeliverable):
        source(api).fetch(ref, 100)
    assert api.fetched == []


@pytest.mark.parametrize(
    "url",
    [
        "https://files.slack.com/F1",
        "https://FILES.SLACK.COM/F1",
        "https://slack.com/F1",
        "https://slack-files.com:443/F1",
        "https://a.slack-files.com/F1",
    ],
)
def test_slacks_own_hosts_are_asked(api: SlackApi, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # where nobody listens: nothing leaves this machine
    with pytest.raises(TryLater, match="ProxyError"):
        source(api).fetch(shared(url), 100)


def test_the_gateways_own_address_is_no_other_port_of_it(api: SlackApi, elsewhere: SlackApi) -> None:
    same_machine = elsewhere.at("/F1").replace("127.0.0.1", "localhost")
    with pytest.raises(Undeliverable):
        source(api).fetch(shared(same_machine), 100)
    assert elsewhere.fetched == []


# --- sizes and times


@pytest.mark.parametrize("length", [None, 3, 101])
def test_a_file_is_not_larger_than_it_may_be_whatever_it_says(api: SlackApi, length: int | None) -> None:
    api.files["/files/F1"] = File(b"x" * 101, length=length)
    if length == 3:  # then no more than that is read
        assert source(api).fetch(shared(api.at("/files/F1")), 100).content == b"xxx"
        return
    with pytest.raises(TooLarge):
        source(api).fetch(shared(api.at("/files/F1")), 100)


def test_a_file_of_just_the_size_is_taken(api: SlackApi) -> None:
    api.files["/files/F1"] = File(b"x" * 100)
    assert len(source(api).fetch(shared(api.at("/files/F1")), 100).content) == 100


def test_an_endless_file_is_cut_off(api: SlackApi) -> None:
    api.files["/files/F1"] = File(b"x" * 65536, pieces=None)
    with pytest.raises(TooLarge):
        source(api).fetch(shared(api.at("/files/F1")), 1_000_000)


def test_a_file_that_drips_in_is_given_up(api: SlackApi) -> None:
    api.files["/files/F1"] = File(b"x", pieces=None, pause=0.02)
    began = time.monotonic()
    with pytest.raises(TryLater, match="SLACK_FILE_DEADLINE"):
        source(api, slack_file_deadline="200ms").fetch(shared(api.at("/files/F1")), 10**6)
    assert time.monotonic() - began >= 0.2


def test_half_a_file_is_none(api: SlackApi) -> None:
    api.files["/files/F1"] = File(b"half", length=8)
    with pytest.raises(TryLater):
        source(api).fetch(shared(api.at("/files/F1")), 100)


# --- what goes wrong


def test_a_page_to_log_in_at_is_no_file(api: SlackApi) -> None:
    api.files["/files/F1"] = LOGIN
    with pytest.raises(TryLater, match="files:read"):
        source(api).fetch(shared(api.at("/files/F1")), 100)


def test_being_led_to_a_page_to_log_in_at_is_noticed_for_web_pages_too(api: SlackApi) -> None:
    api.files["/files/F1"] = File(status=302, headers={"Location": "/?redir=%2Ffiles%2FF1"})
    api.files["/?redir=%2Ffiles%2FF1"] = LOGIN
    with pytest.raises(TryLater, match="files:read"):
        source(api).fetch(shared(api.at("/files/F1"), mimetype="text/html"), 100)


def test_a_web_page_that_somebody_shares_is_a_file(api: SlackApi) -> None:
    api.files["/files/F1"] = File(b"<html>mine</html>", "text/html")
    assert source(api).fetch(shared(api.at("/files/F1"), mimetype="text/html"), 100).content == b"<html>mine</html>"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, Undeliverable) for status in (204, 400, 404, 410)),
        *((status, TryLater) for status in (401, 403, 408, 500, 503)),
    ],
)
def test_what_a_status_means(api: SlackApi, status: int, kind: type[Exception]) -> None:
    api.files["/files/F1"] = File(status=status)
    with pytest.raises(kind, match=str(status)):
        source(api).fetch(shared(api.at("/files/F1")), 100)


@pytest.mark.parametrize(("asked", "waits"), [("7", 7.0), ("999999", 3600.0), ("soon", None)])
def test_slack_may_ask_us_to_wait(api: SlackApi, asked: str, waits: float | None) -> None:
    api.files["/files/F1"] = File(status=429, headers={"Retry-After": asked})
    with pytest.raises(TryLater) as told:
        source(api).fetch(shared(api.at("/files/F1")), 100)
    assert told.value.retry_after == waits


def test_nobody_there_is_no_reason_to_give_up_and_no_text_holds_an_address(api: SlackApi) -> None:
    api.__exit__()
    with pytest.raises(TryLater) as told:
        source(api).fetch(shared(api.at("/files/secret-name")), 100)
    assert "secret-name" not in str(told.value)
    assert "xoxb" not in str(told.value)
    assert told.value.__cause__ is None
    assert told.value.__context__ is None


@pytest.mark.parametrize("mode", ["tombstone", "hidden_by_limit"])
def test_what_is_not_there_any_more_is_not_asked_for(api: SlackApi, mode: str) -> None:
    with pytest.raises(Undeliverable):
        source(api).fetch(shared(api.at("/files/F1"), mode=mode), 100)
    assert api.fetched == []


# --- Slack Connect


def test_of_a_file_from_elsewhere_slack_is_asked_first(api: SlackApi) -> None:
    api.answers["files.info"] = {"file": {"id": "F1", "url_private_download": api.at("/files/F1")}}
    ref = shared("https://files.example/old", file_access="check_file_info")
    assert source(api).fetch(ref, 100).content == PDF
    assert api.called("files.info") == [{"file": "F1"}]


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        ({"ok": False, "error": "file_not_found"}, Undeliverable, "file_not_found"),
        ({"ok": False, "error": "missing_scope"}, TryLater, "files:read"),
        ({"ok": False, "error": "internal_error"}, TryLater, "did not tell"),
        ({"ok": True, "file": {"mode": "tombstone"}}, Undeliverable, "deleted"),
        ({"ok": True, "file": {}}, Undeliverable, "does not say"),
        ({"ok": True, "file": {"url_private": "https://drive.example/F1"}}, Undeliverable, "drive.example"),
        (["not", "an", "object"], TryLater, "did not tell"),
        (b"<html>", TryLater, "JSONDecodeError"),
    ],
)
def test_what_slack_may_answer_to_that(api: SlackApi, answer: Any, kind: type[Exception], says: str) -> None:
    api.answer_with("files.info", answer)
    with pytest.raises(kind, match=says):
        source(api).fetch(shared(), 100)


def test_asking_too_often_is_put_off(api: SlackApi) -> None:
    api.rate_limit("files.info", 9)
    with pytest.raises(TryLater) as told:
        source(api).fetch(shared(), 100)
    assert told.value.retry_after == 9


# --- all of it together


def test_a_file_in_slack_ends_up_on_its_incident(db: str, clock: TestClock, api: SlackApi) -> None:
    channel = SlackChannel(settings(api), State())
    assert isinstance(channel, FileSource)
    house = House(clock, chat=RecordingSender("slack"), files=[channel])
    body = event("message_with_files")["event"]
    there, gone = api.at("/files/F1"), api.at("/files/F2")
    body["files"] = [
        {"id": "F1", "name": "../a\u202e.pdf", "mimetype": "image/png", "size": 3, "url_private_download": there},
        {"id": "F2", "name": "b.pdf", "size": 3, "url_private_download": gone},
    ]
    message = heard(body, WATCH)
    assert message is not None
    house.firstline.intake.accept(message)
    house.work()
    kept, refused = house.all(Row)
    assert (kept["name"], kept["state"], kept["media_type"]) == ("a.pdf", "kept", "application/pdf")
    assert (refused["state"], "404" in refused["reason"]) == ("refused", True)
    assert house.firstline.views.file(kept["incident"], kept["id"])[1] == PDF
    assert [notice.kind for _, notice in house.chat.sent] == ["acknowledgement", "files_refused"]
    assert TOKEN not in str([house.all(Row)])
    house.stop()
