"""Signs outgoing mail (DKIM, RFC 6376), where a key is configured."""

from functools import lru_cache

from bot.errors import ConfigurationError

SIGNED = (
    b"from", b"to", b"subject", b"date", b"message-id", b"in-reply-to", b"references", b"reply-to", b"auto-submitted",
    b"mime-version", b"content-type",
)  # fmt: skip
ONCE_MORE = b"from"  # "oversigned": a second From that somebody puts in breaks the signature
SMALLEST_KEY = 1024  # bits: RFC 8301, 3.2
KEY_REMEDY = "MAIL_DKIM_KEY needs an RSA key in PEM, not encrypted: openssl genrsa -traditional 2048 writes one"


def sign(mail: bytes, key_pem: bytes, selector: str, domain: str) -> bytes:
    """Return the mail with a DKIM-Signature on top. `mail` has CRLF line ends and is changed no more afterwards.

    The key stands in the DNS at `selector`._domainkey.`domain`; the domain is that of From, or above it. Raises
    ConfigurationError if the key cannot be used, or dkimpy is not installed.
    """
    key = usable(key_pem)
    import dkim

    signer = dkim.DKIM(mail)
    there = [name.lower() for name, _ in signer.headers]
    covered = [name for name in SIGNED for _ in range(there.count(name))]
    header: bytes = signer.sign(
        selector.encode("ascii"),
        domain.encode("ascii"),
        key,
        canonicalize=(b"relaxed", b"relaxed"),
        include_headers=[*covered, ONCE_MORE],
    )
    return header + mail


@lru_cache(maxsize=4)
def usable(key_pem: bytes) -> bytes:
    """Return the key as dkimpy reads it (PKCS #1). Raises ConfigurationError, with the remedy, if there is no signing
    with it: to be asked at the start. Says nothing of what is in the key."""
    try:
        import dkim  # noqa: F401
    except ImportError:
        raise ConfigurationError("MAIL_DKIM_KEY is set: signing needs pip install 'firstline[dkim]'") from None
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(key_pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # a TypeError: it is encrypted
        raise ConfigurationError(KEY_REMEDY) from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < SMALLEST_KEY:
        raise ConfigurationError(f"{KEY_REMEDY}; this one is of another kind, or too short")
    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
