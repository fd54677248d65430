"""What carries out acts that others approved: the same use cases that asked for approval, as the actor who asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pai.core.approvals.approvals import Carry
from pai.core.identity.people import People
from pai.core.identity.setup import INVITATION, LIFE, Setup
from pai.core.identity.values import User
from pai.core.knowledge.collections import Collections
from pai.core.operations.handing_out import EXPORT_SPAN
from pai.core.operations.shredding import Shredding
from pai.core.policy.gate import Parameters
from pai.core.policy.values import Act
from pai.foundation.actor import Actor, Role
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret


def carriers(people: People, setup: Setup, collections: Collections, shredding: Shredding) -> Mapping[Act, Carry]:
    """Return what carries each act out; the change of a rule is the approvals' own."""

    async def role(actor: Actor, told: Parameters) -> dict[str, Any]:
        return _user(await people.set_role(actor, str(told["email"]), Role(str(told["role"]))))

    async def clearance(actor: Actor, told: Parameters) -> dict[str, Any]:
        return _user(await people.set_clearance(actor, str(told["email"]), Label(str(told["clearance"]))))

    async def enable(actor: Actor, told: Parameters) -> dict[str, Any]:
        return _user(await people.enable(actor, str(told["email"])))

    async def invite(actor: Actor, told: Parameters) -> dict[str, Any]:
        token = await setup.invite(actor, str(told["email"]), Role(str(told["role"])))
        return {"email": told["email"], "role": told["role"], **_link(token, INVITATION)}

    async def reset(actor: Actor, told: Parameters) -> dict[str, Any]:
        token = await setup.link(actor, str(told["email"]), clear_factors=bool(told["clear_factors"]))
        return {"email": told["email"], **_link(token, LIFE)}

    async def shred(actor: Actor, told: Parameters) -> dict[str, Any]:
        done = await shredding.shred(actor, str(told["collection"]))
        return {"collection": done.collection, "documents": done.documents, "backups": [one.id for one in done.backups]}

    async def bulk_delete(actor: Actor, told: Parameters) -> dict[str, Any]:
        return {"deleted": (await collections.delete(actor, str(told["collection"]))).id}

    async def export(_actor: Actor, _told: Parameters) -> dict[str, Any]:
        return {"open_for_minutes": int(EXPORT_SPAN.total_seconds()) // 60}

    return {
        Act.ROLE: role, Act.CLEARANCE: clearance, Act.ENABLE: enable, Act.INVITE: invite, Act.RESET_LOGIN: reset, Act.SHRED: shred,
        Act.BULK_DELETE: bulk_delete, Act.EXPORT: export,
    }  # fmt: skip


def _link(token: Secret, life: timedelta) -> dict[str, Any]:
    return {"token": token.reveal().decode(), "minutes": int(life.total_seconds()) // 60}


def _user(user: User) -> dict[str, Any]:
    return {"id": user.id, "email": user.email, "role": user.role.value, "clearance": user.clearance.value}
