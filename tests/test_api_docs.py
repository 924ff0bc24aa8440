"""docs/api.md: what it tells one to type is typed here, to a real process."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.process import Process
from tests.test_auth import KEY, token

DOCUMENT = (Path(__file__).parent.parent / "docs" / "api.md").read_text(encoding="utf-8")
FIRST = """
answered() {
    local wanted=$1 line=$2 got
    shift 2
    got=$(curl "$@" -w '%{stderr}%{http_code}' 2>&1 >answer.txt)
    [ "$got" = "$wanted" ] || echo "line $line: $got, not $wanted: $(cat answer.txt)"
}
"""


def script() -> str:
    """Return the document's commands; each curl tells if its status is not the one behind its `#`."""
    lines = "\n".join(re.findall(r"^```sh\n(.*?)^```", DOCUMENT, re.MULTILINE | re.DOTALL)).replace("\\\n", " ")
    found = []
    for number, line in enumerate(lines.splitlines(), 1):
        if line.startswith("curl"):
            command, status = re.fullmatch(r"curl (.*?) +# (\d{3})", line).groups()  # type: ignore[union-attr]
            line = f"answered {status} {number} {command}"
        found.append(line)
    return FIRST + "\n".join(found)


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl here")
def test_every_command_of_the_document_is_answered_as_it_says(tmp_path: Path) -> None:
    text = script()
    assert text.count("\nanswered ") > 25
    with Process(tmp_path, {"JWT_KEYS": KEY}) as running:
        roles = {"SHOP": ("shop", "reporter"), "ANA": ("ana", "agent"), "ROOT": ("root", "admin")}
        tokens = {name: token(sub=sub, role=role) for name, (sub, role) in roles.items()}
        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "API": f"{running.wait_up().url}/api",
            **{name: f"Authorization: Bearer {given}" for name, given in tokens.items()},
        }
        done = subprocess.run(
            ["bash", "-eu", "-c", text], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
