"""The API does what its document says: schemathesis makes requests of it, right ones and wrong ones, and checks every
answer."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.http.settings import HttpSettings
from tests.postgres import ON_SQLITE
from tests.test_auth import KEY, token
from tests.test_http import Served, serving

ROOT = Path(__file__).parent.parent
SCHEMATHESIS = str(Path(sys.executable).with_name("st"))
CONFIGURATION = str(Path(__file__).with_name("schemathesis.toml"))
UNLIMITED = {"rate_limit": "0", "rate_limit_address": "0", "rate_limit_failed": "0"}


@pytest.fixture
def offered(db: str) -> Iterator[Served]:
    with serving(HttpSettings(port=0, jwt_keys=KEY, response_wait="2s", **UNLIMITED)) as served:
        yield served


def tried(served: Served, role: str, *options: str) -> None:
    """Try the whole document as a caller of this role."""
    given = token(role=role, sub="ana", exp=int(time.time()) + 3600)
    document = served.get("/openapi.json", headers={"Authorization": f"Bearer {given}"})
    Path("openapi.json").write_bytes(document.content)
    command = [SCHEMATHESIS, "--config-file", CONFIGURATION, "run", "openapi.json", "--url", served.url, *options]
    usual = ("--no-color", "--warnings", "off", "--continue-on-failure", "--no-shrink", "--request-timeout", "20")
    environment = {**os.environ, "TOKEN": given, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *usual], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


@ON_SQLITE
def test_every_operation_answers_as_the_document_says(offered: Served) -> None:
    tried(offered, "admin", "--seed", "1", "--max-examples", "20")


@pytest.mark.soak
@pytest.mark.parametrize("seed", ["2", "3"])
@pytest.mark.parametrize("role", ["reporter", "agent", "admin"])
def test_every_operation_answers_as_the_document_says_to_many_requests(offered: Served, role: str, seed: str) -> None:
    tried(offered, role, "--seed", seed, "--max-examples", "150")
