"""Who calls, and what they may do: JSON Web Tokens (RFC 7519, HS256), sent as bearer tokens (RFC 6750)."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import structlog
from fastapi import Depends
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from adapters.http.limits import RateLimits
from adapters.http.problems import problem
from adapters.http.settings import MAKE_A_KEY, HttpSettings
from bot.errors import ConfigurationError, FirstlineError
from bot.model import Caller, Role
from bot.ports import Signer

log = structlog.get_logger()

US = "firstline"
"""Audience and issuer of our tokens."""

ALGORITHM = "HS256"
CLAIMS = ["exp", "sub", "aud", "iss", "jti", "iat", "role"]
LEEWAY = 10
"""Seconds that the clocks of two machines may differ."""

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
ROLES = {role.value: role for role in (Role.REPORTER, Role.AGENT, Role.ADMIN)}
LONGEST_TOKEN = 4096
LONGEST = 366 * 24 * 3600
"""Seconds for which a token may hold, with some room for clocks: whoever has one for life has it longer than they
should."""

REMEMBERED = 1024
"""Tokens whose signature need not be computed again: that is a fifth of what the hot route costs."""

OPEN = frozenset({"/healthz", "/readyz"})
"""What can be asked without a token. Every other path needs one, also a path that does not exist."""

SIGNED = "/a/"
"""Where the links of mails lead: each carries what it is good for, and is good for nothing else."""

ANYBODY_HERE = Caller("loopback", Role.ADMIN)
"""Who calls as long as no key is configured: only this machine can."""

COMMAND_LINE = Caller("command-line", Role.REPORTER)

REREAD_AFTER = 2.0
"""Seconds after which the revoked tokens are read again, while requests go on with what was read before."""

TOO_OLD = 4.0
"""Seconds after which a request waits until they are read again: a revocation holds within 5 seconds."""

PATIENCE = 0.5
"""Seconds that reading them may hold up requests."""

MISSING = "Send a token: Authorization: Bearer, and what bot token issue has printed."
UNREADABLE = "This is no token of ours."
FOREIGN = "The token was not signed with a key of ours."
EXPIRED = "The token has expired. Ask for a new one."
REVOKED = "The token was revoked. Ask for a new one."
NOT_FOR_US = f"The token is not for us: its aud and its iss must be {US}."
NOT_YET = "The token is not valid yet: its time lies ahead of our clock."
OLD = "The token is too old: it may hold for 365 days at most. Ask for a new one."
BAD_NAME = "a name has 1 to 64 of these: A-Z a-z 0-9 . _ @ -"
BAD_ROLE = f"the role is one of {', '.join(ROLES)}"


class Refused(Exception):
    """Raised when a request comes with no token that can be taken. `error` is the code of RFC 6750 section 3.1; there
    is none where no token came."""

    def __init__(self, detail: str, error: str = "invalid_token", status: int = 401) -> None:
        super().__init__(detail)
        self.detail = detail
        self.error = error
        self.status = status

    def answer(self) -> Response:
        answer = problem(self.status, self.detail)
        described = {"error": self.error, "error_description": self.detail} if self.error else {}
        answer.headers["WWW-Authenticate"] = challenge(**described)
        return answer


def challenge(**attributes: str) -> str:
    """Write the value of WWW-Authenticate (RFC 6750 section 3). The attributes must hold no quotation marks."""
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in {"realm": US, **attributes}.items())


@dataclass(frozen=True, slots=True)
class Verified:
    """What a token says that one of our keys has signed. `expires_at`: in seconds since 1970."""

    caller: Caller
    jti: str
    expires_at: int


class Keys(Signer):
    """The keys of JWT_KEYS. The first signs and all verify, so that a new one can be put before an old one, and the old
    one be taken away when its last token has expired."""

    def __init__(self, keys: Sequence[str]) -> None:
        import jwt  # now, and not while the first request waits

        self._jwt: Any = jwt
        self._keys = tuple(keys)
        self._remembered = lru_cache(REMEMBERED)(self._read)

    @classmethod
    def of(cls, settings: HttpSettings) -> "Keys":
        """Raises ConfigurationError if there are none."""
        if not settings.keys:
            raise ConfigurationError(f"JWT_KEYS: there is no key to sign a token with. {MAKE_A_KEY}")
        return cls(settings.keys)

    def sign(self, caller: Caller, jti: str, issued_at: datetime, expires_at: datetime) -> str:
        """Return a token by which the caller is known until then. Raises FirstlineError for a name or a role that we
        would not take afterwards."""
        if not NAME.fullmatch(caller.name):
            raise FirstlineError(f"{caller.name[:80]!r} cannot be used: {BAD_NAME}")
        if caller.role not in ROLES.values():
            raise FirstlineError(f"{caller.role.value!r} cannot be used: {BAD_ROLE}")
        claims = {"iss": US, "aud": US, "sub": caller.name, "role": caller.role.value, "jti": jti}
        times = {"iat": int(issued_at.timestamp()), "exp": int(expires_at.timestamp())}
        return str(self._jwt.encode({**claims, **times}, self._keys[0], ALGORITHM))

    def verify(self, token: str) -> Verified:
        """Return what a token says. Raises Refused."""
        if len(token) > LONGEST_TOKEN:
            raise Refused(UNREADABLE)
        verified = self._remembered(token)
        if time.time() >= verified.expires_at + LEEWAY:  # it may have expired since it was read
            raise Refused(EXPIRED)
        return verified

    def _read(self, token: str) -> Verified:
        try:
            return _verified(self._decode(token))
        except (self._jwt.PyJWTError, TypeError, ValueError, OverflowError) as exc:
            refusal = Refused(self._why(exc))
        raise refusal  # outside the except: those texts may hold parts of the token

    def _decode(self, token: str) -> dict[str, Any]:
        foreign: Exception | None = None
        for key in self._keys:
            try:
                return dict(
                    self._jwt.decode(
                        token,
                        key,
                        algorithms=[ALGORITHM],
                        audience=US,
                        issuer=US,
                        leeway=LEEWAY,
                        options={"require": CLAIMS},
                    )
                )
            except self._jwt.InvalidSignatureError as exc:
                foreign = exc
        raise foreign or ValueError("no keys")

    def _why(self, exc: Exception) -> str:
        jwt = self._jwt
        if isinstance(exc, jwt.MissingRequiredClaimError):
            return f"The token lacks the claim {exc.claim}."  # one of CLAIMS
        texts = {
            jwt.ExpiredSignatureError: EXPIRED,
            jwt.ImmatureSignatureError: NOT_YET,
            jwt.InvalidAudienceError: NOT_FOR_US,
            jwt.InvalidIssuerError: NOT_FOR_US,
            jwt.InvalidAlgorithmError: FOREIGN,
            jwt.InvalidSignatureError: FOREIGN,
        }
        return texts.get(type(exc), UNREADABLE)


def _verified(claims: dict[str, Any]) -> Verified:
    name, role, jti = claims["sub"], claims["role"], claims["jti"]
    if not NAME.fullmatch(name):
        raise Refused(f"The token cannot be used: in sub, {BAD_NAME}")
    if not isinstance(role, str) or role not in ROLES:
        raise Refused(f"The token cannot be used: {BAD_ROLE}.")
    expires_at, issued_at = int(claims["exp"]), int(claims["iat"])
    if expires_at - issued_at > LONGEST:
        raise Refused(OLD)
    return Verified(Caller(name, ROLES[role]), jti, expires_at)


class Revocations:
    """The ids of revoked tokens, in memory, so that no request has to ask the database. `read` asks it, in a thread.

    There is no thread that reads them all the time: a request finds that they are old, and has them read.
    """

    def __init__(self, read: Callable[[], Set[str]], clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._revoked: Set[str] | None = None
        self._read_at = self._asked_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._failed = False

    async def has(self, jti: str) -> bool | None:
        """Whether a token is revoked, as of at most TOO_OLD seconds ago, or of when the database last answered. None:
        it has never answered."""
        now = self._clock()
        if now - self._asked_at > REREAD_AFTER and (self._reading is None or self._reading.done()):
            self._asked_at = now
            self._reading = asyncio.create_task(self._read_again(now))
        if now - self._read_at > TOO_OLD and self._reading is not None:
            await asyncio.wait([self._reading], timeout=max(0.0, self._asked_at + PATIENCE - now))
        return None if self._revoked is None else jti in self._revoked

    async def _read_again(self, now: float) -> None:
        try:
            self._revoked = await asyncio.to_thread(self._read)
        except Exception as exc:  # whatever it is: what was read last holds on
            if not self._failed:
                log.error("tokens.not_read", exc_info=exc)
            self._failed = True
        else:
            self._read_at, self._failed = now, False


class Authentication:
    """Stands before the application: finds out who calls, and refuses whoever does not say so, or calls too often.
    `keys`: None where only this machine can call, and may do everything. `webhooks` are paths that platforms call, and
    sign; they, and what watches us, are not counted by `limits`."""

    def __init__(
        self,
        app: ASGIApp,
        keys: Keys | None,
        revocations: Revocations,
        webhooks: frozenset[str] = frozenset(),
        limits: RateLimits | None = None,
    ) -> None:
        self._app = app
        self._limits = limits
        self._unlimited = OPEN | webhooks
        self._open = OPEN | webhooks
        self._keys = keys
        self._revocations = revocations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = None
        if scope["type"] == "http" and self._limits is not None and scope["path"] not in self._unlimited:
            refusal = await self._limits.address(scope)
        if refusal is not None:
            pass
        elif scope["type"] == "http" and self._keys is None:
            scope["caller"] = ANYBODY_HERE
        elif scope["type"] == "http" and scope["path"] not in self._open and not scope["path"].startswith(SIGNED):
            refusal = await self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    async def _refusal(self, scope: Scope) -> Response | None:
        assert self._keys is not None
        try:
            verified = self._keys.verify(_token(Headers(scope=scope)))
            revoked = await self._revocations.has(verified.jti)
            if revoked:
                raise Refused(REVOKED)
        except Refused as exc:
            too_many = None if self._limits is None else await self._limits.failure(scope)
            return too_many or exc.answer()
        if revoked is None:
            return problem(503, "The database does not answer, so that nobody can be known. Try again.")
        scope["caller"] = verified.caller
        return None if self._limits is None else await self._limits.caller(verified.caller)


def _token(headers: Headers) -> str:
    """Take the token out of its header; it is looked for nowhere else. Raises Refused."""
    given = headers.getlist("authorization")
    if len(given) > 1:
        raise Refused("Authorization: send it once.", "invalid_request", 400)
    scheme, _, token = "".join(given).partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Refused(MISSING, error="")
    return token.strip()


def caller_of(request: Request) -> Caller:
    """Return who sent a request that has come past `Authentication`."""
    caller: Caller = request.scope["caller"]
    return caller


def require(who: Caller, role: Role) -> Caller:
    """Return the caller, if the role is theirs. Raises HTTPException."""
    if not who.may(role):
        raise HTTPException(403, f"This needs the role {role.value}; yours is {who.role.value}.", too_low(role))
    return who


def too_low(needed: Role) -> dict[str, str]:
    """The header that goes with a 403 (RFC 6750 section 3.1)."""
    return {"WWW-Authenticate": challenge(error="insufficient_scope", scope=needed.value)}


def _at_least(role: Role) -> Callable[[Request], Awaitable[Caller]]:
    async def caller(request: Request) -> Caller:
        return require(caller_of(request), role)

    return caller


Reporter = Annotated[Caller, Depends(_at_least(Role.REPORTER))]
Agent = Annotated[Caller, Depends(_at_least(Role.AGENT))]
Admin = Annotated[Caller, Depends(_at_least(Role.ADMIN))]
