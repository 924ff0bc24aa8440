"""The OpenAPI document: what FastAPI does not see, and who may come in, is added by hand."""

from copy import deepcopy
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from adapters.http.auth import OPEN
from adapters.http.intake import NewIncident
from adapters.http.messages import NewAction, NewMessage


def document(app: FastAPI, secured: bool, answers: tuple[type[BaseModel], ...]) -> None:
    """Add the plain endpoints to the document of an application. `secured`: every caller needs a token."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            schemas = schema.setdefault("components", {}).setdefault("schemas", {})
            models: tuple[type[BaseModel], ...] = (NewIncident, NewMessage, NewAction, *answers)
            for model in models:
                schemas[model.__name__] = model.model_json_schema(ref_template="#/components/schemas/{model}")
            for path, operations in PLAIN.items():
                schema["paths"].setdefault(path, {}).update(deepcopy(operations))
            if secured:
                _document_tokens(schema)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document_tokens(schema: dict[str, Any]) -> None:
    schema["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
    schema["security"] = [{"token": []}]
    for path, operations in schema["paths"].items():
        for operation in operations.values():
            if path in OPEN:
                operation["security"] = []
            else:
                operation["responses"]["401"] = {"description": "There is no token, or none that holds."}


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}


_POST: dict[str, Any] = {
    "summary": "Send a customer's message",
    "tags": ["incidents"],
    "operationId": "post_incident",
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "schema": {"type": "string", "maxLength": 255},
            "description": "A repetition with the same key and the same body gets the first answer again.",
        },
        {
            "name": "Prefer",
            "in": "header",
            "schema": {"type": "string"},
            "description": "`respond-async`: answer 202 as soon as the message is stored.",
        },
    ],
    "requestBody": {"required": True, "content": _json("NewIncident")},
    "responses": {
        "201": {"description": "The incident is open.", "content": _json("Created")},
        "202": {"description": "The message is stored, and will be handled.", "content": _json("ReceivedOut")},
        "400": {"description": "The body is not JSON."},
        "409": {"description": "The Idempotency-Key was used before, with another body."},
        "413": {"description": "The body is too large."},
        "415": {"description": "The body is not declared as JSON."},
        "422": {"description": "A field cannot be used; the answer names it."},
        "503": {"description": "The message could not be stored. Send it again."},
    },
}


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _operation(summary: str, name: str, model: str, status: str, *path: str) -> dict[str, Any]:
    """Describe an endpoint of a conversation; its headers and refusals are those of `_POST`."""
    refused = {code: what for code, what in _POST["responses"].items() if code not in ("201", "202")}
    body = {"requestBody": {"required": True, "content": _json(model)}} if model else {}
    return {
        "summary": summary,
        "tags": ["conversation"],
        "operationId": name,
        "parameters": [*(_parameter(part) for part in path), *_POST["parameters"]],
        **body,
        "responses": {
            status: {"description": "It is done.", "content": _json("Created")},
            "202": _POST["responses"]["202"],
            "404": {"description": "There is no such incident, or no such message in it."},
            **refused,
        },
    }


PLAIN: dict[str, dict[str, Any]] = {
    "/api/incidents": {"post": _POST},
    "/api/incidents/{name}/messages": {
        "post": _operation("Send a further message of the customer", "post_message", "NewMessage", "201", "name"),
    },
    "/api/incidents/{name}/messages/{message_id}": {
        "put": _operation("Change a message", "put_message", "NewMessage", "200", "name", "message_id"),
        "delete": _operation("Delete a message", "delete_message", "", "200", "name", "message_id"),
    },
    "/api/incidents/{name}/actions": {
        "post": _operation("Answer a question of ours", "post_action", "NewAction", "200", "name"),
    },
}
