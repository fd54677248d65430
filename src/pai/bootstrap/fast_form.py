"""At first initialisation: the chat model in the form that this processor reads fastest, where that is known to help."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pai.foundation.actor import OPERATOR
from pai.foundation.errors import PaiError

if TYPE_CHECKING:
    from pai.bootstrap.compose import Base

_EVERY: Final = 5
_MEMORY_FACTOR: Final = 6
"""Total memory for a model in its faster form, in sizes of its file: it takes up to four while it runs, and is not alone."""


def make_fast_form(base: Base, progress: Callable[[str], None]) -> float:
    """Convert the default chat model and make the new form the default; return the seconds it took, 0 when there was nothing to do.

    Nothing is lost where it cannot be done: the model goes on running as it is, and ``progress`` is told why.
    """
    from pai.adapters.system.processors import matrix_extensions, total_memory
    from pai.adapters.workers.launcher import LocalLauncher
    from pai.bootstrap.compose import NoEngines, conversions_for, measuring_for
    from pai.bootstrap.telemetry import child_environment

    model = asyncio.run(base.storage.read(lambda unit: unit.models.get("default")))
    if model is None or model.engine != "llama.cpp":
        return 0.0
    if total_memory() < _MEMORY_FACTOR * model.size:
        progress("this machine has little memory for the model's faster form: it stays on llama.cpp")
        return 0.0
    if not matrix_extensions():
        progress("this processor multiplies small numbers no faster than others: the model stays on llama.cpp")
        return 0.0
    progress("laying the model out for this processor (once, about half a minute) ...")
    scratch = base.home.root / "run" / "w"
    launcher = LocalLauncher(scratch, child_environment())

    async def convert() -> float:
        began = asyncio.get_running_loop().time()
        telling = asyncio.create_task(_tell(scratch, progress))
        try:
            await conversions_for(base, launcher, measuring_for(base, NoEngines())).convert(
                OPERATOR, "default", measure=False
            )
        finally:
            telling.cancel()
        return asyncio.get_running_loop().time() - began

    try:
        return asyncio.run(convert())
    except PaiError as error:
        progress(f"it stays on llama.cpp: {error.message} ({error.hint})")
        return 0.0
    finally:
        launcher.close()


async def _tell(scratch: Path, progress: Callable[[str], None]) -> None:
    """Tell how much was written so far: the converter itself says nothing while it works."""
    seconds = 0
    while True:
        await asyncio.sleep(_EVERY)
        seconds += _EVERY
        progress(f"  {seconds} s, {await asyncio.to_thread(_size, scratch) >> 20} MB written")


def _size(folder: Path) -> int:
    found = 0
    for one in folder.rglob("*"):
        with contextlib.suppress(OSError):  # it was renamed or removed meanwhile
            found += one.stat().st_size if one.is_file() else 0
    return found
