"""Mail that providers bring: Mailgun, SendGrid, Postmark, Amazon SES."""

import hashlib
import hmac
import json
import threading
from base64 import b64decode
from collections import OrderedDict
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import structlog

from adapters.mail import forms
from adapters.mail.hook import Headers, Hook, Json, Refused, addresses, is_secret, sender_of
from adapters.mail.parsed import Envelope
from adapters.mail.rebuilt import File, pairs_of, rebuild
from adapters.mail.sns import Forged, Notifications, NotReached
from adapters.mail.ways import Door
from bot.ports import Clock

AHEAD: Final = timedelta(minutes=5)
BEHIND: Final = timedelta(hours=9)
"""How much later than it was signed Mailgun may bring a mail: it tries for eight hours, and does not say that it signs
anew. A replay is harmless: the same mail is a duplicate, and another under the same signature is refused."""

TOKENS_KEPT: Final = 10_000
SNS_LARGEST: Final = 1_000_000
"""Bytes; Amazon's own limit is a quarter of that."""

log = structlog.get_logger()


# --- Mailgun


class Mailgun(Hook):
    """What a route's `forward` brings: the whole mail where the address ends with "mime", else taken apart; and what
    `store(notify=…)` does. Mailgun gives a mail up for 406 alone, and brings it
    again for eight hours otherwise (documentation.mailgun.com, "Receiving Messages via HTTP")."""

    name = "mailgun"
    paths = ("/inbound/mailgun", "/inbound/mailgun/mime")
    too_large = 406

    def __init__(self, door: Door, most: int, key: str, clock: Clock) -> None:
        super().__init__(door, most)
        self._key = key.encode()
        self._clock = clock
        self._seen: OrderedDict[str, bytes] = OrderedDict()
        self._guard = threading.Lock()

    def handle(self, headers: Headers, body: bytes) -> Json:
        form = _form(headers, body, 406)
        token = self._verified(form)
        raw = form.content("body-mime") or _rebuilt_of_mailgun(form)
        if not raw:
            raise Refused(406, "There is no mail in this form.")
        self._refuse_another_mail(token, raw)
        sender = form.content("sender")
        return self.take(
            raw,
            Envelope(
                None if sender is None else sender_of(form.text("sender")), addresses(form.text("recipient")), self.name
            ),
        )

    def _verified(self, form: forms.Form) -> str:
        """Return the token of a form that Mailgun has signed. Raises Refused."""
        timestamp, token = form.text("timestamp"), form.text("token")
        expected = hmac.new(self._key, f"{timestamp}{token}".encode(), hashlib.sha256).hexdigest()
        if not token or not is_secret(form.text("signature"), expected):
            raise Refused(403, "The signature is wrong: is MAILGUN_SIGNING_KEY that of this account?")
        age = self._clock().timestamp() - float(timestamp) if timestamp.isdecimal() else float("inf")
        if not -AHEAD.total_seconds() <= age <= BEHIND.total_seconds():
            raise Refused(403, "The signature is too old: is the time of this machine right?")
        return token

    def _refuse_another_mail(self, token: str, raw: bytes) -> None:
        """Raise Refused if another mail came under this signature: it does not cover the mail. This is known of the
        last ones that this process had."""
        digest = hashlib.sha256(raw).digest()
        with self._guard:
            if self._seen.setdefault(token, digest) != digest:
                raise Refused(403, "The signature was used before.")
            while len(self._seen) > TOKENS_KEPT:
                self._seen.popitem(last=False)


def _form(headers: Headers, body: bytes, status: int) -> forms.Form:
    """Read a form. Raises Refused, with this status, if it is none."""
    try:
        return forms.read(headers.get("content-type", ""), body)
    except ValueError as exc:
        raise Refused(status, f"The form cannot be read: {exc}.") from None


def _rebuilt_of_mailgun(form: forms.Form) -> bytes:
    """Make the mail of a form that has it taken apart; empty if there is none in it."""
    headers = _json(form.text("message-headers"))
    pairs = [(str(pair[0]), str(pair[1])) for pair in headers or () if isinstance(pair, list) and len(pair) == 2]
    if not pairs and form.text("from"):
        pairs = [("From", form.text("from")), ("To", form.text("recipient")), ("Subject", form.text("subject"))]
    if not pairs:
        return b""
    named = _json(form.text("content-id-map"))
    ids = {str(field): str(key).strip("<>") for key, field in named.items()} if isinstance(named, dict) else {}
    files = [
        File(file.file_name, file.media_type, file.content, ids.get(file.name, "")) for file in form.files
    ]  # fmt: skip
    return rebuild(pairs, form.text("body-plain"), form.text("body-html"), files)


def _json(text: str | bytes) -> Any:
    """Return what a JSON text says; None if it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# --- SendGrid


class SendGrid(Hook):
    """Inbound Parse, with "POST the raw, full MIME message" or without it. The whole body is signed, so that a replay
    is the same mail. SendGrid brings it again for three days while it is answered 5xx (twilio.com/docs/sendgrid,
    "Inbound Email Parse Webhook" and "Securing your Inbound Parse Webhooks")."""

    name = "sendgrid"
    paths = ("/inbound/sendgrid",)

    def __init__(self, door: Door, most: int, key: str) -> None:
        from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        super().__init__(door, most)
        loaded = load_der_public_key(b64decode(key))
        assert isinstance(loaded, EllipticCurvePublicKey)  # the settings have seen to it
        self._key: EllipticCurvePublicKey = loaded

    def admit(self, headers: Headers) -> None:
        if not _signature_of(headers) or not _timestamp_of(headers):
            raise Refused(401, "The signature is missing: give this address a security policy at SendGrid.")

    def handle(self, headers: Headers, body: bytes) -> Json:
        self._verify(headers, body)
        form = _form(headers, body, 400)
        told = _json(form.text("envelope"))
        told = told if isinstance(told, dict) else {}
        recipients = told.get("to")
        sender = told.get("from")
        envelope = Envelope(
            sender_of(sender) if isinstance(sender, str) else None,
            addresses(",".join(map(str, recipients)) if isinstance(recipients, list) else ""),
            self.name,
        )
        raw = form.content("email") or _rebuilt_of_sendgrid(form)
        if not raw:
            raise Refused(400, "There is no mail in this form.")
        return self.take(raw, envelope)

    def _verify(self, headers: Headers, body: bytes) -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
        from cryptography.hazmat.primitives.hashes import SHA256

        try:
            signature = b64decode(_signature_of(headers), validate=True)
            self._key.verify(signature, _timestamp_of(headers).encode() + body, ECDSA(SHA256()))
        except (InvalidSignature, ValueError):
            raise Refused(
                403, "The signature is wrong: is SENDGRID_PUBLIC_KEY that of this address's policy?"
            ) from None


def _signature_of(headers: Headers) -> str:
    return headers.get("x-twilio-email-event-webhook-signature", "")


def _timestamp_of(headers: Headers) -> str:
    return headers.get("x-twilio-email-event-webhook-timestamp", "")


def _rebuilt_of_sendgrid(form: forms.Form) -> bytes:
    """Make the mail of a form that has it taken apart; empty if there is none in it. Each text is in a charset of its
    own, which `charsets` tells."""
    told = _json(form.text("charsets"))
    charsets = {str(key): str(value) for key, value in told.items()} if isinstance(told, dict) else {}

    def text(name: str) -> str:
        return form.text(name, charsets.get(name, "utf-8"))

    pairs = pairs_of(form.text("headers"))
    if not pairs and form.text("from"):
        pairs = [("From", text("from")), ("To", text("to")), ("Subject", text("subject"))]
    if not pairs:
        return b""
    about = _json(form.text("attachment-info"))
    about = about if isinstance(about, dict) else {}
    files = []
    for file in form.files:
        known = about.get(file.name)
        content_id = str(known.get("content-id", "")) if isinstance(known, dict) else ""
        files.append(File(file.file_name, file.media_type, file.content, content_id.strip("<>")))
    return rebuild(pairs, text("text"), text("html"), files)


# --- Postmark


class Postmark(Hook):
    """The inbound webhook, with "Include raw email content" or without it. Postmark signs nothing: it has a user and a
    password in the address that it calls. It gives a mail up for 403 alone, and brings it ten times otherwise
    (postmarkapp.com/developer/user-guide/inbound/parse-an-email)."""

    name = "postmark"
    paths = ("/inbound/postmark",)
    too_large = 403

    def __init__(self, door: Door, most: int, auth: str) -> None:
        super().__init__(door, most)
        self._auth = auth

    def admit(self, headers: Headers) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        try:
            written = b64decode(given.strip(), validate=True).decode("utf-8", "replace")
        except ValueError:
            written = ""
        if scheme.lower() != "basic" or not is_secret(written, self._auth):
            raise Refused(401, "The user or the password is wrong.", **{"WWW-Authenticate": "Basic"})

    def handle(self, headers: Headers, body: bytes) -> Json:
        found = _json(body)
        if not isinstance(found, dict):
            raise Refused(403, "The body is none of Postmark's.")
        raw = _text(found, "RawEmail").encode("utf-8", "replace") or _rebuilt_of_postmark(found)
        if not raw:
            raise Refused(403, "There is no mail in this body.")
        return self.take(raw, Envelope(None, addresses(_text(found, "OriginalRecipient")), self.name))


def _text(found: Json, name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) else ""


def _entries(found: Json, name: str) -> list[Json]:
    value = found.get(name)
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _rebuilt_of_postmark(found: Json) -> bytes:
    """Make the mail of a body that has it taken apart; empty if there is none in it. The headers that have fields of
    their own are not among the others."""
    if not _text(found, "From"):
        return b""
    pairs = [(_text(entry, "Name"), _text(entry, "Value")) for entry in _entries(found, "Headers")]
    present = {name.lower() for name, _ in pairs}
    sender = found.get("FromFull")
    fields = {
        "From": _mailbox(sender) if isinstance(sender, dict) else _text(found, "From"),
        "To": ", ".join(_mailbox(entry) for entry in _entries(found, "ToFull")) or _text(found, "To"),
        "Cc": ", ".join(_mailbox(entry) for entry in _entries(found, "CcFull")) or _text(found, "Cc"),
        "Reply-To": _text(found, "ReplyTo"),
        "Subject": _text(found, "Subject"),
        "Date": _text(found, "Date"),
    }
    pairs += [(name, value) for name, value in fields.items() if value and name.lower() not in present]
    files = [
        File(_text(entry, "Name"), _text(entry, "ContentType"), _decoded(entry), _text(entry, "ContentID").strip("<>"))
        for entry in _entries(found, "Attachments")
    ]
    return rebuild(pairs, _text(found, "TextBody"), _text(found, "HtmlBody"), files)


def _mailbox(entry: Json) -> str:
    name = _text(entry, "Name").replace("\\", "").replace('"', "")
    return f'"{name}" <{_text(entry, "Email")}>' if name else _text(entry, "Email")


def _decoded(entry: Json) -> bytes:
    try:
        return b64decode(_text(entry, "Content"))
    except ValueError:
        return b""


# --- Amazon SES


class Ses(Hook):
    """What a receipt rule's SNS action brings: the whole mail, of up to 150 KB. SNS gives a notification up for 4xx,
    and brings it again, for an hour at most, for 5xx (docs.aws.amazon.com/sns, "Amazon SNS message delivery retries").
    """

    name = "ses"
    paths = ("/inbound/ses",)

    def __init__(self, door: Door, most: int, notifications: Notifications) -> None:
        super().__init__(door, most)
        self.largest = SNS_LARGEST
        self._notifications = notifications

    def handle(self, headers: Headers, body: bytes) -> Json:
        try:
            fields = self._notifications.verified(body)
            if fields["Type"] == "Notification":
                return self._take_mail(fields["Message"])
            return self._subscribe(fields)
        except Forged as exc:
            raise Refused(403, f"It is not taken: {exc}.") from None
        except NotReached as exc:
            raise Refused(503, f"It cannot be checked now: {exc}.", **{"Retry-After": "5"}) from None

    def _subscribe(self, fields: Mapping[str, str]) -> Json:
        if fields["Type"] == "UnsubscribeConfirmation":
            log.warning("mail.unsubscribed", by=self.name, remedy="Subscribe this address to the topic again.")
            return {"status": "unsubscribed"}
        self._notifications.confirm(fields)
        log.info("mail.subscribed", by=self.name)
        return {"status": "confirmed"}

    def _take_mail(self, message: str) -> Json:
        found = _json(message)
        if not isinstance(found, dict) or found.get("notificationType") != "Received":
            return {"status": "ignored"}  # SNS says hello, and SES tells of bounces, by the same topic if it is told to
        content = _text(found, "content")
        if not content:
            raise Refused(
                422,
                "SES has put the mail elsewhere. Give the receipt rule an SNS action, which brings its content; for "
                "mails of more than 150 KB use another way in.",
            )
        about, receipt = found.get("mail"), found.get("receipt")
        source = about.get("source") if isinstance(about, dict) else None
        recipients = receipt.get("recipients") if isinstance(receipt, dict) else None
        envelope = Envelope(
            sender_of(source) if isinstance(source, str) else None,
            addresses(",".join(map(str, recipients)) if isinstance(recipients, list) else ""),
            self.name,
        )
        return self.take(_mail_of(content), envelope)


def _mail_of(content: str) -> bytes:
    """Return the mail that SES has put into a notification, in Base64 or as a text: a mail has a colon after the name
    of its first header, and Base64 has none."""
    if ":" not in content:
        try:
            return b64decode(content)
        except ValueError:
            pass
    return content.encode("utf-8", "replace")
