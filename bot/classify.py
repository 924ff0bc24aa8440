"""The ladder of classifiers: Gemini, then the local model, then nobody (`other`, without a confidence)."""

from collections.abc import Sequence

import structlog

from bot import measure
from bot.breaker import Breaker
from bot.deadline import DeadlinePassed, within
from bot.errors import ClassificationFailed
from bot.model import Category, Classification
from bot.ports import Classifier

log = structlog.get_logger()

NOBODY = Classification(Category.OTHER, None, "No classifier could answer; for a person to look at.", "none")


class Guarded:
    """A classifier that asks somebody outside, held to a deadline (seconds in all) and behind a circuit breaker.

    Whatever goes wrong becomes ClassificationFailed: an incident is opened in any case.
    """

    def __init__(self, classifier: Classifier, breaker: Breaker, deadline: float) -> None:
        self._classifier = classifier
        self._breaker = breaker
        self._deadline = deadline

    def __call__(self, text: str) -> Classification:
        try:
            return self._breaker.call(lambda: within(self._deadline, lambda: self._classifier(text)))
        except ClassificationFailed:
            raise
        except DeadlinePassed as exc:
            raise ClassificationFailed(str(exc)) from None
        except Exception as exc:
            raise ClassificationFailed(f"{type(exc).__name__}") from exc


class Ladder:
    """Asks one classifier after the other until one answers."""

    def __init__(self, rungs: Sequence[Classifier]) -> None:
        self._rungs = rungs

    def __call__(self, text: str) -> Classification:
        for rung in self._rungs:
            try:
                return rung(text)
            except ClassificationFailed as exc:
                measure.failures.labels("classifier").inc()
                log.warning("classifier.failed", reason=str(exc))
            except Exception as exc:  # a mistake of ours must not keep the incident from being opened
                log.error("classifier.failed", exc_info=exc)
        return NOBODY
