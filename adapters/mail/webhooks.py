"""Mail that others bring over HTTP: whoever has our token, Mailgun, SendGrid, Postmark, Amazon SES. Who may bring it is
shown by a secret or a signature; without the setting that it is checked by there is no route. The answer is given when
the mail is committed.

What is refused is answered so that each of them does what is right: a mail that can never be taken is given up, and one
whose signature is wrong, which may be our mistake in a setting, is brought again where the provider does that.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from adapters.mail.hook import Headers, Hook, Json, Refused, addresses, is_secret, media_type, sender_of
from adapters.mail.parsed import Envelope
from adapters.mail.providers import Mailgun, Postmark, SendGrid, Ses
from adapters.mail.settings import MailInSettings
from adapters.mail.sns import Notifications, is_amazons
from adapters.mail.ways import Door
from bot.ports import Clock, Routes


class Webhooks:
    """The routes of all that are switched on. `is_theirs`: see `Notifications`."""

    def __init__(
        self, settings: MailInSettings, clock: Clock, is_theirs: Callable[[str, str], bool] = is_amazons
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._is_theirs = is_theirs

    @contextmanager
    def listening(self, door: Door, web: Routes) -> Iterator[None]:
        """While entered, take mail in."""
        for hook in self._hooks(door):
            for path in hook.paths:
                web.add_route(path, hook.post, ["POST"])
        yield

    def _hooks(self, door: Door) -> "Iterator[Hook]":
        settings, most = self._settings, self._settings.max_mail
        if settings.mail_token is not None:
            yield Email(door, most, settings.mail_token.get_secret_value())
        if settings.mailgun_signing_key is not None:
            yield Mailgun(door, most, settings.mailgun_signing_key.get_secret_value(), self._clock)
        if settings.sendgrid_public_key is not None:
            yield SendGrid(door, most, settings.sendgrid_public_key.get_secret_value())
        if settings.postmark_auth is not None:
            yield Postmark(door, most, settings.postmark_auth.get_secret_value())
        if settings.topics:
            yield Ses(door, most, Notifications(settings.topics, self._clock, self._is_theirs))


class Email(Hook):
    """A mail as it is (message/rfc822). X-Envelope-From and X-Envelope-To tell its envelope, if anybody knows it."""

    name = "http"
    paths = ("/inbound/email",)

    def __init__(self, door: Door, most: int, token: str) -> None:
        super().__init__(door, most)
        self.largest = most
        self._token = token

    def admit(self, headers: Headers) -> None:
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not is_secret(given.strip(), self._token):
            raise Refused(401, "A bearer token is needed: that of MAIL_TOKEN.", **{"WWW-Authenticate": "Bearer"})
        if media_type(headers) != "message/rfc822":
            raise Refused(415, "Send the mail as it is, with Content-Type: message/rfc822.")

    def handle(self, headers: Headers, body: bytes) -> Json:
        if not body.strip():
            raise Refused(400, "The body is empty.")
        sender = headers.get("x-envelope-from")
        envelope = Envelope(
            None if sender is None else sender_of(sender), addresses(headers.get("x-envelope-to", "")), self.name
        )
        return self.take(body, envelope)
