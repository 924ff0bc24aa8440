"""A folder of a mailbox, opened by IMAP (RFC 3501): what is in it, the bytes of a mail, and what is done with mails.

imap-tools connects, logs in and idles. Its `flag`, `delete` and `move` are not used: they expunge the whole folder,
also what somebody else has marked as deleted.
"""

import imaplib
import re
import selectors
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from adapters.mail.compose import one_line
from adapters.mail.settings import ImapMailbox
from bot.errors import FirstlineError

GLANCE: Final = 0.5
"""Seconds between two looks whether we stop, while the server is silent."""

KEEP_ALIVE: Final = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}
"""After two minutes without a sign of life the system itself finds out that a peer has gone."""

SIZE: Final = re.compile(rb"\bRFC822\.SIZE (\d+)", re.IGNORECASE)
BODY: Final = re.compile(rb"\bBODY\[\]", re.IGNORECASE)
ADDRESSES: Final = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?")
LATER: Final = re.compile(r"\[(UNAVAILABLE|LIMIT|INUSE|SERVERBUG)\b")
"""RFC 5530: what keeps us out is the server's own state."""


class Lost(FirstlineError):
    """Raised when the connection has ended, or cannot be gone on with: it is to be made anew."""


class NotLetIn(FirstlineError):
    """Raised when the server refuses the user or the password."""


class NotThere(FirstlineError):
    """Raised when the server does not open the folder."""


class Refused(FirstlineError):
    """Raised when the server refuses one thing; the connection is well."""


class Folder:
    """A folder that is open. `validity` is its UIDVALIDITY: while it stays the same, so do the UIDs. `can` has what the
    server is capable of. One thread uses it; only `cut` may come from another."""

    def __init__(self, mailbox: ImapMailbox, tls: ssl.SSLContext, timeout: float, readonly: bool = False) -> None:
        """Connect, log in, open the folder. Raises Lost, NotLetIn or NotThere."""
        self._timeout = timeout
        with _speaking():
            self._box = _connect(mailbox, tls, timeout)
        self._client = self._box.client
        try:
            with _speaking():
                _keep_alive(self._client.sock)
                self._log_in(mailbox)
                self.can = self._capabilities()
                self._select(mailbox.folder, readonly)
                self.validity = int(self._client.response("UIDVALIDITY")[1][0] or 0)
        except BaseException:
            self.close()
            raise

    def search(self, criteria: str) -> list[int]:
        """Return the UIDs of the mails that this is true of, in rising order. Raises Lost."""
        with _speaking():
            return sorted(map(int, self._box.uids(criteria, charset=None)))

    def has_news(self) -> bool:
        """Whether the server has told of new mails since this was asked last, or a search may have missed them."""
        return bool(self._client.response("EXISTS")[1] != [None])

    def read(self, uid: int, most: int) -> tuple[bytes, int] | None:
        """Return the bytes of a mail, the first `most` of them, and how large it is; None if it is no longer there. It
        is not marked as seen by that. Raises Refused if the server does not hand it out, also if it hangs up on us for
        asking, and Lost."""
        try:
            with _speaking(refusal=Refused):
                size = self._size(uid)
                lines = self._uid("FETCH", str(uid), f"(UID BODY.PEEK[]{f'<0.{most}>' if size > most else ''})")
        except Lost as exc:
            if "BYE" in self._client.untagged_responses:
                raise Refused(str(exc)) from exc
            raise
        for line in lines:  # there may be others, about flags that have changed
            if isinstance(line, tuple) and BODY.search(line[0]):
                return bytes(line[1]), size
        return (b"", 0) if any(isinstance(line, bytes) and BODY.search(line) for line in lines) else None

    def mark_seen(self, uids: Sequence[int]) -> None:
        """Raises Refused or Lost."""
        with _speaking(refusal=Refused):
            self._uid("STORE", _these(uids), "+FLAGS.SILENT", r"(\Seen)")

    def move(self, uids: Sequence[int], folder: str) -> None:
        """Move mails to another folder, and delete nothing else. Raises Refused or Lost."""
        from imap_tools.utils import encode_folder

        name = encode_folder(folder)
        with _speaking(refusal=Refused):
            if "MOVE" in self.can:  # RFC 6851
                self._uid("MOVE", _these(uids), name)
                return
            self._uid("COPY", _these(uids), name)
            self._uid("STORE", _these(uids), "+FLAGS.SILENT", r"(\Deleted)")
            if "UIDPLUS" in self.can:  # RFC 4315; a plain EXPUNGE would delete what others have marked
                self._uid("EXPUNGE", _these(uids))

    def has_folder(self, folder: str) -> bool:
        """Whether there is a folder of this name beside ours. Raises Lost."""
        try:
            with _speaking(refusal=Refused):
                self._box.folder.status(folder, ["UIDVALIDITY"])
        except Refused:
            return False
        return True

    def make_folder(self, folder: str) -> None:
        """Raises Refused or Lost."""
        with _speaking(refusal=Refused):
            self._box.folder.create(folder)
        with suppress(Refused), _speaking(refusal=Refused):
            self._box.folder.subscribe(folder, True)  # mail programs show no others

    def idle(self, seconds: float, stop: threading.Event) -> None:
        """Wait until the server tells something (RFC 2177), for so many seconds at most, or until we stop. Raises
        Lost."""
        with _speaking():
            self._start_idling()
            if not self._has_read_on() and "EXISTS" not in self._client.untagged_responses:
                self._wait_for_something(seconds, stop)
            self._box.idle.stop()

    def nudge(self) -> None:
        """Have a server that cannot idle tell what is new. Raises Lost."""
        with _speaking():
            self._client.noop()

    def close(self, politely: bool = False) -> None:
        """Close the connection. `politely`: log out, which takes a second at most."""
        with suppress(OSError, imaplib.IMAP4.error, AttributeError, ValueError):
            if politely:
                self._client.sock.settimeout(1)
                self._client.logout()
        with suppress(OSError):
            self._client.shutdown()

    def cut(self) -> None:
        """End the connection under whoever waits for the server."""
        with suppress(OSError):
            # Not the method of an SSLSocket, which would take the encryption away first.
            socket.socket.shutdown(self._client.sock, socket.SHUT_RDWR)

    def _log_in(self, mailbox: ImapMailbox) -> None:
        """Raises NotLetIn, which shows no password, also where the server repeats it."""
        from imap_tools.errors import MailboxLoginError

        plain = f"{mailbox.user}{mailbox.password}".isascii() and "LOGINDISABLED" not in self._client.capabilities
        log_in = self._box.login if plain else self._box.login_utf8
        try:
            log_in(mailbox.user, mailbox.password, initial_folder=None)
        except imaplib.IMAP4.abort:
            raise
        except (MailboxLoginError, imaplib.IMAP4.error) as exc:
            said = _said(exc).replace(mailbox.password, "…")
            raise (Lost(said) if LATER.search(said) else NotLetIn(said)) from None

    def _capabilities(self) -> frozenset[str]:
        """Ask anew: many servers tell the whole only to those who have logged in (RFC 3501, 6.2.3)."""
        _, lines = self._client.capability()
        return frozenset(b" ".join(line for line in lines if line).decode("ascii", "replace").upper().split())

    def _select(self, folder: str, readonly: bool) -> None:
        from imap_tools.errors import MailboxFolderSelectError

        try:
            self._box.folder.set(folder, readonly)
        except (MailboxFolderSelectError, imaplib.IMAP4.readonly) as exc:
            said = _said(exc)
            raise (Lost(said) if LATER.search(said) else NotThere(said)) from exc

    def _uid(self, command: str, *arguments: Any) -> list[Any]:
        """Raises Refused if the answer is not OK, and what imaplib raises."""
        kind, lines = self._client.uid(command, *arguments)
        if kind != "OK":
            raise Refused(_words(lines))
        return list(lines)

    def _size(self, uid: int) -> int:
        """Return how many bytes a mail has; 0 if nobody tells."""
        for line in self._uid("FETCH", str(uid), "(UID RFC822.SIZE)"):
            if isinstance(line, bytes) and (size := SIZE.search(line)):
                return int(size[1])
        return 0

    def _start_idling(self) -> None:
        from imap_tools.errors import MailboxTaggedResponseError

        try:
            self._box.idle.start()
        except MailboxTaggedResponseError:  # any line before the "+" is a refusal to it, but a server may have news
            tag = self._box.idle._idle_tag
            while not self._client.tagged_commands[tag]:
                if self._client._get_response() is None:
                    return
            raise

    def _has_read_on(self) -> bool:
        """Whether the server's "+" brought more with it: it is in our buffer then, where nobody sees it who looks at
        the socket."""
        self._client.sock.settimeout(0)
        try:
            return bool(self._client.file.peek(1))
        except OSError:
            return False
        finally:
            self._client.sock.settimeout(self._timeout)

    def _wait_for_something(self, seconds: float, stop: threading.Event) -> None:
        last = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._client.sock, selectors.EVENT_READ)
            while not stop.is_set() and (left := last - time.monotonic()) > 0:
                if selector.select(min(left, GLANCE)):
                    return


def _connect(mailbox: ImapMailbox, tls: ssl.SSLContext, timeout: float) -> Any:
    """Return imap-tools' mailbox, whose `client` is that of imaplib: neither has types for all that is used here."""
    import imap_tools

    if mailbox.scheme == "imaps":
        return imap_tools.MailBox(mailbox.host, mailbox.port, timeout, ssl_context=tls)
    box = imap_tools.MailBoxUnencrypted(mailbox.host, mailbox.port, timeout)
    if mailbox.scheme == "imap":
        try:
            box.client.starttls(tls)
        except BaseException:
            with suppress(OSError):
                box.client.shutdown()
            raise
    return box


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEP_ALIVE.items():
        if hasattr(socket, name):  # not on every system
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


@contextmanager
def _speaking(refusal: type[FirstlineError] = Lost) -> Iterator[None]:
    """Turn what the libraries raise into ours: Lost, or `refusal` if the server refused what was asked."""
    from imap_tools import ImapToolsError

    try:
        yield
    except (OSError, imaplib.IMAP4.abort) as exc:
        raise Lost(_said(exc)) from exc
    except (ImapToolsError, imaplib.IMAP4.error) as exc:
        raise refusal(_said(exc)) from exc
    except Refused as exc:
        if refusal is Refused:
            raise
        raise refusal(str(exc)) from exc


def _said(exc: Exception) -> str:
    """What is wrong, in one short line without mail addresses."""
    result = getattr(exc, "command_result", None)
    return _words(result[1]) if result else _line(str(exc)) or type(exc).__name__


def _words(lines: Any) -> str:
    texts = [line.decode("utf-8", "replace") for line in lines if isinstance(line, bytes)]
    return _line(" ".join(texts)) or "no reason given"


def _line(text: str) -> str:
    return ADDRESSES.sub("<…>", one_line(text)[:200])


def _these(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))
