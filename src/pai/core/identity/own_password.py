"""One's own password: proving it, changing it, and opening content with it after a log-in that could not."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass

from pai.core.audit.values import Outcome
from pai.core.identity.events import PasswordChosen, StepUpRefused
from pai.core.identity.passwords import ALONE, MAXIMUM_BYTES, WITH_FACTOR, check_password
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.sessions import Sessions
from pai.core.identity.throttle import Guesses, admit_guess, forgive_guesses
from pai.core.identity.values import User
from pai.core.keys.values import RESET, Factor, MemberWrap
from pai.core.policy.values import Permission
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef


async def unlock(sessions: Sessions, actor: Actor, password: Secret) -> tuple[str, MemberWrap] | None:
    """Return the handle of the key that the actor's password opens and its wrap, None when it is wrong. Raises Throttled.

    Guesses are counted for the session that they are made in: who sits at a stolen one keeps the owner from nothing.
    """
    user_id, guesses = actor.id, Guesses("password", actor.session_id or actor.id)

    def attempt(unit: IdentityUnit) -> tuple[User | None, MemberWrap | None]:
        admit_guess(unit.users, guesses, sessions.clock.now())
        wrap = unit.wraps.member_wrap(user_id, Factor.PASSWORD) or unit.wraps.member_wrap(
            user_id, Factor.PASSWORD, RESET
        )
        return unit.users.get(user_id), wrap

    user, wrap = await sessions.work.run(attempt)
    if user is None or wrap is None or len(password.reveal()) > MAXIMUM_BYTES:
        return None
    try:
        handle = await asyncio.to_thread(
            sessions.keystore.unlock_with_password, user.id, password,
            salt=user.password_salt, verifier=user.password_verifier, wrap=wrap.blob,
        )  # fmt: skip
    except Unauthenticated:
        return None
    await sessions.work.run(lambda unit: forgive_guesses(unit.users, guesses))
    return handle, wrap


async def proves_password(sessions: Sessions, actor: Actor, password: Secret) -> bool:
    """Tell whether this is the actor's password. Raises Throttled."""
    found = await unlock(sessions, actor, password)
    if found is not None:
        sessions.keystore.forget(found[0])
    return found is not None


@dataclass(frozen=True, slots=True)
class OwnPassword:
    """Use cases on one's own password."""

    sessions: Sessions

    async def change(self, actor: Actor, present: Secret, wanted: Secret) -> None:
        """Replace the password; what the old one opened the new one opens. All other sessions of the account end.

        Raises Denied, Unauthenticated (``wrong_password``), Invalid (``weak_password``), Throttled.
        """
        self._decide(actor, Permission.FACTORS_CHANGE)
        kinds = await self.sessions.work.read(lambda unit: unit.factors.holders().get(actor.id, ()))
        check_password(wanted, actor.name, WITH_FACTOR if kinds else ALONE)
        handle, wrap = await self._opened(actor, present)
        try:
            made = await asyncio.to_thread(self.sessions.keystore.wrap_for_password, handle, actor.id, wanted)
        finally:
            self.sessions.keystore.forget(handle)
        content = wrap.factor_id != RESET

        def write(unit: IdentityUnit) -> None:
            user = unit.users.get(actor.id)
            held = unit.wraps.member_wrap(actor.id, Factor.PASSWORD, wrap.factor_id)
            if user is None or held is None or held.id != wrap.id:
                # Replaced meanwhile, by another session or a reset: the later word counts, and it was not this one.
                raise Unauthenticated("the password is not right", code="wrong_password")
            salt, verifier, blob = made
            now = self.sessions.clock.now()
            unit.users.update(dataclasses.replace(user, password_salt=salt, password_verifier=verifier))
            unit.wraps.add_member_wrap(MemberWrap(new_id("wrp"), actor.id, Factor.PASSWORD, wrap.factor_id, blob, now))
            unit.audit.record(actor, PasswordChosen(resource=ResourceRef("user", actor.id), content=content))

        await self.sessions.work.run(write)
        await self.sessions.end_others(actor, "password")

    async def open_content(self, actor: Actor, password: Secret) -> None:
        """Open the content of a session that began without the password (a passkey that cannot open it).

        Raises Denied, Unauthenticated (``wrong_password``), NotFound when the password opens no content either, Throttled.
        """
        self._decide(actor, Permission.SESSIONS)
        if actor.session_id is None:
            raise Denied("only a browser session can do this", hint="log in and open the account page")
        handle, wrap = await self._opened(actor, password)
        if wrap.factor_id == RESET:
            self.sessions.keystore.forget(handle)
            raise NotFound("this password opens no content: the login was reset", hint="your recovery code opens it")
        await self.sessions.reopen(actor, handle)

    async def _opened(self, actor: Actor, password: Secret) -> tuple[str, MemberWrap]:
        found = await unlock(self.sessions, actor, password)
        if found is None:
            event = StepUpRefused(resource=ResourceRef("user", actor.id), outcome=Outcome.REFUSED, reason="password")
            await self.sessions.work.run(lambda unit: unit.audit.record(actor, event))
            raise Unauthenticated(
                "the password is not right", code="wrong_password", hint="it is the one you log in with"
            )
        return found

    def _decide(self, actor: Actor, permission: Permission) -> None:
        self.sessions.policy.decide(actor, permission, ResourceRef("user", actor.id, actor.id))
