"""Mail in from mailboxes that are read by IMAP: a mail is committed before it is marked as seen, or moved.

How far a folder is read stands in the database: its UIDVALIDITY and the last UID up to which every mail is done.

- **At the very first look** at a folder those mails are taken that nobody has opened, and every mail that comes from
  then on, opened or not. Old mails that somebody has read stay as they are.
- **Nothing is passed over.** The last UID never goes past a mail that is not committed: it is tried again, and those
  behind it wait. Only a mail that the server itself does not hand out, five times, is left where it is, and that only
  once one behind it was handed out.
- **Where UIDs are no longer those that they were** (another UIDVALIDITY: the folder was made anew, the server moved),
  all is offered again that has come since the day before the first look, and all that nobody has opened; the Door
  knows what it has taken.
- **Nothing else in the mailbox is changed**, and nothing is deleted. Two processes may read one mailbox: each mail is
  taken once, and fetched twice.
"""

import json
import random
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final

import structlog

from adapters.mail.folder import Folder, NotLetIn, NotThere, Refused
from adapters.mail.parsed import Envelope
from adapters.mail.settings import ImapMailbox, MailInSettings
from adapters.mail.ways import Door
from bot.errors import ConfigurationError, FirstlineError, NotCommitted
from bot.ports import Clock, State

BATCH: Final = 25
"""How many mails are taken before they are marked."""

TRIES: Final = 5
"""How often a mail is asked for that the server does not hand out."""

RENEW = 600.0
"""Seconds after which IDLE is begun anew: servers hang up after 30 minutes (RFC 2177), and much between us earlier."""

LOOK_EVERY = 60.0
"""Seconds between two looks at a server that cannot idle."""

SHORTEST_PAUSE = 1.0
LONGEST_PAUSE = 60.0
"""Seconds between two attempts at something that failed."""

FIRST_PAUSE_OUTSIDE = 15.0
LONGEST_PAUSE_OUTSIDE = 300.0
"""The same where the server does not let us in: who knocks too often is locked out."""

STEADY: Final = 60.0
"""Seconds for which a connection must have been well, before the next trouble is a new one."""

LEAVE_WITHIN: Final = 1.0
"""Seconds in which a mail that is in hand may be finished when we stop; and again as many for a server's answer."""

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

REMEDIES: Final = {
    NotLetIn: "is the user and the password of IMAP_URL right, and IMAP allowed for it? Some providers want an app "
    "password; `bot mail check` tries it",
    NotThere: "does the folder of IMAP_URL exist, and may it be written to? `bot mail check` tries it",
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Place:
    """How far a folder is read. Every mail with a UID up to `last` is done. Up to `old` are those that were there when
    the folder was first looked at: of them the unseen ones are taken, and if UIDs have changed since (`again`) also
    those that came since the `first_day`."""

    validity: int
    last: int
    old: int
    first_day: str
    again: bool = False

    @classmethod
    def parse(cls, kept: str) -> "Place":
        return cls(**json.loads(kept))

    def written(self) -> str:
        return json.dumps(asdict(self))


class ImapReader:
    """Reads one mailbox, in a thread of its own. `number` is its place in IMAP_URL, for the log."""

    def __init__(
        self,
        mailbox: ImapMailbox,
        settings: MailInSettings,
        door: Door,
        state: State,
        clock: Clock,
        number: int = 1,
    ) -> None:
        """Raises ConfigurationError if IMAP_CA_FILE holds no certificates."""
        self._mailbox = mailbox
        self._settings = settings
        self._door = door
        self._state = state
        self._clock = clock
        self._tls = trust(settings.imap_ca_file)
        self._key = f"mail/imap/{mailbox.account}/{mailbox.folder}"
        self._where = {"mailbox": number, "host": mailbox.host, "folder": mailbox.folder}
        self._stop = threading.Event()
        self._folder: Folder | None = None
        self._told = ""
        self._refusals: dict[int, int] = {}
        self._thread = threading.Thread(target=self._run, name=f"imap-{number}", daemon=True)

    def start(self) -> None:
        if self._mailbox.scheme == "imap+plain" and not _is_here(self._mailbox.host):
            log.warning("imap.password_in_the_clear", remedy="write imaps:// or imap:// in IMAP_URL", **self._where)
        self._thread.start()

    def ask_to_stop(self) -> None:
        self._stop.set()

    def wait_stopped(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))

    def cut(self) -> None:
        """Let go of a server that does not answer."""
        folder = self._folder
        if folder is not None and self._thread.is_alive():
            folder.cut()

    # --- the thread: connect, read, and come back after trouble

    def _run(self) -> None:
        pause = SHORTEST_PAUSE
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with self._connected() as folder:
                    self._read(folder)
            except Exception as exc:
                if self._stop.is_set():
                    return
                pause = SHORTEST_PAUSE if time.monotonic() - began > STEADY else pause
                shortest, longest = _pauses(exc)
                pause = min(max(pause, shortest), longest)
                self._tell_trouble(exc)
                self._stop.wait(pause * random.uniform(0.75, 1.25))
                pause *= 2

    @contextmanager
    def _connected(self) -> Iterator[Folder]:
        folder = Folder(self._mailbox, self._tls, self._settings.imap_timeout.total_seconds())
        self._folder = folder
        is_well = False
        try:
            yield folder
            is_well = True
        finally:
            self._folder = None
            folder.close(politely=is_well)

    def _tell_trouble(self, exc: Exception) -> None:
        """Say once what is wrong, until something else is, or all is well again."""
        match exc:
            case NotLetIn() | NotThere():
                event = "imap.not_let_in" if isinstance(exc, NotLetIn) else "imap.folder_not_opened"
                values = {"reason": str(exc), "remedy": REMEDIES[type(exc)]}
                self._tell(event, log.error, **values)
            case NotCommitted():  # whoever raised it has logged why
                self._tell("imap.not_taken", log.warning, reason=str(exc))
            case Refused():
                self._tell("imap.refused", log.warning, reason=str(exc))
            case FirstlineError():
                self._tell("imap.not_connected", log.warning, reason=str(exc))
            case _:
                self._tell("imap.failed", log.error, error=type(exc).__name__, exc_info=exc)

    def _tell(self, event: str, say: Any, **values: Any) -> None:
        if event != self._told:
            self._told = event
            say(event, **self._where, **values)

    # --- a connection: take what waits, and wait for more

    def _read(self, folder: Folder) -> None:
        """Take mail until we stop. Raises NotCommitted, Refused and Lost."""
        place = self._begin(folder)
        while not self._stop.is_set():
            folder.has_news()  # from here on: what has come by now, the search finds
            waiting = self._waiting(folder, place)
            for start in range(0, len(waiting), BATCH):
                place = self._take(folder, place, waiting[start : start + BATCH])
            if waiting:
                continue
            if place.last < place.old:
                place = self._keep(replace(place, last=place.old))
            self._tell("imap.connected", log.info, idle="IDLE" in folder.can)
            if not folder.has_news():
                self._wait(folder)

    def _begin(self, folder: Folder) -> Place:
        """Return how far the folder is read, as far as its UIDs are still the same."""
        kept = self._state.get(self._key)
        place = None if kept is None else Place.parse(kept)
        if place is None or place.validity != folder.validity:
            if place is not None:
                log.warning("imap.uids_changed", **self._where, remedy="none needed: all is looked at again")
            first_day = self._clock().date().isoformat() if place is None else place.first_day
            old = max(folder.search("ALL"), default=0)
            place = self._keep(Place(folder.validity, 0, old, first_day, again=place is not None))
        if self._settings.imap_done is not None and not folder.has_folder(self._settings.imap_done):
            with suppress(Refused):  # then moving will be refused as well, and that is told
                folder.make_folder(self._settings.imap_done)
        return place

    def _waiting(self, folder: Folder, place: Place) -> list[int]:
        """Return the UIDs of the mails that are to be taken, in the order in which they came."""
        found: set[int] = set()
        if place.last < place.old:
            these = f"UID {place.last + 1}:{place.old} UNDELETED"
            found.update(folder.search(f"{these} UNSEEN"))
            if place.again:
                found.update(folder.search(f"{these} SINCE {_day_before(place.first_day)}"))
        last = max(place.last, place.old)
        # `n:*` always has the last mail in it, also where n is behind it (RFC 3501, 9)
        found.update(uid for uid in folder.search(f"UID {last + 1}:*") if uid > last)
        return sorted(found)

    def _wait(self, folder: Folder) -> None:
        if "IDLE" in folder.can:
            folder.idle(RENEW, self._stop)
        elif not self._stop.wait(LOOK_EVERY):
            folder.nudge()

    # --- mails

    def _take(self, folder: Folder, place: Place, uids: Sequence[int]) -> Place:
        """Take these mails, mark those that are taken, and return how far we are. Raises NotCommitted, Refused or Lost
        after that."""
        taken: list[int] = []
        ill: list[int] = []
        failure: Exception | None = None
        for uid in uids:
            if self._stop.is_set():
                break
            if self._refusals.get(uid, 0) >= TRIES:
                ill.append(uid)
                continue
            try:
                if self._take_one(folder, uid):
                    taken.append(uid)
                    ill = self._leave(ill)
            except (NotCommitted, Refused) as exc:
                failure = exc
                break
            if not ill:
                place = replace(place, last=uid)
        if taken:
            self._mark(folder, taken)
        self._keep(place)
        if failure is None and ill and not self._stop.is_set():
            self._refusals.update(dict.fromkeys(ill, TRIES - 1))
            failure = Refused("a mail is not handed out, and there is none behind it")
        if failure is not None:
            raise failure
        return place

    def _take_one(self, folder: Folder, uid: int) -> bool:
        """Take a mail, and return whether it is taken; it is not if it has gone. Raises NotCommitted, Refused, Lost."""
        most = self._settings.max_mail
        try:
            found = folder.read(uid, most)
        except Refused:
            self._refusals[uid] = self._refusals.get(uid, 0) + 1
            raise
        if found is None:
            return False
        raw, size = found
        if size > most:
            log.warning("imap.mail_cut", uid=uid, size=size, kept=most, **self._where)
        taken = self._door.take(raw, Envelope(source="imap"))
        log.info("imap.taken", uid=uid, says=taken.says, duplicate=taken.duplicate, **self._where)
        return True

    def _leave(self, ill: Sequence[int]) -> list[int]:
        """Say which mails are passed over. The server is well: it has handed out one behind them."""
        for uid in ill:
            log.error("imap.mail_left", uid=uid, remedy="read it in the mailbox", **self._where)
        return []

    def _mark(self, folder: Folder, uids: Sequence[int]) -> None:
        """Mark mails as seen, and move them. They are committed: where the server refuses, they stay as they are."""
        done = self._settings.imap_done
        try:
            folder.mark_seen(uids)
            if done is not None:
                folder.move(uids, done)
        except Refused as exc:
            remedy = "is it writable" if done is None else "may IMAP_DONE be written to"
            log.warning("imap.not_marked", uids=list(uids), reason=str(exc), remedy=remedy, **self._where)

    def _keep(self, place: Place) -> Place:
        self._state.put(self._key, place.written())
        return place


@contextmanager
def listening(settings: MailInSettings, door: Door, state: State, clock: Clock) -> Iterator[None]:
    """While entered, read the mailboxes of IMAP_URL. Raises ConfigurationError if IMAP_CA_FILE holds no
    certificates."""
    readers = [
        ImapReader(mailbox, settings, door, state, clock, number)
        for number, mailbox in enumerate(settings.mailboxes, start=1)
    ]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        for reader in readers:
            reader.ask_to_stop()
        _wait_for(readers)
        for reader in readers:
            reader.cut()
        _wait_for(readers)


def trust(ca_file: Path | None) -> ssl.SSLContext:
    """Return whom we trust: the system's certificates and those of IMAP_CA_FILE. Raises ConfigurationError."""
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(ca_file)
        except OSError as exc:  # ssl.SSLError is one
            raise ConfigurationError("IMAP_CA_FILE: not a file of certificates in PEM form that can be read") from exc
    return context


def _wait_for(readers: Sequence[ImapReader]) -> None:
    last = time.monotonic() + LEAVE_WITHIN
    for reader in readers:
        reader.wait_stopped(last - time.monotonic())


def _pauses(exc: Exception) -> tuple[float, float]:
    """The shortest and the longest pause after such a failure."""
    outside = isinstance(exc, NotLetIn | NotThere)
    return (FIRST_PAUSE_OUTSIDE, LONGEST_PAUSE_OUTSIDE) if outside else (SHORTEST_PAUSE, LONGEST_PAUSE)


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _day_before(day: str) -> str:
    """As SINCE has it: days there are those of the server's clock, which may be a day behind ours."""
    before = date.fromisoformat(day) - timedelta(days=1)
    return f"{before.day}-{MONTHS[before.month - 1]}-{before.year}"
