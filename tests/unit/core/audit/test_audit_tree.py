from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pymerkle
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai.core.audit import tree

# Leaves and roots of the reference implementation of RFC 6962, which RFC 9162 keeps for SHA-256.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    )
]  # fmt: skip
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
HASHES = [tree.leaf_hash(leaf) for leaf in LEAVES]


def inclusion(hashes: Sequence[bytes], index: int) -> list[bytes]:
    return tree.inclusion_proof(tree.nodes_of(hashes), len(hashes), index)


def consistency(hashes: Sequence[bytes], first: int) -> list[bytes]:
    return tree.consistency_proof(tree.nodes_of(hashes), len(hashes), first)


def test_the_empty_tree_is_the_hash_of_nothing() -> None:
    assert tree.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_known_roots_from_leaves_and_from_the_frontier_alone() -> None:
    frontier: list[bytes] = []
    for size, expected in enumerate(ROOTS):
        frontier = tree.append(frontier, size, HASHES[size])
        assert tree.root_of(frontier).hex() == expected
        assert tree.root(HASHES[: size + 1]).hex() == expected
        assert len(frontier) == (size + 1).bit_count()


def test_known_inclusion_paths() -> None:
    # The example of RFC 6962 section 2.1.3 and RFC 9162 section 2.1.5: the tree of 7 leaves.
    h, node = HASHES, tree.node_hash
    g, i_, j = node(h[0], h[1]), node(h[2], h[3]), node(h[4], h[5])
    k = node(g, i_)
    right = node(j, h[6])
    assert inclusion(h[:7], 0) == [h[1], i_, right]
    assert inclusion(h[:7], 3) == [h[2], g, right]
    assert inclusion(h[:7], 4) == [h[5], h[6], k]
    assert inclusion(h[:7], 6) == [j, k]
    assert consistency(h[:7], 3) == [h[2], h[3], g, right]
    assert consistency(h[:7], 4) == [right]
    assert consistency(h[:7], 6) == [j, h[6], k]


def test_agrees_with_pymerkle() -> None:
    oracle = pymerkle.InmemoryTree(algorithm="sha256")
    hashes: list[bytes] = []
    for number in range(70):
        data = number.to_bytes(2, "big")
        oracle.append_entry(data)
        hashes.append(tree.leaf_hash(data))
        assert tree.root(hashes) == oracle.get_root(number + 1)


@given(st.integers(1, 70), st.data())
def test_every_leaf_is_proved_and_no_other(size: int, data: st.DataObject) -> None:
    hashes = [hashlib.sha256(bytes([n])).digest() for n in range(size)]
    root = tree.root(hashes)
    index = data.draw(st.integers(0, size - 1))
    path = inclusion(hashes, index)
    assert tree.verify_inclusion(hashes[index], index, size, path, root)
    assert not tree.verify_inclusion(bytes(32), index, size, path, root)
    assert not tree.verify_inclusion(hashes[index], index, size, [*path, bytes(32)], root)
    assert not tree.verify_inclusion(hashes[index], size, size, path, root)
    if path:
        assert not tree.verify_inclusion(hashes[index], index, size, path[:-1], root)
        spoiled = data.draw(st.integers(0, len(path) - 1))
        assert not tree.verify_inclusion(
            hashes[index], index, size, [*path[:spoiled], bytes(32), *path[spoiled + 1 :]], root
        )


@given(st.integers(1, 70), st.data())
def test_growth_is_proved_and_a_rewritten_past_is_not(size: int, data: st.DataObject) -> None:
    hashes = [hashlib.sha256(bytes([n])).digest() for n in range(size)]
    first = data.draw(st.integers(1, size))
    old, new = tree.root(hashes[:first]), tree.root(hashes)
    path = consistency(hashes, first)
    assert tree.verify_consistency(first, size, path, old, new)
    assert not tree.verify_consistency(first, size, path, bytes(32), new)
    assert not tree.verify_consistency(first, size, path, old, bytes(32))
    assert not tree.verify_consistency(first, size, [*path, bytes(32)], old, new)
    rewritten = [hashlib.sha256(b"changed").digest(), *hashes[1:]]
    forged = consistency(rewritten, first)
    assert not tree.verify_consistency(first, size, forged, old, tree.root(rewritten))


@pytest.mark.parametrize("index", [-1, 8])
def test_a_leaf_outside_the_tree_has_no_proof(index: int) -> None:
    with pytest.raises(IndexError):
        inclusion(HASHES, index)


@pytest.mark.parametrize("first", [0, 9])
def test_a_size_outside_the_tree_has_no_proof(first: int) -> None:
    with pytest.raises(IndexError):
        consistency(HASHES, first)
    assert not tree.verify_consistency(first, 8, [], bytes(32), bytes(32))


def test_tiles_are_the_roots_of_each_256_leaves_and_of_256_of_those() -> None:
    count = 1 << 16
    leaves = [n.to_bytes(32, "big") for n in range(count + 300)]
    frontier: list[bytes] = []
    tiles: dict[tuple[int, int], bytes] = {}
    for size, leaf in enumerate(leaves):
        for level, position, root in tree.tiles_completed(frontier, size, leaf):
            tiles[level, position] = root
        frontier = tree.append(frontier, size, leaf)
    assert sorted(tiles) == [*((1, n) for n in range(257)), (2, 0)]
    assert tiles[1, 3] == tree.root(leaves[768:1024])
    assert tiles[2, 0] == tree.root(leaves[:count]) == tree.root([tiles[1, n] for n in range(256)])
