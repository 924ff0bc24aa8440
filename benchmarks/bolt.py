"""The yardstick of `slack.py`: a Bolt app whose listener does nothing, behind Bolt's own ASGI adapter, on the same
uvicorn. Prints its port."""

from slack_bolt import App
from slack_bolt.adapter.asgi import SlackRequestHandler
from slack_bolt.authorization import AuthorizeResult

from adapters.http.server import serve
from adapters.http.settings import HttpSettings

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def main() -> None:
    app = App(
        signing_secret=SECRET,
        process_before_response=True,
        token_verification_enabled=False,
        authorize=lambda team_id, enterprise_id: AuthorizeResult(
            enterprise_id=enterprise_id, team_id=team_id, bot_token="xoxb-0"
        ),
    )
    app.event("message")(lambda: None)
    serve(SlackRequestHandler(app), HttpSettings(port=0), lambda url: print(f"ready {url}", flush=True))


if __name__ == "__main__":
    main()
