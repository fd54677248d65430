"""Fresh processes for PAI's parts: never fork without exec, nothing inherited but what is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence


def start_python(
    module: str, arguments: Sequence[str], *, environment: Mapping[str, str], pass_fds: Sequence[int]
) -> subprocess.Popen[bytes]:
    """Start ``python -I -m module`` with just these descriptors and this environment. No shell is involved."""
    return subprocess.Popen(
        [sys.executable, "-I", "-m", module, *arguments],
        env=dict(environment),
        pass_fds=tuple(pass_fds),
        close_fds=True,
        stdin=subprocess.DEVNULL,
        cwd="/",
    )
