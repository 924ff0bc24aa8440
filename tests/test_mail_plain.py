"""Text that reads well in eighty columns, and is joined again by programs that know how (RFC 3676)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.plain import WIDTH, plain
from bot.model import Action, Notice, NoticeKind

NOTHING = Notice("ack-7", NoticeKind.ACKNOWLEDGEMENT, "", "TKT-98042a72", "Subject", "", "", (), "", "")
WORDS = st.text(st.sampled_from("ab>F 漢é"), max_size=400) | st.sampled_from(
    ["From me", "> quoted", " indented", "-- "]
)


def joined(text: str) -> list[str]:
    """Read as RFC 3676, 4 says, and return the lines, those of quotes with their mark."""
    lines: list[str] = []
    goes_on = False
    for line in text.split("\n"):
        mark = line[: len(line) - len(line.lstrip(">"))]
        content = line[len(mark) :].removeprefix(" ")
        if goes_on:
            lines[-1] += content
        else:
            lines.append(f"{mark}{content}")
        goes_on = content.endswith(" ")
    return lines


@given(WORDS.filter(lambda text: not text.startswith(">")))
def test_a_long_paragraph_is_short_lines_that_make_one_again(text: str) -> None:
    text = text.strip("\n")
    assert joined(plain(replace(NOTHING, lead=text))) == [text.rstrip(" ")]


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_so_is_a_quote(lines: list[str]) -> None:
    lines[-1] += "x"
    shown = plain(replace(NOTHING, quote="\n".join(lines)))

    assert all(line.startswith(">") for line in shown.split("\n"))
    assert [line[1:] for line in joined(shown)] == [line.rstrip(" ") for line in lines]


@given(st.lists(st.text(st.sampled_from("abc"), min_size=1, max_size=WIDTH - 3), min_size=1))
def test_no_line_is_longer_than_a_line_may_be(words: list[str]) -> None:
    shown = plain(replace(NOTHING, lead=" ".join(words), quote=" ".join(words), facts=((words[0], words[-1]),)))

    assert max(len(line) for line in shown.split("\n") if ":" not in line) <= WIDTH


def test_a_long_word_such_as_a_link_stays_whole() -> None:
    link = f"https://support.example/{'a' * 200}"
    shown = plain(replace(NOTHING, lead=f"See {link} and tell us.", actions=(Action("solved", "Solved", link),)))

    assert shown == f"See \n{link} \nand tell us.\n\nSolved:\n{link}"


def test_a_quote_of_an_agents_own_keeps_its_lines() -> None:
    assert plain(replace(NOTHING, lead=f"> {'word ' * 30}\n> too")) == f"> {'word ' * 30}".rstrip() + "\n> too"


@pytest.mark.parametrize("line", ["From here on", " indented"])
def test_what_means_something_else_at_the_beginning_of_a_line_gets_a_space(line: str) -> None:
    assert plain(replace(NOTHING, lead=f"Hello\n{line}")) == f"Hello\n {line}"


def test_an_empty_line_of_a_quote_ends_no_paragraph_of_ours() -> None:
    assert plain(replace(NOTHING, quote="one\n\ntwo")) == "> one\n>\n> two"
