"""Training, on an invented sample."""

import csv
import sys
from pathlib import Path

import pytest

from bot.errors import ConfigurationError
from bot.local_model import CATEGORIES, LocalModel
from bot.model import Category
from bot.training import Report, read_ambiguous
from bot.training import train as train_beside

PROBLEMS = {
    "duplicate_payment": "charged twice|billed two times|double charge|paid double|two identical charges",
    "failed_payment": "payment failed|payment declined|transfer bounced|payment rejected|checkout failed",
    "fraud_report": "stolen card used|unknown purchase fraud|hacked and robbed|fraud on my card|not my purchase",
    "refund_request": "want my money back|refund my order|send a refund|reimburse me|give back the money",
    "account_locked": "account locked|cannot log in|password refused|locked out|login blocked",
    "statement_error": "wrong balance|statement is wrong|balance does not add up|missing on statement|statement error",
    "other": "opening hours|change my address|hello there|thanks a lot|what is your phone number",
}
SAMPLE = [
    (f"{before}{problem}{after}", label)
    for label, problems in PROBLEMS.items()
    for problem in problems.split("|")
    for before, after in [("", ""), ("please help, ", " today")]
]
HELD_OUT = [(f"hi, {problems.split('|')[0]} again", label) for label, problems in PROBLEMS.items()]


def train(data: Path, out: Path) -> Report:
    """Learn from the sample alone: without our own messages, which take a minute."""
    return train_beside(data, out, own=data / "no such folder")


def write(path: Path, header: list[str], rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([tuple(header), *rows])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "train.csv", ["text", "label"], SAMPLE)
    write(tmp_path / "dev.csv", ["text", "label"], HELD_OUT)
    return tmp_path


def test_a_small_sample_is_learnt(data: Path) -> None:
    report = train(data, data / "model.npz")
    model = LocalModel.load(data / "model.npz")
    wrong = [text for text, label in [*SAMPLE, *HELD_OUT] if model.classify(text).category != label]
    assert wrong == []
    assert report.dev_accuracy == 1


def test_the_report_tells_what_was_made(data: Path) -> None:
    report = train(data, data / "model.npz")
    assert isinstance(report, Report)
    assert report.rows >= len(SAMPLE)
    assert report.size == (data / "model.npz").stat().st_size
    assert report.seconds > 0
    assert set(report.categories) == set(Category)
    assert report.categories[Category.FRAUD_REPORT].recall == 1


def test_a_category_without_dev_rows_has_no_recall(data: Path) -> None:
    write(data / "dev.csv", ["text", "label"], [row for row in HELD_OUT if row[1] != "other"])
    assert train(data, data / "model.npz").categories[Category.OTHER].recall is None


def test_the_same_data_make_the_same_bytes(data: Path) -> None:
    train(data, data / "one.npz")
    train(data, data / "two.npz")
    assert (data / "one.npz").read_bytes() == (data / "two.npz").read_bytes()


def test_ambiguous_rows_are_shared_between_the_categories_that_claim_them(data: Path) -> None:
    mapping = [("bank", "lost_card", "loss of a card (fraud_report vs other vs account_locked)"), ("bank", "moan", "?")]
    write(data / "mapping.csv", ["source", "source_label", "reason"], mapping)
    rows = [("lost it", "bank", "lost_card", "train"), ("bah", "bank", "moan", "train"), ("x", "bank", "moan", "dev")]
    write(data / "ambiguous.csv", ["text", "source", "source_label", "split"], rows)
    shared = [
        {name for name, share in zip(CATEGORIES, row.shares, strict=True) if share} for row in read_ambiguous(data)
    ]
    assert shared == [{"fraud_report", "account_locked", "other"}, {"other"}]
    assert train(data, data / "model.npz").dev_accuracy == 1


def test_a_folder_without_rows_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"There is no .*train\.csv"):
        train(tmp_path, tmp_path / "model.npz")


@pytest.mark.parametrize(
    ("header", "rows", "complaint"),
    [
        (["text", "intent"], [("hi", "other")], "no rows with: label"),
        (["text", "label"], [], "no rows with: text, label"),
        (["text", "label"], [("hi", "greeting")], "no category: greeting"),
        (["text", "label"], [("hi", "other")], "has no rows of: duplicate_payment, failed_payment"),
    ],
)
def test_rows_that_cannot_be_learnt_from_are_refused(
    data: Path, header: list[str], rows: list[tuple[str, ...]], complaint: str
) -> None:
    write(data / "train.csv", header, rows)
    with pytest.raises(ConfigurationError, match=complaint):
        train(data, data / "model.npz")


def test_a_place_that_cannot_be_written_to_is_refused(data: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        train(data, data / "no such folder" / "model.npz")


def test_without_scikit_learn_the_remedy_is_named(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'firstline\[train\]'"):
        train(data, data / "model.npz")
