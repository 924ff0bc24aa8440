"""What customers may do to what is their own, on every channel where they can be known: look at their tickets, close
one, and give a mail address, which counts once a code that was sent to it comes back.

Answers are in the customer's language, and tell nothing of what others have.
"""

import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Protocol

import structlog

from bot import outbox, wording
from bot.customers import known_or_new, prove
from bot.errors import Conflict, Forbidden, NotFound, NotUnderstood
from bot.ids import new_id
from bot.language import ENGLISH
from bot.life import Life, current
from bot.model import Address, Caller, Incident, Role, addresses_to_json, tidy
from bot.outbox import CODE_HOLDS
from bot.ports import Clock, Dispatcher
from storage import codes, customers, database, incidents, lanes, privacy
from storage.database import Row

log = structlog.get_logger()

WRONG_CODES: Final = 5
MAILS: Final = 3
"""Codes that are sent within an hour for one customer, and to one address."""

HOUR: Final = timedelta(hours=1)

MAIL: Final = re.compile(
    r"(?P<local>[^\s@,;:<>()\[\]\"\\]{1,64})@(?P<domain>(?=.{4,190}$)(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.)+[^\W\d_][\w-]{0,61}[^\W_])"
)
CODE: Final = re.compile(r"\d{6}")
BETWEEN: Final = re.compile(r"[\s-]")


class Do(Protocol):
    """What the commands have."""

    @property
    def clock(self) -> Clock: ...

    @property
    def dispatcher(self) -> Dispatcher: ...

    @property
    def life(self) -> Life: ...


# --- looking


def all_of(caller: Caller) -> list[Row]:
    """List the incidents of the customer who calls, the youngest first. Within a session."""
    if caller.customer is None:
        return []
    identity = customers.identity(caller.customer.channel, caller.customer.key)
    if identity is None:
        return []
    return incidents.of_identities([row["id"] for row in customers.identities(identity["customer"])])


def one(caller: Caller, name: str) -> Incident:
    """Find a customer's own incident; what belongs to others is answered as what does not exist. Raises NotFound."""
    written = tidy(name).lower().removeprefix("tkt-")
    rows = all_of(caller)
    found = [row for row in rows if row["ticket_id"].lower() == f"tkt-{written}"]
    if len(found) != 1:
        raise NotFound(wording.own("not_yours", _language(caller, rows), ticket=repr(name[:64])))
    return Incident.of(found[0])


def line(incident: Incident, language: str) -> str:
    """Say in one line how an incident stands."""
    opened = f"{incident.created_at:%Y-%m-%d %H:%M} UTC"
    if incident.resolved_at is None:
        return wording.own("open", language, ticket=incident.ticket_id, opened=opened)
    resolved = f"{incident.resolved_at:%Y-%m-%d %H:%M} UTC"
    return wording.own("resolved", language, ticket=incident.ticket_id, opened=opened, resolved=resolved)


def standing(caller: Caller, at_most: int) -> str:
    """Say how the customer's own open incidents stand, the youngest first."""
    with database.session():
        rows = all_of(caller)
    language = _language(caller, rows)
    found = [Incident.of(row) for row in rows if row["status"] == "open"]
    return "\n".join(line(each, language) for each in found[:at_most]) or wording.own("none_open", language)


def language_of(caller: Caller) -> str:
    """The language in which a customer is answered."""
    if caller.language or caller.customer is None:
        return caller.language or ENGLISH
    with database.session():
        return _language(caller, all_of(caller))


def _language(caller: Caller, rows: list[Row]) -> str:
    """The language of the answers: as the channel tells it, else that of the youngest incident."""
    return caller.language or (rows[0]["language"] if rows else ENGLISH)


# --- closing


def close(do: Do, caller: Caller, rest: str, at: datetime | None) -> str:
    """End a ticket of one's own: this one, or the youngest open one from where the caller writes. Raises NotFound and
    Conflict, and NotUnderstood for a caller who is no customer and names none."""
    name = rest.split(maxsplit=1)[0] if rest else ""
    if not name and caller.customer is None:
        raise NotUnderstood("Which ticket? close TKT-x")
    with database.transaction():
        found = one(caller, name) if name else _youngest_here(caller)
        lanes.hold(found.id)
        incident, now = current(found.id), do.clock()
        language = caller.language or incident.language
        if incident.status != "open":
            raise Conflict(wording.own("closed_already", language, ticket=incident.ticket_id))
        try:
            woken = do.life.resolve(incident, caller.name, "", now, at or now)
        except Conflict:  # it was opened again after they wrote this
            raise Conflict(wording.said("too_late", language)) from None
    for lane in woken:
        do.dispatcher.wake(lane)
    log.info("incident.resolved", incident_id=incident.id, ticket_id=incident.ticket_id)
    return wording.own("closed", language, ticket=incident.ticket_id)


def _youngest_here(caller: Caller) -> Incident:
    """Find the youngest open incident that the caller opened on this very channel."""
    rows, here = all_of(caller), caller.customer
    assert here is not None
    identity = customers.identity(here.channel, here.key)
    mine = [row for row in rows if row["status"] == "open" and identity and row["identity"] == identity["id"]]
    if not mine:
        raise NotFound(wording.own("none_open", _language(caller, rows)))
    return Incident.of(mine[0])


# --- a mail address


def email(do: Do, caller: Caller, rest: str, at: datetime | None) -> str:
    """Take a mail address, to which a code is sent; or that code. Raises NotUnderstood, Conflict and Forbidden."""
    if _digits(rest):
        return code(do, caller, rest, at)
    here, language = _known(caller, "email")
    found = MAIL.fullmatch(rest)
    if found is None:
        raise NotUnderstood(wording.own("email_which", language))
    address = f"{found['local']}@{found['domain'].lower()}"
    lane = _send_code(do, caller, here, address, language)
    do.dispatcher.wake(lane)
    return wording.own("code_sent", language, address=address, length=wording.length(CODE_HOLDS, language))


def code(do: Do, caller: Caller, rest: str, at: datetime | None) -> str:
    """Take the code that was sent: then its address is the customer's own. Raises NotUnderstood, Conflict and
    Forbidden."""
    here, language = _known(caller, "code")
    digits = _digits(rest)
    if not digits:
        raise NotUnderstood(wording.own("code_which", language))
    with database.transaction():  # which a wrong guess must not undo: it is counted
        checked = _check(do, caller, here, digits)
    if checked.says in ("code_none", "code_wrong"):
        raise Conflict(wording.own(checked.says, language, number=str(checked.left)))
    return wording.own(checked.says, language, address=checked.email)


def _known(caller: Caller, command: str) -> tuple[Address, str]:
    """Return who the caller is on their channel, and their language."""
    if caller.customer is None or caller.may(Role.REPORTER):
        raise Forbidden(f"{command} is for customers, where they write to us.")
    return caller.customer, language_of(caller)


def _digits(rest: str) -> str:
    """Return the six digits of a code in ASCII, whichever digits it is written in; empty if it is none."""
    written = BETWEEN.sub("", rest)
    return "".join(str(int(digit)) for digit in written) if CODE.fullmatch(written) else ""


def _send_code(do: Do, caller: Caller, here: Address, address: str, language: str) -> str:
    """Owe a code to an address, and return the lane to wake."""
    with database.transaction():
        now = do.clock()
        identity_id, customer_id = known_or_new(here, now)
        if customers.mail(identity_id) == address:
            raise Conflict(wording.own("email_known", language, address=address))
        codes.hold(customer_id, address)
        if codes.asked(customer_id, address, now - HOUR) >= MAILS:
            raise Conflict(wording.own("code_limit", language, number=str(MAILS)))
        digits, salt, to = f"{secrets.randbelow(10**6):06}", secrets.token_hex(16), Address("email", address)
        codes.add(
            {
                "identity": identity_id,
                "email": address,
                "salt": salt,
                "digest": _digest(do, salt, digits),
                "created_at": now,
            }
        )
        customers.record(customer_id, now, caller.name, "code_sent")
        (lane,) = outbox.owe([(to, wording.code(new_id(), to, digits, CODE_HOLDS, language))], now)
    return lane


@dataclass(frozen=True, slots=True)
class _Checked:
    """What came of a code: the answer's name, how many guesses are left, and whose address it was for."""

    says: str
    left: int = 0
    email: str = ""


def _check(do: Do, caller: Caller, here: Address, digits: str) -> _Checked:
    """Compare a code with the last one that was sent, and if it is right, trust its address. In the order of the locks:
    the incidents, the customers, the code."""
    now, identity = do.clock(), customers.identity(here.channel, here.key)
    if identity is None:
        return _Checked("code_none")
    still_open = [row["id"] for row in all_of(caller) if row["status"] == "open"]
    privacy.hold(still_open, ())
    customers.hold([identity["customer"], *_owners(codes.last_address(identity["id"]))])  # those who may be joined
    row = codes.youngest(identity["id"])
    if row is None or now - row["created_at"] >= CODE_HOLDS or row["wrong"] >= WRONG_CODES:
        return _Checked("code_none")
    right = hmac.compare_digest(row["digest"], _digest(do, row["salt"], digits))
    if row["used_at"] is not None:
        return _Checked("email_known", email=row["email"]) if right else _Checked("code_none")
    if not right:
        codes.miss(row["id"], row["wrong"] + 1)
        left = WRONG_CODES - row["wrong"] - 1
        return _Checked("code_wrong" if left else "code_none", left)
    codes.use(row["id"], now)
    customer_id = prove(identity["id"], Address("email", row["email"]), now)
    customers.write_to(identity["id"], row["email"])
    customers.record(customer_id, now, caller.name, "email_proven")
    for incident_id in still_open:
        _add_address(incident_id, Address("email", row["email"]), caller, now)
    return _Checked("email_proven", email=row["email"])


def _owners(address: str | None) -> list[str]:
    """The customer who has proven a mail address, if there is one."""
    known = None if address is None else customers.identity("email", address)
    return [] if known is None else [known["customer"]]


def _add_address(incident_id: str, address: Address, caller: Caller, now: datetime) -> None:
    incident = current(incident_id)
    if incident.status == "open" and address not in incident.addresses:
        incidents.readdress(incident_id, addresses_to_json((*incident.addresses, address)))
        incidents.record(incident_id, now, caller.name, "address_added", after=str(address))


def _digest(do: Do, salt: str, digits: str) -> str:
    """What is kept of a code. With the key of our links, which LINK_KEY keeps out of the database, because six digits
    are soon tried out."""
    return hmac.new(do.life.links.key.encode(), f"{salt}:{digits}".encode(), sha256).hexdigest()
