"""The OpenAPI document: what FastAPI does not see, and who may come in, is added by hand."""

import re
from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from adapters.http import links
from adapters.http.auth import OPEN, SIGNED
from adapters.http.intake import LONGEST_KEY, Door, NewIncident, PostIncident
from adapters.http.messages import DeleteMessage, NewAction, NewMessage, PostAction, PostMessage, PutMessage
from adapters.http.problems import MEDIA_TYPE, Problem


def document(app: FastAPI, secured: bool, answers: tuple[type[BaseModel], ...]) -> None:
    """Add the plain endpoints to the document of an application. `secured`: every caller needs a token."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            _complete(schema, answers)
            if secured:
                _document_tokens(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(schema: dict[str, Any], answers: tuple[type[BaseModel], ...]) -> None:
    """Add the plain endpoints, and say how each refusal is told."""
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
    for operations in schema["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                if status >= "400" and response.get("content") != _PAGE:
                    response["content"] = _json("Problem", MEDIA_TYPE)


def _document_tokens(schema: dict[str, Any]) -> None:
    schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    schema["security"] = [{"token": []}]
    refused = {"description": "There is no token, or none that holds.", "content": _json("Problem", MEDIA_TYPE)}
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path in OPEN or path.startswith(SIGNED):
                operation["security"] = []
            else:
                operation["responses"]["401"] = refused


def _json(model: str, media_type: str = "application/json") -> dict[str, Any]:
    return {media_type: {"schema": {"$ref": f"#/components/schemas/{model}"}}}


_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY},
    "description": "A repetition with the same key and the same body gets the first answer again.",
}
_PREFER: dict[str, Any] = {
    "name": "Prefer",
    "in": "header",
    "schema": {"type": "string"},
    "description": "`respond-async`: answer 202 as soon as the message is stored.",
}
_BODY = {
    "413": {"description": "The body is too large."},
    "415": {"description": "The body is not declared as JSON."},
    "422": {"description": "A field cannot be used; the answer names it."},
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
        "operationId": re.sub("(?<=[a-z])(?=[A-Z])", "_", door.__name__).lower(),
        "parameters": [*_path_parameters(door.path), _KEY, _PREFER],
        **sent,
        "responses": {
            str(door.status): {"description": says, "content": _json(done)},
            "202": {"description": "The message is stored, and will be handled.", "content": _json("Stored")},
            "400": {"description": "The Idempotency-Key cannot be used, or the body is not JSON."},
            "409": {"description": "The Idempotency-Key was used before, with another body."},
            **(_BODY if body else {}),
            "503": {"description": "It could not be stored. Send it again."},
            **refused,
        },
    }


_PAGE: dict[str, Any] = {"text/html": {"schema": {"type": "string"}}}


def _page(summary: str, done: dict[str, str]) -> dict[str, Any]:
    refused = {"403": "The link is not one of ours, or is too old.", "503": "The database does not answer."}
    return {
        "summary": summary,
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
        "get": _page("Show what a mail's link is for; nothing changes", {"200": "A page with one button."}),
        "post": _page(
            "Do what a mail's link is for", {"200": "A page that says what was done.", "202": "It will be done."}
        ),
    },
}
"""What is served beside FastAPI."""
