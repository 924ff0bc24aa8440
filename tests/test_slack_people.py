"""What people in Slack are called."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapters.slack import acts
from adapters.slack.acts import Web
from adapters.slack.people import AGAIN_AFTER, HOLDS_FOR, KEPT, LONGEST, People
from adapters.slack.settings import SlackSettings
from tests.slack_api import TOKEN, SlackApi

PATIENT = 20.0
"""Seconds that a test waits for what comes at once, but on a busy machine."""


class Seconds:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def api() -> Iterator[SlackApi]:
    with SlackApi() as api:
        yield api


@pytest.fixture
def people(api: SlackApi, seconds: Seconds, monkeypatch: pytest.MonkeyPatch) -> People:
    monkeypatch.setattr(acts, "BRIEF", PATIENT)
    values: dict[str, Any] = {"slack_bot_token": TOKEN, "slack_api_url": api.url}
    people = Web(SlackSettings(_env_file=None, **values)).people
    people._seconds = seconds
    return people


def ana(**profile: str) -> dict[str, Any]:
    return {"id": "U1", "team_id": "T1", "name": "ana7", "real_name": "Ana Díaz", "profile": profile}


def say(api: SlackApi, user: dict[str, Any]) -> None:
    api.answers["users.info"] = {"user": user}


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (ana(display_name="Ana", real_name="Ana Díaz Gil"), "Ana"),
        (ana(display_name="", real_name="Ana Díaz Gil"), "Ana Díaz Gil"),
        (ana(), "Ana Díaz"),
        ({"name": "ana7"}, "ana7"),
        (ana(display_name=" Ana\n\tDíaz\x07 "), "Ana Díaz"),
        (ana(display_name="\u202eanA\u2066"), "anA"),
        (ana(display_name="\x00 "), "Ana Díaz"),
        (ana(display_name="é" * 81), "é" * (LONGEST - 1) + "…"),
        (ana(display_name="آنا"), "آنا"),
        ({}, None),
        ({"name": 7}, None),
    ],
)
def test_a_person_is_called_what_their_profile_says(
    api: SlackApi, people: People, user: dict[str, Any], name: str | None
) -> None:
    say(api, user)
    assert people.name("T1/U1", PATIENT) == name


def test_a_name_is_asked_for_once_an_hour(api: SlackApi, people: People, seconds: Seconds) -> None:
    say(api, ana(display_name="Ana"))
    assert [people.name("T1/U1", PATIENT) for _ in range(3)] == ["Ana"] * 3
    assert api.called("users.info") == [{"user": "U1"}]
    say(api, ana(display_name="Anita"))
    seconds.now += HOLDS_FOR
    assert people.name("T1/U1", PATIENT) == "Anita"


@pytest.mark.parametrize("key", ["C-1042", "clerk", "U1", "T1/C1", "T1/U1/1.1", "ana@example.com", ""])
def test_what_is_no_persons_key_is_not_asked_for(api: SlackApi, people: People, key: str) -> None:
    assert people.name(key, PATIENT) is None
    assert api.calls == []


def test_the_same_id_in_another_workspace_is_somebody_else(api: SlackApi, people: People) -> None:
    say(api, ana(display_name="Ana"))
    assert people.names(["T1/U1", "T2/U1"], PATIENT) == {"T1/U1": "Ana"}


def test_a_person_of_an_organisation_belongs_to_all_its_workspaces(api: SlackApi, people: People) -> None:
    say(api, {**ana(display_name="Ana"), "enterprise_user": {"teams": ["T1", "T2"]}})
    assert people.name("T2/U1", PATIENT) == "Ana"


def test_whom_slack_does_not_show_has_no_name_and_the_others_have_theirs(
    api: SlackApi, people: People, seconds: Seconds
) -> None:
    say(api, ana(display_name="Ana"))
    api.refuse("users.info", "user_not_found")
    assert people.name("T2/U9", PATIENT) is None
    assert people.name("T1/U1", PATIENT) == "Ana"
    assert people.name("T2/U9", PATIENT) is None
    assert len(api.called("users.info")) == 2
    seconds.now += AGAIN_AFTER
    people.name("T2/U9", PATIENT)
    assert len(api.called("users.info")) == 3


@pytest.mark.parametrize("error", ["missing_scope", "ratelimited", "internal_error"])
def test_while_slack_says_nothing_it_is_left_alone_for_a_minute(
    api: SlackApi, people: People, seconds: Seconds, error: str
) -> None:
    say(api, ana(display_name="Ana"))
    api.refuse("users.info", error)
    assert people.name("T1/U9", PATIENT) is None
    assert people.name("T1/U1", PATIENT) is None
    assert len(api.called("users.info")) == 1
    seconds.now += AGAIN_AFTER
    assert people.name("T1/U1", PATIENT) == "Ana"


def test_a_name_that_was_known_stays_while_slack_is_away(api: SlackApi, people: People, seconds: Seconds) -> None:
    say(api, ana(display_name="Ana"))
    people.name("T1/U1", PATIENT)
    seconds.now += HOLDS_FOR
    api.drop("users.info", acts=False)
    assert people.name("T1/U1", PATIENT) == "Ana"
    say(api, ana(display_name="Anita"))
    seconds.now += AGAIN_AFTER
    assert people.name("T1/U1", PATIENT) == "Anita"


def test_nobody_waits_for_a_slack_that_does_not_answer(api: SlackApi, people: People) -> None:
    api.hang("users.info", acts=False, times=10)
    crowd = [f"T1/U{number}" for number in range(50)]
    assert people.names(crowd, within=0.05) == {}
    assert people.names(crowd, within=0.0) == {}


def test_what_slack_says_too_late_is_there_the_next_time(api: SlackApi, people: People) -> None:
    say(api, ana(display_name="Ana"))
    crowd = [f"T1/U{number}" for number in range(12)]
    people.names(crowd, within=0.0)
    assert people.names(crowd, within=PATIENT) == dict.fromkeys(crowd, "Ana")
    assert len(api.called("users.info")) == len(crowd)


def test_no_more_names_are_kept_than_there_is_room_for() -> None:
    people = People(lambda user: {"name": user.lower()})
    assert len(people.names([f"T1/U{number}" for number in range(KEPT + 5)], within=PATIENT)) == KEPT
    assert len(people._names) == KEPT


def test_no_name_is_in_the_log(api: SlackApi, people: People, capsys: pytest.CaptureFixture[str]) -> None:
    api.answer_with("users.info", b"<html>Marmalade</html>", 502)
    assert people.name("T1/U1", PATIENT) is None
    said = capsys.readouterr()
    assert "slack.name_not_read" in said.out + said.err
    assert "Marmalade" not in said.out + said.err
