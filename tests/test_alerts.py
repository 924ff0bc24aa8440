"""A real Prometheus scrapes a real bot by the shipped rules, and a real Alertmanager tells somebody."""

import json
import os
import queue
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from tests.posted import Posted
from tests.process import BOT, Process

RULES = Path(__file__).parent.parent / "deploy" / "alerts.yml"
PROMETHEUS, ALERTMANAGER = which("prometheus"), which("prometheus-alertmanager")
pytestmark = pytest.mark.skipif(
    PROMETHEUS is None or ALERTMANAGER is None,
    reason="Prometheus is not installed (Debian and Ubuntu: prometheus prometheus-alertmanager)",
)


class Pager(Posted):
    """Takes what Alertmanager posts."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[tuple[str, dict[str, str]]] = queue.SimpleQueue()
        super().__init__(self._take)

    def _take(self, body: bytes) -> None:
        for alert in json.loads(body)["alerts"]:
            self.told.put((alert["status"], alert["labels"]))

    def wait_for(self, status: str, alert: str) -> dict[str, str]:
        """Return the labels of this alert once it is told with this status."""
        while True:
            told, labels = self.told.get(timeout=60)
            if (told, labels["alertname"]) == (status, alert):
                return labels


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(*command: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


@contextmanager
def watching(folder: Path, target: str, pager: Pager) -> Iterator[None]:
    """Prometheus and Alertmanager, in a hurry: by the shipped rules, but with seconds for their minutes."""
    rules = RULES.read_text(encoding="utf-8").replace("> 120", "> 3").replace("for: 1m", "for: 2s")
    (folder / "rules.yml").write_text(rules, encoding="utf-8")
    manager, prometheus = free_port(), free_port()
    config: dict[str, Any] = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{manager}"]}]}]},
        "scrape_configs": [{"job_name": "firstline", "static_configs": [{"targets": [target]}]}],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    route = {"receiver": "pager", "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    receivers = [{"name": "pager", "webhook_configs": [{"url": pager.url, "send_resolved": True}]}]
    (folder / "manager.yml").write_text(json.dumps({"route": route, "receivers": receivers}), encoding="utf-8")
    assert PROMETHEUS is not None
    assert ALERTMANAGER is not None
    with ExitStack() as started:
        started.enter_context(
            running(
                ALERTMANAGER,
                f"--config.file={folder / 'manager.yml'}",
                f"--storage.path={folder / 'manager'}",
                f"--web.listen-address=127.0.0.1:{manager}",
                "--cluster.listen-address=",
            )
        )
        started.enter_context(
            running(
                PROMETHEUS,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{prometheus}",
            )
        )
        yield


def test_a_lane_that_nobody_works_on_is_told_to_whoever_is_on_call_and_its_end_as_well(tmp_path: Path) -> None:
    environment = {"RESPONSE_WAIT": "0.1s"}
    subprocess.run([BOT, "migrate"], cwd=tmp_path, env={**os.environ, **environment}, check=True, timeout=60)
    pager = Pager()
    with ExitStack() as ended:
        ended.callback(pager.close)
        web = ended.enter_context(Process(tmp_path, environment, part="web")).wait_up()
        ended.enter_context(watching(tmp_path, web.url.removeprefix("http://"), pager))
        assert web.post({"customer_id": "C-1", "message": "My card is lost", "channel": "web"}, "k").status_code == 202
        fired = pager.wait_for("firing", "FirstlineWorkStuck")
        assert (fired["queue"], fired["severity"]) == ("in", "page")
        ended.enter_context(Process(tmp_path, environment, part="worker"))
        pager.wait_for("resolved", "FirstlineWorkStuck")
