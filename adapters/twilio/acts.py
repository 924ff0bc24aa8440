"""What people do by SMS and WhatsApp: they write, press the buttons of templates, give commands, and say STOP.

Commands are answered in the answer to Twilio, which sends it on as a text; everything else is answered by what we owe.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from adapters.twilio import keys
from adapters.twilio.translate import (
    AGAIN,
    COMMAND,
    FRESH,
    START,
    STOP,
    Fields,
    Post,
    Report,
    opened,
    pressed,
    returned,
)
from bot.errors import FirstlineError, NotCommitted
from bot.model import Address, Caller, Role
from bot.ports import Core

RECENT: Final = timedelta(hours=4)
"""For how long a text of ours that asks nothing is what a message answers."""

LONG: Final = timedelta(days=14)
"""For how long one is that asks something: is it solved, is all well, what an agent wants to know."""

ONCE: Final = frozenset({"close", "email", "code"})
"""Commands that are not done again if Twilio brings them again."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Acts:
    """Does what a webhook says. `own` are our own numbers; `root` is where our account is in Twilio's API."""

    core: Core
    own: frozenset[Address]
    root: str

    def hear(self, fields: Fields, query: Fields) -> str:
        """Take a message, and return what its sender is to be answered at once (empty: nothing). Raises NotCommitted,
        and what the database raises: then it is not taken."""
        post = Post.of(fields, self.root)
        if post is None or post.who in self.own:
            log.info("twilio.not_a_customers", sender="us" if post else "no telephone")
            return ""
        if self._is_about_stopping(post):
            return ""
        asked = COMMAND.fullmatch(post.text.strip()) if not post.files else None
        says = "" if asked is None else self._run(post, asked)
        if asked is None:
            self._take(post)
        if post.who.channel == "whatsapp":
            self.core.state.put(keys.heard(post.who), self.core.clock().isoformat())
        return "" if self._stopped(post.who) else says

    def report(self, fields: Fields, query: Fields) -> str:
        """Note what became of a text of ours; nobody is answered. Raises NotCommitted, and what the database raises."""
        report = Report.of(fields, query)
        if report is None:
            return ""
        if report.failed:
            if report.outside_window:
                self.core.state.drop(keys.heard(report.to))
            self.core.intake.accept(returned(report))
            log.warning("twilio.not_delivered", channel=report.to.channel, code=report.code)
        if not report.outside_window:
            self.core.deliveries.told(report.incident_id, report.to.channel, report.about, report.state)
        return ""

    # --- messages

    def _take(self, post: Post) -> None:
        fresh = FRESH.fullmatch(post.text)
        if fresh is not None:
            post = replace(post, text=fresh["text"] or "")
        if not post.said:
            log.info("twilio.empty")
            return
        now, answers = self.core.clock(), post.answers or self._last(post.who)
        if post.button:
            self.core.intake.accept(pressed(post, now, answers))
        else:
            self.core.intake.accept(opened(post, now, answers, fresh is not None))

    def _last(self, who: Address) -> str:
        """The text of ours that a message from there probably answers: an SMS does not say."""
        at, _, rest = (self.core.state.get(keys.last(who)) or "").partition(" ")
        sid, _, what = rest.partition(" ")
        holds = LONG if what == "asks" else RECENT
        return sid if sid and self.core.clock() - datetime.fromisoformat(at) < holds else ""

    # --- STOP and START

    def _is_about_stopping(self, post: Post) -> bool:
        """Whether a message says no more than that we are to write no more, or again; then that is done."""
        if post.opt_out == "STOP" or post.word in STOP:
            self.core.state.put(keys.stopped(post.who), self.core.clock().isoformat())
            self.core.reach.lost(post.who, "opted out (STOP)")
        elif post.opt_out == "START" or post.word in START or (post.word in AGAIN and self._stopped(post.who)):
            self.core.state.drop(keys.stopped(post.who))
            self.core.reach.regained(post.who)
        else:
            return post.opt_out == "HELP"  # Twilio has answered it
        log.info("twilio.opted", channel=post.who.channel, out=self._stopped(post.who))
        return True

    def _stopped(self, who: Address) -> bool:
        return self.core.state.get(keys.stopped(who)) is not None

    # --- commands

    def _run(self, post: Post, asked: re.Match[str]) -> str:
        """Run a command, and return the answer: also why it was not done."""
        name, rest = (asked["name"] or asked["own"]).lower(), asked["ticket"] or asked["rest"] or ""
        name = "help" if name == "info" else name
        if name in ONCE and self.core.state.get(keys.done(post.sid)) is not None:
            return ""
        try:
            says = self.core.commands.run(f"{name} {rest}".strip(), Caller(post.who.key, Role.CUSTOMER, post.who))
        except NotCommitted:
            raise
        except FirstlineError as exc:
            says = str(exc)
        if name in ONCE:
            self.core.state.put(keys.done(post.sid), self.core.clock().isoformat())
        return says
