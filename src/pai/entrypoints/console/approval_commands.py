"""Host commands on requests of the console, and on how acts are approved."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pai.core.policy.values import APPROVERS, Act, Rule
from pai.entrypoints.http import approval_shapes as shapes
from pai.entrypoints.http.services import Services
from pai.foundation.actor import OPERATOR
from pai.foundation.errors import Invalid

Arguments = dict[str, Any]


async def approvals_list(services: Services, _arguments: Arguments) -> Any:
    """List requests, newest first."""
    return {"approvals": [shapes.told(one) for one in await services.approvals.list(OPERATOR)]}


async def approvals_run(services: Services, arguments: Arguments) -> Any:
    """Carry out an approved request of the console, once."""
    done, told = await services.approvals.execute(OPERATOR, str(arguments["id"]))
    return {"id": done.id, "act": done.act.value, "what": shapes.in_words(done), "result": told}


async def approvals_withdraw(services: Services, arguments: Arguments) -> Any:
    """Take back a request of the console."""
    return shapes.request(await services.approvals.withdraw(OPERATOR, str(arguments["id"])), OPERATOR.name)


async def approvals_rules(services: Services, _arguments: Arguments) -> Any:
    """Tell how each act is approved."""
    return {"rules": [shapes.rule(one) for one in await services.approvals.rules(OPERATOR)]}


async def approvals_rule(services: Services, arguments: Arguments) -> Any:
    """Approve an act in another way from now on; what is not named stays."""
    name = str(arguments["act"])
    if name not in {act.value for act in Act}:
        raise Invalid(f"no act {name[:40]!r}", code="bad_rule", hint="one of: " + ", ".join(Act))
    present = next(one for one in await services.approvals.rules(OPERATOR) if one.act.value == name)
    wanted = Rule(
        present.act,
        _number(arguments, "quorum", present.quorum),
        tuple(dict.fromkeys(str(one) for one in arguments.get("groups") or present.groups or APPROVERS)),
        _number(arguments, "life_hours", present.life_hours),
        _number(arguments, "lock_hours", present.lock_hours),
    )
    return shapes.rule(await services.approvals.change_rule(OPERATOR, wanted))


def _number(arguments: Arguments, name: str, present: int) -> int:
    value = arguments.get(name)
    return present if value is None else int(value)


APPROVAL_COMMANDS: dict[str, Callable[[Services, Arguments], Awaitable[Any]]] = {
    "approvals.list": approvals_list,
    "approvals.run": approvals_run,
    "approvals.withdraw": approvals_withdraw,
    "approvals.rules": approvals_rules,
    "approvals.rule": approvals_rule,
}
