"""Second factors of one's own: the authenticator app, the backup codes, and proving once more who one is.

The app's secret is sealed under the keystore's key and shown once, when it is made. Every check and its consequence stand in one
transaction of the one writer, so two uses of a code at the same moment are one after the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pai.core.audit.values import Outcome
from pai.core.identity import backup_codes, totp
from pai.core.identity.events import BackupCodesMade, FactorAdded, FactorRemoved, SteppedUp, StepUpRefused
from pai.core.identity.own_password import proves_password
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.sessions import Sessions
from pai.core.identity.throttle import Guesses, admit_guess, forgive_guesses
from pai.core.identity.values import BackupCode, Passkey, Totp, totp_bound
from pai.core.keys.values import Factor
from pai.core.policy.values import Permission
from pai.foundation.actor import Actor
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

ENROL: Final = timedelta(minutes=10)
"""How long a new app may take to give its first code."""
NO_CODE: Final = "each code works once; wait for the next one, and see that the phone's clock is right"


@dataclass(frozen=True, slots=True)
class NewTotp:
    """A secret that waits for its first code. ``text`` is typed in or ``address`` read as a QR code; neither is shown again."""

    text: str
    address: str


@dataclass(frozen=True, slots=True)
class OwnFactors:
    """What an account has. ``backup_codes`` counts those that are left; ``required``: it may not be without a second factor;
    ``server_holds``: this server has a wrap of its content key; ``password_opens``: its password opens its content."""

    totp: Totp | None
    passkeys: Sequence[Passkey]
    backup_codes: int
    required: bool
    server_holds: bool
    password_opens: bool


@dataclass(frozen=True, slots=True)
class SecondFactors:
    """Use cases on one's own second factors. ``place`` names the installation in the list of the app."""

    sessions: Sessions
    place: str = "localhost"

    async def own(self, actor: Actor) -> OwnFactors:
        """Return what the actor has. Raises Denied."""
        self._decide(actor, Permission.FACTORS)

        def look(unit: IdentityUnit) -> OwnFactors:
            user = unit.users.get(actor.id)
            required = user is not None and self.sessions.requirement.covers(user)
            held = unit.factors.backup_codes(actor.id)
            server = unit.wraps.member_wrap(actor.id, Factor.CONSOLE) is not None
            password = unit.wraps.member_wrap(actor.id, Factor.PASSWORD) is not None
            return OwnFactors(
                unit.factors.totp(actor.id), unit.factors.passkeys(actor.id), len(held), required, server, password
            )

        return await self.sessions.work.read(look)

    async def begin_totp(self, actor: Actor) -> NewTotp:
        """Make a secret for an app; it is in force once its first code was given, and replaces the app there is. Raises Denied."""
        self._decide(actor, Permission.FACTORS_CHANGE)
        secret, factor_id = totp.new_secret(), new_id("tot")
        sealed = self.sessions.keystore.seal("server", totp_bound(actor.id, factor_id), secret.reveal())

        def write(unit: IdentityUnit) -> None:
            unit.factors.remove_totp(actor.id, confirmed=False)
            unit.factors.set_totp(Totp(factor_id, actor.id, sealed, 0, self.sessions.clock.now()))

        await self.sessions.work.run(write)
        return NewTotp(totp.as_text(secret), totp.address(secret, actor.name, self.place))

    async def confirm_totp(self, actor: Actor, code: str) -> tuple[str, ...]:
        """Put the new app in force with its first code. Return fresh backup codes, shown once; none when the account has some.

        All other sessions of the account end. Raises Denied, Invalid (``wrong_code``), Throttled.
        """
        self._decide(actor, Permission.FACTORS_CHANGE)

        def write(unit: IdentityUnit) -> tuple[str, ...] | None:
            now, guesses = self.sessions.clock.now(), Guesses("code", actor.session_id or actor.id)
            admit_guess(unit.users, guesses, now)
            waiting = unit.factors.totp(actor.id, confirmed=False)
            step = self._step(waiting, code, now) if waiting and now - waiting.created_at < ENROL else None
            if waiting is None or step is None:
                return None
            forgive_guesses(unit.users, guesses)
            unit.factors.remove_totp(actor.id, confirmed=True)
            unit.factors.set_totp(dataclasses.replace(waiting, last_step=step, confirmed_at=now))
            unit.audit.record(actor, FactorAdded(resource=ResourceRef("user", actor.id), kind="totp"))
            return () if unit.factors.backup_codes(actor.id) else make_codes(unit, actor, now)

        made = await self.sessions.work.run(write)
        if made is None:
            raise Invalid(
                "this code is not right",
                code="wrong_code",
                hint="scan the picture again, then type the code it shows now",
            )
        await self.sessions.end_others(actor, "factors")
        return made

    async def remove_totp(self, actor: Actor) -> None:
        """Take the app out of force. Raises Denied, NotFound, Conflict (``last_factor``) where one is required and it is the last."""
        self._decide(actor, Permission.FACTORS_CHANGE)

        def write(unit: IdentityUnit) -> None:
            if unit.factors.totp(actor.id) is None:
                raise NotFound("this account has no authenticator app")
            unit.factors.remove_totp(actor.id, confirmed=True)
            self.after_removal(unit, actor, "totp")

        await self.sessions.work.run(write)

    def after_removal(self, unit: IdentityUnit, actor: Actor, kind: str) -> None:
        """Record a removal; without any second factor backup codes have nothing to stand in for. Raises Conflict (``last_factor``)."""
        user = unit.users.get(actor.id)
        if user is not None and self.sessions.requirement.lacks(unit, user):
            raise Conflict(
                "administrators need a second factor here, and this is your last", code="last_factor",
                hint="set up another one first",
            )  # fmt: skip
        if actor.id not in unit.factors.holders():
            unit.factors.set_backup_codes(actor.id, [])
        unit.audit.record(actor, FactorRemoved(resource=ResourceRef("user", actor.id), kind=kind))

    async def renew_backup_codes(self, actor: Actor) -> tuple[str, ...]:
        """Make ten new backup codes, shown once; the old ones are void. Raises Denied, Conflict without a second factor."""
        self._decide(actor, Permission.FACTORS_CHANGE)

        def write(unit: IdentityUnit) -> tuple[str, ...]:
            if actor.id not in unit.factors.holders():
                raise Conflict(
                    "backup codes stand in for a second factor, and this account has none", hint="set one up first"
                )
            return make_codes(unit, actor, self.sessions.clock.now())

        return await self.sessions.work.run(write)

    async def check(self, user_id: str, code: str, session_id: str | None = None) -> str | None:
        """Use a code up: return ``totp`` or ``backup-code`` when it is right, None when not. Raises Throttled.

        At the second step of a log-in guesses count for the account, over all its log-ins; in a session for the session. A right backup
        code passes during a pause: nobody guesses its 80 bits, and who knows the password must not be able to keep the owner out.
        """
        guesses = Guesses("code", session_id or user_id)

        def write(unit: IdentityUnit) -> str | None:
            now = self.sessions.clock.now()
            hashed = backup_codes.hash_of(code.strip(), user_id)
            if hashed is not None and unit.factors.use_backup_code(user_id, hashed, now):
                method = "backup-code"
            else:
                admit_guess(unit.users, guesses, now)
                held = unit.factors.totp(user_id)
                step = self._step(held, code.strip().replace(" ", ""), now)
                if held is None or step is None:
                    return None
                unit.factors.set_totp(dataclasses.replace(held, last_step=step))
                method = "totp"
            forgive_guesses(unit.users, guesses)
            return method

        return await self.sessions.work.run(write)

    def _step(self, held: Totp | None, code: str, now: datetime) -> int | None:
        if held is None:
            return None
        secret = Secret(self.sessions.keystore.unseal("server", totp_bound(held.user_id, held.id), held.sealed))
        return totp.matching_step(secret, code, now, held.last_step)

    async def step_up(self, actor: Actor, proof: Secret) -> None:
        """Prove once more who one is: with a code where the account has a second factor, else with the password.

        Raises Denied for anything but a browser session, Unauthenticated (``wrong_code``, ``wrong_password``), Throttled.
        """
        if actor.session_id is None:
            raise Denied("only a person in a browser can do this", hint="log in and do it there")
        kinds = await self.sessions.work.read(lambda unit: unit.factors.holders().get(actor.id, ()))
        if kinds:
            method = await self.check(actor.id, proof.reveal().decode("utf-8", "replace"), actor.session_id)
        else:
            method = "password" if await proves_password(self.sessions, actor, proof) else None
        if method is None:
            event = StepUpRefused(resource=ResourceRef("user", actor.id), outcome=Outcome.REFUSED)
            await self.sessions.work.run(lambda unit: unit.audit.record(actor, event))
            if kinds:
                raise Unauthenticated("this code is not right", code="wrong_code", hint=NO_CODE)
            raise Unauthenticated(
                "the password is not right", code="wrong_password", hint="it is the one you log in with"
            )
        await self.stepped_up(actor, method)

    async def stepped_up(self, actor: Actor, method: str) -> None:
        """Note and record that this proof was right."""
        event = SteppedUp(resource=ResourceRef("user", actor.id), method=method)
        await self.sessions.work.run(lambda unit: unit.audit.record(actor, event))
        self.sessions.proved(actor)

    def _decide(self, actor: Actor, permission: Permission) -> None:
        self.sessions.policy.decide(actor, permission, ResourceRef("user", actor.id, actor.id))


def make_codes(unit: IdentityUnit, actor: Actor, now: datetime) -> tuple[str, ...]:
    """Make backup codes inside a unit; the account's old ones are void."""
    codes = backup_codes.new_codes()
    hashed = (backup_codes.hash_of(code, actor.id) for code in codes)
    unit.factors.set_backup_codes(actor.id, [BackupCode(actor.id, one, now) for one in hashed if one is not None])
    unit.audit.record(actor, BackupCodesMade(resource=ResourceRef("user", actor.id), codes=len(codes)))
    return codes
