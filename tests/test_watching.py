"""What is shipped for watching: the alert rules, and the dashboard."""

import json
import os
import re
import subprocess
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import requests

from tests.process import Process

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
PROMTOOL = which("promtool")
needs_promtool = pytest.mark.skipif(
    PROMTOOL is None, reason="promtool is not installed (Debian and Ubuntu: prometheus)"
)
OTHERS = {"up"}
"""Metrics that Prometheus makes itself."""


def promtool(*arguments: str, given: bytes = b"") -> str:
    assert PROMTOOL is not None
    ran = subprocess.run(
        [PROMTOOL, *arguments], cwd=DEPLOY, input=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60
    )
    assert ran.returncode == 0, ran.stdout.decode()
    return ran.stdout.decode()


@needs_promtool
def test_the_alert_rules_are_right_and_fire_when_they_must() -> None:
    assert "SUCCESS" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("test", "rules", "alerts_test.yml")


@needs_promtool
def test_the_metrics_page_is_as_prometheus_wants_it(tmp_path: Path) -> None:
    with Process(tmp_path, {}) as process:
        page = requests.get(f"{process.wait_up().url}/metrics", timeout=5)
    assert promtool("check", "metrics", given=page.content).strip() == ""


def queries() -> dict[str, str]:
    """Every query of the rules and of the dashboard, by where it stands."""
    rules = (DEPLOY / "alerts.yml").read_text(encoding="utf-8")
    found = {
        f"rule {name}": body for name, body in re.findall(r"- alert: (\w+)\n(.*?)(?=\n      - alert|\Z)", rules, re.S)
    }
    board: Any = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel["targets"]:
            found[f"panel {panel['title']} {target['refId']}"] = target["expr"]
    return found


def test_every_metric_that_is_asked_for_is_one_of_ours(tmp_path: Path) -> None:
    with Process(tmp_path, {}) as process:
        page = requests.get(f"{process.wait_up().url}/metrics", timeout=5).text
    families = dict(re.findall(r"^# TYPE (\w+) (\w+)$", page, re.M))
    for where, query in queries().items():
        names = set(re.findall(r"\bfirstline_\w+", query))
        assert names or OTHERS & set(re.findall(r"\w+", query)), where
        for name in names:
            family = name if name in families else re.sub(r"_(bucket|sum|count)$", "", name)
            assert family in families, f"{where} asks for {name}"


def test_every_alert_is_tested_and_explained() -> None:
    alerts = set(re.findall(r"- alert: (\w+)", (DEPLOY / "alerts.yml").read_text(encoding="utf-8")))
    tested = (DEPLOY / "alerts_test.yml").read_text(encoding="utf-8")
    explained = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    assert alerts
    for alert in alerts:
        assert f"alertname: {alert}" in tested, alert
        assert f"`{alert}`" in explained, alert


def test_no_two_panels_lie_on_each_other() -> None:
    board: Any = json.loads((DEPLOY / "grafana.json").read_text(encoding="utf-8"))
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not taken & cells, panel["title"]
        assert at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells


def test_the_shipped_files_name_no_person_and_no_secret() -> None:
    for path in (DEPLOY / "alerts.yml", DEPLOY / "grafana.json"):
        assert not re.search(r"ticket_id|customer_id|recipient|address=", path.read_text(encoding="utf-8")), path
    assert os.access(DEPLOY / "alerts.yml", os.R_OK)
