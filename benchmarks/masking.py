"""How often a mask falls where there is nothing to hide.

    python benchmarks/masking.py --data FOLDER [--show 20]

FOLDER holds `train.csv` and `dev.csv` (column `text`), of customers who tell no secrets: whatever is masked there was
masked for nothing. Ends with 1 if that is more than one message in a hundred.
"""

import argparse
import csv
import sys
import time
from pathlib import Path

from bot.contacts import hide_contacts
from bot.masking import mask

MOST = 0.01


def main() -> int:
    parser = argparse.ArgumentParser(description="How often a mask falls where there is nothing to hide.")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--show", type=int, default=20, help="how many of them to print")
    args = parser.parse_args()
    worst = 0.0
    for name in ("train.csv", "dev.csv"):
        with (args.data / name).open(newline="", encoding="utf-8") as file:
            texts = [row["text"] for row in csv.DictReader(file)]
        worst = max(worst, report(name, texts, args.show))
    return int(worst > MOST)


def report(name: str, texts: list[str], show: int) -> float:
    """Print what was masked in these texts, and return the share of them."""
    began = time.perf_counter()
    masked = [mask(text) for text in texts]
    seconds = time.perf_counter() - began
    changed = [(text, after) for text, after in zip(texts, masked, strict=True) if after != text]
    hidden = sum(hide_contacts(text) != text for text in masked)
    share = len(changed) / len(texts)
    print(
        f"{name}: {len(changed)} of {len(texts)} masked ({share:.2%}), {hidden} with an address or a phone number for "
    )
    print(f"the model ({hidden / len(texts):.2%}), {seconds / len(texts) * 1e6:.1f} µs a message")
    for text, after in changed[:show]:
        print(f"  {text[:100]!r} -> {after[:100]!r}")
    return share


if __name__ == "__main__":
    sys.exit(main())
