"""Training messages written for this project (`training_data/`), a pattern a line, and what they expand to.

In a pattern `[one|other]` is a choice and `{name}` stands for one of the words in its file's slot of that name.
"""

import random
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bot.errors import ConfigurationError
from bot.model import Category

FOLDER = Path(__file__).with_name("training_data")
SEED = 21
MOST = 12  # messages of one pattern at most
TRIES = 3  # draws for each of them: patterns with few choices have few different messages

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_SPACE_BEFORE = re.compile(r"\s+(?=[,.!?])|(?<=\s)\s+")

Shares = Mapping[Category, float]


def messages(folder: Path = FOLDER) -> Iterator[tuple[str, Shares]]:
    """Yield the messages of all files in `folder`, each with the shares of its categories; always the same ones, in the
    same order. Raises ConfigurationError when a file is not such a one."""
    for path in sorted(folder.glob("*.toml")):
        try:
            yield from _of_file(tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ConfigurationError(f"{path} does not hold training messages ({type(exc).__name__}: {exc}).") from exc


def _of_file(data: dict[str, Any]) -> Iterator[tuple[str, Shares]]:
    slots = {name: words.split("|") for name, words in data.pop("slots", {}).items()}
    unsure = data.pop("unsure", [])
    groups = [({Category(name): 1.0}, group["lines"]) for name, group in data.items()]
    groups += [({Category(name): part for name, part in one["shares"].items()}, one["lines"]) for one in unsure]
    for shares, lines in groups:
        for pattern in lines.strip().splitlines():
            for text in expand(pattern, slots):
                yield text, shares


def expand(pattern: str, slots: Mapping[str, list[str]]) -> list[str]:
    """Return up to MOST different messages of a pattern. Which ones depends on the pattern and the slots alone."""
    dice = random.Random(f"{SEED}{pattern}")
    found = dict.fromkeys(_one_of(pattern, slots, dice) for _ in range(MOST * TRIES))
    return list(found)[:MOST]


def _one_of(pattern: str, slots: Mapping[str, list[str]], dice: random.Random) -> str:
    chosen = _CHOICE.sub(lambda found: dice.choice(found[1].split("|")), pattern)
    filled = _SLOT.sub(lambda found: dice.choice(slots[found[1]]), chosen)
    return _SPACE_BEFORE.sub("", filled).strip()
