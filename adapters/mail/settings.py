"""Settings of mail, out and in."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator

from adapters.mail.compose import split_sender
from bot.settings import Duration, FromEnvironment

PORTS = {"starttls": 587, "tls": 465, "none": 25}  # RFC 6409, RFC 8314, RFC 5321
IMAP_PORTS = {"imaps": 993, "imap": 143, "imap+plain": 143}  # RFC 8314, RFC 3501
IMAP_URL = re.compile(
    r"(?P<scheme>imaps|imap|imap\+plain)://(?P<user>[^:/]+):(?P<password>[^/]+)"
    r"@(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[^@/:\[\]]+))(?::(?P<port>\d{1,5}))?(?:/(?P<folder>[^@]*))?"
)
IMAP_IS_WRITTEN = (
    "written imaps://USER:PASSWORD@HOST:PORT/FOLDER, with imap:// for STARTTLS or imap+plain:// for no encryption; the "
    "characters / : @ % and spaces in USER, PASSWORD and FOLDER are written %2F %3A %40 %25 %20; PORT and FOLDER may "
    "be left out"
)
CONTROLS = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class ImapMailbox:
    """A folder that mail is read from. `scheme` says how the connection is encrypted, as in IMAP_URL."""

    scheme: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"

    @classmethod
    def parse(cls, written: str) -> "ImapMailbox":
        """Read one address of IMAP_URL. Raises ValueError, which shows nothing of it."""
        found = IMAP_URL.fullmatch(written)
        if found is None:
            raise ValueError("is not " + IMAP_IS_WRITTEN)
        port = int(found["port"] or IMAP_PORTS[found["scheme"]])
        try:
            user, password, folder = (
                unquote(found[part] or "", errors="strict") for part in ("user", "password", "folder")
            )
        except UnicodeDecodeError:
            raise ValueError("has a % that is followed by no UTF-8; a % itself is written %25") from None
        if not 0 < port < 65536 or any(CONTROLS.search(text) for text in (user, password, folder)):
            raise ValueError("has a port that there is not, or control characters")
        # RFC 3501, 5.1: INBOX is the one name that is the same in small letters
        folder = "INBOX" if folder.upper() in ("", "INBOX") else folder
        return cls(found["scheme"], found["ipv6"] or found["host"], port, user, password, folder)

    @property
    def account(self) -> str:
        return f"{self.user}@{self.host}"

    @property
    def name(self) -> str:
        """What it is called in the log and in the database: all but how to get in."""
        return f"{self.account}/{self.folder}"


class MailSettings(FromEnvironment):
    """How mail is sent. Without SMTP_HOST it is written into the folder OUTBOX."""

    smtp_host: str | None = Field(None, description="The mail server. Not set: mails are written to OUTBOX, not sent.")
    smtp_tls: Literal["starttls", "tls", "none"] = Field("starttls", description="How the connection is encrypted.")
    smtp_port: int | None = Field(
        None, ge=1, le=65535, description="Default: 587 for starttls, 465 for tls, 25 for none."
    )
    smtp_user: str | None = Field(None, description="Whom to log in as. Not set: without logging in.")
    smtp_password: SecretStr | None = Field(None, description="The password of SMTP_USER.", validate_default=True)
    smtp_ca_file: FilePath | None = Field(None, description="Certificates (PEM) to trust beside the system's.")
    smtp_connections: int = Field(8, ge=1, le=100, description="How many connections may be open at once.")
    smtp_timeout: Duration = Field(
        timedelta(seconds=10), gt=timedelta(0), description="How long one network step may take."
    )
    smtp_deadline: Duration = Field(
        timedelta(seconds=30), gt=timedelta(0), description="How long sending one mail may take in all."
    )
    mail_from: str = Field("Firstline <support@localhost>", description="The sender: `Name <address>` or an address.")
    outbox: Path = Field(Path("outbox"), description="Folder for `.eml` files while no mail server is configured.")
    mail_return_path: Literal["auto", "verp", "null", "from"] = Field(
        "auto",
        description="Where bounces of automatic mail go: verp (a signed address of ours), null (nowhere), from "
        "(MAIL_FROM); auto is verp where mail to support+anything@ arrives, else null.",
    )
    mail_dkim_key: FilePath | None = Field(
        None, description="Private key (PEM) to sign outgoing mail with; needs MAIL_DKIM_SELECTOR and the extra `dkim`."
    )
    mail_dkim_selector: str | None = Field(None, description="Selector of MAIL_DKIM_KEY in the DNS.")

    @property
    def port(self) -> int:
        return self.smtp_port or PORTS[self.smtp_tls]

    @field_validator("smtp_host")
    @classmethod
    def _is_a_host_only(cls, host: str | None) -> str | None:
        if host is not None and re.search(r"://|\s|^[^:]*:\d+$", host):
            raise ValueError("a host name or an IP address only; the port is a setting of its own, SMTP_PORT")
        return host

    @field_validator("smtp_user")
    @classmethod
    def _has_a_server_to_log_in_at(cls, user: str | None, info: ValidationInfo) -> str | None:
        if user is not None and "smtp_host" in info.data and info.data["smtp_host"] is None:
            raise ValueError(
                "a user without a server, so that no mail would be sent: set SMTP_HOST, or neither of the two"
            )
        if user is not None and not user.isascii():
            raise ValueError("only ASCII characters can be used to log in")
        return user

    @field_validator("smtp_password")
    @classmethod
    def _comes_with_a_user(cls, password: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        user = info.data.get("smtp_user")
        if password is None and user is not None:
            raise ValueError("SMTP_USER is set, but not its password: set SMTP_PASSWORD too, or neither of the two")
        if password is not None and "smtp_user" in info.data and user is None:
            raise ValueError("a password without a user: set SMTP_USER too, or neither of the two")
        if password is not None and not password.get_secret_value().isascii():
            raise ValueError("only ASCII characters can be used to log in")
        return password

    @field_validator("mail_from")
    @classmethod
    def _is_an_address(cls, mail_from: str) -> str:
        try:
            _, address = split_sender(mail_from)
        except ValueError:
            raise ValueError("no mail address; write `Name <name@example.com>` or `name@example.com`") from None
        if not address.isascii():
            raise ValueError("the part before the @ must be ASCII: not every server takes other letters from a sender")
        return mail_from


class MailInSettings(FromEnvironment):
    """How mail comes in, and whose word counts. Each way in is on when its own setting is set."""

    mail_addresses: str = Field(
        "",
        description="Our own addresses, with commas between them, that mail comes in at. Not set: that of MAIL_FROM.",
    )
    mail_plus: bool | None = Field(
        None,
        description="Whether mail to support+anything@ arrives at support@; then answers carry a signed address. "
        "Not set: yes where Firstline itself, or a provider's webhook, takes the mail, no for IMAP.",
    )
    mail_key: SecretStr | None = Field(
        None, description="Signs our Message-IDs and reply addresses. Not set: a key made once, kept in the database."
    )
    mail_agents: str = Field(
        "", description="Mail addresses of agents, with commas between them; they count where the sender is proven."
    )
    mail_authserv_id: str | None = Field(
        None, description="Name by which our own receiving server signs its Authentication-Results; no other counts."
    )
    mail_listen: str | None = Field(
        None, description="Take mail here by SMTP or LMTP, such as smtp://127.0.0.1:2525 or lmtp://127.0.0.1:2424."
    )
    imap_url: SecretStr | None = Field(
        None,
        description="Mailboxes to read, with spaces between them: imaps://USER:PASSWORD@HOST:PORT/FOLDER; imap:// is "
        "STARTTLS, and imap+plain:// is not encrypted.",
    )
    imap_done: str | None = Field(
        None, description="Folder that mail is moved to once it is taken. Not set: it is marked as seen."
    )
    imap_ca_file: FilePath | None = Field(
        None, description="Certificates (PEM) to trust beside the system's, for IMAP."
    )
    imap_timeout: Duration = Field(
        timedelta(seconds=20), gt=timedelta(0), description="How long one step of IMAP may take."
    )
    mail_token: SecretStr | None = Field(
        None, description="By what callers of POST /inbound/email are known, as a bearer token. Not set: no such route."
    )
    mailgun_signing_key: SecretStr | None = Field(
        None, description="Mailgun's HTTP webhook signing key. Not set: no /inbound/mailgun."
    )
    sendgrid_public_key: SecretStr | None = Field(
        None, description="Verification key of SendGrid's Inbound Parse security policy. Not set: no /inbound/sendgrid."
    )
    postmark_auth: SecretStr | None = Field(
        None, description="USER:PASSWORD that stands in Postmark's webhook address. Not set: no /inbound/postmark."
    )
    ses_topics: str | None = Field(
        None,
        description="ARNs of the SNS topics that bring mail from Amazon SES, with commas. Not set: no /inbound/ses.",
    )
    max_mail: int = Field(10_000_000, ge=10_000, le=100_000_000, description="Largest mail that is taken in, in bytes.")

    @property
    def mailboxes(self) -> tuple[ImapMailbox, ...]:
        """The mailboxes of IMAP_URL."""
        return () if self.imap_url is None else tuple(map(ImapMailbox.parse, self.imap_url.get_secret_value().split()))

    @field_validator("imap_url")
    @classmethod
    def _are_mailboxes(cls, written: SecretStr | None) -> SecretStr | None:
        each = [] if written is None else written.get_secret_value().split()
        seen: set[str] = set()
        for number, one in enumerate(each, start=1):
            which = f"mailbox {number} " if len(each) > 1 else ""
            try:
                name = ImapMailbox.parse(one).name
            except ValueError as exc:
                raise ValueError(f"{which}{exc}") from None
            if name in seen:
                raise ValueError(f"{which}is there already; each is read once")
            seen.add(name)
        return written

    @field_validator("imap_done")
    @classmethod
    def _is_another_folder(cls, folder: str | None, info: ValidationInfo) -> str | None:
        written = info.data.get("imap_url")
        if folder is None or written is None:
            return folder
        if CONTROLS.search(folder):
            raise ValueError("the name of a folder has no control characters")
        read = {ImapMailbox.parse(one).folder for one in written.get_secret_value().split()}
        if ("INBOX" if folder.upper() == "INBOX" else folder) in read:
            raise ValueError("must not be a folder that IMAP_URL has read, or mail would go round for ever")
        return folder

    def _secrets(self) -> Iterator[str]:
        yield from super()._secrets()
        for mailbox in self.mailboxes:
            yield mailbox.password
