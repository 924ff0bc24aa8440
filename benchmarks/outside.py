"""The world outside, as light as can be: an SMTP server that takes everything, a ticket desk, and Gemini's one method.

    python benchmarks/outside.py [seconds of SMTP] [seconds of desk] [seconds of model]

Prints its two ports. `GET /mails` on the HTTP port tells how many mails were taken and when the last one was (seconds
of the monotonic clock).
"""

import asyncio
import json
import sys
import time
from typing import Any

SMTP_DELAY, DESK_DELAY, MODEL_DELAY = (float(value) for value in (*sys.argv[1:], "0", "0", "0")[:3])

taken = 0
last = 0.0
tickets: dict[str, str] = {}


class Smtp(asyncio.Protocol):
    """Enough of RFC 5321 for smtplib. Waits before it says that it has taken a mail."""

    def __init__(self) -> None:
        self._data = b""
        self._in_mail = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.write(b"220 outside ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._data += data
        while True:
            mark = b"\r\n.\r\n" if self._in_mail else b"\r\n"
            line, found, rest = self._data.partition(mark)
            if not found:
                return
            self._data = rest
            self._transfer(line)

    def _transfer(self, line: bytes) -> None:
        if self._in_mail:
            self._in_mail = False
            asyncio.get_running_loop().call_later(SMTP_DELAY, self._taken)
            return
        verb = line[:4].upper()
        if verb == b"DATA":
            self._in_mail = True
            self._transport.write(b"354 go on\r\n")
        elif verb == b"QUIT":
            self._transport.write(b"221 bye\r\n")
            self._transport.close()
        else:
            self._transport.write(b"250 ok\r\n")

    def _taken(self) -> None:
        global taken, last
        taken += 1
        last = time.monotonic()
        self._transport.write(b"250 taken\r\n")


class Http(asyncio.Protocol):
    """A ticket desk, a model, and the count."""

    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, mark, body = self._data.partition(b"\r\n\r\n")
        fields = head.lower()
        length = int(fields.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not mark or len(body) < length:
            return
        self._data = body[length:]
        path = head.split(b" ", 2)[1]
        if path.startswith(b"/mails"):
            self._answer({"taken": taken, "last": last}, 0)
        elif path.startswith(b"/tickets"):
            key = fields.partition(b"idempotency-key:")[2].partition(b"\r\n")[0].strip().decode()
            self._answer({"id": tickets.setdefault(key, f"{len(tickets) + 1000}")}, DESK_DELAY)
        else:
            text = json.dumps({"category": "duplicate_payment", "confidence": 0.9, "reason": "charged twice"})
            candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}
            self._answer({"candidates": [candidate]}, MODEL_DELAY)

    def _answer(self, value: object, delay: float) -> None:
        body = json.dumps(value).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        asyncio.get_running_loop().call_later(delay, self._transport.write, head.encode() + body)


async def main() -> None:
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(Smtp, "127.0.0.1", 0, backlog=512)
    http = await loop.create_server(Http, "127.0.0.1", 0, backlog=512)
    ports = [server.sockets[0].getsockname()[1] for server in (smtp, http)]
    print(f"ready {ports[0]} {ports[1]}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
