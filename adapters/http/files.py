"""The files of an incident, for agents. They came from outside: a browser saves them, and shows none."""

import re
from typing import Annotated
from urllib.parse import quote

from fastapi import FastAPI, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.responses import Response

from adapters.http.auth import Agent
from bot.ports import Views


class FileOut(BaseModel):
    """A file that came with a message. Once it is kept, `media_type` is what its bytes say, else what its sender does;
    `reason` says why it is not kept."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    media_type: str
    size: int | None
    state: str
    reason: str | None
    created_at: AwareDatetime
    kept_at: AwareDatetime | None


def add_files(app: FastAPI, views: Views) -> None:
    """Add the two paths."""

    @app.get("/api/incidents/{name}/files", summary="List the files", tags=["incidents"])
    def list_files(name: str, caller: Agent) -> list[FileOut]:
        return [FileOut.model_validate(file) for file in views.files(name)]

    @app.get(
        "/api/incidents/{name}/files/{number}",
        summary="Download a file",
        tags=["incidents"],
        response_class=Response,
        responses={
            200: {"description": "Its content.", "content": {"*/*": {"schema": {"type": "string"}}}},
            404: {"description": "There is no such file, or it is not kept; the answer says why."},
        },
    )
    def download(name: str, number: Annotated[int, Path(ge=1, le=2**63 - 1)], caller: Agent) -> Response:
        file, content = views.file(name, number)
        return Response(content, media_type=file.media_type, headers=_as_download(file.name))


def _as_download(name: str) -> dict[str, str]:
    return {
        "Content-Disposition": disposition(name),
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'",
        "Cache-Control": "no-store",
    }


def disposition(name: str) -> str:
    """Write the header by which a file is saved under its name (RFC 6266): in ASCII, and for whoever reads it in UTF-8
    as RFC 8187 writes that."""
    plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
