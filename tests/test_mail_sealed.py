"""What our tokens say when they come back, and that nobody else can write one."""

import re
import string
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.mail.sealed import Audience, Sealed, Tokens, digest_of
from adapters.mail.settings import MailInSettings

TOKENS = Tokens("k" * 32)
OTHER = Tokens("K" * 32)
INCIDENT = "01a20aa6-fe10-7546-96ca-4f715fe2fe96"
DOT_ATOM = re.compile(r"<[a-z0-9]+(\.[a-z0-9]+)*@[a-z.]+>")
ANY_TEXT = st.text(st.characters(codec=None))
INCIDENTS = st.one_of(st.just(""), st.uuids().map(str))
AUDIENCES: st.SearchStrategy[Audience] = st.sampled_from(["customer", "agents"])


@given(name=ANY_TEXT, incident=INCIDENTS, audience=AUDIENCES)
def test_a_message_id_says_what_was_put_in(name: str, incident: str, audience: Audience) -> None:
    written = TOKENS.message_id(name, incident, audience, "firstline.example")

    assert TOKENS.read_message_id(written) == Sealed(incident, audience, "message", digest_of(name))
    assert TOKENS.read_message_id(written.strip("<>")) == TOKENS.read_message_id(f" {written} ")
    assert TOKENS.read_message_id(written) is not None
    assert DOT_ATOM.fullmatch(written)
    assert len(written) <= 52 + len("<@firstline.example>")


@given(name=ANY_TEXT, incident=INCIDENTS, audience=AUDIENCES)
def test_a_return_address_says_which_notification_came_back(name: str, incident: str, audience: Audience) -> None:
    written = TOKENS.bounce_address("support@firstline.example", name, incident, audience)

    assert written.startswith("support+")
    assert TOKENS.read_address(written) == Sealed(incident, audience, "bounce", digest_of(name))
    assert len(written.partition("@")[0]) <= 64


@given(incident=st.uuids().map(str), audience=AUDIENCES)
def test_a_reply_address_says_whose_answer_it_is(incident: str, audience: Audience) -> None:
    written = TOKENS.reply_address("support@firstline.example", incident, audience)

    assert TOKENS.read_address(written) == Sealed(incident, audience, "reply")
    assert TOKENS.read_address(written.upper()) == Sealed(incident, audience, "reply")


def test_the_same_mail_has_the_same_message_id_for_ever() -> None:
    """Mails are repeated after an update of the program, and answered years later: this one must never change."""
    written = TOKENS.message_id("ack-7", INCIDENT, "customer", "firstline.example")

    assert written == "<aea2ecvg7yihkruwzjhxcx7c72lbtxnz527fgwiv3k3qsl7ypfdq@firstline.example>"


def test_a_message_id_does_not_hang_on_how_the_domain_is_written() -> None:
    assert TOKENS.message_id("a", INCIDENT, "agents", "A.example") == TOKENS.message_id(
        "a", INCIDENT, "agents", "a.example"
    )


@given(name=ANY_TEXT, incident=INCIDENTS, audience=AUDIENCES)
def test_a_return_address_leads_to_the_message_id(name: str, incident: str, audience: Audience) -> None:
    address = TOKENS.bounce_address("support@firstline.example", name, incident, audience)
    sealed = TOKENS.read_address(address.upper())

    assert sealed is not None
    found = TOKENS.message_id_of(sealed, "FIRSTLINE.example")
    assert found == (TOKENS.message_id(name, incident, audience, "firstline.example") if incident else "")


def test_a_reply_address_leads_to_no_message_id() -> None:
    assert TOKENS.message_id_of(Sealed(INCIDENT, "customer", "reply"), "a.example") == ""


@given(one=ANY_TEXT, other=ANY_TEXT, incident=INCIDENTS)
def test_two_notifications_have_two_message_ids(one: str, other: str, incident: str) -> None:
    ids = {TOKENS.message_id(name, incident, "customer", "a.example") for name in (one, other)}

    assert len(ids) == len({one, other})


def test_a_customer_and_an_agent_have_tokens_of_their_own() -> None:
    assert TOKENS.reply_address("s@a.example", INCIDENT, "customer") != TOKENS.reply_address(
        "s@a.example", INCIDENT, "agents"
    )


WRITTEN = [
    TOKENS.message_id("ack-7", INCIDENT, "customer", "firstline.example").strip("<>"),
    TOKENS.message_id("ops-1", "", "agents", "firstline.example").strip("<>"),
    TOKENS.reply_address("support@firstline.example", INCIDENT, "customer"),
    TOKENS.bounce_address("support@firstline.example", "ack-7", INCIDENT, "customer"),
    TOKENS.bounce_address("support@firstline.example", "ops-1", "", "agents"),
]


def read(written: str, tokens: Tokens = TOKENS) -> Sealed | None:
    return tokens.read_message_id(written) or tokens.read_address(written)


@pytest.mark.parametrize("written", WRITTEN)
def test_a_token_survives_servers_that_fold_the_case(written: str) -> None:
    assert read(written) == read(written.upper()) == read(written.title()) is not None


@pytest.mark.parametrize("written", WRITTEN)
def test_a_token_with_one_letter_changed_is_not_ours(written: str) -> None:
    start, end = written.rfind("+") + 1, written.rindex("@")
    for place in range(start, end):
        for letter in string.ascii_lowercase + "234567=.-+ ":
            if letter != written[place]:
                assert read(written[:place] + letter + written[place + 1 :]) is None


@pytest.mark.parametrize("written", WRITTEN)
def test_a_token_that_lost_or_won_a_letter_is_not_ours(written: str) -> None:
    start, end = written.rfind("+") + 1, written.rindex("@")
    for place in range(start, end):
        assert read(written[:place] + written[place + 1 :]) is None
        assert read(written[:place] + written[end:]) is None
        assert read(written[:place] + "a" + written[place:]) is None


@pytest.mark.parametrize("written", WRITTEN)
def test_a_token_signed_with_another_key_is_not_ours(written: str) -> None:
    assert read(written) is not None
    assert read(written, OTHER) is None


def test_a_token_of_one_kind_is_not_taken_for_another() -> None:
    message, _, reply, bounce, _ = WRITTEN

    assert TOKENS.read_address(message) is None
    assert TOKENS.read_address(f"support+{message}") is None
    assert TOKENS.read_message_id(f"<{reply.partition('+')[2]}>") is None
    assert TOKENS.read_message_id(f"<{bounce.partition('+')[2]}>") is None


@given(ANY_TEXT | st.text("abz27+@<>=.-İK").map(lambda text: f"s+{text}@a.example"))
def test_whatever_comes_as_an_address_or_an_id_is_not_ours_and_no_failure(text: str) -> None:
    assert TOKENS.read_address(text) is None
    assert TOKENS.read_message_id(text) is None


@given(st.binary(max_size=64))
def test_whatever_an_older_or_newer_version_signed_is_read_or_refused(body: bytes) -> None:
    from adapters.mail.sealed import _encode

    read(f"{_encode(body + TOKENS._mac(body))}@a.example")


def test_the_sign_of_kelvin_is_no_k() -> None:
    written = next(
        found
        for found in (TOKENS.reply_address("s@a.example", str(uuid.UUID(int=n)), "customer") for n in range(99))
        if "k" in found
    )

    assert TOKENS.read_address(written) is not None
    assert TOKENS.read_address(written.replace("k", "\N{KELVIN SIGN}", 1)) is None


def test_an_address_without_room_for_a_token_stays_as_it_is() -> None:
    address = f"{'s' * 20}@firstline.example"

    assert TOKENS.read_address(TOKENS.reply_address(address[1:], INCIDENT, "customer")) is not None
    assert TOKENS.reply_address(address, INCIDENT, "customer") == address
    assert TOKENS.bounce_address(address, "ack-7", INCIDENT, "customer") == address


def test_a_mail_of_no_incident_has_no_reply_address_of_its_own() -> None:
    assert TOKENS.reply_address("support@firstline.example", "", "agents") == "support@firstline.example"


def test_a_token_is_good_at_each_of_our_domains() -> None:
    written = TOKENS.reply_address("support@firstline.example", INCIDENT, "customer")

    assert TOKENS.read_address(written.replace("firstline.example", "help.example")) is not None


@pytest.mark.parametrize("incident", ["7", INCIDENT.upper(), INCIDENT.replace("-", ""), f"{{{INCIDENT}}}"])
def test_what_is_no_id_of_an_incident_is_refused_and_not_lost(incident: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        TOKENS.message_id("ack-7", incident, "customer", "a.example")


def test_the_key_is_not_shown_and_not_empty() -> None:
    assert "kkk" not in repr(TOKENS)
    with pytest.raises(ValueError, match="empty"):
        Tokens("")


def test_a_key_that_can_be_guessed_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="32 bytes"):
        MailInSettings.model_validate({"mail_key": "short"})
