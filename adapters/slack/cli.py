"""`bot slack …`: setting up Slack, and finding out what is wrong. The context holds what opens the database."""

import json
from typing import Annotated

import typer

from adapters.slack.checks import Checks, Verdict
from adapters.slack.installations import OneToken, tokens
from adapters.slack.manifest import manifest
from adapters.slack.settings import SlackSettings
from bot.errors import ConfigurationError
from bot.settings import Settings


def add_commands(app: typer.Typer) -> None:
    group = typer.Typer(help="Set up Slack.", no_args_is_help=True)
    group.command("manifest")(print_manifest)
    group.command("check")(print_checks)
    app.add_typer(group, name="slack")


def print_manifest(
    url: Annotated[str | None, typer.Option(help="Public address of the bot. Default: PUBLIC_URL.")] = None,
    socket: Annotated[bool, typer.Option("--socket", help="For Socket Mode, also before there is a token.")] = False,
) -> None:
    """Print the manifest to create the app from: for Socket Mode if SLACK_APP_TOKEN is set, else for HTTP."""
    if socket or (url is None and SlackSettings.read().slack_app_token is not None):
        public = None
    else:
        public = url or Settings.read().public_url
        if public is None:
            raise ConfigurationError(
                "PUBLIC_URL is not set, and Slack must know where the bot is: give --url https://support.shop.example, "
                "or --socket for Socket Mode, which needs no public address."
            )
        if not public.startswith("https://"):
            raise ConfigurationError(f"Slack calls https addresses only, and {public} is none.")
    typer.echo(json.dumps(manifest(public, SlackSettings.read().slack_client_id is not None), indent=2))


def print_checks(context: typer.Context) -> None:
    """Ask Slack whether the token, the scopes, the channels and the user groups are right; exit code 1 if not."""
    settings, core = SlackSettings.read(), Settings.read()
    if not settings.is_on:
        raise ConfigurationError("SLACK_BOT_TOKEN is not set: docs/slack.md leads there, from nothing.")
    known = (
        OneToken.set_in(settings)
        if settings.slack_client_id is None
        else tokens(settings, core, context.obj.state(core))
    )
    is_right = True
    for finding in Checks(settings, core.public_url, known).findings():
        is_right = is_right and finding.verdict in (Verdict.FINE, Verdict.HINT)
        typer.echo(f"{finding.verdict} {finding.what}" + (f"\n    {finding.remedy}" if finding.remedy else ""))
    if not is_right:
        raise typer.Exit(1)
