"""Where a second factor is required: of administrators, unless one person uses PAI on their own machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pai.core.identity.ports import IdentityUnit
from pai.core.identity.values import User
from pai.foundation.actor import Role


@dataclass(frozen=True, slots=True)
class Requirement:
    """``of_administrators``: in the profiles ``server`` and ``airgap``, and wherever PAI listens beyond loopback."""

    of_administrators: bool = False

    def covers(self, user: User) -> bool:
        """Tell whether this account has to have a second factor."""
        return self.of_administrators and user.role is Role.ADMINISTRATOR

    def lacks(self, unit: IdentityUnit, user: User) -> bool:
        """Tell whether this account has to have a second factor and has none that works. A passkey out of use still asks for a second
        step at each log-in, but whoever came through with a backup code is to set up another one."""
        return self.covers(user) and user.id not in unit.factors.holders(usable=True)


def administrators_without(unit: IdentityUnit) -> Sequence[str]:
    """Return the addresses of active administrators who have no second factor."""
    holders = unit.factors.holders()
    return [
        user.email
        for user in unit.users.list()
        if user.role is Role.ADMINISTRATOR and user.disabled_at is None and user.id not in holders
    ]
