"""What all workers on ONNX Runtime do alike: a session from the bytes behind a descriptor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any, Final

_NO_GPU: Final = b"GPU device discovery failed"


def session_of(fd: int, threads: int) -> Any:
    """Return a session on the processor (``threads`` 0: all cores of this process). Raises for a file that is no such graph."""
    onnxruntime = imported()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 4  # its warnings may quote what it reads
    # From bytes: a graph that points to outside files is refused.
    return onnxruntime.InferenceSession(whole(fd), options, providers=["CPUExecutionProvider"])


def imported() -> Any:
    """Return the library, without what it says of graphics processors when it is imported first."""
    with stderr_without(_NO_GPU):
        import onnxruntime

    return onnxruntime


@contextlib.contextmanager
def stderr_without(mark: bytes) -> Iterator[None]:
    """Hold standard error back for a while; at the end all of it is let out but for lines that hold ``mark``.

    ONNX Runtime looks for graphics processors when it is imported, and warns that the walls do not let it. They are meant to, and
    there is no setting: the severity can be set only after the import.
    """
    held, kept = os.memfd_create("stderr"), os.dup(2)
    os.dup2(held, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        lines = os.pread(held, os.fstat(held).st_size, 0).splitlines(keepends=True)
        os.write(2, b"".join(line for line in lines if mark not in line))
        os.close(held)
        os.close(kept)


def whole(fd: int) -> bytes:
    """Return all bytes of an open file, whose own offset stays."""
    size = os.fstat(fd).st_size
    data = os.pread(fd, size, 0)
    while len(data) < size:
        data += os.pread(fd, size - len(data), len(data))
    return data
