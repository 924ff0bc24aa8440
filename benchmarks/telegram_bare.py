"""The yardstick of `telegram.py`: the same route on the same uvicorn, with python-telegram-bot behind it and an empty
handler. Nothing is stored. Prints its port."""

import hmac
import json
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from telegram import Update
from telegram.ext import Application, MessageHandler, filters

from adapters.http.server import serve
from adapters.http.settings import HttpSettings

SECRET = b"s3cret-of-the-webhook"

bot: Any = Application.builder().token("4242424:AAbcdefghijklmnopqrstuvwxyz012345678").updater(None).build()


async def nothing(update: Update, context: Any) -> None:
    pass


async def events(request: Request) -> Response:
    given = request.headers.get("x-telegram-bot-api-secret-token", "").encode()
    if not hmac.compare_digest(given, SECRET):
        return Response(status_code=401)
    await bot.process_update(Update.de_json(json.loads(await request.body()), bot.bot))
    return Response()


if __name__ == "__main__":
    bot.add_handler(MessageHandler(filters.ALL, nothing))
    bot._initialized = True  # else it would ask Telegram who it is
    app = Starlette(routes=[Route("/telegram/events", events, methods=["POST"])])
    serve(app, HttpSettings(port=0), lambda url: print(f"ready {url}", flush=True))
