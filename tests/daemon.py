"""Other people's servers on loopback, each a process of ours in a folder of its own."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


def needs(program: str, package: str) -> str:
    """Return where a program is. Where it is not installed the test is skipped; with CI set it fails."""
    found = shutil.which(program, path=PATH)
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{program} is not installed: apt install {package}")
    return found


def owner(name: str) -> dict[str, Any]:
    """Who runs a server that does not want to be root, for Popen: this user, or whoever we are."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam(name if name in names else "nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def give_away(folder: Path, to: Mapping[str, Any]) -> None:
    """Have everything in a folder belong to them."""
    if to:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, to["user"], to["group"])


class Daemon:
    """A server. `command` starts it in the foreground; `answers` tells whether it serves."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        answers: Callable[[], bool],
        environment: Mapping[str, str] = {},  # read only
        who: Mapping[str, Any] = {},
    ) -> None:
        self.folder = folder
        self._command = list(command)
        if shutil.which("setpriv"):  # so that it ends with us even if we are killed
            self._command = ["setpriv", "--pdeathsig", "KILL", *self._command]
        self._answers = answers
        self._environment = {"PATH": PATH, "LC_ALL": "C", **environment}
        self._who = who
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, within: float = 90) -> None:
        """Start it, and wait until it serves."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, cwd=self.folder, env=self._environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, start_new_session=True, **self._who,
            )  # fmt: skip
        last = time.monotonic() + within
        while not self._answers():
            said = (self.folder / "log").read_text(errors="replace")[-3000:]
            assert self._process.poll() is None, said
            assert time.monotonic() < last, said
            time.sleep(0.05)

    def kill(self) -> None:
        """End it with -9, and all that it has started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While entered, it is away."""
        self.kill()
        try:
            yield
        finally:
            self.start()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
