"""The trace that a piece of work belongs to. Its row carries it, so that whoever takes the work up goes on with it:
another thread, another process, another day."""

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()


def current() -> str | None:
    """Return the span that is running, as `traceparent` (W3C Trace Context); None if there is none, as without
    tracing."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")
