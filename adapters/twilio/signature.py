"""By what a webhook is known to be Twilio's (twilio.com/docs/usage/security, "Validating requests").

The signature is of our whole address as Twilio knows it, and of what is posted. The address is that of the setting,
never what a request says of itself.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import parse_qs, urlsplit, urlunsplit

HEADER: Final = "x-twilio-signature"
BODY_HASH: Final = "bodySHA256"
PORTS: Final = {"http": 80, "https": 443}

Values = Mapping[str, Sequence[str]]


def sign(token: str, url: str, values: Values) -> str:
    """Sign an address and what is posted to it: HMAC-SHA1, in Base64. A name's values count once each, in order."""
    posted = "".join(f"{name}{value}" for name in sorted(values) for value in sorted(set(values[name])))
    digest = hmac.new(token.encode(), (url + posted).encode("utf-8", "surrogatepass"), hashlib.sha1).digest()
    return base64.b64encode(digest).decode()


def is_signed(token: str, given: str, url: str, values: Values) -> bool:
    """Whether a form was signed with our token. Some of Twilio's products sign the port that an address leaves out."""
    return _matches(token, given, url, values)


def is_signed_json(token: str, given: str, url: str, body: bytes) -> bool:
    """Whether a body that is no form was signed: then its SHA-256 is in the address."""
    (told,) = parse_qs(urlsplit(url).query).get(BODY_HASH, [""])[:1]
    is_its = hmac.compare_digest(hashlib.sha256(body).hexdigest(), told.lower().encode("ascii", "replace").decode())
    return is_its and _matches(token, given, url, {})


def _matches(token: str, given: str, url: str, values: Values) -> bool:
    known = given.encode("utf-8", "replace")
    found = [hmac.compare_digest(sign(token, one, values).encode(), known) for one in _spellings(url)]
    return any(found)


def _spellings(url: str) -> Iterator[str]:
    """An address as it is; and with the port of its scheme, or without."""
    yield url
    parts = urlsplit(url)
    port = PORTS.get(parts.scheme)
    if parts.port is None:
        yield urlunsplit(parts._replace(netloc=f"{parts.netloc}:{port}"))
    elif parts.port == port:
        yield urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0]))
