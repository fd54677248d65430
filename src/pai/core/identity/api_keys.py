"""API keys: made, listed, revoked, and turned into actors."""

from __future__ import annotations

import asyncio
import dataclasses
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pai.core.audit.values import Outcome
from pai.core.identity.accounts import normal_email
from pai.core.identity.events import AuthenticationRefused, KeyCreated, KeyRevoked, KeysExpired, KeysListed
from pai.core.identity.key_limits import KeyLimits, checked_networks, within, within_maker
from pai.core.identity.key_text import KeyText, new_key_text, read_key_text
from pai.core.identity.liveness import Liveness
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.refusals import Refusals
from pai.core.identity.requirement import Requirement
from pai.core.identity.values import ApiKey, User
from pai.core.keys.ports import Keystore
from pai.core.keys.values import Factor, MemberWrap
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import SYSTEM, Actor, ActorKind, Role, Scope
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.labels import Label, lower
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

CONTENT_SCOPES = frozenset({Scope.KNOWLEDGE, Scope.PERCEPTION, Scope.PREDICTION})
TOUCH = timedelta(minutes=1)
IDLE = timedelta(minutes=15)
BROWSER_LIFE = timedelta(days=30)
"""The end of a key that was made in a browser without naming one."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key and its text, shown once."""

    key: ApiKey
    text: str


@dataclass(slots=True)
class _Open:
    handle: str
    used: float


_Found = tuple[ApiKey, User, MemberWrap | None, bool]
"""A key, its owner, what opens the content with it, and whether a second factor is due first."""


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
    requirement: Requirement = field(default_factory=Requirement)

    async def create(
        self, actor: Actor, *, owner: str, name: str, scopes: frozenset[Scope], expires_at: datetime | None = None,
        ceiling: Label = Label.RESTRICTED, networks: Sequence[str] = (), password: Secret | None = None,
    ) -> NewKey:  # fmt: skip
        """Make a key for an account. A key that is to open content needs what opens the owner's: their own unlocked credential,
        their password, or (first administrator only) this server's wrap. ``networks`` (CIDR): where it may be used from.

        A key made with a key may do no more, from nowhere else and no longer than that one; one made in a browser ends after 30 days
        unless another end is named. Raises Denied, NotFound, Conflict, Invalid."""
        if actor.session_id is not None and not actor.fresh:
            # A key outlives the session: who finds a browser unwatched must not carry one away.
            raise Denied(
                "making a key has to be proved again first", code="step_up",
                hint="confirm it with your code, passkey or password in the browser",
            )  # fmt: skip
        key_id, allowed = new_id("key"), checked_networks(networks)
        text = new_key_text(key_id)

        def write(unit: IdentityUnit) -> NewKey:
            user = unit.users.by_email(normal_email(owner))
            if user is None or user.disabled_at is not None:
                raise NotFound(f"no active account has the address {owner}", hint="see `pai user list`")
            now = self.clock.now()
            granted = self._granted(unit, actor, user, KeyLimits(scopes, ceiling, expires_at, allowed))
            if granted.expires_at is not None and granted.expires_at <= now:
                raise Invalid("the key would have expired already", code="bad_expiry", hint="give a moment to come")
            content = bool(scopes & CONTENT_SCOPES) or Scope.INFERENCE in scopes
            blob = (
                self._wrap(unit, actor, user, text, password, needed=bool(scopes & CONTENT_SCOPES)) if content else None
            )
            key = ApiKey(
                key_id, user.id, name[:100], scopes, ceiling, text.hashed(), blob is not None, now, granted.expires_at,
                networks=granted.networks, made_by=_hand(unit, actor),
            )  # fmt: skip
            unit.users.add_key(key)
            if blob is not None:
                unit.wraps.add_member_wrap(MemberWrap(new_id("wrp"), user.id, Factor.API_KEY, key_id, blob, now))
            named = tuple(sorted(scope.value for scope in scopes))
            event = KeyCreated(resource=ResourceRef("key", key_id, user.id), scopes=named, content=key.content)
            unit.audit.record(actor, event)
            return NewKey(key, text.text())

        return await self.work.run(write)

    def _granted(self, unit: IdentityUnit, actor: Actor, owner: User, wanted: KeyLimits) -> KeyLimits:
        if actor.kind is ActorKind.OPERATOR:
            self.policy.decide(actor, Permission.USERS_CHANGE, ResourceRef("user", owner.id, owner.id))
            return wanted
        needed = Permission.ADMIN_KEY if Scope.ADMIN in wanted.scopes else Permission.KEYS
        self.policy.decide(actor, needed, ResourceRef("user", owner.id, owner.id))
        if actor.scopes is None:
            return dataclasses.replace(wanted, expires_at=wanted.expires_at or self.clock.now() + BROWSER_LIFE)
        maker = unit.users.key(actor.key_id or "")
        networks = maker.networks if maker is not None else ()
        return within_maker(KeyLimits(actor.scopes, actor.ceiling, actor.until, networks), wanted)

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
                Permission.USERS_CHANGE if operator else Permission.KEYS,
                ResourceRef("user", key.owner_id, key.owner_id),
            )
            unit.users.revoke_keys(self.clock.now(), key_id=key_id)
            unit.wraps.remove_member_wraps(key.owner_id, Factor.API_KEY, key_id)
            unit.audit.record(actor, KeyRevoked(resource=ResourceRef("key", key_id, key.owner_id)))

        await self.work.run(write)
        self._close(key_id)
        self.liveness.end(key_id)

    async def revoke_all(self, actor: Actor, owner: str | None = None) -> int:
        """Revoke all keys of one's own account, or (the console) of another; they are dead at once. Return how many there were.

        Raises Denied, NotFound."""

        def write(unit: IdentityUnit) -> Sequence[str]:
            user = unit.users.get(actor.id) if owner is None else unit.users.by_email(normal_email(owner))
            if user is None:
                raise NotFound("no such account", hint="see `pai user list`")
            console = actor.kind is ActorKind.OPERATOR
            needed = Permission.USERS_CHANGE if console else Permission.KEYS
            self.policy.decide(actor, needed, ResourceRef("user", user.id, user.id))
            live = [key.id for key in unit.users.keys(user.id) if key.revoked_at is None]
            unit.users.revoke_keys(self.clock.now(), owner_id=user.id)
            for key_id in live:
                unit.wraps.remove_member_wraps(user.id, Factor.API_KEY, key_id)
            unit.audit.record(actor, KeyRevoked(resource=ResourceRef("user", user.id), keys=len(live)))
            return live

        ended = await self.work.run(write)
        self.close_owner(ended)
        return len(ended)

    async def expire(self) -> None:
        """End the keys whose time has come for good: what was seen to be over stays over, whatever is done to the clock."""
        now = self.clock.now()
        if not await self.work.read(lambda unit: any(_due(key, now) for key in unit.users.keys(None))):
            return

        def write(unit: IdentityUnit) -> Sequence[str]:
            ended = unit.users.expire_keys(now)
            if ended:
                unit.audit.record(SYSTEM, KeysExpired(keys=tuple(ended)))
            return ended

        self.close_owner(await self.work.run(write))

    async def authenticate(self, text: str, address: str = "") -> Actor:
        """Return the actor of a key that was sent from this peer address. Raises Unauthenticated, and records that, for any key that is
        not alive, and for one that may not be used from there."""
        parsed = read_key_text(text)
        found = await self._found(parsed) if parsed else None
        if found is not None and _due(found[0], self.clock.now()):
            await self.expire()
            found = None
        if parsed is None or found is None or not within(address, found[0].networks):
            await self._refused(parsed.key_id if parsed else "")
            raise _not_valid()
        key, user, wrap, must_enrol = found
        now = self.clock.now()
        if key.used_at is None or not timedelta(0) <= now - key.used_at <= TOUCH:
            await self.work.run(lambda unit: unit.users.touch_key(key.id, now))
        handle = await self._open(key, parsed, wrap) if wrap else None
        if key.id in self.liveness.ended:
            # Revoked, or its owner disabled, while this was looked up and opened.
            raise _not_valid()
        return dataclasses.replace(_actor(user, key, handle), must_enrol=must_enrol)

    async def behalf(self, key_id: str) -> Actor | None:
        """Return the actor of a key for work that was submitted with it, None once the key or its owner's account has ended. It may do
        what the key may do now, and opens no content."""

        def look(unit: IdentityUnit) -> Actor | None:
            key = unit.users.key(key_id)
            user = unit.users.get(key.owner_id) if key is not None else None
            if key is None or user is None or not self._alive(key, user):
                return None
            return _actor(user, key, None)

        return await self.work.read(look)

    def _alive(self, key: ApiKey, user: User) -> bool:
        return user.disabled_at is None and key.revoked_at is None and not _due(key, self.clock.now())

    async def _found(self, parsed: KeyText) -> _Found | None:
        """Return what a key stands for, None when it is not the key or has ended; its time is looked at by who calls."""
        found = await self.work.recall(f"key:{parsed.key_id}", lambda unit: self._find(unit, parsed.key_id))
        if found is None or not hmac.compare_digest(found[0].secret_hash, parsed.hashed()):
            return None
        key, user = found[:2]
        return found if user.disabled_at is None and key.revoked_at is None else None

    def _find(self, unit: IdentityUnit, key_id: str) -> _Found | None:
        key = unit.users.key(key_id)
        user = unit.users.get(key.owner_id) if key is not None else None
        if key is None or user is None:
            return None
        # A key that may change accounts is worth as much as its owner's session, and needs what that needs.
        must_enrol = Scope.ADMIN in key.scopes and self.requirement.lacks(unit, user)
        return key, user, unit.wraps.member_wrap(user.id, Factor.API_KEY, key.id), must_enrol

    async def _open(self, key: ApiKey, text: KeyText, wrap: MemberWrap) -> str:
        self.sweep()
        moment, held = self.clock.monotonic(), self.opened.get(key.id)
        if held is None:
            # Off the event loop: the keystore may be busy with somebody's password.
            handle = await asyncio.to_thread(self.keystore.unlock_with_api_key, key.id, text.secret, wrap.blob)
            if key.id in self.liveness.ended:
                # Whoever ended the key found nothing to close yet, so nobody but this would ever close it. No await stands between
                # here and the entry in ``opened``: an end that comes later finds the entry.
                self.keystore.forget(handle)
                raise _not_valid()
            held = self.opened.get(key.id)
            if held is not None:
                self.keystore.forget(handle)  # another request of this key was quicker
            else:
                held = self.opened[key.id] = _Open(handle, moment)
        held.used = moment
        return held.handle

    def sweep(self) -> None:
        """Forget the member keys of API keys that were idle too long; one that a stream still runs with is in use."""
        moment, life = self.clock.monotonic(), IDLE.total_seconds()
        for key_id in [key_id for key_id, held in self.opened.items() if moment - held.used > life]:
            if key_id not in self.liveness.watchers:
                self._close(key_id)

    def _close(self, key_id: str) -> None:
        held = self.opened.pop(key_id, None)
        if held is not None:
            self.keystore.forget(held.handle)

    def close_owner(self, key_ids: Sequence[str]) -> None:
        """Forget the member keys that these API keys hold open, and end what streams to them: they have ended."""
        for key_id in key_ids:
            self._close(key_id)
            self.liveness.end(key_id)

    def role_changed(self, key_ids: Sequence[str], role: Role) -> None:
        """End what streams to these API keys: their owner has another role, which they follow from their next request on."""
        for key_id in key_ids:
            self.liveness.changed(key_id, role)

    async def _refused(self, credential: str) -> None:
        unrecorded = self.refusals.admit(self.clock.now())
        if unrecorded is None:
            return
        event = AuthenticationRefused(credential=credential, unrecorded=unrecorded, outcome=Outcome.REFUSED)
        await self.work.run(lambda unit: unit.audit.record(_ANONYMOUS, event))


def _hand(unit: IdentityUnit, actor: Actor) -> str:
    """Return whose hand a key comes from that this actor makes: of one made with a key, whose that one came from."""
    maker = unit.users.key(actor.key_id) if actor.key_id is not None else None
    return maker.made_by if maker is not None else actor.id


def _due(key: ApiKey, now: datetime) -> bool:
    return key.revoked_at is None and key.expires_at is not None and key.expires_at <= now


def _not_valid() -> Unauthenticated:
    return Unauthenticated("the API key is not valid", hint="make one with `pai key create`")


def _actor(user: User, key: ApiKey, handle: str | None) -> Actor:
    return Actor(
        user.id, user.email, user.kind, user.role, None, key.id, key.scopes, lower(key.ceiling, user.clearance), user.clearance, handle,
        until=key.expires_at,
    )  # fmt: skip


_ANONYMOUS = Actor("anonymous", "anonymous", ActorKind.PERSON)
