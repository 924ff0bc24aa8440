"""What the core asks of the world, and what the world may ask of the core. Adapters see this, `model`, `errors` and the
base class in `settings`, and nothing else of ours."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol, runtime_checkable

from bot.model import (
    Accepted,
    Address,
    Caller,
    Classification,
    DeadLetter,
    EventPage,
    Fetched,
    FileView,
    InboundMessage,
    Incident,
    IncidentDetails,
    IncidentFilter,
    IncidentPage,
    Kept,
    Notice,
    Page,
    Received,
    Role,
    Sent,
    Workload,
)

Clock = Callable[[], datetime]
"""Tells the time: aware, UTC."""

Classifier = Callable[[str], Classification]
"""Classifies a masked text. Raises ClassificationFailed, and nothing else, when it has no usable answer."""


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call of a model outside has used: tokens, and what they cost, in dollars."""

    model: str
    tokens_in: int
    tokens_out: int
    cost: float


Meter = Callable[[Usage], None]
"""Is told what a call has used, whether its answer was usable or not."""


def unmetered(usage: Usage) -> None:
    """The meter of a core that does not count."""


class Sender(Protocol):
    """A way out. `send` is called by many threads at once.

    `name` is the channel that it serves. `simulated` is true where no provider is configured: the text is shown or
    written to a file, not sent. `deadline` is how many seconds `send` may take in all; the core gives up waiting then
    and counts the outcome as unknown.
    """

    name: str
    simulated: bool
    deadline: float

    def send(self, to: Address, notice: Notice) -> Sent:
        """Send once. Raises TryLater, Undeliverable or Uncertain."""

    def find(self, to: Address, notice: Notice) -> Sent | None:
        """Look whether it arrived, after an unknown outcome. None: it certainly did not. Raises CannotTell."""

    def close(self) -> None:
        """Let go of connections. Nothing is sent afterwards."""


@runtime_checkable
class Threaded(Protocol):
    """What a sender has besides, whose texts say which others came before them in their thread: they are handed the ids
    of these (`Notice.references`)."""

    threads: Literal[True]


@runtime_checkable
class Paced(Protocol):
    """What a sender has besides, whose platform takes only so many texts a second."""

    def paces(self, to: Address) -> Mapping[str, float]:
        """Return how many seconds must lie between two sends, for each name that this one counts for: a bot, a chat. A
        name begins with the channel's. Asks nobody."""


class Routes(Protocol):
    """What a channel may ask of the web application: a path of its own."""

    def add_route(self, path: str, endpoint: Callable[..., Any], methods: list[str]) -> None: ...


class Intake(Protocol):
    """The one way in."""

    def accept(self, message: InboundMessage, original: bytes = b"") -> Accepted:
        """Commit the message, and with it what it was made of, if that is to be kept; the platform may be told
        "received" once this returns. Raises if it is not committed."""

    def submit(self, message: InboundMessage, original: bytes = b"") -> "Submission":
        """The same without waiting: the future completes when the message is committed."""


class Submission(Protocol):
    """A message on its way to being committed. `incident_id` is the id that it gets if it is no duplicate and opens an
    incident."""

    @property
    def incident_id(self) -> str: ...

    @property
    def committed(self) -> "Future[Accepted]": ...


class Answers(Protocol):
    """Waiting for what becomes of a message."""

    def expect(self, incident_id: str) -> "Future[Mapping[str, Any]]":
        """Return a future of the outcome of the message that has this incident id. Cancel it to stop waiting."""


class Views(Protocol):
    """What people may ask."""

    def incidents(self, limit: int, status: str | None) -> list[Incident]: ...

    def workload(self, agent: str, limit: int) -> Workload:
        """Say what is open, for the agent of this name: at most `limit` incidents of theirs, and of the others."""

    def own(self, customer: Address, limit: int) -> list[Incident]:
        """List the incidents of the customer whom a channel knows by this name, the youngest first."""

    def incident(self, name: str) -> IncidentDetails | Received:
        """Find an incident by its id or ticket id. Raises NotFound."""

    def conversation(self, channel: str, thread: str) -> Incident | Received | None:
        """Return what a thread of a channel is about: the incident, or the message that waits to be handled in it."""

    def stats(self) -> dict[str, Any]: ...

    def files(self, name: str) -> list[FileView]:
        """List the files of an incident. Raises NotFound."""

    def file(self, name: str, file_id: int) -> tuple[FileView, bytes]:
        """Return one of them with its content. Raises NotFound, also for one that is not kept: the text says why."""

    def message(self, name: str, message_id: str) -> str:
        """Return the external id of a message of this incident's conversation. Raises NotFound."""

    def find(self, what: IncidentFilter, after: str | None, limit: int) -> IncidentPage:
        """List incidents, the youngest first. `after` is the `next` of the page before. Raises BadCursor."""

    def every(self, what: IncidentFilter) -> Iterator[Incident]:
        """Read incidents, however many, a batch at a time."""

    def history(self, name: str, after: str | None, limit: int) -> EventPage:
        """List the audit trail of an incident, the oldest line first. Raises NotFound, BadCursor."""

    def version(self, name: str) -> str:
        """Return what changes whenever the incident does. Raises NotFound."""

    def reviews(self) -> dict[str, Any]:
        """Say how right the classifiers were, by what agents have decided."""

    def dead(self, limit: int) -> Sequence["Dead"]:
        """List what was given up and waits for a person, at most so many of each kind."""

    def dead_one(self, name: str) -> Mapping[str, Any]:
        """Show everything about one of them. Raises NotFound."""

    def ready(self) -> None:
        """Return if the database answers; else raise what it raises."""


class Dead(Protocol):
    """A piece of work that was given up. `name` is what a person types to get at it."""

    @property
    def name(self) -> str: ...
    @property
    def lane(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def attempts(self) -> int: ...
    @property
    def error(self) -> str | None: ...
    @property
    def incident_id(self) -> str | None: ...


class Held(Protocol):
    """A message that waits until a person lets it join its incident."""

    @property
    def name(self) -> str: ...
    @property
    def incident_id(self) -> str: ...
    @property
    def message(self) -> InboundMessage: ...
    @property
    def received_at(self) -> datetime: ...


class Commands(Protocol):
    """What people may do. `caller` is who does it. All raise Forbidden for a caller who may not, NotFound for a name
    that is not exactly one incident's id or ticket number, and Conflict when the incident's state does not allow it.
    `versions`: what the command is meant for (see `Views.version`; none: whatever it is); raises Changed."""

    def run(self, line: str, caller: Caller, at: datetime | None = None) -> str:
        """Run a command as a person types it, and return the answer; `at` is when they typed it."""

    def resolve(
        self, name: str, caller: Caller, note: str = "", at: datetime | None = None, versions: Collection[str] = ()
    ) -> Incident: ...

    def reopen(self, name: str, caller: Caller, versions: Collection[str] = ()) -> Incident: ...

    def assign(self, name: str, caller: Caller, who: str = "me", versions: Collection[str] = ()) -> Incident: ...

    def reply(self, name: str, caller: Caller, text: str, key: str = "", versions: Collection[str] = ()) -> Incident:
        """Write to the customer; with a `key`, a repetition sends nothing."""

    def note(
        self, name: str, caller: Caller, text: str, seen_on: str = "", key: str = "", versions: Collection[str] = ()
    ) -> Incident:
        """Write a note; `seen_on` is the channel on whose board it was written, if it was. With a `key`, a repetition
        writes nothing."""

    def category(self, name: str, caller: Caller, category: str, versions: Collection[str] = ()) -> Incident:
        """Say what it is about, or confirm it."""

    def quarantined(self, caller: Caller) -> "Sequence[tuple[Held, Incident]]":
        """List the messages that wait until somebody lets them join their incidents, the oldest first."""

    def admit(self, name: str, caller: Caller) -> Incident:
        """Let one of them join."""

    def reject(self, name: str, caller: Caller) -> Incident:
        """Keep one of them out for good."""

    def retry(self, name: str) -> None:
        """Put what was given up back into its lane. Raises NotFound."""


class Pages(Protocol):
    """What somebody sees who follows a link of a mail."""

    def ask(self, token: str) -> Page:
        """Return the page that asks whether it is meant. Raises Forbidden if the link is not ours, or too old."""

    def message(self, token: str) -> InboundMessage:
        """Return what to accept when it is. Raises Forbidden."""


class State(Protocol):
    """Small values that an adapter keeps across restarts. A key begins with the adapter's name."""

    def get(self, key: str) -> str | None: ...

    def put(self, key: str, value: str) -> None: ...

    def drop(self, key: str) -> bool:
        """Forget what was put under this key, and return whether anything was: of two who drop it, one is told so."""

    def all(self, beginning: str) -> dict[str, str]:
        """Return everything whose key begins like this."""

    def keep(self, key: str, value: str) -> str:
        """Put a value unless there is one, and return the one that holds."""

    def get_secret(self, key: str) -> str | None:
        """Return what `put_secret` kept. Raises ConfigurationError if DATA_KEY does not open it."""

    def put_secret(self, key: str, value: str) -> None:
        """Keep a value encrypted. Raises ConfigurationError if DATA_KEY is not set."""


class Originals(Protocol):
    """What messages were made of, as it came: kept for some time. That of which no message could be made is dead, and
    waits for a person."""

    def get(self, channel: str, external_id: str) -> bytes:
        """Return what a message was made of. Raises NotFound if that is not kept, or not any more."""

    def lay_aside(self, channel: str, external_id: str, content: bytes, why: str) -> bool:
        """Commit something of which no message can be made; `why` is for people. False if it was here already."""

    def laid_aside(self, channel: str) -> list[DeadLetter]:
        """List what waits for a person, the oldest first."""

    def dead(self, channel: str, number: int) -> tuple[DeadLetter, bytes]:
        """Return one of these, with what came. Raises NotFound."""

    def revived(self, number: int) -> bool:
        """Say that a message was made of it after all; False if somebody was quicker."""


class Operators(Protocol):
    """The people who run Firstline."""

    def tell(self, key: str, subject: str, text: str) -> None:
        """Owe them a text, on the boards and at AGENTS_EMAIL, and return once that is committed. With the same `key`
        once only."""


class Reach(Protocol):
    """Where customers can be reached, as far as a platform tells a channel beside its messages."""

    def lost(self, address: Address, why: str) -> None:
        """Say that nothing arrives at this address any more. `why` is a few words for the audit trail."""

    def regained(self, address: Address) -> None:
        """Say that texts arrive at this address again."""


class Deliveries(Protocol):
    """What becomes of texts after their platform has taken them."""

    def told(self, incident_id: str, channel: str, about: str, state: str) -> bool:
        """Note how far a text of an incident has come: `queued`, `sending`, `sent`, `delivered`, `read`, `undelivered`
        or `failed`; repeated and in any order. `about` is how the SHA-256 of its notice's key begins, in hex. False:
        there is no such text, or nothing has changed. That a text failed is to be accepted as a bounce as well."""


Words = Callable[[str, str], str]
"""Returns a sentence of the catalogues, by its name (such as `chat.start`) and the code of a language. Raises KeyError
if there is none."""


def unspoken(name: str, language: str) -> str:
    """The words of a core that has no catalogues."""
    return name


@dataclass(frozen=True, slots=True)
class Core:
    """What a channel may ask of the core."""

    intake: Intake
    commands: Commands
    views: Views
    state: State
    clock: Clock
    reach: Reach
    originals: Originals
    operators: Operators
    deliveries: Deliveries
    words: Words = unspoken


class Channel(Sender, Protocol):
    """A way in and out. `board` is where agents are told of what they must know, if the channel has such a place."""

    board: Address | None

    def listening(self, core: Core, web: Routes) -> AbstractContextManager[None]:
        """While entered, call `core.intake.accept` once per message; acknowledge to the platform only after it
        returns."""


@runtime_checkable
class FileSource(Protocol):
    """A channel whose messages bring files. `fetch` is called by many threads at once.

    `name` is the channel; `file_deadline` is how many seconds `fetch` may take in all: the core gives up waiting then.
    """

    name: str
    file_deadline: float

    def fetch(self, ref: str, most: int) -> Fetched:
        """Get a file by the `ref` of its Attachment, and no more than `most` bytes of it. Raises TooLarge if there are
        more, Undeliverable if it is not to be had, TryLater if it may be; their texts are for agents."""


@runtime_checkable
class AtHand(FileSource, Protocol):
    """A source whose files are here already: `fetch` asks nobody, and they are kept together with their message."""

    at_hand: Literal[True]


class Signer(Protocol):
    """Makes the tokens by which callers of the API are known."""

    def sign(self, caller: Caller, jti: str, issued_at: datetime, expires_at: datetime) -> str:
        """Return a token that says who has it, until it expires; `jti` names it. Raises FirstlineError for a name or a
        role that no token can have."""


class Issued(Protocol):
    """What is known of a token that was given out. `jti` names it; `name` is whom it was given to."""

    @property
    def jti(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def role(self) -> Role: ...
    @property
    def issued_at(self) -> datetime: ...
    @property
    def expires_at(self) -> datetime: ...
    @property
    def revoked_at(self) -> datetime | None: ...


class Tokens(Protocol):
    """The tokens that were given out."""

    def issue(
        self, signer: Signer, role: Role, lifetime: timedelta, name: str = "", jti: str = ""
    ) -> tuple[str, Issued]:
        """Return a new token and what is kept of it. With a `jti`, a repetition returns the first again. Raises
        FirstlineError for what cannot be, KeyReused if the first was another."""

    def revoke(self, jti: str) -> Issued:
        """Take a token back. Raises NotFound, or Conflict if that was done before."""

    def listed(self) -> Sequence[Issued]:
        """List all, the youngest first."""

    def revoked(self) -> set[str]:
        """Return the ids of all that were taken back. Asks the database, and raises what it raises."""


class Repetitions(Protocol):
    """Knows requests again by the keys that their callers give them."""

    def begin(self, key: str, fingerprint: str) -> Kept | None:
        """Return the answer that was given under this key; None: it is new, and its answer is to be kept. Raises
        KeyReused, StillRunning."""

    def end(self, key: str, answer: Kept | None) -> None:
        """Keep the answer of what was begun; None: forget that it was."""


class TicketDesk(Protocol):
    """The external ticket system."""

    def open(self, incident_id: str, category: str, message: str) -> str:
        """Open a ticket, or find the one that was opened for this incident, and return the desk's id of it.
        Raises TryLater when it cannot be reached or does not answer as expected, Undeliverable when it refuses."""

    def update(self, external_id: str, status: str, note: str, key: str) -> None:
        """Set the status of the ticket that has this id at the desk: `closed`, or `open` again; `note` says why. `key`
        is the same for every repetition of one change. Raises TryLater and Undeliverable, as `open` does."""


class Dispatcher(Protocol):
    """Gets lanes worked on."""

    def wake(self, lane: str) -> None:
        """See to it that somebody looks at this lane soon. May be lost: the lookout finds due lanes as well."""
