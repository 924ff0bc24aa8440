"""The files that come with a message: taken down, fetched, kept or refused, handed out, expired, erased."""

import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from adapters.http.files import disposition
from adapters.http.settings import HttpSettings
from bot.app import World
from bot.errors import ConfigurationError, Conflict, NotFound, TryLater, Undeliverable
from bot.files import EXPIRED, sniff
from bot.model import Attachment, Caller, InboundMessage, MessageKind, Role, file_name
from bot.sealing import Seal
from bot.views import Views
from storage import attachments, database, jobs
from storage.dead import everything
from storage.tables import Attachment as Row
from storage.tables import Event, Job, Notification
from tests.fakes import Cupboard, Died, TestClock
from tests.house import House
from tests.postgres import ON_POSTGRESQL, ON_SQLITE
from tests.test_cli import bot, refusal
from tests.test_http import serving

PDF = b"%PDF-1.7\n1 0 obj\n"
KEY = "a key of at least thirty-two bytes"
ADMIN = Caller("root", Role.ADMIN)


def file(ref: str = "a", name: str = "invoice.pdf", size: int | None = None) -> Attachment:
    return Attachment(name, "application/x-claimed", size, ref)


class Shelf(House):
    """A house whose chat brings files. `cupboard` is where they lie."""

    def __init__(self, clock: TestClock, **settings: Any) -> None:
        self.cupboard = Cupboard(a=PDF, b=b"BB", c=b"CCC")
        super().__init__(clock, files=[self.cupboard], **settings)

    def sends(self, *files: Attachment, key: str = "m-1", **changes: Any) -> str:
        """Write in the chat, with files; return the incident's id."""
        return str(self.chats("I was charged twice", key, attachments=files, **changes)["incident_id"])

    def rows(self) -> list[dict[str, Any]]:
        return self.all(Row)

    def states(self) -> list[tuple[str, str]]:
        return [(row["name"], row["state"]) for row in self.rows()]

    def told(self) -> list[str]:
        return [notice.lead for _, notice in self.chat.sent if notice.kind == "files_refused"]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Many failures are meant, and to lay each out for people takes longer than the test."""
    with capture_logs():
        yield


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[Shelf]:
    house = Shelf(clock)
    yield house
    house.stop()


def shelf(house: Shelf, clock: TestClock, **settings: Any) -> Shelf:
    """Another house over the same database, with other settings."""
    house.stop()
    return Shelf(clock, **settings)


# --- taking down and fetching


def test_a_file_is_fetched_and_kept_with_the_incident(house: Shelf, clock: TestClock) -> None:
    incident = house.sends(file(size=17))
    (row,) = house.rows()
    assert (row["incident"], row["state"], row["size"], row["kept_at"]) == (incident, "kept", len(PDF), clock.now)
    view, content = house.firstline.views.file(incident, row["id"])
    assert (content, view.name, view.media_type) == (PDF, "invoice.pdf", "application/pdf")
    assert house.told() == []


@ON_SQLITE
def test_a_file_of_a_further_message_is_kept_with_its_incident(house: Shelf) -> None:
    first = house.sends()
    assert house.sends(file(), key="m-2") == first
    assert [(row["incident"], row["external_id"]) for row in house.rows()] == [(first, "m-2")]


@ON_SQLITE
def test_an_incident_is_opened_and_confirmed_before_a_file_is_fetched(house: Shelf) -> None:
    house.cupboard.files["a"] = TryLater("not now")
    house.sends(file())
    assert house.states() == [("invoice.pdf", "new")]
    assert [notice.kind for _, notice in house.chat.sent] == ["acknowledgement"]


@ON_SQLITE
def test_each_file_waits_for_itself_alone(house: Shelf) -> None:
    house.cupboard.files["a"] = TryLater("not now", retry_after=600)
    house.sends(file("a", "slow"), file("b", "quick"))
    assert house.states() == [("slow", "new"), ("quick", "kept")]
    house.cupboard.files["a"] = PDF
    house.later(seconds=599)
    assert house.states()[0] == ("slow", "new")
    house.later(seconds=601)
    assert house.states() == [("slow", "kept"), ("quick", "kept")]


def test_a_message_that_comes_twice_brings_its_file_once(house: Shelf) -> None:
    house.sends(file())
    house.sends(file())
    assert house.cupboard.fetched == ["a"]
    assert len(house.rows()) == 1


@pytest.mark.parametrize("refused", [False, True])
def test_a_process_that_dies_while_it_fetches_leaves_the_job_to_the_next(house: Shelf, refused: bool) -> None:
    house.cupboard.files["a"] = Died("in the middle")
    house.accept("charged twice", "m-1", channel="chat", attachments=(file(),), addresses=())
    with pytest.raises(Died):
        house.work()
    assert house.states() == [("invoice.pdf", "new")]
    house.die()
    house.cupboard.files["a"] = Undeliverable("gone") if refused else PDF
    house.later(seconds=11)
    assert house.cupboard.fetched == ["a", "a"]
    assert house.states() == [("invoice.pdf", "refused" if refused else "kept")]
    assert [job["state"] for job in house.all(Job)] == ["done"]
    assert len([row for row in house.owed("files_refused")]) == 0  # it has no address
    house.later(hours=1)
    assert house.cupboard.fetched == ["a", "a"]


@ON_SQLITE
def test_a_message_without_files_costs_no_statement_about_them(house: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    run = type(database.database.obj).execute_sql

    def heard(self: Any, sql: str, *rest: Any) -> Any:
        said.append(sql)
        return run(self, sql, *rest)

    monkeypatch.setattr(type(database.database.obj), "execute_sql", heard)
    house.sends()
    house.sends(key="m-2")
    assert said
    assert not [sql for sql in said if "attachments" in sql]


def test_a_message_travels_with_its_files_and_without_them_says_nothing_of_them() -> None:
    message = InboundMessage("chat", "m", "l", "u", "t", "chat", attachments=(file(size=3), file(size=None)))
    assert InboundMessage.from_json(message.to_json()) == message
    assert "attachments" not in replace(message, attachments=()).to_json()


# --- limits


@ON_SQLITE
@pytest.mark.parametrize(
    ("limits", "files", "states"),
    [
        ({"max_file": 5}, [file("b", "small", 2), file("a", "large", 6)], ["kept", "refused"]),
        ({"max_files": 1}, [file("b", "one", 2), file("c", "two", 3)], ["kept", "refused"]),
        ({"max_files": 0}, [file("b", "one", 2)], ["refused"]),
        ({"max_files_size": 4}, [file("b", "one", 2), file("c", "two", 3)], ["kept", "refused"]),
    ],
)
def test_what_is_too_much_is_refused_before_it_is_fetched(
    house: Shelf, clock: TestClock, limits: dict[str, int], files: list[Attachment], states: list[str]
) -> None:
    house = shelf(house, clock, **limits)
    house.sends(*files)
    assert [state for _, state in house.states()] == states
    refused = [row for row in house.rows() if row["state"] == "refused"]
    assert house.cupboard.fetched == [one.ref for one, state in zip(files, states, strict=True) if state == "kept"]
    assert all(row["reason"] for row in refused)
    assert len(house.told()) == 1
    assert refused[0]["name"] in house.told()[0]
    house.stop()


@ON_SQLITE
@pytest.mark.parametrize(("limits", "refusal"), [({"max_file": 5}, "too_large"), ({"max_files_size": 5}, "too_much")])
def test_a_file_that_is_larger_than_its_sender_says_is_refused_while_it_is_fetched(
    house: Shelf, clock: TestClock, limits: dict[str, int], refusal: str
) -> None:
    house = shelf(house, clock, **limits)
    house.sends(file("a", size=3))
    assert [(row["state"], row["refusal"], row["content"]) for row in house.rows()] == [("refused", refusal, None)]
    assert len(house.told()) == 1
    house.stop()


@ON_SQLITE
def test_what_is_kept_of_a_message_counts_against_what_comes_after_it(house: Shelf, clock: TestClock) -> None:
    house = shelf(house, clock, max_files_size=4)
    house.sends(file("b", "one"), file("c", "two"))
    assert house.states() == [("one", "kept"), ("two", "refused")]
    house.stop()


@ON_SQLITE
def test_of_hundreds_of_files_no_more_than_a_hundred_are_listed(house: Shelf) -> None:
    house.cupboard.files |= {f"f{number}": b"x" for number in range(10)}
    house.sends(*(file(f"f{number}", f"n{number}") for number in range(300)))
    assert len(house.rows()) == 100
    assert [state for _, state in house.states()].count("kept") == 10
    assert house.told()[0].count("\n- ") == 10
    assert house.told()[0].endswith("…")


# --- telling the customer


@ON_SQLITE
def test_the_customer_is_told_once_of_all_that_was_refused_at_once(house: Shelf, clock: TestClock) -> None:
    house = shelf(house, clock, max_file=5)
    house.sends(file("a", "one.pdf", 100), file("a", "two.pdf", 100), file("b", "three.pdf", 2))
    (told,) = house.told()
    assert "- one.pdf: it is too large\n- two.pdf: it is too large" in told
    assert "three.pdf" not in told
    assert [notice.kind for _, notice in house.chat.sent] == ["acknowledgement", "files_refused"]
    house.stop()


def test_what_turns_out_to_be_refused_is_told_once_when_all_are_settled(house: Shelf) -> None:
    house.cupboard.files = {"a": Undeliverable("gone"), "b": TryLater("wait", 60), "c": Undeliverable("gone")}
    house.sends(file("a", "one"), file("b", "two"), file("c", "three"))
    assert house.told() == []
    house.cupboard.files["b"] = b"BB"
    house.later(seconds=61)
    (told,) = house.told()
    assert "- one: we could not get it\n- three: we could not get it" in told


@ON_SQLITE
def test_the_customer_is_told_in_their_language_and_sent_no_link(house: Shelf, clock: TestClock) -> None:
    house = shelf(house, clock, max_files=0)
    text = "Meine Karte wurde zweimal belastet, bitte prüfen Sie das für mich"
    named = file(name="http://evil.example/login?x")
    house.chats(text, "m-1", attachments=(named, file(name="www.evil.example")))
    (told,) = house.told()
    assert "es sind zu viele Dateien in einer Nachricht" in told
    assert "evil.example/" not in told
    assert "www." not in told
    house.stop()


@ON_SQLITE
def test_a_machine_is_not_told_of_its_files(house: Shelf) -> None:
    house.cupboard.files["a"] = Undeliverable("gone")
    house.sends(key="m-0")
    house.sends(file("a"), automatic=True)
    assert house.states() == [("invoice.pdf", "refused")]
    assert house.told() == []


# --- giving up


def test_a_file_that_cannot_be_had_is_refused_in_the_end_and_a_person_may_have_it_retried(
    house: Shelf, clock: TestClock
) -> None:
    house = shelf(house, clock, attempts=2)
    house.cupboard.files["a"] = TryLater("give it the scope files:read")
    incident = house.sends(file())
    house.later(hours=2)
    (row,) = house.rows()
    assert (row["state"], row["reason"]) == ("refused", "give it the scope files:read")
    assert len(house.told()) == 1
    with database.session():
        (dead,) = everything(10)
    assert (dead.incident_id, dead.attempts) == (incident, 2)
    assert "files:read" in (dead.error or "")

    house.commands.retry(dead.name)
    house.work()
    house.later(hours=2)
    assert len(house.told()) == 1
    house.cupboard.files["a"] = PDF
    house.commands.retry(dead.name)
    house.work()
    (row,) = house.rows()
    assert (row["state"], row["reason"]) == ("kept", None)
    house.stop()


@ON_SQLITE
def test_a_file_of_a_channel_that_is_switched_off_waits(house: Shelf) -> None:
    house.firstline.world = World([house.mail, house.chat], [house.classifier], None, house.clock)
    house.sends(file())
    assert house.states() == [("invoice.pdf", "new")]
    house.die()
    house.later(minutes=1)
    assert house.states() == [("invoice.pdf", "kept")]


@ON_SQLITE
def test_a_source_that_never_answers_is_given_up_waiting_for(house: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    monkeypatch.setattr(house.cupboard, "fetch", lambda ref, most: ended.wait(20))
    monkeypatch.setattr(house.cupboard, "file_deadline", -0.9)
    house.sends(file())
    ended.set()
    assert house.states() == [("invoice.pdf", "new")]
    (job,) = house.all(Job)
    assert "DeadlinePassed" in job["error"]


# --- side by side


@ON_POSTGRESQL
def test_of_files_that_are_refused_at_the_same_moment_the_customer_is_told_once(house: Shelf) -> None:
    for turn in range(5):
        waiting = threading.Barrier(3)
        house.cupboard.fetch = lambda ref, most, at=waiting: refuse_at(at)  # type: ignore[misc, method-assign]
        house.accept("charged twice", f"m-{turn}", channel="chat", attachments=(file("a"), file("b"), file("c")))
        (lane,) = house.due()
        house.firstline.lanes.run(lane)
        fetching = [name for name in house.due() if name.startswith("job/file/")]
        with ThreadPoolExecutor(3) as at_once:
            list(at_once.map(house.firstline.lanes.run, fetching))
        house.work()
        assert [row["state"] for row in house.rows()[-3:]] == ["refused"] * 3
        assert len(house.mails("files_refused")) == turn + 1


def refuse_at(barrier: threading.Barrier) -> Any:
    barrier.wait(10)
    raise Undeliverable("gone")


@ON_POSTGRESQL
def test_whoever_is_forgotten_while_files_are_fetched_holds_nobody_up(house: Shelf) -> None:
    for turn in range(5):
        person, chat = f"u-{turn}", {"lane": f"chat/{turn}", "addresses": (), "private": True, "answer_on": "chat"}
        files = (file("a"), file("b"), file("c"))
        house.accept(
            "charged twice", f"m-{turn}", channel="chat", customer_id=person, reporter="", attachments=files, **chat
        )
        (lane,) = house.due()
        house.firstline.lanes.run(lane)
        with ThreadPoolExecutor(4) as at_once:
            fetched = [at_once.submit(house.firstline.lanes.run, name) for name in house.due()]
            forgotten = at_once.submit(house.firstline.privacy.forget, person, ADMIN)
            for one in fetched:
                one.result(20)
            with suppress(Conflict, NotFound):
                forgotten.result(20)
        house.work()
        with suppress(Conflict, NotFound):
            house.firstline.privacy.forget(person, ADMIN)
        assert {(row["name"], row["content"]) for row in house.rows()} == {("(forgotten)", None)}
        assert {job["state"] for job in house.all(Job)} == {"done"}


# --- deleting


def test_the_files_of_a_deleted_message_are_deleted_with_it(house: Shelf) -> None:
    incident = house.sends(file())
    house.delete("m-1", "d-1", channel="chat")
    (row,) = house.rows()
    assert (row["state"], row["content"], row["ref"]) == ("expired", None, "")
    assert "invoice" not in str(house.firstline.views.files(incident))
    with pytest.raises(NotFound, match="deleted the message"):
        house.firstline.views.file(incident, row["id"])


def test_a_file_whose_message_is_deleted_while_it_is_fetched_is_not_kept(house: Shelf) -> None:
    house.cupboard.files["a"] = TryLater("wait", 60)
    house.sends(file())
    fetch = house.cupboard.fetch

    def meanwhile(ref: str, most: int) -> Any:
        house.cupboard.files["a"] = PDF
        house.delete("m-1", "d-1", channel="chat", lane="chat/7")
        return fetch(ref, most)

    house.cupboard.fetch = meanwhile  # type: ignore[method-assign]
    house.later(seconds=61)
    (row,) = house.rows()
    assert (row["state"], row["content"]) == ("expired", None)
    assert [job["state"] for job in house.all(Job)] == ["done"]
    assert house.told() == []


@ON_SQLITE
def test_a_message_that_was_deleted_before_it_came_brings_no_file(house: Shelf) -> None:
    house.delete("m-1", "d-1", channel="chat", lane="chat/7")
    house.sends(file())
    assert house.rows() == []
    assert house.cupboard.fetched == []


def test_contents_expire_and_the_row_stays(house: Shelf, clock: TestClock) -> None:
    incident = house.sends(file())
    house.firstline.sweep()
    clock.forward(days=14, seconds=-1)
    house.firstline.sweep()
    assert house.states() == [("invoice.pdf", "kept")]
    clock.forward(seconds=2)
    house.firstline.sweep()
    (row,) = house.rows()
    assert (row["name"], row["state"], row["content"], row["size"]) == ("invoice.pdf", "expired", None, len(PDF))
    with pytest.raises(NotFound, match=r"RAW_KEPT"):
        house.firstline.views.file(incident, row["id"])


def test_one_look_deletes_no_more_than_it_may(house: Shelf, clock: TestClock) -> None:
    house.sends(file("a"), file("b"), file("c"))
    clock.forward(days=15)
    with database.transaction():
        assert attachments.expire(clock.now, 2, EXPIRED) == 2
    assert sorted(state for _, state in house.states()) == ["expired", "expired", "kept"]


# --- encrypted


def test_with_a_data_key_contents_are_unreadable_in_the_database(house: Shelf, clock: TestClock) -> None:
    house = shelf(house, clock, data_key=KEY)
    incident = house.sends(file())
    (row,) = house.rows()
    assert b"PDF" not in bytes(row["content"])
    assert house.firstline.views.file(incident, row["id"])[1] == PDF
    with pytest.raises(ConfigurationError, match="DATA_KEY"):
        Views(Seal()).file(incident, row["id"])
    house.stop()


# --- who it belongs to


def test_whoever_is_forgotten_leaves_no_file_and_none_is_fetched_any_more(house: Shelf) -> None:
    house.cupboard.files["b"] = TryLater("wait", 60)
    house.sends(file("a", "secret-name.pdf"), file("b", "secret-wait.pdf"))
    done = house.firstline.privacy.forget("u-7", ADMIN)
    assert done.files == 2
    everything = str([house.all(table) for table in (Row, Job, Event, Notification)])
    assert "secret" not in everything
    assert [(row["content"], row["ref"], row["state"]) for row in house.rows()] == [(None, "", "expired")] * 2
    house.cupboard.files["b"] = b"BB"
    asked = list(house.cupboard.fetched)
    house.later(hours=1)
    assert house.cupboard.fetched == asked


def test_somebody_elses_file_stays_when_one_of_a_thread_is_forgotten(house: Shelf) -> None:
    thread = {"thread": "group/1", "private": False, "lane": "chat/group"}
    house.sends(file("a", "hers"), **thread)
    house.sends(file("b", "his"), key="m-2", customer_id="u-8", **thread)
    house.firstline.privacy.forget("u-7", ADMIN)
    assert house.states() == [("(forgotten)", "expired"), ("his", "kept")]


def test_an_export_lists_the_files(house: Shelf) -> None:
    house.sends(file())
    document = house.firstline.privacy.export("u-7", ADMIN)
    (listed,) = document["incidents"][0]["timeline"][0]["files"]
    assert {name: listed[name] for name in ("name", "size", "state", "media_type")} == {
        "name": "invoice.pdf",
        "size": len(PDF),
        "state": "kept",
        "media_type": "application/pdf",
    }


# --- names and types


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ("../../etc/passwd", "etc_passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("C:\\temp\\a.txt", "C__temp_a.txt"),
        ('a"b\r\nSet-Cookie: x=1.pdf', "a_b Set-Cookie_ x=1.pdf"),
        ("exe\u202efdp.exe", "exefdp.exe"),
        ("\u2066\u200f.hidden", "hidden"),
        ("наш счёт.pdf", "наш счёт.pdf"),
        ("", "file"),
        ("...", "file"),
        ("\x00\x1b[31m", "[31m"),
        ("\udc80.pdf", "pdf"),
    ],
)
def test_a_name_is_one_line_and_no_path(written: str, name: str) -> None:
    assert file_name(written) == name


def test_a_long_name_keeps_its_ending() -> None:
    assert file_name("x" * 500 + ".pdf").endswith("x….pdf")
    assert len(file_name("x" * 500 + ".pdf")) == len(file_name("x" * 500)) == 200


@ON_SQLITE
def test_a_card_number_in_a_name_is_masked(house: Shelf) -> None:
    house.sends(file(name="card 4111 1111 1111 1111.png"))
    assert "4111 1111" not in house.rows()[0]["name"]


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("invoice.pdf", "invoice.pdf"),
        ('a"; filename="b.exe', "a__ filename__b.exe"),
        ("a\r\nX: y", "a__X_ y"),
        ("счёт.pdf", "____.pdf"),
    ],
)
def test_a_download_says_its_name_in_a_header_that_nothing_breaks_out_of(name: str, plain: str) -> None:
    said = disposition(name)
    assert said.startswith(f"attachment; filename=\"{plain}\"; filename*=UTF-8''")
    assert said.isascii()
    assert "\n" not in said


def archive(*names: str) -> bytes:
    with BytesIO() as written:
        with zipfile.ZipFile(written, "w") as archive:
            for name in names:
                archive.writestr(name, "x")
        return written.getvalue()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "image/png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01", "image/jpeg"),
        (archive("x.txt"), "application/zip"),
        (
            archive("[Content_Types].xml", "xl/workbook.xml"),
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        ),
        (b"MZ\x90\x00\x03\x00\x00\x00", "application/vnd.microsoft.portable-executable"),
        (b"BM is how this sentence begins", "text/plain"),
        ("Grüße".encode(), "text/plain"),
        (b"", "application/octet-stream"),
        (b"\x00\x01\x02", "application/octet-stream"),
    ],
)
def test_a_type_is_what_the_bytes_say(content: bytes, media_type: str) -> None:
    assert sniff(content) == media_type


# --- handing out


@ON_SQLITE
def test_agents_list_and_download_files_over_http(house: Shelf) -> None:
    incident = house.sends(file("a", 'bill "1"\r\n.pdf'), file("b", "big", 10**9))
    kept, refused = house.rows()
    with serving(HttpSettings(port=0)) as served:
        listed = served.get(f"/api/incidents/{incident}/files").json()
        assert [(one["id"], one["name"], one["state"]) for one in listed] == [
            (kept["id"], "bill _1_ .pdf", "kept"),
            (refused["id"], "big", "refused"),
        ]
        answer = served.get(f"/api/incidents/{incident}/files/{kept['id']}")
        assert (answer.status_code, answer.content) == (200, PDF)
        assert answer.headers["Content-Type"] == "application/pdf"
        assert answer.headers["Content-Disposition"].startswith("attachment; ")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Security-Policy"].startswith("sandbox")
        missing = served.get(f"/api/incidents/{incident}/files/{refused['id']}")
        assert (missing.status_code, missing.headers["Content-Type"]) == (404, "application/problem+json")
        assert "MAX_FILE" in missing.json()["detail"]
        assert served.get(f"/api/incidents/{incident}/files/999").status_code == 404
        assert served.get(f"/api/incidents/{incident}/files/{10**30}").status_code == 422
        assert served.get("/api/incidents/TKT-none/files").status_code == 404
        other = house.chats("a refund, please", "m-9", fresh=True)["incident_id"]
        assert served.get(f"/api/incidents/{other}/files/{kept['id']}").status_code == 404


@ON_SQLITE
def test_who_reported_an_incident_does_not_get_at_its_files_by_the_api(house: Shelf) -> None:
    incident = house.sends(file())
    with serving(HttpSettings(port=0, jwt_keys="k" * 32)) as served:
        issued: Any = served.firstline.tokens
        from datetime import timedelta

        from adapters.http.auth import Keys

        keys = Keys.of(HttpSettings(port=0, jwt_keys="k" * 32))  # type: ignore[arg-type]
        token, _ = issued.issue(keys, Role.REPORTER, timedelta(hours=1), "shop")
        answer = served.get(f"/api/incidents/{incident}/files", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 403
        assert served.get(f"/api/incidents/{incident}/files").status_code == 401


@ON_SQLITE
def test_on_the_command_line_files_are_listed_and_saved(house: Shelf, tmp_path: Path) -> None:
    incident = house.sends(file("a", "../bill.pdf"), file("b", "big", 10**9))
    kept, refused = house.rows()
    shown = " ".join(bot("show", incident).stdout.split())
    assert f"file {kept['id']}, bill.pdf (application/pdf, {len(PDF)} bytes): kept" in shown
    assert f"file {refused['id']}, big (application/x-claimed, 1000000000 bytes): refused: It is larger" in shown
    (tmp_path / "folder").mkdir()
    done = bot("file", incident, str(kept["id"]), "--to", "folder")
    assert done.returncode == 0, done
    assert (tmp_path / "folder" / "bill.pdf").read_bytes() == PDF
    assert (tmp_path / "folder" / "bill.pdf").stat().st_mode & 0o777 == 0o600
    assert "cannot be written (File exists)" in refusal(
        bot("file", incident, str(kept["id"]), "--to", "folder/bill.pdf"), 1
    )
    assert "This file is not kept. It is larger than" in refusal(
        bot("file", incident, str(refused["id"]), "--to", "x"), 1
    )


def test_an_edit_of_a_message_that_never_came_brings_its_files(house: Shelf) -> None:
    house.chats("charged twice", "d-1", kind=MessageKind.EDIT, about="m-1", attachments=(file(),))
    assert [(row["external_id"], row["state"]) for row in house.rows()] == [("m-1", "kept")]
    assert jobs.fetch_lane(house.rows()[0]["id"]) == house.all(Job)[0]["lane"]
