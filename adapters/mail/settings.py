"""Settings of mail, out and in."""

import re
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import Field, FilePath, SecretStr, ValidationInfo, field_validator

from adapters.mail.compose import SAFE, addr_spec, split_sender
from bot.settings import Duration, FromEnvironment

PORTS = {"starttls": 587, "tls": 465, "none": 25}  # RFC 6409, RFC 8314, RFC 5321
LISTEN = re.compile(r"(smtp|lmtp)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})/?")
TOPIC = re.compile(r"arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_.-]{1,256}")
SHORTEST_TOKEN = 16
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
class Listen:
    """A place at which mail is taken: `protocol` is smtp or lmtp."""

    protocol: str
    host: str
    port: int


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
    mail_dkim_selector: str | None = Field(
        None, description="Selector of MAIL_DKIM_KEY in the DNS.", validate_default=True
    )

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

    @field_validator("mail_dkim_selector")
    @classmethod
    def _comes_with_a_key(cls, selector: str | None, info: ValidationInfo) -> str | None:
        key = info.data.get("mail_dkim_key")
        if selector is None and key is not None:
            raise ValueError("MAIL_DKIM_KEY is set, but not its selector: set MAIL_DKIM_SELECTOR too, or neither")
        if selector is not None and "mail_dkim_key" in info.data and key is None:
            raise ValueError("a selector without a key: set MAIL_DKIM_KEY too, or neither of the two")
        if selector is not None and not SAFE.fullmatch(selector):
            raise ValueError("not a selector: letters, digits, hyphens and dots, as in s2026 of s2026._domainkey")
        return selector


class MailInSettings(FromEnvironment):
    """How mail comes in, and whose word counts. Each way in is on when its own setting is set."""

    mail_addresses: str = Field(
        "",
        description="Our own addresses beside that of MAIL_FROM, with commas between them: where mail comes in.",
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
    def plus(self) -> bool:
        """Whether mail to support+anything@ arrives."""
        if self.mail_plus is not None:
            return self.mail_plus
        providers = (self.mailgun_signing_key, self.sendgrid_public_key, self.postmark_auth, self.ses_topics)
        return self.imap_url is None and any(way is not None for way in (self.mail_listen, *providers))

    @property
    def has_routes(self) -> bool:
        """Whether mail comes in over HTTP, too."""
        tokens = (self.mail_token, self.mailgun_signing_key, self.sendgrid_public_key, self.postmark_auth)
        return bool(self.topics) or any(token is not None for token in tokens)

    @property
    def agents(self) -> frozenset[str]:
        """The agents' addresses, in lower case."""
        return frozenset(address.lower() for address in _addresses(self.mail_agents))

    def own(self, mail_from: str) -> frozenset[str]:
        """Our own addresses, in lower case; `mail_from` is MAIL_FROM."""
        found = (*_addresses(self.mail_addresses), split_sender(mail_from)[1])
        return frozenset(address.lower() for address in found)

    @field_validator("mail_addresses", "mail_agents")
    @classmethod
    def _are_addresses(cls, written: str) -> str:
        try:
            _addresses(written)
        except ValueError:
            raise ValueError("must be mail addresses such as support@shop.example, with commas between them") from None
        return written

    @field_validator("mail_key")
    @classmethod
    def _is_long_enough(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and len(key.get_secret_value().encode()) < 32:
            raise ValueError("needs at least 32 bytes")
        return key

    @property
    def listens(self) -> tuple[Listen, ...]:
        """Where mail is taken by SMTP or LMTP."""
        found = [match for one in _split(self.mail_listen) if (match := LISTEN.fullmatch(one)) is not None]
        return tuple(Listen(match[1], match[2].strip("[]"), int(match[3])) for match in found)

    @property
    def topics(self) -> frozenset[str]:
        """The SNS topics that may bring mail."""
        return frozenset(_split(self.ses_topics))

    @field_validator("mail_listen")
    @classmethod
    def _says_where(cls, written: str | None) -> str | None:
        for one in _split(written):
            match = LISTEN.fullmatch(one)
            if match is None or not 0 < int(match[3]) < 65536:
                raise ValueError("write smtp://127.0.0.1:2525 or lmtp://127.0.0.1:2424; commas between several")
        return written

    @field_validator("mail_token")
    @classmethod
    def _is_a_token(cls, token: SecretStr | None) -> SecretStr | None:
        written = "" if token is None else token.get_secret_value()
        if token is not None and not (len(written) >= SHORTEST_TOKEN and re.fullmatch(r"[!-~]+", written)):
            raise ValueError(
                f"needs at least {SHORTEST_TOKEN} characters, ASCII and without spaces. Make one: "
                'python3 -c "import secrets; print(secrets.token_urlsafe(32))"'
            )
        return token

    @field_validator("sendgrid_public_key")
    @classmethod
    def _is_a_public_key(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
            from cryptography.hazmat.primitives.serialization import load_der_public_key

            try:
                loaded = load_der_public_key(b64decode(key.get_secret_value(), validate=True))
            except ValueError:
                loaded = None
            if not isinstance(loaded, EllipticCurvePublicKey):
                raise ValueError("is not the verification key that SendGrid shows, one line that begins with MFkw")
        return key

    @field_validator("postmark_auth")
    @classmethod
    def _is_a_user_and_a_password(cls, written: SecretStr | None) -> SecretStr | None:
        if written is not None and not re.fullmatch(r"[^:]+:.+", written.get_secret_value()):
            raise ValueError("write USER:PASSWORD, as it stands before the @ in the address that Postmark calls")
        return written

    @field_validator("ses_topics")
    @classmethod
    def _are_topics(cls, written: str | None) -> str | None:
        if not all(TOPIC.fullmatch(one) for one in _split(written)):
            raise ValueError("write ARNs such as arn:aws:sns:eu-west-1:123456789012:mail, with commas between them")
        return written

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


def _addresses(written: str) -> list[str]:
    return [addr_spec(part) for part in written.split(",") if part.strip()]


def _split(written: str | None) -> list[str]:
    return [part.strip() for part in (written or "").split(",") if part.strip()]
