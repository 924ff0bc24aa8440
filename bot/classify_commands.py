"""`bot classify report`: how well messages were classified, by what agents decided. The group's other commands are in
`classify_cli`."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bot.classify_cli import app as classify
from bot.reviews import Report


def add_commands(app: typer.Typer) -> None:
    """Add the group to the command line."""
    app.add_typer(classify, name="classify")


@classify.command()
def report(
    svg: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to draw the calibration.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
) -> None:
    """Hold what classifiers said against what agents decided."""
    from bot import reviews
    from bot.app import open_database
    from bot.errors import FirstlineError
    from bot.settings import Settings

    open_database(Settings.read(), migrating=False)
    found = Report.of(reviews.reviewed())
    if svg is not None:
        try:
            svg.write_text(reviews.picture(found), encoding="utf-8")
        except OSError as exc:
            raise FirstlineError(f"{svg} cannot be written ({exc.strerror}).") from None
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        _show(found)


def _show(found: Report) -> None:
    out = Console(highlight=False, markup=False, emoji=False)
    if not found.number:
        out.print("No agent has confirmed or changed a category yet: bot category TICKET NAME")
        return
    out.print(f"{found.number} decisions of agents, {found.right} of them as predicted ({_percent(found.accuracy)}).")
    out.print("Agents are asked where nobody was sure, so these are harder messages than most.\n")
    out.print(_confusion(found))
    out.print()
    out.print(_categories(found))
    out.print()
    out.print(_calibration(found))
    ece = "" if found.ece is None else f"calibration error {found.ece:.3f}; "
    models = (f"{name} {right} of {told}" for name, (told, right) in found.by_model.items())
    out.print(f"\n{ece}right by who predicted: {', '.join(models)}")


def _confusion(found: Report) -> Table:
    """A row for what agents decided, a column for what was predicted; categories that never occur are left out."""
    named = [one.category for one in found.categories if one.predicted or one.decided]
    table = _table("decided, below; predicted, to the right", *(name.replace("_", " ") for name in named))
    for decided in named:
        counts = found.confusion[decided]
        table.add_row(decided, *(str(counts[predicted] or "·") for predicted in named))
    return table


def _categories(found: Report) -> Table:
    table = _table("category", "precision", "recall", "predicted", "decided", "right")
    for one in found.categories:
        if one.predicted or one.decided:
            counts = (str(number) for number in (one.predicted, one.decided, one.right))
            table.add_row(one.category, _percent(one.precision), _percent(one.recall), *counts)
    return table


def _calibration(found: Report) -> Table:
    table = _table("confidence", "messages", "on average", "right")
    for one in found.bins:
        table.add_row(
            f"{one.low:.1f} to {one.low + 0.1:.1f}", str(one.number), f"{one.confidence:.2f}", _percent(one.accuracy)
        )
    return table


def _table(first: str, *more: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first)
    for name in more:
        table.add_column(name, justify="right")
    return table


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
