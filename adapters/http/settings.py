"""Settings of the HTTP side."""

from collections.abc import Iterator
from datetime import timedelta

from pydantic import Field, SecretStr, field_validator

from bot.errors import ConfigurationError
from bot.settings import Duration, FromEnvironment

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

SHORTEST_KEY = 32
"""Bytes: a key for HS256 must be as long as what SHA-256 gives (RFC 7518 section 3.2)."""

MAKE_A_KEY = 'Make one: python3 -c "import secrets; print(secrets.token_urlsafe(48))"'


class HttpSettings(FromEnvironment):
    """Where to listen, who may call, and how long an answer may take."""

    host: str = Field("127.0.0.1", description="Address to listen on; one that others can reach needs JWT_KEYS.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port on HOST where a worker or a clock alone shows /metrics, /healthz and /readyz. "
        "Not set: nowhere.",
    )
    jwt_keys: SecretStr | None = Field(
        None,
        description="Keys of the API's tokens, with commas between them: the first signs, all verify. "
        "Not set: whoever is on this machine may do everything.",
    )
    response_wait: Duration = Field(
        timedelta(seconds=10), description="How long a request waits for its incident before it is answered 202."
    )
    max_body: int = Field(1_000_000, ge=1_000, description="Largest request body, in bytes.")

    @field_validator("jwt_keys")
    @classmethod
    def _can_sign(cls, value: SecretStr | None) -> SecretStr | None:
        for key in _split(value):
            _check(key)
        return value

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of JWT_KEYS; the first is the one that signs."""
        return tuple(_split(self.jwt_keys))

    def refuse_foreign_address(self) -> None:
        """Raise ConfigurationError if the address can be reached from elsewhere and nobody needs a token: whoever can
        reach the port might do everything."""
        if self.host not in LOOPBACK and not self.keys:
            raise ConfigurationError(
                f"HOST: {self.host} can be reached from other machines, and callers are not authenticated. "
                f"Use 127.0.0.1, or set JWT_KEYS, so that each caller needs a token. {MAKE_A_KEY}"
            )

    def _secrets(self) -> Iterator[str]:
        yield from super()._secrets()
        yield from self.keys


def _split(keys: SecretStr | None) -> Iterator[str]:
    if keys is not None:
        yield from (key.strip() for key in keys.get_secret_value().split(","))


def _check(key: str) -> None:
    """Raise ValueError, without the key in it, unless one can sign with it."""
    from jwt import get_algorithm_by_name  # 20 MB, and only whoever has keys needs it
    from jwt.exceptions import InvalidKeyError

    if len(key.encode()) < SHORTEST_KEY:
        raise ValueError(f"each key needs at least {SHORTEST_KEY} bytes. {MAKE_A_KEY}")
    try:
        get_algorithm_by_name("HS256").prepare_key(key)
    except InvalidKeyError:
        raise ValueError(f"a certificate or a public key is no secret. {MAKE_A_KEY}") from None
