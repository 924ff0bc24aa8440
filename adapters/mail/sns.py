"""Amazon's notification service (SNS), which brings mail from SES: whether a notification is really Amazon's
(docs.aws.amazon.com/sns, "Verifying the signatures of Amazon SNS messages")."""

import json
import re
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from bot.ports import Clock

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

TIMEOUT: Final = 5.0
LARGEST_CERTIFICATE: Final = 65_536
MOST_KEPT: Final = 8
"""Certificates; Amazon has one for each region, and changes it once a year."""

SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""What of each type is signed, in this order; a subject only where there is one."""

_AMAZONS = re.compile(r"https://sns\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/[^\s\\]*")


class Forged(Exception):
    """Raised for what Amazon has not signed, or not for us. The text says why."""


class NotReached(Exception):
    """Raised when Amazon could not be asked for what was needed."""


def is_amazons(url: str, topic: str) -> bool:
    """Whether an address is one of SNS in the region of this topic."""
    match = _AMAZONS.fullmatch(url)
    return match is not None and match[1] == topic.split(":")[3]


class Notifications:
    """Takes notifications of these topics. `is_theirs(url, topic)` says whether an address may be asked."""

    def __init__(
        self, topics: frozenset[str], clock: Clock, is_theirs: Callable[[str, str], bool] = is_amazons
    ) -> None:
        self._topics = topics
        self._clock = clock
        self._is_theirs = is_theirs
        self._keys: dict[str, RSAPublicKey] = {}
        self._guard = threading.Lock()

    def verified(self, body: bytes) -> dict[str, str]:
        """Return the fields of a notification that is signed, by name. Raises Forged or NotReached."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            raise Forged("no notification") from None
        pairs = found.items() if isinstance(found, dict) else ()
        fields = {name: value for name, value in pairs if isinstance(value, str)}
        if fields.get("Type") not in SIGNED:
            raise Forged("no notification; switch raw message delivery off")
        topic = fields.get("TopicArn", "")
        if topic not in self._topics:
            raise Forged("a topic that is not in SES_TOPICS")
        url = fields.get("SigningCertURL", "")
        if not self._is_theirs(url, topic):
            raise Forged("a certificate that is none of Amazon's")
        self._verify(fields, self._key(url))
        return fields

    def confirm(self, fields: Mapping[str, str]) -> None:
        """Tell Amazon that we want what this topic brings. Raises Forged or NotReached."""
        url = fields.get("SubscribeURL", "")
        if not self._is_theirs(url, fields["TopicArn"]):
            raise Forged("a confirmation that is none of Amazon's")
        _fetch(url)

    def _verify(self, fields: Mapping[str, str], key: "RSAPublicKey") -> None:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

        digests: dict[str, hashes.HashAlgorithm] = {"1": hashes.SHA1(), "2": hashes.SHA256()}
        digest = digests.get(fields.get("SignatureVersion", ""))
        try:
            if digest is None:
                raise Forged("a signature of an unknown version")
            signature = b64decode(fields.get("Signature", ""), validate=True)
            key.verify(signature, signed_text(fields), PKCS1v15(), digest)
        except (InvalidSignature, ValueError):
            raise Forged("a wrong signature") from None

    def _key(self, url: str) -> "RSAPublicKey":
        with self._guard:
            known = self._keys.get(url)
        if known is None:
            known = self._certified(_fetch(url))
            with self._guard:
                if len(self._keys) >= MOST_KEPT:
                    self._keys.clear()
                self._keys[url] = known
        return known

    def _certified(self, pem: bytes) -> "RSAPublicKey":
        """Return the key of a certificate that is valid today. That it is Amazon's is shown by where it was fetched."""
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.x509 import load_pem_x509_certificate

        try:
            certificate = load_pem_x509_certificate(pem)
        except ValueError:
            raise NotReached("the certificate cannot be read") from None
        key = certificate.public_key()
        if not certificate.not_valid_before_utc <= self._clock() <= certificate.not_valid_after_utc:
            raise Forged("a certificate that is not valid today")
        if not isinstance(key, RSAPublicKey):
            raise Forged("a certificate of another kind")
        return key


def signed_text(fields: Mapping[str, str]) -> bytes:
    """Return what is signed of a notification."""
    named = [name for name in SIGNED[fields["Type"]] if name != "Subject" or name in fields]
    return "".join(f"{name}\n{fields.get(name, '')}\n" for name in named).encode("utf-8", "replace")


def _fetch(url: str) -> bytes:
    """Ask for a page; no redirection is followed. Raises NotReached, whose text has nothing of the address."""
    import requests

    until = time.monotonic() + 2 * TIMEOUT
    content = bytearray()
    try:
        with requests.get(url, timeout=TIMEOUT, allow_redirects=False, stream=True) as answer:
            for piece in answer.iter_content(8192):
                content += piece
                if len(content) > LARGEST_CERTIFICATE or time.monotonic() > until:
                    raise NotReached("Amazon's answer is too long")
            status: Any = answer.status_code
    except (requests.RequestException, ValueError) as exc:  # a ValueError: an address that is none
        raise NotReached(f"Amazon does not answer ({type(exc).__name__})") from None
    if status != 200:
        raise NotReached(f"Amazon answers {status}")
    return bytes(content)
