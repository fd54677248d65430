"""A program at a terminal of its own: what it writes is read until an expected text, what is typed goes to its controlling tty."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from pathlib import Path
from types import TracebackType
from typing import Self

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SECOND_SCREEN = re.compile(r"\x1b\[\?1049h.*?\x1b\[\?1049l", re.DOTALL)  # xterm's smcup and rmcup


class Terminal:
    """One process. ``shown`` is all that it wrote so far, without colours and carriage returns."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path | None = None) -> None:
        self._ours, theirs = pty.openpty()
        self._read = 0
        self._raw = ""
        self.shown = ""
        self.process = subprocess.Popen(
            command, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self._ours)

    def expect(self, text: str, seconds: float = 60) -> str:
        """Wait for a text after what was expected before; return what stood in between."""
        end = time.monotonic() + seconds
        while (at := self.shown.find(text, self._read)) < 0:
            assert time.monotonic() < end, f"no {text!r} in {self.shown[self._read :]!r}"
            assert self._more(0.2) or self.process.poll() is None, f"ended without {text!r}: {self.shown!r}"
        between, self._read = self.shown[self._read : at], at + len(text)
        return between

    def type(self, line: str) -> None:
        # Without echo a password prompt may still be switching the terminal over: what comes too early would be thrown away.
        time.sleep(0.1)
        os.write(self._ours, line.encode() + b"\n")

    def press_ctrl_c(self) -> None:
        """Let the terminal interrupt whoever is in its foreground."""
        os.write(self._ours, b"\x03")

    def end(self, seconds: float = 60) -> int:
        """Read on until the process has ended; return its exit code."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < end, self.shown
            self._more(0.1)
        while self._more(0):
            pass
        return self.process.wait()

    def _more(self, seconds: float) -> bool:
        if not select.select([self._ours], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self._ours, 65536)
        except OSError:  # EIO: nobody holds the other side any more
            return False
        text = data.decode("utf-8", "replace")
        self._raw += text
        self.shown += ANSI.sub("", text.replace("\r", ""))
        return bool(data)

    def first_screen(self) -> str:
        """Return what stays in the terminal: all but what was written on its alternate screen."""
        return ANSI.sub("", _SECOND_SCREEN.sub("", self._raw))
