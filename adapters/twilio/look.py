"""Whether Twilio knows the account and the numbers, and brings us what people write; and what to do if not."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from adapters.twilio.api import TwilioApi
from adapters.twilio.settings import Channel, TwilioSettings
from bot.errors import DeliveryFailed

NOT_PUBLIC: Final = "set PUBLIC_URL to where Twilio reaches the HTTP side; until then texts only go out"
NOT_HTTPS: Final = "give PUBLIC_URL an address that begins with https: else what people write can be read on its way"
NOT_OURS: Final = "buy it or port it in the Twilio console (Phone Numbers), or set TWILIO_SMS_FROM to one that is there"
NOT_ACTIVE: Final = "see in the Twilio console why, and have it opened again"
NO_TEMPLATES: Final = "there are no templates: 24 hours after their last message customers are told by mail"
TRIAL: Final = "it is a trial account: it writes to numbers that you have verified only"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well, what it is, and what to do if it is not."""

    well: bool
    says: str
    remedy: str = ""


def look(channel: Channel, settings: TwilioSettings, public_url: str | None, api: TwilioApi) -> Iterator[Finding]:
    """Ask Twilio about what a channel needs. Nothing is sent, and nothing that anybody wrote is read."""
    until = time.monotonic() + settings.twilio_deadline.total_seconds()
    try:
        account = api.get("", until)
        yield Finding(account.get("status") == "active", f"the account is {account.get('status')}", NOT_ACTIVE)
        if account.get("type") == "Trial":
            yield Finding(True, TRIAL)
        yield from _way(channel, public_url)
        if channel == "sms":
            yield from _number(settings, public_url, api, until)
        else:
            yield from _whatsapp(settings)
    except DeliveryFailed as exc:
        yield Finding(False, str(exc))


def _way(channel: Channel, public_url: str | None) -> Iterator[Finding]:
    if public_url is None:
        yield Finding(False, "Twilio cannot bring what people write", NOT_PUBLIC)
    else:
        where = _webhook(channel, public_url)
        yield Finding(public_url.startswith("https:"), f"what people write comes to {where}", NOT_HTTPS)


def _number(settings: TwilioSettings, public_url: str | None, api: TwilioApi, until: float) -> Iterator[Finding]:
    """Look whether the number is the account's, and where Twilio brings what is written to it."""
    number = settings.twilio_sms_from or ""
    if not number.startswith("+"):
        yield Finding(True, f"SMS come from {number}; whether it is the account's shows when the first is sent")
        return
    found = api.get("/IncomingPhoneNumbers", until, PhoneNumber=number).get("incoming_phone_numbers")
    mine = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    known = next((one for one in mine if one.get("phone_number") == number), None)
    yield Finding(known is not None, f"{number} is {'' if known else 'not '}a number of the account", NOT_OURS)
    if known is not None and public_url is not None:
        yield _brought(known, _webhook("sms", public_url))


def _brought(number: Mapping[str, Any], webhook: str) -> Finding:
    where = str(number.get("sms_url") or "")[:200]
    is_here = where.rstrip("/") == webhook and str(number.get("sms_method") or "POST").upper() == "POST"
    remedy = f"in the console, at the number: A message comes in, Webhook, {webhook}, HTTP POST"
    return Finding(is_here, f"Twilio brings SMS to {where or 'nowhere'}", remedy)


def _whatsapp(settings: TwilioSettings) -> Iterator[Finding]:
    """What is WhatsApp's cannot be asked for here: the console shows it."""
    number, kinds = settings.twilio_whatsapp_from, sorted({kind for kind, _ in settings.templates})
    yield Finding(True, f"WhatsApp messages come from {number}; the console shows whether they may")
    yield Finding(True, f"there are templates for: {', '.join(kinds)}" if kinds else NO_TEMPLATES)


def _webhook(channel: Channel, public_url: str) -> str:
    return f"{public_url}/twilio/{channel}"
