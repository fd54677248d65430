"""What this machine has: cores, instructions, memory, disk, graphics processors; read from the kernel, nothing is guessed.

What cannot be known is told in a sentence. ``root`` is where the kernel's folders are looked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import platform
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pai.adapters.system.graphics import accelerators
from pai.core.models.values import DiskSpeed, Machine
from pai.foundation.errors import Unavailable

READ_BYTES: Final = 256 << 20
_PIECE: Final = 4 << 20
_KB: Final = 1024
_NAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "avx2": "AVX2",
        "fma": "FMA",
        "avx512f": "AVX-512",
        "avx512_vnni": "AVX-512-VNNI",
        "avx_vnni": "AVX-VNNI",
        "avx512_bf16": "AVX-512-BF16",
        "amx_int8": "AMX-INT8",
        "amx_bf16": "AMX-BF16",
        "asimd": "NEON",
        "asimddp": "DOTPROD",
        "i8mm": "I8MM",
        "bf16": "BF16",
        "sve": "SVE",
        "sve2": "SVE2",
    }
)
"""The kernel's word for a set of instructions that engines use -> its usual name."""


def machine(home: Path, *, root: Path = Path("/")) -> Machine:
    """Return the facts of this machine. ``home`` says which disk, and whose engines hold memory."""
    unknown: list[str] = []
    processor, instructions = _processor(root, unknown)
    total, available = _memory(root, unknown)
    return Machine(
        architecture=platform.machine(),
        processor=processor,
        cores=_cores(root),
        processors=os.cpu_count() or 1,
        instructions=instructions,
        memory=total,
        available=available,
        held=_held(root, home / "run" / "w"),
        disk_free=shutil.disk_usage(_existing(home)).free,
        accelerators=accelerators(root, unknown),
        unknown=tuple(unknown),
    )


def processor() -> str:
    """Return the name of this processor."""
    return _processor(Path("/"), [])[0]


def instructions() -> tuple[str, ...]:
    """Return the sets of instructions of this processor that engines use."""
    return _processor(Path("/"), [])[1]


def disk_speed(path: Path, *, most: int = READ_BYTES) -> DiskSpeed:
    """Read at most ``most`` bytes of a file from its beginning, from the disk and not from memory, and hash them.

    Past the page cache where the file system can; elsewhere the file's cached pages are dropped first. Pages that a running
    engine has mapped stay in memory in the second case. Raises OSError when the file cannot be read, Unavailable when it is empty.
    """
    fd, direct = _opened(path)
    try:
        size = min(most, os.fstat(fd).st_size)
        os.posix_fadvise(fd, 0, size, os.POSIX_FADV_DONTNEED)
        with mmap.mmap(-1, _PIECE) as piece:  # aligned to pages, as direct reading needs
            view, digest, done, hashing = memoryview(piece), hashlib.sha256(), 0, 0.0
            began = time.perf_counter()
            while done < size and (read := os.preadv(fd, [view], done)):
                hashed = time.perf_counter()
                digest.update(view[:read])
                hashing += time.perf_counter() - hashed
                done += read
            seconds = time.perf_counter() - began - hashing
            view.release()
    finally:
        os.close(fd)
    if not done:
        raise Unavailable("the file is empty", code="nothing_to_read")
    return DiskSpeed(done, seconds, hashing, direct)


def _opened(path: Path) -> tuple[int, bool]:
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECT)
        try:
            with mmap.mmap(-1, mmap.PAGESIZE) as piece:
                os.preadv(fd, [piece], 0)
        except OSError:  # the file system takes the flag and then refuses
            os.close(fd)
        else:
            return fd, True
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC), False


def _processor(root: Path, unknown: list[str]) -> tuple[str, tuple[str, ...]]:
    found: dict[str, str] = {}
    for line in _text(root / "proc/cpuinfo").splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    flags = set((found.get("flags") or found.get("Features") or "").split())
    if not flags:
        unknown.append("which instructions the processor has: /proc/cpuinfo does not say")
    name = found.get("model name") or found.get("Hardware") or found.get("Model") or "not named"
    return name, tuple(known for flag, known in _NAMES.items() if flag in flags)


def _cores(root: Path) -> int:
    """Cores that this process may use: its affinity, and the quota of its control group."""
    cores = len(os.sched_getaffinity(0))
    quota, _, period = _text(root / "sys/fs/cgroup/cpu.max").partition(" ")
    if quota.strip().isdecimal() and period.strip().isdecimal():
        cores = min(cores, max(1, int(quota) // int(period)))
    return cores


def _memory(root: Path, unknown: list[str]) -> tuple[int, int]:
    found = _kilobytes(_text(root / "proc/meminfo"))
    total, available = found.get("MemTotal", 0), found.get("MemAvailable", 0)
    if not total:
        unknown.append("how much memory there is: /proc/meminfo does not say")
    most = _text(root / "sys/fs/cgroup/memory.max").strip()
    if most.isdecimal() and int(most) < total:  # a container's own bound
        used = _text(root / "sys/fs/cgroup/memory.current").strip()
        files = {line.split()[0]: line.split()[1] for line in _text(root / "sys/fs/cgroup/memory.stat").splitlines()}
        total = int(most)
        kept = (int(used) if used.isdecimal() else 0) - int(files.get("inactive_file", 0))
        available = min(available, max(0, total - kept))
    return total, available


def _held(root: Path, runs: Path) -> int:
    """Bytes of their own that the engines of this home hold now (mapped weights count as available already)."""
    held = 0
    for entry in (root / "proc").iterdir():
        if entry.name.isdecimal() and f"--run={runs}/" in _text(entry / "cmdline"):
            held += _kilobytes(_text(entry / "status")).get("RssAnon", 0)
    return held


def _kilobytes(text: str) -> dict[str, int]:
    found = {}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB" and words[1].isdecimal():
            found[words[0].rstrip(":")] = int(words[1]) * _KB
    return found


def _existing(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _text(path: Path) -> str:
    """Return a small file of the kernel; empty when it is not there, or not for this user."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
