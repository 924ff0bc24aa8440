"""What a letter says, without what stands around it."""

import time

import pytest

from bot.letter import body


@pytest.mark.parametrize(
    "around",
    [
        "dear sir or madam,\n\n{}\n\nkind regards\nanna smith\nhead of sales | acme ltd",
        "hello team,\n{}\n\nbest wishes,\n\nravi\ntel. 020 7946",
        "{}\n\n-- \nanna\n14 acacia avenue",
        "{}\nsent from my iphone",
        "{}\n\non tue, 4 mar 2025 at 10:11, support <help@bank.example> wrote:\n> dear customer,\n> we have it",
        "{}\n\n-----original message-----\nfrom: care\nsent: monday\nwe refunded you",
        "{}\n> is there anything else?\n> please rate us",
        "{}\n\nfrom: care <care@bank.example>\nsent: monday\nsubject: refund",
        "sehr geehrte damen und herren,\n{}\nmit freundlichen grüßen\nanna",
        "hola,\n{}\n\nun saludo\nanna",
        "> please rate us\n\n{}",
    ],
)
def test_greeting_signature_and_history_are_left_out(around: str) -> None:
    assert body(around.format("my card was charged twice")).strip() == "my card was charged twice"


def test_one_line_is_taken_as_it_is() -> None:
    assert body("hello, charged twice, kind regards") == "hello, charged twice, kind regards"


@pytest.mark.parametrize(
    "text",
    ["hi charged twice\nplease help", "hello i was charged twice\nthe shop says no", "dear me i am locked out\nhelp"],
)
def test_a_first_line_that_says_more_than_hello_is_read(text: str) -> None:
    assert body(text) == text


@pytest.mark.parametrize("text", ["> charged twice\n> refund me", "regards\nanna", "-- \nanna", "\n\n", "hi\n123"])
def test_a_text_of_which_nothing_would_be_left_is_taken_whole(text: str) -> None:
    assert body(text) == text


def test_what_stands_below_a_word_of_thanks_at_the_top_is_read() -> None:
    assert "charged twice" in body("thanks\nmy card was charged twice")
    assert "charged twice" in body("hi all\nthanks\nmy card was charged twice")


def test_the_time_grows_with_the_length_and_no_faster() -> None:
    def seconds(text: str) -> float:
        began = time.process_time()
        body(text)
        return time.process_time() - began

    for piece in ("a", "on a\n", "> ", "from: \n", "dear ", "on 4 march wrote ", "\n "):
        assert seconds(piece * 4000 + "\nregards\nanna") < 1
