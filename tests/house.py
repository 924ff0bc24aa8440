"""Firstline without threads and network: messages go in, time passes, and what became of it all can be looked at."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bot.app import Firstline, World
from bot.model import Address, Caller, Category, Classification, InboundMessage, MessageKind, Proof, Role
from bot.ports import Classifier, FileSource, TicketDesk
from bot.settings import Settings
from storage import database, inbox, incidents, lanes
from storage.tables import Event, Incident, Notification
from tests.fakes import RecordingSender, TestClock

ANA = Address("email", "ana@example.com")
AGENTS = Address("email", "agents@shop.example")
CLERK = Caller("clerk", Role.AGENT)
CUSTOMER = Caller("C-1042", Role.CUSTOMER)


def by_words(text: str) -> Classification:
    """A classifier that can be foreseen: it goes by one word, and is sure."""
    for word, category in (
        ("stolen", Category.FRAUD_REPORT),
        ("locked", Category.ACCOUNT_LOCKED),
        ("twice", Category.DUPLICATE_PAYMENT),
        ("again", Category.DUPLICATE_PAYMENT),
        ("failed", Category.FAILED_PAYMENT),
        ("refund", Category.REFUND_REQUEST),
    ):
        if word in text:
            return Classification(category, 0.95, f"it says {word}", "words")
    return Classification(Category.OTHER, 0.9, "it says nothing known", "words")


class House:
    """One process that works when it is told to. `mail` is its sender of mails, `chat` that of a chat, which may have a
    `board`. `better` are classifiers that are asked before `classifier`."""

    def __init__(
        self,
        clock: TestClock,
        desk: TicketDesk | None = None,
        classifier: Any = by_words,
        mail: RecordingSender | None = None,
        chat: Any = None,
        board: Address | None = None,
        files: Sequence[FileSource] = (),
        better: Sequence[Classifier] = (),
        **settings: Any,
    ) -> None:
        self.clock = clock
        self.mail = mail or RecordingSender("email")
        self.chat: Any = chat or RecordingSender("chat")
        if board is not None:
            self.chat.board = board
        self.desk = desk
        self.classifier = classifier
        self.better = better
        self.sources = files
        self.settings = Settings(_env_file=None, agents_email=AGENTS.key, link_key="k" * 32, **settings)  # type: ignore[call-arg]
        self.start()

    def start(self) -> None:
        """Begin anew, as after a crash: nothing is kept but the database, and what was sent."""
        channels: Any = [self.chat] if getattr(self.chat, "board", None) else []
        world = World(
            [self.mail, self.chat], [*self.better, self.classifier], self.desk, self.clock, channels, self.sources
        )
        self.firstline = Firstline(self.settings, world, works=False)
        self._number = 0

    @property
    def commands(self) -> Any:
        return self.firstline.commands

    def stop(self) -> None:
        self.firstline.intake.close()

    def die(self) -> None:
        """Lose this process, with all that it had in hand, and begin anew."""
        self.stop()
        self.start()

    def accept(self, text: str, key: str = "", **changes: Any) -> str:
        """Take a message in, as an adapter does; return its id. It comes on `web`, unless told otherwise."""
        values: dict[str, Any] = {
            "channel": "web",
            "external_id": key,
            "lane": "",
            "customer_id": "C-1042",
            "text": text,
            "answer_on": "email",
            "addresses": (ANA,),
            "reporter": "shop",
            **changes,
        }
        return self.firstline.intake.accept(InboundMessage(**values)).incident_id

    def write(self, text: str, key: str = "", **changes: Any) -> dict[str, Any]:
        """Take a message all the way, and return what its sender is told."""
        message_id = self.accept(text, key, **changes)
        self.work()
        return self.outcome(message_id)

    def answer(self, incident_id: str, text: str, key: str = "", **changes: Any) -> dict[str, Any]:
        """Write into an incident's conversation as its customer, over the API."""
        return self.write(text, key, thread=incident_id, lane=f"web/{incident_id}", addresses=(), **changes)

    def chats(self, text: str, key: str, **changes: Any) -> dict[str, Any]:
        """Write in a private chat."""
        values: dict[str, Any] = {
            "channel": "chat",
            "private": True,
            "lane": "chat/7",
            "reporter": "",
            "customer_id": "u-7",
            "answer_on": "chat",
            "addresses": (Address("chat", "7"),),
        }
        return self.write(text, key, **{**values, **changes})

    def mailed(self, text: str, key: str, **changes: Any) -> dict[str, Any]:
        """Write a mail, whose sender nothing proves."""
        values: dict[str, Any] = {
            "channel": "email",
            "lane": f"email/{ANA.key}",
            "reporter": "",
            "customer_id": ANA.key,
            "proof": Proof.NONE,
        }
        return self.write(text, key, **{**values, **changes})

    def edit(self, key: str, text: str, delivery: str, **changes: Any) -> dict[str, Any]:
        return self.write(text, delivery, about=key, kind=MessageKind.EDIT, **changes)

    def delete(self, key: str, delivery: str, **changes: Any) -> dict[str, Any]:
        return self.write("", delivery, about=key, kind=MessageKind.DELETE, **changes)

    def press(self, incident_id: str, name: str, delivery: str = "", **changes: Any) -> dict[str, Any]:
        return self.answer(incident_id, name, delivery, kind=MessageKind.ACTION, **changes)

    def work(self) -> None:
        """Do everything that is due by now: first what came in, then the desk's, then what is owed."""
        while due := self.due():
            for lane in due:
                self.firstline.lanes.run(lane)

    def settle(self) -> None:
        """Do everything that is due, and what waits for some seconds because a platform takes only so many texts."""
        self.work()
        for _ in range(20):
            with database.session():
                soon = lanes.due(self.clock.now + timedelta(seconds=4), 100, "out/")
            if not soon:
                return
            self.clock.forward(seconds=1)
            self.work()

    def due(self) -> list[str]:
        """Name the lanes that have work due, and that nobody is at."""
        with database.session():
            return [lane for queue in ("in/", "job/", "out/") for lane in lanes.due(self.clock.now, 100, queue)]

    def later(self, **length: float) -> None:
        """Let time pass, and do what is due then."""
        self.clock.forward(**length)
        self.firstline.follow_ups.work()
        self.work()

    def outcome(self, message_id: str) -> dict[str, Any]:
        with database.session():
            return dict(inbox.outcomes([message_id])[message_id])

    def incident(self, incident_id: str) -> dict[str, Any]:
        with database.session():
            row = incidents.get(incident_id)
        assert row is not None
        return row

    def incidents(self) -> list[dict[str, Any]]:
        return self.all(Incident)

    def all(self, table: Any) -> list[dict[str, Any]]:
        key = table._meta.primary_key
        with database.session():
            return database.rows(table.select().order_by(key))

    def events(self, incident_id: str | None) -> list[str]:
        return [event["name"] for event in self.all(Event) if event["incident"] == incident_id]

    def mails(self, kind: str, to: Address = ANA) -> list[Any]:
        """The notices of this kind that went to an address."""
        return [notice for address, notice in self.mail.sent if notice.kind == kind and address == to]

    def owed(self, kind: str) -> list[dict[str, Any]]:
        return [row for row in self.all(Notification) if row["kind"] == kind]

    def said(self, incident_id: str, direction: str = "customer") -> list[str]:
        """The texts of a timeline, in order, as people see them."""
        details: Any = self.firstline.views.incident(incident_id)
        return [entry.text for entry in details.timeline if entry.what == direction]
