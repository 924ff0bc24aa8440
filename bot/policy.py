"""What the house has decided: how long things take, and who is told."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from bot.model import Address
from bot.quiet_hours import QuietHours
from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Limits:
    """What is taken of files: of this size (bytes) each, this many of one message, and this size together."""

    largest: int = 10_000_000
    number: int = 10
    together: int = 25_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """`agents` is where agents are told of what cannot wait; `boards` are those of them that show every incident as it
    stands; `quiet` is when no reminder is sent."""

    follow_up_after: timedelta = timedelta(hours=24)
    escalate_after: timedelta = timedelta(hours=48)
    conversation_idle: timedelta = timedelta(hours=4)
    burst: timedelta = timedelta(seconds=60)
    reopen_within: timedelta = timedelta(days=14)
    agents: tuple[Address, ...] = ()
    boards: tuple[Address, ...] = ()
    quiet: QuietHours | None = None
    files: Limits = Limits()

    @property
    def agents_without_board(self) -> tuple[Address, ...]:
        """Who is not shown an incident when it is opened, and so must be told."""
        return tuple(to for to in self.agents if to not in self.boards)

    @classmethod
    def of(cls, settings: Settings, boards: Iterable[Address] = ()) -> "Policy":
        """Read the settings. `boards` are the places on our channels where agents are told as well."""
        boards = tuple(boards)
        mail = () if settings.agents_email is None else (Address("email", settings.agents_email),)
        return cls(
            follow_up_after=settings.follow_up_after,
            escalate_after=settings.escalate_after,
            conversation_idle=settings.conversation_idle,
            burst=settings.burst,
            reopen_within=settings.reopen_within,
            agents=(*mail, *boards),
            boards=boards,
            quiet=settings.quiet,
            files=Limits(settings.max_file, settings.max_files, settings.max_files_size),
        )
