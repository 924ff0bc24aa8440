"""What is measured, for Prometheus and for OpenTelemetry. No label names a ticket, a customer or an address."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.errors import ConfigurationError
from bot.ports import Usage

REGISTRY = CollectorRegistry()

messages = Counter("firstline_messages", "Messages accepted.", ["channel", "duplicate"], registry=REGISTRY)
incidents = Counter("firstline_incidents", "Incidents opened.", ["category", "classified_by"], registry=REGISTRY)
notifications = Counter(
    "firstline_notifications", "What became of texts that we owed.", ["channel", "kind", "outcome"], registry=REGISTRY
)
reminders = Counter("firstline_reminders", "Reminders stored.", registry=REGISTRY)
files = Counter("firstline_files", "What became of customers' files.", ["channel", "outcome"], registry=REGISTRY)
tokens = Counter(
    "firstline_model_tokens", "Tokens of calls to a model outside.", ["model", "direction"], registry=REGISTRY
)
cost = Counter("firstline_model_cost_dollars", "What those calls cost.", ["model"], registry=REGISTRY)
remembered = Counter(
    "firstline_model_remembered", "Messages classified by what a model said of the same text before.", registry=REGISTRY
)
doubted = Counter("firstline_model_doubted", "Answers to texts that give orders, left to a person.", registry=REGISTRY)
wake_ups = Counter("firstline_wake_ups", "Wake-ups for other processes: sent, or lost.", ["outcome"], registry=REGISTRY)
failures = Counter("firstline_failures", "Pieces of work that failed, and went on.", ["what"], registry=REGISTRY)
steps = Histogram(
    "firstline_step_seconds",
    "How long each step of a message's way took.",
    ["step"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


def used(usage: Usage) -> None:
    """Count what a call of a model outside has used."""
    tokens.labels(usage.model, "in").inc(usage.tokens_in)
    tokens.labels(usage.model, "out").inc(usage.tokens_out)
    cost.labels(usage.model).inc(usage.cost)


_tracer = trace.get_tracer("firstline")


@contextmanager
def step(name: str) -> Iterator[None]:
    """Measure a step: a span (when tracing is on) and a line in the histogram."""
    with _tracer.start_as_current_span(name), steps.labels(name).time():
        yield


class _Standing(Collector):
    """Figures that stand in the database, read when somebody asks."""

    def __init__(self, read: Callable[[], Mapping[str, float]]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, value in self._read().items():
            yield GaugeMetricFamily(f"firstline_{name}", f"{name.replace('_', ' ').capitalize()}, now.", value=value)


def page(read: Callable[[], Mapping[str, float]]) -> Callable[[], bytes]:
    """Return what writes the metrics page, in Prometheus' text format: our counters, and what `read` finds standing in
    the database."""
    standing = CollectorRegistry()
    standing.register(_Standing(read))
    return lambda: generate_latest(REGISTRY) + generate_latest(standing)


def start_tracing(endpoint: str | None) -> Callable[[], None]:
    """Send spans to an OTLP collector (None: nowhere); return what sends the last of them and ends it.

    Raises ConfigurationError if the packages for it are not installed.
    """
    if endpoint is None:
        return lambda: None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_ENDPOINT: tracing needs more packages. Install them: pip install 'firstline[tracing]'"
        ) from None
    provider = TracerProvider(resource=Resource.create({"service.name": "firstline"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces", timeout=5)))
    trace.set_tracer_provider(provider)
    return provider.shutdown
