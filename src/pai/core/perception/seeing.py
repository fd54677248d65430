"""Reading pictures for a client. Nothing of them is kept."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass

from pai.core.perception.events import PictureRead
from pai.core.perception.layout import in_order
from pai.core.perception.ports import OCR, PerceptionUnit, Senses
from pai.core.perception.values import Page
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.labels import Label
from pai.foundation.refs import ModelRef, ResourceRef


@dataclass(frozen=True, slots=True)
class Seeing:
    """Use cases on pictures that a client sends."""

    work: Work[PerceptionUnit]
    policy: Policy
    senses: Senses

    async def usual(self, actor: Actor) -> ModelRef:
        """Return the model that reads pictures when none is named. Raises Denied for who may have none read, NotFound."""
        self.policy.decide(
            actor, Permission.READ_PICTURES, ResourceRef("picture", "sent", owner=actor.id, label=Label.PUBLIC)
        )
        return await self.senses.model(OCR, "ocr")

    async def reader(self, actor: Actor, label: Label, name: str = OCR) -> ModelRef:
        """Decide, and record that a picture is read; return the model that will. Raises Denied, NotFound."""
        picture = ResourceRef("picture", "sent", owner=actor.id, label=label)
        self.policy.decide(actor, Permission.READ_PICTURES, picture)
        model = await self.senses.model(name, "ocr")
        event = PictureRead(resource=picture, label=label, model=model)
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        return model

    async def read(self, model: ModelRef, data: Iterable[bytes]) -> AsyncGenerator[Page, None]:
        """Yield pages with their lines in reading order. ``model`` is what ``reader`` returned. Raises as the port says."""
        async with aclosing(self.senses.read(model.name, data)) as pages:
            async for page in pages:
                yield dataclasses.replace(page, lines=in_order(page))
