"""Files of labelled messages: CSV with a header, UTF-8, the columns `text` and `label` (a category)."""

import csv
from collections.abc import Sequence
from pathlib import Path

from bot.errors import ConfigurationError
from bot.model import Category


def rows(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV file. Raises ConfigurationError when it cannot be read, is empty or lacks a column."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
    except FileNotFoundError:
        raise ConfigurationError(f"There is no {path}.") from None
    except (OSError, ValueError, csv.Error) as exc:
        raise ConfigurationError(f"{path} cannot be read as CSV ({type(exc).__name__}).") from exc
    missing = [name for name in columns if not found or found[0].get(name) is None]
    if missing:
        raise ConfigurationError(f"{path} has no rows with: {', '.join(missing)}.")
    return found


def read(path: Path) -> list[tuple[str, Category]]:
    """Read labelled messages. Raises ConfigurationError when `path` is no such file, or a label is no category."""
    found = rows(path, ["text", "label"])
    wrong = sorted({str(row["label"]) for row in found} - set(Category))
    if wrong:
        raise ConfigurationError(f"{path} has labels that are no category: {', '.join(wrong[:5])}.")
    return [(row["text"], Category(row["label"])) for row in found]
