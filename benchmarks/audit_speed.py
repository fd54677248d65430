"""Speed of the audit log: durable appends against a bare fdatasync in the same run, many in one commit, verification here and outside.

    python benchmarks/audit_speed.py [--events 1000000] [--seconds 20] [--folder /tmp/pai-audit-log]

The folder is kept, as for audit_query.py. Appends come at 200 a second, each a transaction of its own that is durable when it returns; a
bare fdatasync of as many bytes as an event takes is made between them, so that both meet the same disk and the same load.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from audit_log import event, fill, opened
from figures import keep

from pai.adapters.cryptography import outside_verifier
from pai.adapters.policy.cedar import CedarPolicy
from pai.adapters.storage.storage import Storage
from pai.core.operations.handing_out import PAGE, HandingOut
from pai.foundation.actor import OPERATOR

RATE, BYTES = 200, 1024


def p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def appends(storage: Storage, folder: Path, seconds: float) -> dict[str, Any]:
    chance = random.Random(7)
    ours: list[float] = []
    bare: list[float] = []
    fd = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    due = time.perf_counter()
    for _ in range(int(RATE * seconds)):
        due += 1 / RATE
        time.sleep(max(0.0, due - time.perf_counter()))
        began = time.perf_counter()
        os.write(fd, bytes(BYTES))
        os.fdatasync(fd)
        bare.append(time.perf_counter() - began)
        told = event(chance)
        began = time.perf_counter()
        storage.run_sync(lambda unit, told=told: unit.audit.record(*told))
        ours.append(time.perf_counter() - began)
    os.close(fd)
    took = {
        name: {"p50_ms": sorted(v)[len(v) // 2] * 1000, "p99_ms": p99(v) * 1000}
        for name, v in (("append", ours), ("fdatasync", bare))
    }
    ratio = {key: took["append"][key] / took["fdatasync"][key] for key in ("p50_ms", "p99_ms")}
    return {**took, "ratio_to_fdatasync": ratio, "goal_p99_ms": 5.0}


def in_one_commit(storage: Storage) -> float:
    chance = random.Random(9)
    told = [event(chance) for _ in range(2000)]
    began = time.perf_counter()
    storage.run_sync(lambda unit: [unit.audit.record(*one) for one in told])
    return len(told) / (time.perf_counter() - began)


def verification(storage: Storage, folder: Path) -> dict[str, Any]:
    began = time.perf_counter()
    found = storage.read_sync(lambda unit: unit.audit.verify())
    inside = time.perf_counter() - began
    assert found.ok, found.errors[:3]
    log, key = folder / "export.jsonl", storage.read_sync(lambda unit: unit.audit.verifier_key())
    began = time.perf_counter()
    size = asyncio.run(_export(storage, log))
    export = time.perf_counter() - began
    program = folder / "verify.py"
    shutil.copy2(str(outside_verifier.__file__), program)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-I", str(program), str(log), "--key", key, "--json"], check=True, stdout=subprocess.DEVNULL
    )
    outside = time.perf_counter() - began
    return {
        "events": size, "inside_seconds": inside, "export_seconds": export, "outside_seconds": outside,
        "outside_events_a_second": size / outside, "goal_seconds_for_a_million": 10.0,
        "outside_seconds_for_a_million": outside / size * 1e6, "inside_seconds_for_a_million": inside / found.size * 1e6,
    }  # fmt: skip


async def _export(storage: Storage, path: Path) -> int:
    handing = HandingOut(storage, CedarPolicy())
    begun = await handing.begin(OPERATOR)
    with path.open("w") as file:
        file.write(begun.header)
        for first in range(0, begun.checkpoint.size, PAGE):
            file.writelines(await handing.page(OPERATOR, first, min(PAGE, begun.checkpoint.size - first)))
    return begun.checkpoint.size


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--folder", type=Path, default=Path("/tmp/pai-audit-log"))
    asked = parser.parse_args()
    with opened(asked.folder) as (storage, _):
        fill(storage, asked.events)
        keep(
            "audit_speed",
            {
                "append": appends(storage, asked.folder, asked.seconds),
                "many_in_one_commit_a_second": in_one_commit(storage),
                "verification": verification(storage, asked.folder),
            },
        )


if __name__ == "__main__":
    main()
