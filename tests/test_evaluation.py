"""The figures of a classifier, against values computed by hand and by scikit-learn."""

import random

import pytest
from sklearn.metrics import f1_score, precision_recall_fscore_support

from bot.errors import ClassificationFailed
from bot.evaluation import (
    Answer,
    accuracy,
    accuracy_at,
    by_category,
    calibration_error,
    evaluate,
    macro_f1,
    summed_up,
)
from bot.model import Category, Classification

FRAUD, REFUND, OTHER = Category.FRAUD_REPORT, Category.REFUND_REQUEST, Category.OTHER
BY_HAND = [
    Answer(FRAUD, FRAUD, 0.95, 0.001),
    Answer(FRAUD, REFUND, 0.55, 0.002),
    Answer(REFUND, REFUND, 0.75, 0.003),
    Answer(OTHER, REFUND, 0.65, 0.004),
]


def by_chance(number: int = 500) -> list[Answer]:
    dice = random.Random(4)
    names = list(Category)
    return [
        Answer(right, right if dice.random() < 0.7 else dice.choice(names), dice.random())
        for right in dice.choices(names, k=number)
    ]


def test_accuracy_is_the_share_of_hits() -> None:
    assert accuracy(BY_HAND) == 0.5


def test_only_the_surest_answers_are_covered() -> None:
    assert accuracy_at(BY_HAND, 0.5) == 1
    assert accuracy_at(BY_HAND, 0.75) == pytest.approx(2 / 3)
    assert accuracy_at(BY_HAND, 0.01) == 1


def test_each_category_has_its_precision_recall_and_f1() -> None:
    scores = by_category(BY_HAND)
    assert (scores[FRAUD].precision, scores[FRAUD].recall, scores[FRAUD].messages) == (1, 0.5, 2)
    assert scores[FRAUD].f1 == pytest.approx(2 / 3)
    assert (scores[REFUND].precision, scores[REFUND].recall) == (pytest.approx(1 / 3), 1)
    assert (scores[OTHER].precision, scores[OTHER].recall, scores[OTHER].f1) == (None, 0, 0)
    assert (scores[Category.ACCOUNT_LOCKED].recall, scores[Category.ACCOUNT_LOCKED].messages) == (None, 0)


def test_a_category_that_does_not_occur_has_no_part_in_the_macro_f1() -> None:
    assert macro_f1(by_category(BY_HAND)) == pytest.approx((2 / 3 + 0.5 + 0) / 3)


def test_the_calibration_error_weighs_the_bands_by_their_answers() -> None:
    # bands of 0.5: the lower one is empty; above it the mean confidence is 0.725, and half of them are right
    assert calibration_error(BY_HAND, bins=2) == pytest.approx(0.225)
    # bands of 0.1: 0.95 and a hit, 0.55 and a miss, 0.75 and a hit, 0.65 and a miss
    assert calibration_error(BY_HAND, bins=10) == pytest.approx((0.05 + 0.55 + 0.25 + 0.65) / 4)


def test_confidences_of_0_and_1_have_bands() -> None:
    assert calibration_error([Answer(OTHER, OTHER, 1.0), Answer(OTHER, FRAUD, 0.0)]) == 0


def test_sklearn_computes_the_same() -> None:
    answers = by_chance()
    right, said = [str(one.right) for one in answers], [str(one.said) for one in answers]
    names = [str(name) for name in Category]
    precision, recall, f1, messages = precision_recall_fscore_support(right, said, labels=names)
    scores = by_category(answers)
    assert [scores[Category(name)].precision for name in names] == pytest.approx(list(precision))
    assert [scores[Category(name)].recall for name in names] == pytest.approx(list(recall))
    assert [scores[Category(name)].f1 for name in names] == pytest.approx(list(f1))
    assert [scores[Category(name)].messages for name in names] == list(messages)
    assert macro_f1(scores) == pytest.approx(f1_score(right, said, average="macro"))


def test_the_times_are_in_milliseconds() -> None:
    found = summed_up(BY_HAND)
    assert (found.median_ms, found.p95_ms) == (pytest.approx(2.5), pytest.approx(4))
    assert summed_up([Answer(OTHER, OTHER, 1, number / 1000) for number in range(1, 101)]).p95_ms == pytest.approx(95)


def test_no_answers_have_no_figures() -> None:
    with pytest.raises(ValueError, match="nothing"):
        summed_up([])


def test_a_classifier_that_fails_has_missed_and_is_counted() -> None:
    def fails_at_fraud(text: str) -> Classification:
        if text == "fraud":
            raise ClassificationFailed("away")
        return Classification(OTHER, None, "", "test")

    steps: list[int] = []
    found = evaluate(fails_at_fraud, [("fraud", FRAUD), ("hi", OTHER)], 10, lambda: steps.append(1))
    assert (found.messages, found.failed, found.accuracy, found.size) == (2, 1, 0.5, 10)
    assert len(steps) == 2


def test_the_figures_as_json_name_the_categories_in_words() -> None:
    data = summed_up(BY_HAND).to_json()
    assert data["accuracy"] == 0.5
    assert data["categories"]["fraud_report"]["recall"] == 0.5
    assert all(type(name) is str for name in data["categories"])
