"""Other people's idea of Twilio: the service of the npm package `emulate`, in a process of its own.

It knows an account, its numbers and messages, brings what people write and what becomes of texts, and signs all of it.
It knows nothing of WhatsApp's 24 hours, of templates, of STOP, nor of carriers' errors: tests/twilio_api.py does.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from tests.mailbox import free_port
from tests.twilio_api import ACCOUNT, ANA, SHOP, SHOP_WHATSAPP, TOKEN

FOLDER = Path(__file__).parent / "rigs"
NODE = FOLDER / "node_modules" / ".bin" / "node"
MISSING = "The Twilio emulator is not installed: apt install npm, then npm install in the folder tests/rigs"


class Emulator:
    """A context manager. `bot` is where our webhooks are; `token` is the account's. Where it is not installed the test
    is skipped; with CI set it fails."""

    def __init__(self, bot: str, token: str = TOKEN) -> None:
        if not NODE.exists():
            (pytest.fail if os.environ.get("CI") else pytest.skip)(MISSING)
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._bot = bot
        self._auth = (ACCOUNT, token)
        command = [str(NODE), str(FOLDER / "twilio.mjs"), str(port)]
        if shutil.which("setpriv"):  # so that it ends with us even if we are killed
            command = ["setpriv", "--pdeathsig", "KILL", *command]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        numbers = [(SHOP, "sms"), (f"whatsapp:{SHOP_WHATSAPP}", "whatsapp")]
        seed = {
            "account": {"sid": ACCOUNT, "auth_token": self._auth[1]},
            "phone_numbers": [
                {"phone_number": number, "sms_url": f"{self._bot}/twilio/{name}", "sms_method": "POST"}
                for number, name in numbers
            ],
        }
        self._process.stdin.write(json.dumps({"twilio": seed}) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline(), "the emulator did not start"
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.communicate(timeout=10)

    def say(self, text: str, name: str = "sms", who: str = ANA) -> str:
        """Have a customer write; return the message's SID. Whether we took it Twilio tells nobody."""
        mark, to = ("whatsapp:", SHOP_WHATSAPP) if name == "whatsapp" else ("", SHOP)
        said = self._post("/_twilio/simulate/inbound-message", To=f"{mark}{to}", From=f"{mark}{who}", Body=text)
        return str(said["sid"])

    def became(self, sid: str, status: str) -> None:
        self._post("/_twilio/simulate/message-status", MessageSid=sid, Status=status)

    def sent(self, name: str = "sms", who: str = ANA) -> list[dict[str, Any]]:
        """What we sent to a customer, in order."""
        mark = "whatsapp:" if name == "whatsapp" else ""
        url = f"{self.url}/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        found = requests.get(url, params={"To": f"{mark}{who}"}, auth=self._auth, timeout=10).json()
        return list(reversed(found["messages"]))

    def _post(self, path: str, **form: str) -> dict[str, Any]:
        answer = requests.post(f"{self.url}{path}", form, auth=self._auth, timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found
