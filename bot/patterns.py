"""The training messages written for this project (`training_data/`): a pattern a line, and what it expands to.

In a pattern `[one|other]` is a choice and `{name}` stands for one of the words in its file's slot of that name. A file
has a table for each category that it has messages of; `remedies` are what people ask for whatever happened to them,
`fillers` what they write around it; `unsure` are messages that several categories may claim.
"""

import random
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
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
_SPACE = re.compile(r"\s+(?=[,.!?])|(?<=\s)\s+")

Shares = Mapping[Category, float]


@dataclass(frozen=True, slots=True)
class Written:
    """Messages with the shares of their categories, and the sentences that may stand beside any of them."""

    messages: list[tuple[str, Shares]] = field(default_factory=list)
    remedies: list[str] = field(default_factory=list)
    fillers: list[str] = field(default_factory=list)


def read(folder: Path = FOLDER) -> Written:
    """Return what the files in `folder` expand to; always the same, in the same order. Raises ConfigurationError when a
    file is not such a one."""
    written = Written()
    for path in sorted(folder.glob("*.toml")):
        try:
            _add(written, tomllib.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as exc:
            raise ConfigurationError(f"{path} does not hold training messages ({type(exc).__name__}: {exc}).") from exc
    return written


def _add(written: Written, data: dict[str, Any]) -> None:
    slots = {name: words.split("|") for name, words in data.pop("slots", {}).items()}
    written.remedies.extend(_all_of(data.pop("remedies", None), slots))
    written.fillers.extend(_all_of(data.pop("fillers", None), slots))
    unsure = data.pop("unsure", [])
    groups: list[tuple[Shares, Any]] = [({Category(name): 1.0}, group) for name, group in data.items()]
    groups += [({Category(name): part for name, part in group["shares"].items()}, group) for group in unsure]
    for shares, group in groups:
        written.messages.extend((text, shares) for text in _all_of(group, slots))


def _all_of(group: dict[str, str] | None, slots: Mapping[str, list[str]]) -> list[str]:
    lines = group["lines"].strip().splitlines() if group else []
    return [text for pattern in lines for text in expand(pattern, slots)]


def expand(pattern: str, slots: Mapping[str, list[str]]) -> list[str]:
    """Return up to MOST different messages of a pattern. Which ones depends on the pattern and the slots alone."""
    dice = random.Random(f"{SEED}{pattern}")
    found = dict.fromkeys(_one_of(pattern, slots, dice) for _ in range(MOST * TRIES))
    return list(found)[:MOST]


def _one_of(pattern: str, slots: Mapping[str, list[str]], dice: random.Random) -> str:
    chosen = _CHOICE.sub(lambda found: dice.choice(found[1].split("|")), pattern)
    filled = _SLOT.sub(lambda found: dice.choice(slots[found[1]]), chosen)
    return _SPACE.sub("", filled).strip()
