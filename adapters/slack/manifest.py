"""The app's manifest, from which Slack makes the app as these settings need it."""

from typing import Any, Final

from adapters.slack.installations import REDIRECT

PATH: Final = "/slack/events"

SCOPES: Final = (
    "app_mentions:read",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "groups:history",
    "groups:read",
    "im:history",
    "im:read",
    "im:write",
    "mpim:history",
    "reactions:write",
    "team:read",
    "usergroups:read",
    "users:read",
)
"""What the app may do: read where it was invited (files, too), write, react, and know who is in a user
group. It asks for nobody's mail address."""

EVENTS: Final = (
    "app_home_opened",
    "app_mention",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
)

LEAVING: Final = ("app_uninstalled", "tokens_revoked")
"""Told when somebody removes the app from a workspace."""

COMMANDS: Final = (
    ("/resolve", "Resolve a ticket", "TKT-98042a72 [note]"),
    ("/ticket", "Show, list, assign, answer or note", "status TKT-98042a72 | list mine | help"),
    ("/new", "Report a problem", "[what the matter is]"),
)

SHORTCUTS: Final = (
    ("message", "Open a ticket", "open_ticket", "Open a ticket of this message"),
    ("message", "Resolve ticket", "resolve_ticket", "Resolve the ticket of this thread"),
    ("global", "Report an incident", "report_incident", "Report a problem"),
)


def manifest(url: str | None, in_many: bool = False) -> dict[str, Any]:
    """Build the manifest (docs.slack.dev, "App manifest reference"). `url` is the public address of the bot; None:
    Socket Mode, which needs none. `in_many`: the app is to be installed in several workspaces."""
    where = {} if url is None else {"url": f"{url.rstrip('/')}{PATH}"}
    many = url is not None and in_many
    back = {"redirect_urls": [f"{(url or '').rstrip('/')}{REDIRECT}"]} if many else {}
    events = [*EVENTS, *(LEAVING if many else ())]
    asks = {} if url is None else {"request_url": f"{url.rstrip('/')}{PATH}"}
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Firstline",
            "description": "Report a problem, and follow its ticket",
            "background_color": "#1f2937",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": "firstline", "always_online": True},
            "shortcuts": [
                {"type": kind, "name": name, "callback_id": callback, "description": does}
                for kind, name, callback, does in SHORTCUTS
            ],
            "slash_commands": [
                {"command": name, **where, "description": does, "usage_hint": usage, "should_escape": False}
                for name, does, usage in COMMANDS
            ],
        },
        "oauth_config": {**back, "scopes": {"bot": list(SCOPES)}},
        "settings": {
            "event_subscriptions": {**asks, "bot_events": events},
            "interactivity": {"is_enabled": True, **asks},
            "org_deploy_enabled": many,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }
