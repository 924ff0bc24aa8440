"""`bot classify`: the figures of a classifier, and what it says about messages of a pipe."""

import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.classify_cli import message
from tests.gemini import FakeGemini, fake, running_fake
from tests.test_cli import BOT, bot, environment, refusal

__all__ = ["fake", "running_fake"]

MESSAGES = """\
text,label
my card was charged twice,duplicate_payment
"charged twice, please refund me",duplicate_payment
somebody used my card,fraud_report
what time do you open,other
"""


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    path = tmp_path / "labelled.csv"
    path.write_text(MESSAGES, encoding="utf-8")
    return path


def predicted(given: bytes, *arguments: str, **settings: str) -> list[dict[str, object]]:
    """Return what comes out for what goes in."""
    done = subprocess.run(
        [str(BOT), "classify", "predict", *arguments],
        input=given,
        env=environment(**settings),
        capture_output=True,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_figures_are_shown(labelled: Path) -> None:
    shown = bot("classify", "eval", str(labelled)).stdout
    for part in ("accuracy", "100.0%", "macro-F1", "calibration error", "p95", "artefact", "MB", "fraud_report"):
        assert part in shown


def test_the_figures_come_as_json_for_scripts(labelled: Path) -> None:
    done = bot("classify", "eval", str(labelled), "--json")
    data = json.loads(done.stdout)
    assert (data["messages"], data["accuracy"], data["macro_f1"]) == (4, 1, 1)
    assert data["categories"]["duplicate_payment"]["messages"] == 2
    assert data["size"] > 0
    assert done.stderr == ""


def test_gemini_is_evaluated_in_the_same_way(labelled: Path, fake: FakeGemini) -> None:
    fake.will_say({"category": "other", "confidence": 0.9, "reason": "because"})
    settings = {"GEMINI_API_KEY": "a-key", "GEMINI_BASE_URL": fake.url + "/gemini"}
    data = json.loads(bot("classify", "eval", str(labelled), "--json", "--classifier", "gemini", **settings).stdout)
    assert (data["accuracy"], data["failed"], data["size"]) == (0.25, 0, None)


def test_a_classifier_that_is_not_set_up_is_refused(labelled: Path) -> None:
    assert "GEMINI_API_KEY" in refusal(bot("classify", "eval", str(labelled), "--classifier", "gemini"), 2)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "There is no"),
        ("text,intent\nhi,other\n", "has no rows with: label"),
        ("text,label\nhi,greeting\n", "labels that are no category: greeting"),
        ("text,label\n", "has no rows with"),
        (b"text,label\n\xff\xfe,other\n", "cannot be read as CSV"),
    ],
)
def test_a_file_that_is_not_labelled_is_refused(tmp_path: Path, content: str | bytes | None, complaint: str) -> None:
    path = tmp_path / "labelled.csv"
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    assert complaint in refusal(bot("classify", "eval", str(path)), 2)


def test_messages_come_out_in_the_order_in_which_they_came_in() -> None:
    texts = ["charged twice", "", "  hello \t", '{"no": "text"}', "{not JSON", "x\r", "मेरा खाता लॉक है", "[1]"]
    given = "\n".join([*texts, json.dumps({"text": " two\nlines ", "id": 7})]) + "\n"
    found = predicted(given.encode())
    assert [one["text"] for one in found] == [*texts, " two\nlines "]
    assert found[0]["category"] == "duplicate_payment"
    assert all(set(one) == {"text", "category", "confidence"} for one in found)


def test_a_message_that_could_not_be_classified_is_other_without_a_confidence() -> None:
    settings = {"GEMINI_API_KEY": "a-key", "GEMINI_BASE_URL": "http://127.0.0.1:9/gemini"}
    found = predicted(b"charged twice", "--classifier", "gemini", **settings)
    assert found == [{"text": "charged twice", "category": "other", "confidence": None}]


def test_bytes_that_are_no_text_are_answered_as_well() -> None:
    found = predicted(b"\xff\xfe\ncharged twice")
    assert [one["category"] for one in found] == ["other", "duplicate_payment"]
    assert str(found[0]["text"]).encode("utf-8", "surrogateescape") == b"\xff\xfe"


@given(st.text(st.characters(exclude_characters="\n"), max_size=60))
@example('{"text": 3}')
@example("{}")
@example('{"a":' * 30_000)
def test_a_line_that_is_no_json_with_a_text_is_itself_the_text(line: str) -> None:
    assert message(line) == line


@given(st.text(max_size=60))
def test_the_text_of_a_json_line_is_taken(text: str) -> None:
    assert message(json.dumps({"text": text})) == text
