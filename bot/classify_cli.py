"""`bot classify`: how good the classifiers are, and what they say about messages from a file or a pipe."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from bot.evaluation import Evaluation
from bot.model import Category

app = typer.Typer(no_args_is_help=True, help="How well messages are classified.")

Name = Annotated[Literal["local", "gemini", "cascade"], typer.Option("--classifier", help="Who classifies.")]


@app.command(name="eval")
def evaluate(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="Labelled messages: columns text and label.")],
    classifier: Name = "local",
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Let a classifier answer labelled messages, and print how well it did."""
    from bot import evaluation, labelled
    from bot.app import artefact_size, classifier_named

    messages = labelled.read(file)
    asked = classifier_named(classifier)
    with _progress(len(messages)) as step:
        found = evaluation.evaluate(asked, messages, artefact_size(classifier), step)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        _show(found)


@app.command()
def predict(classifier: Name = "local") -> None:
    """Classify what comes in, a message a line or JSON with "text" a line, and write JSON a line in the same order."""
    from bot.app import classifier_named
    from bot.classify import Ladder

    ask = Ladder([classifier_named(classifier)])
    sys.stdin.reconfigure(encoding="utf-8", errors="surrogateescape", newline="\n")  # type: ignore[union-attr]
    for line in sys.stdin:
        text = message(line.removesuffix("\n"))
        found = ask(text)
        print(json.dumps({"text": text, "category": found.category, "confidence": found.confidence}), flush=True)


def message(line: str) -> str:
    """Return the text of a line: that of a JSON object with one, or the line itself, not a character changed."""
    if line.lstrip().startswith("{"):
        try:
            data = json.loads(line)
        except (ValueError, RecursionError):
            return line
        if isinstance(data, dict) and isinstance(data.get("text"), str):
            return str(data["text"])
    return line


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], object]]:
    """Show on stderr how far we are, if that is a terminal; yield what is called for each step."""
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("classifying", total=total)
        yield lambda: bar.advance(task)


def _show(found: Evaluation) -> None:
    out = Console(highlight=False, markup=False, emoji=False)
    figures = {
        "messages": f"{found.messages}",
        "accuracy": f"{found.accuracy:.1%}",
        "macro-F1": f"{found.macro_f1:.1%}",
        "accuracy, surest 90 %": f"{found.accuracy_at_90:.1%}",
        "accuracy, surest 80 %": f"{found.accuracy_at_80:.1%}",
        "calibration error": f"{found.ece:.3f}",
        "a message, median": f"{found.median_ms:.2f} ms",
        "a message, p95": f"{found.p95_ms:.2f} ms",
        "not answered": f"{found.failed}" if found.failed else "",
        "artefact": f"{found.size / 1e6:.2f} MB" if found.size else "",
    }
    table = Table.grid(padding=(0, 2))
    for name, value in figures.items():
        if value:
            table.add_row(name, value)
    out.print(table)
    out.print()
    out.print(_categories(found))


def _categories(found: Evaluation) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("category")
    for name in ("precision", "recall", "F1", "messages"):
        table.add_column(name, justify="right")
    for name in Category:
        score = found.categories[name]
        table.add_row(name, _share(score.precision), _share(score.recall), _share(score.f1), str(score.messages))
    return table


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"
