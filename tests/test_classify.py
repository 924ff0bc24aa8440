"""The ladder of classifiers, and the guard before those that are outside."""

import threading
import time
from dataclasses import replace

import pytest

from bot.breaker import Breaker
from bot.classify import NOBODY, Guarded, Ladder
from bot.errors import ClassificationFailed
from bot.model import Category, Classification
from bot.ports import Classifier

GOOD = Classification(Category.REFUND_REQUEST, 0.8, "wants money back", "somebody")


def says(answer: Classification | BaseException, asked: list[str] | None = None) -> Classifier:
    def classify(text: str) -> Classification:
        if asked is not None:
            asked.append(text)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return classify


def guarded(classifier: Classifier, deadline: float = 5) -> Guarded:
    return Guarded(classifier, Breaker("classifier", failures=3), deadline)


def test_the_first_that_answers_is_believed() -> None:
    asked: list[str] = []
    ladder = Ladder([says(ClassificationFailed("down"), asked), says(GOOD, asked), says(NOBODY, asked)])
    assert ladder("refund, please") == replace(GOOD, missed=True)
    assert asked == ["refund, please"] * 2


@pytest.mark.parametrize("rungs", [[], [says(ClassificationFailed("down"))] * 2])
def test_when_nobody_answers_it_is_other_and_the_confidence_is_not_made_up(rungs: list[Classifier]) -> None:
    answer = Ladder(rungs)("anything")
    assert (answer.category, answer.confidence, answer.missed) == (Category.OTHER, None, bool(rungs))


@pytest.mark.parametrize("failure", [ZeroDivisionError("secret"), TimeoutError("secret"), OSError("secret")])
def test_whatever_goes_wrong_outside_is_a_classification_that_failed_and_tells_no_more_than_its_kind(
    failure: Exception,
) -> None:
    with pytest.raises(ClassificationFailed, match=f"^{type(failure).__name__}$"):
        guarded(says(failure))("anything")


def test_its_own_word_for_a_failure_is_kept() -> None:
    with pytest.raises(ClassificationFailed, match="the answer is empty"):
        guarded(says(ClassificationFailed("the answer is empty")))("anything")


def test_one_that_does_not_answer_in_time_is_not_waited_for() -> None:
    released, began = threading.Event(), time.monotonic()

    def hang(text: str) -> Classification:
        released.wait(10)
        return GOOD

    with pytest.raises(ClassificationFailed, match=r"no answer within 0\.05 s"):
        guarded(hang, 0.05)("anything")
    released.set()
    assert time.monotonic() - began < 2


def test_one_that_keeps_failing_is_left_alone_for_a_while() -> None:
    asked: list[str] = []
    ladder = Ladder([guarded(says(ClassificationFailed("down"), asked)), says(GOOD)])
    assert [ladder(str(number)) for number in range(10)] == [replace(GOOD, missed=True)] * 10
    assert asked == ["0", "1", "2"]


def test_the_end_of_the_process_is_no_failure_to_classify() -> None:
    with pytest.raises(KeyboardInterrupt):
        Ladder([guarded(says(KeyboardInterrupt())), says(GOOD)])("anything")


def test_a_rung_with_a_mistake_in_it_does_not_keep_the_incident_from_being_opened() -> None:
    assert Ladder([says(ZeroDivisionError()), says(GOOD)])("anything") == replace(GOOD, missed=True)
