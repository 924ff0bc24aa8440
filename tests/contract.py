"""What a channel shows of itself to take part in tests/test_contract.py: a rig, which is the channel, its other side,
and two customers who use it.

A new channel writes one class like this in a module of its own, and names it in `RIGS` of tests/test_contract.py. The
rig's own words (events, updates, tokens) stay in there: to the questions a delivery is something that can be delivered,
and delivered again.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

from bot.model import Address
from bot.ports import Channel, Core
from tests.door import Door

SECONDS = 0.3
"""How long a call of the channel to its other side may take, and sending a text in all (`Ground.hasty`)."""


@dataclass(frozen=True)
class Ground:
    """What a rig stands on: a web server (`door.app` takes the channel's routes, `door.url` is where that is), and
    whether the channel's calls may take no longer than SECONDS."""

    door: Door
    hasty: bool = False


@dataclass(frozen=True)
class Written:
    """What somebody did, as the platform tells of it. `content` is the rig's own; `address` is where the answer to it
    belongs, as the core names that."""

    content: Any
    address: Address


@dataclass(frozen=True)
class Posted:
    """A text of ours, as the platform took it. `name` is the platform's id of it, as `Sent.provider_id` has it. `text`
    is what a person reads; `marks` is all in it that tells the platform to show more than text: mentions, links, tags.
    (That some make a link of every bare address is nothing that a text can help.)"""

    name: str
    address: Address
    text: str
    marks: Sequence[str]


class Rig(Protocol):
    """A context manager; made of a Ground. While entered, the other side is there.

    `channel` is what is tested, `secrets` are those of its settings. `where` is an address at which the other side
    takes texts at any time. The other side refuses, as the platform does, what is too long or not well formed.

    `tells_of` is what the platform tells of beside new messages: "edits", "deletions", "buttons". It `keeps_machines`
    if what machines write stands on an incident, and is not answered; elsewhere it is not taken. It
    `asks_for_patience` if it says for how long when it is busy. A text of which nobody can say whether it arrived is
    sent again up to `repeats` times: once, but where the other side can spot a repetition.
    """

    tells_of: frozenset[str]
    keeps_machines: bool
    asks_for_patience: bool
    repeats: int
    channel: Channel
    secrets: Sequence[str]
    where: Address

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...

    def listening(self, core: Core) -> AbstractContextManager[None]:
        """While entered, the channel listens, and what is delivered reaches it."""

    # --- what people do; nothing is delivered yet

    def write(self, text: str, at: datetime, who: str = "ana", under: Written | None = None) -> Written:
        """Have a person, `ana` or `bea`, write to us at a time (whole seconds); `under` a message of before: as an
        answer in the same conversation. Without it each writes in a conversation of their own."""

    def edit(self, written: Written, text: str, at: datetime) -> Written:
        """Only where the platform `tells_of` edits."""

    def delete(self, written: Written, at: datetime) -> Written:
        """Only where the platform `tells_of` deletions."""

    def press(self, name: str, posted: Posted, incident_id: str, at: datetime) -> Written:
        """Have ana press the button `name` of a text of ours. Only where the platform `tells_of` buttons."""

    def write_as_bot(self, text: str, at: datetime, ours: bool) -> Written:
        """Have our own bot write, or another one, where customers do."""

    # --- how the platform tells of it, and what it takes

    def deliver(self, written: Written, patience: float = 15) -> bool:
        """Tell the channel, and return whether it acknowledged within so many seconds. May be repeated."""

    def posted(self) -> list[Posted]:
        """All texts of ours to customers, in order."""

    # --- how the other side takes the next text

    def be_busy(self, seconds: int) -> None:
        """Refuse it, and ask for so many seconds of patience, where the platform `asks_for_patience`."""

    def refuse(self) -> None:
        """Refuse it for good."""

    def hang_up(self, arrives: bool) -> None:
        """Break the connection once the request is there; act on it before, or not."""

    def fall_silent(self, arrives: bool) -> None:
        """Do not answer for as long as the test lasts; act on it before, or not."""
