"""Logging in: the password, then the second factor where the account has one; only then is there a session.

Between the two steps stands a ticket of 256 random bits that dies after five minutes, with its use and with the process. It opens
nothing but the second step, and the session that follows has a token of its own (no fixation).
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from pai.core.audit.values import Outcome
from pai.core.identity.devices import Arrival
from pai.core.identity.events import LoginRefused
from pai.core.identity.passwords import MAXIMUM_BYTES
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.second_factors import NO_CODE, SecondFactors
from pai.core.identity.sessions import WRONG_LOGIN, NewSession, Sessions
from pai.core.identity.throttle import admit
from pai.core.identity.values import User
from pai.core.keys.values import RESET, Factor, MemberWrap
from pai.foundation.actor import Actor, ActorKind
from pai.foundation.errors import Unauthenticated, Unavailable
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

LIFE_SECONDS: Final = 300
MOST_WAITING: Final = 1000


@dataclass(frozen=True, slots=True)
class SecondStep:
    """The password was right; the second factor is due. ``ticket`` goes into a cookie; ``kinds`` are what the account can give."""

    ticket: Secret
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Waiting:
    user: User
    handle: str | None
    arrival: Arrival
    kinds: tuple[str, ...]
    until: float


@dataclass(frozen=True, slots=True)
class Login:
    """Use cases of logging in with a password. ``waiting`` maps hashes of tickets to what the first step found."""

    sessions: Sessions
    factors: SecondFactors
    waiting: dict[bytes, _Waiting] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Be told when all sessions of an account end: its log-ins that stand at their second step end with them."""
        self.sessions.dropping.append(self.drop)

    async def with_password(self, email: str, password: Secret, arrival: Arrival) -> NewSession | SecondStep:
        """Begin a session, or ask for the second step. Raises Unauthenticated (the same for every reason) and Throttled.

        The work is the same whether the account exists or not, so neither answer nor time tells.
        """
        account = email.strip().lower()[:254]
        user, wrap, kinds = await self.sessions.work.run(lambda unit: self._attempt(unit, account, arrival.address))
        right, handle = await asyncio.to_thread(self._check, user, wrap, password)
        if user is None or not right:
            await self.sessions.work.run(lambda unit: _refuse(unit, user, arrival.address))
            raise Unauthenticated(WRONG_LOGIN, code="wrong_login", hint="check both; after some tries there is a pause")
        if handle is not None and (wrap is None or wrap.factor_id == RESET):
            self.sessions.keystore.forget(handle)
            handle = None
        if not kinds:
            return await self.sessions.begin(user, handle, arrival, ("password",))
        step = self._wait(user, handle, arrival, kinds)
        # Only now, with the ticket in ``waiting``: an account that ends after this look finds it there, one that ended before is seen.
        current = await self.sessions.work.read(lambda unit: unit.users.get(user.id))
        if current is None or current.disabled_at is not None or current.password_verifier != user.password_verifier:
            self._forget([_hash(step.ticket)])
            raise Unauthenticated(WRONG_LOGIN, code="wrong_login", hint="check both; after some tries there is a pause")
        return step

    def _attempt(
        self, unit: IdentityUnit, account: str, address: str
    ) -> tuple[User | None, MemberWrap | None, tuple[str, ...]]:
        admit(unit.users, account, address, self.sessions.clock.now())
        user = unit.users.by_email(account)
        if user is None:
            return None, None, ()
        wrap = unit.wraps.member_wrap(user.id, Factor.PASSWORD) or unit.wraps.member_wrap(
            user.id, Factor.PASSWORD, RESET
        )
        return user, wrap, tuple(unit.factors.holders().get(user.id, ()))

    def _check(self, user: User | None, wrap: MemberWrap | None, password: Secret) -> tuple[bool, str | None]:
        keystore = self.sessions.keystore
        if user is None or wrap is None or user.disabled_at is not None or len(password.reveal()) > MAXIMUM_BYTES:
            keystore.spend_password_time(Secret(password.reveal()[:MAXIMUM_BYTES]))
            return False, None
        salt, verifier = user.password_salt, user.password_verifier
        try:
            handle = keystore.unlock_with_password(user.id, password, salt=salt, verifier=verifier, wrap=wrap.blob)
        except Unauthenticated:
            return False, None
        return True, handle

    def _wait(self, user: User, handle: str | None, arrival: Arrival, kinds: tuple[str, ...]) -> SecondStep:
        self.sweep()
        if len(self.waiting) >= MOST_WAITING:
            if handle is not None:
                self.sessions.keystore.forget(handle)
            raise Unavailable("too many log-ins stand at their second step", hint="try again in a minute")
        ticket = Secret(secrets.token_urlsafe(32).encode())
        until = self.sessions.clock.monotonic() + LIFE_SECONDS
        self.waiting[_hash(ticket)] = _Waiting(user, handle, arrival, kinds, until)
        return SecondStep(ticket, kinds)

    def kinds_of(self, ticket: Secret) -> tuple[str, ...]:
        """Return what the account of a ticket can give; empty when there is no such ticket any more."""
        self.sweep()
        held = self.waiting.get(_hash(ticket))
        return held.kinds if held is not None else ()

    def user_of(self, ticket: Secret) -> User | None:
        """Return whose log-in stands at its second step with this ticket."""
        self.sweep()
        held = self.waiting.get(_hash(ticket))
        return held.user if held is not None else None

    async def with_code(self, ticket: Secret, code: str) -> NewSession:
        """Take the second step with a code of the authenticator app or a backup code; the ticket is used up when it is right.

        Raises Unauthenticated (``login_expired``, ``wrong_code``) and Throttled. Guesses count for the account, over all tickets.
        """
        held = self._held(ticket)
        method = await self.factors.check(held.user.id, code)
        if method is None:
            await self.sessions.work.run(lambda unit: _refuse(unit, held.user, held.arrival.address, "second factor"))
            raise Unauthenticated("this code is not right", code="wrong_code", hint=NO_CODE)
        return await self.finish(ticket, method)

    async def finish(self, ticket: Secret, method: str) -> NewSession:
        """Begin the session of a ticket whose second step was right. Of two at once only one gets it."""
        held = self._held(ticket)
        del self.waiting[_hash(ticket)]
        return await self.sessions.begin(held.user, held.handle, held.arrival, ("password", method))

    def _held(self, ticket: Secret) -> _Waiting:
        self.sweep()
        held = self.waiting.get(_hash(ticket))
        if held is None:
            raise Unauthenticated("this log-in has taken too long", code="login_expired", hint="begin again")
        return held

    def sweep(self) -> None:
        """Forget log-ins that were not finished in time, and the content keys that they hold open."""
        moment = self.sessions.clock.monotonic()
        self._forget([key for key, held in self.waiting.items() if held.until <= moment])

    def drop(self, user_id: str) -> None:
        """Forget an account's log-ins that stand at their second step, and the content keys that they hold open."""
        self._forget([key for key, held in self.waiting.items() if held.user.id == user_id])

    def _forget(self, tickets: Sequence[bytes]) -> None:
        for key in tickets:
            held = self.waiting.pop(key, None)
            if held is not None and held.handle is not None:
                self.sessions.keystore.forget(held.handle)


def _refuse(unit: IdentityUnit, user: User | None, address: str, reason: str = "") -> None:
    resource = ResourceRef("user", user.id) if user is not None else None
    event = LoginRefused(resource=resource, address=address[:64], outcome=Outcome.REFUSED, reason=reason)
    unit.audit.record(_ANONYMOUS, event)


def _hash(ticket: Secret) -> bytes:
    return hashlib.sha256(b"pai/login/1\x00" + ticket.reveal()).digest()


_ANONYMOUS = Actor("anonymous", "anonymous", ActorKind.PERSON)
