"""Metrics and traces."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from bot import measure
from bot.errors import ConfigurationError
from bot.settings import Settings
from tests.mailbox import wait_until
from tests.posted import Posted
from tests.process import BOT, Process

NEW = {"customer_id": "C-7", "message": "My card was charged twice", "channel": "email", "email": "berta@example.com"}


class Collector(Posted):
    """A small OTLP collector over HTTP: keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        super().__init__(self._take)

    def _take(self, body: bytes) -> None:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    yield collector
    collector.close()


def samples(url: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """The metrics page, as name and label values to value."""
    page = requests.get(f"{url}/metrics", timeout=5)
    assert page.headers["Content-Type"].startswith("text/plain")
    found = {}
    for family in text_string_to_metric_families(page.text):
        for sample in family.samples:
            found[sample.name, tuple(sample.labels.values())] = sample.value
    return found


def test_what_happens_is_counted_and_what_stands_in_the_database_is_told(tmp_path: Path, database_url: str) -> None:
    with Process(tmp_path, {"DATABASE_URL": database_url}) as process:
        process.wait_up().post(NEW, "k-1")
        process.post(NEW, "k-1")
        sent = ("firstline_notifications_total", ("email", "acknowledgement", "simulated"))
        wait_until(lambda: samples(process.url).get(sent) == 1)
        found = samples(process.url)
    assert found["firstline_messages_total", ("web", "false")] == 1
    assert found["firstline_messages_total", ("web", "true")] == 1
    assert found["firstline_incidents_total", ("duplicate_payment", "local")] == 1
    assert found["firstline_follow_ups_waiting", ()] == 1
    for queue in ("in", "out", "job"):
        assert found["firstline_work_waiting", (queue,)] == found["firstline_work_given_up", (queue,)] == 0
    assert found["firstline_classifications_total", ("duplicate_payment", "local")] == 1
    assert found["firstline_classification_confidence_count", ("local",)] == 1
    for step in ("classify", "create_ticket", "store", "send"):
        assert found["firstline_step_seconds_count", (step,)] == 1


def test_a_worker_and_a_clock_can_be_watched_as_well(tmp_path: Path, database_url: str) -> None:
    settings = {"DATABASE_URL": database_url, "METRICS_PORT": "0"}
    subprocess.run([BOT, "migrate"], cwd=tmp_path, env={**os.environ, **settings}, check=True, timeout=60)
    with (
        Process(tmp_path, settings, part="worker") as worker,
        Process(tmp_path, settings, part="clock") as clock,
        Process(tmp_path, settings, part="web") as web,
    ):
        assert web.wait_up().post(NEW, "k-1").status_code == 201
        for process in (worker, clock):
            url = process.wait_for(r'"(http://[\d.:]+)".*process.watched')
            assert requests.get(f"{url}/healthz", timeout=5).json() == {"status": "ok"}
            assert requests.get(f"{url}/readyz", timeout=5).status_code == 200
            assert requests.get(f"{url}/api/incidents", timeout=5).status_code == 404
            assert requests.get(f"{url}/readyz", headers={"Host": "evil.example"}, timeout=5).status_code == 421
            counted = samples(url).get(("firstline_incidents_total", ("duplicate_payment", "local")))
            assert counted == (1 if process is worker else None)
            assert process.terminate() == 0


def test_no_label_names_a_customer_or_a_ticket(tmp_path: Path, database_url: str) -> None:
    with Process(tmp_path, {"DATABASE_URL": database_url}) as process:
        body = process.wait_up().post(NEW, "k-1").json()
        page = requests.get(f"{process.url}/metrics", timeout=5).text
    for private in ("C-7", "berta", body["ticket_id"], body["incident_id"], "k-1"):
        assert private not in page


def test_requests_and_steps_are_spans_without_personal_data(
    tmp_path: Path, database_url: str, collector: Collector
) -> None:
    settings = {"DATABASE_URL": database_url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with Process(tmp_path, settings) as process:
        process.wait_up().post(NEW, "k-1")
        claimed = {"traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01"}
        requests.get(f"{process.url}/api/incidents", headers=claimed, timeout=5)
        assert process.terminate() == 0
    names = {span.name for span in collector.spans}
    assert {"POST /api/incidents", "classify", "create_ticket", "store", "send"} <= names
    assert any("GET" in name for name in names)
    assert not [span.name for span in collector.spans if span.trace_id == bytes.fromhex("ab" * 16)]
    told = "".join(str(span) for span in collector.spans)
    for private in ("C-7", "berta", "charged twice"):
        assert private not in told


def spans_of(collector: Collector, name: str) -> list[Any]:
    return [span for span in collector.spans if span.name == name]


def test_a_message_is_one_trace_across_processes(tmp_path: Path, database_url: str, collector: Collector) -> None:
    settings = {"DATABASE_URL": database_url, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    settings |= {"TICKET_API_URL": "http://127.0.0.1:9/tickets", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    subprocess.run([BOT, "migrate"], cwd=tmp_path, env={**os.environ, **settings}, check=True, timeout=60)
    with Process(tmp_path, settings, part="web") as web:
        claimed = f"00-{'ab' * 16}-{'cd' * 8}-01"
        web.wait_up().post(NEW, "k-1", Prefer="respond-async", traceparent=claimed)
        with Process(tmp_path, settings, part="worker") as worker:
            wait_until(lambda: {"send", "job link"} <= {span.name for span in collector.spans}, 30)
            assert worker.terminate() == 0
        assert web.terminate() == 0
    (handled,) = spans_of(collector, "handle")
    trace = [span for span in collector.spans if span.trace_id == handled.trace_id]
    parents = {span.span_id: span for span in trace}
    ways = {}
    for span in trace:
        above = parents.get(span.parent_span_id)
        ways[span.name] = above.name if above is not None else None
    assert ways["POST /api/incidents"] is None  # and not of the trace that the caller claims
    assert ways["accept"] == "POST /api/incidents"
    assert ways["handle"] == "accept"
    assert {ways[name] for name in ("classify", "create_ticket", "store")} == {"handle"}
    assert (ways["deliver"], ways["send"], ways["job link"]) == ("store", "deliver", "store")
    assert handled.trace_id != bytes.fromhex("ab" * 16)


def test_a_collector_that_is_away_disturbs_nobody(tmp_path: Path, database_url: str) -> None:
    settings = {"DATABASE_URL": database_url, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    with Process(tmp_path, settings) as process:
        assert process.wait_up().post(NEW, "k-1").status_code == 201
        assert process.terminate() == 0


def test_without_an_endpoint_nothing_is_imported_for_tracing() -> None:
    assert Settings().otel_exporter_otlp_endpoint is None
    measure.start_tracing(None)()


def test_tracing_without_its_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(ConfigurationError, match=r"firstline\[tracing\]"):
        measure.start_tracing("http://127.0.0.1:9")
