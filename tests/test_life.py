"""Lives of incidents that nobody has thought of: hypothesis makes them up, out of all that can come in, fail, die and
be late; and what is promised must hold after every step.

`Books` is what the database says, `PROMISES` are the promises that are kept at every moment, and `IN_THE_END` those
that are kept once everything has come to rest.
"""

import itertools
import random
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import hypothesis
import pytest
import structlog
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from bot.errors import Conflict
from bot.model import TO_AGENTS, Address, Category, InboundMessage, MessageKind, NoticeKind, Received, urgency
from bot.views import DELETED
from bot.wording import said
from storage import database
from storage.migrate import migrate
from storage.tables import ALL, Event, FollowUp, InboxMessage, Incident, Job, Lane, Message, Notification, Revision
from tests import postgres
from tests.fakes import CLERK, NOON, Died, Fuse, FusedClock, Mood, MoodyDesk, MoodySender, TestClock
from tests.house import AGENTS, ANA, House, by_words

COMPLAINTS = (
    "My card was charged twice",
    "My card was stolen",
    "My account is locked",
    "The payment failed",
    "I want a refund",
    "Something is wrong",
)
ANSWERS = ("thanks", "¡Gracias!", "5", "2", "yes, solved", "no, not solved", "still nothing")
BOARD = Address("chat", "board")
CUSTOMERS = ("C-1", "u-7", "u-8", "u-9", ANA.key)
BUTTONS = ("solved", "not_solved", "rate-1", "rate-5")
LENGTHS = (
    timedelta(seconds=-20),
    timedelta(0),
    timedelta(seconds=1),
    timedelta(seconds=11),
    timedelta(seconds=61),
    timedelta(minutes=5),
    timedelta(hours=4, minutes=1),
    timedelta(hours=24),
    timedelta(hours=48),
    timedelta(days=14, minutes=1),
)
DESK_NUMBERS: dict[str, Callable[[int], str]] = {"plain": "D-{}".format, "odd": "#{}/b".format}

TEXT = st.sampled_from(COMPLAINTS + COMPLAINTS + ANSWERS)
REPLY = st.sampled_from(("yes, solved",) * 4 + ANSWERS + COMPLAINTS)
PICK = st.sampled_from((0, 0, 0, 1, 1, 2, 3, 5, 8))
"""The n-th from the last: what has just happened is where more happens."""
BOOL = st.booleans()
LATE = st.sampled_from((False, False, False, True))
LIVELY = st.sampled_from((True, True, False))
PACE = st.one_of(st.just(0), st.just(0), st.none(), st.integers(1, 16))
"""What follows a step: all work that is due (0), none (None), or work that dies at the n-th point."""

reached: Counter[str] = Counter()
"""How often each kind of step was taken, in all examples of this process."""

T = TypeVar("T")
Row = dict[str, Any]
Name = tuple[str, str]
Fresh = Callable[[], AbstractContextManager[object]]


def reach(what: str) -> None:
    reached[what] += 1
    event(what)


def mark(number: int) -> str:
    """A word that is in no other text, and that no mask hides."""
    return "zq" + "".join("bcdfghjk"[number >> shift & 7] for shift in (9, 6, 3, 0))


def nth_last(some: Sequence[T], number: int) -> T:
    """The n-th from the last; beyond the first, from the last again."""
    return some[-1 - number % len(some)]


def name_of(message: InboundMessage) -> Name:
    """What a message is known by on its timeline, whatever was delivered of it."""
    return message.channel, message.is_about


# --- what the database says


class Books:
    """All that is written, read at one moment."""

    def __init__(self, house: House) -> None:
        tables = (Incident, Message, Revision, Notification, FollowUp, Job, InboxMessage, Event, Lane)
        with database.session():
            self.rows: dict[Any, list[Row]] = {table: house.all(table) for table in tables}

    def __getitem__(self, table: Any) -> list[Row]:
        return self.rows[table]

    @cached_property
    def incidents(self) -> dict[str, Row]:
        return {row["id"]: row for row in self[Incident]}

    @cached_property
    def messages(self) -> dict[Name, Row]:
        return {(row["channel"], row["external_id"]): row for row in self[Message]}

    @cached_property
    def done(self) -> dict[Name, Row]:
        """The deliveries that are handled."""
        return {(row["channel"], row["external_id"]): row for row in self[InboxMessage] if row["state"] == "done"}

    @cached_property
    def owed(self) -> dict[str, Row]:
        return {row["dedupe"]: row for row in self[Notification]}

    def of(self, table: Any, incident_id: str) -> list[Row]:
        return [row for row in self[table] if row["incident"] == incident_id]


class Life(RuleBasedStateMachine):
    """A house, its customers, agents and platforms, and the accidents that happen to them."""

    def __init__(self, fresh: Fresh) -> None:
        super().__init__()
        self.exits = ExitStack()
        self.exits.enter_context(fresh())
        self.fuse = Fuse()
        structlog.configure(processors=[self.fuse])
        self.clock = FusedClock(self.fuse)
        self.numbers = itertools.count(1)
        self.platform = self.clock.now
        self.originals: list[InboundMessage] = []
        self.held: list[InboundMessage] = []
        self.delivered: dict[Name, InboundMessage] = {}
        self.receipts: dict[Name, str] = {}
        self.replies: list[tuple[str, str, str]] = []
        self.order: list[str] = []
        self.fixed: dict[str, tuple[Any, ...]] = {}
        self.place: dict[Name, str] = {}
        self.gone: set[Name] = set()
        self.last_notification = 0
        self.wrong: list[str] = []

    @initialize(desk=st.sampled_from((None, "plain", "odd")), board=st.sampled_from((None, BOARD)), text=TEXT)
    def begin(self, desk: str | None, board: Address | None, text: str) -> None:
        self.mail = MoodySender("email", True, self.fuse, self.watch)
        self.chat = MoodySender("chat", False, self.fuse, self.watch)
        self.desk = None if desk is None else MoodyDesk(DESK_NUMBERS[desk], self.fuse)
        self.house = House(self.clock, self.desk, self.classify, self.mail, self.chat, board)
        self.writes_on_the_web(text, late=False, pace=0)

    def classify(self, text: str) -> Any:
        self.fuse.point("before the classifier answers")
        return by_words(text)

    def watch(self, notice: Any) -> None:
        """Look over the shoulder of a sender: a reminder goes out only while the opening that it was made for lasts."""
        if notice.kind is NoticeKind.REMINDER:
            with database.session():
                owed = database.first(Notification.select().where(Notification.dedupe == notice.key))
                incident = database.first(Incident.select().where(Incident.id == notice.incident_id))
            assert owed is not None
            assert incident is not None
            if incident["status"] != "open" or owed["created_at"] < incident["last_opened_at"]:
                self.wrong.append(f"a reminder was sent after its opening had ended: {notice.key}")

    # --- accidents

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Until the process dies: then another begins, which knows nothing but the database."""
        try:
            with self.fuse:
                yield
        except Died as died:
            reach(f"died at: {died}")
            self._restart()

    def _restart(self) -> None:
        for row in self.house.all(Notification):
            if row["status"] == "sending":
                self.sender(row["channel"]).unclear.add(row["dedupe"])
        self.house.die()

    def sender(self, channel: str) -> MoodySender:
        return self.mail if channel == "email" else self.chat

    @rule(points=st.integers(0, 25))
    def dies(self, points: int) -> None:
        """At once, or at the n-th point from now on."""
        self.fuse.left = points
        if points == 0:
            self._restart()
            reach("died at: nothing")

    @rule(who=st.sampled_from(("mail", "chat", "desk")), moods=st.lists(st.sampled_from(Mood), min_size=1, max_size=3))
    def has_moods(self, who: str, moods: list[Mood]) -> None:
        moody: MoodySender | MoodyDesk | None = {"mail": self.mail, "chat": self.chat, "desk": self.desk}[who]
        if moody is not None:
            moody.moods = list(moods)
            reach(f"the {who} fails")

    @rule(length=st.sampled_from(LENGTHS), follows_up=LIVELY, pace=PACE)
    def time_passes(self, length: timedelta, follows_up: bool, pace: int | None) -> None:
        self.clock.now += length
        reach("time passes" if length >= timedelta(0) else "the clock is put back")
        if follows_up:
            self.follows_up()
        self.goes_on(pace)

    @rule(mood=st.sampled_from((Mood.WELL, Mood.WELL, Mood.SILENT, Mood.DONE_SILENTLY, Mood.BUSY)), pace=PACE)
    def a_day_passes(self, mood: Mood, pace: int | None) -> None:
        """And whoever takes the reminders may be in a mood."""
        self.clock.forward(hours=24)
        self.mail.moods, self.chat.moods = [mood] * 2, [mood] * 2
        self.follows_up()
        self.goes_on(pace)
        reach("a day passes")

    # --- work

    def goes_on(self, pace: int | None) -> None:
        if pace:
            self.fuse.left = pace
        if pace is not None:
            self.works()

    def works(self) -> None:
        with self.alive():
            self.house.work()

    @rule(picks=st.lists(PICK, max_size=4))
    def works_lane_by_lane(self, picks: list[int]) -> None:
        """On some lanes, in any order; or on all, until nothing is due."""
        if not picks:
            self.works()
        with self.alive():
            for pick in picks:
                if due := sorted(self.house.due(), key=self._stable):
                    self.house.firstline.lanes.run(due[pick % len(due)])
                    reach("a lane is worked on")

    def _stable(self, lane: str) -> str:
        """A lane's name with ids that are the same in every run."""
        with database.session():
            numbers = dict(database.execute("SELECT incident_id, id FROM inbox").fetchall())
        return re.sub(r"[0-9a-f-]{36}", lambda found: f"{numbers.get(found[0], 0):05}", lane)

    def follows_up(self) -> None:
        with self.alive():
            self.house.firstline.follow_ups.work()
        reach("follow-ups")

    # --- what comes in

    def bring(self, message: InboundMessage, held: bool, pace: int | None) -> None:
        """Have a platform deliver a message, or keep it for later."""
        if message.kind is MessageKind.NEW:
            self.originals.append(message)
        reach(f"{message.kind} on {message.channel}{' is held back' if held else ''}")
        if held:
            self.held.append(message)
            return
        self.deliver(message)
        self.goes_on(pace)

    def deliver(self, message: InboundMessage) -> None:
        """Deliver it; if nobody says "received", it is going to be delivered again. A repetition changes nothing."""
        name = (message.channel, message.external_id)
        known = self.receipts.get(name)
        before = self.everything() if known else {}
        acknowledged = False
        with self.alive():
            receipt = self.house.firstline.intake.accept(message)
            assert receipt.duplicate == (known is not None)
            assert known in (None, receipt.incident_id)
            self.receipts[name], self.delivered[name] = receipt.incident_id, message
            self.fuse.point("after a commit")
            acknowledged = True
        if not acknowledged:
            self.held.append(message)
        if known:
            reach("the same delivery again")
            assert self.everything() == before

    def everything(self) -> dict[str, list[Row]]:
        with database.session():
            return {table.__name__: self.house.all(table) for table in ALL if table is not Lane}

    def new(self, channel: str, text: str, **values: Any) -> InboundMessage:
        number = next(self.numbers)
        marked = f"{text}, ref {mark(number)}" if text in COMPLAINTS else text
        usual: Row = {
            "external_id": f"{channel}-{number}",
            "lane": "",
            "customer_id": "C-1",
            "answer_on": "email",
            "written_at": self.written(),
        }
        return InboundMessage(channel=channel, text=marked, **{**usual, **values})

    def written(self) -> datetime:
        """The platforms' clock, which never stands still."""
        self.platform = max(self.platform + timedelta(milliseconds=1), self.clock.now)
        return self.platform

    @rule(text=TEXT, late=LATE, pace=PACE)
    def writes_on_the_web(self, text: str, late: bool, pace: int | None) -> None:
        self.bring(self.new("web", text, addresses=(ANA,), reporter="shop"), late, pace)

    @rule(text=TEXT, who=st.sampled_from((7, 7, 8)), fresh=LATE, late=LATE, pace=PACE)
    def writes_in_a_private_chat(self, text: str, who: int, fresh: bool, late: bool, pace: int | None) -> None:
        home = Address("chat", f"u-{who}")
        message = self.new(
            "chat",
            text,
            lane=f"chat/{who}",
            customer_id=f"u-{who}",
            answer_on="chat",
            addresses=(home, ANA) if who == 8 else (home,),
            private=True,
            fresh=fresh,
        )
        self.bring(message, late, pace)

    @rule(text=TEXT, parent=PICK, root=BOOL, late=BOOL, pace=PACE)
    def writes_in_a_room(self, text: str, parent: int, root: bool, late: bool, pace: int | None) -> None:
        """What is referred to may be known, or not here yet; the references are complete."""
        others = [message for message in self.originals if message.lane == "chat/room"]
        refers_to: tuple[str, ...] = ()
        if others and not root:
            above = nth_last(others, parent)
            refers_to = (above.external_id, *above.refers_to)
            reach("refers to what is not here yet" if above in self.held else "refers to what is known")
        message = self.new(
            "chat",
            text,
            lane="chat/room",
            customer_id="u-9",
            answer_on="chat",
            addresses=(Address("chat", "room"),),
            refers_to=refers_to,
        )
        self.bring(message, late, pace)

    @rule(text=TEXT, pick=PICK, automatic=LATE, late=LATE, pace=PACE)
    def writes_a_mail(self, text: str, pick: int, automatic: bool, late: bool, pace: int | None) -> None:
        """Mostly an answer to one of ours."""
        answered = self.mail.sent[-1 - pick][1] if pick < len(self.mail.sent) else None
        message = self.new(
            "email",
            text,
            lane=f"email/{ANA.key}",
            customer_id=ANA.key,
            addresses=(ANA,),
            refers_to=(f"id-{answered.key}",) if answered else (),
            automatic=automatic,
        )
        if automatic:
            reach("machine mail")
        self.bring(message, late, pace)

    @rule(text=REPLY, pick=PICK, late=BOOL, pace=PACE)
    def answers_on_the_web(self, text: str, pick: int, late: bool, pace: int | None) -> None:
        known = [name for name, message in self.delivered.items() if name[0] == "web" and message.kind == "new"]
        if known:
            self._answer(text, self.receipts[nth_last(known, pick)], late, pace)

    @precondition(lambda self: self.order)
    @rule(text=TEXT, pick=PICK, late=LATE, pace=PACE)
    def answers_what_is_resolved(self, text: str, pick: int, late: bool, pace: int | None) -> None:
        name = nth_last(self.order, pick)
        self.act("resolve", lambda: self.house.commands.resolve(name, CLERK), 0)
        self._answer(text, name, late, pace)

    def resolved(self) -> list[str]:
        known = {row["id"] for row in self.house.incidents() if row["status"] == "resolved"}
        return [name for name in self.order if name in known]

    def _answer(self, text: str, to: str, late: bool, pace: int | None) -> None:
        """Write into the conversation of another message, where the API finds that."""
        found = self.house.firstline.views.incident(to)
        if isinstance(found, Received):
            reach("an answer to what is not handled yet")
            where = {"thread": found.incident_id, "lane": found.lane, "reporter": "shop"}
        else:
            incident = found.incident
            lane = f"web/{incident.conversation}"
            where = {"thread": incident.id, "lane": lane, "reporter": incident.reporter}
        self.bring(self.new("web", text, **where), late, pace)

    @rule(pick=PICK, text=TEXT, seen=LIVELY, late=LATE, pace=PACE)
    def edits(self, pick: int, text: str, seen: bool, late: bool, pace: int | None) -> None:
        if original := self._an_original(pick, seen):
            number = next(self.numbers)
            changed = f"{text}, ref {mark(number)}" if text in COMPLAINTS else text
            self.bring(self._about(original, MessageKind.EDIT, number, changed), late, pace)

    @rule(pick=PICK, seen=LIVELY, late=LATE, pace=PACE)
    def deletes(self, pick: int, seen: bool, late: bool, pace: int | None) -> None:
        if original := self._an_original(pick, seen):
            self.bring(self._about(original, MessageKind.DELETE, next(self.numbers), ""), late, pace)

    def _an_original(self, pick: int, seen: bool) -> InboundMessage | None:
        """A message that is here, or is not here yet."""
        some = [message for message in self.originals if (message not in self.held) == seen]
        if some and not seen:
            reach("a change of what is not here yet")
        return nth_last(some, pick) if some else None

    def _about(self, original: InboundMessage, kind: MessageKind, number: int, text: str) -> InboundMessage:
        return replace(
            original,
            kind=kind,
            about=original.external_id,
            external_id=f"{original.channel}-{number}",
            text=text,
            written_at=self.written(),
        )

    @rule(
        pick=PICK,
        button=st.sampled_from(BUTTONS),
        turn=st.sampled_from(("", "@now", "@now", "@1", "@2")),
        chats=BOOL,
        late=LATE,
        pace=PACE,
    )
    def presses(self, pick: int, button: str, turn: str, chats: bool, late: bool, pace: int | None) -> None:
        if not self.order:
            return
        incident = self.house.incident(nth_last(self.order, pick))
        if turn == "@now":
            turn = f"@{incident['resolutions' if button.startswith('rate') else 'openings']}"
        sent = [notice.key for _, notice in self.chat.sent if notice.incident_id == incident["id"]]
        if chats and sent:
            where: Row = {"channel": "chat", "lane": "chat/room", "refers_to": (f"id-{sent[-1]}",)}
        else:
            where = {"channel": "web", "lane": f"web/{incident['conversation']}", "thread": incident["id"]}
        self.bring(self.new(text=button + turn, kind=MessageKind.ACTION, **where), late, pace)

    @precondition(lambda self: self.held)
    @rule(picks=st.lists(PICK, min_size=1, max_size=4), pace=PACE)
    def what_was_held_back_comes(self, picks: list[int], pace: int | None) -> None:
        for pick in picks:
            if self.held:
                self.deliver(self.held.pop(pick % len(self.held)))
                reach("what was held back comes")
                self.goes_on(pace)

    @precondition(lambda self: self.delivered)
    @rule(pick=PICK)
    def comes_again(self, pick: int) -> None:
        self.deliver(nth_last(list(self.delivered.values()), pick))
        self.works()

    # --- agents

    def act(self, what: str, deed: Callable[[], object], pace: int | None) -> None:
        """Have an agent do it, or be told why not."""
        with self.alive():
            try:
                deed()
                reach(f"an agent: {what}")
            except Conflict:
                reach(f"an agent cannot: {what}")
        self.goes_on(pace)

    @precondition(lambda self: self.order)
    @rule(pick=PICK, how=st.sampled_from(("resolve", "resolve", "resolve late", "resolve and reopen")), pace=PACE)
    def an_agent_resolves(self, pick: int, how: str, pace: int | None) -> None:
        name, do = nth_last(self.order, pick), self.house.commands
        deeds: dict[str, Callable[[], object]] = {
            "resolve": lambda: do.resolve(name, CLERK, "done"),
            "resolve late": lambda: do.resolve(name, CLERK, at=self.clock.now - timedelta(hours=1)),
            "resolve and reopen": lambda: (do.resolve(name, CLERK), do.reopen(name, CLERK)),
        }
        self.act(how, deeds[how], pace)

    @rule(pick=PICK, pace=PACE)
    def an_agent_reopens(self, pick: int, pace: int | None) -> None:
        if some := self.resolved():
            self.act("reopen", lambda: self.house.commands.reopen(nth_last(some, pick), CLERK), pace)

    @precondition(lambda self: self.order)
    @rule(pick=PICK, category=st.sampled_from((None, None, *Category)), pace=PACE)
    def an_agent_looks_at_it(self, pick: int, category: Category | None, pace: int | None) -> None:
        name, do = nth_last(self.order, pick), self.house.commands
        if category is not None:
            self.act("category", lambda: do.category(name, CLERK, category), pace)
        else:
            self.act("assign and note", lambda: (do.assign(name, CLERK), do.note(name, CLERK, "hm")), pace)

    @precondition(lambda self: self.order)
    @rule(pick=PICK, keyed=BOOL, again=LATE, pace=PACE)
    def an_agent_replies(self, pick: int, keyed: bool, again: bool, pace: int | None) -> None:
        number = next(self.numbers)
        name, text, key = nth_last(self.order, pick), f"Look again, {mark(number)}", f"k-{number}" if keyed else ""
        with self.alive():
            self.house.commands.reply(name, CLERK, text, key)
            self.replies += [(name, text, key)] if keyed else []
            reach("an agent: reply")
        if again and self.replies:
            self._repeats_a_reply(pick)
        self.goes_on(pace)

    def _repeats_a_reply(self, pick: int) -> None:
        name, text, key = nth_last(self.replies, pick)
        before = self.everything()
        with self.alive():
            self.house.commands.reply(name, CLERK, text, key)
        assert self.everything() == before
        reach("an agent repeats a reply")

    # --- what is promised

    @invariant()
    def keeps_its_promises(self) -> None:
        books = Books(self.house)
        ranks = {row["incident_id"]: row["id"] for row in books[InboxMessage]}
        self.order += sorted(set(books.incidents) - set(self.order), key=ranks.__getitem__)
        assert self.wrong == []
        for promise in PROMISES:
            promise(self, books)
        self.gone = {name_of(message) for message in self._handled(books) if message.kind is MessageKind.DELETE}
        self.last_notification = max((row["id"] for row in books[Notification]), default=0)

    def _handled(self, books: Books) -> list[InboundMessage]:
        return [message for name, message in self.delivered.items() if name in books.done]

    def texts(self, name: Name) -> list[str]:
        """The texts that a message has had, delivered or not, by which it can be recognised."""
        known = [*self.originals, *self.held, *self.delivered.values()]
        return [message.text for message in known if name_of(message) == name and " ref " in message.text]

    def teardown(self) -> None:
        try:
            if hasattr(self, "house"):
                if sys.exc_info()[0] is None:
                    self._come_to_rest()
                    self.keeps_its_promises()
                    books = Books(self.house)
                    for promise in IN_THE_END:
                        promise(self, books)
                self.house.stop()
        finally:
            self.exits.close()

    def _come_to_rest(self) -> None:
        """Nothing fails any more, all that was held back comes, and time passes until nothing is to be done."""
        self.fuse.left = 0
        for moody in (self.mail, self.chat, self.desk):
            if moody is not None:
                moody.moods = []
        self._restart()  # with a circuit breaker that does not remember
        while self.held:
            self.deliver(self.held.pop(0))
        for _ in range(300):
            self.house.firstline.follow_ups.work()
            self.house.work()
            due = self._next_due()
            if due is None:
                return
            self.clock.now = max(self.clock.now + timedelta(seconds=1), due)
        raise AssertionError("it never comes to rest")

    def _next_due(self) -> datetime | None:
        rows = [row for table in (InboxMessage, Notification, Job, FollowUp) for row in self.house.all(table)]
        return min((row["due_at"] for row in rows if row["due_at"] is not None), default=None)


# --- at every moment


def at_most_one_incident_of_a_conversation_is_open(life: Life, books: Books) -> None:
    opened = Counter(row["conversation"] for row in books[Incident] if row["status"] == "open")
    assert set(opened.values()) <= {1}


def what_an_incident_is_known_by_never_changes(life: Life, books: Books) -> None:
    for row in books[Incident]:
        fixed = tuple(row[name] for name in ("ticket_id", "conversation", "customer_id", "identity", "created_at"))
        assert life.fixed.setdefault(row["id"], fixed) == fixed
    tickets = [row["ticket_id"] for row in books[Incident]]
    assert len(set(tickets)) == len(tickets)


def a_message_stays_on_its_timeline(life: Life, books: Books) -> None:
    for name, row in books.messages.items():
        assert life.place.setdefault(name, row["incident"]) == row["incident"]
    assert set(life.place) == set(books.messages)


def each_incident_is_followed_up_once_for_each_opening(life: Life, books: Books) -> None:
    for row in books[Incident]:
        status, reminded, replied = "", False, False
        for line in sorted(books.of(Event, row["id"]), key=lambda line: line["id"]):
            match line["name"]:
                case "opened" | "reopened":
                    status, reminded, replied = "open", False, False
                case "resolved":
                    status = "resolved"
                case "replied":
                    replied = True
                case "reminded":
                    assert (status, reminded, replied) == ("open", False, False)
                    reminded = True
        assert row["status"] == status
        assert (row["resolved_at"] is not None, row["resolved_by"] is not None) == (status == "resolved",) * 2
        waiting = [one["kind"] for one in books.of(FollowUp, row["id"]) if one["due_at"] is not None]
        assert waiting.count("reminder") == (status == "open" and not reminded and not replied)
        assert row["reminder_sent"] == reminded or status == "resolved"
        assert status == "open" or waiting == []


def a_category_becomes_less_urgent_only_by_an_agent(life: Life, books: Books) -> None:
    for row in books[Incident]:
        changes = [line for line in books.of(Event, row["id"]) if line["name"] == "category"]
        for line in changes:
            assert line["actor"] == CLERK.name or urgency(line["after"]) > urgency(line["before"])
        assert not changes or changes[-1]["after"] == row["classification"]


def nobody_is_written_to_but_the_customer_and_the_agents(life: Life, books: Books) -> None:
    for row in books[Notification]:
        known = [Address(**to) for to in books.incidents[row["incident"]]["addresses"]]
        agents = [AGENTS, BOARD] if NoticeKind(row["kind"]) in TO_AGENTS else []
        assert Address(row["channel"], row["recipient"]) in (agents or known)


def each_address_gets_one_acknowledgement(life: Life, books: Books) -> None:
    given = Counter(
        (row["incident"], row["channel"], row["recipient"])
        for row in books[Notification]
        if row["kind"] == "acknowledgement"
    )
    assert set(given.values()) <= {1}
    by_machine = {life.receipts[name] for name, message in life.delivered.items() if message.automatic}
    assert not by_machine & {incident_id for incident_id, _, _ in given}, "machine mail was answered"


def what_is_sent_is_owed_and_is_sent_once(life: Life, books: Books) -> None:
    for sender in (life.mail, life.chat):
        for key, times in Counter(notice.key for _, notice in sender.sent).items():
            assert key in books.owed
            assert times <= (2 if not sender.can_look and key in sender.unclear else 1)
        for to, notice in sender.sent:
            assert (to.channel, to.key) == (books.owed[notice.key]["channel"], books.owed[notice.key]["recipient"])
    for row in books[Notification]:
        assert row["status"] != "sent" or life.sender(row["channel"]).times(row["dedupe"])
        assert row["status"] != "cancelled" or row["kind"] == "reminder"


def what_waits_has_a_lane(life: Life, books: Books) -> None:
    lanes = {row["key"] for row in books[Lane]}
    for table in (InboxMessage, Notification, Job):
        assert {row["lane"] for row in books[table] if row["due_at"] is not None} <= lanes


def nothing_is_given_up_that_nobody_refused(life: Life, books: Books) -> None:
    assert {row["state"] for row in books[InboxMessage]} <= {"new", "done"}
    for row in books[Notification]:
        assert row["status"] != "failed" or row["dedupe"] in life.sender(row["channel"]).refused
        if row["status"] == "uncertain" and row["due_at"] is None:
            assert row["dedupe"] in life.chat.unclear
    assert all(row["state"] != "dead" for row in books[Job]) or (life.desk and life.desk.refused)


def a_message_that_was_handled_is_on_a_timeline(life: Life, books: Books) -> None:
    for message in life._handled(books):
        if message.kind in (MessageKind.NEW, MessageKind.EDIT):
            assert name_of(message) in books.messages
    known = {name_of(message) for message in life.delivered.values()}
    assert {name for name, row in books.messages.items() if row["direction"] == "customer"} <= known


def an_answer_is_where_that_is_which_it_answers(life: Life, books: Books) -> None:
    """Mails are left out: the id of one of ours is known only once it is known to have been sent."""
    minted = {incident_id: name for name, incident_id in life.receipts.items()}
    for message in life._handled(books):
        row = books.messages.get(name_of(message))
        if row is None or message.channel == "email":
            continue
        answered = [(message.channel, key) for key in message.refers_to]
        answered += [minted[message.thread]] if message.thread in minted else []
        for other in [books.messages[name] for name in answered if name in books.messages]:
            one, two = (books.incidents[each["incident"]]["conversation"] for each in (row, other))
            assert one == two, "an answer is in another conversation than what it answers"


def every_text_is_kept_and_the_one_written_last_is_shown(life: Life, books: Books) -> None:
    texts: dict[Name, list[tuple[datetime, str]]] = {}
    gone = set()
    for message in life._handled(books):
        assert message.written_at is not None
        if message.kind is MessageKind.DELETE:
            gone.add(name_of(message))
        elif message.kind is not MessageKind.ACTION:
            texts.setdefault(name_of(message), []).append((message.written_at, message.text))
    for name, known in texts.items():
        row = books.messages[name]
        kept = {one["text"] for one in books[Revision] if (one["channel"], one["external_id"]) == name}
        assert {text for _, text in known} <= kept | {row["text"]}
        assert row["text"] == max(known)[1]
        assert (row["deleted_at"] is not None) == (name in gone)
    for incident_id, incident in books.incidents.items():
        first = min(books.of(Message, incident_id), key=lambda row: row["id"])
        assert incident["message"] == ("" if first["deleted_at"] else first["text"])


def a_deleted_text_is_told_to_nobody(life: Life, books: Books) -> None:
    young = [row["message"] for row in books[Notification] if row["id"] > life.last_notification]
    for name in life.gone if young else ():
        for text in life.texts(name):
            assert not any(text in other for other in young), "a text was told after it had been deleted"


def an_old_answer_does_not_undo_a_reopening(life: Life, books: Books) -> None:
    for message in life._handled(books):
        row = books.done[(message.channel, message.external_id)]
        if row["outcome"]["message"] != said("solved_noted") or message.written_at is None:
            continue
        lines = sorted(books.of(Event, row["outcome"]["incident_id"]), key=lambda line: line["id"])
        by_them = [line for line in lines if line["name"] == "resolved" and line["actor"] == message.customer_id]
        assert by_them
        if len(by_them) == 1:
            before = [line for line in lines if line["id"] < by_them[0]["id"] and line["name"] == "reopened"]
            assert not before or message.written_at >= before[-1]["at"], "a late answer resolved what was reopened"


PROMISES = (
    at_most_one_incident_of_a_conversation_is_open,
    what_an_incident_is_known_by_never_changes,
    a_message_stays_on_its_timeline,
    each_incident_is_followed_up_once_for_each_opening,
    a_category_becomes_less_urgent_only_by_an_agent,
    nobody_is_written_to_but_the_customer_and_the_agents,
    each_address_gets_one_acknowledgement,
    what_is_sent_is_owed_and_is_sent_once,
    what_waits_has_a_lane,
    nothing_is_given_up_that_nobody_refused,
    a_message_that_was_handled_is_on_a_timeline,
    an_answer_is_where_that_is_which_it_answers,
    every_text_is_kept_and_the_one_written_last_is_shown,
    a_deleted_text_is_told_to_nobody,
    an_old_answer_does_not_undo_a_reopening,
)


# --- in the end


def everything_was_handled(life: Life, books: Books) -> None:
    assert set(books.done) == set(life.delivered)
    assert books[Lane] == []


def every_text_was_sent_or_it_is_known_why_not(life: Life, books: Books) -> None:
    assert {row["status"] for row in books[Notification]} <= {"sent", "failed", "uncertain", "cancelled"}


def every_incident_was_acknowledged_at_every_address(life: Life, books: Books) -> None:
    by_machine = {life.receipts[name] for name, message in life.delivered.items() if message.automatic}
    for row in books[Incident]:
        given = [one for one in books.of(Notification, row["id"]) if one["kind"] == "acknowledgement"]
        assert len(given) == (0 if row["id"] in by_machine else len(row["addresses"]))


def the_desk_knows_each_incident_and_how_it_stands(life: Life, books: Books) -> None:
    if life.desk is None or life.desk.refused:
        return
    for row in books[Incident]:
        number = life.desk.tickets[row["id"]]
        assert row["external_ticket_id"] == number
        assert life.desk.statuses[number] == ("closed" if row["status"] == "resolved" else "open")
    if set(life.desk.tickets) - set(books.incidents):
        reach("the desk has a ticket of no incident")


def a_deleted_text_is_shown_nowhere(life: Life, books: Books) -> None:
    gone = [text for name in life.gone if name in books.messages for text in life.texts(name)]
    for incident_id in books.incidents if gone else ():
        details = life.house.firstline.views.incident(incident_id)
        assert not any(text in str(details) for text in gone)


def what_is_seen_is_what_was_written_last(life: Life, books: Books) -> None:
    for incident_id in books.incidents:
        rows = [row for row in books.of(Message, incident_id) if row["direction"] == "customer"]
        seen = sorted(DELETED if row["deleted_at"] else row["text"] for row in rows)
        assert sorted(life.house.said(incident_id)) == seen


def everything_that_can_become_of_it_is_reached(life: Life, books: Books) -> None:
    """No promise, but a count: of what never comes about, nothing is shown."""
    for line in books[Event]:
        reach(f"became: {line['name']}{' by a customer' if line['actor'] in CUSTOMERS else ''}")
    for row in books[Incident]:
        if row["continues"]:
            reach("became: continued")
    for row in books[Notification]:
        reach(f"sent: {row['kind']} is {row['status']}")


def the_board_shows_each_incident_as_it_stands(life: Life, books: Books) -> None:
    if life.house.chat.board is None:
        return
    for incident_id, row in books.incidents.items():
        cards = [one for one in books.of(Notification, incident_id) if one["kind"] == NoticeKind.CARD]
        assert cards
        if all(one["status"] == "sent" for one in cards):
            shown = [notice for _, notice in life.chat.sent if notice.key in {one["dedupe"] for one in cards}][-1]
            facts = dict(shown.facts)
            assert (facts["Status"], facts.get("Assigned to")) == (row["status"], row["assignee"])
            assert shown.quote == row["message"]
            reach("a card was seen")


def what_happened_stands_below_the_card(life: Life, books: Books) -> None:
    if life.house.chat.board is None:
        return
    for incident_id in books.incidents:
        owed = [
            row for row in books.of(Notification, incident_id) if row["kind"] in (NoticeKind.CARD, NoticeKind.ENTRY)
        ]
        assert owed[0]["kind"] == NoticeKind.CARD
        told = Counter(row["notice"]["lead"] for row in owed)
        done = Counter(line["name"] for line in books.of(Event, incident_id))
        assert told["We answered the customer:"] == done["replied"]
        assert told["Open again."] == done["reopened"]
        assert told["Resolved."] + told["The customer says that it is solved."] == done["resolved"]


IN_THE_END = (
    the_board_shows_each_incident_as_it_stands,
    what_happened_stands_below_the_card,
    everything_that_can_become_of_it_is_reached,
    everything_was_handled,
    every_text_was_sent_or_it_is_known_why_not,
    every_incident_was_acknowledged_at_every_address,
    the_desk_knows_each_incident_and_how_it_stands,
    a_deleted_text_is_shown_nowhere,
    what_is_seen_is_what_was_written_last,
)


# --- the order of delivery


@st.composite
def forests(draw: st.DrawFn) -> list[InboundMessage]:
    """Deliveries of some threads in a room: messages with complete references, changes of them, deletions; each once or
    more often, in any order."""
    when = NOON
    messages: list[InboundMessage] = []
    changes: list[InboundMessage] = []
    for number in range(draw(st.integers(1, 7))):
        above = draw(st.sampled_from([None, *messages]))
        when += timedelta(seconds=1)
        message = InboundMessage(
            channel="chat",
            external_id=f"m-{number}",
            lane=draw(st.sampled_from(("chat/room", ""))),
            customer_id="u-9",
            text=f"text {mark(number)}",
            answer_on="chat",
            refers_to=(above.external_id, *above.refers_to) if above else (),
            written_at=when,
        )
        messages.append(message)
        for change in range(draw(st.sampled_from((0, 0, 0, 1, 2)))):
            when += timedelta(seconds=1)
            kind = draw(st.sampled_from((MessageKind.EDIT, MessageKind.EDIT, MessageKind.DELETE)))
            text = f"{message.text}, changed {change}" if kind is MessageKind.EDIT else ""
            name, about = f"c-{number}-{change}", message.external_id
            changes.append(
                replace(
                    message, kind=kind, external_id=name, about=about, lane=message.lane, text=text, written_at=when
                )
            )
    deliveries = messages + changes
    again = draw(st.lists(st.sampled_from(deliveries), max_size=4))
    return draw(st.permutations(deliveries + again))


@pytest.fixture
def house(db: str, clock: TestClock) -> Iterator[House]:
    house = House(clock)
    yield house
    house.stop()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(deliveries=forests(), works=st.lists(BOOL, min_size=30, max_size=30))
def test_messages_come_together_and_look_alike_in_whatever_order_they_come(
    house: House, deliveries: list[InboundMessage], works: list[bool]
) -> None:
    house.clock.forward(seconds=1)
    begun = house.clock.now
    turn = f"{next(TURNS)}-"
    for message, work in zip(deliveries, works, strict=False):
        refers_to = tuple(turn + name for name in message.refers_to)
        named = replace(message, external_id=turn + message.external_id, refers_to=refers_to)
        house.firstline.intake.accept(replace(named, about=message.about and turn + message.about))
        if work:
            house.work()
    house.work()
    shown: dict[str, set[tuple[str, str]]] = {}
    for row in house.all(Message):
        if row["external_id"].startswith(turn) and row["created_at"] >= begun:
            text = DELETED if row["deleted_at"] else row["text"]
            shown.setdefault(row["incident"], set()).add((row["external_id"].removeprefix(turn), text))
    assert sorted(shown.values(), key=sorted) == sorted(_threads(deliveries), key=sorted)


def _threads(deliveries: list[InboundMessage]) -> list[set[tuple[str, str]]]:
    """What is to be seen of each thread: of each message the text written last, unless it was deleted."""
    threads: dict[str, set[tuple[str, str]]] = {}
    for message in {one.external_id: one for one in deliveries if one.kind is MessageKind.NEW}.values():
        name = message.external_id
        versions = [one for one in deliveries if one.is_about == name]
        deleted = any(one.kind is MessageKind.DELETE for one in versions)
        last = max(versions, key=lambda one: one.written_at or NOON)
        root = message.refers_to[-1] if message.refers_to else name
        threads.setdefault(root, set()).add((name, DELETED if deleted else last.text))
    return list(threads.values())


TURNS = itertools.count(1)


# --- the tests


@contextmanager
def on_sqlite(template: Path) -> Iterator[None]:
    """A database of its own, copied from a migrated one."""
    copy = Path(shutil.copyfile(template, template.with_name("life.db")))
    database.connect(f"sqlite:///{copy}")
    yield
    database.disconnect()
    for file in copy.parent.glob("life.db*"):
        file.unlink()


@contextmanager
def on_postgresql(server: postgres.Server) -> Iterator[None]:
    name = server.create(migrated=True)
    database.connect(server.url(name))
    yield
    database.disconnect()
    server.drop(name)


@pytest.fixture
def fresh(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Fresh:
    """What makes a database for one life."""
    if backend == "postgresql":
        return partial(on_postgresql, request.getfixturevalue("postgresql"))
    template = tmp_path / "template.db"
    database.connect(f"sqlite:///{template}")
    migrate()
    database.disconnect()
    return partial(on_sqlite, template)


LIVES = settings(
    deadline=None,
    derandomize=False,  # the seed is given
    database=None,
    stateful_step_count=25,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
AT_A_TIME = 5
"""Lives for one seed: those of one seed come to resemble each other."""


def live(fresh: Fresh, lives: int, seed: int, how: settings = LIVES) -> None:
    """Live through so many lives, which are the same for the same seed."""
    for number in range(0, lives, AT_A_TIME):

        @hypothesis.seed(seed + number)
        def begin() -> Life:
            return Life(fresh)

        # it takes what makes a machine, and not only the class of one
        run_state_machine_as_test(begin, settings=settings(how, max_examples=AT_A_TIME))  # type: ignore[arg-type]


def test_every_promise_is_kept_whatever_happens(fresh: Fresh) -> None:
    live(fresh, 50, seed=20261122)


@pytest.mark.soak
def test_every_promise_is_kept_in_many_lives(fresh: Fresh, backend: str) -> None:
    seed = random.SystemRandom().randrange(2**32)
    print(f"\n{backend}: seed {seed}", flush=True)
    reached.clear()
    live(fresh, 500, seed, settings(LIVES, stateful_step_count=40))
    died = sum(times for what, times in reached.items() if what.startswith("died"))
    print(f"{backend}: 500 lives, {died} deaths, seed {seed}: {dict(sorted(reached.items()))}")
