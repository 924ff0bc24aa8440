"""A fake Gemini API on loopback: `llmock`, in a process of its own. Its fixtures are imported by name."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class FakeGemini:
    """`llmock` in a process of its own: can be told what to answer and remembers what it was asked."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def request(self, path: str, data: object = None) -> Any:
        body = None if data is None else json.dumps(data).encode()
        request = urllib.request.Request(self.url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response)

    def is_up(self) -> bool:
        try:
            self.request("/_llmock/scenario")
        except OSError:
            return False
        return True

    def will(self, **behaviour: Any) -> None:
        self.request("/_llmock/scenario", {"behaviors": [behaviour]})

    def will_say(self, answer: object, **more: Any) -> None:
        self.will(type="reply", text=answer if isinstance(answer, str) else json.dumps(answer), **more)

    def bodies(self) -> list[dict[str, Any]]:
        return [request["body"] for request in self.request("/_llmock/requests")["requests"]]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def running_fake() -> Iterator[FakeGemini]:
    port = free_port()
    program = Path(sys.executable).with_name("llmock")
    if not program.exists():
        pytest.skip("llmock is not installed")
    process = subprocess.Popen(
        [program, "serve", "--port", str(port), "--log-level", "error"], stdout=subprocess.DEVNULL
    )
    fake = FakeGemini(port)
    try:
        deadline = time.monotonic() + 30
        while not fake.is_up():
            assert process.poll() is None, "llmock ended"
            assert time.monotonic() < deadline, "llmock did not start"
            time.sleep(0.05)
        yield fake
    finally:
        process.kill()  # asked nicely, it would first finish the answers that it was told to delay
        process.wait(10)


@pytest.fixture
def fake(running_fake: FakeGemini) -> FakeGemini:
    running_fake.request("/_llmock/reset", {})
    return running_fake
