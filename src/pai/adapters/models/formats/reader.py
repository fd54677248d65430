"""Reads the header of an untrusted file forward: by pread, in windows of fixed size, never past the end."""

from __future__ import annotations

import os
import stat
from struct import Struct
from typing import Final

from pai.adapters.models.formats.refusals import bad, truncated
from pai.foundation.errors import Invalid

WINDOW: Final = 1 << 18
MAX_TENSORS: Final = 50_000
"""More than any model known has (the largest mixtures have some thousands); bounds what a header can cost here."""

_U64: Final = Struct("<Q")


def file_size(fd: int) -> int:
    """Return the bytes of an open regular file. Raises Invalid for anything that is none, such as a pipe."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode):
        raise bad("a model is a regular file")
    return found.st_size


def decoded(text: bytes, what: str) -> str:
    """Return a name or text of the file. Raises Invalid unless it is UTF-8 without NUL."""
    try:
        found = text.decode()
    except UnicodeDecodeError:
        raise bad(f"{what} is not UTF-8") from None
    if "\0" in found:
        raise bad(f"{what} holds a NUL")
    return found


class Reader:
    """A cursor over the file behind ``fd``, whose own offset is neither used nor moved. ``size`` is its length in bytes."""

    __slots__ = ("_at", "_base", "_fd", "_window", "size")

    def __init__(self, fd: int) -> None:
        self.size = file_size(fd)
        self._fd = fd
        self._base = 0
        self._window = b""
        self._at = 0

    @property
    def position(self) -> int:
        """Bytes from the beginning of the file."""
        return self._base + self._at

    @property
    def left(self) -> int:
        """Bytes up to the end of the file."""
        return self.size - self._base - self._at

    def expect(self, count: int, most: int, smallest: int, what: str) -> None:
        """Raise Invalid when there are more than ``most`` things, or more than fit when each has ``smallest`` bytes."""
        if count > most:
            raise bad(f"the file claims more {what} than any model has")
        if count * smallest > self.left:
            raise truncated(f"the file is too short for the number of {what} that it claims")

    def take(self, size: int) -> bytes:
        """Return the next ``size`` bytes. The caller has bounded ``size``. Raises Invalid when the file ends before."""
        start = self._at
        if start + size > len(self._window):
            self._fill(size)
            start = 0
        self._at = start + size
        return self._window[start : self._at]

    def number(self, form: Struct) -> int:
        """Return the next whole number."""
        size = form.size
        if self._at + size > len(self._window):
            self._fill(size)
        (found,) = form.unpack_from(self._window, self._at)
        self._at += size
        return int(found)

    def varint(self) -> int:
        """Return the next variable-length number of up to 64 bits (protobuf). Raises Invalid when it is longer."""
        window, at = self._window, self._at
        if at + 10 > len(window):
            self._fill(min(10, self.left))
            window, at = self._window, 0
        found = shift = 0
        for byte in window[at : at + 10]:
            found |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                self._at = at + shift // 7
                if found >> 64:
                    break
                return found
        if shift < 70:
            raise truncated("the file ends inside a number")
        raise bad("a number has more than 64 bits")

    def skip(self, size: int) -> None:
        """Move on without reading. Raises Invalid when the file ends before."""
        if size > self.left:
            raise truncated("the file ends before what its header speaks of")
        self._at += size
        if self._at > len(self._window):
            self._base, self._window, self._at = self._base + self._at, b"", 0

    def seek(self, position: int) -> None:
        """Move forward to ``position``."""
        self.skip(position - self.position)

    def skip_texts(self, count: int, longest: int) -> None:
        """Move over ``count`` texts of at most ``longest`` bytes, each after its length in 8 bytes (GGUF)."""
        window, at, unpack = self._window, self._at, _U64.unpack_from
        for _ in range(count):
            if at + 8 > len(window):
                self._base, self._at, self._window = self._base + at, 0, b""
                self._fill(8)
                window, at = self._window, 0
            (length,) = unpack(window, at)
            if length > longest:
                raise bad(f"a text in a list is longer than {longest} bytes")
            at += 8 + length
        self._base, self._at, self._window = self._base + at, 0, window[at:]
        if self._base > self.size:
            raise truncated("the file ends inside a list of texts")

    def _fill(self, size: int) -> None:
        """Make the window begin here and hold at least ``size`` bytes."""
        self._base += self._at
        self._at = 0
        left = self.size - self._base
        if size > left:
            raise truncated("the file ends inside its header")
        wanted = min(max(size, WINDOW), left)
        try:
            self._window = os.pread(self._fd, wanted, self._base)
        except OSError as error:
            raise Invalid(f"the file cannot be read: {error.strerror}", code="bad_model_file") from error
        if len(self._window) < size:
            raise truncated("the file became shorter while it was read")
