"""Settings of Slack."""

import re
from datetime import timedelta

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from bot.settings import Duration, FromEnvironment

BEGINS_WITH = {"slack_bot_token": ("xoxb-", "xoxe.xoxb-"), "slack_app_token": ("xapp-",)}
"""What Slack's tokens begin with (docs.slack.dev, "Tokens"): two that are mixed up are found out before they fail."""

CHANNEL = re.compile(r"(?:T[A-Z0-9]{1,31}/)?[CG][A-Z0-9]{1,31}")
AGENT = re.compile(r"(?:T[A-Z0-9]{1,31}/)?S[A-Z0-9]{1,31}|(?:[TE][A-Z0-9]{1,31}/)?[UW][A-Z0-9]{1,31}")


class SlackSettings(FromEnvironment):
    """The app's secrets, where it listens, and who its agents are. Without SLACK_BOT_TOKEN or SLACK_CLIENT_ID
    there is no Slack."""

    slack_bot_token: SecretStr | None = Field(
        None, description="The app's bot token, xoxb-… Not set: Firstline is not in Slack."
    )
    slack_signing_secret: SecretStr | None = Field(
        None, description="The app's signing secret; needed unless SLACK_APP_TOKEN is set."
    )
    slack_app_token: SecretStr | None = Field(
        None, description="An app-level token, xapp-… Set: Socket Mode, which needs no public address."
    )
    slack_client_id: str | None = Field(
        None, description="The app's client id. Set: it is installed in several workspaces, without SLACK_BOT_TOKEN."
    )
    slack_client_secret: SecretStr | None = Field(
        None, description="The app's client secret; needed with SLACK_CLIENT_ID."
    )
    slack_support_channels: str = Field(
        "", description="Ids of the channels in which every message is a customer's (C…, or T…/C…), with commas."
    )
    slack_agents_channel: str | None = Field(
        None, description="Id of the channel in which agents see every incident, as a card."
    )
    slack_agents: str = Field(
        "", description="Who may act on incidents: user groups (S…, or T…/S…), people (U…, or T…/U…), with commas."
    )
    slack_api_url: str = Field("https://slack.com/api/", description="Where Slack's Web API is.")
    slack_timeout: Duration = Field(
        timedelta(seconds=5), gt=timedelta(0), description="How long one call to Slack may take."
    )
    slack_deadline: Duration = Field(
        timedelta(seconds=15), gt=timedelta(0), description="How long sending one text to Slack may take in all."
    )
    slack_file_deadline: Duration = Field(
        timedelta(seconds=60), gt=timedelta(0), description="How long fetching one file from Slack may take in all."
    )

    @property
    def is_on(self) -> bool:
        return self.slack_bot_token is not None or self.slack_client_id is not None

    @property
    def named(self) -> frozenset[str]:
        """All ids that the settings name."""
        return self.support_channels | self.agents | frozenset(_split(self.slack_agents_channel or ""))

    @property
    def support_channels(self) -> frozenset[str]:
        return frozenset(_split(self.slack_support_channels))

    @property
    def agents(self) -> frozenset[str]:
        return frozenset(_split(self.slack_agents))

    @field_validator("slack_bot_token", "slack_app_token")
    @classmethod
    def _is_of_this_kind(cls, token: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        begins = BEGINS_WITH[info.field_name or ""]
        if token is not None and not token.get_secret_value().startswith(begins):
            raise ValueError(f"this is another kind of token; the right one begins with {begins[0]}")
        return token

    @field_validator("slack_support_channels")
    @classmethod
    def _are_channels(cls, written: str) -> str:
        if not all(CHANNEL.fullmatch(channel) for channel in _split(written)):
            raise ValueError("must be ids of channels such as C0123456789, not names; Slack shows them under About")
        return written

    @field_validator("slack_agents_channel")
    @classmethod
    def _is_a_channel(cls, channel: str | None) -> str | None:
        if channel is not None and not CHANNEL.fullmatch(channel):
            raise ValueError(
                "must be the id of a channel such as C0123456789, not its name; Slack shows it under About"
            )
        return channel

    @field_validator("slack_agents")
    @classmethod
    def _are_groups_or_people(cls, written: str) -> str:
        if not all(AGENT.fullmatch(agent) for agent in _split(written)):
            raise ValueError("must be ids of user groups (S…) or people (U… or T…/U…), never names or mail addresses")
        return written

    @field_validator("slack_api_url")
    @classmethod
    def _is_an_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", url):
            raise ValueError("must be an address such as https://slack.com/api/")
        return url.rstrip("/") + "/"


def in_team(written: str | None, team: str) -> str | None:
    """Return the id in what is written (C1, or T1/C1) if that can be of the workspace `team`."""
    named, _, name = (written or "").rpartition("/")
    return name if name and named in ("", team) else None


def _split(written: str) -> list[str]:
    return [part.strip() for part in written.split(",") if part.strip()]
