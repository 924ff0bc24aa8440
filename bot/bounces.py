"""Texts that came back: a channel was told, after it had handed a text over, that it never arrived."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot import reach
from bot.board import Line
from bot.errors import TryLater
from bot.life import Life, current
from bot.model import TO_CUSTOMERS, Address, InboundMessage
from bot.replies import Done
from storage import notifications
from storage.lanes import hold


def take(message: InboundMessage, life: Life, now: datetime) -> Done:
    """Say of the text that a report is about that it did not arrive, and have agents told; nothing more goes to an
    address that does not exist. A text that its sender knows another way for is sent again. Inside the transaction that
    ends the report's way. Raises TryLater while it is not settled that the text was sent: some platforms are quick."""
    if message.entitled_to:
        hold(message.entitled_to)
    row = _which(message)
    if row is None:
        return Done("bounced", None, [])
    if row["status"] == "sending" or (message.again and row["status"] == "uncertain" and row["due_at"] is not None):
        raise TryLater("the text that did not arrive is still being sent")
    if message.again:
        lanes = [row["lane"]] if notifications.mark_again(row, now, f"sent another way: {message.text}") else []
        return Done("bounced", None if row["incident"] is None else current(row["incident"]), lanes)
    if message.permanent:
        reach.lose(Address(row["channel"], row["recipient"]), f"a text came back: {message.text}", now, row["incident"])
    lanes = _mark(row, message.text, life, now)
    return Done("bounced", None if row["incident"] is None else current(row["incident"]), lanes)


def _which(message: InboundMessage) -> Mapping[str, Any] | None:
    """Find the text that a report is about. Where it went we know ourselves: a report may name any address at all."""
    found = notifications.handed_over(message.entitled_to, message.channel, message.customer_id)
    return next((row for row in found if message.about and digest(row["dedupe"]).startswith(message.about)), None)


def digest(key: str) -> str:
    """Return what a report names a text by: the whole SHA-256 of its key, of which it may have the beginning."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _mark(row: Mapping[str, Any], why: str, life: Life, now: datetime) -> list[str]:
    if not notifications.mark_returned(row, f"it came back: {why}") or row["kind"] not in TO_CUSTOMERS:
        return []
    what = f"{row['kind']} by {row['channel']} (it came back: {why})"
    return life.show(row["incident"], now, Line("not_delivered", "Firstline", what))
