"""Lists of incidents, and the search for words in them.

An incident has one row of words: those of its subject and of what was said in it (but for what we say by ourselves),
and its customer's names and addresses. They are folded here and not by the database, so that both find the same,
whatever their version, collation and parser are: without case and accents; of scripts that put no space between words
every character is a word, and what is asked for is a phrase, so that it is found inside a sentence as well. FTS5's own
`unicode61` takes the vowels of Hindi for ends of words and a Chinese sentence for one word; `trigram` knows no words of
two letters, which many Chinese ones are, and takes three times the room.

Every list goes by `incidents.number`: it is the moment of the opening, so that one index gives order, period and place.
"""

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from heapq import merge
from typing import Any
from zlib import crc32

from storage import dialect
from storage.database import Row, database, execute, select
from storage.tables import Incident

# --- the order


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
IN_A_MICROSECOND = 1024
"""Numbers that there are for incidents of one microsecond."""
LAST = 2**63 - 1


def first_number(at: datetime) -> int:
    """The smallest number of an incident that was opened at this moment."""
    number = (at - EPOCH) // timedelta(microseconds=1) * IN_A_MICROSECOND
    return max(-LAST, min(number, LAST))


def free_number(incident_id: str, at: datetime) -> int:
    """A number for an incident that is opened at this moment. Two processes do not take the same for two incidents,
    but once in a thousand of those that fall into one microsecond: then one of them is refused."""
    first = first_number(at)
    found = execute("SELECT number FROM incidents WHERE number BETWEEN ? AND ?", (first, first + IN_A_MICROSECOND - 1))
    taken = {number for (number,) in found.fetchall()}
    chosen = crc32(incident_id.encode())
    for step in range(IN_A_MICROSECOND):
        number = first + (chosen + step) % IN_A_MICROSECOND
        if number not in taken:
            return number
    return free_number(incident_id, at + timedelta(microseconds=1))


# --- words


MOST_WORDS = 16_000
"""PostgreSQL counts positions no further than 16,383."""
LONGEST_WORD = 64
LONGEST = 100_000
"""Characters of an incident that are indexed: four bytes each, they are less than the megabyte of a tsvector."""
SHORTEST_BEGINNING = 3
"""Characters from which on the last word that is asked for may be the beginning of one."""

POINTS = ((0x300, 0x36F), (0x591, 0x5C7), (0x610, 0x61A), (0x640, 0x640), (0x64B, 0x65F), (0x670, 0x670))
"""Accents, and the vowel points of Hebrew and Arabic: who searches leaves them out. Elsewhere marks are vowels."""
UNSPACED = (
    *((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF)),  # Thai, Lao; Burmese; Khmer
    *((0x3005, 0x3007), (0x3040, 0x30FF), (0x31F0, 0x31FF)),  # kana
    *((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x3FFFF)),  # Han
)


class _Folding(dict[int, str]):
    """What becomes of a character; each is looked up once."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        if _is_in(POINTS, code):
            folded = ""
        elif unicodedata.category(char)[0] not in "LMN":
            folded = " "
        else:
            folded = f" {char} " if _is_in(UNSPACED, code) else char
        self[code] = folded
        return folded


def _is_in(ranges: Iterable[tuple[int, int]], code: int) -> bool:
    return any(first <= code <= last for first, last in ranges)


_FOLDING = _Folding()
_PLAIN = re.compile("[0-9a-z]+")


def words(text: str) -> list[str]:
    """Split a text into its words, as they are compared."""
    text = text[:LONGEST]
    if text.isascii():
        found = _PLAIN.findall(text.lower())
    else:
        plain = unicodedata.normalize("NFKD", text)[:LONGEST].casefold().translate(_FOLDING)
        found = unicodedata.normalize("NFC", plain).split()
    return [word[:LONGEST_WORD] for word in found]


def name(written: str) -> str:
    """The word for a customer's name or address: found as a whole, or not at all. No text has it."""
    return f"_{blake2b(written.strip().casefold().encode(errors='replace'), digest_size=10).hexdigest()}"


# --- what is indexed


def index(incident_ids: Iterable[str]) -> None:
    """Write the words of these incidents anew; inside the transaction that changes them."""
    for incident_id in sorted(set(incident_ids)):
        _index(incident_id)


def _index(incident_id: str) -> None:
    lock = dialect.lock_these(database)  # PostgreSQL: else another's words that are not committed yet would get lost
    row = execute(
        f"SELECT number, subject, customer_id, addresses FROM incidents WHERE id = ?{lock}", (incident_id,)
    ).fetchone()
    if row is None or row[0] is None:
        return
    number, subject, customer_id, addresses = row
    said = execute(
        "SELECT text FROM messages WHERE incident_id = ? AND deleted_at IS NULL AND direction <> 'bot' ORDER BY id",
        (incident_id,),
    )
    keep(number, document(subject, customer_id, addresses, (text for (text,) in said.fetchall())))


def document(subject: str, customer_id: str, addresses: str, texts: Iterable[str]) -> list[str]:
    """The words of an incident; `addresses` as its row has them."""
    keys = [to["key"] for to in Incident.addresses.python_value(addresses)]
    found = [name(key) for key in dict.fromkeys((customer_id, *keys))]
    room = LONGEST
    for text in (subject, *texts):
        new = words(text[:room])
        found += new
        room -= len(text)
        if room <= 0 or len(found) >= MOST_WORDS:
            break
    return found[:MOST_WORDS]


def keep(number: int, found: Sequence[str]) -> None:
    """Let these be the words of the incident that has this number."""
    execute(dialect.put_words(database), (number, dialect.as_document(database, found)))


def drop(incident_ids: Sequence[str]) -> None:
    """Take incidents that are about to be deleted out of the index."""
    for incident_id in incident_ids:
        execute("DELETE FROM search WHERE rowid = (SELECT number FROM incidents WHERE id = ?)", (incident_id,))


AT_ONCE = 500
"""Incidents whose words are in memory at a time, where all are indexed."""


def index_all(db: Any) -> None:
    """Index every incident of a database that has no words yet; inside a transaction of it."""
    mark, after = db.param, -LAST
    put = dialect.put_words(db).replace("?", mark)
    while True:
        found = db.execute_sql(
            f"SELECT number, id, subject, customer_id, addresses FROM incidents WHERE number > {mark} "
            f"ORDER BY number LIMIT {AT_ONCE}",
            (after,),
        ).fetchall()
        said = _said_in(db, [row[1] for row in found])
        for number, incident_id, subject, customer_id, addresses in found:
            words = document(subject, customer_id, addresses, said.get(incident_id, ()))
            db.execute_sql(put, (number, dialect.as_document(db, words)))
        if len(found) < AT_ONCE:
            return
        after = found[-1][0]


def _said_in(db: Any, incident_ids: Sequence[str]) -> dict[str, list[str]]:
    """The texts of these incidents that can be found."""
    said: dict[str, list[str]] = {}
    if incident_ids:
        marks = ", ".join([db.param] * len(incident_ids))
        found = db.execute_sql(
            f"SELECT incident_id, text FROM messages WHERE incident_id IN ({marks}) "
            "AND deleted_at IS NULL AND direction <> 'bot' ORDER BY id",
            list(incident_ids),
        )
        for incident_id, text in found.fetchall():
            said.setdefault(incident_id, []).append(text)
    return said


# --- what is asked for


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that stand side by side. Of the last of a `beginning` the end may be missing."""

    words: tuple[str, ...]
    beginning: bool = False


@dataclass(frozen=True, slots=True)
class Alternative:
    """What must be there, and what must not."""

    wanted: tuple[Phrase, ...]
    unwanted: tuple[Phrase, ...] = ()


_TERM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
MOST_TERMS = 40


def read(text: str) -> list[Alternative]:
    """Read what a person asks for, as search engines do: all of the words, `"words side by side"`, `-without`, and `OR`
    between alternatives. Whatever is written means something, or nothing: then there is no alternative."""
    found: list[Alternative] = []
    wanted: list[Phrase] = []
    unwanted: list[Phrase] = []
    terms = list(_TERM.finditer(text[:1000]))[:MOST_TERMS]
    for term in terms:
        minus, quoted, bare = term.groups()
        if bare == "OR" and not minus:
            found.append(Alternative(tuple(wanted), tuple(unwanted)))
            wanted, unwanted = [], []
            continue
        split = words(quoted if bare is None else bare)
        last = term is terms[-1] and bare is not None and bool(split) and len(split[-1]) >= SHORTEST_BEGINNING
        if split:
            (unwanted if minus else wanted).append(Phrase(tuple(split), last and not minus))
    found.append(Alternative(tuple(wanted), tuple(unwanted)))
    return [one for one in found if one.wanted]


NAME = re.compile(r"\S{3,320}")
TICKET = re.compile(r"(?:TKT-)?([A-Za-z0-9-]{4,36})", re.IGNORECASE)


def asked(text: str) -> list[Alternative]:
    """Read what a person asks for; a single word may also be a customer's name or address, all of it."""
    written = text.strip()
    by_name = [Alternative((Phrase((name(written),)),))] if NAME.fullmatch(written) else []
    return read(written) + by_name


# --- lists


def page(limit: int, before: int | None, wanted: Mapping[str, Any], urgent: Collection[str], sure: float) -> list[Row]:
    """List incidents, the youngest first, from after the one that has the number `before`. `wanted` is as
    `bot.model.IncidentFilter` names it; categories are `urgent` or not, and confident ones from `sure` on."""
    narrow, values = _narrowed(before, wanted, urgent, sure)
    text = wanted["text"]
    if text is None or not text.strip():
        return select(
            Incident, f"FROM incidents WHERE {narrow} ORDER BY incidents.number DESC LIMIT ?", [*values, limit]
        )
    ways = [way(text, narrow, values, limit) for way in (_by_words, _by_ticket)]
    found = {row["number"]: row for row in merge(*ways, key=lambda row: -int(row["number"]))}
    return list(found.values())[:limit]


def _by_words(text: str, narrow: str, values: Sequence[Any], limit: int) -> list[Row]:
    alternatives = asked(text)
    if not alternatives:
        return []
    query = dialect.as_query(database, alternatives)
    if dialect.locks_rows(database):
        return _in_postgresql(query, narrow, values, limit)
    # FTS5 gives its matches in this order, one by one; CROSS JOIN: SQLite takes the tables in the order that they have
    return select(
        Incident,
        "FROM search CROSS JOIN incidents WHERE search MATCH ? AND search.rowid < ? "
        f"AND incidents.number = search.rowid AND {narrow} ORDER BY search.rowid DESC LIMIT ?",
        [query, values[0], *values, limit],
    )


LOOKED_AT, NARROWED = 2000, 20_000
"""Of how many of the youngest incidents PostgreSQL looks at the words before it asks its index; more where a list is
narrowed by other things than words."""


def _in_postgresql(query: str, narrow: str, values: Sequence[Any], limit: int) -> list[Row]:
    """A GIN index gives all matches or none, and PostgreSQL does not know how many begin with some letters: left to
    itself it goes through all incidents for a word that is in few, or sorts half of them for a word that is in many.
    What many have, the youngest have as well."""
    lowest = _lowest(NARROWED if " AND " in narrow else LOOKED_AT, values[0])
    if lowest is not None:
        found = _matches(query, lowest, narrow, values, limit)
        if len(found) >= limit:
            return found
    return _matches(query, -LAST, narrow, values, limit)


def _matches(query: str, lowest: int, narrow: str, values: Sequence[Any], limit: int) -> list[Row]:
    """Take the matches first, then their incidents, the youngest first, until there are enough (LATERAL and OFFSET: for
    PostgreSQL makes neither more nor less of them than this)."""
    return select(
        Incident,
        "FROM (WITH found AS MATERIALIZED "
        "(SELECT rowid FROM search WHERE words @@ ?::tsquery AND rowid < ? AND rowid >= ?) SELECT rowid FROM found "
        "ORDER BY rowid DESC) AS found CROSS JOIN LATERAL "
        f"(SELECT * FROM incidents WHERE incidents.number = found.rowid AND {narrow} OFFSET 0) AS incidents "
        "ORDER BY found.rowid DESC LIMIT ?",
        [query, values[0], lowest, *values, limit],
    )


def _lowest(number: int, below: int) -> int | None:
    """The number of the last of so many incidents, the youngest first; None: there are not so many."""
    found = execute(
        "SELECT rowid FROM search WHERE rowid < ? ORDER BY rowid DESC LIMIT 1 OFFSET ?", (below, number - 1)
    ).fetchone()
    return None if found is None else int(found[0])


def _by_ticket(text: str, narrow: str, values: Sequence[Any], limit: int) -> list[Row]:
    """Those whose ticket number begins like this."""
    number = TICKET.fullmatch(text.strip())
    if number is None:
        return []
    condition, ends = beginning_of_ticket(f"TKT-{number[1]}")
    return select(
        Incident,
        f"FROM incidents WHERE id IN (SELECT id FROM incidents WHERE {condition}) AND {narrow} "
        "ORDER BY incidents.number DESC LIMIT ?",
        [*ends, *values, limit],
    )


def beginning_of_ticket(letters: str) -> tuple[str, list[str]]:
    """The condition that a ticket id begins like this, without regard to case, and its values. ASCII only."""
    column = f"LOWER(ticket_id){dialect.bytewise(database)}"
    return f"{column} >= ? AND {column} < ?", [letters.lower(), f"{letters.lower()}~"]


def _narrowed(
    before: int | None, wanted: Mapping[str, Any], urgent: Collection[str], sure: float
) -> tuple[str, list[Any]]:
    """What a list is narrowed to, as a condition and its values."""
    found = list(_conditions(before, wanted, urgent, sure))
    return " AND ".join(condition for condition, _ in found), [value for _, values in found for value in values]


def _conditions(
    before: int | None, wanted: Mapping[str, Any], urgent: Collection[str], sure: float
) -> Iterator[tuple[str, Sequence[Any]]]:
    below = LAST if before is None else before
    if wanted["created_to"] is not None:
        below = min(below, first_number(wanted["created_to"]))
    yield "incidents.number < ?", [below]
    if wanted["created_from"] is not None:
        yield "incidents.number >= ?", [first_number(wanted["created_from"])]
    for field, column in (("status", "status"), ("category", "classification"), ("channel", "channel")):
        if wanted[field] is not None:
            yield f"incidents.{column} = ?", [str(wanted[field])]
    if wanted["assignee"] is not None:
        given = wanted["assignee"]
        yield ("incidents.assignee = ?", [given]) if given else ("incidents.assignee IS NULL", [])
    if wanted["priority"] is not None:
        marks = ", ".join("?" for _ in urgent)
        normal = f"incidents.classification NOT IN ({marks})"
        # said so that SQLite uses no index: it would read all that there ever were of these categories, and sort them
        yield (f"NOT ({normal})" if wanted["priority"] == "urgent" else normal), list(urgent)
    if wanted["unsure"] is not None:
        doubt = f"incidents.reviewed_by IS NULL AND (incidents.confidence IS NULL OR incidents.confidence < {sure!r})"
        yield (doubt if wanted["unsure"] else f"NOT ({doubt})"), []
