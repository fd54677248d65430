"""Proofs about the audit log from its rows: tiles of the tree, and leaves where a subtree is smaller than a tile."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, insert, select

from pai.adapters.storage import tables as t
from pai.core.audit import tree
from pai.foundation.errors import Corrupt


class TreeRows:
    """The tree of the log. At most some 500 rows are read for each 8 steps of its height."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, frontier: Sequence[bytes], size: int, leaf: bytes) -> None:
        """Keep the tiles that a new leaf completes."""
        rows = tree.tiles_completed(frontier, size, leaf)
        if rows:
            values = [{"level": level, "position": position, "hash": root} for level, position, root in rows]
            self._db.execute(insert(t.audit_tiles), values)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the audit path of an event. Raises IndexError, and Corrupt when rows are missing."""
        return tree.inclusion_proof(self._node, size, index)

    def consistency(self, first: int, size: int) -> list[bytes]:
        """Return the proof that the log only grew. Raises IndexError, and Corrupt when rows are missing."""
        return tree.consistency_proof(self._node, size, first)

    def root(self, size: int) -> bytes:
        """Return the root when the log had ``size`` events. Raises Corrupt when rows are missing."""
        return tree.root_over(self._node, 0, size)

    def _node(self, height: int, position: int) -> bytes:
        level, above = divmod(height, tree.TILE_HEIGHT)
        first, count = position << above, 1 << above
        if level == 0:
            column, place = t.audit_events.c.leaf, t.audit_events.c.index
            query = select(column)
        else:
            column, place = t.audit_tiles.c.hash, t.audit_tiles.c.position
            query = select(column).where(t.audit_tiles.c.level == level)
        rows = self._db.execute(query.where(place >= first, place < first + count).order_by(place)).scalars().all()
        if len(rows) != count:
            raise Corrupt("the audit log lacks events or parts of its tree", hint="run `pai audit verify`")
        return tree.root(rows)


def kept_tiles(db: Connection) -> dict[tuple[int, int], bytes]:
    """Return all tiles by level and position."""
    rows = db.execute(select(t.audit_tiles.c.level, t.audit_tiles.c.position, t.audit_tiles.c.hash))
    return {(row[0], row[1]): row[2] for row in rows}
