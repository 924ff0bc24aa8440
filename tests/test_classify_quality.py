"""How well the delivered model does on the sets written for this project, which nothing is trained on."""

import csv
from functools import cache
from pathlib import Path

import pytest

from bot import labelled
from bot.evaluation import Evaluation, evaluate
from bot.local_model import LocalModel
from bot.model import Category

SETS = Path(__file__).parent / "data" / "classify"
MODEL = LocalModel.load()


@cache
def found(name: str) -> Evaluation:
    return evaluate(MODEL.classify, labelled.read(SETS / f"{name}.csv"))


def languages() -> dict[str, list[tuple[str, Category]]]:
    by_language: dict[str, list[tuple[str, Category]]] = {}
    with (SETS / "languages.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            by_language.setdefault(row["language"], []).append((row["text"], Category(row["label"])))
    return by_language


@pytest.mark.parametrize(("name", "least"), [("incidents", 0.95), ("typos", 0.88), ("long", 0.9), ("two_issues", 0.8)])
def test_messages_of_a_kind_are_recognised(name: str, least: float) -> None:
    assert found(name).accuracy >= least


def test_of_the_answers_that_it_is_surest_of_hardly_any_are_wrong() -> None:
    assert found("incidents").accuracy_at_90 >= 0.97


def test_the_confidence_is_about_what_the_accuracy_is() -> None:
    assert found("incidents").ece <= 0.03


@pytest.mark.parametrize(("language", "messages"), languages().items(), ids=list(languages()))
def test_a_problem_in_another_language_is_recognised(language: str, messages: list[tuple[str, Category]]) -> None:
    assert evaluate(MODEL.classify, messages).accuracy >= 0.9


def test_the_sets_are_as_large_as_they_are_said_to_be() -> None:
    assert found("incidents").messages >= 250
    assert min(len(messages) for messages in languages().values()) >= 40
    assert set(languages()) == {"es", "de", "hi", "ar"}
