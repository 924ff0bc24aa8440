"""The composition root: builds the parts, joins them, starts and stops them. The one module that knows all."""

import gc
import os
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from importlib import import_module
from typing import Any

import structlog
from peewee import DatabaseError, ImproperlyConfigured, InterfaceError, OperationalError
from pydantic import SecretStr

import adapters
from adapters.broker import Bell, Rings, Shared
from adapters.dispatch import Nobody, Threads, queue_of
from bot import files, measure, telemetry, wording
from bot.answers import Answers
from bot.breaker import Breaker
from bot.classify import Cached, Cascade, Guarded, Ladder, SecondOpinion
from bot.commands import Commands
from bot.deliveries import Deliveries
from bot.desk_jobs import DeskJobs
from bot.errors import ConfigurationError, Undeliverable
from bot.files import Files
from bot.follow_ups import FollowUps
from bot.intake import Intake
from bot.jobs import Jobs
from bot.lanes import Lanes
from bot.life import Life
from bot.links import Links
from bot.local_model import DEFAULT, LocalModel
from bot.memory import share_one_arena
from bot.model import Switch
from bot.operators import Operators
from bot.originals import Originals
from bot.outbox import Outbox
from bot.pages import Pages
from bot.pipeline import Pipeline
from bot.policy import Policy
from bot.ports import Channel, Classifier, Clock, Core, Dispatcher, FileSource, Routes, Sender, Signer, TicketDesk
from bot.privacy import Privacy
from bot.prune import Prune
from bot.reach import Reach
from bot.repetitions import Repetitions
from bot.sealing import Envelope
from bot.second_look import SecondLook
from bot.settings import Settings
from bot.state import State
from bot.tickets import Tickets
from bot.tokens import Tokens
from bot.views import Views
from storage import codes, database, lanes, paces, state, stats
from storage.migrate import migrate, pending

log = structlog.get_logger()

UNAVAILABLE = (OperationalError, InterfaceError)
"""What the database raises when it is locked, full or away."""

STOP_WITHIN = 20.0
"""Seconds from being asked to stop to having stopped."""

SWEEP_EVERY = 30
"""Seconds between two looks for waiting work that no lane knows of."""

PRUNE_EVERY = 3600
"""Seconds between two looks for what RETAIN keeps no longer."""


LOCAL_ONLY = Switch("gemini", False, "the local model classifies; CLASSIFIER=gemini asks Gemini first")
PACES_KEPT = timedelta(hours=1)
CODES_KEPT = timedelta(days=1)


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class World:
    """What lies outside: built from the environment, or handed in by a test."""

    senders: Sequence[Sender]
    classifiers: Sequence[Classifier]
    desk: TicketDesk | None
    clock: Clock = utc_now
    channels: Sequence[Channel] = ()
    files: Sequence[FileSource] = ()

    @classmethod
    def from_environment(cls, settings: Settings) -> "World":
        """Import and build every adapter that is switched on. Raises ConfigurationError."""
        desks = [desk for name in adapters.DESKS for desk in import_module(name).desks()]
        channels = _channels(settings)
        return cls(
            senders=channels,
            channels=channels,
            files=[channel for channel in channels if isinstance(channel, FileSource)],
            classifiers=_classifiers(settings),
            desk=desks[0] if desks else None,
        )

    @classmethod
    def for_a_command(cls, settings: Settings) -> "World":
        """Build what a command needs that changes incidents and leaves the work to others: to know the agents' boards.
        Raises ConfigurationError."""
        return cls(senders=(), classifiers=(), desk=None, channels=_channels(settings))


def _classifiers(settings: Settings) -> list[Classifier]:
    """Build the ladder's rungs. The time for all that are outside is CLASSIFY_WITHIN. Raises ConfigurationError."""
    local = LocalModel.load().classify
    if settings.classifier == "local":
        return [local]
    modules = [import_module(name) for name in adapters.CLASSIFIERS]
    within = settings.classify_within.total_seconds() / len(modules)
    found = [one for module in modules for one in module.classifiers(within, measure.used)]
    if settings.classifier is not None and not found:
        raise ConfigurationError(
            f"CLASSIFIER: {settings.classifier} asks Gemini, and there is no key. "
            "Set GEMINI_API_KEY, or CLASSIFIER=local."
        )
    guarded: list[Classifier] = [Guarded(one, Breaker("classifier"), within) for one in found]
    if settings.classify_cache:
        guarded = [Cached(one, settings.classify_cache) for one in guarded]
    rungs: list[Classifier] = [SecondOpinion(one, local) for one in guarded]
    if settings.classifier == "cascade":
        rungs = [Cascade(local, one) for one in rungs]
    return [*rungs, local]


def classifier_named(name: str) -> Classifier:
    """Return one classifier alone, for a command: `local`, `gemini` or `cascade`. What it logs goes to stderr. Raises
    ConfigurationError when it is not set up."""
    settings = Settings.read()
    set_up_logging(settings)
    return _classifiers(settings.model_copy(update={"classifier": name}))[0]


def artefact_size(name: str) -> int | None:
    """Return the size of a classifier's artefact in bytes, or None if it has none here."""
    return DEFAULT.stat().st_size if name in ("local", "cascade") else None


def _channels(settings: Settings) -> list[Channel]:
    state, originals = State(settings.seal), Originals(settings.seal, utc_now)
    return [one for name in adapters.CHANNELS for one in import_module(name).channels(state, originals)]


def switches() -> list[Switch]:
    """Say of every part that can be on or off which it is."""
    modules = (*adapters.CHANNELS, *adapters.CLASSIFIERS, *adapters.DESKS)
    settings = Settings.read()
    found = [switch for name in modules for switch in import_module(name).switches()]
    if settings.classifier == "local":
        found = [switch if switch.name != "gemini" else LOCAL_ONLY for switch in found]
    agents = settings.agents_email
    says = agents or "AGENTS_EMAIL is told at once of fraud and of locked accounts"
    return [*found, Switch("agents", agents is not None, says)]


class Firstline:
    """One process. `works`: whether it handles messages and sends notices itself, or leaves that to others. `tells`:
    whether it tells other processes of work, where QUEUE_URL says how. Raises ConfigurationError."""

    def __init__(self, settings: Settings, world: World, works: bool = True, tells: bool = False) -> None:
        self.settings = settings
        self.world = world
        self.answers = Answers()
        self.views = Views(settings.seal)
        self.threads = Threads(lambda lane: self.lanes.run(lane), settings.workers) if works else None
        self.dispatcher: Dispatcher = self._dispatcher(settings.queue_url if tells else None)
        self.tokens = Tokens(world.clock)
        self.repetitions = Repetitions(world.clock)
        self.originals = Originals(settings.seal, world.clock)
        self.boards = tuple(channel.board for channel in world.channels if channel.board is not None)
        self.privacy = Privacy(world.clock, self.boards)

    def _dispatcher(self, queue_url: SecretStr | None) -> Dispatcher:
        if queue_url is None:
            return self.threads or Nobody()
        cipher = Envelope(lambda: self.life.links.key)
        run = Nobody().wake if self.threads is None else self.threads.run
        broker = Rings(queue_url.get_secret_value(), cipher, run)
        bell = Bell(broker, cipher, queue_of, lambda outcome: measure.wake_ups.labels(outcome).inc())
        return bell if self.threads is None else Shared(broker, bell, self.threads, self.settings.workers)

    @cached_property
    def life(self) -> Life:
        """Made on first use: it asks the database for the key of its links."""
        return Life(Policy.of(self.settings, self.boards), _links(self.settings))

    @cached_property
    def commands(self) -> Commands:
        return Commands(self.world.clock, self.dispatcher, self.life)

    @cached_property
    def follow_ups(self) -> FollowUps:
        return FollowUps(self.world.clock, self.dispatcher, self.life)

    @cached_property
    def intake(self) -> Intake:
        """Made on first use: it has a thread of its own."""
        return Intake(self.dispatcher, self.world.clock, self.settings.seal)

    @cached_property
    def lanes(self) -> Lanes:
        """The handlers of the three queues, joined."""
        settings, world = self.settings, self.world
        desk_breaker = Breaker("ticket desk", trips=lambda exc: not isinstance(exc, Undeliverable))
        desk_deadline = settings.ticket_within.total_seconds()
        kept = Files(
            sources={source.name: source for source in world.files},
            seal=settings.seal,
            limits=self.life.policy.files,
            attempts=settings.attempts,
            dispatcher=self.dispatcher,
        )
        pipeline = Pipeline(
            classifier=Ladder(world.classifiers),
            tickets=Tickets(world.desk, desk_breaker, desk_deadline),
            life=self.life,
            files=kept,
            simulated=frozenset(sender.name for sender in world.senders if sender.simulated),
            answers=self.answers,
            dispatcher=self.dispatcher,
            clock=world.clock,
        )
        outbox = Outbox({sender.name: sender for sender in world.senders}, settings.attempts, self.life.undelivered)
        desk = DeskJobs(world.desk, desk_breaker, desk_deadline)
        again = SecondLook(
            classifier=Ladder(()) if not world.classifiers else world.classifiers[0],
            life=self.life,
            dispatcher=self.dispatcher,
            clock=world.clock,
            turns=threading.BoundedSemaphore(max(1, settings.workers // 4)),
        )
        jobs = Jobs(
            {
                "link": desk.link,
                "close": desk.change,
                "reopen": desk.change,
                "fetch": kept.fetch,
                "reclassify": again.look,
            }
        )
        handlers = {"in": pipeline.handle, "out": outbox.handle, "job": jobs.handle}
        return Lanes(handlers, world.clock, settings.lease, settings.attempts)

    @property
    def core(self) -> Core:
        """What a channel may ask for."""
        clock = self.world.clock
        return Core(
            intake=self.intake,
            commands=self.commands,
            views=self.views,
            state=State(self.settings.seal),
            clock=clock,
            reach=Reach(clock),
            originals=self.originals,
            operators=Operators(self.life.policy.agents, clock, self.dispatcher),
            deliveries=Deliveries(),
            words=wording.sentence,
        )

    @contextmanager
    def accepting(self) -> Iterator[None]:
        """While entered, messages are accepted and their outcomes waited for."""
        poller = threading.Thread(target=self.answers.poll, name="answers", daemon=True)
        poller.start()
        intake = self.intake
        try:
            yield
        finally:
            intake.close()
            self.answers.stop()
            poller.join()

    @contextmanager
    def listening(self, web: Routes) -> Iterator[None]:
        """While entered, the channels take messages in; what they need of the web application they ask of `web`."""
        with ExitStack() as entered:
            for channel in self.world.channels:
                entered.enter_context(channel.listening(self.core, web))
            yield

    @contextmanager
    def working(self) -> Iterator[None]:
        """While entered, lanes are worked on."""
        assert isinstance(self.dispatcher, Threads | Shared)
        looks = (self.threads, isinstance(self.dispatcher, Shared))
        background = [
            threading.Thread(target=self.lanes.keep_alive, name="keep-alive", daemon=True),
            threading.Thread(target=self.lanes.look_out, args=looks, name="look-out", daemon=True),
        ]
        for thread in background:
            thread.start()
        self.dispatcher.start()
        try:
            yield
        finally:
            began = time.monotonic()
            self.lanes.stop()
            if not self.dispatcher.stop(STOP_WITHIN - 12):
                log.warning("worker.left_behind", seconds=round(time.monotonic() - began, 1))
            for thread in background:
                thread.join(1)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """While entered, a process that works on nothing tells the others of work, if QUEUE_URL says how."""
        bell = self.dispatcher
        if not isinstance(bell, Bell):
            yield
            return
        bell.start()
        try:
            yield
        finally:
            bell.stop(STOP_WITHIN - 12)

    @contextmanager
    def keeping_time(self) -> Iterator[None]:
        """While entered, follow-ups are handled when they are due, and forgotten work is found."""
        from apscheduler.jobstores.memory import MemoryJobStore
        from apscheduler.schedulers.background import BackgroundScheduler

        from storage.follow_ups import FollowUpJobStore

        due = FollowUpJobStore(self.follow_ups.work, self.world.clock, self.settings.follow_up_after)
        scheduler = BackgroundScheduler(timezone=UTC, jobstores={"default": due, "memory": MemoryJobStore()})
        scheduler.add_job(self.sweep, "interval", seconds=SWEEP_EVERY, jobstore="memory", misfire_grace_time=None)
        if self.settings.retain is not None:
            prune = Prune(self.world.clock, self.settings.retain)
            scheduler.add_job(
                prune.work, "interval", seconds=PRUNE_EVERY, jobstore="memory", misfire_grace_time=None,
                next_run_time=utc_now(),
            )  # fmt: skip
        scheduler.start()
        try:
            yield
        finally:
            scheduler.shutdown()

    def sweep(self) -> None:
        """Give lanes back to waiting work that has none, and delete what was kept for long enough."""
        with database.transaction():
            found = lanes.wake_forgotten(limit=1000)
        with database.transaction():
            paces.forget(self.world.clock() - PACES_KEPT)
            codes.forget(self.world.clock() - CODES_KEPT)
        self._add_up()
        if found:
            log.warning("lanes.forgotten", number=found)
        self.repetitions.expire()
        expired = files.expire(self.world.clock, self.settings.raw_kept)
        if expired:
            log.info("file.expired", number=expired)
        expired = self.originals.expire(self.settings.raw_kept)
        if expired:
            log.info("original.expired", number=expired)

    def _add_up(self) -> None:
        """Keep what is counted short."""
        for _ in range(100):
            with database.transaction():
                if stats.add_up() < stats.AT_ONCE:
                    return


def _links(settings: Settings) -> Links:
    """What makes the links in mails: by LINK_KEY, else by a key of this database's own."""
    from adapters.http.settings import HttpSettings

    http = HttpSettings.read()
    host = f"[{http.host}]" if ":" in http.host else http.host
    if settings.link_key is not None:
        key = settings.link_key.get_secret_value()
    else:
        with database.transaction():
            key = state.keep("link key", secrets.token_urlsafe(48))
        telemetry.hide([key])
    return Links(settings.public_url or f"http://{host}:{http.port}", key)


def add_commands(app: Any) -> None:
    """Add the adapters' own commands to the command line. `app`: typer.Typer."""
    for name in adapters.COMMANDS:
        import_module(name).add_commands(app)


class ForCommands:
    """What the adapters' own commands may open. All raise ConfigurationError."""

    def state(self, settings: Settings) -> State:
        """Connect to the database, and return what adapters keep in it."""
        open_database(settings, migrating=False)
        return State(settings.seal)

    @contextmanager
    def core(self, settings: Settings) -> Iterator[Core]:
        """While entered, messages are accepted; workers handle them."""
        open_database(settings, migrating=False)
        firstline = Firstline(settings, World.for_a_command(settings), works=False)
        with firstline.accepting():
            yield firstline.core


def open_database(settings: Settings, migrating: bool) -> list[str]:
    """Connect, and bring the schema up to date, or (not `migrating`) make sure that it is; return what was applied.
    Raises ConfigurationError."""
    if "DYNO" in os.environ and settings.database_url.startswith("sqlite"):
        raise ConfigurationError(
            "DATABASE_URL: Heroku wipes its disk at every restart, and a SQLite file with it. "
            "Use PostgreSQL: heroku addons:create heroku-postgresql"
        )
    try:
        database.connect(settings.database_url, settings.workers)
        missing = migrate() if migrating else pending()
    except ValueError as exc:
        raise ConfigurationError(f"DATABASE_URL: {exc}.") from None
    except (DatabaseError, ImproperlyConfigured, *UNAVAILABLE) as exc:
        raise ConfigurationError(f"DATABASE_URL: the database cannot be opened ({exc}).") from None
    except ImportError as exc:
        raise ConfigurationError(f"DATABASE_URL: {exc}. Install it: pip install 'firstline[postgres]'") from None
    if missing and not migrating:
        raise ConfigurationError(f"The database lacks {len(missing)} migration(s). Apply them: bot migrate")
    return missing


def run(settings: Settings, parts: Sequence[str], ready: Callable[[str | None], None]) -> None:
    """Run these parts (web, worker, clock) in this process until SIGTERM or SIGINT. `ready` is told the address, if
    there is one, when everything has started. Raises ConfigurationError."""
    share_one_arena()
    stop = _stop_signals()
    world = World.from_environment(settings)
    needs_token()  # reads the settings of the HTTP side: all that can be wrong is said before the database is touched
    open_database(settings, migrating=len(parts) > 1)
    firstline = Firstline(settings, world, works="worker" in parts, tells=True)
    webhooks: Sequence[Any] = ()
    with ExitStack() as started:
        started.callback(measure.start_tracing(settings.otel_exporter_otlp_endpoint))
        started.callback(database.disconnect)
        for sender in firstline.world.senders:
            started.callback(sender.close)
        started.enter_context(firstline.telling())
        if "web" in parts:
            from adapters.http.api import Collected

            collected = Collected()
            started.enter_context(firstline.accepting())
            started.enter_context(firstline.listening(collected))
            webhooks = collected.routes
        if "worker" in parts:
            started.enter_context(firstline.working())
        if "clock" in parts:
            started.enter_context(firstline.keeping_time())
        if "web" not in parts:
            started.enter_context(_watched(firstline))
        gc.collect()
        gc.freeze()  # else each full collection looks at all that was imported: 40 ms in which nothing is answered
        if "web" in parts:
            _serve(firstline, webhooks, ready, stop)
        else:
            ready(None)
            stop.wait()
        log.info("process.stopping")
    log.info("process.stopped")


def _serve(
    firstline: Firstline, webhooks: Sequence[Any], ready: Callable[[str | None], None], stop: threading.Event
) -> None:
    from adapters.http.server import serve
    from adapters.http.settings import HttpSettings

    settings = HttpSettings.read()
    serve(web_application(firstline, settings, webhooks), settings, ready, stop.is_set)


def web_application(firstline: Firstline, settings: Any, webhooks: Sequence[Any] = ()) -> Any:
    """Join the web application to the core. `settings`: HttpSettings; `webhooks`: the channels' routes."""
    from adapters.http.api import Core, create

    core = Core(
        intake=firstline.intake,
        answers=firstline.answers,
        views=firstline.views,
        commands=firstline.commands,
        tokens=firstline.tokens,
        pages=Pages(firstline.life.links, firstline.world.clock),
        repetitions=firstline.repetitions,
        unavailable=UNAVAILABLE,
        metrics=_metrics(firstline),
    )
    is_secure = (firstline.settings.public_url or "").startswith("https://")
    return create(core, settings, webhooks, is_secure)


def _metrics(firstline: Firstline) -> Callable[[], bytes]:
    return measure.page(lambda: firstline.views.standing(firstline.world.clock()))


@contextmanager
def _watched(firstline: Firstline) -> Iterator[None]:
    """While entered, a process that serves no API can be watched, if METRICS_PORT says where."""
    from adapters.http.settings import HttpSettings

    settings = HttpSettings.read()
    if settings.metrics_port is None:
        yield
        return
    from adapters.http.health import Watch, create_watched
    from adapters.http.server import serving

    watch = Watch(firstline.views, firstline.tokens, _metrics(firstline), UNAVAILABLE)
    at = settings.model_copy(update={"port": settings.metrics_port})
    with serving(create_watched(watch, settings), at) as url:
        log.info("process.watched", url=url)
        yield


def signer() -> Signer:
    """Return what signs the tokens of the API. Raises ConfigurationError without a key."""
    from adapters.http.auth import Keys
    from adapters.http.settings import HttpSettings

    return Keys.of(HttpSettings.read())


def needs_token() -> bool:
    """Whether the API takes nobody without a token."""
    from adapters.http.settings import HttpSettings

    return bool(HttpSettings.read().keys)


def _stop_signals() -> threading.Event:
    """Return an event that is set by SIGTERM and SIGINT. Uvicorn takes both while it serves, and raises them again
    afterwards: then they must not kill us before we have stopped."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


def set_up_logging(settings: Settings) -> None:
    telemetry.set_up(settings.log_level, settings.log_format)
