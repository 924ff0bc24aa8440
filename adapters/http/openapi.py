"""The OpenAPI document: what FastAPI does not see, and who may come in, is added by hand."""

import re
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from adapters.http import links
from adapters.http.auth import OPEN, SIGNED
from adapters.http.intake import KEY, LONGEST_KEY, Door, NewIncident, PostIncident
from adapters.http.messages import (
    CONVERSATION,
    DeleteMessage,
    NewAction,
    NewMessage,
    PostAction,
    PostMessage,
    PutMessage,
)
from adapters.http.problems import MEDIA_TYPE, Problem


def document(app: FastAPI, secured: bool, answers: tuple[type[BaseModel], ...]) -> None:
    """Add the plain endpoints to the document of an application, and to each what it refuses. `secured`: every caller
    needs a token."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            _complete(schema, answers)
            for path, operations in schema["paths"].items():
                for method, operation in operations.items():
                    _describe(path, method, operation, secured)
            if secured:
                scheme = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
                schema["components"]["securitySchemes"] = {"token": scheme}
                schema["security"] = [{"token": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def allowed(app: FastAPI, path: str) -> str:
    """Name the methods that a path has, as `Allow` does (RFC 9110 section 10.2.1)."""
    paths = {"/openapi.json": {"get": {}}, **app.openapi()["paths"]}
    found = {method.upper() for template, methods in paths.items() if _fits(template, path) for method in methods}
    return ", ".join(sorted(found))


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path) is not None


def _complete(schema: dict[str, Any], answers: tuple[type[BaseModel], ...]) -> None:
    """Add the plain endpoints and their models."""
    schemas = schema["components"]["schemas"]
    models: list[type[BaseModel]] = [NewIncident, NewMessage, NewAction, Problem, *answers]
    for model in models:
        described = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[model.__name__] = described
    for path, operations in PLAIN.items():
        schema["paths"].setdefault(path, {}).update(deepcopy(operations))
    for name in ("HTTPValidationError", "ValidationError"):  # what FastAPI would say
        schemas.pop(name, None)


REPORTERS = frozenset({"show_incident", "openapi", "post_incident", *(door.operation() for door in CONVERSATION)})
ADMINS = frozenset({"list_tokens", "issue_token", "revoke_token"})

_WRONG: dict[int, str] = {
    400: "The request cannot be read, or a header or a cursor cannot be used.",
    401: "There is no token, or none that holds.",
    403: "The role is too low, or a page of another site asks.",
    404: "There is no such thing, or it is somebody else's.",
    409: "It is not in a state for this, or the first request under this Idempotency-Key is still being handled.",
    412: "It has changed: it is no longer what If-Match names.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "A field cannot be used, and the answer names it; or the Idempotency-Key was used for another request.",
    429: "You call too often: wait for as many seconds as Retry-After says.",
    503: "The database does not answer, or it could not be stored. Send it again.",
}
_AFTER = {429, 503}


def _describe(path: str, method: str, operation: dict[str, Any], secured: bool) -> None:
    """Say of an operation who may ask for it, and what it refuses and how."""
    is_open = path in OPEN or path.startswith(SIGNED)
    role = "admin" if operation["operationId"] in ADMINS else "agent"
    role = "reporter" if operation["operationId"] in REPORTERS else role
    if secured:
        operation["security"] = [] if is_open else [{"token": [role]}]
    if path.startswith(SIGNED):
        return
    if method == "post" and path not in PLAIN:
        operation.setdefault("parameters", []).append(deepcopy(_KEY))
    for status in _refusals(path, method, operation, secured and not is_open):
        operation["responses"].setdefault(str(status), {"description": _WRONG[status]})
    for status, response in operation["responses"].items():
        if status >= "400":
            response["content"] = deepcopy(_PROBLEM)
            if int(status) in _AFTER:
                response["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}


def _refusals(path: str, method: str, operation: dict[str, Any], known: bool) -> set[int]:
    names = {parameter["in"] for parameter in operation.get("parameters", ())}
    found = {400, 403, 503} | ({401, 429} if known else set())
    if "{" in path:
        found.add(404)
    if method in ("post", "put", "delete"):
        found |= {409, 422}
    if "requestBody" in operation:
        found |= {413, 415}
    if names:
        found.add(422)
    if any(parameter["name"] == "if-match" for parameter in operation.get("parameters", ())):
        found.add(412)
    return found


def _json(model: str, media_type: str = "application/json") -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{model}"}}}


_PROBLEM: dict[str, Any] = {
    MEDIA_TYPE: {
        "schema": {"$ref": "#/components/schemas/Problem"},
    }
}
_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": f"^{KEY}$"},
    "description": "A repetition with the same key and the same request gets the first answer again.",
}
_PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`respond-async`: answer 202 as soon as the message is stored.",
}


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [_parameter(part[1:-1]) for part in path.split("/") if part.startswith("{")]


def _operation(
    door: type[Door], summary: str, body: str, done: str, says: str, refused: dict[str, Any]
) -> dict[str, Any]:
    """Describe a door. `body` and `done` are the models of what is sent (empty: nothing) and answered."""
    sent = {"requestBody": {"required": True, "content": _json(body)}} if body else {}
    return {
        "summary": summary,
        "tags": ["conversation" if "{" in door.path else "incidents"],
        "operationId": door.operation(),
        "parameters": [*_path_parameters(door.path), _KEY, _PREFER],
        **sent,
        "responses": {
            str(door.status): {"description": says, "content": _json(done), **_links(door)},
            "202": {
                "description": "The message is stored, and will be handled.",
                "content": _json("Stored"),
                **_links(door),
            },
            **refused,
        },
    }


_LINKED = {
    "incident_id": ("show_incident", "post_message", "post_action", "list_files", "list_events", "resolve", "reopen",
                    "assign", "reply", "note", "category"),
    "message_id": ("put_message", "delete_message"),
}  # fmt: skip
"""What the answer to a new incident leads to, by the field of it that is needed beside its id."""


def _links(door: type[Door]) -> dict[str, Any]:
    """Say what one may go on with."""
    if door is not PostIncident:
        return {}
    links = {}
    for field, operations in _LINKED.items():
        for operation in operations:
            needed = {"name": "$response.body#/incident_id"}
            if field == "message_id":
                needed["message_id"] = "$response.body#/message_id"
            links[operation] = {"operationId": operation, "parameters": needed}
    return {"links": links}


_PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}


def _page(name: str, summary: str, done: dict[str, str]) -> dict[str, Any]:
    refused = {"403": "The link is not one of ours, or is too old.", "503": "The database does not answer."}
    return {
        "summary": summary,
        "operationId": name,
        "tags": ["links"],
        "parameters": _path_parameters(links.PATH),
        "responses": {status: {"description": what, "content": _PAGE} for status, what in {**done, **refused}.items()},
    }


_NO_INCIDENT = {"404": {"description": "There is no such incident."}}
_NO_MESSAGE = {"404": {"description": "There is no such incident, or no such message in it."}}

PLAIN: dict[str, dict[str, Any]] = {
    PostIncident.path: {
        "post": _operation(PostIncident, "Send a customer's message", "NewIncident", "Created", "It is open.", {}),
    },
    PostMessage.path: {
        "post": _operation(
            PostMessage, "Send a further message", "NewMessage", "Created", "It is on its incident.", _NO_INCIDENT
        ),
    },
    PutMessage.path: {
        "put": _operation(PutMessage, "Change a message", "NewMessage", "Done", "It is changed.", _NO_MESSAGE),
        "delete": _operation(DeleteMessage, "Delete a message", "", "Done", "It is shown no more.", _NO_MESSAGE),
    },
    PostAction.path: {
        "post": _operation(
            PostAction, "Answer a question of ours", "NewAction", "Done", "The answer says what it did.", _NO_INCIDENT
        ),
    },
    links.PATH: {
        "get": _page(
            "show_link", "Show what a mail's link is for; nothing changes", {"200": "A page with one button."}
        ),
        "post": _page(
            "follow_link",
            "Do what a mail's link is for",
            {"200": "A page that says what was done.", "202": "It will be done."},
        ),
    },
}
"""What is served beside FastAPI."""
