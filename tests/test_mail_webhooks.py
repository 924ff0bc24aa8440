"""Mail that comes over HTTP, from a real server, signed as the providers say that they sign."""

import hashlib
import hmac
import json
import re
import socket
import threading
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette

from adapters.http.api import Collected
from adapters.mail import forms, hook, providers
from adapters.mail.rebuilt import File, rebuild
from adapters.mail.settings import MailInSettings
from adapters.mail.sns import is_amazons
from adapters.mail.webhooks import Webhooks
from bot.errors import ConfigurationError
from tests.door import Door
from tests.fakes import NOON, TestClock
from tests.mail_door import AWAY, TakingDoor

PAYLOADS = Path(__file__).parent / "payloads" / "email"
RAW = (PAYLOADS / "plain.eml").read_bytes()
TOKEN = "a-token-that-is-long-enough"
MAILGUN = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"
POSTMARK = "postmark:pass:wörd"
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
SENDGRID = ec.generate_private_key(ec.SECP256R1())
AMAZON = rsa.generate_private_key(65537, 2048)
MOST = 100_000


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))
    return found


def public_key() -> str:
    der = SENDGRID.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return b64encode(der).decode()


class Amazon:
    """SNS on loopback: gives out its certificate, and hears confirmations. `asked` are the paths that were asked for;
    `status` is what it answers, `certificate` what it gives out."""

    def __init__(self) -> None:
        amazon = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                amazon.asked.append(self.path)
                self.send_response(amazon.status)
                if amazon.status == 302:
                    self.send_header("Location", f"{amazon.url}/elsewhere")
                self.end_headers()
                self.wfile.write(amazon.certificate)

            def log_message(self, *args: object) -> None:
                pass

        self.asked: list[str] = []
        self.status = 200
        self.certificate = certificate(AMAZON)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def is_theirs(self, url: str, topic: str) -> bool:
        return url.startswith(f"{self.url}/") and topic == TOPIC

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def certificate(key: rsa.RSAPrivateKey, days: int = 1) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOON - timedelta(days=30))
        .not_valid_after(NOON + timedelta(days=days))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


class Site:
    """The routes on a real server, and who takes the mail."""

    def __init__(self, web: Door, door: TakingDoor, amazon: Amazon, clock: TestClock) -> None:
        self.door = door
        self.amazon = amazon
        self.clock = clock
        self._web = web

    def post(self, path: str, **how: Any) -> requests.Response:
        return requests.post(f"{self._web.url}/inbound/{path}", timeout=20, **how)

    @property
    def mail(self) -> EmailMessage:
        """The one mail that was taken."""
        found = message_from_bytes(self.door.raw, policy=policy.default)
        assert isinstance(found, EmailMessage)
        return found

    # --- as each provider does it

    def email(self, data: Any = RAW, **headers: str) -> requests.Response:
        told = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "message/rfc822", **headers}
        return self.post("email", data=data, headers={name: value for name, value in told.items() if value})

    def mailgun(
        self, fields: dict[str, Any], files: Any = None, signed: dict[str, str] | None = None, path: str = "mailgun"
    ) -> requests.Response:
        return self.post(path, data={**fields, **(signed or self.sign())}, files=files)

    def sign(self, token: str = "t" * 50, key: str = MAILGUN, at: float | None = None) -> dict[str, str]:
        timestamp = str(int(at or self.clock().timestamp()))
        signature = hmac.new(key.encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
        return {"timestamp": timestamp, "token": token, "signature": signature}

    def sendgrid(
        self, fields: dict[str, Any], files: Any = None, key: Any = SENDGRID, spoil: bytes = b""
    ) -> requests.Response:
        made = requests.Request("POST", "http://127.0.0.1/", data=fields, files=files or {"": ("", b"")}).prepare()
        assert isinstance(made.body, bytes)
        signature = key.sign(b"1795348800" + made.body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "Content-Type": made.headers["Content-Type"],
            "X-Twilio-Email-Event-Webhook-Signature": b64encode(signature).decode(),
            "X-Twilio-Email-Event-Webhook-Timestamp": "1795348800",
        }
        return self.post("sendgrid", data=made.body + spoil, headers=headers)

    def postmark(self, body: Any, auth: str = POSTMARK) -> requests.Response:
        told = {"Authorization": f"Basic {b64encode(auth.encode()).decode()}", "Content-Type": "application/json"}
        return self.post("postmark", data=json.dumps(body), headers=told)

    def sns(self, name: str, key: rsa.RSAPrivateKey = AMAZON, **fields: str | None) -> requests.Response:
        """A notification, signed as it is described at docs.aws.amazon.com; None leaves a field away."""
        made = payload(name)
        made["SigningCertURL"] = f"{self.amazon.url}/cert.pem"
        if "SubscribeURL" in made:
            made["SubscribeURL"] = f"{self.amazon.url}/?Action=ConfirmSubscription&Token={made['Token']}"
        made = {name: value for name, value in {**made, **fields}.items() if value is not None}
        signed = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        text = "".join(f"{name}\n{made[name]}\n" for name in signed if name in made)
        digest = hashes.SHA1() if made["SignatureVersion"] == "1" else hashes.SHA256()
        made["Signature"] = b64encode(key.sign(text.encode(), PKCS1v15(), digest)).decode()
        made |= {name[:-1]: value for name, value in made.items() if name.endswith("_")}
        return self.post("ses", data=json.dumps(made), headers={"Content-Type": "text/plain; charset=UTF-8"})

    def ses(self, content: str | None, **how: Any) -> requests.Response:
        received = payload("ses_received")
        received["content"] = content
        return self.sns("sns_notification", Message=json.dumps(received), **how)


@pytest.fixture(scope="module")
def amazon() -> Iterator[Amazon]:
    amazon = Amazon()
    yield amazon
    amazon.close()


@pytest.fixture
def site(door: Door, amazon: Amazon, clock: TestClock) -> Iterator[Site]:
    amazon.asked, amazon.status, amazon.certificate = [], 200, certificate(AMAZON)
    taking, collected = TakingDoor(), Collected()
    settings = MailInSettings(
        _env_file=None,  # type: ignore[call-arg]
        mail_token=TOKEN,
        mailgun_signing_key=MAILGUN,
        sendgrid_public_key=public_key(),
        postmark_auth=POSTMARK,
        ses_topics=TOPIC,
        max_mail=MOST,
    )
    with Webhooks(settings, clock, amazon.is_theirs).listening(taking, collected):
        door.app = Starlette(routes=collected.routes)
        yield Site(door, taking, amazon, clock)


def file_of(mail: EmailMessage, index: int = 0) -> EmailMessage:
    found = list(mail.iter_attachments())[index]
    assert isinstance(found, EmailMessage)
    return found


# --- what is the same for all


def bring(site: Site, by: str) -> requests.Response:
    """Bring the mail as it is."""
    text = RAW.decode()
    match by:
        case "email":
            return site.email()
        case "mailgun":
            return site.mailgun({"recipient": "support@example.com", "sender": "ana@example.org", "body-mime": text})
        case "sendgrid":
            return site.sendgrid({"email": text, "envelope": payload("sendgrid_parsed")["envelope"]})
        case "postmark":
            return site.postmark({**payload("postmark_parsed"), "RawEmail": text})
        case _:
            return site.ses(b64encode(RAW).decode())


ALL = ["email", "mailgun", "sendgrid", "postmark", "ses"]


@pytest.mark.parametrize("by", ALL)
def test_a_mail_arrives_as_it_is_and_a_second_time_it_is_a_duplicate(site: Site, by: str) -> None:
    answers = [bring(site, by) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [answer.json()["status"] for answer in answers] == ["taken", "duplicate"]
    assert site.door.raw == RAW
    assert site.door.envelope.source == {"email": "http"}.get(by, by)


@pytest.mark.parametrize("by", ALL)
def test_what_is_not_committed_is_to_be_brought_again(site: Site, by: str) -> None:
    site.door.failures = [AWAY]
    refused = bring(site, by)
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "5"
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert bring(site, by).json()["status"] == "taken"
    assert site.door.raw == RAW


@pytest.mark.parametrize("by", ALL)
def test_a_mistake_of_ours_is_none_of_theirs_and_tells_nothing(site: Site, by: str) -> None:
    site.door.failures = [RuntimeError("a secret")]
    refused = bring(site, by)
    assert refused.status_code == 500
    assert "secret" not in refused.text
    assert bring(site, by).status_code == 200


@pytest.mark.parametrize(
    ("by", "status"), [("email", 413), ("mailgun", 406), ("sendgrid", 413), ("postmark", 403), ("ses", 413)]
)
def test_a_mail_that_is_too_large_is_refused_for_good(site: Site, by: str, status: int) -> None:
    large = RAW.decode() + "x" * MOST
    match by:
        case "email":
            refused = site.email(large.encode())
        case "mailgun":
            refused = site.mailgun({"body-mime": large})
        case "sendgrid":
            refused = site.sendgrid({"email": large})
        case "postmark":
            refused = site.postmark({"RawEmail": large})
        case _:
            refused = site.ses(large)
    assert refused.status_code == status
    assert "larger" in refused.json()["detail"]
    assert site.door.mails == []


@pytest.mark.parametrize("by", ["mailgun", "sendgrid", "postmark", "ses"])
def test_a_body_that_is_too_large_is_not_read_to_its_end(site: Site, by: str) -> None:
    def endless() -> Iterator[bytes]:
        yield b"x" * 1_100_000

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    headers |= {f"X-Twilio-Email-Event-Webhook-{name}": "1" for name in ("Signature", "Timestamp")}
    headers |= {"Authorization": f"Basic {b64encode(POSTMARK.encode()).decode()}"} if by == "postmark" else {}
    refused = site.post(by, data=endless(), headers=headers)
    assert refused.status_code == {"mailgun": 406, "postmark": 403}.get(by, 413)


@pytest.mark.parametrize("by", ALL)
def test_without_its_setting_there_is_no_route(by: str, clock: TestClock) -> None:
    names = {
        "email": {"mail_token": TOKEN},
        "mailgun": {"mailgun_signing_key": MAILGUN},
        "sendgrid": {"sendgrid_public_key": public_key()},
        "postmark": {"postmark_auth": POSTMARK},
        "ses": {"ses_topics": TOPIC},
    }
    for settings, expected in (({}, set()), (names[by], {f"/inbound/{by}"})):
        collected = Collected()
        read = MailInSettings(_env_file=None, **settings)  # type: ignore[call-arg, arg-type]
        with Webhooks(read, clock).listening(TakingDoor(), collected):
            paths = {route.path.removesuffix("/mime") for route in collected.routes}
            assert paths == expected


def test_too_many_at_once_are_put_off_and_one_that_hangs_up_is_forgotten(site: Site, door: Door) -> None:
    host, port = door.url.removeprefix("http://").split(":")
    head = f"POST /inbound/mailgun HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"
    waiting = [socket.create_connection((host, int(port)), 10) for _ in range(hook.AT_ONCE)]
    for client in waiting:
        client.sendall(head.encode())
        assert b"100 Continue" in client.recv(1000)  # the body is being read
    refused = site.mailgun({"body-mime": RAW.decode()})
    assert refused.status_code == 503
    assert refused.headers["Retry-After"] == "5"
    assert bring(site, "email").status_code == 200
    for client in waiting:
        client.close()
    for _ in range(200):
        if site.mailgun({"body-mime": RAW.decode()}).status_code == 200:
            break
    else:
        pytest.fail("those that have gone still count")


def test_a_body_that_does_not_come_is_not_waited_for(site: Site, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "READ_WITHIN", 0.1)
    host, port = door.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as client:
        client.sendall(f"POST /inbound/mailgun HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100\r\n\r\n".encode())
        assert client.recv(1000).startswith(b"HTTP/1.1 408 ")


def test_nothing_of_a_body_or_a_secret_is_logged(site: Site) -> None:
    with structlog.testing.capture_logs() as said:
        site.email(Authorization="Bearer wrong-token")
        site.mailgun({"body-mime": RAW.decode()}, signed={**site.sign(), "signature": "0" * 64})
        site.sendgrid({"email": RAW.decode()}, spoil=b"x")
        site.postmark({"RawEmail": RAW.decode()}, auth="postmark:wrong-password")
        site.ses(b64encode(RAW).decode(), Signature_="AAAA")
    assert [line["by"] for line in said if line["event"] == "mail.refused"] == ["http", *ALL[1:]]
    text = repr(said)
    assert not re.search(r"example\.org|wrong-|cobrado|" + "|".join(map(re.escape, (TOKEN, MAILGUN, "pass:w"))), text)
    assert site.door.mails == []


# --- whoever has the token


def test_the_envelope_is_told_in_headers(site: Site) -> None:
    told = {"X-Envelope-From": "<ana@example.org>", "X-Envelope-To": "support@example.com, <hilfe@example.com>"}
    assert site.email(**told).status_code == 200
    assert site.door.envelope.sender == "ana@example.org"
    assert site.door.envelope.recipients == ("support@example.com", "hilfe@example.com")


@pytest.mark.parametrize(("told", "sender"), [("<>", ""), (None, None), ("x" * 400, None)])
def test_an_empty_sender_is_not_the_same_as_none(site: Site, told: str | None, sender: str | None) -> None:
    site.email(**({} if told is None else {"X-Envelope-From": told}))
    assert site.door.envelope.sender == sender


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN])
def test_without_the_token_nothing_is_read(site: Site, authorization: str) -> None:
    def body() -> Iterator[bytes]:
        yield RAW

    refused = site.email(body(), Authorization=authorization)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert site.door.mails == []


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/json", "message/delivery-status"])
def test_only_a_mail_is_taken_with_the_token(site: Site, media_type: str) -> None:
    assert site.email(**{"Content-Type": media_type}).status_code == 415


def test_a_mail_of_nothing_is_none(site: Site) -> None:
    assert site.email(b" \r\n").status_code == 400


# --- Mailgun


def test_a_form_of_mailgun_becomes_a_mail_again(site: Site) -> None:
    files = [
        ("attachment-1", ("recibo ñ.pdf", b"%PDF-1.7\n\0\xff", "application/pdf")),
        ("attachment-2", ("logo.png", b"\x89PNG\r\n\r\n--", "image/png")),
    ]
    assert site.mailgun(payload("mailgun_parsed"), files).json()["status"] == "taken"
    mail = site.mail
    assert mail["From"] == "Ana Núñez <ana@example.org>"
    assert mail["To"].addresses[0].display_name == "Atención, clientes"
    assert mail["Subject"] == "Cobrado dos veces €"
    assert mail["Message-Id"] == "<CAF-7b1@mail.example.org>"
    assert mail["Received"].startswith("from mail.example.org")
    assert mail.get_body(("plain",)).get_content() == "Me han cobrado dos veces 49 €.\r\nPedido 7731.\r\n"  # type: ignore[union-attr]
    assert "<b>dos veces</b> 49 €" in mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert file_of(mail).get_filename() == "recibo ñ.pdf"
    assert file_of(mail).get_content() == b"%PDF-1.7\n\0\xff"
    assert file_of(mail).get_content_type() == "application/pdf"
    assert file_of(mail, 1)["Content-ID"] == "<logo@example.org>"
    assert file_of(mail, 1).get_content() == b"\x89PNG\r\n\r\n--"
    assert site.door.envelope.recipients == ("support@example.com",)
    assert site.door.envelope.sender == "ana@example.org"


def test_a_form_of_mailgun_without_files_is_url_encoded_and_the_same(site: Site) -> None:
    answers = [site.mailgun(payload("mailgun_parsed"), signed=site.sign(token)) for token in ("one", "two")]
    assert [answer.json()["status"] for answer in answers] == ["taken", "duplicate"]
    assert site.mail["Subject"] == "Cobrado dos veces €"


def test_mailgun_sends_the_whole_mail_to_an_address_that_ends_with_mime(site: Site) -> None:
    assert (
        site.mailgun({"body-mime": b"From: \xfcber@example.org\r\n\r\n\xff\xe9"}, path="mailgun/mime").status_code
        == 200
    )
    assert site.door.raw == b"From: \xfcber@example.org\r\n\r\n\xff\xe9"


def test_a_wrong_signature_of_mailgun_is_refused_but_not_for_good(site: Site) -> None:
    good = site.sign()
    for signed in (
        site.sign(key="another"),
        {**good, "token": "another"},
        {**good, "timestamp": str(int(good["timestamp"]) + 1)},
        {**good, "signature": ""},
        {**good, "signature": "ü"},
        {"timestamp": "", "token": "", "signature": ""},
    ):
        assert site.mailgun({"body-mime": RAW.decode()}, signed=signed).status_code == 403
    assert site.door.mails == []


@pytest.mark.parametrize(("late", "status"), [(-600, 403), (-200, 200), (200, 200), (8 * 3600, 200), (10 * 3600, 403)])
def test_mailgun_may_bring_a_mail_as_long_as_it_tries(site: Site, late: int, status: int) -> None:
    signed = site.sign(at=site.clock().timestamp() - late)
    assert site.mailgun({"body-mime": RAW.decode()}, signed=signed).status_code == status


@pytest.mark.parametrize("timestamp", ["soon", "9" * 500, "-5", "²"])
def test_a_timestamp_that_is_none_is_refused_even_if_it_is_signed(site: Site, timestamp: str) -> None:
    signature = hmac.new(MAILGUN.encode(), f"{timestamp}t".encode(), hashlib.sha256).hexdigest()
    signed = {"timestamp": timestamp, "token": "t", "signature": signature}
    assert site.mailgun({"body-mime": RAW.decode()}, signed=signed).status_code == 403


def test_a_signature_of_mailgun_is_good_for_one_mail(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    signed = site.sign()
    assert site.mailgun({"body-mime": RAW.decode()}, signed=signed).json()["status"] == "taken"
    assert site.mailgun({"body-mime": RAW.decode()}, signed=signed).json()["status"] == "duplicate"
    assert site.mailgun({"body-mime": "Subject: forged\n\nx"}, signed=signed).status_code == 403
    monkeypatch.setattr(providers, "TOKENS_KEPT", 1)
    assert site.mailgun({"body-mime": RAW.decode()}, signed=site.sign("another")).json()["status"] == "duplicate"
    assert len(site.door.mails) == 1


@pytest.mark.parametrize(
    "fields", [{}, {"body-mime": ""}, {"subject": "no sender"}, {"message-headers": "{"}, {"message-headers": '["x"]'}]
)
def test_a_form_without_a_mail_is_given_up_by_mailgun(site: Site, fields: dict[str, str]) -> None:
    assert site.mailgun(fields).status_code == 406


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/json", b"{}"),
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=b", b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nt'),
        ("multipart/form-data; boundary=b", b"--b\r\nno end of the headers\r\n--b--"),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n" * 1100 + b"--b--"),
        ("application/x-www-form-urlencoded", b"a=b&" * 1100),
    ],
)
def test_what_is_no_form_is_given_up_by_mailgun(site: Site, media_type: str, body: bytes) -> None:
    assert site.post("mailgun", data=body, headers={"Content-Type": media_type}).status_code == 406


# --- SendGrid


def test_a_form_of_sendgrid_becomes_a_mail_again(site: Site) -> None:
    fields = payload("sendgrid_parsed")
    text = fields.pop("text").encode("windows-1252")
    files = {"attachment1": ("recibo.pdf", b"%PDF", "application/pdf"), "text": (None, text)}
    assert site.sendgrid(fields, files).json()["status"] == "taken"
    mail = site.mail
    assert mail["From"] == "Ana Núñez <ana@example.org>"
    assert mail["To"] == "Support <support@example.com>"
    assert mail["Subject"] == "Cobrado dos veces €"
    assert mail["Message-ID"] == "<CAF-7b1@mail.example.org>"
    assert mail.get_body(("plain",)).get_content() == "Me han cobrado dos veces 49 €.\r\nPedido 7731.\r\n"  # type: ignore[union-attr]
    assert file_of(mail).get_content() == b"%PDF"
    assert file_of(mail)["Content-ID"] == "<logo@example.org>"
    assert site.door.envelope.sender == "ana@example.org"
    assert site.door.envelope.recipients == ("support@example.com",)


def test_a_wrong_signature_of_sendgrid_is_refused(site: Site) -> None:
    fields = {"email": RAW.decode()}
    assert site.sendgrid(fields, key=ec.generate_private_key(ec.SECP256R1())).status_code == 403
    assert site.sendgrid(fields, spoil=b"\r\n").status_code == 403
    assert site.post("sendgrid", data=fields).status_code == 401
    odd = {
        "X-Twilio-Email-Event-Webhook-Signature": "é?".encode("latin-1"),
        "X-Twilio-Email-Event-Webhook-Timestamp": "1",
    }
    assert site.post("sendgrid", data=fields, headers=odd).status_code == 403
    assert site.door.mails == []


@pytest.mark.parametrize("envelope", ["", "[]", '{"to": 5, "from": []}', "{" * 5000, '{"from": "\\ud800"}'])
def test_an_envelope_of_sendgrid_that_is_none_does_not_keep_the_mail_out(site: Site, envelope: str) -> None:
    assert site.sendgrid({"email": RAW.decode(), "envelope": envelope}).status_code == 200
    assert site.door.envelope.sender is None
    assert site.door.envelope.recipients == ()


def test_a_form_without_a_mail_is_given_up_by_sendgrid(site: Site) -> None:
    assert site.sendgrid({"text": "no sender"}).status_code == 400


# --- Postmark


def test_a_body_of_postmark_becomes_a_mail_again(site: Site) -> None:
    assert site.postmark(payload("postmark_parsed")).json()["status"] == "taken"
    mail = site.mail
    assert mail["From"] == "Ana Núñez <ana@example.org>"
    assert mail["To"] == "Support <support+t0k3n@example.com>"
    assert mail["Subject"] == "Cobrado dos veces €"
    assert mail["Message-ID"] == "<CAF-7b1@mail.example.org>"
    assert mail["Date"].datetime.isoformat() == "2026-11-22T12:57:58+01:00"
    assert mail["Cc"] is None
    assert mail.get_body(("plain",)).get_content() == "Me han cobrado dos veces 49 €.\nPedido 7731.\n"  # type: ignore[union-attr]
    assert file_of(mail).get_filename() == "recibo ñ.pdf"
    assert file_of(mail).get_content() == b"%PDF-1.7\n"
    assert site.door.envelope.recipients == ("support+t0k3n@example.com",)
    assert site.door.envelope.sender is None


def test_whoever_does_not_know_postmarks_password_is_refused_but_not_for_good(site: Site) -> None:
    for auth in ("", "postmark", "postmark:", "postmark:pass", f"{POSTMARK}x"):
        refused = site.postmark(payload("postmark_parsed"), auth=auth)
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == "Basic"
    assert site.post("postmark", data=b"{}", headers={"Authorization": "Basic ?"}).status_code == 401
    assert site.post("postmark", data=b"{}").status_code == 401
    assert site.door.mails == []


@pytest.mark.parametrize("body", [[], {}, "x", {"From": 5}, {"RawEmail": ["x"]}])
def test_a_body_without_a_mail_is_given_up_by_postmark(site: Site, body: Any) -> None:
    assert site.postmark(body).status_code == 403


# --- Amazon SES


def test_a_notification_of_amazons_is_taken_under_either_signature(site: Site) -> None:
    assert site.ses(b64encode(RAW).decode(), SignatureVersion="1").json()["status"] == "taken"
    assert site.ses(RAW.decode(), SignatureVersion="2", Subject=None).json()["status"] == "duplicate"
    assert site.door.envelope.sender == "ana@example.org"
    assert site.door.envelope.recipients == ("support@example.com",)
    assert site.amazon.asked == ["/cert.pem"]


def test_a_subscription_is_confirmed_once_and_for_our_topics_alone(site: Site) -> None:
    assert site.sns("sns_confirmation").json() == {"status": "confirmed"}
    assert site.amazon.asked == ["/cert.pem", "/?Action=ConfirmSubscription&Token=2336412f37fb687f5d51e6e2425d"]
    assert site.sns("sns_confirmation", TopicArn=TOPIC + "2").status_code == 403
    assert site.sns("sns_confirmation", SubscribeURL="http://127.0.0.1:9/").status_code == 403
    assert len(site.amazon.asked) == 2


def test_a_confirmation_that_amazon_does_not_hear_is_tried_again_and_leads_nowhere_else(site: Site) -> None:
    assert site.ses(RAW.decode()).status_code == 200
    for status in (500, 302, 404):
        site.amazon.status = status
        refused = site.sns("sns_confirmation")
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
    assert "/elsewhere" not in site.amazon.asked
    site.amazon.status = 200
    assert site.sns("sns_confirmation").status_code == 200


def test_a_notification_that_amazon_has_not_signed_is_refused(site: Site) -> None:
    content = RAW.decode()
    for how in (
        {"key": rsa.generate_private_key(65537, 2048)},
        {"Signature_": "AAAA"},
        {"Signature_": "?"},
        {"Message_": json.dumps({**payload("ses_received"), "content": "Subject: forged\n\nx"})},
        {"Timestamp_": "2026-11-22T11:58:03.200Z"},
        {"SignatureVersion_": "3"},
        {"SignatureVersion_": "1"},
        {"Type_": "UnsubscribeConfirmation"},
        {"SigningCertURL": "https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem"},
        {"SigningCertURL": None},
        {"TopicArn": "arn:aws:sns:eu-west-1:999999999999:mail"},
    ):
        assert site.ses(content, **how).status_code == 403, how
    assert site.door.mails == []


def test_a_certificate_that_cannot_be_had_or_is_none_is_asked_for_again(site: Site) -> None:
    site.amazon.status = 500
    assert site.ses(RAW.decode()).status_code == 503
    site.amazon.status = 200
    for odd in (b"no certificate", b"x" * 100_000):
        site.amazon.certificate = odd
        assert site.ses(RAW.decode()).status_code == 503
    site.amazon.certificate = certificate(AMAZON, days=-1)
    assert site.ses(RAW.decode()).status_code == 403
    site.amazon.certificate = certificate(AMAZON)
    assert site.ses(RAW.decode()).status_code == 200


@pytest.mark.parametrize("content", [None, ""])
def test_a_notification_without_its_mail_is_given_up_and_its_operator_told_what_to_do(
    site: Site, content: str | None
) -> None:
    with structlog.testing.capture_logs() as said:
        assert site.ses(content).status_code == 422
    (line,) = [line for line in said if line["event"] == "mail.refused"]
    assert "SNS action" in line["reason"]


@pytest.mark.parametrize("message", ["Hello", "[]", '{"notificationType": "Bounce"}'])
def test_what_else_comes_by_the_topic_is_left_alone(site: Site, message: str) -> None:
    assert site.sns("sns_notification", Message=message).json() == {"status": "ignored"}
    assert site.door.mails == []


def test_the_end_of_a_subscription_is_told(site: Site) -> None:
    with structlog.testing.capture_logs() as said:
        assert site.sns("sns_confirmation", Type="UnsubscribeConfirmation").json() == {"status": "unsubscribed"}
    assert "mail.unsubscribed" in {line["event"] for line in said}
    assert site.amazon.asked == ["/cert.pem"]


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"Type": []}', b"[" * 5000, b'{"Type": "Notification"}'])
def test_what_is_no_notification_is_refused(site: Site, body: bytes) -> None:
    assert site.post("ses", data=body).status_code == 403


@pytest.mark.parametrize(
    ("url", "theirs"),
    [
        ("https://sns.eu-west-1.amazonaws.com/cert.pem", True),
        ("https://sns.eu-west-1.amazonaws.com.cn/cert.pem", True),
        ("http://sns.eu-west-1.amazonaws.com/cert.pem", False),
        ("https://sns.us-east-1.amazonaws.com/cert.pem", False),
        ("https://sns.eu-west-1.amazonaws.com:444/cert.pem", False),
        ("https://sns.eu-west-1.amazonaws.com@evil.example/cert.pem", False),
        ("https://sns.eu-west-1.amazonaws.com\\@evil.example/cert.pem", False),
        ("https://sns.eu-west-1.amazonaws.com.evil.example/cert.pem", False),
        ("https://evil.example/sns.eu-west-1.amazonaws.com/cert.pem", False),
        ("https://bucket.s3.eu-west-1.amazonaws.com/cert.pem", False),
        ("https://sns.eu-west-1.amazonaws.com/a b", False),
        ("", False),
    ],
)
def test_only_amazon_in_the_topics_region_is_asked(url: str, theirs: bool) -> None:
    assert is_amazons(url, TOPIC) is theirs


# --- the pieces


def test_the_same_pieces_always_give_the_same_mail() -> None:
    pieces: Any = ([("From", "a@example.org")], "text", "<p>html</p>", [File("a.txt", "text/plain", b"x")])
    assert rebuild(*pieces) == rebuild(*pieces)
    assert rebuild(*pieces) != rebuild(*pieces[:3], [File("a.txt", "text/plain", b"y")])


def test_headers_that_are_none_cannot_add_others() -> None:
    headers = [
        ("Subject", "one\r\nBcc: x@example.org\r\n\r\nbody"),
        ("Bad\r\nX-Injected", "y"),
        ("", "z"),
        ("Content-Type", "text/html"),
        ("mime-version", "2.0"),
        ("To", "josé@bücher.example"),
        ("X-Long", "ü" * 3000),
    ]
    mail = message_from_bytes(rebuild(headers, "text", "", []), policy=policy.default)
    assert mail.keys() == ["Subject", "To", "X-Long", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    assert mail["Subject"] == "one Bcc: x@example.org body"
    assert mail["X-Long"] == "ü" * 3000


def test_an_attached_mail_stays_one_and_odd_files_stay_files() -> None:
    inner = b"From: \xff@example.org\r\nSubject: inner\r\n\r\nhello\r\n"
    files = [File("", "message/rfc822", inner), File('a"\r\nb.txt', "te xt/plain", b"x", "a\r\nb")]
    mail = message_from_bytes(rebuild([("From", "a@example.org")], "", "", files), policy=policy.default)
    body, attached, odd = mail.iter_parts()  # type: ignore[attr-defined]
    assert body.get_content() == ""
    assert attached.get_payload(0)["Subject"] == "inner"
    assert inner in rebuild([], "", "", files)
    assert odd.get_content_type() == "application/octet-stream"
    assert odd.get_filename() == 'a"\r\nb.txt'
    assert odd["Content-ID"] is None


def test_the_bytes_of_a_file_in_a_form_are_left_alone() -> None:
    mail = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n\r\r\n\0\xff\n--x--\r\n"
    body = (
        b"preamble\r\n--b\r\nContent-Disposition: form-data; name=a; filename*=utf-8''%C3%B1.eml\r\n"
        b"Content-Type: message/rfc822\r\n\r\n" + mail + b"\r\n--b \r\n"
        b'Content-Disposition: form-data; name="q\xc3\xa9"\r\n\r\n\r\n--b--\r\nepilogue'
    )
    form = forms.read('multipart/form-data; boundary="b"', body)
    assert form.content("a") == mail
    assert form.files[0].file_name == "ñ.eml"
    assert form.files[0].media_type == "message/rfc822"
    assert form.content("qé") == b""
    assert form.content("none") is None


# --- settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAIL_TOKEN", "short"),
        ("MAIL_TOKEN", "with spaces in between it"),
        ("SENDGRID_PUBLIC_KEY", "x"),
        ("SENDGRID_PUBLIC_KEY", b64encode(b"no key").decode()),
        ("POSTMARK_AUTH", "user"),
        ("POSTMARK_AUTH", ":password"),
        ("SES_TOPICS", "mail"),
        ("SES_TOPICS", TOPIC.replace("sns", "sqs")),
    ],
)
def test_a_setting_that_cannot_be_right_is_told_without_its_value(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=f"{name}: ") as told:
        MailInSettings.read()
    assert f" {value}" not in str(told.value)
