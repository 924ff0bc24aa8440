"""What a message was made of is committed with it, can be had again, and goes when its time is over."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.errors import NotFound
from bot.model import Address, Caller, InboundMessage, Proof, Role
from bot.originals import Originals
from bot.sealing import Seal
from storage.database import database
from storage.tables import Message, Notification, Original
from tests.fakes import TestClock
from tests.house import ANA, CLERK, House
from tests.postgres import ON_SQLITE

RAW = b"From: ana@example.com\r\n\r\nMy card was charged twice, and my name is Ana\r\n" * 50


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


def mail(key: str = "<m1@b>", **changes: Any) -> InboundMessage:
    values: dict[str, Any] = {
        "channel": "email",
        "external_id": key,
        "lane": f"email/{ANA.key}",
        "customer_id": ANA.key,
        "text": "My card was charged twice",
        "answer_on": "email",
        "addresses": (ANA,),
        "proof": Proof.NONE,
        **changes,
    }
    return InboundMessage(**values)


def test_is_kept_with_its_message_and_once(house: House) -> None:
    house.firstline.intake.accept(mail(), RAW)
    house.firstline.intake.accept(mail(), b"something else")
    assert house.firstline.originals.get("email", "<m1@b>") == RAW
    (row,) = house.all(Original)
    assert (row["size"], row["state"]) == (len(RAW), "kept")
    assert len(row["content"]) < len(RAW) / 10


def test_a_message_without_one_has_none(house: House) -> None:
    house.firstline.intake.accept(mail())
    with pytest.raises(NotFound, match="RAW_KEPT"):
        house.firstline.originals.get("email", "<m1@b>")


def test_goes_when_its_time_is_over(house: House) -> None:
    house.firstline.intake.accept(mail(), RAW)
    house.clock.forward(days=13)
    house.firstline.sweep()
    assert house.firstline.originals.get("email", "<m1@b>") == RAW
    house.clock.forward(days=2)
    house.firstline.sweep()
    with pytest.raises(NotFound):
        house.firstline.originals.get("email", "<m1@b>")
    assert [row["state"] for row in house.all(Original)] == ["expired"]


def test_a_dead_letter_stays_until_a_person_has_seen_to_it(house: House) -> None:
    originals = house.firstline.originals
    assert originals.lay_aside("email", "dead:1", RAW, "nobody can read it\r\nat all")
    assert not originals.lay_aside("email", "dead:1", RAW, "again")
    house.clock.forward(days=400)
    house.firstline.sweep()
    (letter,) = originals.laid_aside("email")
    assert (letter.size, letter.reason) == (len(RAW), "nobody can read it\nat all")
    assert originals.dead("email", letter.number) == (letter, RAW)
    assert originals.revived(letter.number)
    assert not originals.revived(letter.number)
    assert originals.laid_aside("email") == []
    with pytest.raises(NotFound):
        originals.dead("email", letter.number)


@ON_SQLITE
def test_is_not_readable_in_the_database_where_there_is_a_key(db: str, clock: TestClock, tmp_path: Path) -> None:
    house = House(clock, data_key="a" * 32)
    house.firstline.intake.accept(mail(), RAW)
    house.stop()
    assert Originals(Seal(("b" * 32, "a" * 32)), clock).get("email", "<m1@b>") == RAW
    path = db.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        (content,) = connection.execute("SELECT content FROM originals").fetchone()
    connection.close()
    assert b"Ana" not in content
    assert content[:1] == b"\x01"


@ON_SQLITE
def test_all_that_was_sent_is_kept_beside_what_was_written(house: House) -> None:
    whole = "Yes\n\nOn Monday you wrote:\n> solved? My card is 4111 1111 1111 1111"
    house.firstline.intake.accept(mail(text="Yes", whole=whole, subject="Re: my card 4111 1111 1111 1111"), RAW)
    house.work()
    (said,) = [row for row in house.all(Message) if row["direction"] == "customer"]
    assert said["text"] == "Yes"
    assert said["whole"].startswith("Yes\n\nOn Monday")
    assert "4111" not in said["whole"]
    (incident,) = house.incidents()
    assert incident["subject"].startswith("Re: my card")
    assert "4111" not in incident["subject"]


@ON_SQLITE
def test_the_ids_of_a_thread_are_handed_to_a_sender_that_threads_by_them(db: str, clock: TestClock) -> None:
    house = House(clock)
    house.mail.threads = True  # type: ignore[attr-defined]
    opened = house.mailed("My card was charged twice", "<m1@b>", subject="Charged twice")
    house.clock.forward(seconds=5)
    house.mailed("It was on Monday", "<m2@b>", entitled_to=opened["incident_id"])
    house.clock.forward(seconds=5)
    house.commands.reply(opened["ticket_id"], CLERK, "We are looking into it")
    house.work()
    (ack,), (reply,) = house.mails("acknowledgement"), house.mails("reply")
    (sent,) = [row["provider_id"] for row in house.all(Notification) if row["kind"] == "acknowledgement"]
    assert (ack.answers, ack.references, ack.topic) == ("<m1@b>", ("<m1@b>",), "Charged twice")
    assert reply.references == ("<m1@b>", sent, "<m2@b>")
    house.stop()


@ON_SQLITE
def test_goes_with_the_person_who_is_forgotten(house: House) -> None:
    bea = Address("email", "bea@example.com")
    message = mail(proof=Proof.SENDER, proven=(ANA,), whole="all of it: Ana", subject="Ana's card", copied=(bea,))
    house.firstline.intake.accept(message, RAW)
    house.work()
    house.clock.forward(minutes=1)
    house.firstline.privacy.forget(ANA.key, Caller("boss", Role.ADMIN))
    assert house.all(Original) == []
    with sqlite3.connect(str(database.database)) as connection:
        dump = "\n".join(connection.iterdump())
    connection.close()
    assert "Ana" not in dump
    assert "bea@example.com" not in dump
