"""Settings of SMS and WhatsApp by Twilio."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from bot.model import TO_CUSTOMERS
from bot.settings import Duration, FromEnvironment

Channel = Literal["sms", "whatsapp"]

ACCOUNT: Final = re.compile(r"AC[0-9a-f]{32}")
NUMBER: Final = re.compile(r"\+[1-9][0-9]{6,14}")
"""A telephone number as ITU-T E.164 has it, the longest of 15 digits."""

SMS_FROM: Final = re.compile(rf"{NUMBER.pattern}|MG[0-9a-f]{{32}}|[0-9]{{3,6}}|(?=.*[A-Za-z])[A-Za-z0-9 ]{{1,11}}")
"""A number, a Messaging Service, a short code, or a name (twilio.com/docs/glossary, "alphanumeric sender ID")."""

TEMPLATE: Final = re.compile(r"([a-z_]+)(?:\.([a-z]{2}))?\s*=\s*(HX[0-9a-f]{32})")
ANY: Final = "any"
KINDS: Final = frozenset(str(kind) for kind in TO_CUSTOMERS)


class TwilioSettings(FromEnvironment):
    """SMS and WhatsApp by Twilio. What has no account and no number here is shown on the console, not sent."""

    twilio_account_sid: str | None = Field(
        None, description="The account's SID, AC…, from the Twilio console. Not set: SMS and WhatsApp are simulated."
    )
    twilio_auth_token: SecretStr | None = Field(
        None, description="The account's auth token: opens the API, and shows that a webhook is Twilio's."
    )
    twilio_sms_from: str | None = Field(
        None, description="What SMS come from: a number (+1…), a Messaging Service (MG…), a short code or a name."
    )
    twilio_whatsapp_from: str | None = Field(
        None, description="The number that WhatsApp messages come from, such as +14155238886."
    )
    twilio_templates: str = Field(
        "",
        description="Templates for WhatsApp, with commas between them: KIND=HX… or KIND.LANGUAGE=HX…; the kind any is "
        "for all.",
    )
    twilio_sms_segments: int = Field(6, ge=1, le=10, description="How many segments an SMS may have; each is paid for.")
    twilio_api_url: str = Field("https://api.twilio.com", description="Where Twilio's API is.")
    twilio_timeout: Duration = Field(
        timedelta(seconds=5), gt=timedelta(0), description="How long one network step to Twilio may take."
    )
    twilio_deadline: Duration = Field(
        timedelta(seconds=15), gt=timedelta(0), description="How long sending one text by Twilio may take in all."
    )
    twilio_file_deadline: Duration = Field(
        timedelta(seconds=60), gt=timedelta(0), description="How long fetching one file from Twilio may take in all."
    )

    def number_of(self, channel: Channel) -> str | None:
        """What texts of a channel come from; None: it is simulated."""
        return self.twilio_sms_from if channel == "sms" else self.twilio_whatsapp_from

    @property
    def templates(self) -> dict[tuple[str, str], str]:
        """The template of each kind and language (empty: any language)."""
        return dict(_templates(self.twilio_templates))

    def template(self, kind: str, language: str) -> str | None:
        """The template for a kind of notice in a language, or the nearest to it, if there is one."""
        found = self.templates
        wanted = ((kind, language), (kind, ""), (ANY, language), (ANY, ""))
        return next((found[one] for one in wanted if one in found), None)

    @field_validator("twilio_account_sid")
    @classmethod
    def _is_an_account(cls, sid: str | None) -> str | None:
        if sid is not None and not ACCOUNT.fullmatch(sid):
            raise ValueError("must be AC and 32 hex digits, as the first page of the Twilio console shows it")
        return sid

    @field_validator("twilio_sms_from")
    @classmethod
    def _is_a_sender(cls, written: str | None) -> str | None:
        if written is not None and not SMS_FROM.fullmatch(written):
            raise ValueError("must be a number such as +14155552671, a Messaging Service (MG…), a short code or a name")
        return written

    @field_validator("twilio_whatsapp_from")
    @classmethod
    def _is_a_number(cls, written: str | None) -> str | None:
        number = None if written is None else written.removeprefix("whatsapp:")
        if number is not None and not NUMBER.fullmatch(number):
            raise ValueError("must be a number such as +14155238886")
        return number

    @field_validator("twilio_templates")
    @classmethod
    def _are_templates(cls, written: str) -> str:
        list(_templates(written))
        return written

    @field_validator("twilio_api_url")
    @classmethod
    def _is_an_url(cls, url: str) -> str:
        if not re.fullmatch(r"https?://[^/\s?#@]+(/[^\s?#]*)?", url):
            raise ValueError("must be an address such as https://api.twilio.com")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _is_whole(self) -> "TwilioSettings":
        """Half a configuration sends nothing, and says nothing of it: so it does not start."""
        has = {
            "TWILIO_ACCOUNT_SID": self.twilio_account_sid is not None,
            "TWILIO_AUTH_TOKEN": self.twilio_auth_token is not None,
            "TWILIO_SMS_FROM or TWILIO_WHATSAPP_FROM": bool(self.twilio_sms_from or self.twilio_whatsapp_from),
        }
        lacks = [name for name, is_set in has.items() if not is_set]
        if lacks and len(lacks) < len(has):
            remedy = "the Twilio console shows it; or take the other TWILIO_ settings away, and both are simulated"
            raise ValueError(f"{' and '.join(lacks)} is not set: {remedy}")
        if self.twilio_templates and self.twilio_whatsapp_from is None:
            raise ValueError("TWILIO_WHATSAPP_FROM is not set, and TWILIO_TEMPLATES is: templates are for WhatsApp")
        return self


def _templates(written: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Read what TWILIO_TEMPLATES says. Raises ValueError."""
    for part in (part.strip() for part in written.split(",")):
        if not part:
            continue
        found = TEMPLATE.fullmatch(part)
        if found is None:
            raise ValueError(f"{part[:40]!r} is none; write reminder=HX… or reminder.es=HX…, HX and 32 hex digits")
        if found[1] not in KINDS and found[1] != ANY:
            raise ValueError(f"{found[1]!r} is no kind of text; there are {', '.join(sorted(KINDS))}, and {ANY}")
        yield (found[1], found[2] or ""), found[3]
