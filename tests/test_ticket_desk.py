"""The external ticket desk, against a real small one on loopback."""

import logging
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.ticket_desk import RestDesk, TicketDeskSettings, desk
from bot.errors import ConfigurationError, DeliveryFailed, TryLater, Undeliverable
from tests.desk import LocalDesk

INCIDENT = "0b8e5f0c-7d55-4d4f-9f8e-3f5f0f8d2c11"
NOTE = "Paid back — done"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
def local() -> Iterator[LocalDesk]:
    with LocalDesk() as server:
        yield server


def rest(url: str, token: str | None = None, **more: Any) -> RestDesk:
    more = {"ticket_timeout": timedelta(seconds=2), **more}
    secret = SecretStr(token) if token else None
    settings = TicketDeskSettings(ticket_api_url=SecretStr(url), ticket_api_token=secret, **more)
    return RestDesk(settings, clock=lambda: NOW)


def open_at(desk: RestDesk, incident: str = INCIDENT) -> str:
    return desk.open(incident, "failed_payment", "My card was declined — warum?")


def later(desk: RestDesk) -> TryLater:
    with pytest.raises(TryLater) as caught:
        open_at(desk)
    return caught.value


def opened(local: LocalDesk) -> RestDesk:
    """A desk that holds one ticket, 1001."""
    target = rest(local.url)
    assert open_at(target) == "1001"
    return target


def close_at(desk: RestDesk, external_id: str = "1001") -> None:
    desk.update(external_id, "closed", NOTE, "key-1")


# --- what is sent


def test_opens_a_ticket_and_returns_its_id(local: LocalDesk) -> None:
    assert open_at(rest(local.url)) == "1001"
    assert local.tickets == {INCIDENT: "1001"}


def test_posts_the_three_fields_as_json(local: LocalDesk) -> None:
    open_at(rest(local.url))
    (request,) = local.requests
    assert request.body == {
        "incident_id": INCIDENT,
        "category": "failed_payment",
        "message": "My card was declined — warum?",
    }
    assert request.headers["content-type"] == "application/json"


def test_sends_the_incident_id_as_idempotency_key(local: LocalDesk) -> None:
    open_at(rest(local.url))
    headers = local.requests[0].headers
    assert headers["idempotency-key"] == INCIDENT
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith("firstline")


def test_sends_the_token_as_bearer(local: LocalDesk) -> None:
    open_at(rest(local.url, token="t0ken"))
    assert local.requests[0].headers["authorization"] == "Bearer t0ken"


def test_sends_credentials_of_the_address_as_basic_auth(local: LocalDesk) -> None:
    open_at(rest(local.url.replace("127.0.0.1", "user:p%40ss@127.0.0.1")))
    assert local.requests[0].headers["authorization"] == "Basic dXNlcjpwQHNz"


def test_the_token_wins_over_credentials_of_the_address(local: LocalDesk) -> None:
    open_at(rest(local.url.replace("127.0.0.1", "user:pass@127.0.0.1"), token="t0ken"))
    assert local.requests[0].headers["authorization"] == "Bearer t0ken"


def test_sends_nothing_from_netrc(local: LocalDesk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    target = rest(local.url)
    target._session.trust_env = True  # as for any address but loopback
    open_at(target)
    assert "authorization" not in local.requests[0].headers


def test_loopback_is_reached_without_the_proxy(local: LocalDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert open_at(rest(local.url)) == "1001"


def test_half_a_surrogate_pair_is_replaced(local: LocalDesk) -> None:
    rest(local.url).open(INCIDENT, "other", "broken \ud83d text")
    assert local.requests[0].body["message"] == "broken ? text"


def test_calls_one_after_another_use_one_connection(local: LocalDesk) -> None:
    target = rest(local.url)
    for number in range(5):
        open_at(target, f"incident-{number}")
    assert len({request.peer for request in local.requests}) == 1


def test_many_threads_share_one_desk(local: LocalDesk) -> None:
    target = rest(local.url)
    with ThreadPoolExecutor(16) as pool:
        tickets = list(pool.map(lambda number: open_at(target, f"incident-{number}"), range(64)))
    assert len(set(tickets)) == 64


def test_cookies_are_not_kept(local: LocalDesk) -> None:
    local.answer_with(201, {"id": 1}, headers={"Set-Cookie": "session=abc; Path=/"})
    target = rest(local.url)
    open_at(target)
    open_at(target)
    assert "cookie" not in local.requests[1].headers


# --- closing and reopening


def test_a_ticket_is_closed_and_reopened(local: LocalDesk) -> None:
    target = opened(local)
    target.update("1001", "closed", "paid back", "key-1")
    assert local.statuses == {"1001": "closed"}
    target.update("1001", "open", "it came back", "key-2")
    assert local.statuses == {"1001": "open"}
    assert local.notes == {"1001": ["paid back", "it came back"]}


def test_a_change_is_a_patch_below_the_address_with_status_note_and_key(local: LocalDesk) -> None:
    close_at(opened(local))
    request = local.requests[-1]
    assert (request.method, request.path) == ("PATCH", "/tickets/1001")
    assert request.body == {"status": "closed", "note": NOTE}
    assert request.key == "key-1"
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ("", "/tickets/1001"),
        ("/", "/tickets/1001"),
        ("?tenant=7", "/tickets/1001"),
        ("/?tenant=7#top", "/tickets/1001"),
    ],
)
def test_the_address_of_a_ticket_is_below_that_of_all_and_without_its_query(
    local: LocalDesk, more: str, path: str
) -> None:
    local.answer_with(200)
    close_at(rest(local.url + more))
    assert local.requests[0].path == path


def test_the_address_of_a_ticket_may_be_another(local: LocalDesk) -> None:
    local.answer_with(200)
    changes = SecretStr(local.url.replace("/tickets", "/v2/issue/{id}/state?of={id}"))
    close_at(rest(closed_address(), ticket_update_url=changes))
    assert local.requests[0].path == "/v2/issue/1001/state?of=1001"


@pytest.mark.parametrize(
    ("external_id", "segment"),
    [
        ("a/b", "a%2Fb"),
        ("../x", "..%2Fx"),
        ("50%", "50%25"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b", "a%20b"),
        ("é", "%C3%A9"),
        ("{id}", "%7Bid%7D"),
        ("...", "..."),
    ],
)
def test_an_id_is_put_into_the_address_percent_encoded(local: LocalDesk, external_id: str, segment: str) -> None:
    local.answer_with(200)
    close_at(rest(local.url), external_id)
    assert local.requests[0].path == f"/tickets/{segment}"


@pytest.mark.parametrize("external_id", ["", ".", ".."])
def test_an_id_that_would_lead_to_another_address_is_not_asked_for(local: LocalDesk, external_id: str) -> None:
    with pytest.raises(Undeliverable, match="cannot be put into an address"):
        close_at(rest(local.url), external_id)
    assert local.requests == []


def test_a_change_is_authorised_as_opening_is(local: LocalDesk) -> None:
    local.answer_with(200, times=2)
    close_at(rest(local.url, token="t0ken"))
    close_at(rest(local.url.replace("127.0.0.1", "user:p%40ss@127.0.0.1")))
    assert [request.headers["authorization"] for request in local.requests] == ["Bearer t0ken", "Basic dXNlcjpwQHNz"]


def test_credentials_of_one_address_are_not_sent_to_another(local: LocalDesk) -> None:
    local.answer_with(200)
    changes = SecretStr(local.url + "/{id}")
    close_at(rest("http://user:pass@127.0.0.1:9/tickets", ticket_update_url=changes))
    assert "authorization" not in local.requests[0].headers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_success_is_a_change(local: LocalDesk, status: int) -> None:
    local.answer_with(status, b"" if status == 204 else b"<html>done</html>")
    close_at(rest(local.url))
    assert len(local.requests) == 1


def test_a_ticket_that_the_desk_does_not_know_is_undeliverable(local: LocalDesk) -> None:
    with pytest.raises(Undeliverable, match="does not know the ticket"):
        close_at(rest(local.url))


def test_a_ticket_that_the_desk_knows_no_longer_is_undeliverable(local: LocalDesk) -> None:
    local.answer_with(410)
    with pytest.raises(Undeliverable, match="does not know the ticket"):
        close_at(rest(local.url))


@pytest.mark.parametrize("status", [405, 501])
def test_a_desk_that_cannot_change_tickets_is_undeliverable_and_names_the_setting(
    local: LocalDesk, status: int
) -> None:
    local.answer_with(status)
    with pytest.raises(Undeliverable, match=r"cannot change tickets.*set TICKET_UPDATE_URL"):
        close_at(rest(local.url))


@pytest.mark.parametrize("status", [400, 401, 403, 422])
def test_a_change_that_is_refused_is_undeliverable(local: LocalDesk, status: int) -> None:
    local.answer_with(status, {"error": f"{NOTE} is no reason"})
    with pytest.raises(Undeliverable, match=str(status)) as caught:
        close_at(rest(local.url))
    assert NOTE not in str(caught.value)


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_a_change_in_passing_trouble_is_for_later(local: LocalDesk, status: int) -> None:
    local.answer_with(status, headers={"Retry-After": "7"})
    with pytest.raises(TryLater, match=str(status)) as caught:
        close_at(rest(local.url))
    assert caught.value.retry_after == 7.0


def test_a_redirected_change_is_not_followed_and_names_the_setting(local: LocalDesk) -> None:
    local.answer_with(308, headers={"Location": local.url + "/1001"})
    with pytest.raises(TryLater, match="TICKET_UPDATE_URL"):
        close_at(rest(local.url))
    assert len(local.requests) == 1


def test_a_change_that_is_dropped_after_it_was_made_is_for_later(local: LocalDesk) -> None:
    target = opened(local)
    local.drop(creates=True)
    with pytest.raises(TryLater, match="did not answer"):
        close_at(target)
    assert local.statuses == {"1001": "closed"}


def test_a_slow_change_is_for_later(local: LocalDesk) -> None:
    local.delay(5)
    with pytest.raises(TryLater, match="did not answer"):
        close_at(rest(local.url, ticket_timeout=timedelta(seconds=0.2)))


# --- the id


@pytest.mark.parametrize(("answered", "ticket"), [(42, "42"), ("  A-17 ", "A-17"), ("é1", "é1"), ("x" * 64, "x" * 64)])
def test_an_id_is_a_number_or_a_text(local: LocalDesk, answered: object, ticket: str) -> None:
    local.answer_with(200, {"id": answered})
    assert open_at(rest(local.url)) == ticket


def test_the_id_may_be_deeper_in_the_answer() -> None:
    with LocalDesk(id_field="ticket.number") as local:
        assert open_at(rest(local.url, ticket_id_field="ticket.number")) == "1001"


@pytest.mark.parametrize("answered", [None, "", "  ", True, False, 1.5, [], {}, "x" * 65, "1\n2", 10**70])
def test_anything_else_is_no_id(local: LocalDesk, answered: object) -> None:
    local.answer_with(201, {"id": answered})
    assert "answered without an id" in str(later(rest(local.url)))


@pytest.mark.parametrize(
    "body", [b"", b"<html>ok</html>", b"null", b"[]", b'"id"', b'{"id": ', b"\xff\xfe", b"[" * 60_000, b'{"other": 1}']
)
def test_an_answer_that_is_no_json_object_has_no_id(local: LocalDesk, body: bytes) -> None:
    local.answer_with(200, body)
    assert "answered without an id" in str(later(rest(local.url)))


def test_a_success_without_a_body_has_no_id(local: LocalDesk) -> None:
    local.answer_with(204)
    assert "answered without an id" in str(later(rest(local.url)))


def test_a_huge_answer_is_not_read(local: LocalDesk) -> None:
    local.answer_with(200, b'{"id": 1, "x": "' + b"x" * 5_000_000 + b'"}')
    assert "did not answer" in str(later(rest(local.url)))


# --- refusals


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 410, 413, 422, 451])
def test_a_refusal_is_undeliverable(local: LocalDesk, status: int) -> None:
    local.answer_with(status, {"id": 7, "error": "My card was declined"})
    with pytest.raises(Undeliverable, match=str(status)) as caught:
        open_at(rest(local.url))
    assert "declined" not in str(caught.value)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
def test_a_passing_trouble_is_for_later(local: LocalDesk, status: int) -> None:
    local.answer_with(status, {"id": 7})
    trouble = later(rest(local.url))
    assert str(status) in str(trouble)
    assert trouble.retry_after is None
    assert len(local.requests) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("86400", 3600.0),
        ("9" * 400, 3600.0),
        ("Sun, 22 Nov 2026 12:01:30 GMT", 90.0),
        ("Sun, 22 Nov 2026 12:01:30 -0000", 90.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2099 12:00:00 GMT", 3600.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("Sun, 22 Nov 2026 12:00:00 +9999999999999", None),
    ],
)
def test_a_desk_may_say_how_long_to_wait(local: LocalDesk, header: str, seconds: float | None) -> None:
    local.answer_with(429, headers={"Retry-After": header})
    assert later(rest(local.url)).retry_after == seconds


def test_a_conflict_that_names_the_ticket_has_found_it(local: LocalDesk) -> None:
    local.answer_with(409, {"error": "exists", "id": 4711})
    assert open_at(rest(local.url)) == "4711"


def test_a_conflict_without_an_id_is_for_later(local: LocalDesk) -> None:
    local.answer_with(409, {"error": "the first request is still being worked on"})
    later(rest(local.url))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_names_the_setting(local: LocalDesk, status: int) -> None:
    local.answer_with(status, headers={"Location": local.url})
    assert "TICKET_API_URL" in str(later(rest(local.url)))
    assert len(local.requests) == 1


# --- no answer at all


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def closed_address() -> str:
    return f"http://127.0.0.1:{closed_port()}/"


def test_a_refused_connection_is_for_later() -> None:
    assert "did not answer" in str(later(rest(closed_address())))


def test_a_dropped_connection_is_for_later_and_not_repeated(local: LocalDesk) -> None:
    local.drop()
    later(rest(local.url))
    assert len(local.requests) == 1


def test_a_slow_desk_is_for_later_within_the_time_out(local: LocalDesk) -> None:
    local.delay(5)
    started = time.monotonic()
    later(rest(local.url, ticket_timeout=timedelta(seconds=0.2)))
    assert time.monotonic() - started < 1


def test_an_answer_that_trickles_in_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        stop = threading.Event()

        def trickle() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while not stop.wait(0.05):
                    connection.sendall(b" ")

        with ThreadPoolExecutor(1) as pool:
            trickling = pool.submit(trickle)
            started = time.monotonic()
            later(rest(f"http://127.0.0.1:{server.getsockname()[1]}/", ticket_timeout=timedelta(seconds=0.3)))
            assert time.monotonic() - started < 1.2
            stop.set()
            assert isinstance(trickling.exception(timeout=5), OSError | None)


@pytest.mark.parametrize("trouble", ["hangs", "drops"])
def test_a_ticket_that_was_opened_without_our_knowing_is_found_by_asking_again(local: LocalDesk, trouble: str) -> None:
    if trouble == "hangs":
        local.hang_after_creating(5)
    else:
        local.drop(creates=True)
    target = rest(local.url, ticket_timeout=timedelta(seconds=0.2))
    later(target)
    assert open_at(target) == "1001"
    assert local.creations == {INCIDENT: 1}


# --- secrets


@pytest.mark.parametrize("deed", [open_at, close_at])
@pytest.mark.parametrize("trouble", ["refused", "dropped", "redirect", "error", "client error", "garbage"])
def test_neither_the_address_nor_the_token_shows_in_errors_or_logs(
    local: LocalDesk, deed: Callable[[RestDesk], object], trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    url = f"http://user:hunter2@127.0.0.1:{local.port}/hook/S3CRET?key=S3CRET"
    if trouble == "refused":
        url = url.replace(str(local.port), str(closed_port()))
    elif trouble == "dropped":
        local.drop()
    elif trouble == "garbage":
        local.answer_with(500, b"", headers={"Bad Header": "x", "Connection": "close"})
    else:
        local.answer_with({"redirect": 302, "error": 500, "client error": 400}[trouble])
    with pytest.raises(DeliveryFailed) as caught:
        deed(rest(url, token="t0ken"))
    told = "".join(traceback.format_exception(caught.value)) + caplog.text
    assert "The ticket desk at http://127.0.0.1:" in str(caught.value)
    for secret in ("S3CRET", "hunter2", "t0ken", NOTE):
        assert secret not in told.replace(f'"{secret}"', "")  # this file's own lines, in the traceback
        assert secret not in str(caught.value)


# --- settings


def test_there_is_no_desk_without_an_address() -> None:
    assert desk(TicketDeskSettings(ticket_api_url=None)) is None
    with pytest.raises(ConfigurationError, match="TICKET_API_URL"):
        RestDesk(TicketDeskSettings(ticket_api_url=None))


def test_there_is_a_desk_with_an_address(local: LocalDesk) -> None:
    built = desk(TicketDeskSettings(ticket_api_url=SecretStr(local.url)))
    assert built is not None
    assert built.open(INCIDENT, "other", "hello") == "1001"


@pytest.mark.parametrize(
    "address", ["desk.example/S3CRET", "ftp://desk/S3CRET", "http://", "http://[S3CRET", "http://h:S3CRET/", "//S3CRET"]
)
def test_an_address_that_cannot_be_used_stops_the_start_and_is_not_shown(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKET_API_URL", address)
    with pytest.raises(ConfigurationError, match=r"TICKET_API_URL: .*must be an address") as caught:
        TicketDeskSettings.read()
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "address",
    [
        "https://desk.example/S3CRET",
        "https://desk.example/S3CRET#{id}",
        "https://{id}.desk.example/S3CRET/{id}",
        "https://S3CRET:{id}@desk.example/{id}",
        "ftp://desk.example/S3CRET/{id}",
        "desk.example/S3CRET/{id}",
    ],
)
def test_an_address_of_a_ticket_that_cannot_be_used_stops_the_start_and_is_not_shown(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TICKET_UPDATE_URL", address)
    with pytest.raises(ConfigurationError, match=r"TICKET_UPDATE_URL: .*must (be|hold) ") as caught:
        TicketDeskSettings.read()
    assert "S3CRET" not in "".join(traceback.format_exception(caught.value))


def test_settings_do_not_show_the_addresses_or_the_token() -> None:
    settings = TicketDeskSettings(
        ticket_api_url=SecretStr("https://h/S3CRET"),
        ticket_update_url=SecretStr("https://h/S3CRET/{id}"),
        ticket_api_token=SecretStr("S3CRET"),
    )
    assert "S3CRET" not in repr(settings)
