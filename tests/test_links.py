"""The links of mails, over HTTP: looking changes nothing, pressing does what was asked, and nothing else opens them."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests

from adapters.http.links import HEADERS
from adapters.http.settings import HttpSettings
from bot import telemetry
from bot.errors import Conflict, Forbidden
from bot.follow_ups import ANSWERS
from bot.life import RATINGS
from bot.links import VALID, Links
from bot.model import Caller, IncidentDetails, NoticeKind, Role
from storage import database
from tests.fakes import CLERK, NOON
from tests.mailbox import Mailbox, wait_until
from tests.postgres import ON_SQLITE
from tests.process import Process
from tests.test_auth import KEY, known_as, token
from tests.test_http import NEW, Served, problem_of, serving

LINK_KEY = "a-key-for-links-" * 3
ADMIN = Caller("root", Role.ADMIN)

NOT_OURS = "This link is not one of ours. Answer the mail instead."
TOO_OLD = "This link is too old. Answer the mail instead."
NOWHERE = "This link leads nowhere any more. Answer the mail instead."
TOO_LATE = "This was about an earlier state of your ticket and changes nothing any more."
NOT_NOW = "This cannot be done just now. Please try again in a minute."
SOLVED = "Thank you for telling us. Your ticket is solved."
NOT_SOLVED = "Thank you for telling us. We are still working on it."
RATED = "Thank you for your rating."


@pytest.fixture(autouse=True)
def _one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINK_KEY", LINK_KEY)


@pytest.fixture
def served(db: str) -> Iterator[Served]:
    with serving(HttpSettings(port=0)) as served:
        yield served


@pytest.fixture
def secured(db: str) -> Iterator[Served]:
    """Firstline whose API needs tokens."""
    with serving(HttpSettings(port=0, jwt_keys=KEY)) as served:
        yield served


def link(served: Served, name: str, action: str, turn: int = 1, age: timedelta = timedelta(0), key: str = "") -> str:
    """The path of a link as it is written in a mail, so long ago."""
    found = served.firstline.views.incident(name)
    assert isinstance(found, IncidentDetails)
    links = served.firstline.life.links if not key else Links("http://x", key)
    (written,) = links.actions(found.incident, [action], turn, datetime.now(UTC) - age)
    return urlsplit(written.url).path


def text_of(page: requests.Response) -> str:
    """What a page says."""
    (text,) = re.findall(r"<p>(.*)</p>", page.text)
    return unescape(text)


def button_of(page: requests.Response) -> str | None:
    found = re.search(r"<button type=\"submit\">(.*)</button>", page.text)
    return None if found is None else unescape(found[1])


def press(served: Served, path: str, **headers: str) -> requests.Response:
    return requests.post(f"{served.url}{path}", headers=headers, timeout=10)


def opened(served: Served, **changes: str) -> str:
    """Open an incident, and return its number."""
    number: str = served.post({**NEW, **changes}).json()["ticket_id"]
    return number


def resolved(served: Served, **changes: str) -> str:
    number = opened(served, **changes)
    served.firstline.commands.resolve(number, CLERK)
    return number


def state(served: Served) -> list[Any]:
    """All that pressing a link could change."""
    with database.session():
        return [
            database.execute(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()
            for table, columns in (
                ("incidents", "id, status, openings, resolutions"),
                ("events", "id, actor, name"),
                ("ratings", "incident_id, resolution, score"),
                ("inbox", "id, state"),
                ("notifications", "id"),
            )
        ]


def ratings() -> list[tuple[int, int]]:
    with database.session():
        rows = database.execute("SELECT resolution, score FROM ratings ORDER BY resolution").fetchall()
    return [tuple(row) for row in rows]


# --- looking


def test_a_page_asks_and_has_one_button(served: Served) -> None:
    number = resolved(served)
    page = served.get(link(served, number, "rate-4"))
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"<h1><bdi>{number}</bdi></h1>" in page.text
    assert text_of(page) == "Please confirm your rating of our help, from 1 (not at all satisfied) to 5 (very)."
    assert button_of(page) == "4"
    asks = served.get(link(served, opened(served), "not_solved"))
    assert text_of(asks) == "Is this ticket solved? Please confirm your answer."
    assert button_of(asks) == "No, not yet"


@pytest.mark.parametrize("action", ["solved", "not_solved", "rate-1"])
def test_to_look_changes_nothing_however_often_and_whoever_does(served: Served, action: str) -> None:
    number = resolved(served) if action.startswith("rate") else opened(served)
    path, before = link(served, number, action), state(served)
    pages = [served.get(path) for _ in range(3)]
    assert len({page.text for page in pages}) == 1
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE"):
        requests.request(method, f"{served.url}{path}", timeout=5)
    assert requests.head(f"{served.url}{path}", timeout=5).status_code == 200
    assert state(served) == before


@pytest.mark.parametrize(
    ("text", "language", "direction", "button"),
    [
        ("Me han cobrado dos veces con la tarjeta", "es", "ltr", "Sí, está resuelto"),
        ("تم خصم المبلغ مرتين من بطاقتي البنكية", "ar", "rtl", None),
        ("My card was charged twice", "en", "ltr", "Yes, it is solved"),
    ],
)
def test_a_page_speaks_the_customers_language_in_its_direction(
    served: Served, text: str, language: str, direction: str, button: str | None
) -> None:
    path = link(served, opened(served, message=text), "solved")
    page = served.get(path)
    assert f'<html lang="{language}" dir="{direction}">' in page.text
    assert button_of(page)
    assert button is None or button_of(page) == button
    answer = press(served, path)
    assert f'<html lang="{language}" dir="{direction}">' in answer.text
    assert (text_of(answer) == SOLVED) == (language == "en")


@ON_SQLITE
def test_whatever_stands_on_a_page_is_text(served: Served) -> None:
    number = opened(served)
    path = link(served, number, "solved")
    with database.transaction():
        database.execute("UPDATE incidents SET ticket_id = ?", ['TKT-"><script>alert(1)</script>'])
    for page in (served.get(path), press(served, path)):
        assert "<script" not in page.text
        assert "TKT-&#34;&gt;&lt;script&gt;" in page.text


# --- pressing


def test_to_press_solved_resolves_the_incident_once_for_whoever_clicks_twice(served: Served) -> None:
    number = opened(served)
    path = link(served, number, "solved")
    assert [text_of(press(served, path)) for _ in range(2)] == [SOLVED, SOLVED]
    shown = served.get(f"/api/incidents/{number}").json()
    assert (shown["status"], shown["resolved_by"], shown["resolutions"]) == ("resolved", "C-1042", 1)
    assert button_of(press(served, path)) is None


def test_to_press_not_solved_is_kept_and_leaves_it_open(served: Served) -> None:
    number = opened(served)
    assert text_of(press(served, link(served, number, "not_solved"))) == NOT_SOLVED
    shown = served.get(f"/api/incidents/{number}").json()
    assert shown["status"] == "open"
    assert "not_solved" in [entry["what"] for entry in shown["timeline"]]


def test_the_last_rating_holds(served: Served) -> None:
    number = resolved(served)
    for action in ("rate-5", "rate-2", "rate-5"):
        assert text_of(press(served, link(served, number, action))) == RATED
    assert ratings() == [(1, 5)]


# --- what is no link, or not any more

ALTERED: dict[str, Callable[[str], str]] = {
    "another action": lambda path: forged(path, act="rate-5"),
    "another incident": lambda path: forged(path, sub="00000000-0000-7000-8000-000000000000"),
    "a later end": lambda path: forged(path, exp=4_000_000_000),
    "no signature": lambda path: path.rpartition(".")[0] + ".",
    "no algorithm": lambda path: "/a/" + jwt.encode(claims_of(path), None, "none"),
    "another algorithm": lambda path: "/a/" + jwt.encode(claims_of(path), LINK_KEY * 2, "HS512"),
    "half of it": lambda path: path[: len(path) // 2],
    "too long": lambda path: path + "A" * 60_000,
    "nothing": lambda path: "/a/x",
    "no text": lambda path: "/a/%FF%00",
}


def claims_of(path: str) -> dict[str, Any]:
    return dict(jwt.decode(path.removeprefix("/a/"), options={"verify_signature": False}))


def forged(path: str, **claims: Any) -> str:
    """The link with other claims, under the signature that it had."""
    header, _, signature = path.split(".")
    body = jwt.encode({**claims_of(path), **claims}, "k" * 32).split(".")[1]
    return f"{header}.{body}.{signature}"


def refuses(served: Served, path: str, text: str) -> None:
    before = state(served)
    for page in (served.get(path), press(served, path)):
        assert (page.status_code, text_of(page), button_of(page)) == (403, text, None)
    assert state(served) == before


@ON_SQLITE
@pytest.mark.parametrize("alter", ALTERED.values(), ids=list(ALTERED))
def test_a_link_that_was_altered_is_refused(served: Served, alter: Callable[[str], str]) -> None:
    refuses(served, alter(link(served, resolved(served), "rate-1")), NOT_OURS)


def test_a_link_that_another_key_has_signed_is_refused(served: Served) -> None:
    refuses(served, link(served, opened(served), "solved", key="k" * 48), NOT_OURS)


def test_a_link_holds_for_thirty_days(served: Served) -> None:
    number = opened(served)
    refuses(served, link(served, number, "solved", age=VALID + timedelta(minutes=1)), TOO_OLD)
    assert text_of(press(served, link(served, number, "solved", age=VALID - timedelta(minutes=1)))) == SOLVED


@pytest.mark.parametrize("missing", ["exp", "sub", "aud", "act", "turn"])
def test_a_link_that_lacks_something_is_none(missing: str) -> None:
    claims = {"sub": "i-1", "act": "solved", "turn": 1, "aud": "firstline-link", "exp": int(NOON.timestamp()) + 60}
    links = Links("http://x", LINK_KEY)
    assert links.read(jwt.encode(claims, LINK_KEY), NOON).incident_id == "i-1"
    del claims[missing]
    for others in ({}, {"aud": "firstline"}):  # as in a token of the API
        with pytest.raises(Forbidden, match="not one of ours"):
            links.read(jwt.encode({**claims, **others}, LINK_KEY), NOON)


def test_without_a_key_no_link_is_written_and_none_is_taken() -> None:
    with pytest.raises(Forbidden, match="not one of ours"):
        Links().read(jwt.encode({"sub": "i-1"}, "k" * 32), NOON)


def is_over(served: Served, path: str) -> None:
    before = state(served)
    for page in (served.get(path), press(served, path)):
        assert (page.status_code, text_of(page), button_of(page)) == (200, TOO_LATE, None)
    assert state(served) == before


def test_a_rating_is_over_once_the_incident_is_open_again(served: Served) -> None:
    number = resolved(served)
    path = link(served, number, "rate-1")
    served.firstline.commands.reopen(number, CLERK)
    is_over(served, path)
    served.firstline.commands.resolve(number, CLERK)
    is_over(served, path)
    assert text_of(press(served, link(served, number, "rate-5", turn=2))) == RATED
    assert ratings() == [(2, 5)]


@pytest.mark.parametrize("action", ANSWERS)
def test_an_answer_is_over_once_the_incident_was_resolved_and_opened_again(served: Served, action: str) -> None:
    number = opened(served)
    path = link(served, number, action)
    press(served, path)
    with contextlib.suppress(Conflict):  # by the customer
        served.firstline.commands.resolve(number, CLERK)
    served.firstline.commands.reopen(number, CLERK)
    is_over(served, path)


@pytest.mark.parametrize("action", ANSWERS)
def test_an_answer_comes_too_late_where_an_agent_has_resolved_it(served: Served, action: str) -> None:
    number = resolved(served)
    assert text_of(press(served, link(served, number, action))) == TOO_LATE
    assert served.get(f"/api/incidents/{number}").json()["resolved_by"] == "clerk"


def is_forgotten(served: Served, customer: str) -> bool:
    """Forget a customer, unless a worker has something of theirs in hand."""
    try:
        served.firstline.privacy.forget(customer, ADMIN)
    except Conflict:
        return False
    return True


def test_a_link_of_somebody_who_was_forgotten_changes_nothing(served: Served) -> None:
    number = resolved(served)
    paths = [link(served, number, action) for action in ("rate-1", "solved")]
    wait_until(lambda: is_forgotten(served, "C-1042"))
    before = state(served)[:3]
    for path in paths:
        assert served.get(path).status_code == 200
        assert text_of(press(served, path)) == TOO_LATE
    assert state(served)[:3] == before


@ON_SQLITE
def test_a_link_to_an_incident_that_is_gone_leads_nowhere(served: Served) -> None:
    found = served.firstline.views.incident(opened(served))
    assert isinstance(found, IncidentDetails)
    gone = replace(found.incident, id="00000000-0000-7000-8000-000000000000")
    (written,) = served.firstline.life.links.actions(gone, ["solved"], 1, datetime.now(UTC))
    refuses(served, urlsplit(written.url).path, NOWHERE)


# --- tokens and links


@pytest.mark.parametrize("key", [KEY, LINK_KEY], ids=["one key for both", "a key of its own"])
def test_a_token_is_no_link_and_a_link_is_no_token(db: str, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("LINK_KEY", key)
    with serving(HttpSettings(port=0, jwt_keys=KEY)) as served:
        number = served.post(**known_as("ana")).json()["ticket_id"]
        path = link(served, number, "solved")
        refuses(served, f"/a/{token(role='admin')}", NOT_OURS)
        answer = served.get("/api/incidents", headers={"Authorization": f"Bearer {path.removeprefix('/a/')}"})
        assert problem_of(answer)["status"] == 401
        assert text_of(press(served, path)) == SOLVED


@ON_SQLITE
@pytest.mark.parametrize(
    "path", ["/a/../api/stats", "/a/x/../../api/stats", "/a/x/y", "/a/", "/a", "/a/%2e%2e/api/stats"]
)
def test_what_begins_like_a_link_opens_nothing_else(secured: Served, path: str) -> None:
    with requests.Session() as session:
        request = requests.Request("GET", secured.url).prepare()
        request.url = f"{secured.url}{path}"  # as it is written, with its dots
        assert session.send(request, timeout=5).status_code in (401, 403, 404)


@pytest.mark.parametrize("keys", ["", KEY], ids=["without keys", "with keys"])
def test_a_page_of_another_site_cannot_press_a_link_and_our_own_can(db: str, keys: str) -> None:
    with serving(HttpSettings(port=0, jwt_keys=keys or None)) as served:
        who = known_as("ana") if keys else {}
        number = served.post(**who).json()["ticket_id"]
        path = link(served, number, "solved")
        for origin in ("https://evil.example", "null", ""):
            assert problem_of(press(served, path, Origin=origin))["status"] == 403
        assert served.get(f"/api/incidents/{number}", headers=who).json()["status"] == "open"
        assert text_of(press(served, path, Origin=served.url)) == SOLVED


# --- headers, logs, and a database that is away


@ON_SQLITE
def test_every_page_says_that_it_is_for_this_reader_alone(served: Served) -> None:
    path = link(served, opened(served), "solved")
    pages = [served.get(path), served.get("/a/x"), press(served, "/a/x"), press(served, path), served.get(path)]
    with database.transaction():
        database.execute("ALTER TABLE incidents RENAME TO gone")
    pages.append(served.get(path))
    assert [page.status_code for page in pages] == [200, 403, 403, 200, 200, 503]
    for page in pages:
        assert {name: page.headers[name] for name in HEADERS} == HEADERS
        assert "Set-Cookie" not in page.headers
    policy = HEADERS["Content-Security-Policy"]
    assert all(part in policy for part in ("default-src 'none'", "form-action 'self'", "frame-ancestors 'none'"))
    assert HEADERS["Cache-Control"] == "no-store"
    assert HEADERS["Referrer-Policy"] == "same-origin"


@ON_SQLITE
def test_a_database_that_is_away_is_said_to_whoever_looks_and_presses(served: Served) -> None:
    path = link(served, opened(served), "solved")
    with database.transaction():
        database.execute("ALTER TABLE incidents RENAME TO gone")
    for page in (served.get(path), press(served, path)):
        assert (page.status_code, text_of(page)) == (503, NOT_NOW)
        assert page.headers["Retry-After"] == "60"


def test_what_is_pressed_while_something_else_is_in_hand_is_stored_and_done_later(db: str) -> None:
    with serving(HttpSettings(port=0, response_wait="10ms")) as served:
        where = served.post().headers["Location"]
        wait_until(lambda: served.get(where).json()["status"] == "open")
        path = link(served, served.get(where).json()["ticket_id"], "solved")
        served.gate.clear()
        requests.post(f"{served.url}{where}/messages", json={"message": "It was 20 euros"}, timeout=10)
        answer = press(served, path)
        assert (answer.status_code, text_of(answer)) == (202, "Your message is stored and will be handled.")
        served.gate.set()
        wait_until(lambda: served.get(where).json()["status"] == "resolved")


@ON_SQLITE
def test_no_line_of_the_log_names_a_link(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.set_up("DEBUG", "json")
    number = opened(served)
    path = link(served, number, "solved")
    for follow in (served.get, lambda path: press(served, path)):
        follow(path)
        follow(path + "x")
        follow("/a/sesame")
    with database.transaction():
        database.execute("ALTER TABLE incidents RENAME TO gone")
    served.get(path)
    log = capsys.readouterr().err
    assert "message.put" in log
    assert not [word for word in ("/a/", "sesame", *path.removeprefix("/a/").split(".")) if word in log]


# --- the whole way


@pytest.fixture
def process(mailbox: Mailbox, database_url: str, tmp_path: Path) -> Iterator[Process]:
    settings = {"DATABASE_URL": database_url, "PUBLIC_URL": "https://support.example/help", **mailbox.environment()}
    with Process(tmp_path, settings) as process:
        yield process.wait_up()
        assert process.terminate() == 0
        assert "/a/" not in "".join(process.output)


def test_the_five_links_of_a_mail_lead_to_a_rating(process: Process, mailbox: Mailbox) -> None:
    number = process.post(NEW, "k-1").json()["ticket_id"]
    url = f"{process.url}/api/incidents/{number}"
    assert requests.post(f"{url}/resolve", json={"note": "Refunded."}, timeout=10).status_code == 200
    wait_until(lambda: mailbox.by_notice(".resolved-1."))
    (mail,) = mailbox.by_notice(".resolved-1.").values()
    for kind in ("plain", "html"):
        part = mail.get_body((kind,))
        assert part is not None
        found = re.findall(r"https://support\.example/help(/a/[\w.-]+)", unescape(part.get_content()))
        assert len(dict.fromkeys(found)) == len(RATINGS)
    for score, path in enumerate(dict.fromkeys(found), start=1):
        page = requests.get(f"{process.url}{path}", timeout=10)
        assert button_of(page) == str(score)
        answer = requests.post(f"{process.url}{path}", headers={"Origin": process.url}, timeout=10)
        assert text_of(answer) == RATED
    timeline = requests.get(url, timeout=10).json()["timeline"]
    assert [entry["text"] for entry in timeline if entry["what"] == "rated"] == ["1", "2", "3", "4", "5"]
    assert requests.get(f"{process.url}/api/stats", timeout=10).json()["mean_rating"] == 5


@ON_SQLITE
def test_the_mail_that_asks_whether_it_is_solved_has_a_link_for_either_answer(served: Served) -> None:
    number = opened(served)
    with database.transaction():
        database.execute("UPDATE follow_ups SET due_at = opened_at")
    served.firstline.follow_ups.work()
    wait_until(lambda: [notice for _, notice in served.sender.sent if notice.kind is NoticeKind.REMINDER])
    (reminder,) = [notice for _, notice in served.sender.sent if notice.kind is NoticeKind.REMINDER]
    paths = {action.name: urlsplit(action.url).path for action in reminder.actions}
    assert list(paths) == list(ANSWERS)
    assert text_of(press(served, paths["not_solved"])) == NOT_SOLVED
    assert text_of(press(served, paths["solved"])) == SOLVED
    assert served.get(f"/api/incidents/{number}").json()["status"] == "resolved"
