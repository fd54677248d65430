"""Listening to recordings for a client. Nothing of them is kept."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from pai.core.perception.events import SoundHeard
from pai.core.perception.ports import TRANSCRIPTION, Input, PerceptionUnit, Senses
from pai.core.perception.values import Heard, Wish
from pai.core.policy.ports import Policy
from pai.core.policy.values import Permission
from pai.core.ports.work import Work
from pai.foundation.actor import Actor
from pai.foundation.errors import Invalid
from pai.foundation.labels import Label
from pai.foundation.refs import ModelRef, ResourceRef

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")
_LONGEST_PROMPT: Final = 2000


@dataclass(frozen=True, slots=True)
class Hearing:
    """Use cases on recordings that a client sends."""

    work: Work[PerceptionUnit]
    policy: Policy
    senses: Senses

    async def usual(self, actor: Actor) -> ModelRef:
        """Return the model that hears when none is named. Raises Denied for who may have none heard, NotFound, Unsupported."""
        self.policy.decide(actor, Permission.HEAR, ResourceRef("sound", "sent", owner=actor.id, label=Label.PUBLIC))
        return await self.senses.model(TRANSCRIPTION, "transcription")

    async def take(self, actor: Actor, data: Iterable[bytes]) -> Input:
        """Take a recording in, where what is wanted of it is told after it. Raises Denied for who may have none heard, TooLarge,
        Invalid."""
        self.policy.decide(actor, Permission.HEAR, ResourceRef("sound", "sent", owner=actor.id, label=Label.PUBLIC))
        return await self.senses.take(data)

    async def listener(self, actor: Actor, label: Label, name: str, wish: Wish) -> ModelRef:
        """Decide, and record that a recording is listened to; return the model that will. Raises Denied, NotFound, Invalid."""
        sound = ResourceRef("sound", "sent", owner=actor.id, label=label)
        self.policy.decide(actor, Permission.HEAR, sound)
        if wish.language and not _LANGUAGE.fullmatch(wish.language):
            raise Invalid(
                "the language is a code of ISO 639-1, such as en",
                code="bad_language",
                hint="leave it out to have it found",
            )
        if not 0 <= wish.temperature <= 1:
            raise Invalid("the temperature is 0 to 1", code="bad_temperature", hint="leave it out")
        if len(wish.prompt) > _LONGEST_PROMPT:
            raise Invalid(
                f"the prompt is longer than {_LONGEST_PROMPT} characters",
                code="too_long",
                hint="its end is what counts",
            )
        model = await self.senses.model(name, "transcription")
        event = SoundHeard(resource=sound, label=label, model=model, translated=wish.translate)
        await self.work.run(lambda unit: unit.audit.record(actor, event))
        return model

    async def hear(self, model: ModelRef, data: Iterable[bytes] | Input, wish: Wish) -> AsyncGenerator[Heard, None]:
        """Yield what is said, part after part. ``model`` is what ``listener`` returned. Raises as the port says."""
        async with aclosing(self.senses.hear(model.name, data, wish)) as parts:
            async for part in parts:
                yield part
