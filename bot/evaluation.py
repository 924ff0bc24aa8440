"""How good a classifier is: it answers labelled messages, and these figures say how well.

Coverage: of all answers the surest share is kept, the rest goes to people. ECE, the expected calibration error: how far
confidence and accuracy are apart in each of 15 equal bands of confidence, weighted by the answers in it (Guo et al.
2017, "On Calibration of Modern Neural Networks").
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bot.errors import ClassificationFailed
from bot.model import Category
from bot.ports import Classifier

BINS = 15


@dataclass(frozen=True, slots=True)
class Answer:
    """What a message is (`right`), what the classifier said, how sure it was (0 to 1), and the seconds it took. A
    classifier that failed has said nothing (None)."""

    right: Category
    said: Category | None
    confidence: float
    seconds: float = 0.0

    @property
    def hit(self) -> bool:
        return self.said == self.right


@dataclass(frozen=True, slots=True)
class Score:
    """How well one category is told from the rest, and how many messages are of it. None where there is nothing to
    divide by; f1 is 0 where the category was neither hit nor answered."""

    precision: float | None
    recall: float | None
    f1: float
    messages: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures. Times are in milliseconds; `size` is the artefact's in bytes, None where there is none of ours."""

    messages: int
    failed: int
    accuracy: float
    macro_f1: float
    accuracy_at_90: float
    accuracy_at_80: float
    ece: float
    median_ms: float
    p95_ms: float
    size: int | None
    categories: dict[Category, Score]

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"categories": {str(name): asdict(score) for name, score in self.categories.items()}}


def ask(classifier: Classifier, text: str, right: Category) -> Answer:
    """Let the classifier answer one message."""
    began = time.perf_counter()
    try:
        found = classifier(text)
    except ClassificationFailed:
        return Answer(right, None, 0.0, time.perf_counter() - began)
    return Answer(right, found.category, found.confidence or 0.0, time.perf_counter() - began)


def evaluate(
    classifier: Classifier,
    messages: Iterable[tuple[str, Category]],
    size: int | None = None,
    progress: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Ask the classifier about each message, one after the other, calling `progress` after each, and add up. Raises
    ValueError when there are no messages."""
    answers = []
    for text, right in messages:
        answers.append(ask(classifier, text, right))
        progress()
    return summed_up(answers, size)


def summed_up(answers: Sequence[Answer], size: int | None = None) -> Evaluation:
    """Return the figures of one answer or more. Raises ValueError when there are none."""
    if not answers:
        raise ValueError("nothing to evaluate")
    times = sorted(answer.seconds * 1000 for answer in answers)
    scores = by_category(answers)
    return Evaluation(
        messages=len(answers),
        failed=sum(answer.said is None for answer in answers),
        accuracy=accuracy(answers),
        macro_f1=macro_f1(scores),
        accuracy_at_90=accuracy_at(answers, 0.9),
        accuracy_at_80=accuracy_at(answers, 0.8),
        ece=calibration_error(answers),
        median_ms=median(times),
        p95_ms=times[math.ceil(0.95 * len(times)) - 1],
        size=size,
        categories=scores,
    )


def accuracy(answers: Sequence[Answer]) -> float:
    """Return the share of hits."""
    return sum(answer.hit for answer in answers) / len(answers)


def accuracy_at(answers: Sequence[Answer], coverage: float) -> float:
    """Return the share of hits among the surest answers: `coverage` of all of them, at least one."""
    surest = sorted(answers, key=lambda answer: -answer.confidence)
    return accuracy(surest[: max(1, round(coverage * len(answers)))])


def by_category(answers: Sequence[Answer]) -> dict[Category, Score]:
    """Return how well each category is told from the rest."""
    return {name: _score(answers, name) for name in Category}


def _score(answers: Sequence[Answer], name: Category) -> Score:
    hits = sum(answer.right == answer.said == name for answer in answers)
    said = sum(answer.said == name for answer in answers)
    right = sum(answer.right == name for answer in answers)
    return Score(
        precision=hits / said if said else None,
        recall=hits / right if right else None,
        f1=2 * hits / (said + right) if said + right else 0.0,
        messages=right,
    )


def macro_f1(scores: dict[Category, Score]) -> float:
    """Return the mean F1 of the categories that occur: among the messages, or among the answers."""
    occurring = [score.f1 for score in scores.values() if score.messages or score.precision is not None]
    return sum(occurring) / len(occurring) if occurring else 0.0


def calibration_error(answers: Sequence[Answer], bins: int = BINS) -> float:
    """Return the ECE. A confidence on the edge of two bands belongs to the lower one."""
    bands: dict[int, list[Answer]] = {}
    for answer in answers:
        bands.setdefault(max(0, math.ceil(answer.confidence * bins) - 1), []).append(answer)
    return sum(abs(sum(answer.hit - answer.confidence for answer in band)) / len(answers) for band in bands.values())
