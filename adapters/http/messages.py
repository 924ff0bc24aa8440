"""What a customer does in a conversation that is there: writes, changes and deletes a message, answers a question."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_core import PydanticCustomError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapters.http.auth import caller_of
from adapters.http.intake import LONGEST_MESSAGE, Door, fingerprint
from adapters.http.reach import find
from bot.model import InboundMessage, MessageKind, Received, tidy
from bot.ports import Answers, Intake, Views


class NewMessage(BaseModel):
    """A further message of the customer."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(min_length=1, max_length=LONGEST_MESSAGE, description="What the customer wrote.")

    @field_validator("message")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        tidied = tidy(value)
        if not tidied:
            raise PydanticCustomError("blank", "must not be empty")
        return tidied


class NewAction(BaseModel):
    """An answer to a question of ours, given by a button."""

    model_config = ConfigDict(extra="forbid")

    action: Literal["solved", "not_solved", "rate-1", "rate-2", "rate-3", "rate-4", "rate-5"]


class InConversation(Door):
    """An endpoint under /api/incidents/{name}; what comes in is the customer's, whoever brings it."""

    status = 200

    def __init__(self, intake: Intake, answers: Answers, response_wait: float, max_body: int, views: Views) -> None:
        super().__init__(intake, answers, response_wait, max_body)
        self._views = views

    async def _put(
        self, request: Request, key: str, text: str, kind: MessageKind = MessageKind.NEW, about: str = ""
    ) -> InboundMessage:
        caller, name = caller_of(request), request.path_params["name"]
        where = await run_in_threadpool(find, self._views, name, caller)
        if isinstance(where, Received):
            thread, lane, answer_on = where.incident_id, where.lane, "web"
            customer_id, reporter = where.customer_id, where.reporter
        else:
            incident = where.incident
            thread, lane, answer_on = incident.id, f"web/{incident.conversation}", incident.channel
            customer_id, reporter = incident.customer_id, incident.reporter
        return InboundMessage(
            channel="web",
            external_id=f"{caller.name}:{key}" if key else "",
            lane=lane,
            customer_id=customer_id,
            text=text,
            answer_on=answer_on,
            fingerprint=_fingerprint(request, text) if key else "",
            kind=kind,
            about=about,
            thread=thread,
            reporter=reporter,
        )


def _fingerprint(request: Request, text: str) -> str:
    return fingerprint([request.method, request.url.path, text])


class PostMessage(InConversation):
    """POST /api/incidents/{name}/messages."""

    status = 201

    async def translate(self, request: Request, key: str, body: bytes) -> InboundMessage:
        return await self._put(request, key, NewMessage.model_validate_json(body).message)


class PutMessage(InConversation):
    """PUT /api/incidents/{name}/messages/{message_id}: the customer has changed it."""

    async def translate(self, request: Request, key: str, body: bytes) -> InboundMessage:
        text = NewMessage.model_validate_json(body).message
        return await self._put(request, key, text, MessageKind.EDIT, await _about(self._views, request))


class DeleteMessage(InConversation):
    """DELETE /api/incidents/{name}/messages/{message_id}: the customer has deleted it."""

    async def translate(self, request: Request, key: str, body: bytes) -> InboundMessage:
        return await self._put(request, key, "", MessageKind.DELETE, await _about(self._views, request))


class PostAction(InConversation):
    """POST /api/incidents/{name}/actions."""

    async def translate(self, request: Request, key: str, body: bytes) -> InboundMessage:
        return await self._put(request, key, NewAction.model_validate_json(body).action, MessageKind.ACTION)


async def _about(views: Views, request: Request) -> str:
    """The platform's id (here: ours, or the caller's) of the message that a path names. Raises NotFound."""
    names = request.path_params
    return await run_in_threadpool(views.message, names["name"], names["message_id"])
