"""What comes in over HTTP. POST /api/incidents is the one hot route: plain Starlette endpoints, because they must not
cost what FastAPI's do."""

import asyncio
import hashlib
import json
import re
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Annotated, Any, Literal, Self

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import PydanticCustomError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.asgi import Bridge, read
from adapters.http.auth import caller_of
from adapters.http.problems import invalid, problem, refused, too_large
from bot.errors import Conflict, FirstlineError
from bot.model import Accepted, Address, Caller, InboundMessage, tidy
from bot.ports import Answers, Intake

STORED = "Your message is stored and will be handled."

_tracer = trace.get_tracer("firstline")

LONGEST_MESSAGE = 20_000
LONGEST_KEY = 255

_ORDINARY = re.compile(r"[a-z0-9]+(?:[._+-][a-z0-9]+)*@(?:[a-z0-9]+(?:-[a-z0-9]+)*\.)+([a-z]{2,24})")


def normal_address(text: str) -> str:
    """Return a mail address in its normal form. Raises PydanticCustomError, which says what is wrong with it.

    An ordinary one (lower case, ASCII, short) is its own normal form; asking the library, which knows all the others,
    would cost 7 % of the whole route.
    """
    from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

    ordinary = _ORDINARY.fullmatch(text) if len(text) <= 64 else None
    if ordinary is not None and not any(name.endswith(ordinary[1]) for name in SPECIAL_USE_DOMAIN_NAMES):
        return text
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError as exc:
        raise PydanticCustomError("email", "is no mail address: {why}", {"why": str(exc)}) from None


def _not_blank(value: str) -> str:
    tidied = tidy(value)
    if not tidied:
        raise PydanticCustomError("blank", "must not be empty")
    return tidied


CustomersText = Annotated[
    str,
    Field(min_length=1, max_length=LONGEST_MESSAGE, description="What the customer wrote."),
    AfterValidator(_not_blank),
]


class NewIncident(BaseModel):
    """A customer's message. `channel` says by which way to confirm."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "customer_id": "C-1042",
                    "message": "My card was charged twice for the same order",
                    "channel": "email",
                    "email": "ana@example.com",
                }
            ]
        },
    )

    customer_id: Annotated[
        str, Field(min_length=1, max_length=255, description="Your name of the customer."), AfterValidator(_not_blank)
    ]
    message: CustomersText
    channel: Literal["email", "sms", "whatsapp", "web"]
    email: str | None = Field(None, max_length=254, description="Needed for the channel email.")
    phone: str | None = Field(
        None, max_length=32, description="E.164, as in +14155552671; needed for the channels sms and whatsapp."
    )

    @field_validator("email")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        return normal_address(value)

    @field_validator("phone")
    @classmethod
    def _a_number(cls, value: str | None) -> str | None:
        if value is None:
            return None
        import phonenumbers  # 0.1 s, and most messages carry no number

        try:
            number = phonenumbers.parse(value, None)
        except phonenumbers.NumberParseException:
            number = None
        if number is None or not phonenumbers.is_valid_number(number):
            raise PydanticCustomError("phone", "is no phone number in international form, such as +14155552671")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    @model_validator(mode="after")
    def _can_be_answered(self) -> Self:
        needed = {"email": "email", "sms": "phone", "whatsapp": "phone"}.get(self.channel)
        if needed is not None and getattr(self, needed) is None:
            raise ValidationError.from_exception_data(
                "NewIncident",
                [
                    {
                        "type": PydanticCustomError("missing", "is needed for the channel {of}", {"of": self.channel}),
                        "loc": (needed,),
                        "input": None,
                    }
                ],
            )
        return self

    def addresses(self) -> tuple[Address, ...]:
        """Where to confirm: a mail whenever there is an address, an SMS whenever there is a phone."""
        found = []
        if self.email is not None:
            found.append(Address("email", self.email))
        if self.phone is not None:
            found.append(Address("sms", self.phone))
        if self.phone is not None and self.channel == "whatsapp":
            found.append(Address("whatsapp", self.phone))
        return tuple(found)


class Door:
    """An endpoint through which something comes in: it is checked, committed, and answered when it is handled.

    `response_wait`: how long to wait for that, in seconds, before answering 202.
    """

    method = "POST"
    path = ""

    status = 201
    """What a success is answered with."""

    takes_json = True

    def __init__(self, intake: Intake, answers: Answers, response_wait: float, max_body: int) -> None:
        self._intake = intake
        self._answers = answers
        self._response_wait = response_wait
        self._max_body = max_body
        self._bridge: Bridge | None = None

    def route(self) -> Route:
        return Route(self.path, self.__call__, methods=[self.method])

    async def translate(self, request: Request, key: str, body: bytes) -> InboundMessage:
        """Make the message of a request. `key`: the Idempotency-Key, or empty. Raises ValidationError, NotFound or
        NotCommitted."""
        raise NotImplementedError

    async def __call__(self, request: Request) -> Response:
        with _tracer.start_as_current_span(
            f"{self.method} {self.path}",  # the route: a span's name holds no ids
            kind=SpanKind.SERVER,
            record_exception=False,
        ):
            try:
                return await self._answer(request)
            except ClientDisconnect:
                return problem(400, "The body ended early.")  # nobody reads this: the caller has gone

    async def _answer(self, request: Request) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if self.takes_json and media_type != "application/json":
            return problem(415, "Send JSON, with Content-Type: application/json.")
        keys = request.headers.getlist("idempotency-key")
        key = keys[0] if keys else None
        if key is not None and not (len(keys) == 1 and 0 < len(key) <= LONGEST_KEY and key.isprintable()):
            return problem(400, f"Idempotency-Key: one, of 1 to {LONGEST_KEY} printable characters.")
        body = await read(request, self._max_body)
        if body is None:
            return too_large(self._max_body)
        receipt_only = wants_receipt_only(request)
        try:
            message = await self.translate(request, key or "", body)
            accepted, outcome = await self.take_in(message, waits=not receipt_only)
        except ValidationError as exc:
            return invalid(exc)
        except FirstlineError as exc:
            return refused(exc)
        if outcome is None:
            return received(accepted, {"Preference-Applied": "respond-async"} if receipt_only else {})
        where = {"Location": location(outcome["incident_id"])} if "incident_id" in outcome else {}
        return JSONResponse(dict(outcome), self.status, where)

    async def take_in(self, message: InboundMessage, waits: bool = True) -> tuple[Accepted, Mapping[str, Any] | None]:
        """Commit a message and wait for what becomes of it: None if that takes longer than `response_wait`, or if one
        does not wait. Raises NotCommitted, or Conflict if what came before under its id was something else."""
        if self._bridge is None:
            self._bridge = Bridge()
        submission = self._intake.submit(message)
        answer = self._answers.expect(submission.incident_id) if waits else None
        try:
            accepted = await self._bridge.result(submission.committed)
            if accepted.duplicate and accepted.fingerprint != message.fingerprint:
                raise Conflict("Idempotency-Key: it was used before, with another body.")
            if answer is not None and accepted.duplicate:
                answer.cancel()
                answer = self._answers.expect(accepted.incident_id)
            return accepted, await self._outcome(answer, self._bridge)
        finally:
            if answer is not None:
                answer.cancel()  # refused or answered: else the poller would ask for it for ever

    async def _outcome(self, answer: "Future[Mapping[str, Any]] | None", bridge: Bridge) -> Mapping[str, Any] | None:
        if answer is None:
            return None
        try:
            return await asyncio.wait_for(bridge.result(answer), self._response_wait)
        except TimeoutError:
            return None


class PostIncident(Door):
    """The hot route: a customer's message."""

    path = "/api/incidents"

    async def translate(self, request: Request, key: str, body: bytes) -> InboundMessage:
        return _message(NewIncident.model_validate_json(body), key or None, body, caller_of(request))


def wants_receipt_only(request: Request) -> bool:
    """Whether the caller prefers not to wait (RFC 7240)."""
    preferences = ",".join(request.headers.getlist("prefer")).lower().split(",")
    return any(preference.strip() == "respond-async" for preference in preferences)


def received(accepted: Accepted, headers: Mapping[str, str]) -> Response:
    """Acknowledge a message that is still to be handled. Its id is the incident's as well, if it opens one."""
    body = {
        "incident_id": accepted.incident_id,
        "message_id": accepted.incident_id,
        "status": "received",
        "message": f"{STORED} Ask again at the Location.",
    }
    return JSONResponse(body, 202, {"Location": location(accepted.incident_id), **headers})


def location(incident_id: str) -> str:
    return f"/api/incidents/{incident_id}"


def _message(new: NewIncident, key: str | None, body: bytes, caller: Caller) -> InboundMessage:
    """Translate it. An idempotency key belongs to its caller: two may use the same."""
    return InboundMessage(
        channel="web",
        external_id="" if key is None else f"{caller.name}:{key}",
        lane="",
        customer_id=new.customer_id,
        text=new.message,
        answer_on=new.channel,
        addresses=new.addresses(),
        fingerprint="" if key is None else fingerprint(json.loads(body)),
        reporter=caller.name,
    )


def fingerprint(value: Any) -> str:
    """Return the same for the same JSON value, however it is written."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
