"""Who may: tokens and roles, over a real socket."""

import asyncio
import base64
import hmac
import http.client
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Set
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests
import structlog
from hypothesis import given
from hypothesis import strategies as st
from peewee import OperationalError

from adapters.http import auth
from adapters.http.auth import Keys, Refused, Revocations
from adapters.http.settings import HttpSettings
from bot import telemetry
from bot.errors import ConfigurationError, Conflict, FirstlineError, NotFound
from bot.model import Caller, Role
from bot.tokens import Tokens
from storage import database
from tests.fakes import NOON, TestClock
from tests.postgres import ON_SQLITE
from tests.test_cli import bot, refusal
from tests.test_http import NEW, Served, problem_of, serving

KEY = "sesame-of-today-" * 3
OLD_KEY = "sesame-of-yesterday-" * 3
HARSH = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n-----END PUBLIC KEY-----"


def token(key: str = KEY, algorithm: str = "HS256", **claims: Any) -> str:
    """Sign a token as we do ourselves, but for these claims; None leaves one out."""
    now = int(time.time())
    usual = {"iss": "firstline", "aud": "firstline", "sub": "ana", "jti": "t-1", "role": "agent"}
    all_of_them = {**usual, "iat": now, "exp": now + 60, **claims}
    return jwt.encode({name: value for name, value in all_of_them.items() if value is not None}, key, algorithm)


def by_hand(header: Any, claims: Any, signature: bytes = b"") -> str:
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


def known_as(name: str, role: str = "reporter", **claims: Any) -> dict[str, str]:
    """The header of a caller."""
    return {"Authorization": f"Bearer {token(sub=name, role=role, **claims)}"}


@pytest.fixture
def secured(db: str) -> Iterator[Served]:
    """Firstline with two keys."""
    with serving(HttpSettings(port=0, jwt_keys=f"{KEY}, {OLD_KEY}", max_body=100_000, rate_limit_failed="0")) as served:
        yield served


def refused(answer: requests.Response) -> dict[str, Any]:
    """Return the problem of a 401, whose challenge says the same (RFC 6750 section 3)."""
    problem = problem_of(answer)
    assert problem["status"] == 401
    challenge = answer.headers["WWW-Authenticate"]
    assert challenge.startswith('Bearer realm="firstline", error="invalid_token", error_description="')
    assert problem["detail"] in challenge
    return problem


# --- tokens


def test_who_has_a_token_is_known_by_it(secured: Served) -> None:
    ticket = secured.post(**known_as("ana")).json()["ticket_id"]
    url = f"{secured.url}/api/incidents/{ticket}/resolve"
    assert requests.post(url, headers=known_as("ben", "agent"), timeout=10).json()["resolved_by"] == "ben"
    late = requests.post(url, headers=known_as("eve", "admin"), timeout=10)
    assert "was resolved by ben at" in problem_of(late)["detail"]


@ON_SQLITE
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YW5hOnNlc2FtZQ==", "Token abc"])
def test_who_has_none_is_told_how_to_come_by_one(secured: Served, header: str | None) -> None:
    answer = secured.get("/api/stats", headers={} if header is None else {"Authorization": header})
    assert problem_of(answer)["status"] == 401
    assert "bot token issue" in problem_of(answer)["detail"]
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="firstline"'


WRONG: dict[str, tuple[Callable[[], str], str]] = {
    "no token": (lambda: "sesame", "no token of ours"),
    "no algorithm": (lambda: by_hand({"alg": "none"}, {"sub": "ana"}), "not signed with a key of ours"),
    "another algorithm": (lambda: token(algorithm="HS512", key=KEY * 2), "not signed with a key of ours"),
    "a list of algorithms": (lambda: by_hand({"alg": ["HS256"]}, {}, b"x" * 32), "not signed with a key of ours"),
    "a foreign key": (lambda: token(key="k" * 48), "not signed with a key of ours"),
    "for somebody else": (lambda: token(aud="secondline"), "not for us"),
    "by somebody else": (lambda: token(iss="secondline"), "not for us"),
    "expired": (lambda: token(exp=int(time.time()) - 60), "has expired"),
    "from the future": (lambda: token(iat=int(time.time()) + 3600), "not valid yet"),
    "a name that is none": (lambda: token(sub="ana:ben"), "in sub"),
    "an empty name": (lambda: token(sub=""), "in sub"),
    "a name with a line end": (lambda: token(sub="ana\n"), "in sub"),
    "a name that is too long": (lambda: token(sub="a" * 65), "in sub"),
    "an unknown role": (lambda: token(role="emperor"), "reporter, agent, admin"),
    "a customer's role": (lambda: token(role="customer"), "reporter, agent, admin"),
    "a role of another type": (lambda: token(role=["admin"]), "reporter, agent, admin"),
    "a time of another type": (lambda: token(exp="tomorrow"), "no token of ours"),
    "a time that never comes": (lambda: token(exp=float("inf")), "no token of ours"),
    "an id of another type": (lambda: token(jti=5), "no token of ours"),
    "a token that is too long": (lambda: token(more="x" * 4096), "no token of ours"),
}


@ON_SQLITE
@pytest.mark.parametrize(("make", "said"), WRONG.values(), ids=list(WRONG))
def test_a_token_that_is_not_right_is_refused_with_the_reason(
    secured: Served, make: Callable[[], str], said: str
) -> None:
    given = make()
    answer = secured.get("/api/stats", headers={"Authorization": f"Bearer {given}"})
    assert said in refused(answer)["detail"]
    assert given not in answer.text


@ON_SQLITE
@pytest.mark.parametrize("claim", ["exp", "sub", "aud", "iss", "jti", "iat", "role"])
def test_a_token_without_a_claim_is_refused_and_the_claim_is_named(secured: Served, claim: str) -> None:
    answer = secured.get("/api/stats", headers={"Authorization": f"Bearer {token(**{claim: None})}"})
    assert refused(answer)["detail"] == f"The token lacks the claim {claim}."


@ON_SQLITE
def test_a_token_that_was_tampered_with_is_refused(secured: Served) -> None:
    header, _, signature = token(role="reporter").split(".")
    raised = token(role="admin").split(".")[1]
    answer = secured.get("/api/stats", headers={"Authorization": f"Bearer {header}.{raised}.{signature}"})
    assert "not signed with a key of ours" in refused(answer)["detail"]


@ON_SQLITE
def test_a_token_that_was_taken_before_is_refused_once_it_has_expired(
    secured: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = {"Authorization": f"Bearer {token()}"}
    assert secured.get("/api/stats", headers=header).status_code == 200
    monkeypatch.setattr(auth, "LEEWAY", -3600)
    assert refused(secured.get("/api/stats", headers=header))["detail"] == "The token has expired. Ask for a new one."


@ON_SQLITE
def test_a_token_that_has_just_expired_is_taken_because_clocks_differ(secured: Served) -> None:
    header = {"Authorization": f"Bearer {token(exp=int(time.time()) - 1)}"}
    assert secured.get("/api/stats", headers=header).status_code == 200


@ON_SQLITE
def test_a_token_that_an_older_key_has_signed_is_taken(secured: Served) -> None:
    assert secured.get("/api/stats", headers={"Authorization": f"Bearer {token(key=OLD_KEY)}"}).status_code == 200


def test_the_first_key_signs() -> None:
    now = datetime.now(UTC)
    signed = Keys([KEY, OLD_KEY]).sign(Caller("ana", Role.AGENT), "t-1", now, now + timedelta(minutes=1))
    assert Keys([KEY]).verify(signed).caller == Caller("ana", Role.AGENT)
    with pytest.raises(Refused):
        Keys([OLD_KEY]).verify(signed)


@ON_SQLITE
def test_a_second_authorization_is_refused(secured: Served) -> None:
    connection = http.client.HTTPConnection(secured.url.removeprefix("http://"), timeout=5)
    connection.putrequest("GET", "/api/stats")
    for _ in range(2):
        connection.putheader("Authorization", f"Bearer {token()}")
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 400
    assert 'error="invalid_request"' in (answer.getheader("WWW-Authenticate") or "")
    assert "send it once" in json.load(answer)["detail"]
    connection.close()


@ON_SQLITE
@pytest.mark.parametrize("name", ["access_token", "token", "authorization"])
def test_a_token_in_a_query_is_not_read(secured: Served, name: str) -> None:
    assert secured.get("/api/stats", params={name: token()}).status_code == 401
    assert requests.post(f"{secured.url}/api/incidents", json=NEW, params={name: token()}, timeout=5).status_code == 401


@ON_SQLITE
def test_a_word_for_bearer_in_any_case_is_understood(secured: Served) -> None:
    assert secured.get("/api/stats", headers={"Authorization": f"bEARER  {token()} "}).status_code == 200


@given(st.text(max_size=200) | st.lists(st.binary(max_size=60), min_size=3, max_size=3).map(
    lambda parts: ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)
))  # fmt: skip
def test_whatever_comes_as_a_token_is_refused_and_nothing_breaks(text: str) -> None:
    with pytest.raises(Refused):
        KEYS.verify(text)


KEYS = Keys([KEY])


@pytest.mark.parametrize("header", ["[" * 2900, '{"alg": ' + "9" * 2900 + "}", "null", '{"alg": "HS256", "crit": 5}'])
def test_a_header_that_is_made_to_break_us_is_refused(header: str) -> None:
    text = f"{base64.urlsafe_b64encode(header.encode()).decode().rstrip('=')}.e30.AAAA"
    with pytest.raises(Refused, match="ours"):
        KEYS.verify(text)


# --- roles

ENDPOINTS = [
    # method, path, then the status for nobody, a reporter, an agent, an admin
    ("GET", "/healthz", 200, 200, 200, 200),
    ("GET", "/readyz", 200, 200, 200, 200),
    ("GET", "/metrics", 401, 403, 200, 200),
    ("GET", "/openapi.json", 401, 200, 200, 200),
    ("POST", "/api/incidents", 401, 201, 201, 201),
    ("GET", "/api/incidents", 401, 403, 200, 200),
    ("GET", "/api/incidents/{name}", 401, 404, 200, 200),  # somebody else's
    ("GET", "/api/incidents/{name}/events", 401, 403, 200, 200),
    ("GET", "/api/export/incidents.csv", 401, 403, 200, 200),
    ("GET", "/api/export/incidents.jsonl", 401, 403, 200, 200),
    ("GET", "/api/reviews", 401, 403, 200, 200),
    ("GET", "/api/quarantine", 401, 403, 200, 200),
    ("POST", "/api/quarantine/{held}/accept", 401, 403, 404, 404),
    ("POST", "/api/quarantine/{held}/reject", 401, 403, 404, 404),
    ("GET", "/api/dead", 401, 403, 200, 200),
    ("GET", "/api/dead/{dead}", 401, 403, 404, 404),
    ("POST", "/api/dead/{dead}/retry", 401, 403, 404, 404),
    ("GET", "/api/tokens", 401, 403, 403, 200),
    ("POST", "/api/tokens", 401, 403, 403, 201),
    ("DELETE", "/api/tokens/{jti}", 401, 403, 403, 404),
    ("GET", "/api/incidents/{name}/files", 401, 403, 200, 200),
    ("GET", "/api/incidents/{name}/files/{number}", 401, 403, 404, 404),  # it has none
    ("POST", "/api/incidents/{name}/resolve", 401, 403, 200, 200),
    ("POST", "/api/incidents/{name}/reopen", 401, 403, 200, 200),
    ("POST", "/api/incidents/{name}/assign", 401, 403, 200, 200),
    ("POST", "/api/incidents/{name}/reply", 401, 403, 200, 200),
    ("POST", "/api/incidents/{name}/notes", 401, 403, 200, 200),
    ("POST", "/api/incidents/{name}/category", 401, 403, 200, 200),
    ("POST", "/api/commands", 401, 403, 200, 200),
    ("POST", "/api/incidents/{name}/messages", 401, 404, 201, 201),  # somebody else's
    ("PUT", "/api/incidents/{name}/messages/{message_id}", 401, 404, 200, 200),
    ("DELETE", "/api/incidents/{name}/messages/{message_id}", 401, 404, 200, 200),
    ("POST", "/api/incidents/{name}/actions", 401, 404, 200, 200),
    ("GET", "/api/stats", 401, 403, 200, 200),
    ("GET", "/a/{token}", 403, 403, 403, 403),  # of no link of ours
    ("POST", "/a/{token}", 403, 403, 403, 403),
    ("GET", "/api/incidents/TKT-nothing", 401, 404, 404, 404),
    ("POST", "/api/incidents/TKT-nothing/resolve", 401, 403, 404, 404),
    ("DELETE", "/api/incidents", 401, 405, 405, 405),
    ("GET", "/nowhere", 401, 404, 404, 404),
    ("GET", "/api/../healthz", 401, 404, 404, 404),
    ("GET", "/healthz/", 401, 200, 200, 200),
]


BODIES: dict[str, dict[str, str]] = {
    "incidents": NEW,
    "reply": {"text": "We are on it."},
    "notes": {"text": "hm"},
    "category": {"category": "refund_request"},
    "tokens": {"role": "reporter"},
    "commands": {"text": "list"},
    "messages": {"message": "it was 20 euros"},
    "{message_id}": {"message": "it was 30 euros"},
    "actions": {"action": "solved"},
}


@pytest.mark.parametrize(("column", "role"), list(enumerate(["", "reporter", "agent", "admin"], start=2)))
def test_a_role_opens_what_the_table_says_and_nothing_else(secured: Served, column: int, role: str) -> None:
    opened = secured.post(**known_as("zoe")).json()
    headers = known_as("ana", role) if role else {}
    found = []
    for method, path, *_ in ENDPOINTS:
        named = {"name": opened["ticket_id"], "message_id": opened["message_id"], "token": "none", "number": 1}
        named.update(held="held-0", dead="job-0", jti="none")
        url = f"{secured.url}{path.format(**named)}"
        body = BODIES.get(path.rpartition("/")[2]) if method in ("POST", "PUT") else None
        with requests.Session() as session:
            request = requests.Request(method, url, headers=headers, json=body).prepare()
            request.url = url  # as it is written, with its dots
            found.append((method, path, session.send(request, timeout=10).status_code))
    assert found == [(row[0], row[1], row[column]) for row in ENDPOINTS]


@ON_SQLITE
def test_every_path_of_the_api_is_in_the_table(secured: Served) -> None:
    document = secured.get("/openapi.json", headers=known_as("ana")).json()
    offered = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert offered <= {(method, path) for method, path, *_ in ENDPOINTS}


def operations(served: Served) -> list[tuple[str, str, str]]:
    """Read from the document what needs a token: the method, an address, and the role that it needs."""
    document = served.get("/openapi.json", headers=known_as("ana")).json()
    found = []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            for needed in operation["security"]:
                (role,) = needed["token"]
                found.append((method.upper(), served.url + re.sub(r"\{\w+\}", "1", path), role))
    assert len(found) > 30
    return found


def by_hmac(algorithm: str, digest: str) -> str:
    """A token that is signed with our key, by another algorithm than ours; or is said to be (RS256: as if the key were
    a public one)."""
    text = by_hand({"alg": algorithm, "typ": "JWT"}, claims_of(token(role="admin"))).rpartition(".")[0]
    signature = hmac.digest(KEY.encode(), text.encode(), digest)
    return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def claims_of(given: str) -> dict[str, Any]:
    return dict(jwt.decode(given, options={"verify_signature": False}))


def now() -> int:
    return int(time.time())


BAD: dict[str, Callable[[], str]] = {
    "for somebody else": lambda: token(role="admin", aud="secondline"),
    "by somebody else": lambda: token(role="admin", iss="secondline"),
    "no algorithm": lambda: by_hand({"alg": "none", "typ": "JWT"}, claims_of(token(role="admin"))),
    "our key as a public one": lambda: by_hmac("RS256", "sha256"),
    "a stronger algorithm": lambda: by_hmac("HS512", "sha512"),
    "expired": lambda: token(role="admin", iat=now() - 120, exp=now() - 60),
    "not valid yet": lambda: token(role="admin", nbf=now() + 600),
    "from the future": lambda: token(role="admin", iat=now() + 600, exp=now() + 1200),
    "too old": lambda: token(role="admin", iat=now() - 400 * 86400, exp=now() + 60),
    "for too long": lambda: token(role="admin", exp=now() + 400 * 86400),
    "a foreign signature": lambda: token(role="admin", key="k" * 48),
    "a signature that was cut off": lambda: token(role="admin").rpartition(".")[0] + ".",
    "revoked": lambda: token(role="admin", jti="taken-back"),
    **{f"without {claim}": partial(token, **{"role": "admin", claim: None}) for claim in auth.CLAIMS},
}


@ON_SQLITE
def test_no_operation_of_the_document_takes_a_token_that_is_not_right(db: str) -> None:
    tokens = Tokens(lambda: datetime.now(UTC))
    tokens.issue(KEYS, Role.ADMIN, timedelta(days=1), "ana", jti="taken-back")
    tokens.revoke("taken-back")
    with serving(HttpSettings(port=0, jwt_keys=KEY, rate_limit_failed="0")) as served, requests.Session() as session:
        made = {name: make() for name, make in BAD.items()}
        for method, url, _ in operations(served):
            for name, bad in made.items():
                answer = session.request(method, url, headers={"Authorization": f"Bearer {bad}"}, timeout=10)
                assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json"), (
                    name,
                    method,
                    url,
                )
    with database.session():
        assert database.execute("SELECT COUNT(*) FROM inbox").fetchone()[0] == 0


@ON_SQLITE
def test_no_operation_of_the_document_takes_a_role_that_is_too_low(secured: Served) -> None:
    below = {"agent": ["reporter"], "admin": ["reporter", "agent"], "reporter": []}
    asked = 0
    for method, url, needed in operations(secured):
        for role in below[needed]:
            body = next((body for end, body in BODIES.items() if url.endswith(end)), {})
            answer = requests.request(method, url, json=body, headers=known_as("ana", role), timeout=10)
            assert answer.status_code == 403, (method, url, role)
            assert f'scope="{needed}"' in answer.headers["WWW-Authenticate"]
            asked += 1
    assert asked > 25


@ON_SQLITE
def test_a_role_that_is_too_low_is_told_which_one_is_needed(secured: Served) -> None:
    answer = secured.get("/api/stats", headers=known_as("ana", "reporter"))
    assert problem_of(answer)["detail"] == "This needs the role agent; yours is reporter."
    assert answer.headers["WWW-Authenticate"] == ('Bearer realm="firstline", error="insufficient_scope", scope="agent"')


@ON_SQLITE
def test_the_document_says_what_needs_a_token(secured: Served) -> None:
    document = secured.get("/openapi.json", headers=known_as("ana")).json()
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert document["security"] == [{"token": []}]
    assert document["paths"]["/api/stats"]["get"]["security"] == [{"token": ["agent"]}]
    assert document["paths"]["/healthz"]["get"]["security"] == []
    assert "401" in document["paths"]["/api/incidents"]["post"]["responses"]
    assert "403" in document["paths"]["/api/stats"]["get"]["responses"]


class TestAReporter:
    """Somebody who may report, and see what they reported."""

    def test_sees_their_own_incident_by_its_id_and_by_its_ticket_id(self, secured: Served) -> None:
        created = secured.post(**known_as("ana")).json()
        for name in (created["incident_id"], created["ticket_id"]):
            shown = secured.get(f"/api/incidents/{name}", headers=known_as("ana")).json()
            assert (shown["incident_id"], shown["reporter"]) == (created["incident_id"], "ana")

    def test_sees_it_with_another_token_of_theirs(self, secured: Served) -> None:
        created = secured.post(**known_as("ana", jti="t-1")).json()
        answer = secured.get(f"/api/incidents/{created['ticket_id']}", headers=known_as("ana", jti="t-2"))
        assert answer.status_code == 200

    def test_is_told_of_anothers_just_what_is_said_of_one_that_does_not_exist(self, secured: Served) -> None:
        created = secured.post(**known_as("ana")).json()
        for name, unknown in ((created["incident_id"], "0" * 36), (created["ticket_id"], "TKT-00000000")):
            theirs = secured.get(f"/api/incidents/{name}", headers=known_as("eve"))
            nobodys = secured.get(f"/api/incidents/{unknown}", headers=known_as("eve"))
            assert theirs.status_code == nobodys.status_code == 404
            assert problem_of(theirs)["detail"].replace(name, unknown) == problem_of(nobodys)["detail"]
            assert set(theirs.headers) == set(nobodys.headers)

    def test_sees_no_others_message_that_waits_to_be_handled(self, secured: Served) -> None:
        secured.gate.clear()
        where = secured.post(Prefer="respond-async", **known_as("ana")).headers["Location"]
        assert secured.get(where, headers=known_as("ana")).json()["status"] == "received"
        assert secured.get(where, headers=known_as("eve")).status_code == 404
        assert secured.get(where, headers=known_as("eve", "agent")).json()["status"] == "received"

    def test_sees_nothing_that_came_by_another_channel(self, secured: Served) -> None:
        created = secured.post(**known_as("ana")).json()
        with database.transaction():
            database.execute("UPDATE incidents SET reporter = '' WHERE id = ?", [created["incident_id"]])
        assert secured.get(f"/api/incidents/{created['ticket_id']}", headers=known_as("ana")).status_code == 404

    def test_is_not_told_the_numbers_of_others_by_one_that_fits_several(self, secured: Served) -> None:
        first, second = (secured.post(**known_as("ana")).json()["incident_id"] for _ in range(2))
        with database.transaction():
            database.execute("UPDATE incidents SET ticket_id = 'TKT-abC' WHERE id = ?", [first])
            database.execute("UPDATE incidents SET ticket_id = 'TKT-aBc' WHERE id = ?", [second])
        assert "TKT-aBc" in secured.get("/api/incidents/TKT-ABC", headers=known_as("ben", "agent")).json()["detail"]
        answer = secured.get("/api/incidents/TKT-ABC", headers=known_as("eve"))
        assert problem_of(answer)["detail"] == "No incident goes by 'TKT-ABC'."

    def test_may_use_an_idempotency_key_that_another_has_used(self, secured: Served) -> None:
        first = secured.post(Idempotency_Key="k-1", **known_as("ana")).json()
        other = secured.post(Idempotency_Key="k-1", **known_as("eve")).json()
        again = secured.post(Idempotency_Key="k-1", **known_as("ana")).json()
        assert first["incident_id"] == again["incident_id"] != other["incident_id"]


# --- where a token is needed


@ON_SQLITE
@pytest.mark.parametrize("host", ["support.example", "support.example:8000", "127.0.0.1"])
def test_with_keys_any_host_may_be_asked(secured: Served, host: str) -> None:
    assert secured.get("/healthz", headers={"Host": host}).status_code == 200
    assert secured.get("/api/stats", headers={"Host": host}).status_code == 401


@ON_SQLITE
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://support.example", 200),
        ("https://SUPPORT.example", 200),
        ("https://evil.example", 403),
        ("https://support.example.evil.example", 403),
        ("https://support.example:8443", 403),
        ("http://localhost", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_with_keys_a_page_of_another_site_is_refused_all_the_same(secured: Served, origin: str, status: int) -> None:
    headers = {"Host": "support.example", "Origin": origin, **known_as("ana", "agent")}
    assert secured.get("/api/stats", headers=headers).status_code == status


@ON_SQLITE
def test_with_keys_a_page_without_an_origin_is_not_on_a_host_without_a_name(secured: Served) -> None:
    headers = {"Host": "", "Origin": "null", **known_as("ana", "agent")}
    assert secured.get("/api/stats", headers=headers).status_code == 403


@ON_SQLITE
@pytest.mark.usefixtures("db")
def test_with_keys_every_address_may_be_listened_on() -> None:
    with serving(HttpSettings(host="0.0.0.0", port=0, jwt_keys=KEY)) as served:
        url = served.url.replace("0.0.0.0", "127.0.0.1")
        assert requests.get(f"{url}/api/stats", timeout=5).status_code == 401
        assert requests.get(f"{url}/api/stats", headers=known_as("ana", "agent"), timeout=5).status_code == 200


@ON_SQLITE
@pytest.mark.usefixtures("db")
def test_without_keys_a_token_is_not_looked_at_and_this_machine_may_do_everything() -> None:
    with serving(HttpSettings(port=0)) as served:
        ticket = served.post(Authorization="Bearer sesame").json()["ticket_id"]
        url = f"{served.url}/api/incidents/{ticket}/resolve"
        assert requests.post(url, timeout=5).json()["resolved_by"] == "loopback"
        assert "security" not in served.get("/openapi.json").json()


def test_without_keys_another_address_is_refused_with_the_remedy() -> None:
    line = refusal(bot("run", HOST="0.0.0.0"), 2)
    assert "JWT_KEYS" in line
    assert 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"' in line


@pytest.mark.parametrize(
    "keys",
    [
        "sesame-is-short",
        "s" * 31,
        f"{KEY},sesame-is-short",
        f"{KEY},",
        ",",
        "   ",
        f"{KEY},,{OLD_KEY}",
        "ä" * 15,
        HARSH,
    ],
)
def test_a_key_that_is_too_short_or_no_secret_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, keys: str
) -> None:
    monkeypatch.setenv("JWT_KEYS", keys)
    with pytest.raises(ConfigurationError, match=r"JWT_KEYS: .*secrets\.token_urlsafe\(48\)") as caught:
        HttpSettings.read()
    assert "sesame" not in str(caught.value)
    assert "MFkw" not in str(caught.value)


def test_keys_are_read_without_the_space_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_KEYS", f" {KEY} ,{OLD_KEY}\n")
    assert HttpSettings.read().keys == (KEY, OLD_KEY)
    monkeypatch.setenv("JWT_KEYS", "")
    assert HttpSettings.read().keys == ()


# --- secrets


def test_each_key_is_kept_out_of_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_KEYS", f"{KEY}, {OLD_KEY}")
    settings = HttpSettings.read()
    assert telemetry.redact_text(f"it was {OLD_KEY}, then {KEY}") == "it was [secret], then [secret]"
    assert "sesame" not in repr(settings)


@pytest.mark.parametrize(
    "text",
    [
        "{token}",
        "Authorization: Bearer {token}",
        "'authorization', 'Bearer {token}'",
        "b'Bearer {token}'",
        "GET /api/stats?access_token={token} failed",
        "GET /api/stats?jwt={token}&limit=5 failed",
        "GET /tokens/{token}/x failed",
        "Bearer%20{token}",
        '{{"jwt": "{token}"}}',
        "token_{token}",
        "-{token}-",
        "({token})",
    ],
)
def test_a_token_is_taken_out_of_a_line(text: str) -> None:
    given = token()
    line = telemetry.redact_text(text.format(token=given))
    assert not any(part in line for part in given.split("."))


def test_a_token_is_taken_out_of_an_exception(capsys: pytest.CaptureFixture[str]) -> None:
    given = token()
    telemetry.set_up("INFO", "json")
    try:
        raise ValueError(f"cannot read {given}")
    except ValueError:
        structlog.get_logger().exception("token.not_read", headers={"authorization": f"Bearer {given}"})
    line = capsys.readouterr().err
    assert "cannot read [token]" in line
    assert not any(part in line for part in given.split("."))


def test_a_refusal_keeps_no_word_of_the_token_in_what_it_says() -> None:
    with pytest.raises(Refused) as caught:
        KEYS.verify(token(aud="sesame"))
    assert "sesame" not in str(caught.value)
    assert caught.value.__context__ is None


# --- giving out, taking back


@pytest.fixture
def tokens(db: str, clock: TestClock) -> Tokens:
    return Tokens(clock)


class TestATokenThatIsGivenOut:
    """What is kept of it, and for how long it holds."""

    def test_is_kept_without_its_text(self, tokens: Tokens) -> None:
        text, issued = tokens.issue(KEYS, Role.AGENT, timedelta(days=30), "ana")
        assert tokens.listed() == [issued]
        assert (issued.name, issued.role, issued.expires_at) == ("ana", Role.AGENT, NOON + timedelta(days=30))
        with database.session():
            row = database.execute("SELECT * FROM tokens").fetchone()
        assert not any(part in str(row) for part in text.split("."))

    def test_says_whose_it_is_and_for_how_long(self, tokens: Tokens) -> None:
        text, issued = tokens.issue(KEYS, Role.ADMIN, timedelta(hours=1), "ana")
        claims = jwt.decode(text, options={"verify_signature": False})
        assert claims == {
            "iss": "firstline",
            "aud": "firstline",
            "sub": "ana",
            "role": "admin",
            "jti": issued.jti,
            "iat": int(NOON.timestamp()),
            "exp": int(NOON.timestamp()) + 3600,
        }

    def test_has_a_name_of_its_own_if_it_is_given_none(self, tokens: Tokens) -> None:
        names = {tokens.issue(KEYS, Role.REPORTER, timedelta(days=1))[1].name for _ in range(2)}
        assert len(names) == 2
        assert all(re.fullmatch(r"reporter-[0-9a-f]{8}", name) for name in names)

    @pytest.mark.parametrize("name", ["ana ben", "ana:ben", "a" * 65, "änne", "ana\n"])
    def test_needs_a_name_that_can_be_used(self, tokens: Tokens, name: str) -> None:
        with pytest.raises(FirstlineError, match="a name has 1 to 64 of these"):
            tokens.issue(KEYS, Role.AGENT, timedelta(days=1), name)
        assert tokens.listed() == []

    def test_needs_a_role_that_the_api_knows(self, tokens: Tokens) -> None:
        with pytest.raises(FirstlineError, match="reporter, agent, admin"):
            tokens.issue(KEYS, Role("customer"), timedelta(days=1), "ana")

    @pytest.mark.parametrize("lifetime", [timedelta(0), timedelta(milliseconds=999), timedelta(days=365, seconds=1)])
    def test_holds_for_a_year_at_most(self, tokens: Tokens, lifetime: timedelta) -> None:
        with pytest.raises(FirstlineError, match="365 days at most"):
            tokens.issue(KEYS, Role.AGENT, lifetime)


class TestATokenThatIsTakenBack:
    """Once, and on every process."""

    def test_is_refused_from_then_on(self, secured: Served, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(auth, "REREAD_AFTER", 0.0)
        monkeypatch.setattr(auth, "TOO_OLD", 0.0)
        monkeypatch.setattr(auth, "PATIENCE", 10.0)
        text, issued = secured.firstline.tokens.issue(KEYS, Role.AGENT, timedelta(days=1), "ana")
        header = {"Authorization": f"Bearer {text}"}
        assert secured.get("/api/stats", headers=header).status_code == 200
        secured.firstline.tokens.revoke(issued.jti)
        assert refused(secured.get("/api/stats", headers=header))["detail"] == (
            "The token was revoked. Ask for a new one."
        )
        assert refused(secured.post(**header))
        assert secured.get("/api/stats", headers=known_as("ana", "agent")).status_code == 200

    def test_is_said_to_be_taken_back_already_the_second_time(self, tokens: Tokens, clock: TestClock) -> None:
        _, issued = tokens.issue(KEYS, Role.AGENT, timedelta(days=1))
        assert tokens.revoke(issued.jti).revoked_at == NOON
        clock.forward(hours=1)
        with pytest.raises(Conflict, match=f"{issued.jti} was revoked at 2026-11-22 12:00:00 UTC already"):
            tokens.revoke(issued.jti)
        assert tokens.listed()[0].revoked_at == NOON

    @pytest.mark.parametrize("jti", ["nothing", "", "\x00\udcff", "x" * 500])
    def test_must_be_known(self, tokens: Tokens, jti: str) -> None:
        with pytest.raises(NotFound, match="see `bot token list`"):
            tokens.revoke(jti)

    def test_is_remembered_until_nobody_would_take_it_any_more(self, tokens: Tokens, clock: TestClock) -> None:
        _, issued = tokens.issue(KEYS, Role.AGENT, timedelta(hours=1))
        tokens.issue(KEYS, Role.AGENT, timedelta(hours=1))
        assert tokens.revoked() == set()
        tokens.revoke(issued.jti)
        assert tokens.revoked() == {issued.jti}
        clock.forward(hours=1, seconds=auth.LEEWAY + 1)
        assert issued.jti in tokens.revoked()
        clock.forward(minutes=5)
        assert tokens.revoked() == set()


class Reading:
    """A database with one table of revoked tokens, and a clock of its own."""

    def __init__(self) -> None:
        self.now = 100.0
        self.revoked: Set[str] = {"t-1"}
        self.reads = 0
        self.away = False
        self.open = threading.Event()
        self.open.set()

    def clock(self) -> float:
        return self.now

    def read(self) -> Set[str]:
        self.reads += 1
        assert self.open.wait(10)
        if self.away:
            raise OperationalError("the server has gone")
        return self.revoked


class TestTheListOfRevokedTokens:
    """In memory; read again when it is old."""

    def test_is_read_before_the_first_answer_and_then_not_for_each(self) -> None:
        async def ask(reading: Reading, revocations: Revocations) -> None:
            assert await revocations.has("t-1") is True
            assert await revocations.has("t-2") is False
            assert reading.reads == 1

        run(ask)

    def test_is_read_again_while_requests_go_on(self) -> None:
        async def ask(reading: Reading, revocations: Revocations) -> None:
            await revocations.has("t-1")
            reading.open.clear()
            reading.revoked = {"t-2"}
            reading.now += auth.REREAD_AFTER + 0.1
            assert await revocations.has("t-2") is False
            reading.open.set()
            while not await revocations.has("t-2"):
                await asyncio.sleep(0)
            assert reading.reads == 2

        run(ask)

    def test_is_waited_for_where_it_is_so_old_that_a_revocation_might_be_missed(self) -> None:
        async def ask(reading: Reading, revocations: Revocations) -> None:
            await revocations.has("t-1")
            reading.revoked = {"t-2"}
            reading.now += auth.TOO_OLD + 0.1
            assert await revocations.has("t-2") is True

        run(ask)

    def test_is_never_older_than_five_seconds(self) -> None:
        assert auth.TOO_OLD + auth.PATIENCE < 5

    def test_is_kept_while_the_database_is_away_which_is_said_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        async def ask(reading: Reading, revocations: Revocations) -> None:
            await revocations.has("t-1")
            reading.away = True
            for _ in range(5):
                reading.now += 60
                assert await revocations.has("t-1") is True
            assert reading.reads == 6
            reading.away, reading.revoked = False, {"t-2"}
            reading.now += 60
            assert await revocations.has("t-2") is True

        telemetry.set_up("INFO", "json")
        run(ask)
        assert capsys.readouterr().err.count("tokens.not_read") == 1

    def test_that_was_never_read_is_not_taken_for_an_empty_one(self) -> None:
        async def ask(reading: Reading, revocations: Revocations) -> None:
            reading.away = True
            assert await revocations.has("t-1") is None

        run(ask)

    def test_is_not_asked_for_again_and_again_while_the_database_is_away(self) -> None:
        async def ask(reading: Reading, revocations: Revocations) -> None:
            reading.away = True
            for _ in range(50):
                await revocations.has("t-1")
            assert reading.reads == 1

        run(ask)


def run(ask: Any) -> None:
    reading = Reading()
    asyncio.run(ask(reading, Revocations(reading.read, reading.clock)))


@pytest.mark.usefixtures("db")
def test_while_the_database_has_never_answered_nobody_is_let_in() -> None:
    telemetry.set_up("INFO", "json")
    with serving(HttpSettings(port=0, jwt_keys=KEY)) as served:
        with database.transaction():
            database.execute("ALTER TABLE tokens RENAME TO gone")
        answer = served.get("/api/incidents", headers=known_as("ana", "agent"))
        assert problem_of(answer)["status"] == 503
        assert answer.headers["Retry-After"] == "1"
        assert served.get("/healthz").status_code == 200


# --- the command line


@pytest.fixture
def migrated(tmp_path: Path) -> None:
    assert bot("migrate").returncode == 0


@pytest.mark.usefixtures("migrated")
class TestOnTheCommandLine:
    """`bot token` and `bot send`."""

    def test_a_token_is_printed_alone_and_what_it_is_beside_it(self) -> None:
        done = bot("token", "issue", "--role", "agent", "--for", "30d", "--name", "ana", JWT_KEYS=KEY)
        assert done.returncode == 0
        text, end = done.stdout.split("\n")
        assert end == ""
        verified = KEYS.verify(text)
        assert verified.caller == Caller("ana", Role.AGENT)
        assert done.stderr.count("\n") == 1
        for said in (verified.jti, "ana", "agent", "UTC"):
            assert said in done.stderr
        days = (verified.expires_at - time.time()) / 86400
        assert 29 < days <= 30

    def test_without_a_key_it_is_said_how_to_make_one(self) -> None:
        line = refusal(bot("token", "issue", "--role", "agent", "--for", "30d"), 2)
        assert "JWT_KEYS" in line
        assert 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"' in line

    @pytest.mark.parametrize("length", ["366d", "0", "sesame", "-1d", "500ms"])
    def test_a_length_that_cannot_be_is_refused(self, length: str) -> None:
        done = bot("token", "issue", "--role", "agent", f"--for={length}", JWT_KEYS=KEY)
        assert re.search("365 days at most|--for: must be a length of time", refusal(done, 1))

    def test_a_role_that_is_none_is_refused_with_those_that_are(self) -> None:
        done = bot("token", "issue", "--role", "customer", "--for", "1d", JWT_KEYS=KEY)
        assert done.returncode == 2
        assert all(role in done.stderr for role in ("reporter", "agent", "admin"))

    def test_tokens_are_listed_and_taken_back_once(self) -> None:
        assert bot("token", "list").stdout == "No tokens were given out.\n"
        text = bot("token", "issue", "--role", "reporter", "--for", "1d", JWT_KEYS=KEY).stdout.strip()
        jti = KEYS.verify(text).jti
        listed = bot("token", "list").stdout
        assert re.search(rf"^{jti} +reporter-{jti[:8]} +reporter +\d{{4}}-\d\d-\d\d \d\d:\d\d *$", listed, re.MULTILINE)
        assert f"{jti} (reporter-{jti[:8]}, reporter) is revoked." in bot("token", "revoke", jti).stdout
        assert re.search(
            rf"^{jti} .* \d\d:\d\d +\d{{4}}-\d\d-\d\d \d\d:\d\d$", bot("token", "list").stdout, re.MULTILINE
        )
        assert f"{jti} was revoked at" in refusal(bot("token", "revoke", jti), 1)
        assert "No token has the id 'nothing'" in refusal(bot("token", "revoke", "nothing"), 1)


@ON_SQLITE
def test_sending_from_the_command_line_signs_for_itself(secured: Served) -> None:
    port = secured.url.rpartition(":")[2]
    sent = bot("send", "My card was charged twice", PORT=port, JWT_KEYS=OLD_KEY)
    assert sent.returncode == 0, sent
    (incident,) = secured.get("/api/incidents", headers=known_as("ben", "agent")).json()
    assert incident["reporter"] == "command-line"
    assert "Authorization: Bearer" in refusal(bot("send", "hello", PORT=port), 1)
    assert "a key of ours" in refusal(bot("send", "hello", PORT=port, JWT_KEYS="k" * 48), 1)
