"""What is measured, for Prometheus and for OpenTelemetry. No label names a ticket, a customer or an address."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from bot.errors import ConfigurationError
from bot.model import Classification
from bot.ports import Usage
from storage.stats import Figure

REGISTRY = CollectorRegistry()

messages = Counter("firstline_messages", "Messages accepted.", ["channel", "duplicate"], registry=REGISTRY)
incidents = Counter("firstline_incidents", "Incidents opened.", ["category", "classified_by"], registry=REGISTRY)
classifications = Counter(
    "firstline_classifications", "Messages classified.", ["category", "classified_by"], registry=REGISTRY
)
confidence = Histogram(
    "firstline_classification_confidence",
    "How sure the classifiers were; those that could not say how sure are left out.",
    ["classified_by"],
    registry=REGISTRY,
    buckets=(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1),
)
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
retries = Counter("firstline_retries", "Pieces of work that are to be tried again.", ["queue"], registry=REGISTRY)
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


def classified(answer: Classification) -> None:
    """Count what a message was found to be about."""
    classifications.labels(answer.category, answer.classified_by).inc()
    if answer.confidence is not None:
        confidence.labels(answer.classified_by).observe(answer.confidence)


_tracer = trace.get_tracer("firstline")
_W3C = TraceContextTextMapPropagator()


@contextmanager
def span(name: str, part_of: str | None = None, **attributes: str) -> Iterator[None]:
    """A span of the running trace, when tracing is on; `part_of`: of the trace that a row carries (`storage.traces`).

    Of an exception it keeps the kind alone: what it says may name a person.
    """
    context = None if part_of is None else _W3C.extract({"traceparent": part_of})
    with _tracer.start_as_current_span(
        name, context, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield
        except Exception as exc:
            current.set_status(Status(StatusCode.ERROR, type(exc).__name__))
            raise


@contextmanager
def step(name: str, **attributes: str) -> Iterator[None]:
    """Measure a step: a span (when tracing is on) and a line in the histogram."""
    with span(name, **attributes), steps.labels(name).time():
        yield


class _Standing(Collector):
    """Figures that stand in the database, read when somebody asks."""

    def __init__(self, read: Callable[[], Sequence[Figure]]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for figure in self._read():
            labels = [] if figure.queue is None else ["queue"]
            says = f"{figure.name.replace('_', ' ').capitalize()}, now."
            family = families.setdefault(
                figure.name, GaugeMetricFamily(f"firstline_{figure.name}", says, labels=labels)
            )
            family.add_metric([] if figure.queue is None else [figure.queue], figure.value)
        yield from families.values()


def page(read: Callable[[], Sequence[Figure]]) -> Callable[[], bytes]:
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
