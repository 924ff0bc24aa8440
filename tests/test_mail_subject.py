"""Subjects that go back and forth keep one `Re:` and one ticket number."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mail.subject import REPLY_OR_FORWARD, answering, bare

MARKS = st.sampled_from(REPLY_OR_FORWARD).flatmap(
    lambda mark: st.sampled_from(
        [f"{mark}: ", f"{mark.upper()}:", f"{mark.capitalize()} : ", f"{mark}[2]: ", f"{mark}：", f" [x] {mark}: "]
    )
)
TAGS = st.sampled_from(["[TKT-98042a72] ", "[tkt-98042A72]", "[TKT-4711]"])
TOPICS = [
    "Charged twice",
    "Resolved: yes",
    "[shop] Order 4711",
    "zweimal 10 €",
    "تم الخصم مرتين",
    "1: 2",
    "[TKT-] x",
    "a: Re: b",
]


@given(st.lists(MARKS | TAGS, max_size=8), st.sampled_from(TOPICS))
def test_however_often_it_went_back_and_forth_a_subject_stays_the_same(marks: list[str], topic: str) -> None:
    assert bare("".join(marks) + topic) == topic
    assert answering("".join(marks) + topic, "TKT-98042a72") == f"Re: [TKT-98042a72] {topic}"


@given(st.text(), st.sampled_from(["TKT-98042a72", ""]))
def test_an_answer_to_our_answer_has_the_same_subject(topic: str, ticket: str) -> None:
    answered = answering(topic, ticket)

    assert answering(answered, ticket) == answered
    assert answering(f"AW: {answered}", ticket) == answered


@pytest.mark.parametrize(
    "subject",
    ["Re: x", "AW: x", "Antw: x", "SV: x", "VS: x", "RV: x", "RE: Rv: x", "TR : x", "R: x", "I: x", "Res: x", "ENC: x",
     "Odp: x", "PD: x", "Odg: x", "Vá: x", "YNT: x", "İLT: x", "ΑΠ: x", "Отв: x", "Atb: x", "Ats: x", "Bls: x",
     "Trả lời: x", "回复：x", "答复: x", "轉寄: x", "返信：x", "회신: x", "رد: x", "\u200fתגובה: x", "ตอบกลับ: x",
     "उत्तर: x", "Re[4]: x", "Re(4): x", "Re^4: x", "re4: x", "[EXTERN] Re: x", "[list] [TKT-1] AW: [TKT-2] x"],
)  # fmt: skip
def test_marks_of_many_languages_are_known(subject: str) -> None:
    assert bare(subject) == "x"


@pytest.mark.parametrize(
    "subject", ["Refund: 10 €", "Swindle: help", "I paid twice: why", "re charged", "[EXTERN] Hello", "Res1"]
)
def test_words_that_only_look_like_marks_stay(subject: str) -> None:
    assert bare(subject) == subject


def test_a_number_that_stands_elsewhere_in_a_subject_is_not_written_again() -> None:
    assert answering("Charged twice [TKT-98042a72]", "TKT-98042a72") == "Re: Charged twice [TKT-98042a72]"


@pytest.mark.parametrize("subject", ["", "Re:", "AW: [TKT-98042a72]", "  "])
def test_a_subject_without_words_is_none(subject: str) -> None:
    assert answering(subject, "TKT-98042a72") == ""


@pytest.mark.parametrize("piece", ["[a]", "Re: ", "[", "[]", "re ", "[TKT-1]", "\u200b", "re[1"])
def test_a_hostile_subject_takes_no_longer_than_its_length(piece: str) -> None:
    started = time.process_time()
    bare(piece * (200_000 // len(piece)))

    assert time.process_time() - started < 2
