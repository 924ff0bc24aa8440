"""Other people's idea of Telegram: the npm package `telegram-test-api`, in a process of its own."""

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from tests.mailbox import free_port
from tests.telegram_api import ANA, TOKEN

FOLDER = Path(__file__).parent / "rigs"
MISSING = "The Telegram emulator is not installed: apt install npm, then npm install in the folder tests/rigs"


class Emulator:
    """A context manager. `url` is what TELEGRAM_API_URL should be. Where it is not installed the test is skipped; with
    CI set it fails."""

    def __init__(self) -> None:
        node = shutil.which("node")
        if node is None or not (FOLDER / "node_modules" / "telegram-test-api").exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [str(node), "telegram.cjs", str(port)]
        if shutil.which("setpriv"):  # so that it ends with us even if we are killed
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        self._process = subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "up\n", "the emulator did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate(timeout=10)

    def say(self, text: str, **more: Any) -> None:
        """Have a person write to the bot; with `edits`, the number of a message, edit it."""
        self._post("/sendMessage", {**_person(), "date": int(time.time()), "text": text, **more})

    def press(self, label: str) -> None:
        """Have the person press a button of the bot's."""
        for sent in reversed(self.sent()):
            for button in _buttons(sent):
                if button["text"] == label:
                    holder = {"chat": _person()["chat"], "message_id": sent["messageId"], "date": int(time.time())}
                    self._post("/sendCallback", {**_person(), "message": holder, "data": button["callback_data"]})
                    return
        raise LookupError(label)

    def sent(self) -> list[dict[str, Any]]:
        """What the bot sent, in order."""
        history = self._post("/getUpdatesHistory", {"token": TOKEN})["result"]
        return [each for each in history if "chat_id" in each.get("message", {})]

    def texts(self) -> list[str]:
        return [each["message"]["text"] for each in self.sent()]

    def labels(self) -> list[str]:
        """What stands on all buttons."""
        return [button["text"] for each in self.sent() for button in _buttons(each)]

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = requests.post(f"{self.url}{path}", json=body, timeout=10).json()
        return answer


def _person() -> dict[str, Any]:
    return {
        "botToken": TOKEN,
        "from": {"id": ANA, "first_name": "Ana", "is_bot": False, "language_code": "en"},
        "chat": {"id": ANA, "type": "private", "first_name": "Ana"},
    }


def _buttons(sent: dict[str, Any]) -> list[dict[str, str]]:
    rows = (sent["message"].get("reply_markup") or {}).get("inline_keyboard") or []
    return [button for row in rows for button in row]
