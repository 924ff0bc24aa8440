"""SMS and WhatsApp out.

Twilio takes no idempotency key. So before a text goes out, it is kept in the state that it is about to, and afterwards
under which name it went; after an unknown outcome Twilio's list of messages is looked through for one that nobody else
of ours has sent (`find`).
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlencode

import structlog

from adapters.twilio import keys
from adapters.twilio.api import OUTSIDE_WINDOW, Refused, TwilioApi
from adapters.twilio.render import sms, variables, whatsapp
from adapters.twilio.settings import Channel as Name
from adapters.twilio.settings import TwilioSettings
from bot.errors import Blocked, Elsewhere, TryLater, Undeliverable
from bot.model import Address, Notice, NoticeKind, Sent
from bot.ports import Clock, Sender, State

WINDOW: Final = timedelta(hours=24) - timedelta(minutes=1)
"""How long after a customer's message WhatsApp takes free text; a little less, for the way there."""

SKEW: Final = timedelta(minutes=1)
"""How far Twilio's clock and ours may be apart."""

LISTED: Final = 50
"""Of the messages to one number, how many are looked through."""

TIDY_EVERY: Final = 3600.0
"""Seconds between two times that old values are dropped from the state."""

ASKING: Final = frozenset({NoticeKind.REMINDER, NoticeKind.RESOLVED, NoticeKind.REPLY})
"""What people answer, also days later."""

STOPPED: Final = "the customer has opted out (STOP), and START would let us write again"
NO_TEMPLATE: Final = "more than 24 hours after their last message WhatsApp takes templates only; see TWILIO_TEMPLATES"

log = structlog.get_logger()


class TwilioSender(Sender):
    """The sending half of a channel. In `state` is kept what `keys` names."""

    name: str
    simulated = False

    def __init__(
        self,
        name: Name,
        settings: TwilioSettings,
        state: State,
        api: TwilioApi,
        public_url: str | None,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self.name = name
        self._from_number = settings.number_of(name)
        self.deadline = settings.twilio_deadline.total_seconds()
        self._settings = settings
        self._state = state
        self._api = api
        self._public_url = public_url
        self._clock = clock
        self._tidy_at = 0.0

    def send(self, to: Address, notice: Notice) -> Sent:
        """Send the notice. Raises TryLater, Undeliverable (Elsewhere, Blocked) or Uncertain; none of their texts holds
        a word of the notice."""
        until = time.monotonic() + self.deadline
        keys.number(to)
        if self._state.get(keys.stopped(to)) is not None:
            raise Blocked(STOPPED)
        begun = self._clock().isoformat()
        self._state.put(keys.text(notice.key), begun)
        sid = self._put(to, notice, until)
        self._sent(to, notice, f"{begun} {sid}", sid)
        return Sent(sid)

    def find(self, to: Address, notice: Notice) -> Sent | None:
        """Look through what Twilio has sent to this number since we began to send the notice. Raises TryLater."""
        begun, _, sid = (self._state.get(keys.text(notice.key)) or "").partition(" ")
        if sid or not begun:
            return Sent(sid) if sid else None
        found = self._unknown_since(datetime.fromisoformat(begun) - SKEW, to, notice)
        if found is None:
            return None
        self._sent(to, notice, f"{begun} {found}", found)
        return Sent(found)

    def close(self) -> None:
        self._api.close()

    # --- one text

    def _put(self, to: Address, notice: Notice, until: float) -> str:
        if self.name == "sms":
            return self._post(to, notice, {"Body": sms(notice, self._settings.twilio_sms_segments)}, until)
        if self._may_write_freely(to):
            try:
                return self._post(to, notice, {"Body": whatsapp(notice)}, until)
            except Refused as exc:
                if exc.code != OUTSIDE_WINDOW:
                    raise
                self._state.drop(keys.heard(to))
        template = self._settings.template(notice.kind, notice.language)
        if template is None:
            raise Elsewhere(NO_TEMPLATE)
        try:
            return self._post(to, notice, {"ContentSid": template, "ContentVariables": variables(notice)}, until)
        except Refused as exc:  # WhatsApp pauses templates, and takes back that it has approved them
            failure = Elsewhere(str(exc))
        raise failure

    def _may_write_freely(self, to: Address) -> bool:
        heard = self._state.get(keys.heard(to))
        return heard is not None and self._clock() - datetime.fromisoformat(heard) < WINDOW

    def _post(self, to: Address, notice: Notice, what: Mapping[str, str], until: float) -> str:
        back = {} if self._public_url is None else {"StatusCallback": self._callback(notice)}
        form = {"To": keys.at_twilio(self.name, to.key), **self._from(), **what, **back}
        return self._api.create(form, until)

    def _from(self) -> dict[str, str]:
        written = self._from_number
        assert written is not None
        if written.startswith("MG"):
            return {"MessagingServiceSid": written}
        return {"From": keys.at_twilio(self.name, written)}

    def _callback(self, notice: Notice) -> str:
        """Where Twilio is to tell what becomes of a text. Which one that is stands in the address, which is signed."""
        about = urlencode({"incident": notice.incident_id, "text": keys.digest(notice.key)})
        return f"{self._public_url}/twilio/{self.name}/status?{about}"

    def _sent(self, to: Address, notice: Notice, kept: str, sid: str) -> None:
        """Remember under which name a text went out, and that it is what a message from there probably answers. What
        answers a message on this channel itself is found by the chat."""
        self._state.put(keys.text(notice.key), kept)
        asks = notice.kind in ASKING
        if asks or not notice.answers.startswith(("SM", "MM")):
            self._state.put(keys.last(to), f"{self._clock().isoformat()} {sid} {'asks' if asks else 'tells'}")
        if time.monotonic() > self._tidy_at:
            self._tidy_at = time.monotonic() + TIDY_EVERY
            keys.tidy(self._state, self._clock())

    # --- looking

    def _unknown_since(self, since: datetime, to: Address, notice: Notice) -> str | None:
        """Return the oldest message to this number that may be the notice and that no other of ours is. What waits to
        be sent has no date of sending yet, so Twilio is not asked by that."""
        known = {value.partition(" ")[2] for value in self._state.all(keys.text("")).values()}
        until = time.monotonic() + self.deadline
        asked = {"To": keys.at_twilio(self.name, to.key), "PageSize": str(LISTED)}
        try:
            listed = self._api.get("/Messages", until, **asked).get("messages")
        except Undeliverable as exc:
            raise TryLater(f"Twilio does not show what it has sent: {exc}") from None
        found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
        mine = [one for one in found if self._is_it(one, since, notice) and one.get("sid") not in known]
        log.info("twilio.looked", channel=self.name, listed=len(found), fitting=len(mine))
        return str(min(mine, key=_created)["sid"]) if mine else None

    def _is_it(self, message: Mapping[str, Any], since: datetime, notice: Notice) -> bool:
        """Whether a message may be a notice: it is as old, and says the same, or (from a template, whose words we do
        not know) names the same ticket. A trial account's texts have words of Twilio's before them."""
        body = str(message.get("body") or "")
        ours = sms(notice, self._settings.twilio_sms_segments) if self.name == "sms" else whatsapp(notice)
        template = self._settings.template(notice.kind, notice.language) if self.name == "whatsapp" else None
        says_it = body.endswith(ours) or (template is not None and bool(notice.ticket_id) and notice.ticket_id in body)
        is_ours = str(message.get("direction") or "").startswith("outbound")
        return is_ours and bool(message.get("sid")) and says_it and _created(message) >= since


def _created(message: Mapping[str, Any]) -> datetime:
    """When Twilio took a message (RFC 2822); what does not say so is taken for new."""
    try:
        return parsedate_to_datetime(str(message.get("date_created"))).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return datetime.max.replace(tzinfo=UTC)
