"""What agents decide is kept beside what was predicted, and the classifiers are judged by it."""

import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot import reviews, training
from bot.__main__ import app
from bot.errors import Conflict, FirstlineError
from bot.local_model import LocalModel
from bot.model import Caller, Category, Classification, Role
from bot.reviews import Report, Review, calibration, picture
from storage.tables import Review as Row
from tests.fakes import TestClock
from tests.house import CLERK, House
from tests.postgres import ON_SQLITE

DUPLICATE, REFUND, FRAUD = Category.DUPLICATE_PAYMENT, Category.REFUND_REQUEST, Category.FRAUD_REPORT
ROOT = Caller("root", Role.ADMIN)


def hesitant(text: str) -> Classification:
    return Classification(REFUND, 0.55, "it says money", "local")


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock, classifier=hesitant)
    yield house
    house.stop()


def rows(house: House) -> list[dict[str, Any]]:
    return [{name: row[name] for name in row if name not in ("id", "incident", "decided_at")} for row in house.all(Row)]


KEPT = {
    "text": "I was charged twice, card [card …4242]",
    "predicted": "refund_request",
    "confidence": 0.55,
    "classified_by": "local",
    "decided": "duplicate_payment",
    "decided_by": "clerk",
}


def test_a_change_is_kept_with_the_masked_text_and_what_was_predicted(house: House, clock: TestClock) -> None:
    ticket = house.write("I was charged twice, card 4242 4242 4242 4242")["ticket_id"]
    house.commands.category(ticket, CLERK, "duplicate_payment")
    assert rows(house) == [KEPT]
    assert house.all(Row)[0]["decided_at"] == clock.now
    assert reviews.labelled() == [(KEPT["text"], DUPLICATE)]


def test_a_confirmation_is_kept(house: House) -> None:
    ticket = house.write("I was charged twice, card 4242 4242 4242 4242")["ticket_id"]
    house.commands.category(ticket, CLERK, "refund_request")
    assert rows(house) == [{**KEPT, "decided": "refund_request"}]


def test_a_second_decision_replaces_the_first_and_what_was_predicted_stays(house: House) -> None:
    ticket = house.write("I was charged twice, card 4242 4242 4242 4242")["ticket_id"]
    house.commands.category(ticket, CLERK, "fraud_report")
    house.commands.category(ticket, Caller("chief", Role.AGENT), "duplicate_payment")
    assert rows(house) == [{**KEPT, "decided_by": "chief"}]


def test_a_decision_that_is_refused_is_not_kept(house: House) -> None:
    ticket = house.write("refund")["ticket_id"]
    house.commands.category(ticket, CLERK, "refund_request")
    with pytest.raises(Conflict):
        house.commands.category(ticket, CLERK, "refund_request")
    assert len(rows(house)) == 1


def test_a_customer_who_is_forgotten_takes_their_words_along(house: House) -> None:
    ticket = house.write("I was charged twice, card 4242 4242 4242 4242")["ticket_id"]
    house.commands.category(ticket, CLERK, "duplicate_payment")
    exported = house.firstline.privacy.export("C-1042", ROOT)
    assert [one["text"] for one in exported["incidents"][0]["reviews"]] == [KEPT["text"]]
    house.firstline.privacy.forget("C-1042", ROOT)
    assert rows(house) == []


def test_a_customer_is_not_told_a_category_of_which_nobody_is_sure_and_agents_are_asked(house: House) -> None:
    ticket = house.write("money")["ticket_id"]
    (told,) = house.mails("acknowledgement")
    assert [label for label, _ in told.facts] == ["Ticket", "Incident"]
    assert "refund" not in told.text.lower()
    house.commands.category(ticket, CLERK, "refund_request")
    house.commands.resolve(ticket, CLERK)
    house.work()
    (resolved,) = house.mails("resolved")
    assert ("About", "refund request") in [(label, value.lower()) for label, value in resolved.facts]


# --- the report


def review(predicted: Category, decided: Category, confidence: float | None = 0.9, by: str = "local") -> Review:
    return Review("text", predicted, confidence, by, decided)


SOME = [
    *[review(REFUND, REFUND, 0.95)] * 6,
    *[review(REFUND, DUPLICATE, 0.95)] * 2,
    *[review(DUPLICATE, DUPLICATE, 0.55, "gemini:x")] * 1,
    *[review(DUPLICATE, FRAUD, 0.45, "gemini:x")] * 1,
    review(Category.OTHER, FRAUD, None, "none"),
]


def test_it_counts_what_was_predicted_and_what_was_decided() -> None:
    report = Report.of(SOME)
    assert (report.number, report.right) == (11, 7)
    assert report.confusion[DUPLICATE][REFUND] == 2
    assert report.confusion[REFUND][DUPLICATE] == 0
    of = {one.category: one for one in report.categories}
    assert (of[REFUND].precision, of[REFUND].recall) == (6 / 8, 1.0)
    assert (of[DUPLICATE].precision, of[DUPLICATE].recall) == (1 / 2, 1 / 3)
    assert (of[FRAUD].precision, of[FRAUD].recall) == (None, 0.0)
    assert report.by_model == {"gemini:x": (2, 1), "local": (8, 6), "none": (1, 0)}


def test_calibration_holds_the_confidence_against_the_share_that_was_right() -> None:
    bins = {one.low: (one.number, pytest.approx(one.confidence), one.accuracy) for one in calibration(SOME)}
    assert bins == {0.4: (1, 0.45, 0.0), 0.5: (1, 0.55, 1.0), 0.9: (8, 0.95, 0.75)}
    assert Report.of(SOME).ece == pytest.approx((0.45 + 0.45 + 8 * 0.2) / 10)


def test_a_confidence_of_one_has_a_bin_and_of_nothing_there_is_no_figure() -> None:
    assert [one.low for one in calibration([review(REFUND, REFUND, 1.0), review(REFUND, REFUND, 0.0)])] == [0.0, 0.9]
    nothing = Report.of([])
    assert (nothing.accuracy, nothing.ece, nothing.bins) == (None, None, ())
    json.dumps(nothing.to_json())


def test_the_picture_is_an_svg_with_a_bar_for_each_bin_as_high_as_the_share_that_was_right() -> None:
    drawn = ElementTree.fromstring(picture(Report.of(SOME)))
    space = "{http://www.w3.org/2000/svg}"
    assert drawn.tag == f"{space}svg"
    bars = [bar for bar in drawn.iter(f"{space}rect") if bar.get("fill") in ("#c0504d", "#4f81bd")]
    assert [float(bar.attrib["height"]) / reviews.SIDE for bar in bars] == [0.0, 1.0, 0.75]
    assert [bar.get("fill") for bar in bars] == ["#c0504d", "#4f81bd", "#c0504d"]  # red: too sure of itself
    assert picture(Report.of(SOME)) == picture(Report.of(SOME))
    ElementTree.fromstring(picture(Report.of([])))


def test_a_model_that_is_worse_must_not_take_the_others_place() -> None:
    assert reviews.is_worse(0.970, 0.971)
    assert not reviews.is_worse(0.971, 0.971)


@ON_SQLITE
def test_the_command_prints_the_report_and_draws_it(house: House, db: str, monkeypatch: Any, tmp_path: Path) -> None:
    monkeypatch.setenv("DATABASE_URL", db)
    run = CliRunner().invoke
    assert "No agent has confirmed or changed" in run(app, ["classify", "report"]).output
    for number, name in enumerate(("refund_request", "refund_request", "duplicate_payment")):
        ticket = house.write(f"money {number}")["ticket_id"]
        house.commands.category(ticket, CLERK, name)
    output = run(app, ["classify", "report", "--svg", str(tmp_path / "it.svg")]).output
    assert "3 decisions of agents, 2 of them as predicted (66.7%)" in output
    assert "local 2 of 3" in output
    ElementTree.parse(tmp_path / "it.svg")
    told = json.loads(run(app, ["classify", "report", "--json"]).output)
    assert told["confusion"]["duplicate_payment"]["refund_request"] == 1
    assert told["categories"]["refund_request"]["precision"] == pytest.approx(2 / 3)
    assert told["calibration"] == [{"from": 0.5, "number": 3, "confidence": pytest.approx(0.55), "accuracy": 2 / 3}]


# --- learning from them


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A folder to train from; the local model has not learnt of "florp" that it is fraud."""
    pytest.importorskip("sklearn")
    train = [(f"{before}{words}", label) for words, label in PROBLEMS for before in ("", "please help, ")]
    for name, rows in (("train.csv", train), ("dev.csv", [*PROBLEMS, ("florp happened", "fraud_report")])):
        text = "\n".join(["text,label", *(f'"{words}",{label}' for words, label in rows)])
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


PROBLEMS = [
    ("charged twice for one order", "duplicate_payment"),
    ("payment failed at the checkout", "failed_payment"),
    ("somebody stole my card", "fraud_report"),
    ("give me a refund", "refund_request"),
    ("locked out of my account", "account_locked"),
    ("my statement is wrong", "statement_error"),
    ("what are your opening hours", "other"),
]


def decide(house: House, texts: str, category: str) -> None:
    for number in range(4):
        ticket = house.write(f"{texts} {'again ' * number}")["ticket_id"]
        house.commands.category(ticket, CLERK, category)


@ON_SQLITE
def test_the_local_model_learns_from_agents(house: House, sample: Path) -> None:
    plain = training.train(sample, sample / "model.npz", own=sample / "none")
    decide(house, "florp happened", "fraud_report")
    report = reviews.train(sample, sample / "model.npz", own=sample / "none")
    assert report.dev_accuracy > plain.dev_accuracy
    assert LocalModel.load(sample / "model.npz").classify("florp happened").category is FRAUD


@ON_SQLITE
def test_what_makes_the_model_worse_is_refused_and_the_model_stays(house: House, sample: Path) -> None:
    out = sample / "model.npz"
    training.train(sample, out, own=sample / "none")
    before = out.read_bytes()
    for words, _ in PROBLEMS[:-1]:
        decide(house, words, "other")
    with pytest.raises(FirstlineError, match="worse on dev"):
        reviews.train(sample, out, own=sample / "none")
    assert out.read_bytes() == before
    assert [path.name for path in sample.iterdir() if path.name.startswith(".")] == []
