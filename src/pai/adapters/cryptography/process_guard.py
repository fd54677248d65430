"""Keeping keys out of swap, and from outliving the process that they serve."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Final

_MCL_CURRENT_FUTURE_ONFAULT: Final = 1 | 2 | 4
_PR_SET_PDEATHSIG: Final = 1
_CAP_IPC_LOCK: Final = 1 << 14


def lock_memory() -> str:
    """Lock all memory of this process, present and future (mlockall(2)); return one line that says whether that holds.

    Asked for only where no limit can bite later: with a finite limit, an Argon2id run of 2 GiB would fail instead.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and not _may_lock():
        return "memory locked: no (the limit on locked memory is finite; use encrypted swap or none)"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_CURRENT_FUTURE_ONFAULT) != 0:
        return f"memory locked: no ({os.strerror(ctypes.get_errno())})"
    return "memory locked: yes"


def end_with_parent() -> bool:
    """Have the kernel kill this process when the thread that started it ends; False if the parent is gone already."""
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    return os.getppid() == parent


def _may_lock() -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) & _CAP_IPC_LOCK)
    return False
