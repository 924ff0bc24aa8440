"""Who is an agent in Slack."""

import threading
from collections.abc import Iterable

import pytest

from adapters.slack import rights
from adapters.slack.rights import AGAIN_AFTER, HOLDS_FOR, Agents
from tests.fakes import TestClock


class Groups:
    """Slack's user groups. `slow`: it answers when it is let go."""

    def __init__(self, **people: list[str]) -> None:
        self.people = people
        self.asked = 0
        self.away = False
        self.go_on = threading.Event()
        self.go_on.set()

    def members(self, group: str) -> Iterable[str]:
        self.asked += 1
        assert self.go_on.wait(10)
        if self.away:
            raise OSError("away")
        return self.people[group]


def agents(groups: Groups, clock: TestClock, *listed: str) -> Agents:
    return Agents(frozenset(listed), groups.members, clock)


def test_nobody_is_an_agent_whom_the_settings_do_not_list(clock: TestClock) -> None:
    assert not agents(Groups(), clock).include("T1/U1", "T1")


def test_a_listed_person_of_our_own_team_is_an_agent_without_asking_slack(clock: TestClock) -> None:
    groups = Groups(S1=["U2"])
    assert agents(groups, clock, "U1", "S1").include("T1/U1", "T1")
    assert groups.asked == 0


def test_the_same_id_in_another_team_is_somebody_else(clock: TestClock) -> None:
    assert not agents(Groups(), clock, "U1").include("T2/U1", "T1")


def test_a_person_of_another_team_is_an_agent_if_listed_with_it(clock: TestClock) -> None:
    who = agents(Groups(), clock, "T2/U1")
    assert who.include("T2/U1", "T1")
    assert not who.include("T1/U1", "T1")


def test_the_people_of_a_listed_group_are_agents_and_no_others(clock: TestClock) -> None:
    who = agents(Groups(S1=["U1"], S2=["U2"]), clock, "S1", "S2")
    assert who.include("T1/U1", "T1")
    assert who.include("T1/U2", "T1")
    assert not who.include("T1/U3", "T1")


def test_a_group_says_nothing_about_a_person_of_another_team(clock: TestClock) -> None:
    assert not agents(Groups(S1=["U1"]), clock, "S1").include("T2/U1", "T1")


def test_a_group_is_read_once_in_five_minutes(clock: TestClock) -> None:
    groups = Groups(S1=["U1"])
    who = agents(groups, clock, "S1")
    for _ in range(3):
        assert who.include("T1/U1", "T1")
    assert groups.asked == 1


def test_who_has_left_the_group_is_no_agent_after_five_minutes(clock: TestClock) -> None:
    groups = Groups(S1=["U1"])
    who = agents(groups, clock, "S1")
    assert who.include("T1/U1", "T1")
    groups.people["S1"] = ["U2"]
    clock.forward(seconds=HOLDS_FOR.total_seconds())
    assert not who.include("T1/U1", "T1")


def test_the_last_list_holds_while_slack_is_away(clock: TestClock) -> None:
    groups = Groups(S1=["U1"])
    who = agents(groups, clock, "S1")
    assert who.include("T1/U1", "T1")
    groups.away = True
    clock.forward(hours=1)
    assert who.include("T1/U1", "T1")
    assert groups.asked == 2


def test_nobody_is_an_agent_by_a_group_that_could_never_be_read(clock: TestClock) -> None:
    groups = Groups(S1=["U1"])
    groups.away = True
    assert not agents(groups, clock, "S1").include("T1/U1", "T1")


def test_a_group_that_could_not_be_read_is_tried_again_soon(clock: TestClock) -> None:
    groups = Groups(S1=["U1"])
    groups.away = True
    who = agents(groups, clock, "S1")
    assert not who.include("T1/U1", "T1")
    groups.away = False
    assert not who.include("T1/U1", "T1")
    clock.forward(seconds=AGAIN_AFTER.total_seconds())
    assert who.include("T1/U1", "T1")


def test_one_group_that_is_gone_does_not_hide_the_other(clock: TestClock) -> None:
    assert agents(Groups(S1=["U1"]), clock, "S0", "S1").include("T1/U1", "T1")


def test_a_request_goes_on_without_a_slow_slack(clock: TestClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rights, "WAIT", 0.01)
    groups = Groups(S1=["U1"])
    groups.go_on.clear()
    who = agents(groups, clock, "S1")
    assert not who.include("T1/U1", "T1")
    groups.go_on.set()
    monkeypatch.setattr(rights, "WAIT", 10)
    assert who.include("T1/U1", "T1")
    assert groups.asked == 1
