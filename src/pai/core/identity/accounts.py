"""Accounts: personal, each with a key pair of its own."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pai.core.identity.events import ClearanceChanged, RoleChanged, UserAdded, UserDisabled, UserEnabled, UsersListed
from pai.core.identity.passwords import CONSOLE, check_password
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.values import User
from pai.core.keys.ports import Keystore
from pai.core.keys.values import Factor, MemberWrap
from pai.core.policy.gate import Gate, Parameters
from pai.core.policy.ports import Policy
from pai.core.policy.values import APPROVERS, POWERFUL, Act, Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor, ActorKind, Role
from pai.foundation.errors import Conflict, Invalid, NotFound
from pai.foundation.ids import new_id
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

_EMAIL = re.compile(r"[^@\s\x00-\x1f]{1,64}@[^@\s\x00-\x1f]{1,190}\Z")
INSTALLATION = ResourceRef("installation", "pai")


@dataclass(frozen=True, slots=True)
class AddedUser:
    """A new account and the recovery code of its content, shown once."""

    user: User
    recovery_code: Secret


@dataclass(frozen=True, slots=True)
class Accounts:
    """Use cases on accounts."""

    work: Work[IdentityUnit]
    keystore: Keystore
    policy: Policy
    clock: Clock
    gate: Gate = field(default_factory=Gate)

    async def add(self, actor: Actor, email: str, role: Role, password: Secret, *, first: bool = False) -> AddedUser:
        """Make an account. Raises Denied, Invalid (bad address or password), Conflict when the address is taken, and (``invite_instead``)
        for a powerful role where that takes a second person: a password is not kept until one has approved."""
        self.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)
        address = normal_email(email)
        check_password(password, address, CONSOLE)

        def write(unit: IdentityUnit) -> AddedUser:
            if role in POWERFUL and self.gate.rule(unit, Act.INVITE).quorum and not _founding(unit):
                raise Conflict(
                    f"an account that is {role.value} takes a second person here", code="invite_instead",
                    hint="invite them: pai user invite EMAIL --role ROLE; others then approve it",
                )  # fmt: skip
            return new_account(unit, self, actor, address, role, password, first=first)

        return await self.work.run(write)

    async def me(self, actor: Actor) -> User:
        """Return the actor's own account. Raises Denied, NotFound for an actor without one."""
        self.policy.decide(actor, Permission.SELF, ResourceRef("user", actor.id, actor.id))
        user = await self.work.read(lambda unit: unit.users.get(actor.id))
        if user is None:
            raise NotFound("no such account")
        return user

    async def list(self, actor: Actor) -> Sequence[User]:
        """Return all accounts. Raises Denied."""
        self.policy.decide(actor, Permission.USERS, INSTALLATION)

        def look(unit: IdentityUnit) -> Sequence[User]:
            found = unit.users.list()
            unit.audit.record(actor, UsersListed(resource=INSTALLATION, users=len(found)))
            return found

        return await self.work.run(look)

    async def disable(self, actor: Actor, email: str) -> User:
        """Disable an account: its keys, sessions and links die with the commit. Raises NotFound, Conflict for the last administrator."""
        self.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)

        def write(unit: IdentityUnit) -> User:
            user = self.found(unit, email)
            keep_an_administrator(unit, user)
            now = self.clock.now()
            changed = dataclasses.replace(user, disabled_at=user.disabled_at or now)
            unit.users.update(changed)
            unit.users.remove_setup_tokens(user.email)
            unit.users.remove_links_by(user.id)
            revoked = unit.users.revoke_keys(now, owner_id=user.id)
            unit.users.end_sessions(now, user_id=user.id)
            unit.audit.record(actor, UserDisabled(resource=ResourceRef("user", user.id), keys_revoked=revoked))
            return changed

        return await self.work.run(write)

    async def enable(self, actor: Actor, email: str) -> User:
        """Let a disabled account log in again. Its keys and sessions stay dead. Raises NotFound, Denied, NeedsApproval."""
        self.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)

        def write(unit: IdentityUnit) -> User:
            user = self.found(unit, email)
            self.gated(unit, actor, Act.ENABLE, {"user": user.id, "email": user.email, "role": user.role.value})
            changed = dataclasses.replace(user, disabled_at=None)
            unit.users.update(changed)
            unit.audit.record(actor, UserEnabled(resource=ResourceRef("user", changed.id)))
            return changed

        return await self.work.run(write)

    async def set_role(self, actor: Actor, email: str, role: Role) -> User:
        """Give an account another role. Raises NotFound, Denied, NeedsApproval, Conflict for the last administrator and for one's own
        role."""
        self.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)

        def write(unit: IdentityUnit) -> User:
            user = self.found(unit, email)
            if user.id == actor.id:
                raise Conflict("nobody changes their own role", code="own_role", hint="ask another administrator")
            if role is not Role.ADMINISTRATOR:
                keep_an_administrator(unit, user)
            told = {"user": user.id, "email": user.email, "before": user.role.value, "role": role.value}
            self.gated(unit, actor, Act.ROLE, told)
            changed = dataclasses.replace(user, role=role)
            unit.users.update(changed)
            unit.users.remove_links_by(user.id)
            event = RoleChanged(resource=ResourceRef("user", user.id), before=user.role.value, role=role.value)
            unit.audit.record(actor, event)
            return changed

        return await self.work.run(write)

    async def set_clearance(self, actor: Actor, email: str, clearance: Label) -> User:
        """Let an account touch labels up to this one. Raising it takes a second person, lowering nobody.

        Raises NotFound, Denied, NeedsApproval, Conflict for one's own clearance."""
        self.policy.decide(actor, Permission.USERS_CHANGE, INSTALLATION)

        def write(unit: IdentityUnit) -> User:
            user = self.found(unit, email)
            if user.id == actor.id:
                raise Conflict(
                    "nobody changes their own clearance", code="own_clearance", hint="ask another administrator"
                )
            if not user.clearance.covers(clearance) and not _founding(unit):
                told = {
                    "user": user.id, "email": user.email, "before": user.clearance.value, "clearance": clearance.value,
                }  # fmt: skip
                self.gate.admit(unit, actor, Act.CLEARANCE, told)
            changed = dataclasses.replace(user, clearance=clearance)
            unit.users.update(changed)
            event = ClearanceChanged(
                resource=ResourceRef("user", user.id), before=user.clearance.value, clearance=clearance.value
            )
            unit.audit.record(actor, event)
            return changed

        return await self.work.run(write)

    def gated(self, unit: IdentityUnit, actor: Actor, act: Act, parameters: Parameters) -> None:
        """Ask for a second person where this gives, takes or restores power. Raises NeedsApproval.

        An installation in which nobody could approve yet grows without: there have to be two before two can be asked for. Disabled
        accounts count, so that nobody gets back to this by disabling the others.
        """
        roles = {str(parameters.get(name)) for name in ("before", "role")}
        if roles & {role.value for role in POWERFUL} and not _founding(unit):
            self.gate.admit(unit, actor, act, parameters)

    def found(self, unit: IdentityUnit, email: str) -> User:
        """Return the account of an address. Raises NotFound, Invalid."""
        user = unit.users.by_email(normal_email(email))
        if user is None:
            raise NotFound(f"no account has the address {email}", hint="see `pai user list`")
        return user


def _founding(unit: IdentityUnit) -> bool:
    return sum(user.role.value in APPROVERS for user in unit.users.list()) < 2


def keep_an_administrator(unit: IdentityUnit, leaving: User) -> None:
    """Raise Conflict when nobody could administer PAI any more without this account."""
    others = [u for u in unit.users.list() if u.role is Role.ADMINISTRATOR and not u.disabled_at and u.id != leaving.id]
    if leaving.role is Role.ADMINISTRATOR and not others:
        raise Conflict("this is the last administrator", hint="give someone else the role first")


def new_account(
    unit: IdentityUnit, parts: Accounts, actor: Actor | None, address: str, role: Role, password: Secret, *, first: bool,
    invited_by: str = "",
) -> AddedUser:  # fmt: skip
    """Add an account inside a unit: key pair, wraps, event. Without an actor its person makes it, by a link of ``invited_by``.

    Raises Conflict when the address is taken."""
    if unit.users.by_email(address):
        raise Conflict(f"{address} has an account already", hint="choose another address")
    user_id, now = new_id("usr"), parts.clock.now()
    made = parts.keystore.new_member(user_id, password, console=first)
    user = User(
        user_id,
        address,
        role,
        ActorKind.PERSON,
        made.public_key,
        made.password_salt,
        made.password_verifier,
        first,
        now,
    )
    unit.users.add(user)
    wraps = {Factor.PASSWORD: made.password_wrap, Factor.RECOVERY: made.recovery_wrap}
    if made.console_wrap is not None:
        wraps[Factor.CONSOLE] = made.console_wrap
    for factor, blob in wraps.items():
        unit.wraps.add_member_wrap(MemberWrap(new_id("wrp"), user_id, factor, "", blob, now))
    event = UserAdded(resource=ResourceRef("user", user_id), role=role.value, invited_by=invited_by)
    unit.audit.record(actor or Actor(user.id, user.email, user.kind, user.role), event)
    return AddedUser(user, made.recovery_code)


def normal_email(email: str) -> str:
    """Return the address in lower case. Raises Invalid when it has not the form of one."""
    text = email.strip().lower()
    if not _EMAIL.match(text):
        raise Invalid(f"{email[:80]!r} is not an e-mail address", code="bad_email", hint="such as ada@example.org")
    return text
