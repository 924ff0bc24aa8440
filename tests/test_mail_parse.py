"""What is read from a mail: who wrote it, what they say, which files came along. The mails in payloads/email look like
those of the programs that they are named after."""

import base64
import dataclasses
import unicodedata
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from adapters.mail.charsets import MEANT, _codec
from adapters.mail.parse import content, parse, unflowed
from adapters.mail.parsed import Mail, Mailbox, Unreadable

PAYLOADS = Path(__file__).parent / "payloads" / "email"
MAILS = sorted(path.name for path in PAYLOADS.glob("*.eml"))
FROM = b"From: Ana <ana@example.com>\n"


def payload(name: str) -> bytes:
    return (PAYLOADS / name).read_bytes()


def mail(body: bytes, *headers: bytes) -> Mail:
    """Parse a mail of Ana's with these headers."""
    return parse(FROM + b"".join(header + b"\n" for header in headers) + b"\n" + body)


def with_header(header: bytes) -> Mail:
    return parse(header + b"\nMIME-Version: 1.0\n\nMy card was charged twice.\n")


def multipart(kind: bytes, *parts: bytes) -> Mail:
    body = b"".join(b"--=_b\n" + part + b"\n" for part in parts) + b"--=_b--\n"
    return mail(body, b"Content-Type: multipart/" + kind + b'; boundary="=_b"')


def names(read: Mail) -> list[str]:
    return [part.name for part in read.parts]


def test_a_reply_from_gmail() -> None:
    read = parse(payload("gmail_reply.eml"))
    assert read.sender == Mailbox("José García", "jose.garcia@gmail.example")
    assert read.to == (Mailbox("Firstline", "support+t7.ab12@firstline.example"),)
    assert read.cc == (Mailbox("Garcia, Maria", "maria@gmail.example"),)
    assert read.message_id == "<CAF1=kX+second@mail.gmail.example>"
    assert read.in_reply_to == ("<ack-7@firstline.example>",)
    assert read.references == ("<CAF1=first@mail.gmail.example>", "<ack-7@firstline.example>")
    assert read.date == datetime(2026, 11, 24, 9, 12, 21, tzinfo=UTC)
    assert read.media_type == "multipart/alternative"
    assert read.text.startswith("The second charge of €49.90 is still there. Please look again.\n\nJosé\n\nOn Mon, ")
    assert read.text.endswith("wrote:\n\n> Hello,\n>\n> we have opened an incident.")
    assert read.parts == ()


def test_a_reply_from_outlook_is_html_whose_quote_begins_after_its_headers() -> None:
    read = parse(payload("outlook_reply.eml"))
    assert read.sender == Mailbox("Petra Schmidt", "petra.schmidt@contoso.example")
    assert read.text == (
        "Die Zahlung über 49,90 € fehlt noch. Hier das Bild:\n\n[Fehlermeldung der Bank]\n\n"
        "Von: Firstline <support@firstline.example>\nGesendet: Montag, 23. November 2026 18:02\n"
        "An: Petra Schmidt <petra.schmidt@contoso.example>\nBetreff: We have your message: TKT-98042a72\n\n"
        "> Hello,\n>\n> we have opened an incident."
    )
    (image,) = read.parts
    assert (image.name, image.media_type, image.size) == ("image.png", "image/png", 68)
    assert (content(payload("outlook_reply.eml"), image.index, 68) or b"").startswith(b"\x89PNG\r\n")


def test_apple_mail_puts_a_file_between_two_pieces_of_text() -> None:
    read = parse(payload("apple_mail.eml"))
    assert read.subject == "Receipt – charged twice"
    assert read.text == "The receipt – charged twice:\n\n\n\nZoë"
    assert names(read) == ["Reçu du 24 novembre 2026 (deux fois).pdf"]


def test_thunderbird_breaks_lines_that_are_put_together_again_quote_by_quote() -> None:
    read = parse(payload("thunderbird_flowed.eml"))
    assert read.sender.name == "O'Neil, Sean (home)"
    assert read.text.splitlines() == [
        "On 23/11/2026 18:02, Firstline wrote:",
        "> we have opened an incident and we will look at it as soon as one of us has the time.",
        ">> Your statement",
        "",
        "The opening balance is wrong: it should be £1,204.11, and the statement says £1,402.11.",
        "From what I can see two digits were swapped.",
        "",
        "-- ",
        "Sean",
    ]


@pytest.mark.parametrize(
    ("name", "sender", "subject", "text"),
    [
        (
            "japanese.eml",
            "山田太郎",
            "二重請求の件：返金のお願い",
            "カードが二重に請求されました。\n返金をお願いします。",
        ),
        ("arabic.eml", "ليلى حداد", "خصم مرتين", "تم خصم المبلغ مرتين من حسابي.\nأرجو إعادة المال."),
        ("hindi.eml", "प्रिया शर्मा", "दो बार भुगतान", "मेरे खाते से दो बार पैसे कट गए हैं।\nकृपया एक भुगतान वापस करें।"),
        ("winmail.eml", "Kowalski, Jan", "Account locked", "Moje konto jest zablokowane od wczoraj. Proszę o pomoc."),
    ],
)
def test_any_script_in_any_charset_is_read(name: str, sender: str, subject: str, text: str) -> None:
    read = parse(payload(name))
    assert (read.sender.name, read.subject) == (sender, subject)
    assert read.text.startswith(text)


@pytest.mark.parametrize(
    ("name", "recipient", "status", "returned"),
    [
        ("postfix_bounce.eml", "rfc822; nobody@shop.example", "5.1.1", "<ack-7@firstline.example>"),
        ("exchange_bounce.eml", "rfc822;full@contoso.example", "5.2.2", "<ack-8@firstline.example>"),
        ("gmail_bounce.eml", "rfc822; gone@gmail.example", "5.1.1", "<ack-10@firstline.example>"),
    ],
)
def test_a_bounce_tells_whom_it_is_about_and_which_mail(name: str, recipient: str, status: str, returned: str) -> None:
    read = parse(payload(name))
    assert read.media_type == "multipart/report"
    (about,) = read.report
    assert (about["final-recipient"], about["action"], about["status"]) == (recipient, "failed", status)
    assert read.returned["message-id"] == (returned,)
    assert "deliver" in read.text.lower()
    assert not any("delivery-status" in part.media_type or "headers" in part.media_type for part in read.parts)


def test_an_invitation_and_winmail_dat_are_files() -> None:
    invitation = parse(payload("invitation.eml"))
    assert invitation.text == ("Can we talk about my locked account tomorrow? I have written to you three times.")
    assert [(part.name, part.media_type) for part in invitation.parts] == [
        ("part-2.ics", "text/calendar"),
        ("invite.ics", "application/ics"),
    ]
    assert names(parse(payload("winmail.eml"))) == ["winmail.dat"]


def test_of_a_signed_mail_the_text_is_read_and_of_an_encrypted_one_there_is_none() -> None:
    signed = parse(payload("signed.eml"))
    assert (signed.text, names(signed)) == ("Platba byla stržena dvakrát.", ["platby.csv", "smime.p7s"])
    encrypted = parse(payload("encrypted.eml"))
    assert encrypted.text == ""
    assert [part.media_type for part in encrypted.parts] == ["application/pgp-encrypted", "application/octet-stream"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_text_inside_its_own_signature_is_read(streamed: bool) -> None:
    inner = b"Content-Type: text/plain; charset=utf-8\r\n\r\nPlatba byla str\xc5\xbeena dvakr\xc3\xa1t.\r\n"
    der = cms(inner, streamed)
    header = b"Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m"
    read = mail(base64.encodebytes(der), header, b"Content-Transfer-Encoding: base64")
    assert (read.text, names(read)) == ("Platba byla stržena dvakrát.", ["smime.p7m"])
    for length in range(0, len(der), 7):  # cut off anywhere, it is read as far as it goes
        assert names(mail(base64.encodebytes(der[:length]), header, b"Content-Transfer-Encoding: base64")) == [
            "smime.p7m"
        ]


def cms(inner: bytes, streamed: bool) -> bytes:
    """Sign, or (streamed) write what a signature begins with as OpenSSL does that signs while it reads."""
    if streamed:
        pieces = b"".join(
            b"\x04" + bytes([len(inner[at : at + 20])]) + inner[at : at + 20] for at in range(0, len(inner), 20)
        )
        oid = bytes.fromhex("06092a864886f70d0107")
        head = b"\x30\x80" + oid + b"\x02\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80" + oid + b"\x01\xa0\x80\x24\x80"
        return head + pieces + bytes(12)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Eva")])
    day = datetime(2026, 11, 24, tzinfo=UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + timedelta(days=1))
    signature = pkcs7.PKCS7SignatureBuilder().set_data(inner).add_signer(built.sign(key, SHA256()), key, SHA256())
    return signature.sign(Encoding.DER, [pkcs7.PKCS7Options.Binary])


def test_an_attached_mail_is_one_file_and_what_is_in_it_is_none_of_ours() -> None:
    raw = payload("forwarded_attached.eml")
    read = parse(raw)
    assert read.text == "This one came to my own address."
    assert names(read) == ["Card blocked _ since Monday_.eml", "note.txt"]  # no path, and no sign a system refuses
    assert content(raw, 2, 100) == b"a note\n"
    inner = parse(read.forwarded)
    assert (inner.sender.address, inner.text) == ("ana@shop.example", "My card is blocked.")
    assert content(raw, read.parts[0].index, 10_000) == read.forwarded


@pytest.mark.parametrize("name", MAILS)
def test_two_deliveries_of_one_mail_have_one_digest(name: str) -> None:
    raw = payload(name)
    again = b"Received: from a by b; Tue, 24 Nov 2026 10:00:00 +0000\n" + raw + b"\n"
    assert parse(raw).digest == parse(again).digest == parse(raw.replace(b"\n", b"\r\n")).digest
    assert parse(raw).digest != parse(raw.replace(b"Subject: ", b"Subject: Re: ")).digest
    assert parse(raw).digest != parse(raw + b"more\n").digest


@pytest.mark.parametrize("name", MAILS)
def test_line_ends_make_no_difference(name: str) -> None:
    crlf = parse(payload(name).replace(b"\n", b"\r\n"))
    lf = parse(payload(name))
    forget = {"parts": (), "forwarded": b""}
    assert dataclasses.replace(crlf, **forget) == dataclasses.replace(lf, **forget)  # type: ignore[arg-type]
    assert names(crlf) == names(lf)
    assert parse(payload(name).replace(b"\n", b"\r")).subject == lf.subject


@pytest.mark.parametrize("name", MAILS)
def test_each_part_has_the_size_that_it_says(name: str) -> None:
    raw = payload(name)
    for part in parse(raw).parts:
        assert len(content(raw, part.index, part.size) or b"") == part.size > 0
        assert content(raw, part.index, part.size - 1) is None
    assert content(raw, 99, 10**9) is None


# --- headers


@pytest.mark.parametrize(
    ("header", "name", "address"),
    [
        ("From: ana@example.com", "", "ana@example.com"),
        ("From: prvs=12=ana@example.com", "", "prvs=12=ana@example.com"),
        ("From: Ana <Ana.Lopez@EXAMPLE.Com>", "Ana", "Ana.Lopez@example.com"),
        ('From: "Lopez, Ana" <ana@example.com>', "Lopez, Ana", "ana@example.com"),
        ('From: "Ana \\"A\\" Lopez" <ana@example.com>', 'Ana "A" Lopez', "ana@example.com"),
        ("From: ana@example.com (Ana (the first) Lopez)", "Ana (the first) Lopez", "ana@example.com"),
        ("From: Ana (no > here, really) <ana@example.com>, Bob <bob@example.com>", "Ana", "ana@example.com"),
        ('From: "ceo@bank.example" <eve@evil.example>', "ceo@bank.example", "eve@evil.example"),
        ("From: ceo@bank.example <eve@evil.example>", "ceo@bank.example", "eve@evil.example"),
        ("From: =?utf-8?q?ceo=40bank.example_=3Cceo=40bank.example=3E?= <eve@evil.example>",
         "ceo@bank.example <ceo@bank.example>", "eve@evil.example"),
        ("From: =?utf-8?q?a,_(b:_\"c?= <ana@example.com>", 'a, (b: "c', "ana@example.com"),
        ("From: =?utf-8?q?a=2C_b?= <ana@example.com>", "a, b", "ana@example.com"),
        ('From: "=?utf-8?b?w4FuYQ==?=" <ana@example.com>', "Ána", "ana@example.com"),
        ("From: Ána <ána@straße.example>", "Ána", "ána@xn--strae-oqa.example"),
        ("From: Ana <ana@example.com", "", "ana@example.com"),
        ('From: "Ana <ana@example.com>', "Ana", "ana@example.com"),
        ("From: (Ana <ana@example.com>", "Ana", "ana@example.com"),
        ("From: Team: ana@example.com, bob@example.com;", "", "ana@example.com"),
        ("From: <@relay.example,@b.example:ana@example.com>", "", "ana@example.com"),
        ('From: "ana"@example.com', "", "ana@example.com"),
        ("From: <>", "", ""),
        ("From: undisclosed-recipients:;", "", ""),
        ("From: MAILER-DAEMON", "", ""),
        ("From: Ana <not an address>", "Ana", ""),
        ("From: Ana <a@b\x00c>", "Ana", ""),
        ("From: =?utf-8?q?Evil=0ABcc:x?= <a@x.example>", "Evil Bcc:x", "a@x.example"),
        ("From: " + "(" * 3000 + " <ana@example.com>", "", "ana@example.com"),
        ("From: one@example.com\nFrom: two@example.com", "", "one@example.com"),
    ],
)  # fmt: skip
def test_the_sender_is_the_first_address_that_stands_for_one(header: str, name: str, address: str) -> None:
    assert with_header(header.encode()).sender == Mailbox(name, address)


@pytest.mark.parametrize(
    ("header", "subject"),
    [
        (b"Subject: =?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        (b"Subject: two\n lines\n\tof it", "two lines of it"),
        (b"Subject: =?utf-8?q?=C3=BCb?= =?utf-8?q?er?= all", "über all"),
        (b"Subject: =?utf-8?b?5pel5pys?= and =?utf-8?q?=C3=A9?=", "日本 and é"),
        (b"Subject: =?utf-8?b?5pc=?= =?utf-8?b?peacrA==?=", "日本"),
        (b"Subject: =?utf-8*en?Q?caf=C3=A9?=", "café"),
        (b"Subject: =?utf-8?Q?what??=", "what?"),
        (b"Subject: =?utf-8?Q?not ended at all", "not ended at all"),
        (b"Subject: =?utf-8?Q?with spaces in it?=", "with spaces in it"),
        (b"Subject: =?x-nobody-knows?Q?caf=C3=A9?=", "café"),
        (b"Subject: =?utf-8?b?w6k?=", "é"),
        (b"Subject: =?=?=?q??=", "=?=?=?q??="),
        ("Subject: naïve".encode(), "naïve"),
        ("Subject: naïve".encode("latin-1"), "naïve"),
        (b"Subject: \x1b$BF|K\\\x1b(B", "日本"),
        (b"Subject: a\x00b\x1b[31m\xe2\x80\xa8c", "a b [31m c"),
        (b"Subject:", ""),
        (b"subject :spaced", "spaced"),
        (b"X: y", ""),
    ],
)
def test_the_subject_is_decoded_and_on_one_line(header: bytes, subject: str) -> None:
    assert with_header(header).subject == subject


@pytest.mark.parametrize(
    ("written", "found"),
    [
        (b"<a.b@example.com>", "<a.b@example.com>"),
        (b" (comment) <a@b> ", "<a@b>"),
        (b"<x@[bad", ""),
        (b"a@example.com", ""),
        (b"<no-at>", ""),
        (b"<a b@example.com>", ""),
        (b"<" + b"a" * 999 + b"@b>", ""),
        (b"=?utf-8?q?=3Ca=40example.com=3E?=", "<a@example.com>"),
    ],
)
def test_a_message_id_is_one_or_there_is_none(written: bytes, found: str) -> None:
    assert with_header(b"Message-ID: " + written).message_id == found


def test_of_many_references_the_first_and_the_last_count() -> None:
    ids = [f"<{number}@example.com>" for number in range(2000)]
    read = with_header(b"References: " + "\n ".join(ids).encode())
    assert read.references == (ids[0], *ids[-30:])


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        (b"Tue, 24 Nov 2026 10:00:00 +0100 (CET)", datetime(2026, 11, 24, 9, tzinfo=UTC)),
        (b"24 Nov 2026 10:00:00", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        (b"Tue, 24 Nov 2026 10:00:00 -0000", datetime(2026, 11, 24, 10, tzinfo=UTC)),
        (b"Tue, 24 Nov 2026 10:00:00 EST", datetime(2026, 11, 24, 15, tzinfo=UTC)),
        (b"Tue, 31 Feb 2026 10:00:00 +0100", None),
        (b"Tue, 24 Nov 99999999999999999999 10:00:00 +0100", None),
        (b"yesterday", None),
        (b"", None),
        (b"1 " * 4000, None),
    ],
)
def test_a_date_is_a_moment_or_there_is_none(written: bytes, moment: datetime | None) -> None:
    assert with_header(b"Date: " + written).date == moment


def test_recipients_are_read_from_all_of_their_headers_up_to_200() -> None:
    few = with_header(b"To: a@x.example, B <b@x.example>\nTo: c@x.example\nCc: D <d@x.example>;e@x.example")
    assert [box.address for box in few.to] == ["a@x.example", "b@x.example", "c@x.example"]
    assert [box.address for box in few.cc] == ["d@x.example", "e@x.example"]
    many = with_header(b"To: " + b",".join(b"u%d@x.example" % number for number in range(20_000)))
    assert [box.address for box in many.to] == [f"u{number}@x.example" for number in range(200)]


def test_an_address_that_is_cut_is_none() -> None:
    long = with_header(b"To: " + b",".join(b"%s%d@x.example" % (b"u" * 50, number) for number in range(1000)))
    assert 100 < len(long.to) < 200
    assert all(box.address.endswith("@x.example") for box in long.to)


def test_headers_keep_their_order_and_are_found_in_lower_case() -> None:
    read = with_header(b"X-One: 1\nRECEIVED: a\nreceived: b")
    assert read.headers["received"] == ("a", "b")
    assert (read.header("x-one"), read.header("x-two")) == ("1", "")


def test_a_header_of_more_than_8_kb_is_cut_and_those_after_it_are_read() -> None:
    read = with_header(b"X-Long: " + b"word " * 100_000 + b"\nSubject: here")
    assert 8000 < len(read.header("x-long")) <= 8192
    assert read.subject == "here"
    assert read.text == "My card was charged twice."


def test_of_more_than_64_kb_of_headers_the_text_after_them_is_read() -> None:
    read = parse(FROM + b"X-A: " + b"a" * 70 + b"\n" + b"X-B: b\n" * 20_000 + b"\nMy card was charged twice.\n")
    assert (read.sender.address, read.text) == ("ana@example.com", "My card was charged twice.")


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"My card was charged twice\n\nAna\n", "My card was charged twice\n\nAna"),
        (b"Problem: it was charged twice\n\nAna\n", "Problem: it was charged twice\n\nAna"),
        (b"\nMy card was charged twice\n", "My card was charged twice"),
        (b"From ana@x.example Tue Nov 24 10:00:00 2026\nFrom: ana@x.example\n\nMy card\n", "My card"),
        (b"From: ana@x.example\nSubject: x\nno empty line here\nand: more\n", "no empty line here\nand: more"),
        (b"Received: x\na line that was not folded\nFrom: ana@x.example\n\nMy card\n", "My card"),
        (b"From: ana@x.example", ""),
    ],
)
def test_where_headers_are_missing_or_broken_nothing_of_the_text_is_lost(raw: bytes, text: str) -> None:
    assert parse(raw).text == text


@pytest.mark.parametrize("raw", [b"", b"\r\n \n", b"\x00\x01\x02" * 100])
def test_what_is_no_mail_is_unreadable_and_says_why(raw: bytes) -> None:
    with pytest.raises(Unreadable, match=r"empty|no mail"):
        parse(raw)


# --- text


@pytest.mark.parametrize(
    ("charset", "data", "text"),
    [
        ("utf-8", "charged ×2".encode(), "charged ×2"),
        ("us-ascii", "charged ×2".encode(), "charged ×2"),
        ("iso-8859-1", "charged ×2".encode(), "charged ×2"),
        ("iso-8859-1", "“quoted” – 5 €".encode("cp1252"), "“quoted” – 5 €"),
        ("utf-8", "“quoted” – 5 €".encode("cp1252"), "“quoted” – 5 €"),
        ("utf8mb4", "é".encode(), "é"),
        ("x-unknown", "é".encode("cp1252"), "é"),
        ("x-unknown", "é".encode(), "é"),
        ("iso-8859-8-i", "שלום".encode("cp1255"), "שלום"),
        ("windows-1251", "Привет".encode("cp1251"), "Привет"),
        ("koi8-u", "Привіт".encode("koi8-u"), "Привіт"),
        ("gb2312", "镕基".encode("gbk"), "镕基"),
        ("gb2312", "联通".encode("gbk"), "联通"),
        ("gb2312", "我的卡被扣了两次".encode(), "我的卡被扣了两次"),
        ("ks_c_5601-1987", "똠방각하".encode("cp949"), "똠방각하"),
        ("shift_jis", "①髙橋".encode("cp932"), "①髙橋"),
        ("utf-16", b"charged twice", "charged twice"),
        ("utf-16", "charged ×2".encode("utf-16"), "charged ×2"),
        ("zip", b"charged twice", "charged twice"),
        ("punycode", b"charged-twice", "charged-twice"),
        ("../../etc/passwd", b"charged twice", "charged twice"),
        ('"; x="', b"charged twice", "charged twice"),
        ("a\x00b", b"charged twice", "charged twice"),
        ("utf-8", b"charged twice \xff", "charged twice ÿ"),
        ("utf-8", "déjà vu, né à Orléans \ufffd".encode().replace("\ufffd".encode(), b"\xc3"),
         "déjà vu, né à Orléans \ufffd"),
        ("windows-1252", b"a\x81b", "a\ufffdb"),
    ],
)  # fmt: skip
def test_a_text_is_read_whatever_its_charset_is_said_to_be(charset: str, data: bytes, text: str) -> None:
    read = mail(data, f'Content-Type: text/plain; charset="{charset}"'.encode(), b"Content-Transfer-Encoding: 8bit")
    assert read.text == text


@pytest.mark.parametrize(
    ("encoding", "data", "text"),
    [
        (b"quoted-printable", b"charged=20twice=\n, =ZZ =C3=A9 =", "charged twice, =ZZ é "),
        (b"base64", base64.b64encode(b"charged twice")[:-2], "charged twice"),
        (b"base64", b"Y2hhcmdl\nZCB0d2ljZQ", "charged twice"),
        (b"base64", b"Y2hhcm!dl\nZC-B0d2ljZQ==", "charged twice"),
        (b"base64", b"Y2hhcmdlZA==IHR3aWNl", "charged twice"),
        (b"base64", b"My card was charged twice", "My card was charged twice"),
        (b"base64", b"Y2hhcmdlZCB0d2ljZQ==\n\nThis list is run by example.com",
         "charged twice\nThis list is run by example.com"),
        (b"BASE64 (really)", b"Y2hhcmdlZCB0d2ljZQ==", "charged twice"),
        (b"8bit", "é".encode(), "é"),
        (b"nonsense", b"charged twice", "charged twice"),
        (b"x-uuencode", b"begin 644 a\n#0V%T\n`\nend", "begin 644 a\n#0V%T\n`\nend"),
    ],
)  # fmt: skip
def test_a_broken_encoding_is_read_as_far_as_it_goes(encoding: bytes, data: bytes, text: str) -> None:
    assert mail(data, b"Content-Transfer-Encoding: " + encoding).text == text


def test_no_control_character_and_no_lone_surrogate_is_left_in_a_text() -> None:
    read = mail(b"a\x00b\x07c\x1b[0m\td\x0be\x0cf\xed\xa0\x80g\xef\xbb\xbf", b"Content-Type: text/plain; charset=utf-8")
    assert read.text.startswith("abc[0m\td\ne\nf")
    assert not [sign for sign in read.text if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\t\n"]


PLAIN, HTML = b"Content-Type: text/plain\n\n", b"Content-Type: text/html\n\n"


def test_of_two_forms_of_a_text_the_plain_one_is_taken() -> None:
    read = multipart(b"alternative", PLAIN + b"It was charged twice.", HTML + b"<p>It was charged <b>twice</b>.</p>")
    assert (read.text, read.parts) == ("It was charged twice.", ())


@pytest.mark.parametrize(
    "stub",
    [
        b"",
        b"  \n\n",
        b"Your email client does not support HTML.",
        b"To read this message please use a program that can display HTML; yours does not.",
        b"Ihr Programm kann kein HTML.",
        b"View this email in your browser",
        b"...",
    ],
)
def test_a_plain_text_that_is_a_stub_is_not(stub: bytes) -> None:
    long = b"<p>My card was charged twice on Monday, and nobody answers the telephone; I want my money back.</p>"
    assert "nobody answers" in multipart(b"alternative", PLAIN + stub, HTML + long).text


def test_a_plain_text_is_taken_if_its_html_is_empty() -> None:
    assert multipart(b"alternative", PLAIN + b"Hi", HTML + b"<html><body></body></html>").text == "Hi"
    assert multipart(b"alternative", PLAIN + b"Hi", HTML + b"<style>" + b"p{}" * 9000 + b"</style>Hi").text == "Hi"


def test_the_texts_of_a_mail_are_joined_in_their_order() -> None:
    read = multipart(
        b"mixed",
        PLAIN + b"One.",
        b"Content-Type: image/png\nContent-ID: <a>\n\n\x89PNG",
        HTML + b"<p>Two.</p>",
        b"\nThree.",
        b"Content-Type: text/plain; name=log.txt\n\nfour",
        b"Content-Type: text/plain\nContent-Disposition: attachment\n\nfive",
    )
    assert read.text == "One.\n\nTwo.\n\nThree."
    assert names(read) == ["part-1.png", "log.txt", "part-5.txt"]


def test_a_text_with_a_file_name_is_the_text_if_there_is_no_other() -> None:
    read = multipart(b"mixed", b"Content-Type: text/plain; name=body.txt\nContent-Disposition: inline\n\nMy card")
    assert (read.text, names(read)) == ("My card", ["body.txt"])
    assert mail(b"My card", b"Content-Type: text/plain; name=body.txt").text == "My card"


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Type: multipart/mixed",
        b"Content-Type: multipart/mixed; boundary=another",
        b'Content-Type: multipart/mixed; boundary="=_b',
        b'Content-Type: multipart/mixed;\n boundary*0="=_";\n boundary*1=b',
    ],
)
def test_a_boundary_that_is_a_lie_is_looked_for(header: bytes) -> None:
    body = b"--=_b\nContent-Type: text/plain\n\nMy card\n--=_b\nContent-Type: image/png\n\nx\n--=_b--\n"
    read = mail(body, header)
    assert (read.text, names(read)) == ("My card", ["part-1.png"])


def test_a_multipart_without_any_part_is_text() -> None:
    read = mail(b"My card was charged twice", b"Content-Type: multipart/mixed; boundary=x")
    assert (read.text, read.media_type) == ("My card was charged twice", "multipart/mixed")
    inner = multipart(b"mixed", b"Content-Type: multipart/alternative; boundary=x\n\nMy card", PLAIN + b"Ana")
    assert inner.text == "My card\n\nAna"


def test_a_mail_that_was_cut_off_is_read_as_far_as_it_goes() -> None:
    raw = payload("forwarded_attached.eml")
    cut = parse(raw[: raw.index(b"My card is blocked.") + 7])
    assert (cut.text, names(cut)) == ("This one came to my own address.", ["Card blocked _ since Monday_.eml"])
    assert parse(cut.forwarded).text == "My card"


def test_text_at_the_bottom_of_600_levels_is_found() -> None:
    down = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(600))
    assert parse(FROM + down + PLAIN + b"My card").text == "My card"


def test_of_50_000_parts_the_first_200_are_read() -> None:
    read = multipart(b"mixed", *[b"\n%d" % number for number in range(50_000)])
    assert read.text.split() == [str(number) for number in range(200)]


def test_of_300_files_without_a_text_the_first_200_are_taken() -> None:
    read = multipart(b"mixed", *[b"Content-Type: image/png; name=%d.png\n\nx" % number for number in range(300)])
    assert (read.text, names(read)) == ("", [f"{number}.png" for number in range(200)])


def test_every_name_of_a_charset_that_is_known_to_mean_something_else_means_one_that_there_is() -> None:
    assert [name for name, meant in MEANT.items() if meant and not _codec(name)] == []


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('Content-Disposition: attachment; filename="a b.pdf"', "a b.pdf"),
        ("Content-Disposition: attachment; filename=a b.pdf", "a b.pdf"),
        ("Content-Disposition: attachment; filename*=utf-8''%e2%82%ac%20rates.pdf", "€ rates.pdf"),
        ("Content-Disposition: attachment; filename*=%e2%82%ac.pdf; filename=x.pdf", "€.pdf"),
        ("Content-Disposition: attachment; filename*0*=iso-8859-1'en'%A3; filename*1=\"5 b.pdf\"", "£5 b.pdf"),
        ("Content-Disposition: attachment; filename*1=b.pdf; filename*0=a", "ab.pdf"),
        ("Content-Disposition: attachment; filename*=utf-8''%ff%zz.pdf", "ÿ%zz.pdf"),
        ('Content-Disposition: attachment; filename="=?utf-8?b?w6kucGRm?="', "é.pdf"),
        ("Content-Disposition: attachment; filename==?utf-8?q?=C3=A9.pdf?=", "é.pdf"),
        ('Content-Disposition: attachment; filename="é.pdf"', "é.pdf"),
        (r'Content-Disposition: attachment; filename="C:\\Users\\ana\\a.pdf"', "a.pdf"),
        ('Content-Disposition: attachment; filename="../../a.pdf"', "a.pdf"),
        ("Content-Disposition: attachment; filename*=utf-8''..%2f..%2fa.pdf", "a.pdf"),
        ('Content-Disposition: attachment; filename="a\u202efdp.exe"', "afdp.exe"),
        ('Content-Disposition: attachment; filename="a\n .pdf"', "a .pdf"),
        ('Content-Disposition: attachment; filename="never ended.pdf; size=3', "never ended.pdf"),
        ('Content-Type: application/pdf; name="of the type.pdf"', "of the type.pdf"),
        ("Content-Disposition: attachment; filename=..", "file"),
        ("Content-Disposition: attachment", "part-1"),
        ("Content-Type: application/pdf", "part-1.pdf"),
    ],
)
def test_a_file_has_the_name_that_its_sender_gave_it_and_no_path(header: str, name: str) -> None:
    kind = "" if "Content-Type" in header else "\nContent-Type: application/octet-stream"
    assert names(multipart(b"mixed", PLAIN + b"x", f"{header}{kind}\n\ndata".encode())) == [name]


def test_a_content_type_that_is_nonsense_is_a_text_or_if_it_is_a_file_something_unknown() -> None:
    assert mail(b"My card", b"Content-Type: nonsense").text == "My card"
    assert mail(b"My card", b"Content-Type: text").text == "My card"
    read = multipart(b"mixed", b'Content-Type: pdf; name="a.pdf"\n\ndata')
    assert [(part.name, part.media_type) for part in read.parts] == [("a.pdf", "application/octet-stream")]


def test_a_mail_that_is_a_file_and_nothing_else_has_no_text() -> None:
    read = mail(b"JVBERi0=", b"Content-Type: application/pdf; name=a.pdf", b"Content-Transfer-Encoding: base64")
    assert (read.text, names(read), read.parts[0].size) == ("", ["a.pdf"], 5)


def test_html_that_is_called_plain_is_read_as_html_and_the_other_way_round() -> None:
    assert mail(b"<!DOCTYPE html><html><p>My <b>card</b></html>", b"Content-Type: text/plain").text == "My card"
    assert mail(b"My card\nwas charged", b"Content-Type: text/html").text == "My card\nwas charged"


def test_the_charset_of_html_may_stand_in_it() -> None:
    page = '<html><head><meta charset="windows-1251"></head><p>Привет'.encode("cp1251")
    assert mail(page, b"Content-Type: text/html").text == "Привет"


def test_html_with_nothing_to_read_is_no_text() -> None:
    page = b'<html><body><img src="https://x.example/p.gif" width="1" height="1"><img src="cid:1"></body></html>'
    assert mail(page, b"Content-Type: text/html").text == ""


@pytest.mark.parametrize(
    ("flowed", "text"),
    [
        ("a \nb", "a b"),
        ("a\nb", "a\nb"),
        ("> a \n> b\n>> c \n>> d", "> a b\n>> c d"),
        ("> a \nb", "> a \nb"),
        ("-- \nAna", "-- \nAna"),
        ("a \n-- \nAna", "a \n-- \nAna"),
        (" >no quote", " >no quote"),
        ("", ""),
        ("a \n\nb", "a \nb"),
    ],
)
def test_flowed_lines_are_joined(flowed: str, text: str) -> None:
    assert [line.rstrip() for line in unflowed(flowed).split("\n")] == [line.rstrip() for line in text.split("\n")]


def test_what_the_standard_library_writes_is_read_as_it_was() -> None:
    for policy in (SMTP, SMTPUTF8):
        written = EmailMessage(policy=policy)
        written["From"] = "Zoë Ångström <zoe@example.com>"
        written["To"] = "Søren <soren@example.com>, Ana <ana@example.com>"
        written["Subject"] = "Zweimal belastet – bitte prüfen, und zwar bald, denn " + "das Geld fehlt sehr " * 10
        written.set_content("Grüße\n" + "ein langer Satz " * 40)
        written.add_alternative("<p>Grüße</p>" + "ein langer Satz " * 40, subtype="html")
        written.add_attachment(bytes(range(256)) * 9, maintype="image", subtype="png", filename="Größe – 1.png")
        raw = written.as_bytes()
        read = parse(raw)
        assert read.sender == Mailbox("Zoë Ångström", "zoe@example.com")
        assert [box.name for box in read.to] == ["Søren", "Ana"]
        assert read.subject == " ".join(str(written["Subject"]).split())
        assert read.text.split() == ("Grüße " + "ein langer Satz " * 40).split()
        (part,) = read.parts
        assert (part.name, content(raw, part.index, part.size)) == ("Größe – 1.png", bytes(range(256)) * 9)
