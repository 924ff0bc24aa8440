"""Firstline as a real process of its own, in a folder of its own; it can be killed, also at a named event.

python -m tests.process EVENT [N]     runs `bot run` and kills itself with -9 at the N-th event of that name
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import requests
import structlog

from tests.mailbox import wait_until

BOT = str(Path(sys.executable).with_name("bot"))
ROOT = Path(__file__).parent.parent


class Process:
    """A bot that is running. `environment` are its settings; `at` names the event at which it kills itself; `part` is
    which command it is: run, web, worker or clock."""

    def __init__(
        self, folder: Path, environment: Mapping[str, str], at: str = "", times: int = 1, part: str = "run"
    ) -> None:
        command = [sys.executable, "-m", "tests.process", at, str(times)] if at else [BOT, part]
        self._popen = subprocess.Popen(
            command,
            cwd=folder,
            env={**_plain(os.environ), "PYTHONPATH": str(ROOT), "PORT": "0", "LOG_FORMAT": "json", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self.url = ""
        self._up = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.kill()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self._popen.stdout as lines:
            for line in lines:
                self.output.append(line)
                if found := re.search(r"curl -s (http://\S+?)/api", line):
                    self.url = found[1]
                    self._up.set()
        self._up.set()

    def wait_up(self) -> Self:
        """Wait until it serves."""
        assert self._up.wait(30), "".join(self.output)
        assert self.url, "".join(self.output)
        return self

    def wait_for(self, pattern: str) -> str:
        """Wait until a line of its output matches, and return what the group in the pattern stands for."""
        wait_until(lambda: any(re.search(pattern, line) for line in self.output), 30, f"never said {pattern}")
        return next(found[1] for line in self.output if (found := re.search(pattern, line)))

    def post(self, body: Mapping[str, Any], key: str, **headers: str) -> requests.Response:
        headers["Idempotency-Key"] = key
        return requests.post(f"{self.url}/api/incidents", json=body, headers=headers, timeout=30)

    def wait_dead(self, seconds: float = 30) -> int:
        """Wait until it has ended, and return its exit code."""
        code = self._popen.wait(seconds)
        self._reader.join(5)
        return code

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def terminate(self) -> int:
        """Ask it to stop, and return its exit code."""
        self._popen.terminate()
        return self.wait_dead()

    def freeze(self) -> None:
        """Have it stand still: it hears, and does nothing."""
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._popen.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        if self.alive:
            self._popen.kill()
        self.wait_dead()


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without settings of ours that whoever runs the tests may have."""
    keep = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "SYSTEMROOT")
    return {name: value for name, value in environment.items() if name in keep}


def run_until(event: str, times: int) -> None:
    """Run everything in this process, and kill it at the n-th event of this name."""
    from bot import app
    from bot.__main__ import greet
    from bot.settings import Settings

    left = times

    def kill(logger: Any, method: str, values: Any) -> Any:
        nonlocal left
        if values["event"] == event:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return values

    settings = Settings.read()
    app.set_up_logging(settings)
    structlog.configure(processors=[kill, *structlog.get_config()["processors"]])
    parts = ["web", "worker", "clock"]
    app.run(settings, parts, lambda url: greet(settings.database_url, parts, url))


if __name__ == "__main__":
    run_until(sys.argv[1], int(sys.argv[2]))
