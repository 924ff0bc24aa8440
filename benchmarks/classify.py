"""The local classifier against the plain design: TF-IDF of words and characters, and logistic regression, of sklearn.

python benchmarks/classify.py [FOLDER]

FOLDER holds `train.csv` and `dev.csv`. The plain one is trained twice: on `train.csv` alone, and on all the messages
that ours learns from (without the copies that are mistyped on purpose). Without FOLDER only ours is measured, on the
sets in tests/data/classify, which nothing is trained on. Times are CPU time of this thread, a message.
"""

import csv
import pickle
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from harness import ROOT

from bot import labelled
from bot.evaluation import Evaluation, evaluate
from bot.local_model import CATEGORIES, DEFAULT, LocalModel
from bot.model import SURE, Category, Classification

SETS = ROOT / "tests" / "data" / "classify"
Messages = list[tuple[str, Category]]
Contender = Callable[[str], Classification]


def sets(folder: Path | None) -> dict[str, Messages]:
    """Return the labelled sets by name: dev.csv, and our own; the languages one by one."""
    found = {} if folder is None else {"dev.csv": labelled.read(folder / "dev.csv")}
    found |= {name: labelled.read(SETS / f"{name}.csv") for name in ("incidents", "typos", "long", "two_issues")}
    with (SETS / "languages.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["language"], []).append((row["text"], Category(row["label"])))
    return found


class Plain:
    """What one writes first: TF-IDF of words and pairs, and of 2 to 5 characters in words; logistic regression."""

    def __init__(self, texts: Sequence[str], labels: Sequence[int], weights: Sequence[float]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import FeatureUnion

        words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
        self.vectorizer = FeatureUnion([("words", words), ("characters", characters)])
        self.regression = LogisticRegression(C=10, max_iter=300)
        self.regression.fit(self.vectorizer.fit_transform(texts), labels, sample_weight=weights)

    def __call__(self, text: str) -> Classification:
        chances = self.regression.predict_proba(self.vectorizer.transform([text]))[0]
        best = int(chances.argmax())
        return Classification(CATEGORIES[best], float(chances[best]), "", "plain")

    @property
    def size(self) -> int:
        """Bytes, pickled with half-size numbers and compressed."""
        stored = (self.vectorizer, self.regression.coef_.astype(np.float16), self.regression.intercept_)
        return len(zlib.compress(pickle.dumps(stored)))


def plain_ones(folder: Path) -> dict[str, Plain]:
    from bot import training

    given = training.read_labelled(folder / "train.csv")
    own = training.read_own(training.patterns.FOLDER)
    contenders = {}
    for name, rows in {"plain": given, "plain, our messages": given + own}.items():
        shares = np.array([row.shares for row in rows])
        row_of, label_of = np.nonzero(shares)
        texts = [rows[index].text for index in row_of]
        contenders[name] = Plain(texts, label_of, shares[row_of, label_of])
    return contenders


def instructed(classify: Contender) -> str:
    """Say of how many texts that instruct a classifier it is steered: another category than the cause's, and sure."""
    with (SETS / "injection.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    answers = [(row["label"], classify(row["text"])) for row in rows]
    steered = sum(found.category != label and (found.confidence or 0) >= SURE for label, found in answers)
    return f"{steered} of {len(rows)}"


def milliseconds(classify: Contender, messages: Messages, rounds: int = 5) -> float:
    """Return the CPU time of a message: of the quickest of some rounds over short messages."""
    texts = [text for text, _ in messages][:200]
    spent = []
    for _ in range(rounds):
        began = time.thread_time()
        for text in texts:
            classify(text)
        spent.append((time.thread_time() - began) / len(texts) * 1000)
    return min(spent)


def unsure(classify: Contender, messages: Messages) -> str:
    """Say which share of the answers is below SURE, and how many of the others are right."""
    sure = [found.category == right for text, right in messages if (found := classify(text)).confidence >= SURE]
    return f"{1 - len(sure) / len(messages):6.1%} {sum(sure) / max(len(sure), 1):6.1%}"


def line(found: Evaluation, rest: str) -> str:
    return (
        f"{found.accuracy:6.1%} {found.macro_f1:6.1%} {found.accuracy_at_90:6.1%} {found.accuracy_at_80:6.1%} "
        f"{found.ece:6.3f} {rest}"
    )


def compare(contenders: dict[str, Contender], sizes: dict[str, int], folder: Path | None) -> None:
    print(f"{'set':11} {'':20} {'acc':>6} {'F1':>6} {'@90':>6} {'@80':>6} {'ECE':>6} {'unsure':>6} {'sure':>6}")
    for name, messages in sets(folder).items():
        for who, classify in contenders.items():
            print(f"{name:11} {who:20} {line(evaluate(classify, messages), unsure(classify, messages))}")
    incidents = sets(None)["incidents"]
    times = {who: milliseconds(classify, incidents) for who, classify in contenders.items()}
    for who, classify in contenders.items():
        print(
            f"{who:20} {sizes[who] / 1e6:.2f} MB, {times[who]:.3f} ms a message, steered by {instructed(classify)}; "
            f"time of ours against it {times['ours'] / times[who]:.3f}"
        )


def main(folder: Path | None = None) -> None:
    plain = {} if folder is None else plain_ones(folder)
    sizes = {who: one.size for who, one in plain.items()} | {"ours": DEFAULT.stat().st_size}
    compare({**plain, "ours": LocalModel.load().classify}, sizes, folder)


if __name__ == "__main__":
    main(*(Path(value) for value in sys.argv[1:]))
