"""How many of Gemini's calls CLASSIFIER=cascade saves, and what that costs in accuracy.

    python benchmarks/cascade.py --data FOLDER [--precision 0.995] [--gemini 0.98]

FOLDER holds `dev.csv` (columns `text`, `label`). Finds the least confidence from which on the local model in use is
right in 99.5 % of the messages: the figure `ENOUGH` in bot/classify.py. Then sends the messages through a real cascade,
with a stand-in for Gemini that is right as often as --gemini says, drawn at random.

What it cannot tell: how often Gemini itself is right. --gemini is a figure that somebody claims, taken as it is; and it
is applied to the messages of which the local model is not sure, which are the harder ones.
"""

import argparse
import csv
import random
from collections.abc import Sequence
from pathlib import Path

from bot.classify import ENOUGH, Cascade
from bot.local_model import LocalModel
from bot.model import Category, Classification

Row = tuple[str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description="How many of Gemini's calls the cascade saves, at what accuracy.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--precision", type=float, default=0.995)
    parser.add_argument("--gemini", type=float, default=0.98, help="how often Gemini is right; claimed, not measured")
    args = parser.parse_args()
    with (args.data / "dev.csv").open(newline="", encoding="utf-8") as file:
        rows = [(row["text"], row["label"]) for row in csv.DictReader(file)]
    local = LocalModel.load().classify
    judged = [(said.confidence or 0, said.category == label) for text, label in rows for said in [local(text)]]
    least = threshold(judged, args.precision)
    print(f"{len(rows)} messages of dev.csv; the local model alone: {share([right for _, right in judged]):.2%} right")
    print(f"it is right in {args.precision:.1%} of the messages from a confidence of {least:.3f} on;")
    print(f"bot/classify.py has ENOUGH = {ENOUGH}")
    for enough in dict.fromkeys((least, ENOUGH)):
        report(rows, judged, enough, args.gemini)


def threshold(judged: Sequence[tuple[float, bool]], precision: float) -> float:
    """The least confidence that at least one message has, and from which on this share of them is right."""
    best, right = 1.0, 0
    ordered = sorted(judged, reverse=True)
    for number, (confidence, is_right) in enumerate(ordered, 1):
        right += is_right
        is_last_of_its_kind = number == len(ordered) or ordered[number][0] < confidence
        if is_last_of_its_kind and right / number >= precision:
            best = confidence
    return best


def report(rows: Sequence[Row], judged: Sequence[tuple[float, bool]], enough: float, gemini: float) -> None:
    asked: list[str] = []
    labels = dict(rows)
    draw = random.Random(1)

    def stand_in(text: str) -> Classification:
        asked.append(text)
        is_right = draw.random() < gemini
        others = [other for other in Category if other != labels[text]]
        category = Category(labels[text]) if is_right else draw.choice(others)
        return Classification(category, 0.95, "", "stand-in")

    cascade = Cascade(LocalModel.load().classify, stand_in, enough)
    right = share([cascade(text).category == label for text, label in rows])
    kept = [is_right for confidence, is_right in judged if confidence >= enough]
    print(
        f"\nfrom {enough:.3f} on: {1 - len(asked) / len(rows):.1%} of the calls saved, {share(kept):.2%} of those right"
    )
    print(f"  local model alone        {share([is_right for _, is_right in judged]):.2%}")
    print(f"  cascade                  {right:.2%}, if Gemini is right in {gemini:.0%} of what it is asked")
    print(f"  Gemini alone             {gemini:.2%}, as claimed")


def share(outcomes: Sequence[bool]) -> float:
    return sum(outcomes) / len(outcomes) if outcomes else 0.0


if __name__ == "__main__":
    main()
