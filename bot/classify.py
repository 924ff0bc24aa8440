"""Who says what a message is about: Gemini, then the local model, then nobody (`other`, without a confidence).

`bot/app.py` joins the parts. With CLASSIFIER=gemini a message goes down this ladder:

    SecondOpinion(Cached(Guarded(Gemini)), local model)  →  local model  →  NOBODY

and with CLASSIFIER=cascade a `Cascade` stands before its first rung. Each part is a `ports.Classifier`.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import structlog

from bot import measure
from bot.breaker import Breaker, CircuitOpen
from bot.contacts import hide_contacts
from bot.deadline import DeadlinePassed, within
from bot.errors import ClassificationFailed
from bot.instructions import orders, without_orders
from bot.masking import mask
from bot.model import Category, Classification
from bot.ports import Classifier

log = structlog.get_logger()

NOBODY = Classification(Category.OTHER, None, "No classifier could answer; for a person to look at.", "none")

SHOWN: Final = 10_000
"""Characters of a masked message that are looked through for mail addresses and phone numbers. No model outside is
shown more (Gemini: 8,000)."""

REMEMBERED_FOR: Final = 3600.0
"""Seconds for which an answer is taken again for the same text."""

DOUBTED: Final = 0.5
"""The confidence of an answer that a person has to look at: well below SURE."""

ENOUGH: Final = 0.91
"""From this confidence on the local model is not doubted, and Gemini not asked (CLASSIFIER=cascade): on dev.csv it is
then right in 99.5 % of the messages. `benchmarks/cascade.py` finds the figure; it belongs to the artefact in use."""


def shown(text: str) -> str:
    """Return what of a text a model outside may see: without secrets, mail addresses and phone numbers. Masked before
    it is cut, so that no half of a secret is left at the end."""
    text = mask(text)
    if len(text) > SHOWN:
        text = text[:SHOWN].rsplit(maxsplit=1)[0]
    return hide_contacts(text)


class Guarded:
    """A classifier that asks somebody outside, shown no more than it may see, held to a deadline (seconds in all) and
    behind a circuit breaker.

    Whatever goes wrong becomes ClassificationFailed: an incident is opened in any case. Its cause is CircuitOpen if
    nobody was asked.
    """

    def __init__(self, classifier: Classifier, breaker: Breaker, deadline: float) -> None:
        self._classifier = classifier
        self._breaker = breaker
        self._deadline = deadline

    def __call__(self, text: str) -> Classification:
        text = shown(text)
        try:
            return self._breaker.call(lambda: within(self._deadline, lambda: self._classifier(text)))
        except ClassificationFailed:
            raise
        except CircuitOpen as exc:
            raise ClassificationFailed(str(exc)) from exc
        except DeadlinePassed as exc:
            raise ClassificationFailed(str(exc)) from None
        except Exception as exc:
            raise ClassificationFailed(f"{type(exc).__name__}") from exc


class Cached:
    """Remembers the last `size` answers of a classifier for an hour, each by the hash of its masked text: the same
    text comes again, from a form or from somebody in a hurry. Safe to share between threads. `clock` gives seconds."""

    def __init__(self, classifier: Classifier, size: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._classifier = classifier
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: OrderedDict[bytes, tuple[float, Classification]] = OrderedDict()

    def __call__(self, text: str) -> Classification:
        key = hashlib.sha256(mask(text).encode("utf-8", "surrogatepass")).digest()
        with self._lock:
            known = self._answers.get(key)
        if known is not None and self._clock() - known[0] < REMEMBERED_FOR:
            measure.remembered.inc()
            return known[1]
        answer = self._classifier(text)
        with self._lock:
            self._answers[key] = (self._clock(), answer)
            self._answers.move_to_end(key)
            while len(self._answers) > self._size:
                self._answers.popitem(last=False)
        return answer


class SecondOpinion:
    """Asks a classifier that a text can talk to, and, where a text does, has one that none can (`second`) look at its
    answer.

    What in a text gives orders is not shown to it at all. Where the two disagree about the rest, it may have seen one
    that we did not, or the rest is too little to go by: its confidence is cut, so that a person looks.
    """

    def __init__(self, classifier: Classifier, second: Classifier) -> None:
        self._classifier = classifier
        self._second = second

    def __call__(self, text: str) -> Classification:
        if not orders(text):
            return self._classifier(text)
        rest = without_orders(text)
        second = self._second(rest)
        if not rest.strip():
            reason = "The text gives orders and tells nothing; for a person to look at."
            return replace(second, confidence=min(second.confidence or 0, DOUBTED), reason=reason)
        answer = replace(self._classifier(rest), thanks=False)
        if answer.category is second.category:
            return answer
        log.warning("classifier.doubted", category=answer.category, second=second.category)
        measure.doubted.inc()
        reason = f"In doubt: {second.category} to the {second.classified_by} model. {answer.reason}"
        return replace(answer, confidence=min(answer.confidence or 0, DOUBTED), reason=reason[:200])


class Cascade:
    """Asks the classifier outside only where the local one is not sure enough."""

    def __init__(self, local: Classifier, outside: Classifier, enough: float = ENOUGH) -> None:
        self._local = local
        self._outside = outside
        self._enough = enough

    def __call__(self, text: str) -> Classification:
        answer = self._local(text)
        return answer if (answer.confidence or 0) >= self._enough else self._outside(text)


class Ladder:
    """Asks one classifier after the other until one answers; an answer of one that comes after another says that it
    does (`missed`)."""

    def __init__(self, rungs: Sequence[Classifier]) -> None:
        self._rungs = rungs

    def __call__(self, text: str) -> Classification:
        for place, rung in enumerate(self._rungs):
            try:
                answer = rung(text)
            except ClassificationFailed as exc:
                measure.failures.labels("classifier").inc()
                log.warning("classifier.failed", reason=str(exc))
            except Exception as exc:  # a mistake of ours must not keep the incident from being opened
                log.error("classifier.failed", exc_info=exc)
            else:
                return replace(answer, missed=True) if place else answer
        return replace(NOBODY, missed=bool(self._rungs))
