"""The converting worker: one model, made into another format in its own folder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pai.adapters.workers.service import RefusedError, Routes
from pai.foundation.errors import PaiError


def converter_routes(convert: Callable[[], Mapping[str, Any] | None], files: Sequence[str]) -> Routes:
    """Return the one route: ``/convert`` answers with the names of the files that lie in the working folder then, and what was told of
    them."""

    async def run(_body: dict[str, Any]) -> dict[str, Any]:
        try:
            told = await asyncio.to_thread(convert)
        except PaiError as error:
            raise RefusedError(f"{error.message} ({error.hint})", error.code) from error
        return {"files": list(files), "told": dict(told or {})}

    return {"/convert": run}
