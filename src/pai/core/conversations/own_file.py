"""The key of a member's own sealed file. Nobody else's can be named: the file is found by the actor's id."""

from __future__ import annotations

from dataclasses import dataclass

from pai.core.conversations.ports import OwnUnit
from pai.core.keys.ports import Keystore
from pai.core.keys.values import KeyWrap
from pai.core.ports.clock import Clock
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied
from pai.foundation.ids import new_id
from pai.foundation.redaction import Secret


def context_of(user_id: str) -> str:
    """Return what the data key of a member's file is bound to."""
    return f"conversations:{user_id}"


@dataclass(frozen=True, slots=True)
class OwnFile:
    """Opens the data key of the actor's file; it is wrapped for the member's public key alone."""

    keystore: Keystore
    clock: Clock

    def key(self, unit: OwnUnit, actor: Actor) -> Secret | None:
        """Return the key, None when nothing was ever kept. Raises Denied (``locked``) when this credential opens no content."""
        if actor.unlocked is None:
            raise Denied(
                "this credential cannot open conversations",
                code="locked",
                hint="log in with the password, or give the recovery code",
            )
        context = context_of(actor.id)
        wrap = unit.wraps.key_wrap(context, actor.id)
        return self.keystore.open_data_key(actor.unlocked, context, wrap.blob) if wrap is not None else None

    def key_or_new(self, unit: OwnUnit, actor: Actor) -> tuple[Secret, bool]:
        """Return the key, and whether it was made just now: then the file is ``fresh``. Raises Denied (``locked``)."""
        held = self.key(unit, actor)
        if held is not None:
            return held, False
        user = unit.users.get(actor.id)
        if user is None:
            raise Denied("only members keep conversations", code="locked")
        context = context_of(actor.id)
        made = self.keystore.new_data_key(context, [user.public_key])
        unit.wraps.add_key_wrap(KeyWrap(new_id("wrp"), context, actor.id, made.wraps[0], self.clock.now()))
        return made.key, True
