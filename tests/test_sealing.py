"""What is kept encrypted."""

import pytest

from bot.errors import ConfigurationError
from bot.sealing import Seal
from bot.settings import Settings
from bot.state import State

KEY, OTHER = "k" * 32, "o" * 40


def test_what_is_closed_is_unreadable_and_opens_again() -> None:
    kept = Seal((KEY,)).close(b"xoxb-secret")
    assert b"secret" not in kept
    assert Seal((KEY,)).open(kept) == b"xoxb-secret"


def test_a_new_key_in_front_closes_and_the_old_one_still_opens() -> None:
    kept = Seal((KEY,)).close(b"text")
    both = Seal((OTHER, KEY))
    assert both.open(kept) == b"text"
    assert Seal((OTHER,)).open(both.close(b"text")) == b"text"


def test_without_a_key_data_is_kept_readable_and_opens_with_a_key_too() -> None:
    kept = Seal().close(b"text")
    assert Seal((KEY,)).open(kept) == b"text"


@pytest.mark.parametrize("keys", [(), (OTHER,)])
def test_what_no_key_opens_says_what_to_set(keys: tuple[str, ...]) -> None:
    with pytest.raises(ConfigurationError, match="DATA_KEY"):
        Seal(keys).open(Seal((KEY,)).close(b"text"))


def test_a_seal_does_not_show_its_keys() -> None:
    assert KEY not in repr(Seal((KEY,)))


def test_short_keys_are_refused_and_none_is_shown() -> None:
    with pytest.raises(ValueError, match="32 bytes") as told:
        Settings(_env_file=None, data_key=f"{KEY},short")  # type: ignore[call-arg]
    assert "short" not in str(told.value)


def test_secrets_in_the_state_are_encrypted(db: str) -> None:
    state = State(Seal((KEY,)))
    state.put_secret("slack/team/T1", "xoxb-secret")
    assert state.get_secret("slack/team/T1") == "xoxb-secret"
    assert "secret" not in (state.get("slack/team/T1") or "")
    state.put("slack/team/T2", "2")
    assert list(state.all("slack/team/")) == ["slack/team/T1", "slack/team/T2"]
    assert [state.drop("slack/team/T1") for _ in range(2)] == [True, False]  # of two who drop it, one is told so
    assert state.get_secret("slack/team/T1") is None


def test_secrets_are_not_kept_without_a_key(db: str) -> None:
    with pytest.raises(ConfigurationError, match="DATA_KEY"):
        State().put_secret("slack/team/T1", "xoxb-secret")
