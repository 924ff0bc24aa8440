"""Settings of the HTTP side."""

from datetime import timedelta

from pydantic import Field

from bot.errors import ConfigurationError
from bot.settings import Duration, FromEnvironment

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class HttpSettings(FromEnvironment):
    """Where to listen, and how long an answer may take."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    response_wait: Duration = Field(
        timedelta(seconds=10), description="How long a request waits for its incident before it is answered 202."
    )
    max_body: int = Field(1_000_000, ge=1_000, description="Largest request body, in bytes.")

    def refuse_foreign_address(self) -> None:
        """Raise ConfigurationError if the address can be reached from elsewhere: callers are not known by name yet, so
        whoever can reach the port may do everything."""
        if self.host not in LOOPBACK:
            raise ConfigurationError(
                f"HOST: {self.host} can be reached from other machines, and callers are not authenticated. "
                "Use 127.0.0.1, and put a proxy that authenticates before it."
            )
