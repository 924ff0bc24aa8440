"""Lists of incidents and the search in them, against plain Python."""

import random
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.errors import BadCursor
from bot.model import Caller, Category, Incident, IncidentFilter, Role
from bot.views import URGENT, Views
from storage import database, incidents, search
from storage.search import words
from tests.fakes import NOON, TestClock
from tests.house import CLERK, House
from tests.postgres import ON_SQLITE
from tests.test_storage import values

VIEWS = Views()
OFTEN = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])

SPELLED = {
    "Überweisung": "uberweisung",
    "REFUND": "refund",
    "refunded": "refunded",
    "Café": "cafe",
    "карта": "карта",
    "КАРТА": "карта",
    "हिन्दी": "हिन्दी",
    "كِتَاب": "كتاب",
    "카드": "카드",
    "TKT": "tkt",
    "x1": "x1",
    "ab": "ab",
}
"""How words are written, and what they are all the same."""


@dataclass(frozen=True)
class Kept:
    """An incident, and the words that can be found in it."""

    row: dict[str, Any]
    said: tuple[str, ...]


def keep(number: int, at: datetime, texts: Sequence[str] = (), **changes: Any) -> dict[str, Any]:
    row = values(id=f"i-{number}", ticket_id=f"TKT-a{number:04}", created_at=at, **changes)
    with database.transaction():
        assert incidents.open(row)
        for place, text in enumerate(texts):
            say(row["id"], f"{number}-{place}", text)
        search.index([row["id"]])
    return row


def say(incident_id: str, external_id: str, text: str, direction: str = "customer") -> None:
    said = {"incident": incident_id, "channel": "web", "external_id": external_id, "author": "C-1", "text": text}
    with database.transaction():
        incidents.say([{**said, "direction": direction, "created_at": NOON, "written_at": NOON}])


@pytest.fixture
def kept(db: str) -> list[Kept]:
    """Incidents of all kinds, the youngest first; some of the same moment."""
    chance = random.Random(3)
    found = []
    for number in range(70):
        at = NOON + timedelta(minutes=number // 3)
        texts = [" ".join(chance.choices(list(SPELLED), k=chance.randrange(1, 5))) for _ in range(chance.randrange(3))]
        row = keep(
            number,
            at,
            texts,
            status="open" if chance.random() < 0.4 else "resolved",
            classification=chance.choice(list(Category)).value,
            channel=chance.choice(["email", "slack"]),
            assignee=chance.choice(["eva", "ben", None]),
            confidence=chance.choice([None, 0.5, 0.8, 0.9]),
            reviewed_by=chance.choice([None, None, "eva"]),
            customer_id=f"C-{number % 7}",
        )
        found.append(Kept(row, tuple(SPELLED[word] for text in texts for word in text.split())))
    with database.session():
        place = {row["id"]: row["number"] for row in database.select(incidents.Incident, "FROM incidents", [])}
    return sorted(found, key=lambda one: -place[one.row["id"]])


def fits(one: Kept, what: IncidentFilter) -> bool:
    """Whether an incident is meant, by what the filter's fields say; words apart."""
    incident = Incident.of(incidents_row(one.row))
    return all(
        [
            what.status in (None, incident.status),
            what.category in (None, incident.category),
            what.channel in (None, incident.channel),
            what.assignee is None or (what.assignee or None) == incident.assignee,
            what.priority in (None, incident.priority),
            what.unsure in (None, incident.unsure),
            what.created_from is None or incident.created_at >= what.created_from,
            what.created_to is None or incident.created_at < what.created_to,
        ]
    )


def incidents_row(row: dict[str, Any]) -> dict[str, Any]:
    return {"number": None, **row}


def ids(found: Sequence[Any]) -> list[str]:
    return [one.row["id"] if isinstance(one, Kept) else one.id for one in found]


def pages(what: IncidentFilter, limit: int) -> list[str]:
    """All pages of a list, put together."""
    found, after = [], None
    while True:
        page = VIEWS.find(what, after, limit)
        assert len(page.incidents) <= limit
        found += ids(page.incidents)
        after = page.next
        if after is None:
            return found
        assert len(page.incidents) == limit


MOMENTS = st.none() | st.integers(-1, 25).map(lambda minutes: NOON + timedelta(minutes=minutes))
WANTED = st.builds(
    IncidentFilter,
    status=st.sampled_from([None, "open", "resolved"]),
    category=st.sampled_from([None, None, *Category]),
    channel=st.sampled_from([None, "email", "slack", "fax"]),
    assignee=st.sampled_from([None, "", "eva", "ben"]),
    priority=st.sampled_from([None, "urgent", "normal"]),
    unsure=st.sampled_from([None, True, False]),
    created_from=MOMENTS,
    created_to=MOMENTS,
)


def test_filters_and_pages_are_those_of_plain_python(kept: list[Kept]) -> None:
    @OFTEN
    @given(WANTED, st.integers(1, 30))
    def compare(what: IncidentFilter, limit: int) -> None:
        expected = [one.row["id"] for one in kept if fits(one, what)]
        assert pages(what, limit) == expected
        assert [one.id for one in VIEWS.every(what)] == expected

    compare()


QUOTED = '"{}"'


@dataclass(frozen=True)
class Asked:
    """A word or some, as a person asks for them."""

    spelled: tuple[str, ...]
    minus: bool

    @property
    def written(self) -> str:
        text = " ".join(self.spelled)
        return f"{'-' if self.minus else ''}{text if len(self.spelled) == 1 else QUOTED.format(text)}"

    def is_in(self, said: Sequence[str], beginning: bool) -> bool:
        wanted = [SPELLED[word] for word in self.spelled]
        return any(
            list(said[at : at + len(wanted)]) == wanted
            or (beginning and len(wanted[0]) >= 3 and len(wanted) == 1 and said[at].startswith(wanted[0]))
            for at in range(len(said))
        )


TERMS = st.builds(Asked, st.lists(st.sampled_from(list(SPELLED)), min_size=1, max_size=2).map(tuple), st.booleans())


def says(said: Sequence[str], alternatives: list[list[Asked]]) -> bool:
    return any(_says(said, terms, number == len(alternatives) - 1) for number, terms in enumerate(alternatives))


def _says(said: Sequence[str], terms: list[Asked], last: bool) -> bool:
    if all(term.minus for term in terms):
        return False
    beginnings = [last and term is terms[-1] for term in terms]
    return all(term.is_in(said, at) != term.minus for term, at in zip(terms, beginnings, strict=True))


def test_searches_are_those_of_plain_python(kept: list[Kept]) -> None:
    @OFTEN
    @given(st.lists(st.lists(TERMS, min_size=1, max_size=3), min_size=1, max_size=2), st.sampled_from([None, "open"]))
    def compare(alternatives: list[list[Asked]], status: str | None) -> None:
        text = " OR ".join(" ".join(term.written for term in terms) for terms in alternatives)
        what = IncidentFilter(status=status)
        expected = [one.row["id"] for one in kept if fits(one, what) and says(one.said, alternatives)]
        assert pages(replace(what, text=text), 7) == expected

    compare()


def test_whatever_is_written_can_be_searched_for(kept: list[Kept]) -> None:
    @OFTEN
    @given(st.text(max_size=40) | st.text(alphabet="\"'()*:^-+&|!<>\\%_ aOR\0\ud800", max_size=40))
    def search_for(text: str) -> None:
        for one in VIEWS.find(IncidentFilter(text=text), None, 3).incidents:
            assert one.id

    search_for()
    assert pages(IncidentFilter(text="  "), 50) == ids(kept)
    assert pages(IncidentFilter(text="!!"), 50) == []


def test_pages_stay_as_they_were_while_incidents_are_opened(kept: list[Kept]) -> None:
    for text in (None, "refund"):
        what = IncidentFilter(text=text)
        expected, found, after = pages(what, 50), [], None
        for number in range(100, 200):
            page = VIEWS.find(what, after, 4)
            found += ids(page.incidents)
            after = page.next
            if after is None:
                break
            younger = number + (100 if text else 0)
            keep(younger, NOON + timedelta(minutes=younger), ["refund"])
        assert found == expected


@pytest.mark.parametrize("cursor", ["", "x", "aTE", "ZTE", "é", "a" * 300, "aTk5OTk5OTk5OTk5OTk5OTk5OTk5OQ", "\0"])
def test_a_cursor_that_is_none_of_this_list_is_refused_with_a_remedy(db: str, cursor: str) -> None:
    keep(1, NOON)
    if cursor == "aTE":
        assert VIEWS.find(IncidentFilter(), cursor, 5).incidents == []
        with pytest.raises(BadCursor, match="first page"):
            VIEWS.history("i-1", cursor, 5)
        return
    with pytest.raises(BadCursor, match="first page"):
        VIEWS.find(IncidentFilter(), cursor, 5)


def found(text: str) -> list[str]:
    return sorted(pages(IncidentFilter(text=text), 50))


def test_a_ticket_is_found_by_its_number_and_by_how_it_begins(db: str) -> None:
    keep(12, NOON)
    keep(13, NOON, channel="slack")
    assert found("TKT-a0012") == found("tkt-A0012") == found("a0012") == ["i-12"]
    assert found("TKT-a001") == ["i-12", "i-13"]
    assert pages(IncidentFilter(text="tkt-a001", channel="slack"), 5) == ["i-13"]
    assert found("a00") == []


def test_a_customer_is_found_by_their_whole_name_or_address_and_no_less(db: str) -> None:
    keep(1, NOON, customer_id="C-77", addresses=[{"channel": "email", "key": "Ana.B@example.com"}])
    keep(2, NOON, ["write to ana.b@example.com"])
    assert found("ana.b@example.com") == ["i-1", "i-2"]
    assert found("c-77") == found(" C-77 ") == ["i-1"]
    assert found("b@example.com") == ["i-2"]
    assert found("C-7") == []
    with database.transaction():
        incidents.readdress("i-1", [])
    assert found("ana.b@example.com") == ["i-2"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("我的银行卡被盗了，请帮助", ["银行卡", "银行", "被盗", "请帮助", "我"]),
        ("カードが二重に請求されました", ["カード", "請求", "二重に"]),
        ("ฉันต้องการเงินคืน", ["เงินคืน", "ต้องการ"]),
        ("मेरा कार्ड खो गया", ["कार्ड", "मेरा कार्ड", "कार्"]),
        ("تم سحب المبلغ مرتين", ["المبلغ", "المب", "مرتين"]),
        ("카드가 두 번 결제되었습니다", ["카드가", "결제되었"]),
        ("Die Überweisung heißt Größe", ["uberweisung", "HEISST", "grösse", "grosse"]),
    ],
)
def test_words_are_found_in_every_script(db: str, text: str, parts: list[str]) -> None:
    keep(1, NOON, [text])
    keep(2, NOON, ["something else, 银, 卡, करड"])
    for part in parts:
        assert found(part) == ["i-1"], part


def test_what_one_incident_holds_is_found_across_its_messages(db: str) -> None:
    keep(1, NOON, ["charged twice", "give me a refund"], subject="Invoice of May")
    keep(2, NOON, ["charged twice"])
    assert found("refund charged") == found("invoice") == ["i-1"]


def test_what_we_say_by_ourselves_is_not_found(db: str) -> None:
    keep(1, NOON)
    say("i-1", "b", "We have received your message", "bot")
    assert found("received") == []
    say("i-1", "n", "a word received by phone", "note")
    assert found("received") == ["i-1"]
    assert found("message") == []


def test_an_edited_message_is_found_by_what_it_says_now_and_a_deleted_one_by_nothing(db: str, clock: TestClock) -> None:
    house = House(clock)
    one = house.write("my giraffe was charged", "k-1")["incident_id"]
    house.write("another giraffe", "k-2", customer_id="C-2")
    house.edit("k-1", "my zebra was charged", "d-1")
    assert (found("zebra"), found("giraffe charged")) == ([one], [])
    house.delete("k-1", "d-2")
    assert (found("zebra"), found("charged")) == ([], [])
    house.stop()


@pytest.mark.parametrize("length", [search.LONGEST - 1, search.LONGEST, 3 * search.LONGEST])
def test_however_much_is_said_the_first_of_it_is_found(db: str, length: int) -> None:
    keep(1, NOON, ["needle " + "\ufdfa" * 200 + " ".join(f"w{n}ä" for n in range(length // 6))[:length], "more hay"])
    assert found("needle") == ["i-1"]


def test_of_incidents_of_one_moment_each_has_a_place_of_its_own(db: str) -> None:
    for number in range(60):
        keep(number, NOON)
    with database.session():
        numbers = [row["number"] for row in database.select(incidents.Incident, "FROM incidents", [])]
    assert len(set(numbers)) == 60
    assert {number // search.IN_A_MICROSECOND for number in numbers} == {search.first_number(NOON) // 1024}
    assert len(pages(IncidentFilter(created_from=NOON, created_to=NOON + timedelta(microseconds=1)), 7)) == 60


def test_where_a_moment_is_full_the_next_one_has_room(db: str) -> None:
    with database.transaction():
        for number in range(search.IN_A_MICROSECOND + 2):
            assert incidents.open(values(id=f"i-{number}", ticket_id=f"TKT-{number}"))
    assert len(list(VIEWS.every(IncidentFilter()))) == search.IN_A_MICROSECOND + 2


def raw(folder: Path, word: str) -> dict[str, int]:
    return {path.name: path.read_bytes().count(word.encode()) for path in sorted(folder.glob("incidents.db*"))}


def test_who_is_forgotten_is_found_by_nothing(db: str, backend: str, clock: TestClock, tmp_path: Path) -> None:
    house = House(clock)
    for number in range(20):
        house.write(f"the quagga of customer {number} was charged", f"k-{number}", customer_id=f"C-{number}")
    one = house.write("my okapi was charged twice", "o-1", customer_id="C-okapi")["incident_id"]
    house.commands.note(one, CLERK, "they say okapi")
    house.edit("o-1", "my okapi was charged three times", "d-1", customer_id="C-okapi")
    assert found("okapi") == found("c-okapi") == [one]
    details: Any = VIEWS.incident(one)
    assert house.firstline.privacy.forget(details.customer, Caller("root", Role.ADMIN)).scrubbed
    assert found("okapi") == found("c-okapi") == found("twice") == []
    assert len(found("quagga")) == 20
    with database.session():
        if backend == "sqlite":
            tables = "search_content", "search_data", "search_idx"
            rows = [row for table in tables for row in database.execute(f"SELECT * FROM {table}").fetchall()]
            assert not [row for row in rows if b"kapi" in repr(row).encode()]
        else:
            rows = database.execute("SELECT words::text FROM search").fetchall()
            assert not [words for (words,) in rows if "okapi" in words]
    house.stop()
    if backend == "sqlite":
        database.disconnect()
        assert set(raw(tmp_path, "kapi").values()) == {0}


@ON_SQLITE
def test_the_index_agrees_with_itself_after_all_that(kept: list[Kept], tmp_path: Path) -> None:
    with database.transaction():
        search.index([one.row["id"] for one in kept])
    with sqlite3.connect(tmp_path / "incidents.db") as connection:
        connection.execute("INSERT INTO search (search) VALUES ('integrity-check')")
    connection.close()


def test_urgent_is_what_the_model_says(db: str) -> None:
    keep(1, NOON, classification=URGENT[0])
    keep(2, NOON, classification="other")
    assert pages(IncidentFilter(priority="urgent"), 5) == ["i-1"]


def test_words_are_no_longer_than_they_may_be() -> None:
    assert words("a" * 500) == ["a" * search.LONGEST_WORD]
    assert len(" ".join(words("\ufdfa" * 100_000))) <= 2 * search.LONGEST
