"""Files that customers send on Telegram: fetched by the bot, whose token no log and no error shows."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.telegram.channel import TelegramChannel
from bot.errors import TooLarge, TryLater, Undeliverable
from bot.model import Attachment, Fetched
from bot.state import State
from storage.tables import Attachment as Row
from tests.door import Door
from tests.fakes import TestClock
from tests.telegram_api import TOKEN, TelegramApi
from tests.telegram_house import Telegram, configured, on_telegram

PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
INVOICE = {"document": {"file_id": "f1", "file_name": "invoice.pdf", "mime_type": "application/pdf", "file_size": 51}}


@pytest.fixture
def backend() -> str:
    """Nothing in here depends on the kind of the database."""
    return "sqlite"


@pytest.fixture
def api() -> Iterator[TelegramApi]:
    with TelegramApi() as api:
        yield api


@pytest.fixture
def telegram(db: str, api: TelegramApi, clock: TestClock, door: Door) -> Iterator[Telegram]:
    with on_telegram(api, clock, door, "webhook") as telegram:
        yield telegram


@pytest.fixture
def channel(db: str, api: TelegramApi) -> Iterator[TelegramChannel]:
    channel = TelegramChannel(configured(api), State(), None)
    yield channel
    channel.close()


def test_a_file_is_fetched_and_kept_with_the_incident(telegram: Telegram) -> None:
    telegram.api.files["f1"] = PDF
    telegram.say(caption="My invoice is wrong", **INVOICE)
    (row,) = telegram.house.all(Row)
    assert (row["incident"], row["name"], row["state"]) == (telegram.only()["id"], "invoice.pdf", "kept")
    assert row["media_type"] == "application/pdf"
    assert telegram.only()["message"] == "My invoice is wrong\n[invoice.pdf]"


def test_of_a_photo_the_largest_is_fetched(telegram: Telegram) -> None:
    sizes = [{"file_id": "small", "width": 90}, {"file_id": "large", "width": 900}]
    telegram.api.files |= {"small": b"s", "large": b"l"}
    telegram.say(caption="My card was charged twice", photo=sizes)
    assert [call.arguments for call in telegram.api.calls if call.method == "getFile"] == [{"file_id": "large"}]


def test_the_bytes_come_as_they_are(api: TelegramApi, channel: TelegramChannel) -> None:
    api.files["f1"] = PDF
    assert channel.fetch("f1", 100) == Fetched(PDF, "application/json")


@pytest.mark.parametrize("size", [101, 20_000_001])
def test_what_is_larger_than_it_may_be_is_not_taken(api: TelegramApi, channel: TelegramChannel, size: int) -> None:
    api.files["f1"] = b"x" * size
    with pytest.raises(TooLarge):
        channel.fetch("f1", 100)


def failure_of(channel: TelegramChannel) -> Exception:
    with pytest.raises((TryLater, Undeliverable)) as caught:
        channel.fetch("f1", 100)
    return caught.value


def busy(api: TelegramApi) -> None:
    api.answer_with("file", b"{}", 503)


def broken(api: TelegramApi) -> None:
    api.drop("file", acts=False)


def refused(api: TelegramApi) -> None:
    api.refuse("getFile", 400, "Bad Request: invalid file_id")


def elsewhere(api: TelegramApi) -> None:
    api.answer_with("getFile", b'{"ok": true, "result": {"file_path": "../../etc/passwd"}}')


@pytest.mark.parametrize(
    ("misbehave", "kind"), [(busy, TryLater), (broken, TryLater), (refused, Undeliverable), (elsewhere, Undeliverable)]
)
def test_what_goes_wrong_is_told_without_the_token(
    api: TelegramApi, channel: TelegramChannel, misbehave: Any, kind: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    api.files["f1"] = PDF
    misbehave(api)
    failure = failure_of(channel)
    assert isinstance(failure, kind)
    assert TOKEN not in f"{failure!r} {failure.__cause__!r} {failure.__context__!r} {caplog.text}"


def test_an_edit_fetches_nothing_again(telegram: Telegram) -> None:
    telegram.api.files["f1"] = PDF
    said = telegram.say(caption="My invoice is wrong", **INVOICE)
    message = {**said["message"], "caption": "My invoice is very wrong", "edit_date": said["message"]["date"] + 5}
    telegram.api.happens(edited_message=message)
    telegram.take()
    assert len(telegram.house.all(Row)) == 1


def test_what_has_no_name_is_called_what_it_is() -> None:
    from adapters.telegram.translate import files

    (voice,) = files({"voice": {"file_id": "v", "duration": 12, "mime_type": "audio/ogg", "file_size": 900}})
    assert voice.attachment == Attachment("voice message, 12 s", "audio/ogg", 900, "v")
