"""Vectors of open collections in memory, as one matrix each; exact cosine by one product."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

KEPT = 8


class VectorIndex:
    """All vectors of one file as they were when its token was ``token``. Unit length, so cosine is a dot product."""

    def __init__(self, token: bytes, rows: Sequence[tuple[str, str, bytes]]) -> None:
        self.token = token
        self.ids = [row[0] for row in rows]
        self.documents = [row[1] for row in rows]
        self.matrix: Any = np.frombuffer(b"".join(row[2] for row in rows), dtype="<f4").reshape(
            len(rows), -1 if rows else 0
        )
        self._places: dict[str, int] | None = None

    def scores(self, vector: bytes) -> Any:
        """Return the cosine of every row, or None when nothing is there or the dimensions differ."""
        asked = np.frombuffer(vector, dtype="<f4")
        if not self.ids or self.matrix.shape[1] != asked.shape[0]:
            return None
        return self.matrix @ asked

    def place(self, chunk_id: str) -> int | None:
        """Return the row of a passage."""
        if self._places is None:
            self._places = {name: at for at, name in enumerate(self.ids)}
        return self._places.get(chunk_id)


class VectorIndexes:
    """The indexes of the files used last, shared by all threads. Reached only through a file that its key has opened."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Path, VectorIndex] = OrderedDict()

    def get(self, path: Path, token: bytes) -> VectorIndex | None:
        """Return the index of this state of a file."""
        with self._lock:
            held = self._kept.get(path)
            if held is None or held.token != token:
                return None
            self._kept.move_to_end(path)
            return held

    def put(self, path: Path, index: VectorIndex) -> None:
        """Keep an index; the one unused for longest goes."""
        with self._lock:
            self._kept[path] = index
            self._kept.move_to_end(path)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)

    def forget(self, path: Path) -> None:
        """Drop the index of a file that is gone."""
        with self._lock:
            self._kept.pop(path, None)
