"""Every text that a person reads. The sentences stand in `bot/catalogues`, one file for each language; customers get
theirs in their incident's language, agents in English."""

import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Literal

from bot.language import ENGLISH, LANGUAGES
from bot.model import TO_AGENTS, Action, Address, Category, Incident, Notice, NoticeKind

CATALOGUES = Path(__file__).parent / "catalogues"
RIGHT_TO_LEFT = frozenset({"ar"})
RATING = re.compile(r"rate-([1-5])")
LONGEST_QUOTE = 500
LOOKED_AT = 4 * LONGEST_QUOTE
"""Characters of a text of which a quote is made: the links in it are left out."""

LISTED_FILES = 10
IN_ONE_LINE = frozenset({"category", "confirmed", "rated", "not_delivered", "perhaps_delivered"})

Unit = Literal["minute", "hour", "day"]


def key(incident: Incident, what: str, to: Address) -> str:
    """Return the key of a notice: the same however often it is written, and another for every address. The address
    itself is not in it."""
    return key_at(f"{incident.id}.{what}", to)


def key_at(text: str, to: Address) -> str:
    """Return the key of a text (its key at another address, without the part behind the last dot) at this address."""
    digest = hashlib.sha256(to.key.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{text}.{to.channel}-{digest[:8]}"


# --- to customers


def acknowledgement(
    incident: Incident, to: Address, follow_up_after: timedelta, missing: Sequence[str] = (), message_id: str = ""
) -> Notice:
    """Thank the customer for a message, tell the numbers, repeat their words, and promise the follow-up. Ask, in one
    sentence, for what is `missing`: any of "amount", "date" and "last_four" (the card's last digits)."""
    language = _known(incident.language)
    written = _notice(
        NoticeKind.ACKNOWLEDGEMENT, incident, to, "acknowledgement", language, soon=_soon(follow_up_after, language)
    )
    ask = _say(language, "acknowledgement.ask", details=_list(missing, language)) if missing else ""
    return replace(
        written,
        facts=_facts(incident, language),
        quote=quoted(incident.message),
        closing=f"{ask} {written.closing}".strip(),
        actions=_add_email(incident),
        answers=message_id,
    )


def _add_email(incident: Incident) -> tuple[Action, ...]:
    """Offer whoever writes in a chat to have our texts by mail, too."""
    if not incident.addresses or any(to.channel == "email" for to in incident.addresses):
        return ()
    return (Action("add_email", action_label("add_email", incident.language)),)


def added(incident: Incident, to: Address, message_id: str) -> Notice:
    """Tell the customer that what they wrote, the message of this id, was put on the incident that they have."""
    written = _notice(NoticeKind.ADDED, incident, to, f"added-{message_id}", _known(incident.language))
    return replace(written, answers=message_id)


def reminder(
    incident: Incident, to: Address, follow_up_id: int, now: datetime, actions: tuple[Action, ...] = ()
) -> Notice:
    """Tell the customer that their incident is still open and not forgotten, and ask whether it is solved."""
    language = _known(incident.language)
    ago = _ago(now - incident.created_at, language)
    written = _notice(NoticeKind.REMINDER, incident, to, f"reminder-{follow_up_id}", language, ago=ago)
    return replace(written, facts=_facts(incident, language), quote=quoted(incident.message), actions=actions)


def resolved(
    incident: Incident,
    to: Address,
    note: str = "",
    actions: tuple[Action, ...] = (),
    reopen_within: timedelta = timedelta(days=14),
) -> Notice:
    """Tell the customer that it is solved, with the agent's note; say for how long an answer opens it again, and ask
    how satisfied they are."""
    language = _known(incident.language)
    length = _length(reopen_within, language)
    written = _notice(NoticeKind.RESOLVED, incident, to, f"resolved-{incident.resolutions}", language, length=length)
    return replace(
        written,
        lead=f"{written.lead}\n\n{note}".rstrip(),
        facts=_facts(incident, language),
        closing=f"{written.closing}\n\n{_say(language, 'resolved.rating')}",
        actions=actions,
    )


def reopened(incident: Incident, to: Address, follow_up_after: timedelta) -> Notice:
    """Tell the customer that their incident is open again, and promise the follow-up anew."""
    language = _known(incident.language)
    soon = _soon(follow_up_after, language)
    written = _notice(NoticeKind.REOPENED, incident, to, f"reopened-{incident.openings}", language, soon=soon)
    return replace(written, facts=_facts(incident, language))


def reply(incident: Incident, to: Address, message_id: str, text: str) -> Notice:
    """Carry an agent's answer, the message of this id, to the customer."""
    language = _known(incident.language)
    written = _notice(NoticeKind.REPLY, incident, to, f"reply-{message_id}", language)
    return replace(written, lead=text, facts=_facts(incident, language)[:1])


def code(name: str, to: Address, digits: str, holds: timedelta, language: str) -> Notice:
    """Carry a code to a mail address, whose owner may not be who asked for it. `name` is the text's own."""
    language = _known(language)
    return Notice(
        key=key_at(f"{name}.code", to),
        kind=NoticeKind.CODE,
        incident_id="",
        ticket_id="",
        subject=_say(language, "code.subject"),
        greeting=_say(language, "code.greeting"),
        lead=_say(language, "code.lead", code=digits, length=length(holds, language)),
        facts=(),
        quote="",
        closing=_say(language, "code.closing"),
        language=language,
    )


def files_refused(incident: Incident, to: Address, number: int, files: Sequence[tuple[str, str]]) -> Notice:
    """Tell the customer which files (name, why in one word) were not taken; `number` is that of the first."""
    language = _known(incident.language)
    written = _notice(NoticeKind.FILES_REFUSED, incident, to, f"files-{number}", language)
    shown = [f"- {_isolated(quoted(name), language)}: {_say(language, f'file.{why}')}" for name, why in files]
    more = ["…"] if len(shown) > LISTED_FILES else []
    return replace(written, lead="\n".join([written.lead, *shown[:LISTED_FILES], *more]))


# --- to agents


def alert(incident: Incident, to: Address, why: str) -> Notice:
    """Tell the agents of what cannot wait. `why` is "opened", "category" (it has become urgent), "reopened" or
    "not_solved", with or without a number behind a hyphen. Raises ValueError for any other."""
    section = f"alert_{why.partition('-')[0]}"
    if f"{section}.subject" not in _catalogue(ENGLISH):
        raise ValueError(f"bot/catalogues/en.toml has no section [{section}]: write one, or alert for another reason.")
    return _for_agents(_notice(NoticeKind.ALERT, incident, to, f"alert-{why}", ENGLISH, section), incident)


def agents_reminder(incident: Incident, to: Address, follow_up_id: int, now: datetime) -> Notice:
    """Tell the agents that an incident is still open."""
    what = f"agents-reminder-{follow_up_id}"
    return _for_agents(
        _notice(NoticeKind.AGENT_REMINDER, incident, to, what, ENGLISH, ago=_since_opened(incident, now)), incident
    )


def escalation(incident: Incident, to: Address, follow_up_id: int, now: datetime) -> Notice:
    """Tell the agents, or those above them, that no agent has acted on an incident."""
    what = f"escalation-{follow_up_id}"
    return _for_agents(
        _notice(NoticeKind.ESCALATION, incident, to, what, ENGLISH, ago=_since_opened(incident, now)), incident
    )


def card(incident: Incident, to: Address, number: str) -> Notice:
    """Show the agents an incident as it stands, with what they can do about it. `number` tells it from the cards before
    it. The customer's words are all of them: whoever shows them cuts them."""
    written = _notice(NoticeKind.CARD, incident, to, f"card-{number}", ENGLISH)
    lead = _say(ENGLISH, "card.unsure") if incident.unsure else ""
    return replace(
        written, lead=lead, facts=_standing(incident), quote=incident.message, actions=_agents_actions(incident)
    )


def _standing(incident: Incident) -> tuple[tuple[str, str], ...]:
    facts = {
        "status": incident.status,
        "priority": incident.priority,
        "customer": _whose(incident),
        "channel": channel_name(incident.channel),
        "category": _judged(incident),
        "assignee": incident.assignee or "",
        "resolved_by": incident.resolved_by or "",
        "opened": _at(incident.created_at),
        "reopened": _at(incident.last_opened_at) if incident.openings > 1 else "",
        "resolved": _at(incident.resolved_at),
    }
    return tuple((_say(ENGLISH, f"card.{name}"), value) for name, value in facts.items() if value)


def _whose(incident: Incident) -> str:
    """Who the customer is, and, where somebody else says so, who does; of a mail, where its sender wants the answer."""
    if incident.reporter:
        return f"{incident.customer_id}, says {incident.reporter}"
    places = [to.key for to in incident.addresses if to.channel == "email" == incident.channel]
    if not places or incident.customer_id in places:
        return incident.customer_id
    return f"{incident.customer_id}; answers go to {', '.join(places)}"


def _judged(incident: Incident) -> str:
    """What an incident is about, and how sure whoever said so was."""
    word = category_word(incident.category, ENGLISH)
    if incident.reviewed_by is not None or incident.confidence is None:
        return word
    return f"{word} ({incident.confidence:.0%})"


def _agents_actions(incident: Incident) -> tuple[Action, ...]:
    names = ["assign", "reply", "resolve"] if incident.status == "open" else ["reopen"]
    confirm = [f"category-{incident.category}"] if incident.unsure else []
    return tuple(Action(name, _label(name)) for name in [*names, *confirm, "category"])


def _label(name: str) -> str:
    """What stands on an agent's button; on `category-…` which category it confirms."""
    kind, _, category = name.partition("-")
    if category:
        return _say(ENGLISH, "button.confirm", category=category_word(Category(category), ENGLISH))
    return _say(ENGLISH, f"button.{kind}")


def entry(incident: Incident, to: Address, number: str, what: str, who: str, text: str) -> Notice:
    """Tell the agents, under its card, what has happened to an incident: `what` is a key of the section `entry`, `who`
    did it, and `text` are their words."""
    written = _notice(NoticeKind.ENTRY, incident, to, f"entry-{number}", ENGLISH)
    lead, facts = _say(ENGLISH, f"entry.{what}"), ((_say(ENGLISH, "card.by"), who),)
    if what == "assigned":
        return replace(written, lead=lead, facts=((_say(ENGLISH, "card.assignee"), text), *facts))
    if what in IN_ONE_LINE:
        return replace(written, lead=f"{lead} {text}", facts=facts)
    return replace(written, lead=lead, facts=facts, quote=text)


def _for_agents(written: Notice, incident: Incident) -> Notice:
    assigned = ((_say(ENGLISH, "agents.assignee"), incident.assignee),) if incident.assignee else ()
    about = (_about(incident, ENGLISH),) if incident.unsure else ()
    return replace(written, facts=_facts(incident, ENGLISH) + about + assigned, quote=quoted(incident.message))


def _since_opened(incident: Incident, now: datetime) -> str:
    return _ago(now - (incident.last_opened_at or incident.created_at), ENGLISH)


def news(name: str, to: Address, subject: str, text: str) -> Notice:
    """Tell the people who run Firstline of something that belongs to no incident. `name` is the text's own."""
    return Notice(
        key=key_at(f"news.{name}", to),
        kind=NoticeKind.NEWS,
        incident_id="",
        ticket_id="",
        subject=subject,
        greeting=subject,
        lead=text,
        facts=(),
        quote="",
        closing="",
    )


def taken_for(incident: Incident, to: Address, message_id: str) -> Notice:
    """Tell an agent who forwarded a message by hand whom it was taken to be from."""
    written = _notice(NoticeKind.NEWS, incident, to, f"forwarded-{message_id}", ENGLISH, customer=incident.customer_id)
    return replace(written, facts=_facts(incident, ENGLISH), quote=quoted(incident.message), answers=message_id)


# --- short answers and words


def ticket_created(simulated: Sequence[str], under_way: Sequence[str], language: str = ENGLISH) -> str:
    """Say, in the answer to the one who posted a message, what has happened and what is under way. Both are channels:
    those whose texts are shown or written to a file, and those whose texts are being sent."""
    sentences = [said("ticket_created", language)]
    sentences += [said("on_its_way", language, channel=_channel_word(channel, language)) for channel in under_way]
    sentences += [said("simulated", language, channel=_channel_word(channel, language)) for channel in simulated]
    return " ".join(sentences)


def said(name: str, language: str = ENGLISH, **values: str) -> str:
    """Return a short answer, of the section `[answer]`. Only "linked_new" needs values: `ticket` and `old`, the numbers
    of the new ticket and of the one before. Raises KeyError if there is no such answer, or a value is missing."""
    return _say(language, f"answer.{name}", **values)


def own(name: str, language: str = ENGLISH, **values: str) -> str:
    """Return the answer to a customer's command, of the section `[own]`. Raises KeyError if there is no such answer, or
    a value is missing."""
    return _say(language, f"own.{name}", **values)


def command_does(name: str, language: str) -> str:
    """Say what a customer's command does. Raises KeyError for any other."""
    return _say(language, f"help.{name}")


def sentence(name: str, language: str) -> str:
    """Return a sentence that has no values in it, by its section and name, such as "chat.start". Raises KeyError if
    there is none."""
    return _say(language, name)


def action_label(name: str, language: str) -> str:
    """Return what stands on a button: a sentence for "solved" and "not_solved", the digit for "rate-1" to "rate-5".
    Raises KeyError for any other."""
    rating = RATING.fullmatch(name)
    return rating[1] if rating else _say(language, f"action.{name}")


def question(name: str, language: str) -> str:
    """Return what the page behind a link asks: "solved" or "rate"."""
    return _say(language, f"page.{name}")


def category_word(category: Category, language: str) -> str:
    """Return what people call a category."""
    return _say(language, f"category.{category}")


def channel_name(channel: str) -> str:
    """Return what a channel is called on a card: a message of it, in English."""
    return _channel_word(channel, ENGLISH)


def _at(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def _channel_word(channel: str, language: str) -> str:
    return _template(language, f"channel.{channel}") or channel.capitalize()


# --- what customers wrote

_OPENS = "([{<\"'*_«„“‘¿¡"
_CLOSES = ")]}>\"'*_»”“’.,;:!?…،؛؟।"
_LINK = re.compile(
    r"://|\bwww\.|[^\s.]\.(?=[^\W\d_])[\w-]{2,63}(?::\d{1,5})?(?:[/\\]|[?#]\w)",
    re.IGNORECASE,
)
"""A scheme, or `www.`, or a domain (of any script) with a path, a query or a fragment behind it."""
_WRITTEN = re.compile(r"\S+")


def quoted(text: str) -> str:
    """Return what we repeat of a customer's words: at most LONGEST_QUOTE characters, and no links.

    Whoever names an address of somebody else must not have us send them a link. An empty text stays empty.
    """
    shown = text[:LOOKED_AT]
    if _LINK.search(shown):  # most texts hold none, and need not be taken word by word
        shown = _WRITTEN.sub(_without_link, shown)
    return _cut(shown if len(text) <= LOOKED_AT else f"{shown.rstrip()} …", LONGEST_QUOTE)


def _without_link(written: re.Match[str]) -> str:
    """Replace what stands between two spaces, if there is a link in it, but for the punctuation around it."""
    word = written[0]
    if not _LINK.search(word):
        return word
    start = len(word) - len(word.lstrip(_OPENS))
    end = len(word.rstrip(_CLOSES))
    return f"{word[:start]}[link]{word[end:]}"


def _cut(text: str, longest: int) -> str:
    """Cut a text behind a word, or within one if it is longer than half of what there is room for."""
    if len(text) <= longest:
        return text
    head = text[: longest - 1]
    if not head[-1].isspace() and not text[longest - 1].isspace():
        words = head.rsplit(maxsplit=1)[0]
        head = words if len(words) > longest // 2 else head
    return f"{head.rstrip()}…"


# --- the catalogues


def _notice(
    kind: NoticeKind, incident: Incident, to: Address, what: str, language: str, section: str = "", **values: str
) -> Notice:
    """Write what the section of the catalogue (by default that of the kind's name) says. It may say nothing in the
    greeting, the lead or the closing."""
    section = section or kind
    known = {"ticket": incident.ticket_id, "category": category_word(incident.category, language), **values}

    def part(name: str) -> str:
        return _template(language, f"{section}.{name}").format_map(known)

    return Notice(
        key=key(incident, what, to),
        kind=kind,
        incident_id=incident.id,
        ticket_id=incident.ticket_id,
        subject=f"[{incident.ticket_id}] {part('subject')}",
        greeting=part("greeting"),
        lead=part("lead"),
        facts=(),
        quote="",
        closing=part("closing"),
        language=language,
        topic="" if kind in TO_AGENTS or _LINK.search(incident.subject) else incident.subject,
    )


def _facts(incident: Incident, language: str) -> tuple[tuple[str, str], ...]:
    """What a customer is told of their incident; what it is about only if somebody is sure of it."""
    numbers = (
        (_say(language, "label.ticket"), incident.ticket_id),
        (_say(language, "label.incident"), _isolated(incident.id, language)),
    )
    return numbers if incident.unsure else (*numbers, _about(incident, language))


def _about(incident: Incident, language: str) -> tuple[str, str]:
    return _say(language, "label.about"), category_word(incident.category, language)


def _isolated(name: str, language: str) -> str:
    """Keep an id that may begin with digits in its order where the text around it runs from right to left (UAX #9,
    LEFT-TO-RIGHT ISOLATE). A ticket's number, which begins with letters, needs no such marks."""
    return f"\u2066{name}\u2069" if language in RIGHT_TO_LEFT else name


def _list(missing: Sequence[str], language: str) -> str:
    *first, last = [_say(language, f"missing.{name}") for name in missing]
    return f"{_say(language, 'missing.comma').join(first)}{_say(language, 'missing.and')}{last}" if first else last


def _say(language: str, name: str, **values: str) -> str:
    template = _template(language, name)
    if not template:
        raise KeyError(f"bot/catalogues/en.toml has no {name}")
    return template.format_map(values)


def _template(language: str, name: str) -> str:
    """Look up a sentence in a language, or else in English; empty if there is none."""
    return _catalogue(_known(language)).get(name) or _catalogue(ENGLISH).get(name, "")


def _known(language: str) -> str:
    return language if language in LANGUAGES else ENGLISH


@cache
def _catalogue(language: str) -> Mapping[str, str]:
    """Read the sentences of a language, each under `section.name`."""
    with (CATALOGUES / f"{language}.toml").open("rb") as file:
        sections = tomllib.load(file)
    return {f"{section}.{name}": text for section, texts in sections.items() for name, text in texts.items()}


# --- lengths of time


def length(time: timedelta, language: str) -> str:
    """Say how long, in a language or else in English."""
    return _length(time, _known(language))


def _length(time: timedelta, language: str) -> str:
    """Say how long, in minutes, hours, or (from two days on) days; never less than a minute."""
    number, unit = _rounded(time)
    return _english(number, unit) if language == ENGLISH else _by_babel(number, unit, language)


def _soon(time: timedelta, language: str) -> str:
    """Say within what time from now."""
    number, unit = _rounded(time)
    return f"within {_english(number, unit)}" if language == ENGLISH else _by_babel(number, unit, language, "from now")


def _ago(time: timedelta, language: str) -> str:
    """Say how long ago."""
    number, unit = _rounded(time)
    return f"{_english(number, unit)} ago" if language == ENGLISH else _by_babel(number, unit, language, "ago")


def _rounded(time: timedelta) -> tuple[int, Unit]:
    minutes = max(1, round(time.total_seconds() / 60))
    if minutes < 60:
        return minutes, "minute"
    if minutes < 2 * 1440:
        return round(minutes / 60), "hour"
    return round(minutes / 1440), "day"


def _english(number: int, unit: Unit) -> str:
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def _by_babel(number: int, unit: Unit, language: str, direction: Literal["", "ago", "from now"] = "") -> str:
    """Say it with the plurals and cases of the Unicode CLDR. Babel is imported only for who needs it."""
    from babel.dates import format_timedelta

    seconds = number * {"minute": 60, "hour": 3600, "day": 86400}[unit]
    return format_timedelta(
        -seconds if direction == "ago" else seconds,
        granularity=unit,
        threshold=float("inf"),  # no larger unit
        add_direction=bool(direction),
        locale=language,
    )
