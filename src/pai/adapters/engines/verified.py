"""Models for processes that answer once: looked up, verified and opened anew for each input."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from pai.adapters.engines.model_files import Examiner, check_installed, opened, ordered
from pai.core.models.values import Model
from pai.foundation.errors import NotFound, Unsupported


class VerifiedModels:
    """``find`` looks a model up by name or alias; ``examiner`` holds its files against what this installation signed."""

    def __init__(self, folder: Path, find: Callable[[str], Awaitable[Model | None]], examiner: Examiner) -> None:
        self._folder = folder
        self._find = find
        self._examiner = examiner

    async def model(self, name: str, task: str, usual: str) -> Model:
        """Return the active model for ``task`` that a name or alias stands for; ``usual`` is one of the catalogue to tell of.

        Raises NotFound (``model_not_found``), Unsupported (``missing_capability``, ``extra_missing``).
        """
        found = await self._find(name)
        if found is None or not found.active:
            raise NotFound(
                f"the model {name[:100]!r} is not here", code="model_not_found", hint=f"add one, such as by `pai models add {usual}`"
            )  # fmt: skip
        if found.task != task:
            raise Unsupported(
                f"{found.name} is for {found.task}, not for {task}", code="missing_capability", hint="see `pai models list`"
            )  # fmt: skip
        check_installed(found)
        return found

    @asynccontextmanager
    async def opened(self, model: Model) -> AsyncIterator[list[int]]:
        """Hold the files that the worker takes, in its order, open. Raises Corrupt (signature or hash), Unavailable."""
        with opened(self._folder, model) as fds:
            await self._examiner.examine(model, fds)
            yield ordered(model, fds)
