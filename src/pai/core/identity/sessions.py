"""Browser sessions: kept on this side, 15 minutes idle and 12 hours in all by default, ended at once when told so.

The cookie holds 256 random bits; the database holds their SHA-256. The CSRF token is derived from the cookie's value, so a
page can be rendered with it without storing it, and nobody without the cookie can make it.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pai.core.identity.accounts import INSTALLATION, normal_email
from pai.core.identity.devices import Arrival, Arrived, arrive, unseen
from pai.core.identity.events import LoggedIn, SessionEnded
from pai.core.identity.liveness import Liveness
from pai.core.identity.ports import IdentityUnit, PromptCaches
from pai.core.identity.requirement import Requirement
from pai.core.identity.throttle import forgive
from pai.core.identity.values import Device, Session, User
from pai.core.keys.ports import Keystore
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor, ActorKind
from pai.foundation.errors import Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

TOUCH: Final = timedelta(seconds=30)
FRESH: Final = timedelta(minutes=5)
"""How long somebody who has just proved who they are may do dangerous things without being asked again."""
Droppers = list[Callable[[str], None]]
WRONG_LOGIN: Final = "the email or the password is wrong"


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has just begun, and what goes to the browser: the cookie's value, the CSRF token, and the value of the cookie that
    the browser is known by from now on, None when it keeps the one it has."""

    session: Session
    token: Secret
    csrf: str = field(repr=False)
    user: User
    device: Secret | None = None


@dataclass(slots=True)
class _Open:
    """What is in memory for a live session. ``handle`` names the member key that the keystore holds open. Times are seconds of the
    monotonic clock: whoever sets the machine's clock back makes no session last longer."""

    session_id: str
    user_id: str
    handle: str | None
    seen: float
    end: float
    proved: float
    device_id: str


@dataclass(frozen=True, slots=True)
class Sessions:
    """Use cases on browser sessions. ``opened`` maps token hashes to what is open for them, ``unseen`` accounts to new browsers that
    nobody has acknowledged; both die with the process, as all sessions do."""

    work: Work[IdentityUnit]
    keystore: Keystore
    policy: Policy
    clock: Clock
    liveness: Liveness = field(default_factory=Liveness)
    idle: timedelta = timedelta(minutes=15)
    absolute: timedelta = timedelta(hours=12)
    caches: PromptCaches | None = None
    requirement: Requirement = field(default_factory=Requirement)
    opened: dict[bytes, _Open] = field(default_factory=dict)
    unseen: dict[str, tuple[Device, ...]] = field(default_factory=dict)
    dropping: Droppers = field(default_factory=list)
    """What else holds something open for a person, and forgets it when all their sessions end: called with the account's id."""

    async def begin(self, user: User, handle: str | None, arrival: Arrival, methods: tuple[str, ...]) -> NewSession:
        """Begin the session of somebody who proved who they are by ``methods``. Raises Unauthenticated when the account was disabled or
        given another password meanwhile; ``handle`` is forgotten then."""
        token, now = Secret(secrets.token_urlsafe(32).encode()), self.clock.now()
        csrf = csrf_of(token)
        session = Session(
            new_id("ses"), user.id, hash_of(token), hashlib.sha256(csrf.encode()).digest(), now, now, now + self.absolute,
            arrival.told_agent, arrival.address[:64], methods=methods,
        )  # fmt: skip

        def write(unit: IdentityUnit) -> Arrived:
            current = unit.users.get(user.id)
            if (
                current is None
                or current.disabled_at is not None
                or current.password_verifier != user.password_verifier
            ):
                # Disabled, or given another password, while this one was being checked.
                raise Unauthenticated(WRONG_LOGIN, code="wrong_login")
            forgive(unit.users, user.email, arrival.address)
            seen = arrive(unit, user.id, arrival, now)
            kept = dataclasses.replace(session, new_device=seen.new)
            unit.users.add_session(kept)
            event = LoggedIn(
                resource=ResourceRef("user", user.id), session=session.id, content=handle is not None, methods=methods,
                new_device=seen.new,
            )  # fmt: skip
            unit.audit.record(_actor(user, session, handle), event)
            return seen

        try:
            seen = await self.work.run(write)
        except BaseException:
            if handle is not None:
                self.keystore.forget(handle)
            raise
        moment = self.clock.monotonic()
        self.opened[session.token_hash] = _Open(
            session.id, user.id, handle, moment, moment + self.absolute.total_seconds(), moment, seen.device.id
        )
        self.unseen[user.id] = seen.unseen
        return NewSession(session, token, csrf, user, seen.token)

    async def authenticate(self, token: Secret) -> Actor:
        """Return the actor of a cookie, and note that it was used. Raises Unauthenticated once the session has ended."""
        await self.sweep()
        key = hash_of(token)

        def find(unit: IdentityUnit) -> tuple[Session, User, bool] | None:
            session = unit.users.session_by_token(key)
            user = unit.users.get(session.user_id) if session is not None else None
            if session is None or user is None or user.disabled_at is not None or session.ended_at is not None:
                return None
            return session, user, self.requirement.lacks(unit, user)

        found = await self.work.recall(f"session:{key.hex()}", find)
        held, moment = self.opened.get(key), self.clock.monotonic()
        if found is None or held is None or self._over(held, moment):
            self._close(key)
            raise Unauthenticated("the session has ended", code="session_ended", hint="log in again")
        session, user, must_enrol = found
        held.seen, now = moment, self.clock.now()
        if not timedelta(0) <= now - session.seen_at <= TOUCH:
            await self.work.run(lambda unit: unit.users.touch_session(session.id, now))
        fresh = moment - held.proved < FRESH.total_seconds()
        return dataclasses.replace(_actor(user, session, held.handle), fresh=fresh, must_enrol=must_enrol)

    def proved(self, actor: Actor) -> None:
        """Note that the person of this session has just proved again who they are."""
        for held in self.opened.values():
            if held.session_id == actor.session_id:
                held.proved = self.clock.monotonic()

    def news(self, actor: Actor) -> tuple[Device, ...]:
        """Return other browsers that this account was used with for the first time, for its owner to look at."""
        own = next((held.device_id for held in self.opened.values() if held.session_id == actor.session_id), "")
        return tuple(one for one in self.unseen.get(actor.id, ()) if one.id != own)

    async def acknowledge(self, actor: Actor) -> None:
        """Note that the owner knows of the browsers that ``news`` tells. Raises Denied without a fresh proof: who stole a password must not
        be able to wave their own browser through."""
        self.policy.decide(actor, Permission.FACTORS_CHANGE, ResourceRef("user", actor.id, actor.id))
        told = self.news(actor)

        def write(unit: IdentityUnit) -> tuple[Device, ...]:
            for one in told:
                unit.factors.set_device(dataclasses.replace(one, acknowledged_at=self.clock.now()))
            return unseen(unit, actor.id)

        self.unseen[actor.id] = await self.work.run(write)

    async def logout(self, actor: Actor) -> None:
        """End the actor's own session; what engines cached of their prompts goes too."""
        if actor.session_id is None:
            raise Invalid("this is not a browser session", code="not_a_session", hint="revoke the key instead")
        await self._end(actor, "logout", session_id=actor.session_id)

    async def list(self, actor: Actor, user_id: str | None = None) -> Sequence[Session]:
        """Return live sessions, newest first: one's own; the console and administrators name whose, or see all."""
        await self.sweep()
        if actor.kind is ActorKind.OPERATOR or user_id not in (None, actor.id):
            self.policy.decide(actor, Permission.USERS, INSTALLATION)
            return await self.work.read(lambda unit: unit.users.sessions(user_id))
        self.policy.decide(actor, Permission.SESSIONS, ResourceRef("user", actor.id, actor.id))
        return await self.work.read(lambda unit: unit.users.sessions(actor.id))

    async def kill(self, actor: Actor, session_id: str) -> None:
        """End a session: one's own, or (the console and administrators) anyone's. Raises NotFound also for other people's."""
        held = await self.work.read(lambda unit: next((s for s in unit.users.sessions() if s.id == session_id), None))
        if held is None or (held.user_id != actor.id and not self._oversees(actor)):
            raise NotFound("no such session", hint="see the list of sessions")
        needed = Permission.SESSIONS if held.user_id == actor.id else Permission.USERS_CHANGE
        self.policy.decide(actor, needed, ResourceRef("user", held.user_id, held.user_id))
        await self._end(actor, "kill", session_id=session_id)

    def _oversees(self, actor: Actor) -> bool:
        try:
            self.policy.decide(actor, Permission.USERS, INSTALLATION)
        except Denied:
            return False
        return True

    async def end_all(self, actor: Actor, email: str, how: str = "kill") -> int:
        """End every session of an account (console and administrators). Returns how many. Raises NotFound, Denied."""
        self.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)
        user = await self.work.read(lambda unit: unit.users.by_email(normal_email(email)))
        if user is None:
            raise NotFound(f"no account has the address {email}", hint="see `pai user list`")
        return await self._end(actor, how, user_id=user.id)

    async def end_others(self, actor: Actor, how: str) -> None:
        """End the actor's own sessions but the one they act in: they began with what has just been replaced."""
        self._drop(actor.id)
        for held in [one for one in self.opened.values() if one.user_id == actor.id]:
            if held.session_id != actor.session_id:
                await self._end(actor, how, session_id=held.session_id)

    async def close_owner(self, user_id: str) -> None:
        """Forget what is open for this person (the account was disabled; the rows are ended already)."""
        self._drop(user_id)
        for key in [key for key, held in self.opened.items() if held.user_id == user_id]:
            self._close(key)
        await self._purge({user_id})

    def _drop(self, user_id: str) -> None:
        for drop in self.dropping:
            drop(user_id)

    async def _end(self, actor: Actor, how: str, *, session_id: str | None = None, user_id: str | None = None) -> int:
        def write(unit: IdentityUnit) -> int:
            ended = unit.users.end_sessions(self.clock.now(), session_id=session_id, user_id=user_id)
            resource = ResourceRef("session", session_id) if session_id else ResourceRef("user", user_id or "")
            unit.audit.record(actor, SessionEnded(resource=resource, how=how, sessions=ended))
            return ended

        ended = await self.work.run(write)
        if user_id is not None:
            self._drop(user_id)
        owners = set()
        for key, held in list(self.opened.items()):
            if held.session_id == session_id or held.user_id == user_id:
                owners.add(held.user_id)
                self._close(key)
        await self._purge(owners)
        return ended

    async def sweep(self) -> None:
        """End what has been idle or open too long. Cheap: call it often, also when nobody asks for anything."""
        now, moment = self.clock.now(), self.clock.monotonic()
        over = [(key, held) for key, held in self.opened.items() if self._over(held, moment)]
        if not over:
            return
        for key, _ in over:
            self._close(key)

        def write(unit: IdentityUnit) -> None:
            for _, held in over:
                how = "expired" if held.end <= moment else "idle"
                unit.users.end_sessions(now, session_id=held.session_id)
                owner = Actor(held.user_id, held.user_id, ActorKind.PERSON, session_id=held.session_id)
                event = SessionEnded(resource=ResourceRef("session", held.session_id), how=how, sessions=1)
                unit.audit.record(owner, event)

        await self.work.run(write)
        await self._purge({held.user_id for _, held in over})

    async def reopen(self, actor: Actor, handle: str) -> None:
        """Take over a member key that was just opened with the recovery code, for the actor's own session."""
        for held in self.opened.values():
            if held.session_id == actor.session_id:
                old, held.handle = held.handle, handle
                if old is not None and old != handle:
                    self.keystore.forget(old)
                return
        self.keystore.forget(handle)

    def _over(self, held: _Open, moment: float) -> bool:
        return held.end <= moment or moment - held.seen > self.idle.total_seconds()

    def _close(self, key: bytes) -> None:
        held = self.opened.pop(key, None)
        if held is None:
            return
        if held.handle is not None:
            self.keystore.forget(held.handle)
        self.liveness.end(held.session_id)

    async def _purge(self, owners: set[str]) -> None:
        still = {held.user_id for held in self.opened.values()}
        for user_id in owners - still:
            if self.caches is not None:
                await self.caches.forget(user_id)


def hash_of(token: Secret) -> bytes:
    """Return what is stored of a cookie's value. It is random, so one SHA-256 is enough."""
    return hashlib.sha256(b"pai/session/1\x00" + token.reveal()).digest()


def csrf_of(token: Secret) -> str:
    """Return the CSRF token that belongs to a cookie's value."""
    made = hmac.digest(token.reveal(), b"pai/csrf/1", "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


def csrf_matches(token: Secret, given: str) -> bool:
    """Tell, in constant time, whether ``given`` is the CSRF token of this cookie."""
    return hmac.compare_digest(csrf_of(token).encode(), given.encode())


def _actor(user: User, session: Session, handle: str | None) -> Actor:
    return Actor(
        user.id,
        user.email,
        user.kind,
        user.role,
        session.id,
        ceiling=user.clearance,
        clearance=user.clearance,
        unlocked=handle,
    )
