"""Bounds of what a parser will read. Each one has an error code of its own, so that a person knows what to change."""

from __future__ import annotations

from dataclasses import dataclass

_MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """``size`` and ``unzipped`` in bytes, ``ratio`` = unzipped / zipped from ``ratio_floor`` bytes on, ``depth`` in
    elements."""

    size: int = 200 * _MB
    pages: int = 5_000
    cells: int = 2_000_000
    columns: int = 1_000
    cell_characters: int = 100_000
    characters: int = 50_000_000
    blocks: int = 1_000_000
    unzipped: int = 500 * _MB
    ratio: int = 100
    ratio_floor: int = 10 * _MB
    entries: int = 10_000
    depth: int = 500


DEFAULT = Limits()
