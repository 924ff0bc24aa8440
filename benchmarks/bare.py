"""The yardstick of `intake.py`: a bare Starlette GET on the same uvicorn. Prints its port."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.http.server import serve
from adapters.http.settings import HttpSettings


async def hello(request: Request) -> Response:
    return JSONResponse({"incident_id": "0", "status": "received"})


if __name__ == "__main__":
    app = Starlette(routes=[Route("/", hello)])
    serve(app, HttpSettings(port=0), lambda url: print(f"ready {url}", flush=True))
