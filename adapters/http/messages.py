"""What a customer does in a conversation that is there: writes, changes and deletes a message, answers a question."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from adapters.http.auth import caller_of
from adapters.http.intake import CustomersText, Door, fingerprint
from adapters.http.problems import AWAY
from adapters.http.reach import find
from bot.errors import NotCommitted
from bot.model import Caller, InboundMessage, Incident, MessageKind, Received
from bot.ports import Answers, Intake, Views


class NewMessage(BaseModel):
    """A further message of the customer."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"message": "It was 20 euros each time"}]}
    )

    message: CustomersText


class NewAction(BaseModel):
    """An answer to a question of ours, given by a button."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"action": "rate-5"}]})

    action: Literal["solved", "not_solved", "rate-1", "rate-2", "rate-3", "rate-4", "rate-5"]


class InConversation(Door):
    """An endpoint under /api/incidents/{name}. What comes in is the customer's, whoever brings it.

    `unavailable`: what the database raises when it does not answer.
    """

    status = 200
    kind = MessageKind.NEW

    def __init__(
        self,
        intake: Intake,
        answers: Answers,
        response_wait: float,
        max_body: int,
        views: Views,
        unavailable: tuple[type[Exception], ...],
    ) -> None:
        super().__init__(intake, answers, response_wait, max_body)
        self._views = views
        self._unavailable = unavailable

    def text(self, body: bytes) -> str:
        """Return what a body says. Raises ValidationError."""
        return NewMessage.model_validate_json(body).message

    async def translate(self, request: Request, key: str, body: bytes) -> InboundMessage:
        text, caller = self.text(body), caller_of(request)
        message = await run_in_threadpool(self._place, caller, request.path_params)
        return replace(
            message,
            external_id=f"{caller.name}:{key}" if key else "",
            text=text,
            fingerprint=fingerprint([request.method, request.url.path, text]) if key else "",
            kind=self.kind,
        )

    def _place(self, caller: Caller, names: Mapping[str, str]) -> InboundMessage:
        """Return a message without words that stands where the path leads. Raises NotFound, or NotCommitted."""
        try:
            where = find(self._views, names["name"], caller, whole=True)
            about = self._views.message(names["name"], names["message_id"]) if "message_id" in names else ""
        except self._unavailable:
            raise NotCommitted(AWAY) from None
        message = _behind(where) if isinstance(where, Received) else _within(where.incident)
        return replace(message, about=about)


def _within(incident: Incident) -> InboundMessage:
    return _on_web(f"web/{incident.conversation}", incident, thread=incident.id, answer_on=incident.channel)


def _behind(first: Received) -> InboundMessage:
    """What belongs to a message that is still to be handled waits in its lane."""
    return _on_web(first.lane, first, thread=first.incident_id, answer_on="web")


def _on_web(lane: str, whose: Incident | Received, **more: Any) -> InboundMessage:
    return InboundMessage(
        channel="web",
        external_id="",
        lane=lane,
        customer_id=whose.customer_id,
        text="",
        reporter=whose.reporter,
        **more,
    )


class PostMessage(InConversation):
    """The customer writes again."""

    method, path = "POST", "/api/incidents/{name}/messages"
    status = 201


class PutMessage(InConversation):
    """The customer has changed a message."""

    method, path = "PUT", "/api/incidents/{name}/messages/{message_id}"
    kind = MessageKind.EDIT


class DeleteMessage(InConversation):
    """The customer has deleted a message."""

    method, path = "DELETE", "/api/incidents/{name}/messages/{message_id}"
    kind = MessageKind.DELETE
    takes_json = False

    def text(self, body: bytes) -> str:
        return ""


class PostAction(InConversation):
    """The customer has pressed a button."""

    method, path = "POST", "/api/incidents/{name}/actions"
    kind = MessageKind.ACTION

    def text(self, body: bytes) -> str:
        return NewAction.model_validate_json(body).action


CONVERSATION = (PostMessage, PutMessage, DeleteMessage, PostAction)
