"""Choosing a password through a one-time link (an invitation, a reset of one's login), and opening content again with the recovery code.

A reset of login is not a reset of content: a password chosen through a link for an account that has one logs in, but the
member's content key stays closed until the recovery code is given (or this server holds a wrap of it: first administrator).
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from pai.core.audit.values import Outcome
from pai.core.identity.accounts import INSTALLATION, Accounts, new_account, normal_email
from pai.core.identity.events import (
    FactorRemoved,
    LinkWithdrawn,
    LoginRefused,
    PasswordChosen,
    SetupLinkMade,
    UserInvited,
)
from pai.core.identity.own_password import unlock
from pai.core.identity.passwords import ALONE, WITH_FACTOR, check_password
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.refusals import Refusals
from pai.core.identity.sessions import Sessions
from pai.core.identity.values import SetupToken, User
from pai.core.keys.values import RESET, Factor, MemberWrap
from pai.core.policy.values import Act, Permission
from pai.foundation.actor import OPERATOR, Actor, ActorKind, Role
from pai.foundation.errors import Conflict, Denied, Invalid, NotFound, Unauthenticated
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

LIFE: Final = timedelta(minutes=30)
INVITATION: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Setup:
    """Use cases on one-time links and recovery."""

    accounts: Accounts
    sessions: Sessions
    refusals: Refusals = field(default_factory=Refusals)

    async def link(self, actor: Actor, email: str, *, clear_factors: bool = False) -> Secret:
        """Make a one-time token (30 minutes) to choose a password: for an account, or for the first administrator's address
        while there is no account at all. Earlier tokens for the address die. With ``clear_factors`` its use takes the account's second
        factors away, for someone who lost theirs. Raises Denied (``console_only`` for the first administrator), NotFound, and
        NeedsApproval: whoever resets the login of somebody powerful could come in as them."""
        self.accounts.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)
        address, token, maker = normal_email(email), Secret(secrets.token_urlsafe(32).encode()), _maker(actor)
        until = self.accounts.clock.now() + LIFE

        def write(unit: IdentityUnit) -> None:
            user = unit.users.by_email(address)
            if user is None and unit.users.list():
                raise NotFound(f"no account has the address {address}", hint="see `pai user list`")
            if user is not None and user.disabled_at is not None:
                raise NotFound(f"the account {address} is disabled", hint="enable it first: pai user enable EMAIL")
            if user is not None and user.first_administrator and actor.kind is not ActorKind.OPERATOR:
                # Its password opens its content through this server: another administrator must not come by that.
                raise Denied(
                    "the login of the first administrator is reset at the console only", code="console_only",
                    hint="on the machine itself: pai user reset-login EMAIL",
                )  # fmt: skip
            if user is not None:
                told = {"email": user.email, "role": user.role.value, "clear_factors": clear_factors}
                self.accounts.gated(unit, actor, Act.RESET_LOGIN, told)
            if user is None:
                made = SetupToken(_hash(token), address, until, role=Role.ADMINISTRATOR.value, first=True)
            else:
                made = SetupToken(_hash(token), address, until, user.id, clear_factors=clear_factors, made_by=maker)
            unit.users.add_setup_token(made)
            resource = ResourceRef("user", user.id) if user else INSTALLATION
            unit.audit.record(actor, SetupLinkMade(resource=resource, clears_factors=made.clear_factors))

        await self.accounts.work.run(write)
        return token

    async def invite(self, actor: Actor, email: str, role: Role) -> Secret:
        """Make a one-time token (three days) with which its holder opens an account of this role, with a password and a recovery code
        that nobody else sees. Raises Denied, NeedsApproval, Invalid, Conflict when the address has an account."""
        self.accounts.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)
        address, token = normal_email(email), Secret(secrets.token_urlsafe(32).encode())
        until = self.accounts.clock.now() + INVITATION

        def write(unit: IdentityUnit) -> None:
            if unit.users.by_email(address):
                raise Conflict(f"{address} has an account already", hint="reset its login instead")
            self.accounts.gated(unit, actor, Act.INVITE, {"email": address, "role": role.value})
            unit.users.add_setup_token(SetupToken(_hash(token), address, until, role=role.value, made_by=_maker(actor)))
            unit.audit.record(actor, UserInvited(resource=INSTALLATION, role=role.value))

        await self.accounts.work.run(write)
        return token

    async def withdraw(self, actor: Actor, email: str) -> None:
        """Make the open links of an address void. Raises Denied, NotFound when there is none."""
        self.accounts.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)
        address = normal_email(email)

        def write(unit: IdentityUnit) -> None:
            if address not in {one.email for one in unit.users.setup_tokens(self.accounts.clock.now())}:
                raise NotFound(f"no link is open for {address}", hint="see `pai user list`")
            unit.users.remove_setup_tokens(address)
            unit.audit.record(actor, LinkWithdrawn(resource=INSTALLATION))

        await self.accounts.work.run(write)

    async def choose(
        self, token: Secret, password: Secret, *, address: str = "", minimum: int | None = None
    ) -> Secret | None:
        """Set the password of a token's account and use the token up; a password that is refused leaves it usable.

        Return the recovery code when this made an account, else None. All sessions of the account end. ``minimum`` is the console's
        rule for the length. Raises Unauthenticated for a token that is unknown, used or expired, Invalid (``weak_password``).
        """

        def write(unit: IdentityUnit) -> tuple[str, Secret | None] | None:
            held = unit.users.take_setup_token(_hash(token), self.accounts.clock.now())
            if held is None or not self._stands(unit, held):
                return None
            user = unit.users.by_email(held.email)
            keeps = user is not None and not held.clear_factors and user.id in unit.factors.holders()
            check_password(password, held.email, minimum or (WITH_FACTOR if keeps else ALONE))
            if user is None and not held.user_id:
                return held.email, self._open_account(unit, held, password)
            if user is None or user.id != held.user_id or user.disabled_at is not None:
                return None  # disabled, or another account by now, after the link was made
            if held.clear_factors:
                clear_factors(unit, user)
            if not user.first_administrator:
                # A reset of login is no reset of content: this server opens it for nobody who came by a link.
                unit.wraps.remove_member_wraps(user.id, Factor.CONSOLE)
            self._set(unit, user, password, held)
            return user.email, None

        done = await self.accounts.work.run(write)
        if done is None:
            await self._refused(address)
            raise Unauthenticated(
                "this link is used up or expired",
                code="bad_setup_link",
                hint="ask an administrator for a new one, or make it at the console: pai user reset-login EMAIL",
            )
        email, code = done
        if code is None:
            await self.sessions.end_all(OPERATOR, email, "reset")
        return code

    def _open_account(self, unit: IdentityUnit, held: SetupToken, password: Secret) -> Secret:
        if held.first and unit.users.list():
            raise NotFound("this link was for an installation without accounts")
        role, by = Role(held.role), held.made_by or OPERATOR.id
        made = new_account(unit, self.accounts, None, held.email, role, password, first=held.first, invited_by=by)
        return made.recovery_code

    def _stands(self, unit: IdentityUnit, held: SetupToken) -> bool:
        """Tell whether who made a link might still make it: what somebody handed out ends with their right to."""
        if not held.made_by:
            return True
        maker = unit.users.get(held.made_by)
        if maker is None or maker.disabled_at is not None:
            return False
        try:
            who = Actor(maker.id, maker.email, maker.kind, maker.role, fresh=True)
            self.accounts.policy.decide(who, Permission.USERS_CHANGE, INSTALLATION)
        except Denied:
            return False
        return True

    async def _refused(self, address: str) -> None:
        unrecorded = self.refusals.admit(self.accounts.clock.now())
        if unrecorded is None:
            return
        event = LoginRefused(address=address[:64], unrecorded=unrecorded, outcome=Outcome.REFUSED, reason="setup link")
        await self.accounts.work.run(lambda unit: unit.audit.record(_ANONYMOUS, event))

    def _set(self, unit: IdentityUnit, user: User, password: Secret, link: SetupToken) -> None:
        held = unit.wraps.member_wrap(user.id, Factor.CONSOLE)
        keystore = self.accounts.keystore
        if held is not None and user.first_administrator:
            handle = keystore.unlock_from_console(user.id, held.blob)
            try:
                salt, verifier, blob = keystore.wrap_for_password(handle, user.id, password)
            finally:
                keystore.forget(handle)
        else:
            # A key pair that nothing is sealed for: its wrap proves the password and opens no content.
            made = keystore.new_member(user.id, password, console=False)
            salt, verifier, blob = made.password_salt, made.password_verifier, made.password_wrap
        content = held is not None and user.first_administrator
        self._keep(unit, user, (salt, verifier, blob), content=content)
        # Whoever had the login may have made keys with it; they end with it.
        revoked = unit.users.revoke_keys(self.accounts.clock.now(), owner_id=user.id)
        event = PasswordChosen(
            resource=ResourceRef("user", user.id), content=content, keys_revoked=revoked, link_by=link.made_by or OPERATOR.id
        )  # fmt: skip
        unit.audit.record(Actor(user.id, user.email, user.kind, user.role), event)

    def _keep(self, unit: IdentityUnit, user: User, made: tuple[bytes, bytes, bytes], *, content: bool) -> None:
        salt, verifier, blob = made
        unit.users.update(dataclasses.replace(user, password_salt=salt, password_verifier=verifier))
        for factor_id in ("", RESET):
            unit.wraps.remove_member_wraps(user.id, Factor.PASSWORD, factor_id)
        factor_id, now = "" if content else RESET, self.accounts.clock.now()
        unit.wraps.add_member_wrap(MemberWrap(new_id("wrp"), user.id, Factor.PASSWORD, factor_id, blob, now))

    async def recover(self, actor: Actor, code: Secret, password: Secret) -> None:
        """Open the actor's content with the recovery code and wrap its key under their present password again.

        Guesses at the password are counted with all others of this account, and stretched beside the one writer. Raises Unauthenticated
        for a wrong code or password, Throttled, Invalid (``not_locked``), Denied for a key in place of a session.
        """
        if actor.session_id is None:
            raise Denied("only a browser session can do this", hint="log in and open the account page")
        self.accounts.policy.decide(actor, Permission.SESSIONS, ResourceRef("user", actor.id, actor.id))
        user, wrap, proof = await self.accounts.work.read(lambda unit: _locked(unit, actor.id))
        try:
            handle = await self._rewrapped(actor, (user, wrap, proof), code, password)
        except Unauthenticated as error:
            event = LoginRefused(
                resource=ResourceRef("user", actor.id), address="", outcome=Outcome.REFUSED, reason=error.code
            )
            await self.accounts.work.run(lambda unit: unit.audit.record(actor, event))
            raise
        await self.sessions.reopen(actor, handle)

    async def _rewrapped(
        self, actor: Actor, seen: tuple[User, MemberWrap, MemberWrap], code: Secret, password: Secret
    ) -> str:
        keystore, (user, wrap, proof) = self.accounts.keystore, seen
        checked = await unlock(self.sessions, actor, password)
        if checked is None:
            raise _wrong_password()
        keystore.forget(checked[0])
        handle = await asyncio.to_thread(keystore.unlock_with_recovery, user.id, code, wrap.blob)

        def write(unit: IdentityUnit) -> None:
            now, now_wrap, now_proof = _locked(unit, user.id)
            if now.password_verifier != user.password_verifier or (now_wrap.id, now_proof.id) != (wrap.id, proof.id):
                # Replaced while this was checked, by another session or a reset: the later word counts, and it was not this one.
                raise _wrong_password()
            self._keep(unit, now, made, content=True)
            unit.audit.record(actor, PasswordChosen(resource=ResourceRef("user", user.id), content=True))

        try:
            made = await asyncio.to_thread(keystore.wrap_for_password, handle, user.id, password)
            await self.accounts.work.run(write)
        except BaseException:
            keystore.forget(handle)
            raise
        return handle


def _maker(actor: Actor) -> str:
    return "" if actor.kind is ActorKind.OPERATOR else actor.id


def _locked(unit: IdentityUnit, user_id: str) -> tuple[User, MemberWrap, MemberWrap]:
    user, wrap = unit.users.get(user_id), unit.wraps.member_wrap(user_id, Factor.RECOVERY)
    proof = unit.wraps.member_wrap(user_id, Factor.PASSWORD, RESET)
    if user is None or wrap is None or proof is None:
        raise Invalid("this account's content is not locked", code="not_locked")
    return user, wrap, proof


def _wrong_password() -> Unauthenticated:
    return Unauthenticated("the password is not right", code="wrong_password", hint="it is the one you log in with")


def clear_factors(unit: IdentityUnit, user: User) -> None:
    """Take all second factors of an account away, inside a unit: its owner lost theirs."""
    kinds = unit.factors.holders().get(user.id, ())
    for confirmed in (True, False):
        unit.factors.remove_totp(user.id, confirmed=confirmed)
    for passkey in unit.factors.passkeys(user.id):
        unit.factors.remove_passkey(passkey.id)
        unit.wraps.remove_member_wraps(user.id, Factor.PASSKEY, passkey.id)
    unit.factors.set_backup_codes(user.id, [])
    owner = Actor(user.id, user.email, user.kind, user.role)
    for kind in kinds:
        unit.audit.record(owner, FactorRemoved(resource=ResourceRef("user", user.id), kind=kind, how="reset"))


_ANONYMOUS = Actor("anonymous", "anonymous", ActorKind.PERSON)


def _hash(token: Secret) -> bytes:
    return hashlib.sha256(b"pai/setup/1\x00" + token.reveal()).digest()
