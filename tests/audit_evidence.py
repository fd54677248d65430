"""A log with evidence of it, and the outside verifier as outsiders run it: a copied file, a program of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pai.adapters.cryptography import outside_verifier
from pai.adapters.policy.cedar import CedarPolicy
from pai.adapters.system.clock import SystemClock
from pai.core.operations.handing_out import Begun, HandingOut
from pai.foundation.actor import OPERATOR, SYSTEM
from pai.foundation.refs import SubjectRef
from storage_home import Noted, StorageHome

VERIFIER = Path(outside_verifier.__file__)


@dataclass(frozen=True)
class Verdict:
    """What the verifier said."""

    code: int
    told: dict[str, Any]

    @property
    def kinds(self) -> set[str]:
        return {one["kind"] for one in self.told["errors"]}


def verify(path: Path, *options: str, folder: Path | None = None) -> Verdict:
    """Run the verifier on evidence, from a folder where nothing of PAI lies."""
    program = (folder or path.parent) / "the-verifier.py"
    shutil.copy2(VERIFIER, program)
    done = subprocess.run(
        [sys.executable, "-I", str(program), str(path), *options, "--json"],
        capture_output=True, text=True, cwd=program.parent, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1, 3), done.stderr
    return Verdict(done.returncode, json.loads(done.stdout))


class Log:
    """A real log on a real vault, that grows as told and hands itself out."""

    def __init__(self, root: Path) -> None:
        self.home = StorageHome.create(root) if not root.exists() else StorageHome.existing(root)
        self.storage = self.home.open()
        self.handing = HandingOut(self.storage, CedarPolicy(), SystemClock())

    @property
    def key(self) -> str:
        return str(self.storage.read_sync(lambda unit: unit.audit.verifier_key()))

    def grow(self, count: int, **fields: Any) -> None:
        def write(unit: Any) -> None:
            for n in range(count):
                event = Noted(n=n, subjects=(SubjectRef(f"sub_{n % 3}"),), documents=(f"doc_{n % 2}",), **fields)
                unit.audit.record(OPERATOR if n % 2 else SYSTEM, event)

        self.storage.run_sync(write)

    def checkpoint(self, path: Path) -> Path:
        path.write_text(self.storage.run_sync(lambda unit: unit.audit.checkpoint()).note)
        return path

    def lines(self) -> list[str]:
        async def taken() -> list[str]:
            begun: Begun = await self.handing.begin(OPERATOR)
            size = begun.checkpoint.size
            found = [begun.header]
            for first in range(0, size, 100):
                found += await self.handing.page(OPERATOR, first, min(100, size - first))
            return found

        return asyncio.run(taken())

    def prove(self, index: int) -> dict[str, Any]:
        return asyncio.run(self.handing.prove(OPERATOR, index))

    def prove_growth(self, note: str) -> dict[str, Any]:
        return asyncio.run(self.handing.prove_growth(OPERATOR, note))

    def close(self) -> None:
        self.home.close()
        self.home.vault.close()


Forgery = Callable[[list[dict[str, Any]]], None]


def renumbered(events: list[dict[str, Any]]) -> None:
    """Give the events the numbers of their places, as a forger would who knows what is looked at."""
    for n, event in enumerate(events):
        event["index"] = n


def written(path: Path, header: str, events: list[dict[str, Any]]) -> Path:
    """Write a log as PAI writes it."""
    lines = [json.dumps(event, sort_keys=True, separators=(",", ":")) + "\n" for event in events]
    path.write_text("".join([header, *lines]))
    return path
