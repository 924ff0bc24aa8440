"""Training of the local classifier: `bot train --data FOLDER`. Needs scikit-learn, which running the bot does not.

The folder holds `train.csv` and `dev.csv` (columns `text` and `label`). If `ambiguous.csv` (`text`, `source`,
`source_label`, `split`) and `mapping.csv` (`source`, `source_label`, `reason`) are there, rows that two categories may
claim teach the model to be unsure. The messages written for this project (`bot/patterns.py`) are learnt beside them.
The same folder makes the same artefact, byte by byte, with the same libraries.
"""

import random
import re
import time
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot import labelled, local_model, patterns, variants
from bot.errors import ConfigurationError
from bot.local_model import BUCKETS, CATEGORIES, LocalModel
from bot.model import Category

STRENGTH = 12.0  # of the logistic regression: the inverse of its regularisation
ROUNDS = 400
AMBIGUOUS_WEIGHT = 0.5  # of an ambiguous row, all its categories together; a plain row weighs 1
VARIANT_WEIGHT = 0.5
MISTYPED = 0.9  # share of the rows that are learnt with typing errors as well
MISTYPED_OTHER = 0.25  # the same for the category `other`: of its many rows a part will do
SHORTENED = 0.15
SEED = 20
LEAST_WEIGHT = 2  # in steps; what is less decides nothing, and without it the artefact is a sixth smaller
MET_TWICE = 2  # texts in which a feature or a word must stand to be known
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Score:
    """How well one category is told from the rest. Both are None where there is nothing to divide by."""

    precision: float | None
    recall: float | None


@dataclass(frozen=True, slots=True)
class Report:
    """What training made: rows learnt from, the share of `dev.csv` that comes out right, size of the artefact in bytes,
    time taken in seconds."""

    rows: int
    dev_accuracy: float
    categories: dict[Category, Score]
    size: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text and the share of each category (in the order of CATEGORIES) in it; the shares add up to its weight."""

    text: str
    shares: tuple[float, ...]


def train(data: Path, out: Path, own: Path = patterns.FOLDER, reviewed: Sequence[tuple[str, Category]] = ()) -> Report:
    """Learn from the files in `data`, the patterns in `own` and the `reviewed` messages, write the artefact to `out`,
    and score what was written on `dev.csv`.

    Raises ConfigurationError when scikit-learn, a file, a column or a category's rows are missing, a label is none of
    ours, or `out` cannot be written.
    """
    began = time.perf_counter()
    _require_scikit_learn()
    if not out.parent.is_dir():
        raise ConfigurationError(f"The model cannot be written to {out}: there is no such folder.")
    rows = read_labelled(data / "train.csv")
    dev = read_labelled(data / "dev.csv")
    absent = [str(name) for index, name in enumerate(CATEGORIES) if not any(row.shares[index] for row in rows)]
    if absent:
        raise ConfigurationError(f"{data / 'train.csv'} has no rows of: {', '.join(absent)}.")
    rows += read_own(own)
    rows += [_labelled(text, category) for text, category in reviewed]
    rows += distorted(rows)
    rows += read_ambiguous(data)
    save(with_fitted_temperature(fit(rows), dev), out)
    accuracy, categories = score(LocalModel.load(out), dev)
    return Report(len(rows), accuracy, categories, out.stat().st_size, time.perf_counter() - began)


def _require_scikit_learn() -> None:
    try:
        import sklearn  # noqa: F401
    except ImportError:
        raise ConfigurationError("Training needs scikit-learn: pip install 'firstline[train]'") from None


def read_labelled(path: Path) -> list[Labelled]:
    """Read a file of labelled messages. Raises ConfigurationError when it is not such a file."""
    return [_labelled(text, label) for text, label in labelled.read(path)]


def _labelled(text: str, label: Category) -> Labelled:
    return Labelled(text, tuple(float(label == name) for name in CATEGORIES))


def read_ambiguous(data: Path) -> list[Labelled]:
    """Read the training rows that several categories may claim: those which the reason in `mapping.csv` names, in the
    form "(one vs another)", have equal shares; if none, `other` has all. Without the files there are none."""
    if not (data / "ambiguous.csv").exists() or not (data / "mapping.csv").exists():
        return []
    intents = labelled.rows(data / "mapping.csv", ["source", "source_label", "reason"])
    claims = {(row["source"], row["source_label"]): _claims(row["reason"]) for row in intents}
    rows = labelled.rows(data / "ambiguous.csv", ["text", "source", "source_label", "split"])
    return [
        Labelled(row["text"], claims[row["source"], row["source_label"]]) for row in rows if row["split"] == "train"
    ]


def _claims(reason: str) -> tuple[float, ...]:
    named = [name for name in CATEGORIES if re.search(rf"\b{name} vs\b|\bvs {name}\b", reason)] or [Category.OTHER]
    return tuple(AMBIGUOUS_WEIGHT / len(named) * (name in named) for name in CATEGORIES)


def read_own(folder: Path) -> list[Labelled]:
    """Read the messages written for this project, and put some of them together."""
    written = patterns.read(folder)
    messages = [*written.messages, *variants.composed(written, random.Random(SEED))]
    return [Labelled(text, tuple(shares.get(name, 0.0) for name in CATEGORIES)) for text, shares in messages]


def distorted(rows: Sequence[Labelled]) -> list[Labelled]:
    """Return copies of some rows as people type them: with mistakes, with words cut short, without accents."""
    dice = random.Random(SEED)
    other = CATEGORIES.index(Category.OTHER)
    copies: list[Labelled] = []
    for row in rows:
        texts = []
        if dice.random() < (MISTYPED_OTHER if row.shares[other] else MISTYPED):
            texts.append(variants.mistyped(row.text, dice))
        if row.text.isascii() and not row.shares[other] and dice.random() < SHORTENED:
            texts.append(variants.shortened(row.text, dice))
        bare = variants.without_accents(row.text, dice)
        if bare != row.text.lower():
            texts.append(bare)
        copies += [Labelled(text, tuple(share * VARIANT_WEIGHT for share in row.shares)) for text in texts]
    return copies


def fit(rows: Sequence[Labelled]) -> LocalModel:
    """Fit the weights, and round them to one byte each. The temperature is left at 1."""
    from sklearn.linear_model import LogisticRegression

    counted = [_Counted.of(row.text) for row in rows]
    idf, idf_step = _rounded_idf(counted)
    unmet = float(idf.max() * idf_step)
    matrix = _matrix(counted, idf * np.float32(idf_step), unmet)
    shares = np.array([row.shares for row in rows])
    row_of, category_of = np.nonzero(shares)
    regression = LogisticRegression(C=STRENGTH, max_iter=ROUNDS)
    met = np.flatnonzero(idf)
    regression.fit(matrix[:, met][row_of], category_of, sample_weight=shares[row_of, category_of])
    weights, steps = _rounded_weights(regression.coef_, met)
    return LocalModel(
        weights=weights,
        weight_steps=steps,
        bias=regression.intercept_.astype(np.float32),
        idf=idf,
        idf_step=idf_step,
        unmet=unmet,
        temperature=1.0,
        known=_met_twice([row.hashes for row in counted]),
    )


@dataclass(frozen=True, slots=True)
class _Counted:
    """What the model sees of one text: its buckets, how often each occurs, its words' hashes."""

    buckets: NDArray[np.int64]
    counts: NDArray[np.int64]
    hashes: NDArray[np.uint32]

    @classmethod
    def of(cls, text: str) -> "_Counted":
        found = local_model.features(local_model.read(local_model.normalise(text)).words)
        buckets, counts = np.unique(found.buckets, return_counts=True)
        return cls(buckets, counts, np.unique(found.hashes))


def _met_twice(hashes: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    known, texts = np.unique(np.concatenate(hashes), return_counts=True)
    no_word = np.zeros(1, dtype=np.uint32)  # the hash of no characters: so that the list is never empty
    return np.union1d(no_word, known[texts >= MET_TWICE])


def _rounded_idf(counted: Sequence[_Counted]) -> tuple[NDArray[np.uint8], float]:
    """Return a byte per bucket and the worth of a step: ln((1 + texts) / (1 + texts with it)) + 1, or 0 if not met."""
    met = np.bincount(np.concatenate([row.buckets for row in counted]), minlength=BUCKETS)
    idf = np.where(met >= MET_TWICE, np.log((1 + len(counted)) / (1 + met)) + 1, 0)
    step = float(idf.max() / 255) or 1.0
    return np.rint(idf / step).astype(np.uint8), step


def _matrix(counted: Sequence[_Counted], idf: NDArray[np.float32], unmet: float) -> Any:
    """Return a sparse matrix of one text a row: count * idf, divided by the length that `LocalModel` divides by."""
    from scipy.sparse import csr_matrix

    values = [row.counts * idf[row.buckets] / _length(row, idf, unmet) for row in counted]
    ends = np.cumsum([0, *(len(row.buckets) for row in counted)])
    columns = np.concatenate([row.buckets for row in counted])
    return csr_matrix((np.concatenate(values), columns, ends), shape=(len(counted), BUCKETS))


def _length(row: _Counted, idf: NDArray[np.float32], unmet: float) -> float:
    met = idf[row.buckets]
    return float(np.sqrt((row.counts * np.where(met > 0, met, unmet) ** 2).sum())) or 1.0


def _rounded_weights(
    coefficients: NDArray[np.float64], met: NDArray[np.int64]
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return one byte per bucket and category, and the worth of each category's step. `met` says to which bucket each
    column of the coefficients belongs."""
    steps = (np.abs(coefficients).max(axis=1) / 127).astype(np.float32)
    steps[steps == 0] = 1
    weights = np.zeros((BUCKETS, len(CATEGORIES)), dtype=np.int8)
    weights[met] = np.rint(coefficients / steps[:, None]).T
    weights[np.abs(weights) < LEAST_WEIGHT] = 0
    return weights, steps


def with_fitted_temperature(model: LocalModel, dev: Sequence[Labelled]) -> LocalModel:
    """Return the model with the temperature at which its probabilities fit the labels of `dev` best (least log loss;
    Guo et al. 2017, "On Calibration of Modern Neural Networks")."""
    words = [local_model.read(local_model.normalise(row.text)).words for row in dev]
    logs = np.log(
        [model.probabilities(part) if part else np.full(len(CATEGORIES), 1 / len(CATEGORIES)) for part in words]
    )
    right = np.array([row.shares for row in dev]).argmax(axis=1)
    losses = {float(tried): _log_loss(logs / tried, right) for tried in np.geomspace(0.2, 5, 200)}
    return replace(model, temperature=min(losses, key=losses.__getitem__))


def _log_loss(logits: NDArray[np.float64], right: NDArray[np.int64]) -> float:
    chosen = logits[np.arange(len(right)), right]
    return float((np.logaddexp.reduce(logits, axis=1) - chosen).mean())


def score(model: LocalModel, rows: Sequence[Labelled]) -> tuple[float, dict[Category, Score]]:
    """Return the share of rows that `model.classify` gets right, and each category's precision and recall."""
    right = [CATEGORIES[int(np.argmax(row.shares))] for row in rows]
    said = [model.classify(row.text).category for row in rows]
    hits = Counter(is_so for is_so, answer in zip(right, said, strict=True) if is_so == answer)
    answers, truths = Counter(said), Counter(right)
    scores = {name: Score(_share(hits[name], answers[name]), _share(hits[name], truths[name])) for name in CATEGORIES}
    return hits.total() / len(rows), scores


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def save(model: LocalModel, out: Path) -> None:
    """Write the artefact so that `LocalModel.load` reads it: an .npz file without a date, first beside `out`, then in
    its place. Raises ConfigurationError when the folder cannot be written to."""
    beside = out.with_name(out.name + ".new")
    try:
        with zipfile.ZipFile(beside, "w") as archive:
            for name, array in sorted(model.arrays().items()):
                entry = zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH)  # np.savez would write the time of day
                entry.compress_type = zipfile.ZIP_DEFLATED
                with archive.open(entry, "w") as file:
                    np.lib.format.write_array(file, array, allow_pickle=False)
        beside.replace(out)
    except OSError as exc:
        raise ConfigurationError(f"The model cannot be written to {out}: {exc.strerror}.") from exc
