"""Passkeys (W3C Web Authentication level 3): several per person, user verification always, usable as the only step of a log-in.

What a passkey's PRF extension gives wraps the member's content key, so that a passkey opens content as a password does. One that has
no PRF logs in and leaves the content closed, unless its owner lets this server hold the key (``CONSOLE``); the account shows that.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from pai.core.audit.values import Outcome
from pai.core.identity.challenges import Challenge, Challenges, share_of
from pai.core.identity.devices import Arrival
from pai.core.identity.events import FactorAdded, LoginRefused, PasskeySuspended
from pai.core.identity.login import Login
from pai.core.identity.ports import Asserted, IdentityUnit, PasskeyVerifier, Place
from pai.core.identity.refusals import Refusals
from pai.core.identity.second_factors import SecondFactors, make_codes
from pai.core.identity.sessions import NewSession, Sessions
from pai.core.identity.values import Passkey, User
from pai.core.keys.values import Factor, MemberWrap
from pai.core.policy.values import Permission
from pai.foundation.actor import Actor, ActorKind
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

LIFE_SECONDS: Final = 300
MOST_PASSKEYS: Final = 20
_WRONG: Final = "this passkey was not taken"


@dataclass(frozen=True, slots=True)
class AddedPasskey:
    """A new passkey and, when it is the account's first second factor, fresh backup codes, shown once."""

    passkey: Passkey
    backup_codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Passkeys:
    """Use cases on passkeys. A challenge is good once, for five minutes. ``strangers`` has those that anybody may ask for, ``given`` those
    of people who proved something: the former can never push out the latter."""

    sessions: Sessions
    factors: SecondFactors
    login: Login
    verifier: PasskeyVerifier
    given: Challenges = field(default_factory=Challenges)
    strangers: Challenges = field(default_factory=Challenges)
    refusals: Refusals = field(default_factory=Refusals)

    async def begin_registration(self, actor: Actor, place: Place) -> Mapping[str, Any]:
        """Return the options for the browser. Raises Denied, Conflict for too many passkeys."""
        self._decide(actor, Permission.FACTORS_CHANGE)
        held = await self.sessions.work.read(lambda unit: unit.factors.passkeys(actor.id))
        if len(held) >= MOST_PASSKEYS:
            raise Conflict(f"an account takes at most {MOST_PASSKEYS} passkeys", hint="remove one first")
        challenge = self._challenge("register", actor.session_id or "", place)
        known = [one.credential_id for one in held]
        return await asyncio.to_thread(
            self.verifier.registration_options, place, challenge, actor.id.encode(), actor.name, known
        )

    async def finish_registration(
        self, actor: Actor, place: Place, name: str, credential: Mapping[str, Any], prf: Secret | None, *,
        server_holds: bool = False,
    ) -> AddedPasskey:  # fmt: skip
        """Keep a new passkey. ``prf``: what it gave for our input, if it can; ``server_holds``: without it, this server may hold the key.

        All other sessions of the account end. Raises Denied, Invalid (``wrong_passkey``), Conflict for one that is known already.
        """
        self._decide(actor, Permission.FACTORS_CHANGE)
        try:
            challenge = self._taken(credential, "register", actor.session_id or "", place)
            made = await asyncio.to_thread(self.verifier.verify_registration, place, challenge, credential)
        except Unauthenticated as error:
            raise Invalid(error.message, code="wrong_passkey", hint=error.hint) from None
        passkey_id, now = new_id("psk"), self.sessions.clock.now()
        wraps = self._wraps(actor, passkey_id, prf, now, server_holds=server_holds)
        opens, held = (any(one.factor is factor for one in wraps) for factor in (Factor.PASSKEY, Factor.CONSOLE))
        passkey = Passkey(
            passkey_id, actor.id, made.credential_id, made.public_key, made.sign_count, _named(name), made.transports,
            made.synced, opens, now, server_holds=held,
        )  # fmt: skip

        def write(unit: IdentityUnit) -> tuple[str, ...]:
            if unit.factors.passkey_by_credential(made.credential_id) is not None:
                raise Conflict("this passkey is known already", hint="use another device, or remove it first")
            unit.factors.set_passkey(passkey)
            for wrap in wraps:
                unit.wraps.add_member_wrap(wrap)
            unit.audit.record(actor, FactorAdded(resource=ResourceRef("user", actor.id), kind="passkey"))
            return () if unit.factors.backup_codes(actor.id) else make_codes(unit, actor, now)

        codes = await self.sessions.work.run(write)
        await self.sessions.end_others(actor, "factors")
        return AddedPasskey(passkey, codes)

    def _wraps(
        self, actor: Actor, passkey_id: str, prf: Secret | None, now: datetime, *, server_holds: bool
    ) -> list[MemberWrap]:
        keystore, handle = self.sessions.keystore, actor.unlocked
        if handle is None:
            return []
        if prf is not None:
            blob = keystore.wrap_for_passkey(handle, passkey_id, prf)
            return [MemberWrap(new_id("wrp"), actor.id, Factor.PASSKEY, passkey_id, blob, now)]
        if server_holds:
            blob = keystore.wrap_for_console(handle, actor.id)
            return [MemberWrap(new_id("wrp"), actor.id, Factor.CONSOLE, "", blob, now)]
        return []

    async def remove(self, actor: Actor, passkey_id: str) -> None:
        """Forget a passkey and what it opened. Raises NotFound also for other people's, Denied, Conflict (``last_factor``)."""

        def write(unit: IdentityUnit) -> None:
            held = next((one for one in unit.factors.passkeys(actor.id) if one.id == passkey_id), None)
            if held is None:
                raise NotFound("no such passkey", hint="see your account page")
            self._decide(actor, Permission.FACTORS_CHANGE)
            unit.factors.remove_passkey(passkey_id)
            unit.wraps.remove_member_wraps(actor.id, Factor.PASSKEY, passkey_id)
            user = unit.users.get(actor.id)
            needed = any(one.server_holds for one in unit.factors.passkeys(actor.id))
            if user is not None and not user.first_administrator and not needed:
                unit.wraps.remove_member_wraps(actor.id, Factor.CONSOLE)
            self.factors.after_removal(unit, actor, "passkey")

        await self.sessions.work.run(write)

    async def begin_login(self, place: Place, ticket: Secret | None, address: str = "") -> Mapping[str, Any]:
        """Return options to log in with: any passkey of this place, or with a ticket those of its account, as the second step.
        ``address``: the peer's, which has a share of its own in what strangers may ask for."""
        user = self.login.user_of(ticket) if ticket is not None else None
        if user is None:
            challenge = self._challenge("login", "", place, share_of(address))
            return await asyncio.to_thread(self.verifier.assertion_options, place, challenge, [])
        return await self._assertion("second", user.id, user.id, place)

    async def _assertion(self, purpose: str, whose: str, user_id: str, place: Place) -> Mapping[str, Any]:
        held = await self.sessions.work.read(lambda unit: unit.factors.passkeys(user_id))
        challenge = self._challenge(purpose, whose, place)
        known = [one.credential_id for one in held if one.suspended_at is None]
        return await asyncio.to_thread(self.verifier.assertion_options, place, challenge, known)

    async def finish_login(
        self, place: Place, credential: Mapping[str, Any], prf: Secret | None, ticket: Secret | None, arrival: Arrival
    ) -> NewSession:
        """Begin a session with a passkey. Raises Unauthenticated, the same for every reason."""
        user = self.login.user_of(ticket) if ticket is not None else None
        purpose, whose = ("second", user.id) if user is not None else ("login", "")
        try:
            passkey = await self._asserted(purpose, whose, place, credential)
        except Unauthenticated:
            await self._refused(arrival.address)
            raise
        if user is not None and ticket is not None:
            if passkey.user_id != user.id:
                raise _wrong()
            return await self.login.finish(ticket, "passkey")
        owner, wrap, held = await self.sessions.work.read(lambda unit: _owner(unit, passkey))
        if owner is None or owner.disabled_at is not None:
            await self._refused(arrival.address)
            raise _wrong()
        handle = await asyncio.to_thread(self._open, owner, passkey, prf, wrap, held)
        return await self.sessions.begin(owner, handle, arrival, ("passkey",))

    def _open(
        self, owner: User, passkey: Passkey, prf: Secret | None, wrap: MemberWrap | None, held: MemberWrap | None
    ) -> str | None:
        keystore = self.sessions.keystore
        if wrap is not None and prf is not None:
            try:
                return keystore.unlock_with_passkey(passkey.id, prf, wrap.blob)
            except (Unauthenticated, Invalid):
                return None  # who it is was proved; what it gave does not open the content
        # The account may have a wrap of this server for other reasons (first administrator, another passkey): only who chose it for this
        # very passkey gets their content by it.
        return keystore.unlock_from_console(owner.id, held.blob) if held is not None and passkey.server_holds else None

    async def begin_step_up(self, actor: Actor, place: Place) -> Mapping[str, Any]:
        """Return options to prove once more who one is. Raises Denied for anything but a browser session."""
        return await self._assertion("step-up", _session(actor), actor.id, place)

    async def finish_step_up(self, actor: Actor, place: Place, credential: Mapping[str, Any]) -> None:
        """Take that proof. Raises Denied, Unauthenticated (``wrong_passkey``)."""
        passkey = await self._asserted("step-up", _session(actor), place, credential)
        if passkey.user_id != actor.id:
            raise _wrong()
        await self.factors.stepped_up(actor, "passkey")

    async def _asserted(self, purpose: str, whose: str, place: Place, credential: Mapping[str, Any]) -> Passkey:
        """Return the passkey that signed, its counter noted. Raises Unauthenticated."""
        challenge = self._taken(credential, purpose, whose, place)
        named = self.verifier.credential_id(credential)
        held = await self.sessions.work.read(lambda unit: unit.factors.passkey_by_credential(named))
        if held is None or held.suspended_at is not None:
            raise _wrong()
        told = await asyncio.to_thread(
            self.verifier.verify_assertion, place, challenge, credential, held.public_key, held.user_id.encode()
        )
        if not await self.sessions.work.run(lambda unit: self._counted(unit, held.id, told)):
            raise _wrong()
        return held

    def _counted(self, unit: IdentityUnit, passkey_id: str, told: Asserted) -> bool:
        """Note the counter. One that did not grow is in two hands (level 3, section 6.1.1): the passkey is taken out of use."""
        held = unit.factors.passkey_by_credential(told.credential_id)
        if held is None or held.id != passkey_id or held.suspended_at is not None:
            return False
        now = self.sessions.clock.now()
        if (told.sign_count or held.sign_count) and told.sign_count <= held.sign_count:
            unit.factors.set_passkey(dataclasses.replace(held, suspended_at=now))
            event = PasskeySuspended(
                resource=ResourceRef("user", held.user_id), passkey=held.id, outcome=Outcome.REFUSED
            )
            unit.audit.record(_ANONYMOUS, event)
            return False
        unit.factors.set_passkey(dataclasses.replace(held, sign_count=told.sign_count, synced=told.synced, used_at=now))
        return True

    def _challenge(self, purpose: str, whose: str, place: Place, asker: str = "") -> bytes:
        moment, challenge = self.sessions.clock.monotonic(), secrets.token_bytes(32)
        pool = self.strangers if purpose == "login" else self.given
        pool.add(challenge, Challenge(purpose, whose, place, moment + LIFE_SECONDS, asker or whose), moment)
        return challenge

    def _taken(self, credential: Mapping[str, Any], purpose: str, whose: str, place: Place) -> bytes:
        """Use up the challenge that an answer names. Raises Unauthenticated unless it was given for exactly this."""
        challenge = self.verifier.challenge_of(credential)
        held = self.given.take(challenge) or self.strangers.take(challenge)
        wanted = (purpose, whose, place)
        if (
            held is None
            or (held.purpose, held.whose, held.place) != wanted
            or held.until <= self.sessions.clock.monotonic()
        ):
            raise _wrong()
        return challenge

    async def _refused(self, address: str) -> None:
        unrecorded = self.refusals.admit(self.sessions.clock.now())
        if unrecorded is None:
            return
        event = LoginRefused(address=address[:64], unrecorded=unrecorded, outcome=Outcome.REFUSED, reason="passkey")
        await self.sessions.work.run(lambda unit: unit.audit.record(_ANONYMOUS, event))

    def _decide(self, actor: Actor, permission: Permission) -> None:
        self.sessions.policy.decide(actor, permission, ResourceRef("user", actor.id, actor.id))


def _owner(unit: IdentityUnit, passkey: Passkey) -> tuple[User | None, MemberWrap | None, MemberWrap | None]:
    wrap = unit.wraps.member_wrap(passkey.user_id, Factor.PASSKEY, passkey.id)
    return unit.users.get(passkey.user_id), wrap, unit.wraps.member_wrap(passkey.user_id, Factor.CONSOLE)


def _session(actor: Actor) -> str:
    if actor.session_id is None:
        raise Denied("only a person in a browser can do this", hint="log in and do it there")
    return actor.session_id


def _named(name: str) -> str:
    return "".join(c for c in name if c.isprintable()).strip()[:60] or "Passkey"


def _wrong() -> Unauthenticated:
    return Unauthenticated(_WRONG, code="wrong_passkey", hint="try again, or log in with your password")


_ANONYMOUS = Actor("anonymous", "anonymous", ActorKind.PERSON)
