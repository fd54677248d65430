"""Browser sessions: kept on this side, 15 minutes idle and 12 hours in all by default, ended at once when told so.

The cookie holds 256 random bits; the database holds their SHA-256. The CSRF token is derived from the cookie's value, so a
page can be rendered with it without storing it, and nobody without the cookie can make it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pai.core.audit.values import Outcome
from pai.core.identity.accounts import INSTALLATION, normal_email
from pai.core.identity.events import LoggedIn, LoginRefused, SessionEnded
from pai.core.identity.liveness import Liveness
from pai.core.identity.passwords import MAXIMUM_BYTES
from pai.core.identity.ports import IdentityUnit, PromptCaches
from pai.core.identity.throttle import admit, forgive
from pai.core.identity.values import Session, User
from pai.core.keys.ports import Keystore
from pai.core.keys.values import Factor, MemberWrap
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor, ActorKind
from pai.foundation.errors import Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

RESET: Final = "reset"
"""Factor id of a password that logs in but opens no content: the old content key was not at hand when it was set."""
TOUCH: Final = timedelta(seconds=30)
_WRONG: Final = "the email or the password is wrong"


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that has just begun, and what goes to the browser: the cookie's value and the CSRF token."""

    session: Session
    token: Secret
    csrf: str = field(repr=False)
    user: User


@dataclass(slots=True)
class _Open:
    """What is in memory for a live session. ``handle`` names the member key that the keystore holds open."""

    session_id: str
    user_id: str
    handle: str | None
    seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Sessions:
    """Use cases on browser sessions. ``opened`` maps token hashes to open member keys; it dies with the process."""

    work: Work[IdentityUnit]
    keystore: Keystore
    policy: Policy
    clock: Clock
    liveness: Liveness = field(default_factory=Liveness)
    idle: timedelta = timedelta(minutes=15)
    absolute: timedelta = timedelta(hours=12)
    caches: PromptCaches | None = None
    opened: dict[bytes, _Open] = field(default_factory=dict)

    async def login(self, email: str, password: Secret, *, address: str, agent: str) -> NewSession:
        """Begin a session. Raises Unauthenticated (the same for every reason) and Throttled.

        The work is the same whether the account exists or not, so neither answer nor time tells.
        """
        account = email.strip().lower()[:254]
        user, wrap = await self.work.run(lambda unit: self._attempt(unit, account, address))
        opened, handle = await asyncio.to_thread(self._check, user, wrap, password)
        if user is None or not opened:
            await self.work.run(lambda unit: self._refuse(unit, user, address))
            raise Unauthenticated(_WRONG, code="wrong_login", hint="check both; after some tries there is a pause")
        content = wrap is not None and wrap.factor_id != RESET
        if handle is not None and not content:
            self.keystore.forget(handle)
            handle = None
        return await self._begin(user, handle, account, address, agent)

    def _attempt(self, unit: IdentityUnit, account: str, address: str) -> tuple[User | None, MemberWrap | None]:
        admit(unit.users, account, address, self.clock.now())
        user = unit.users.by_email(account)
        if user is None:
            return None, None
        wrap = unit.wraps.member_wrap(user.id, Factor.PASSWORD) or unit.wraps.member_wrap(
            user.id, Factor.PASSWORD, RESET
        )
        return user, wrap

    def _check(self, user: User | None, wrap: MemberWrap | None, password: Secret) -> tuple[bool, str | None]:
        if user is None or wrap is None or user.disabled_at is not None or len(password.reveal()) > MAXIMUM_BYTES:
            self.keystore.spend_password_time(Secret(password.reveal()[:MAXIMUM_BYTES]))
            return False, None
        salt, verifier = user.password_salt, user.password_verifier
        try:
            handle = self.keystore.unlock_with_password(user.id, password, salt=salt, verifier=verifier, wrap=wrap.blob)
        except Unauthenticated:
            return False, None
        return True, handle

    def _refuse(self, unit: IdentityUnit, user: User | None, address: str) -> None:
        resource = ResourceRef("user", user.id) if user is not None else None
        event = LoginRefused(resource=resource, address=address[:64], outcome=Outcome.REFUSED)
        unit.audit.record(_anonymous(), event)

    async def _begin(self, user: User, handle: str | None, account: str, address: str, agent: str) -> NewSession:
        token, now = Secret(secrets.token_urlsafe(32).encode()), self.clock.now()
        csrf = csrf_of(token)
        session = Session(
            new_id("ses"), user.id, hash_of(token), hashlib.sha256(csrf.encode()).digest(), now, now, now + self.absolute,
            "".join(c for c in agent if c.isprintable())[:200], address[:64],
        )  # fmt: skip

        def write(unit: IdentityUnit) -> None:
            current = unit.users.get(user.id)
            if (
                current is None
                or current.disabled_at is not None
                or current.password_verifier != user.password_verifier
            ):
                # Disabled, or given another password, while this one was being checked.
                raise Unauthenticated(_WRONG, code="wrong_login")
            forgive(unit.users, account, address)
            unit.users.add_session(session)
            event = LoggedIn(resource=ResourceRef("user", user.id), session=session.id, content=handle is not None)
            unit.audit.record(_actor(user, session, handle), event)

        try:
            await self.work.run(write)
        except BaseException:
            if handle is not None:
                self.keystore.forget(handle)
            raise
        self.opened[session.token_hash] = _Open(session.id, user.id, handle, now, session.expires_at)
        return NewSession(session, token, csrf, user)

    async def authenticate(self, token: Secret) -> Actor:
        """Return the actor of a cookie, and note that it was used. Raises Unauthenticated once the session has ended."""
        await self.sweep()
        key, now = hash_of(token), self.clock.now()

        def find(unit: IdentityUnit) -> tuple[Session, User] | None:
            session = unit.users.session_by_token(key)
            user = unit.users.get(session.user_id) if session is not None else None
            if session is None or user is None or user.disabled_at is not None or session.ended_at is not None:
                return None
            return session, user

        found = await self.work.read(find)
        held = self.opened.get(key)
        if found is None or held is None or self._over(held, now):
            self._close(key)
            raise Unauthenticated("the session has ended", code="session_ended", hint="log in again")
        session, user = found
        held.seen_at = now
        if now - session.seen_at > TOUCH:
            await self.work.run(lambda unit: unit.users.touch_session(session.id, now))
        return _actor(user, session, held.handle)

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
        """End a session, one's own or (the console) anyone's. Raises NotFound also for other people's."""
        held = await self.work.read(lambda unit: next((s for s in unit.users.sessions() if s.id == session_id), None))
        if held is None or (held.user_id != actor.id and actor.kind is not ActorKind.OPERATOR):
            raise NotFound("no such session", hint="see the list of sessions")
        needed = Permission.USERS if actor.kind is ActorKind.OPERATOR else Permission.SESSIONS
        self.policy.decide(actor, needed, ResourceRef("user", held.user_id, held.user_id))
        await self._end(actor, "kill", session_id=session_id)

    async def end_all(self, actor: Actor, email: str, how: str = "kill") -> int:
        """End every session of an account (console). Returns how many. Raises NotFound, Denied."""
        self.policy.decide(actor, Permission.USERS, INSTALLATION)
        user = await self.work.read(lambda unit: unit.users.by_email(normal_email(email)))
        if user is None:
            raise NotFound(f"no account has the address {email}", hint="see `pai user list`")
        return await self._end(actor, how, user_id=user.id)

    async def close_owner(self, user_id: str) -> None:
        """Forget what is open for this person (the account was disabled; the rows are ended already)."""
        for key in [key for key, held in self.opened.items() if held.user_id == user_id]:
            self._close(key)
        await self._purge({user_id})

    async def _end(self, actor: Actor, how: str, *, session_id: str | None = None, user_id: str | None = None) -> int:
        def write(unit: IdentityUnit) -> int:
            ended = unit.users.end_sessions(self.clock.now(), session_id=session_id, user_id=user_id)
            resource = ResourceRef("session", session_id) if session_id else ResourceRef("user", user_id or "")
            unit.audit.record(actor, SessionEnded(resource=resource, how=how, sessions=ended))
            return ended

        ended = await self.work.run(write)
        owners = set()
        for key, held in list(self.opened.items()):
            if held.session_id == session_id or held.user_id == user_id:
                owners.add(held.user_id)
                self._close(key)
        await self._purge(owners)
        return ended

    async def sweep(self) -> None:
        """End what has been idle or open too long. Cheap: call it often, also when nobody asks for anything."""
        now = self.clock.now()
        over = [(key, held) for key, held in self.opened.items() if self._over(held, now)]
        if not over:
            return
        for key, _ in over:
            self._close(key)

        def write(unit: IdentityUnit) -> None:
            for _, held in over:
                how = "expired" if held.expires_at <= now else "idle"
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

    def _over(self, held: _Open, now: datetime) -> bool:
        return held.expires_at <= now or now - held.seen_at > self.idle

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
    return Actor(user.id, user.email, user.kind, user.role, session.id, unlocked=handle)


def _anonymous() -> Actor:
    return Actor("anonymous", "anonymous", ActorKind.PERSON)
