"""What administrators and the console do with other people's accounts: see them, let them in, reset their login, end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pai.core.identity.accounts import INSTALLATION, Accounts
from pai.core.identity.api_keys import ApiKeys
from pai.core.identity.events import UsersListed
from pai.core.identity.ports import IdentityUnit
from pai.core.identity.sessions import Sessions
from pai.core.identity.values import Session, SetupToken, User
from pai.core.keys.values import Factor
from pai.core.policy.values import Permission
from pai.foundation.actor import Actor, Role
from pai.foundation.errors import Denied, NotFound
from pai.foundation.labels import Label


@dataclass(frozen=True, slots=True)
class Everyone:
    """All accounts, the second factors of each by id, the one-time links that are open, and whose content key this server has a wrap of."""

    users: Sequence[User]
    factors: Mapping[str, Sequence[str]]
    links: Sequence[SetupToken]
    server_holds: frozenset[str]


@dataclass(frozen=True, slots=True)
class People:
    """Use cases on other people's accounts; those that end something end open streams too."""

    accounts: Accounts
    sessions: Sessions
    keys: ApiKeys

    async def everyone(self, actor: Actor) -> Everyone:
        """Return all accounts. Raises Denied."""
        self.accounts.policy.decide(actor, Permission.USERS, INSTALLATION)

        def look(unit: IdentityUnit) -> Everyone:
            links, found = unit.users.setup_tokens(self.accounts.clock.now()), unit.users.list()
            unit.audit.record(actor, UsersListed(resource=INSTALLATION, users=len(found)))
            return Everyone(found, unit.factors.holders(), links, unit.wraps.members_with(Factor.CONSOLE))

        return await self.accounts.work.run(look)

    async def disable(self, actor: Actor, email: str) -> User:
        """Disable an account: every session and key is dead when this returns, open streams included.

        Raises Denied, NotFound, Conflict for the last administrator.
        """
        user = await self.accounts.disable(actor, email)
        held = await self.accounts.work.read(lambda unit: unit.users.keys(user.id))
        self.keys.close_owner([key.id for key in held])
        await self.sessions.close_owner(user.id)
        return user

    async def enable(self, actor: Actor, email: str) -> User:
        """Let a disabled account log in again. Raises Denied, NotFound."""
        return await self.accounts.enable(actor, email)

    async def set_role(self, actor: Actor, email: str, role: Role) -> User:
        """Give an account another role. Its browser sessions end, and what streams to its keys; these follow the role at their next
        request. Raises Denied, NotFound, Conflict."""
        user = await self.accounts.set_role(actor, email, role)
        held = await self.accounts.work.read(lambda unit: unit.users.keys(user.id))
        self.keys.role_changed([key.id for key in held], role)
        await self.sessions.end_all(actor, email, "role")
        return user

    async def set_clearance(self, actor: Actor, email: str, clearance: Label) -> User:
        """Let an account touch labels up to this one. What streams to it ends; its credentials follow at their next request. Raises
        NotFound, Denied, NeedsApproval, Conflict."""
        user = await self.accounts.set_clearance(actor, email, clearance)
        for liveness in (self.sessions.liveness, self.keys.liveness):
            liveness.cleared(user.id, clearance)
        return user

    async def address_of(self, actor: Actor, user_id: str) -> str:
        """Return the address of an account by its id. Raises NotFound also for who may not know of it."""
        try:
            self.accounts.policy.decide(actor, Permission.USERS, INSTALLATION)
        except Denied as error:
            if error.code != "denied":
                raise
            raise NotFound("no such account") from None
        user = await self.accounts.work.read(lambda unit: unit.users.get(user_id))
        if user is None:
            raise NotFound("no such account", hint="see the list of people")
        return user.email

    async def sessions_of(self, actor: Actor, user_id: str) -> Sequence[Session]:
        """Return an account's live browser sessions. Raises Denied, NotFound."""
        await self.address_of(actor, user_id)
        return await self.sessions.list(actor, user_id)
