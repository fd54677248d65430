"""Merkle tree of RFC 9162 section 2.1 (SHA-256), pure.

Appending needs only the frontier: the roots of the perfect subtrees of the present size, largest first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
TILE_HEIGHT = 8
Nodes = Callable[[int, int], bytes]
"""Gives the root of the perfect subtree of 2**height leaves at a position, counted in such subtrees."""


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def append(frontier: Sequence[bytes], size: int, leaf: bytes) -> list[bytes]:
    """Return the frontier after adding a leaf hash to a tree of ``size`` leaves."""
    grown = list(frontier)
    node = leaf
    while size & 1:
        node = node_hash(grown.pop(), node)
        size >>= 1
    grown.append(node)
    return grown


def root_of(frontier: Sequence[bytes]) -> bytes:
    """Return the root of the tree whose frontier this is."""
    if not frontier:
        return EMPTY_ROOT
    node = frontier[-1]
    for left in reversed(frontier[:-1]):
        node = node_hash(left, node)
    return node


def root(leaves: Iterable[bytes]) -> bytes:
    """Return the root over leaf hashes."""
    frontier: list[bytes] = []
    for size, leaf in enumerate(leaves):
        frontier = append(frontier, size, leaf)
    return root_of(frontier)


def tiles_completed(frontier: Sequence[bytes], size: int, leaf: bytes) -> list[tuple[int, int, bytes]]:
    """Return what adding a leaf to a tree of ``size`` leaves completes: the level, position and root of each perfect subtree whose
    height is a multiple of ``TILE_HEIGHT`` (C2SP tlog-tiles keeps the same). From these and the leaves any proof is made quickly."""
    found = []
    node, height, left = leaf, 0, list(frontier)
    while size & 1:
        node, height, size = node_hash(left.pop(), node), height + 1, size >> 1
        if height % TILE_HEIGHT == 0:
            found.append((height // TILE_HEIGHT, size, node))
    return found


def nodes_of(leaves: Sequence[bytes]) -> Nodes:
    """Return the nodes of a tree whose leaves are all at hand."""
    return lambda height, position: root(leaves[position << height : (position + 1) << height])


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def root_over(nodes: Nodes, start: int, count: int) -> bytes:
    """Return the root over ``count`` leaves from ``start`` on, a place where a subtree of that size begins."""
    if count == 0:
        return EMPTY_ROOT
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return nodes(height, start >> height)
    k = _split(count)
    return node_hash(root_over(nodes, start, k), root_over(nodes, start + k, count - k))


def inclusion_proof(nodes: Nodes, size: int, index: int) -> list[bytes]:
    """Return the audit path of leaf ``index`` in the tree of ``size`` leaves (section 2.1.3.1)."""
    if not 0 <= index < size:
        raise IndexError(index)
    path: list[bytes] = []
    start = 0
    while size > 1:
        k = _split(size)
        if index - start < k:
            path.append(root_over(nodes, start + k, size - k))
            size = k
        else:
            path.append(root_over(nodes, start, k))
            start, size = start + k, size - k
    return path[::-1]


def consistency_proof(nodes: Nodes, size: int, first: int) -> list[bytes]:
    """Return the proof that the tree of ``first`` leaves is a prefix of the one of ``size`` (section 2.1.4.1)."""
    if not 0 < first <= size:
        raise IndexError(first)
    path: list[bytes] = []
    start, whole = 0, True
    while first != size:
        k = _split(size)
        if first <= k:
            path.append(root_over(nodes, start + k, size - k))
            size = k
        else:
            path.append(root_over(nodes, start, k))
            start, first, size, whole = start + k, first - k, size - k, False
    if not whole:
        path.append(root_over(nodes, start, size))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """Return whether the path leads from the leaf to the root (section 2.1.3.2)."""
    if index >= size:
        return False
    fn, sn, node = index, size - 1, leaf
    for step in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            node = node_hash(step, node)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            node = node_hash(node, step)
        fn >>= 1
        sn >>= 1
    return sn == 0 and node == expected


def verify_consistency(first: int, second: int, path: Sequence[bytes], old: bytes, new: bytes) -> bool:
    """Return whether the proof connects both roots (section 2.1.4.2)."""
    if not 0 < first <= second:
        return False
    if first == second:
        return not path and old == new
    steps = [old, *path] if first & (first - 1) == 0 else list(path)
    if not steps:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn >>= 1
        sn >>= 1
    one = two = steps[0]
    for step in steps[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            one, two = node_hash(step, one), node_hash(step, two)
            while fn and not fn & 1:
                fn >>= 1
                sn >>= 1
        else:
            two = node_hash(two, step)
        fn >>= 1
        sn >>= 1
    return sn == 0 and one == old and two == new
