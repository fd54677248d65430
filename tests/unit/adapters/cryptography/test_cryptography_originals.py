from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pai.adapters.cryptography.originals import SealedOriginals
from pai.adapters.cryptography.segments import SEGMENT_BYTES, decrypt_segments, encrypt_segments
from pai.core.knowledge.ports import Originals
from pai.foundation.errors import Corrupt, Invalid, NotFound, Unavailable
from pai.foundation.redaction import Secret

KEY = bytes(range(32))
HEADER = 33
BOX = SEGMENT_BYTES + 16


def encrypted(data: bytes, key: bytes = KEY, context: str = "c", pieces: int = 1) -> bytes:
    step = max(1, -(-len(data) // pieces))
    return b"".join(encrypt_segments(key, (data[at : at + step] for at in range(0, len(data), step)), context=context))


def decrypted(blob: bytes, key: bytes = KEY, context: str = "c") -> bytes:
    return b"".join(decrypt_segments(key, io.BytesIO(blob), context=context))


@pytest.mark.parametrize("size", [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES])
@pytest.mark.parametrize("pieces", [1, 7])
def test_all_sizes_round_trip_with_the_size_told_by_the_format(size: int, pieces: int) -> None:
    data = os.urandom(size)
    blob = encrypted(data, pieces=pieces)
    assert decrypted(blob) == data
    assert len(blob) == HEADER + size + 16 * max(1, -(-size // SEGMENT_BYTES))


@given(st.binary(max_size=300), st.data())
def test_a_flipped_bit_anywhere_is_refused(data: bytes, draw: st.DataObject) -> None:
    blob = bytearray(encrypted(data))
    at = draw.draw(st.integers(0, len(blob) - 1))
    blob[at] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(Corrupt):
        decrypted(bytes(blob))


THREE = os.urandom(3 * SEGMENT_BYTES - 100)


@pytest.mark.parametrize(
    "keep",
    [0, 1, 32, HEADER, HEADER + 1, HEADER + 16, HEADER + BOX, HEADER + BOX + 16, HEADER + 2 * BOX, -1, -16, -17],
)
def test_a_truncated_blob_is_refused(keep: int) -> None:
    with pytest.raises(Corrupt):
        decrypted(encrypted(THREE)[:keep])


def boxes(blob: bytes) -> list[bytes]:
    return [blob[at : at + BOX] for at in range(HEADER, len(blob), BOX)]


def test_reordered_repeated_dropped_and_spliced_segments_are_refused() -> None:
    blob, other = encrypted(THREE), encrypted(THREE)
    head, (a, b, c) = blob[:HEADER], boxes(blob)
    x, y, z = boxes(other)
    for mixed in ([b, a, c], [a, a, c], [a, c], [b, c], [a, b, b, c], [a, b, c, c], [a, y, c], [x, b, c], [a, b, z]):
        with pytest.raises(Corrupt):
            decrypted(head + b"".join(mixed))
    with pytest.raises(Corrupt):
        decrypted(other[:HEADER] + a + b + c)


def test_bytes_after_the_end_are_refused() -> None:
    for data in (b"", b"short", bytes(SEGMENT_BYTES)):
        for added in (b"\x00", bytes(16), bytes(BOX)):
            with pytest.raises(Corrupt):
                decrypted(encrypted(data) + added)


def test_another_key_or_context_opens_nothing() -> None:
    with pytest.raises(Corrupt):
        decrypted(encrypted(b"x"), key=bytes(32))
    with pytest.raises(Corrupt):
        decrypted(encrypted(b"x"), context="d")


def test_nothing_is_yielded_before_it_is_authenticated() -> None:
    blob = bytearray(encrypted(THREE))
    blob[HEADER + 5] ^= 1
    with pytest.raises(Corrupt):
        next(decrypt_segments(KEY, io.BytesIO(blob), context="c"))


@pytest.fixture
def originals(tmp_path: Path) -> SealedOriginals:
    return SealedOriginals(tmp_path)


SECRET = Secret(KEY)


def test_satisfies_the_port(originals: SealedOriginals) -> None:
    port: Originals = originals
    assert port.blob_ids("col_1") == []


def test_an_original_round_trips_privately(originals: SealedOriginals, tmp_path: Path) -> None:
    data = os.urandom(200_000)
    assert originals.write("col_1", "blb_1", SECRET, [data[:10], data[10:]]) == (
        len(data),
        hashlib.sha256(data).hexdigest(),
    )
    path = tmp_path / "collections" / "col_1" / "blobs" / "blb_1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert data[:32] not in path.read_bytes()
    assert b"".join(originals.read("col_1", "blb_1", SECRET)) == data
    assert originals.blob_ids("col_1") == ["blb_1"]
    originals.remove("col_1", "blb_1")
    originals.remove("col_1", "blb_1")
    assert originals.blob_ids("col_1") == []
    with pytest.raises(NotFound):
        originals.read("col_1", "blb_1", SECRET)


def test_a_blob_under_another_name_does_not_open(originals: SealedOriginals, tmp_path: Path) -> None:
    originals.write("col_1", "blb_1", SECRET, [b"one"])
    folder = tmp_path / "collections" / "col_1" / "blobs"
    (folder / "blb_1").rename(folder / "blb_2")
    with pytest.raises(Corrupt):
        b"".join(originals.read("col_1", "blb_2", SECRET))


def test_a_write_that_fails_leaves_what_was_there(originals: SealedOriginals, tmp_path: Path) -> None:
    originals.write("col_1", "blb_1", SECRET, [b"old"])

    def broken() -> Iterator[bytes]:
        yield bytes(100_000)
        raise OSError(28, "No space left on device")

    with pytest.raises(Unavailable, match="disk is full"):
        originals.write("col_1", "blb_1", SECRET, broken())
    assert b"".join(originals.read("col_1", "blb_1", SECRET)) == b"old"
    assert [path.name for path in (tmp_path / "collections" / "col_1" / "blobs").iterdir()] == ["blb_1"]


def test_what_a_crash_left_is_not_listed_and_is_swept(originals: SealedOriginals, tmp_path: Path) -> None:
    originals.write("col_1", "blb_1", SECRET, [b"whole"])
    folder = tmp_path / "collections" / "col_1" / "blobs"
    (folder / "blb_2.tmp-00ff").write_bytes(b"half")
    assert originals.blob_ids("col_1") == ["blb_1"]
    originals.sweep("col_1")
    assert [path.name for path in folder.iterdir()] == ["blb_1"]


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../x", "a/b", "/etc/passwd", "a\x00b", "A", "a.b", "a\n", "ü", "a" * 65]
)
def test_names_cannot_leave_the_folder(originals: SealedOriginals, name: str) -> None:
    for collection, blob in ((name, "blb_1"), ("col_1", name)):
        with pytest.raises(Invalid):
            originals.write(collection, blob, SECRET, [b"x"])
        with pytest.raises(Invalid):
            originals.read(collection, blob, SECRET)
        with pytest.raises(Invalid):
            originals.remove(collection, blob)


def test_a_link_in_place_of_a_blob_is_not_followed(originals: SealedOriginals, tmp_path: Path) -> None:
    originals.write("col_1", "blb_1", SECRET, [b"x"])
    folder = tmp_path / "collections" / "col_1" / "blobs"
    (folder / "blb_2").symlink_to(folder / "blb_1")
    with pytest.raises(Unavailable, match="symbolic"):
        originals.read("col_1", "blb_2", SECRET)
