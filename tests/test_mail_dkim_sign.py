"""Signed mail that goes out: another's program finds the signature good, and nobody can put a header in."""

import re
import sys

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from adapters.mail.compose import compose
from adapters.mail.dkim_sign import sign, usable
from bot.errors import ConfigurationError
from tests.test_mail_compose import AT, NOTICE, SENDER
from tests.test_mail_trust import Zone, proven

MAIL = compose(NOTICE, "ann@example.com", SENDER, AT)


@pytest.fixture(scope="module")
def zone() -> Zone:
    return Zone()


def signed(zone: Zone, mail: bytes = MAIL) -> bytes:
    return sign(mail, zone.pem, "k1", "firstline.example")


def good(zone: Zone, mail: bytes) -> bool:
    return bool(dkim.verify(mail, dnsfunc=lambda name, timeout: zone(name.decode(), timeout)))


def covered(mail: bytes) -> list[str]:
    found = re.search(rb"\bh=([^;]+);", mail)
    assert found is not None
    return found[1].decode().replace(" ", "").replace("\r\n", "").split(":")


def test_a_mail_of_ours_is_signed(zone: Zone) -> None:
    mail = signed(zone)

    assert mail.startswith(b"DKIM-Signature: ")
    assert mail.endswith(MAIL)
    assert good(zone, mail)
    assert zone.asked[-1].rstrip(".") == "k1._domainkey.firstline.example"
    assert proven(mail, zone)
    assert max(map(len, mail.partition(b"\r\n\r\n")[0].split(b"\r\n"))) <= 78
    assert b"\n" not in mail.replace(b"\r\n", b"")


def test_it_covers_what_a_reader_goes_by_and_a_second_from(zone: Zone) -> None:
    threaded = b"In-Reply-To: <1@a.example>\r\nReferences: <1@a.example>\r\nReply-To: s@firstline.example\r\n" + MAIL

    assert covered(signed(zone)) == [
        "from", "to", "subject", "date", "message-id", "auto-submitted", "mime-version", "content-type", "from",
    ]  # fmt: skip
    assert {"in-reply-to", "references", "reply-to"} < set(covered(signed(zone, threaded)))
    assert good(zone, signed(zone, threaded))


@pytest.mark.parametrize(
    ("was", "is_now"),
    [
        (b"Subject: We", b"Subject: He"),
        (b"Auto-Submitted: auto-generated", b"Auto-Submitted: no"),
        (b"\r\nFrom:", b"\r\nFrom: eve@evil.example\r\nFrom:"),
        (b"We have opened", b"We have closed"),
        (b"multipart/alternative", b"multipart/mixed"),
    ],
)
def test_what_is_changed_on_the_way_breaks_it(zone: Zone, was: bytes, is_now: bytes) -> None:
    mail = signed(zone)
    assert was in mail

    assert not good(zone, mail.replace(was, is_now, 1))


def test_white_space_may_change_on_the_way(zone: Zone) -> None:
    mail = signed(zone)

    assert good(zone, mail.replace(b"Subject: ", b"Subject:  \r\n ").replace(b" have ", b"  have \t"))


def test_a_key_may_be_written_in_any_way_that_openssl_writes_it(zone: Zone) -> None:
    key = rsa.generate_private_key(65537, 1024)
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL):
        pem = key.private_bytes(Encoding.PEM, form, NoEncryption())
        assert usable(pem) == usable(pem.replace(b"\n", b"\r\n")) == usable(b"A comment\n" + pem)


def keys_that_do_not_do() -> list[bytes]:
    key, curve = rsa.generate_private_key(65537, 1024), ec.generate_private_key(ec.SECP256R1())
    return [
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret")),
        curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())[:-200],
        b"",
        b"-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n",
    ]


@pytest.mark.parametrize("pem", keys_that_do_not_do(), ids=["encrypted", "curve", "cut off", "empty", "nonsense"])
def test_a_key_that_does_not_do_is_told_with_its_remedy_and_not_shown(pem: bytes) -> None:
    with pytest.raises(ConfigurationError, match=r"MAIL_DKIM_KEY.* openssl") as raised:
        sign(MAIL, pem, "k1", "firstline.example")

    assert "c2VjcmV0" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_where_dkimpy_is_not_installed_the_remedy_is_told(zone: Zone, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dkim", None)
    usable.cache_clear()

    with pytest.raises(ConfigurationError, match=r"pip install 'firstline\[dkim\]'"):
        sign(MAIL, zone.pem, "k1", "firstline.example")
