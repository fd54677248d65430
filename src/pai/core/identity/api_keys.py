"""API keys: made, listed, revoked, and turned into actors."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pai.core.audit.values import Outcome
from pai.core.identity.accounts import normal_email
from pai.core.identity.events import AuthenticationRefused, KeyCreated, KeyRevoked, KeysListed
from pai.core.identity.key_text import KeyText, new_key_text, read_key_text
from pai.core.identity.liveness import Liveness
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.refusals import Refusals
from pai.core.identity.values import ApiKey, User
from pai.core.keys.ports import Keystore
from pai.core.keys.values import Factor, MemberWrap
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor, ActorKind, Scope
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

CONTENT_SCOPES = frozenset({Scope.KNOWLEDGE, Scope.PERCEPTION, Scope.PREDICTION})
TOUCH = timedelta(minutes=1)
IDLE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and its text, shown once."""

    key: ApiKey
    text: str


@dataclass(slots=True)
class _Open:
    handle: str
    used_at: datetime


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """Use cases on API keys. ``opened`` maps key ids to member keys that the keystore holds open for them."""

    work: Work[IdentityUnit]
    keystore: Keystore
    policy: Policy
    clock: Clock
    opened: dict[str, _Open] = field(default_factory=dict)
    liveness: Liveness = field(default_factory=Liveness)
    refusals: Refusals = field(default_factory=Refusals)

    async def create(
        self, actor: Actor, *, owner: str, name: str, scopes: frozenset[Scope], expires_at: datetime | None = None,
        ceiling: Label = Label.RESTRICTED, password: Secret | None = None,
    ) -> NewKey:  # fmt: skip
        """Make a key for an account. A key that is to open content needs what opens the owner's: their own unlocked credential,
        their password, or (first administrator only) this server's wrap. Raises Denied, NotFound, Conflict, Invalid."""
        key_id = new_id("key")
        text = new_key_text(key_id)

        def write(unit: IdentityUnit) -> NewKey:
            user = unit.users.by_email(normal_email(owner))
            if user is None or user.disabled_at is not None:
                raise NotFound(f"no active account has the address {owner}", hint="see `pai user list`")
            self._may_create(actor, user, scopes, ceiling)
            now = self.clock.now()
            if expires_at is not None and expires_at <= now:
                raise Invalid("the key would have expired already", code="bad_expiry", hint="give a moment to come")
            content = bool(scopes & CONTENT_SCOPES) or Scope.INFERENCE in scopes
            blob = (
                self._wrap(unit, actor, user, text, password, needed=bool(scopes & CONTENT_SCOPES)) if content else None
            )
            key = ApiKey(key_id, user.id, name[:100], scopes, ceiling, text.hashed(), blob is not None, now, expires_at)
            unit.users.add_key(key)
            if blob is not None:
                unit.wraps.add_member_wrap(MemberWrap(new_id("wrp"), user.id, Factor.API_KEY, key_id, blob, now))
            named = tuple(sorted(scope.value for scope in scopes))
            event = KeyCreated(resource=ResourceRef("key", key_id, user.id), scopes=named, content=key.content)
            unit.audit.record(actor, event)
            return NewKey(key, text.text())

        return await self.work.run(write)

    def _may_create(self, actor: Actor, owner: User, scopes: frozenset[Scope], ceiling: Label) -> None:
        if actor.kind is ActorKind.OPERATOR:
            self.policy.decide(actor, Permission.USERS, ResourceRef("user", owner.id, owner.id))
            return
        self.policy.decide(actor, Permission.KEYS, ResourceRef("user", owner.id, owner.id))
        if actor.scopes is not None and not scopes <= actor.scopes:
            raise Denied("a key cannot make a key with more scopes than its own")
        if not actor.ceiling.covers(ceiling):
            raise Denied("a key cannot make a key with a higher label ceiling than its own", hint="name a ceiling")

    def _wrap(
        self, unit: IdentityUnit, actor: Actor, owner: User, text: KeyText, password: Secret | None, *, needed: bool
    ) -> bytes | None:
        handle = self._unlock(unit, actor, owner, password)
        if handle is None:
            if needed:
                raise Conflict(
                    "this key would open its owner's content, and only the owner's password can allow that",
                    code="owner_password_needed",
                    hint="give --owner-password-file, or let the owner make the key",
                )
            return None
        try:
            return self.keystore.wrap_for_api_key(handle, text.key_id, text.secret)
        finally:
            if handle != actor.unlocked:
                self.keystore.forget(handle)

    def _unlock(self, unit: IdentityUnit, actor: Actor, owner: User, password: Secret | None) -> str | None:
        if actor.id == owner.id and actor.unlocked:
            return actor.unlocked
        if password is not None:
            wrap = unit.wraps.member_wrap(owner.id, Factor.PASSWORD)
            if wrap is None:
                raise NotFound("this account has no password")
            return self.keystore.unlock_with_password(
                owner.id, password, salt=owner.password_salt, verifier=owner.password_verifier, wrap=wrap.blob
            )
        held = unit.wraps.member_wrap(owner.id, Factor.CONSOLE)
        if actor.kind is ActorKind.OPERATOR and owner.first_administrator and held is not None:
            return self.keystore.unlock_from_console(owner.id, held.blob)
        return None

    async def list(self, actor: Actor, owner_id: str | None = None) -> Sequence[ApiKey]:
        """Return one's own keys; the console sees everyone's."""
        owner = owner_id if actor.kind is ActorKind.OPERATOR else actor.id
        resource = ResourceRef("user", owner, owner) if owner is not None else ResourceRef("installation", "pai")
        self.policy.decide(actor, Permission.USERS if actor.kind is ActorKind.OPERATOR else Permission.KEYS, resource)

        def look(unit: IdentityUnit) -> Sequence[ApiKey]:
            found = unit.users.keys(owner)
            unit.audit.record(actor, KeysListed(resource=resource, keys=len(found)))
            return found

        return await self.work.run(look)

    async def revoke(self, actor: Actor, key_id: str) -> None:
        """Revoke a key; it is dead at once. Raises NotFound also for other people's keys."""

        def write(unit: IdentityUnit) -> None:
            key = unit.users.key(key_id)
            mine = key is not None and (key.owner_id == actor.id or actor.kind is ActorKind.OPERATOR)
            if key is None or not mine:
                raise NotFound("no such key")
            operator = actor.kind is ActorKind.OPERATOR
            self.policy.decide(
                actor,
                Permission.USERS if operator else Permission.KEYS,
                ResourceRef("user", key.owner_id, key.owner_id),
            )
            unit.users.revoke_keys(self.clock.now(), key_id=key_id)
            unit.wraps.remove_member_wraps(key.owner_id, Factor.API_KEY, key_id)
            unit.audit.record(actor, KeyRevoked(resource=ResourceRef("key", key_id, key.owner_id)))

        await self.work.run(write)
        self._close(key_id)
        self.liveness.end(key_id)

    async def authenticate(self, text: str) -> Actor:
        """Return the actor of a key. Raises Unauthenticated, and records that, for any key that is not alive."""
        parsed = read_key_text(text)
        found = await self.work.read(lambda unit: self._find(unit, parsed)) if parsed else None
        if parsed is None or found is None:
            await self._refused(parsed.key_id if parsed else "")
            raise Unauthenticated("the API key is not valid", hint="make one with `pai key create`")
        key, user, wrap = found
        now = self.clock.now()
        if key.used_at is None or now - key.used_at > TOUCH:
            await self.work.run(lambda unit: unit.users.touch_key(key.id, now))
        handle = await self._open(key, parsed, wrap, now) if wrap else None
        return Actor(user.id, user.email, user.kind, user.role, None, key.id, key.scopes, key.ceiling, handle)

    async def behalf(self, key_id: str) -> Actor | None:
        """Return the actor of a key for work that was submitted with it, None once the key or its owner's account has ended. It may do
        what the key may do now, and opens no content."""

        def look(unit: IdentityUnit) -> Actor | None:
            key = unit.users.key(key_id)
            user = unit.users.get(key.owner_id) if key is not None else None
            if key is None or user is None or not self._alive(key, user):
                return None
            return Actor(user.id, user.email, user.kind, user.role, None, key.id, key.scopes, key.ceiling)

        return await self.work.read(look)

    def _alive(self, key: ApiKey, user: User) -> bool:
        expired = key.expires_at is not None and key.expires_at <= self.clock.now()
        return user.disabled_at is None and key.revoked_at is None and not expired

    def _find(self, unit: IdentityUnit, parsed: KeyText) -> tuple[ApiKey, User, MemberWrap | None] | None:
        key = unit.users.key(parsed.key_id)
        if key is None or not hmac.compare_digest(key.secret_hash, parsed.hashed()):
            return None
        user = unit.users.get(key.owner_id)
        if user is None or not self._alive(key, user):
            return None
        return key, user, unit.wraps.member_wrap(user.id, Factor.API_KEY, key.id)

    async def _open(self, key: ApiKey, text: KeyText, wrap: MemberWrap, now: datetime) -> str:
        for key_id in [key_id for key_id, held in self.opened.items() if now - held.used_at > IDLE]:
            self._close(key_id)
        held = self.opened.get(key.id)
        if held is None:
            # Off the event loop: the keystore may be busy with somebody's password.
            handle = await asyncio.to_thread(self.keystore.unlock_with_api_key, key.id, text.secret, wrap.blob)
            held = self.opened.get(key.id)
            if held is not None:
                self.keystore.forget(handle)  # another request of this key was quicker
            else:
                held = self.opened[key.id] = _Open(handle, now)
        held.used_at = now
        return held.handle

    def _close(self, key_id: str) -> None:
        held = self.opened.pop(key_id, None)
        if held is not None:
            self.keystore.forget(held.handle)

    def close_owner(self, key_ids: Sequence[str]) -> None:
        """Forget the member keys that these API keys hold open (their owner was disabled)."""
        for key_id in key_ids:
            self._close(key_id)
            self.liveness.end(key_id)

    async def _refused(self, credential: str) -> None:
        unrecorded = self.refusals.admit(self.clock.now())
        if unrecorded is None:
            return
        event = AuthenticationRefused(credential=credential, unrecorded=unrecorded, outcome=Outcome.REFUSED)
        await self.work.run(lambda unit: unit.audit.record(_ANONYMOUS, event))


_ANONYMOUS = Actor("anonymous", "anonymous", ActorKind.PERSON)
