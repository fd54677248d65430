"""How much memory a process takes, as the kernel tells its parent (proc_pid_smaps(5), proc_pid_statm(5))."""

from __future__ import annotations

import os
from pathlib import Path


def weigh(pid: int) -> tuple[str, int] | None:
    """Return ``pss`` or ``rss`` and bytes, None for a process that is gone.

    The proportional size is shown only to who may look into the process, and PAI's processes are closed to everyone, so most
    installations are told the resident size.
    """
    folder = Path(f"/proc/{pid}")
    try:
        for line in (folder / "smaps_rollup").read_text("ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "Pss":
                return "pss", int(value.split()[0]) * 1024
    except OSError:
        pass  # closed to us
    try:
        return "rss", int((folder / "statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return None
