"""SMS and WhatsApp in: what Twilio brings is committed before it is told "received".

A request that is not signed with our auth token is answered 403, and nothing of it is kept.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, parse_qsl
from xml.sax.saxutils import escape

import structlog

from adapters.asgi import read
from adapters.twilio.acts import Acts
from adapters.twilio.api import TwilioApi
from adapters.twilio.look import look
from adapters.twilio.render import answer
from adapters.twilio.settings import Channel as Name
from adapters.twilio.settings import TwilioSettings
from adapters.twilio.signature import BODY_HASH, HEADER, is_signed, is_signed_json
from bot.errors import NotCommitted
from bot.model import Address, tidy
from bot.ports import Core, Routes

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

LARGEST: Final = 256 * 1024
"""Bytes of a request; a message has a few thousand."""

MOST_FIELDS: Final = 500
RECEIVED: Final = '<?xml version="1.0" encoding="UTF-8"?><Response/>'
ANSWER: Final = '<?xml version="1.0" encoding="UTF-8"?><Response><Message>{}</Message></Response>'
"""TwiML (twilio.com/docs/messaging/twiml): nothing more, or a text for whoever wrote."""

WRONG: Final = "is PUBLIC_URL the address that Twilio was given, and TWILIO_AUTH_TOKEN that of this account?"

log = structlog.get_logger()

Take = Callable[[dict[str, str], dict[str, str]], str]
"""Does what a webhook says, its fields and its query, and returns what the sender is to be answered."""


class TwilioListener:
    """The listening half of a channel. Without a public address Twilio cannot reach us, and there is no route."""

    def __init__(self, name: Name, settings: TwilioSettings, public_url: str | None, api: TwilioApi) -> None:
        assert settings.twilio_auth_token is not None
        self._name: Name = name
        self._settings = settings
        self._token = settings.twilio_auth_token
        self._url = public_url
        self._api = api

    @contextmanager
    def listening(self, core: Core, web: Routes) -> Iterator[None]:
        """While entered, accept what comes from Twilio; what is wrong with the account is found out meanwhile."""
        if self._url is not None:
            acts = Acts(core, frozenset(self._own()), self._api.root)
            self._add(web, f"/twilio/{self._name}", acts.hear)
            self._add(web, f"/twilio/{self._name}/status", acts.report)
        looking = threading.Thread(target=self._look, name=f"twilio-{self._name}", daemon=True)
        looking.start()
        try:
            yield
        finally:
            looking.join(self._settings.twilio_deadline.total_seconds())

    def _own(self) -> Iterator[Address]:
        for name in ("sms", "whatsapp"):
            number = self._settings.number_of(name)
            if number is not None:
                yield Address(name, number)

    def _look(self) -> None:
        try:
            for found in look(self._name, self._settings, self._url, self._api):
                if not found.well:
                    log.warning("twilio.not_well", channel=self._name, found=found.says, remedy=found.remedy)
        except Exception as exc:  # of what is only nice to know
            log.warning("twilio.not_looked_at", channel=self._name, error=type(exc).__name__)

    def _add(self, web: Routes, path: str, take: Take) -> None:
        async def endpoint(request: "Request") -> "Response":
            return await self._answer(request, path, take)

        web.add_route(path, endpoint, ["POST"])

    async def _answer(self, request: "Request", path: str, take: Take) -> "Response":
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import ClientDisconnect
        from starlette.responses import Response

        try:
            body = await read(request, LARGEST)
        except ClientDisconnect:
            body = None
        if body is None:
            return Response("The body is too large.", 413)
        query = request.scope.get("query_string", b"").decode("latin-1")
        fields = self._checked(request.headers.get(HEADER, ""), f"{path}?{query}" if query else path, query, body)
        if fields is None:
            log.warning("twilio.wrong_signature", path=path, remedy=WRONG)
            return Response("The signature is wrong.", 403)
        try:
            says = await run_in_threadpool(take, fields, _firsts(query))
        except NotCommitted as exc:  # whoever raised it has logged why
            log.warning("twilio.not_taken", error=str(exc))
        except Exception as exc:
            log.error("twilio.not_handled", error=type(exc).__name__, exc_info=exc)
        else:
            return Response(self._twiml(says), media_type="text/xml")
        return Response("Not taken.", 500)

    def _checked(self, given: str, path: str, query: str, body: bytes) -> dict[str, str] | None:
        """Return what was posted, of each name the first; None if it is not signed. A form and JSON are told apart by
        what was signed, not by what a header says."""
        token, url = self._token.get_secret_value(), f"{self._url}{path}"
        if BODY_HASH in _firsts(query):
            return _object(body) if is_signed_json(token, given, url, body) else None
        try:
            values = parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS)
        except ValueError:
            return None
        return {name: found[0] for name, found in values.items()} if is_signed(token, given, url, values) else None

    def _twiml(self, says: str) -> str:
        if not says:
            return RECEIVED
        return ANSWER.format(escape(answer(tidy(says), self._name, self._settings.twilio_sms_segments)))


def _firsts(query: str) -> dict[str, str]:
    return dict(reversed(parse_qsl(query, keep_blank_values=True, max_num_fields=None)))


def _object(body: bytes) -> dict[str, str]:
    """Read a JSON object of texts and numbers; what is none has no fields."""
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    items = found.items() if isinstance(found, dict) else ()
    return {name: str(value) for name, value in items if isinstance(value, str | int)}
