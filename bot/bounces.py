"""Texts that came back: a channel was told, after it had handed a text over, that it never arrived."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot import reach
from bot.board import Line
from bot.life import Life, current
from bot.model import TO_CUSTOMERS, Address, InboundMessage
from bot.replies import Done
from storage import notifications
from storage.lanes import hold


def take(message: InboundMessage, life: Life, now: datetime) -> Done:
    """Say of the text that a report is about that it did not arrive, and have agents told; nothing more goes to an
    address that does not exist. Inside the transaction that ends the report's way."""
    if message.entitled_to:
        hold(message.entitled_to)
    row = notifications.returned(message.entitled_to, message.about, message.channel, message.customer_id)
    to = Address(message.channel, message.customer_id if row is None else row["recipient"])
    incident_id = None if row is None else row["incident"]
    if message.permanent:
        reach.lose(to, f"a text came back: {message.text}", now, incident_id)
    lanes = [] if row is None else _mark(row, message.text, life, now)
    return Done("bounced", None if incident_id is None else current(incident_id), lanes)


def _mark(row: Mapping[str, Any], why: str, life: Life, now: datetime) -> list[str]:
    if not notifications.mark_returned(row, f"it came back: {why}") or row["kind"] not in TO_CUSTOMERS:
        return []
    what = f"{row['kind']} by {row['channel']} (it came back: {why})"
    return life.show(row["incident"], now, Line("not_delivered", "Firstline", what))
