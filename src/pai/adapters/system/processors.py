"""What this machine has: memory, and whether its processor multiplies small numbers natively."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_FAST: Final = frozenset({"avx512_vnni", "avx_vnni", "amx_int8", "avx512_bf16", "amx_bf16"})


def total_memory() -> int:
    """Return the bytes of memory of this machine."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def available_memory() -> int:
    """Return the bytes that can be taken now without swapping (proc_meminfo(5), MemAvailable)."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return 0


def matrix_extensions() -> frozenset[str]:
    """Return which of the processor's extensions multiply 8-bit or 16-bit numbers; empty where /proc/cpuinfo does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text("ascii", "replace")
    except OSError:
        return frozenset()
    flags = next((line.partition(":")[2].split() for line in text.splitlines() if line.startswith("flags")), [])
    return _FAST & frozenset(flags)
