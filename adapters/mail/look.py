"""Whether the mailboxes that are read can be read; and what to do if not."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.mail.folder import Folder
from adapters.mail.imap import REMEDIES, trust
from adapters.mail.settings import ImapMailbox, MailInSettings
from bot.errors import FirstlineError

CONNECT = "is HOST right in IMAP_URL, with a PORT that fits imaps:// or imap://, and can it be reached from here?"
SLOW = "the server does not know IDLE, so mail is looked for once a minute"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well, what it is, and what to do if it is not."""

    well: bool
    says: str
    remedy: str = ""


def check(settings: MailInSettings) -> Iterator[Finding]:
    """Open each mailbox of IMAP_URL, and look. Nothing is changed in it. Raises ConfigurationError if IMAP_CA_FILE
    holds no certificates."""
    if not settings.mailboxes:
        yield Finding(True, "no mailbox is read; IMAP_URL names one")
    for mailbox in settings.mailboxes:
        where = f"{mailbox.folder} at {mailbox.host}:{mailbox.port}"
        try:
            yield from _look(mailbox, settings, where)
        except FirstlineError as exc:
            yield Finding(False, f"{where}: {exc}", REMEDIES.get(type(exc), CONNECT))


def _look(mailbox: ImapMailbox, settings: MailInSettings, where: str) -> Iterator[Finding]:
    """Raises Lost, NotLetIn or NotThere."""
    timeout, done = settings.imap_timeout.total_seconds(), settings.imap_done
    folder = Folder(mailbox, trust(settings.imap_ca_file), timeout, readonly=True)
    try:
        unseen, total = len(folder.search("UNSEEN")), len(folder.search("ALL"))
        yield Finding(True, f"{where}: it can be read; of {total} mails {unseen} have not been seen")
        yield Finding(True, f"{where}: " + ("mail is told at once (IDLE)" if "IDLE" in folder.can else SLOW))
        if done is not None:
            yield _done(folder, done, where)
    finally:
        folder.close(politely=True)


def _done(folder: Folder, done: str, where: str) -> Finding:
    how = "MOVE" if "MOVE" in folder.can else "COPY, for it does not know MOVE"
    if folder.has_folder(done):
        return Finding(True, f"{where}: what is taken goes to {done} (by {how})")
    return Finding(True, f"{where}: what is taken goes to {done} (by {how}), which is made when the bot starts")
