"""What agents have said messages are about, and how well the classifiers did by it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from bot.errors import FirstlineError
from bot.model import Category, Incident
from storage import database
from storage import reviews as kept

if TYPE_CHECKING:
    from bot import training

BINS: Final = 10
"""Into how many equal parts the confidences from 0 to 1 are put."""


def keep(incident: Incident, decided: Category, by: str, at: datetime) -> None:
    """Keep a person's decision, beside what had been predicted. Inside the transaction that changes the incident."""
    if incident.reviewed_by is not None:
        kept.change(incident.id, decided, by, at)
        return
    kept.keep(
        {
            "incident": incident.id,
            "text": incident.message,
            "predicted": incident.category,
            "confidence": incident.confidence,
            "classified_by": incident.classified_by,
            "decided": decided,
            "decided_by": by,
            "decided_at": at,
        }
    )


@dataclass(frozen=True, slots=True)
class Review:
    """A message, what was predicted (with which confidence; None: nobody could say), and what a person decided."""

    text: str
    predicted: Category
    confidence: float | None
    classified_by: str
    decided: Category

    @property
    def is_right(self) -> bool:
        return self.predicted is self.decided


def reviewed() -> list[Review]:
    """Read all that was decided, the oldest first."""
    with database.session():
        rows = kept.all_of_them()
    return [
        Review(
            row["text"], Category(row["predicted"]), row["confidence"], row["classified_by"], Category(row["decided"])
        )
        for row in rows
    ]


def labelled() -> list[tuple[str, Category]]:
    """Return the messages with what they are about, to learn from."""
    return [(review.text, review.decided) for review in reviewed()]


def is_worse(new: float, old: float) -> bool:
    """Whether a model with this accuracy on dev must not take the place of one with that."""
    return new < old


def train(data: Path, out: Path, **more: Any) -> "training.Report":
    """Train the local model as `training.train` does, and from what agents decided as well. Raises FirstlineError, and
    leaves `out` (or else the model in use) as it is, if what was learnt is worse than that on `dev.csv`."""
    from bot import training
    from bot.local_model import DEFAULT, LocalModel

    new = out.with_name(f".{out.name}.new")
    try:
        report = training.train(data, new, reviewed=labelled(), **more)
        before = LocalModel.load(out if out.exists() else DEFAULT)
        old, _ = training.score(before, training.read_labelled(data / "dev.csv"))
        if is_worse(report.dev_accuracy, old):
            raise FirstlineError(
                f"The new model is worse on dev.csv ({report.dev_accuracy:.1%}, before {old:.1%}) and was not taken. "
                "See what agents decided: bot classify report"
            )
        new.replace(out)
    finally:
        new.unlink(missing_ok=True)
    return report


@dataclass(frozen=True, slots=True)
class OfCategory:
    """How well a category was predicted. `precision` is the share of right ones among what was predicted to be of it,
    `recall` among what is; None where there is nothing to count."""

    category: Category
    predicted: int
    decided: int
    right: int

    @property
    def precision(self) -> float | None:
        return _share(self.right, self.predicted)

    @property
    def recall(self) -> float | None:
        return _share(self.right, self.decided)


@dataclass(frozen=True, slots=True)
class Bin:
    """The predictions of about one confidence: from `low` to `low` + 1 / BINS. `confidence` is their mean, `accuracy`
    the share of them that was right."""

    low: float
    number: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Report:
    """What `bot classify report` tells. `confusion[decided][predicted]` counts; `ece` is the expected calibration
    error: by how much confidence and accuracy differ, on average."""

    number: int
    right: int
    confusion: dict[Category, dict[Category, int]]
    categories: tuple[OfCategory, ...]
    bins: tuple[Bin, ...]
    ece: float | None
    by_model: dict[str, tuple[int, int]]

    @property
    def accuracy(self) -> float | None:
        return _share(self.right, self.number)

    @classmethod
    def of(cls, reviews: Sequence[Review]) -> "Report":
        pairs = Counter((review.decided, review.predicted) for review in reviews)
        told = Counter(review.classified_by for review in reviews)
        right = Counter(review.classified_by for review in reviews if review.is_right)
        bins = calibration(reviews)
        counted = sum(one.number for one in bins)
        gaps = sum(one.number * abs(one.confidence - one.accuracy) for one in bins)
        return cls(
            number=len(reviews),
            right=sum(right.values()),
            confusion={decided: {named: pairs[decided, named] for named in Category} for decided in Category},
            categories=tuple(
                OfCategory(
                    category=one,
                    predicted=sum(pairs[decided, one] for decided in Category),
                    decided=sum(pairs[one, named] for named in Category),
                    right=pairs[one, one],
                )
                for one in Category
            ),
            bins=bins,
            ece=gaps / counted if counted else None,
            by_model={name: (told[name], right[name]) for name in sorted(told)},
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "reviews": self.number,
            "right": self.right,
            "accuracy": self.accuracy,
            "ece": self.ece,
            "confusion": self.confusion,
            "categories": {
                one.category: {
                    "predicted": one.predicted,
                    "decided": one.decided,
                    "right": one.right,
                    "precision": one.precision,
                    "recall": one.recall,
                }
                for one in self.categories
            },
            "calibration": [
                {"from": one.low, "number": one.number, "confidence": one.confidence, "accuracy": one.accuracy}
                for one in self.bins
            ],
            "by_model": {name: {"reviews": told, "right": right} for name, (told, right) in self.by_model.items()},
        }


def calibration(reviews: Sequence[Review]) -> tuple[Bin, ...]:
    """Put the predictions that have a confidence into bins; those without any stay out, and so do empty bins."""
    found: dict[int, list[tuple[float, bool]]] = {}
    for review in reviews:
        if review.confidence is not None:
            place = min(int(review.confidence * BINS), BINS - 1)
            found.setdefault(place, []).append((review.confidence, review.is_right))
    return tuple(
        Bin(
            low=place / BINS,
            number=len(of_it),
            confidence=sum(confidence for confidence, _ in of_it) / len(of_it),
            accuracy=sum(is_right for _, is_right in of_it) / len(of_it),
        )
        for place, of_it in sorted(found.items())
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


# --- the picture

SIDE: Final = 320
LEFT: Final = 56
TOP: Final = 40
BELOW: Final = 90
"""Pixels: of the square, and of the room around it; below it stands how many predictions each bar is made of."""


def picture(report: Report) -> str:
    """Draw how sure the classifiers were against how often they were right, as an SVG. On the dotted line confidence
    and accuracy are the same; a bar below it was too sure of itself."""
    width, height = LEFT + SIDE + 24, TOP + SIDE + BELOW
    ece = "" if report.ece is None else f", calibration error {report.ece:.3f}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11" role="img">',
        f"<title>Calibration: {report.number} decisions of agents{ece}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(LEFT + SIDE / 2, 22, f"{report.number} decisions of agents{ece}", "middle", 13),
        *_axes(),
        *(part for one in report.bins for part in _bar(one)),
        f'<line x1="{LEFT}" y1="{TOP + SIDE}" x2="{LEFT + SIDE}" y2="{TOP}" stroke="#555555" stroke-dasharray="4 3"/>',
        _text(LEFT + SIDE / 2, TOP + SIDE + 76, "confidence (below each bar: how many)", "middle", 11),
        f'<text x="16" y="{TOP + SIDE / 2:g}" text-anchor="middle" '
        f'transform="rotate(-90 16 {TOP + SIDE / 2:g})">share that was right</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes() -> list[str]:
    parts = []
    for step in range(0, 11, 2):
        at = step / 10
        y = TOP + SIDE * (1 - at)
        parts.append(f'<line x1="{LEFT}" y1="{y:g}" x2="{LEFT + SIDE}" y2="{y:g}" stroke="#dddddd"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{at:.0%}", "end", 11))
        parts.append(_text(LEFT + SIDE * at, TOP + SIDE + 34, f"{at:.1f}", "middle", 11))
    return parts


def _bar(one: Bin) -> list[str]:
    x, wide = LEFT + SIDE * one.low, SIDE / BINS
    tall = SIDE * one.accuracy
    colour = "#c0504d" if one.confidence - one.accuracy > 0.1 else "#4f81bd"
    return [
        f'<rect x="{x + 2:g}" y="{TOP + SIDE - tall:.1f}" width="{wide - 4:g}" height="{tall:.1f}" fill="{colour}"/>',
        f'<circle cx="{LEFT + SIDE * one.confidence:.1f}" cy="{TOP + SIDE - tall:.1f}" r="3" fill="#222222"/>',
        _text(x + wide / 2, TOP + SIDE + 54, str(one.number), "middle", 10),
    ]


def _text(x: float, y: float, text: str, anchor: str, size: int) -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size}">{text}</text>'
