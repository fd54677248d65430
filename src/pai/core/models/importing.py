"""Models that an operator brings: checked, hashed, signed and registered with what is known of their origin."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pai.core.models.events import ModelImported
from pai.core.models.ports import Intake, ModelsUnit
from pai.core.models.values import Model, ModelRecord
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.clock import Clock
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Conflict, Invalid, NotFound
from pai.foundation.refs import ModelRef, ResourceRef

NOT_STATED: Final = "not stated"
"""What a record says where its source and the operator say nothing."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_SHORTEST: Final = {"chat": 256, "embedding": 16, "rerank": 16}
_LONGEST: Final = 1 << 20
_LONGEST_TEXT: Final = 2000


@dataclass(frozen=True, slots=True)
class Imports:
    """Use cases on models that come as files. ``sign`` signs what was just checked with this installation's model key;
    ``known`` looks a model up in the catalogue."""

    work: Work[ModelsUnit]
    policy: Policy
    intake: Intake
    sign: Callable[[Model], bytes]
    clock: Clock
    known: Callable[[str, datetime], Model | None]

    async def take(self, actor: Actor, staged: str, name: str, context_length: int, record: ModelRecord) -> Model:
        """Take a model whose files lie in the staging folder ``staged``. No alias points at it yet.

        Raises Denied, Invalid (name, record or a file), Conflict when the name is taken, Unavailable.
        """
        self.policy.decide(actor, Permission.MODELS_MANAGE, ResourceRef("model", name))
        if not _NAME.fullmatch(name) or name.startswith("default"):
            raise Invalid(
                f"{name[:100]!r} is no name for a model", code="bad_model_name",
                hint="small letters, digits, dots, hyphens and underscores; not beginning with default",
            )  # fmt: skip
        if (
            max(len(record.origin), len(record.licence), len(record.training_data), len(record.known_gaps))
            > _LONGEST_TEXT
        ):
            raise Invalid(
                "a text of the record is too long", code="bad_model_record", hint=f"{_LONGEST_TEXT} characters"
            )
        if await self.work.read(lambda unit: unit.models.get(name)) is not None:
            raise Conflict(f"there is a model {name!r} already", code="model_exists", hint="choose another name")
        taken = await self.intake.take(staged, name)
        made = Model(
            name, taken.task, taken.engine, taken.format, taken.files, max(_SHORTEST[taken.task], min(context_length, _LONGEST)), None,
            record, b"", self.clock.now(),
        )  # fmt: skip
        signed = dataclasses.replace(made, signature=self.sign(made))
        await self._keep(actor, signed)
        return signed

    async def add(self, actor: Actor, staged: str, name: str) -> Model:
        """Take a model of the catalogue whose files lie in the staging folder ``staged``. Its usual alias means it from then on, unless
        another model has that alias.

        Raises Denied, NotFound for a name that is not in the catalogue, Conflict, Corrupt, Unavailable.
        """
        self.policy.decide(actor, Permission.MODELS_MANAGE, ResourceRef("model", name))
        known = self.known(name, self.clock.now())
        if known is None:
            raise NotFound(
                f"{name[:100]!r} is not in the catalogue", code="model_not_found", hint="see `pai models add --help`"
            )
        if await self.work.read(lambda unit: unit.models.get(name)) is not None:
            raise Conflict(f"there is a model {name!r} already", code="model_exists", hint="see `pai models show`")
        free = await self.work.read(lambda unit: tuple(a for a in known.aliases if unit.models.get(a) is None))
        made = dataclasses.replace(known, aliases=free)
        await self.intake.take_known(staged, made)
        signed = dataclasses.replace(made, signature=self.sign(made))
        await self._keep(actor, signed)
        return signed

    async def _keep(self, actor: Actor, signed: Model) -> None:
        event = ModelImported(
            resource=ResourceRef("model", signed.name), model=ModelRef(signed.name, signed.sha256), licence=signed.record.licence
        )  # fmt: skip

        def write(unit: ModelsUnit) -> None:
            unit.models.add(signed)
            unit.audit.record(actor, event)

        await self.work.run(write)
