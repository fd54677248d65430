"""A member's files on the real storage, keystore and policy."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from identity_home import People, identity_home
from pai.adapters.cryptography.originals import SealedOriginals
from pai.core.conversations.own_file import OwnFile
from pai.core.files.files import Files
from pai.core.files.values import Use
from pai.foundation.actor import Actor, Role
from pai.foundation.errors import Corrupt, Denied, Invalid, NotFound, Unavailable
from pai.foundation.labels import Label


class Disk:
    full = False

    def require(self) -> None:
        if self.full:
            raise Unavailable("the disk is full", code="disk_full")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple]:
    root = tmp_path_factory.mktemp("files")
    with identity_home(root) as parts:
        yield (*parts, root)


@dataclasses.dataclass
class Room:
    people: People
    files: Files
    blobs: SealedOriginals
    disk: Disk
    root: Path

    async def member(self, role: Role = Role.MEMBER) -> Actor:
        user = (await self.people.add("ada", role)).user
        return await self.people.sessions.authenticate((await self.people.log_in(user.email)).token)


@pytest.fixture
def room(shared: tuple) -> Room:
    storage, vault, root = shared
    people, blobs, disk = People(storage, vault), SealedOriginals(root, "files"), Disk()
    own = OwnFile(vault, people.clock)
    return Room(people, Files(storage, own, people.accounts.policy, blobs, disk), blobs, disk, root)


def user_data() -> Use:
    return Use.USER_DATA


async def test_a_file_is_kept_sealed_and_comes_back(room: Room) -> None:
    ada = await room.member()
    data = [b"one " * 50_000, b"two"]
    file = await room.files.add(ada, "C:\\folder\\a note.txt", iter(data), user_data)
    assert (file.name, file.size, file.use) == ("a note.txt", 200_003, Use.USER_DATA)
    found, pieces = await room.files.content(ada, file.id)
    assert found == file
    assert b"".join(pieces) == b"".join(data)
    assert await room.files.list(ada) == [file]
    assert await room.files.list(ada, Use.BATCH) == []
    path = room.root / "files" / ada.id / "blobs" / file.blob_id
    assert b"one one" not in path.read_bytes()
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Corrupt):
        b"".join((await room.files.content(ada, file.id))[1])
    await room.files.delete(ada, file.id)
    assert not path.exists()
    for attempt in (room.files.get(ada, file.id), room.files.content(ada, file.id), room.files.delete(ada, file.id)):
        with pytest.raises(NotFound):
            await attempt


async def test_nobody_elses_file_can_be_named(room: Room) -> None:
    ada = await room.member()
    file = await room.files.add(ada, "a.txt", [b"mine"], user_data)
    fresh, used, admin = await room.member(), await room.member(), await room.member(Role.ADMINISTRATOR)
    await room.files.add(used, "b.txt", [b"theirs"], user_data)
    for stranger in (fresh, used, admin):
        assert file.id not in [one.id for one in await room.files.list(stranger)]
        for attempt in (room.files.get, room.files.content, room.files.delete):
            with pytest.raises(NotFound):
                await attempt(stranger, file.id)
    locked, low = dataclasses.replace(ada, unlocked=None), dataclasses.replace(ada, ceiling=Label.INTERNAL)
    for actor in (locked, low):
        with pytest.raises(Denied):
            await room.files.list(actor)
        with pytest.raises(Denied):
            await room.files.add(actor, "c.txt", [b"x"], user_data)
    assert len(room.blobs.blob_ids(ada.id)) == 1


async def test_what_fails_on_the_way_keeps_nothing(room: Room) -> None:
    ada = await room.member()

    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise Invalid("cut off", code="upload_cut_off")

    def wrong() -> Use:
        raise Invalid("no such purpose")

    with pytest.raises(Invalid):
        await room.files.add(ada, "a.txt", broken(), user_data)
    for use in (wrong, lambda: Use.BATCH_OUTPUT):
        with pytest.raises(Invalid):
            await room.files.add(ada, "a.txt", [b"x"], use)
    room.disk.full = True
    with pytest.raises(Unavailable):
        await room.files.add(ada, "a.txt", [b"x"], user_data)
    assert await room.files.list(ada) == []
    assert room.blobs.blob_ids(ada.id) == []


async def test_bytes_that_a_crash_left_without_a_row_go_at_the_next_upload(room: Room) -> None:
    ada = await room.member()
    kept = await room.files.add(ada, "a.txt", [b"kept"], user_data)
    key = await room.people.storage.read(lambda unit: room.files.own.key(unit, ada))
    assert key is not None
    room.blobs.write(ada.id, "blb_left", key, [b"left"])
    room.blobs.write(ada.id, "blb_coming", key, [b"another upload that is under way"])
    room.files.arriving.add("blb_coming")
    new = await room.files.add(ada, "b.txt", [b"new"], user_data)
    assert set(room.blobs.blob_ids(ada.id)) == {kept.blob_id, new.blob_id, "blb_coming"}
