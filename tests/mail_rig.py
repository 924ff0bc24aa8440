"""Real mail servers on loopback: Postfix takes mail by SMTP and hands it by LMTP to Dovecot, which keeps mailboxes that
can be read by IMAP. Both run in a folder of their own, which is gone when the tests have ended."""

import imaplib
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.mailbox import free_port, wait_until

DOMAIN = "example.test"
SUPPORT, ANN, ROBOT = (f"{name}@{DOMAIN}" for name in ("support", "ann", "robot"))
PASSWORD = "correct horse@battery/staple"
JÜRGEN, UMLAUTS = f"juergen@{DOMAIN}", "Pässwörter sind süß"
OTHERS = 200
PATH = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C"}
OWNER = "nobody"
"""Whose the mails are. Dovecot gives its rights away to this user."""


def what_is_missing(*programs: str) -> str:
    """Say what keeps the servers from being started, or nothing."""
    for program in programs:
        if shutil.which(program, path=PATH) is None:
            return f"{program} is not installed: apt install dovecot-imapd dovecot-lmtpd postfix"
    return "" if os.geteuid() == 0 else "mail servers change users as they work: that takes root"


def needs(*programs: str) -> None:
    """Skip the test where a server cannot be started; with CI set it fails."""
    if missing := what_is_missing(*programs):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(missing)


class MailServer:
    """Dovecot. Every user has the password PASSWORD."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.tls_port, self.lmtp_port = free_port(), free_port(), free_port()
        self.certificate = self_signed(folder / "server.pem")
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "mail").mkdir()
        self._give_away(folder / "mail")
        others = [f"user{number}@{DOMAIN}" for number in range(OTHERS)]
        self.users = [SUPPORT, ANN, ROBOT, *others]
        self._others = iter(others)
        lines = [f"{user}:{{PLAIN}}{PASSWORD}\n" for user in self.users]
        (folder / "users").write_text("".join([*lines, f"{JÜRGEN}:{{PLAIN}}{UMLAUTS}\n"]), encoding="utf-8")
        self.configure()

    def configure(self, capability: str = "") -> None:
        """Write the configuration. `capability`: what to say that it can do, instead of the truth."""
        values = {
            "folder": self.folder, "owner": OWNER, "group": _group(), "port": self.port, "tls_port": self.tls_port,
            "lmtp_port": self.lmtp_port, "certificate": self.certificate,
            "capability": f"imap_capability = {capability}" if capability else "",
        }  # fmt: skip
        (self.folder / "dovecot.conf").write_text(DOVECOT.format(**values))

    def start(self) -> None:
        with (self.folder / "out").open("ab") as out:
            self._process = _child(["dovecot", "-F", "-c", str(self.folder / "dovecot.conf")], out)
        _wait_listening(self._process, self.folder / "log", self.port, self.tls_port, self.lmtp_port)

    def stop(self) -> None:
        """End it, with all connections. It is not asked to stop: then it takes seconds to tell its children."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(20)
            self._process = None
            for port in (self.port, self.tls_port, self.lmtp_port):  # its children may take a moment longer
                wait_until(lambda port=port: not _listens(port), 30, f"something listens on {port}")  # type: ignore[misc]

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """While entered, the server is away."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def new_user(self) -> str:
        """Somebody whose mailbox is empty."""
        return next(self._others)

    def fill(self, user: str, mails: Iterable[bytes]) -> None:
        """Put mails into a new user's inbox at once, past all delivery: thousands take no time."""
        box = self.folder / "mail" / user
        for folder in (box, *(box / name for name in ("new", "cur", "tmp"))):
            folder.mkdir()
        for number, mail in enumerate(mails):
            (box / "new" / f"{1795000000 + number}.M{number}.here").write_bytes(mail)
        for path in (box, *box.rglob("*")):
            self._give_away(path)

    def _give_away(self, path: Path) -> None:
        owner = pwd.getpwnam(OWNER)
        os.chown(path, owner.pw_uid, owner.pw_gid)

    def url(self, user: str = SUPPORT, folder: str = "INBOX", scheme: str = "imap+plain", **changes: Any) -> str:
        """The address of a mailbox as IMAP_URL has it. `changes`: another port, another password."""
        port = changes.get("port") or (self.tls_port if scheme == "imaps" else self.port)
        password = quote(changes.get("password", PASSWORD), safe="")
        return f"{scheme}://{quote(user)}:{password}@127.0.0.1:{port}/{quote(folder)}"

    def deliver(self, *mails: bytes, to: str = SUPPORT) -> None:
        """Put mails into somebody's inbox, as Postfix does."""
        with smtplib.LMTP("127.0.0.1", self.lmtp_port, "[127.0.0.1]") as lmtp:
            for mail in mails:
                lmtp.sendmail("ann@elsewhere.example", [to], mail)

    def client(self, user: str = SUPPORT) -> "Client":
        """A mail program that is logged in. A context manager."""
        return Client(self.port, user)

    def log(self) -> str:
        return (self.folder / "log").read_text()


class Client:
    """What a person sees who opens a mailbox."""

    def __init__(self, port: int, user: str) -> None:
        self._imap = imaplib.IMAP4("127.0.0.1", port, timeout=10)
        self._imap.login(user, PASSWORD)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        with suppress(OSError, imaplib.IMAP4.error):
            self._imap.logout()
        with suppress(OSError):
            self._imap.shutdown()

    def make(self, folder: str) -> None:
        self._ok(self._imap.create(_name(folder)))

    def delete(self, folder: str) -> None:
        self._ok(self._imap.select("INBOX"))  # who is in a folder that goes is thrown out
        self._ok(self._imap.delete(_name(folder)))

    def put(self, mail: bytes, folder: str = "INBOX", flags: str = "") -> None:
        """Put a mail into a folder, past all delivery."""
        self._ok(self._imap.append(_name(folder), flags or None, None, mail))  # type: ignore[arg-type]

    def flags(self, folder: str = "INBOX") -> dict[int, set[str]]:
        """The flags of all mails by their UIDs."""
        lines = self._fetch(folder, "(UID FLAGS)")
        found = (re.search(rb"UID (\d+) FLAGS \(([^)]*)\)", line) for line in lines if isinstance(line, bytes))
        return {int(one[1]): set(one[2].decode().split()) - {"\\Recent"} for one in found if one}

    def mails(self, folder: str = "INBOX") -> list[EmailMessage]:
        """All mails, the oldest first."""
        bodies = [line[1] for line in self._fetch(folder, "(UID BODY.PEEK[])") if isinstance(line, tuple)]
        return [message_from_bytes(body, policy=policy.default) for body in bodies]  # type: ignore[misc]

    def flag(self, uid: int, flag: str, folder: str = "INBOX") -> None:
        self._ok(self._imap.select(_name(folder)))
        self._ok(self._imap.uid("STORE", str(uid), "+FLAGS", f"({flag})"))

    def empty(self, *folders: str) -> None:
        """Delete every mail of these folders."""
        for folder in folders:
            self._ok(self._imap.select(_name(folder)))
            if self._imap.search(None, "ALL")[1] != [b""]:
                self._ok(self._imap.store("1:*", "+FLAGS", "(\\Deleted)"))
                self._ok(self._imap.expunge())

    def folders(self) -> set[str]:
        """The folders that a mail program shows beside INBOX: those that are subscribed to."""
        return {line.decode().rsplit('"/" ')[-1].strip('"') for line in self._imap.lsub()[1] if line}

    def _fetch(self, folder: str, what: str) -> list[Any]:
        self._ok(self._imap.select(_name(folder), readonly=True))
        if self._imap.search(None, "ALL")[1] == [b""]:
            return []
        return self._ok(self._imap.fetch("1:*", what))

    @staticmethod
    def _ok(answer: tuple[str, Any]) -> list[Any]:
        assert answer[0] == "OK", answer
        return list(answer[1])


class PostOffice:
    """Postfix in front of a MailServer: what is sent to its `port` for somebody at DOMAIN comes into their mailbox,
    also with +anything before the @."""

    def __init__(self, folder: Path, mailboxes: MailServer) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        for name in ("etc", "queue", "data"):
            (folder / name).mkdir()
        postfix = pwd.getpwnam("postfix")
        os.chown(folder / "data", postfix.pw_uid, postfix.pw_gid)
        (folder / "etc" / "users").write_text("".join(f"{user} yes\n" for user in mailboxes.users))
        values = {"folder": folder, "lmtp_port": mailboxes.lmtp_port, "domain": DOMAIN}
        (folder / "etc" / "main.cf").write_text(POSTFIX.format(**values))
        (folder / "etc" / "master.cf").write_text(SERVICES.format(port=self.port))

    def start(self) -> None:
        etc = str(self.folder / "etc")
        programs = _run(["postconf", "-c", etc, "-h", "daemon_directory"]).strip()
        _run(["postfix", "-c", etc, "check"])  # makes the folders of the queue, too
        # Not `postfix start-fg`: that waits for a child, which would outlive it.
        with (self.folder / "out").open("ab") as out:
            self._process = _child([f"{programs}/master", "-d", "-c", etc], out)
        _wait_listening(self._process, self.folder / "log", self.port)

    def stop(self) -> None:
        if self._process is not None:
            _end(self._process)
            self._process = None

    def send(self, sender: str, to: str, mail: bytes) -> None:
        """Hand in a mail as a mail program does."""
        with smtplib.SMTP("127.0.0.1", self.port, "[127.0.0.1]") as smtp:
            smtp.sendmail(sender, [to], mail)

    def environment(self) -> dict[str, str]:
        """The settings that make Firstline send here."""
        return {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(self.port), "SMTP_TLS": "none"}


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Start a Dovecot of our own, and stop it in the end. Where there is none the test is skipped."""
    needs("dovecot")
    with _folder("firstline-imap-") as folder:
        server = MailServer(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@contextmanager
def post_office(mailboxes: MailServer) -> Iterator[PostOffice]:
    """Start a Postfix of our own in front of these mailboxes, and stop it in the end."""
    needs("postfix")
    with _folder("firstline-smtp-") as folder:
        office = PostOffice(folder, mailboxes)
        office.start()
        try:
            yield office
        finally:
            office.stop()


class Line:
    """A line to a server that can be cut, and go silent: a TCP proxy. A context manager."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.silent = False
        self.connections = 0
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._threads: list[threading.Thread] = []
        self._open = True

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *args: object) -> None:
        self._open = False
        self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def cut(self) -> None:
        """End every connection that there is."""
        pairs, self._pairs = self._pairs, []
        for one in [one for pair in pairs for one in pair]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            try:
                far = socket.create_connection(("127.0.0.1", self._to))
            except OSError:
                near.close()
                continue
            self._pairs.append((near, far))
            ends = threading.Semaphore(0)
            self._run(self._copy, near, far, ends)
            self._run(self._copy, far, near, ends)
            self._run(self._close, near, far, ends)

    def _copy(self, source: socket.socket, to: socket.socket, ends: threading.Semaphore) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                while self.silent and self._open:
                    time.sleep(0.01)
                to.sendall(data)
        for one in (source, to):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        ends.release()

    def _close(self, near: socket.socket, far: socket.socket, ends: threading.Semaphore) -> None:
        for _ in range(2):
            ends.acquire()
        near.close()
        far.close()

    def _run(self, what: Any, *args: Any) -> None:
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()


def self_signed(path: Path) -> Path:
    """Write a self-signed certificate for 127.0.0.1 with its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key(), serial_number=7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


def a_mail(text: str, sender: str = "Ann <ann@elsewhere.example>", **headers: str) -> bytes:
    """A small mail with this text, which is its subject as well."""
    mail = EmailMessage()
    values = {"From": sender, "To": SUPPORT, "Subject": text, **headers}
    for name, value in values.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(text)
    return mail.as_bytes(policy=policy.SMTP)


@contextmanager
def _folder(prefix: str) -> Iterator[Path]:
    """A short path (that of a socket must be), which every user may pass through."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _child(command: list[str], out: Any) -> "subprocess.Popen[bytes]":
    """Start a server that ends with us even if we are killed, where that can be had."""
    if shutil.which("setpriv"):
        command = ["setpriv", "--pdeathsig", "TERM", *command]
    return subprocess.Popen(command, stdout=out, stderr=out, env=ENVIRONMENT, start_new_session=True)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(5)


def _wait_listening(process: "subprocess.Popen[bytes]", log: Path, *ports: int) -> None:
    def is_up(port: int) -> bool:
        assert process.poll() is None, f"{log.parent / 'out'}: {(log.parent / 'out').read_text()}"
        return _listens(port)

    for port in ports:
        wait_until(lambda port=port: is_up(port), 30, f"nothing listens on {port}")  # type: ignore[misc]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _group() -> str:
    import grp

    return grp.getgrgid(pwd.getpwnam(OWNER).pw_gid).gr_name


def _name(folder: str) -> str:
    from imap_tools.imap_utf7 import utf7_encode

    return f'"{utf7_encode(folder).decode()}"'


DOVECOT = """\
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
instance_name = firstline-{port}
protocols = imap lmtp
listen = 127.0.0.1
mail_location = maildir:{folder}/mail/%u
mail_uid = {owner}
mail_gid = {group}
first_valid_uid = 1
mail_fsync = never
mail_max_userip_connections = 1000
recipient_delimiter = +
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{certificate}
auth_mechanisms = plain login
auth_failure_delay = 0
auth_username_format = %Lu
{capability}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
userdb {{
  driver = static
  args = uid={owner} gid={group} home={folder}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = /
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {port}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {tls_port}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp_port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""

POSTFIX = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
mynetworks = 127.0.0.0/8
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = texthash:{folder}/etc/users
virtual_transport = lmtp:inet:127.0.0.1:{lmtp_port}
recipient_delimiter = +
default_transport = error:5.7.1 nothing leaves this machine
relay_transport = error
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
smtpd_recipient_restrictions = permit_mynetworks,reject
smtpd_peername_lookup = no
smtp_host_lookup = native
alias_maps =
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 2s
"""

SERVICES = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 1 1 qmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
proxymap   unix  - - n - - proxymap
error      unix  - - n - - error
retry      unix  - - n - - error
lmtp       unix  - - n - - lmtp
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
"""
