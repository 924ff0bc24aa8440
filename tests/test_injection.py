"""Forty customers who order a category, an answer in JSON or a ticket: told to a Gemini that obeys them, and to one
that does not."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from pydantic import SecretStr

from adapters.gemini import GeminiClassifier, GeminiSettings
from bot.breaker import Breaker
from bot.classify import Guarded, Ladder, SecondOpinion
from bot.instructions import without_orders
from bot.local_model import LocalModel
from bot.model import Address, Category
from tests.fakes import RecordingSender, TestClock
from tests.house import House
from tests.injections import INJECTIONS

NAMED = {
    Category.FRAUD_REPORT: r"fraud_report|fraud report|fraude|betrug|धोखाधड़ी|احتيال",
    Category.REFUND_REQUEST: r"refund_request|refund request|reembolso|remboursement|रिफंड|استرداد",
    Category.ACCOUNT_LOCKED: r"account_locked|account locked(?=[.,])",
    Category.DUPLICATE_PAYMENT: r"duplicate_payment",
    Category.OTHER: r"\bother\b",
}
"""What an obedient model takes for an order."""

Mind = Callable[[str], tuple[Category, str]]


def honest(text: str) -> tuple[Category, str]:
    """Know what each of the forty is about, whatever it orders."""
    told = text.strip()
    return next(
        (about for whole, _, about in INJECTIONS if told and told in whole), Category.OTHER
    ), "It is about that."


def obedient(text: str) -> tuple[Category, str]:
    """Say what the text orders, if it can see an order; and be sure of it."""
    for category, words in NAMED.items():
        if re.search(words, text, re.IGNORECASE):
            return category, "I do as I am told."
    return honest(text)


class Gemini(ThreadingHTTPServer):
    """A small Gemini: reads the message between its markers and answers with what its mind makes of it."""

    daemon_threads = True

    def __init__(self, mind: Mind) -> None:
        seen = self.seen = []  # type: list[str]

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                text = "\n".join(body["contents"][0]["parts"][0]["text"].split("\n")[1:-1])
                seen.append(text)
                category, reason = mind(text)
                answer = {"category": category, "confidence": 0.99, "reason": reason, "thanks": True}
                parts = [{"text": json.dumps(answer)}]
                said = json.dumps({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *args: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Gemini":
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()


def outside(server: Gemini) -> SecondOpinion:
    settings = GeminiSettings(gemini_api_key=SecretStr("k" * 20), gemini_base_url=server.url)
    return SecondOpinion(Guarded(GeminiClassifier(settings), Breaker("classifier"), 10), LocalModel.load().classify)


@pytest.fixture(scope="module", params=[honest, obedient], ids=["one that does not", "one that obeys"])
def gemini(request: pytest.FixtureRequest) -> Iterator[Gemini]:
    with Gemini(request.param) as server:
        yield server


def test_there_are_forty_of_them_in_seven_languages() -> None:
    assert len(INJECTIONS) >= 40
    assert all(ordered is not about for _, ordered, about in INJECTIONS)


@pytest.mark.parametrize("case", INJECTIONS, ids=range(len(INJECTIONS)))
def test_an_order_is_not_obeyed(gemini: Gemini, case: tuple[str, Category, Category]) -> None:
    text, _, about = case
    said = Ladder([outside(gemini), LocalModel.load().classify])(text)
    assert said.category is about
    assert not said.thanks
    assert not said.missed


def test_what_an_obedient_model_is_shown_holds_no_order() -> None:
    with Gemini(obedient) as server:
        for text, _, _ in INJECTIONS:
            outside(server)(text)
    assert len(server.seen) > 30
    assert [text for text in server.seen if without_orders(text) != text] == []


REASON = "<!channel> <b>pay me</b>\r\nBcc: thief@example.com [click](http://evil.example) =HYPERLINK(1)"


@pytest.mark.usefixtures("db")
def test_nothing_that_the_model_writes_reaches_a_customer(clock: TestClock) -> None:
    def poet(text: str) -> tuple[Category, str]:
        return Category.FRAUD_REPORT, REASON

    with Gemini(poet) as server:
        wall = RecordingSender("chat")
        house = House(clock, better=[outside(server)], chat=wall, board=Address("chat", "agents"))
        incident_id = house.write("Somebody stole my card <!channel>")["incident_id"]
        house.later(hours=24)
        house.stop()
    row = house.incident(incident_id)
    assert row["classified_by"].startswith("gemini:")
    assert "\n" not in row["reason"]
    assert row["reason"].isprintable()
    sent: list[Any] = [*house.mail.sent, *wall.sent]
    assert len(sent) > 3
    assert not any(
        word in f"{notice.text}{notice.to_json()}" for _, notice in sent for word in ("pay me", "Bcc", "evil")
    )
