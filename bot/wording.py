"""Every sentence that a customer reads."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.model import Address, Category, Incident, Notice, NoticeKind

CATEGORY_WORDS = {
    Category.DUPLICATE_PAYMENT: "Duplicate payment",
    Category.FAILED_PAYMENT: "Failed payment",
    Category.FRAUD_REPORT: "Fraud report",
    Category.REFUND_REQUEST: "Refund request",
    Category.ACCOUNT_LOCKED: "Locked account",
    Category.STATEMENT_ERROR: "Statement error",
    Category.OTHER: "General request",
}

CHANNEL_WORDS = {"email": "Email", "sms": "SMS", "whatsapp": "WhatsApp message"}


def acknowledgement(incident: Incident, to: Address, follow_up_after: timedelta) -> Notice:
    """Thank the customer, tell the numbers, repeat their words, and promise the follow-up."""
    return Notice(
        key=f"{incident.id}.acknowledgement.{to.channel}",
        kind=NoticeKind.ACKNOWLEDGEMENT,
        incident_id=incident.id,
        ticket_id=incident.ticket_id,
        subject=f"[{incident.ticket_id}] We have received your message",
        greeting="Thank you for contacting us.",
        lead=f"We have opened ticket {incident.ticket_id} for you. Please keep this number.",
        facts=_facts(incident),
        quote=incident.message,
        closing=f"We will get back to you within {_length(follow_up_after)}.",
    )


def reminder(incident: Incident, to: Address, follow_up_id: int, now: datetime) -> Notice:
    """Tell the customer, a day later, that their incident is still open and not forgotten."""
    return Notice(
        key=f"{incident.id}.reminder-{follow_up_id}.{to.channel}",
        kind=NoticeKind.REMINDER,
        incident_id=incident.id,
        ticket_id=incident.ticket_id,
        subject=f"[{incident.ticket_id}] We are still working on your request",
        greeting="Your request is still open, and we have not forgotten it.",
        lead=f"Ticket {incident.ticket_id} was opened {_length(now - incident.created_at)} ago; our team is on it.",
        facts=_facts(incident),
        quote=incident.message,
        closing="You need not do anything. We will write to you as soon as it is solved.",
    )


def _facts(incident: Incident) -> tuple[tuple[str, str], ...]:
    return (
        ("Ticket", incident.ticket_id),
        ("Incident", incident.id),
        ("About", CATEGORY_WORDS[incident.category]),
    )


def ticket_created(simulated: Sequence[str], under_way: Sequence[str]) -> str:
    """Say, in the answer to the one who posted a message, what has happened and what is under way. Both are channels:
    those whose texts are shown or written to a file, and those whose texts are being sent."""
    sentences = ["Ticket created."]
    sentences += [f"{CHANNEL_WORDS[channel]} on its way." for channel in under_way]
    sentences += [f"{CHANNEL_WORDS[channel]} simulated, not sent: no provider is configured." for channel in simulated]
    return " ".join(sentences)


def _length(time: timedelta) -> str:
    """Say a length of time in minutes, hours, or (from two days on) days; never less than a minute."""
    minutes = max(1, round(time.total_seconds() / 60))
    if minutes < 60:
        return _number(minutes, "minute")
    if minutes < 2 * 1440:
        return _number(round(minutes / 60), "hour")
    return _number(round(minutes / 1440), "day")


def _number(number: int, unit: str) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"
