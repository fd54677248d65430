"""Backups as files: round trip, increments, what each change of a byte is called, hostile folders, keys that are not the right ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path

import msgspec
import pyrage
import pytest

from backup_folder import Keeper, contents, sample_home
from pai.adapters.cryptography import backup_pieces as pieces
from pai.adapters.cryptography.age import Opening, Sealing, new_identity
from pai.adapters.cryptography.backup_reader import BackupFolder
from pai.adapters.cryptography.backup_restore import MARK
from pai.adapters.cryptography.backup_writer import BackupWriter, prepare
from pai.adapters.cryptography.segments import encrypt_segments
from pai.adapters.cryptography.signatures import sign_message
from pai.core.operations.backups import signed_text
from pai.foundation.errors import Conflict, Corrupt, Invalid, NotFound, Unauthenticated, Usage
from pai.foundation.redaction import Secret


@pytest.fixture
def keeper(tmp_path: Path) -> Keeper:
    return Keeper(sample_home(tmp_path / "source"), tmp_path / "dest")


def test_what_comes_back_is_what_was_there(keeper: Keeper, tmp_path: Path) -> None:
    backup, counts = keeper.back_up()
    home = tmp_path / "new"
    assert keeper.restore(backup, home) == []
    restored = contents(home)
    assert msgspec.json.decode(restored.pop(MARK))["backup"] == backup
    assert restored == contents(keeper.home)
    assert counts.bytes == sum(len(data) for name, data in restored.items() if not name.startswith("keys/"))
    modes = {stat.S_IMODE(path.stat().st_mode) for path in home.rglob("*")} | {stat.S_IMODE(home.stat().st_mode)}
    assert modes == {0o600, 0o700}
    assert keeper.damage() == []
    assert keeper.damage(keeper.opening) == []


def test_what_is_there_is_not_written_again(keeper: Keeper, tmp_path: Path) -> None:
    first, counts = keeper.back_up()
    database = keeper.home / "db" / "main.db"
    changed = bytearray(database.read_bytes())
    changed[100_000] ^= 1
    database.write_bytes(changed)
    second, again = keeper.back_up()
    assert counts.new_chunks == counts.chunks
    assert (again.new_chunks, again.stored) == (1, pieces.DATABASE_CHUNK_BYTES + 17)
    keeper.restore(first, tmp_path / "a")
    keeper.restore(second, tmp_path / "b")
    assert (tmp_path / "b/db/main.db").read_bytes() == changed
    assert sum(x != y for x, y in zip((tmp_path / "a/db/main.db").read_bytes(), changed, strict=True)) == 1


def test_nothing_of_the_home_can_be_read_and_equal_contents_of_two_installations_are_not_equal(tmp_path: Path) -> None:
    marker = b"Ada Lovelace has an allergy to penicillin"
    keepers = [Keeper(sample_home(tmp_path / f"home{n}"), tmp_path / f"dest{n}") for n in (1, 2)]
    names = []
    for keeper in keepers:
        (keeper.home / "pai.toml").write_bytes(marker * 10)
        (keeper.home / "keys" / "keystore.json").write_bytes(marker)
        keeper.back_up()
        found = contents(keeper.folder)
        assert not [
            name for name, data in found.items() if marker in data or b"keystore" in data or b"content.db" in data
        ]
        names.append({name for name in found if name.startswith("chunks/")})
    assert not names[0] & names[1]


def test_every_flipped_byte_is_found_and_named(keeper: Keeper) -> None:
    backup, _ = keeper.back_up()
    keeper.back_up()
    missed = []
    for path in sorted(path for path in keeper.folder.rglob("*") if path.is_file() and path.name != "lock"):
        good = path.read_bytes()
        name = path.relative_to(keeper.folder).as_posix()
        for at in range(0, len(good), max(1, len(good) // 60)):
            path.write_bytes(good[:at] + bytes([good[at] ^ (1 << at % 8)]) + good[at + 1 :])
            try:
                named = {one.file for one in keeper.damage()}
            except Usage as error:  # the marker is how the folder is known at all
                named = {error.message}
            if name not in named and not any(name in text for text in named):
                missed.append((name, at))
        path.write_bytes(good)
    assert missed == []
    assert keeper.damage() == []
    assert (keeper.folder / "backups" / backup).is_dir()


def test_damage_names_the_backups_and_with_a_key_the_files_it_hits(keeper: Keeper) -> None:
    first, _ = keeper.back_up()
    (keeper.home / "pai.toml").write_bytes(b"[server]\nport = 1\n")
    second, _ = keeper.back_up()
    opened = {}
    for chunk in sorted(keeper.folder.glob("chunks/*/*")):
        good = chunk.read_bytes()
        chunk.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
        (one,) = keeper.damage(keeper.opening)
        assert keeper.damage() == [type(one)(one.file, one.problem, one.backups, ())]
        opened[one.file] = (one.backups, one.files)
        chunk.write_bytes(good)
    hit = list(opened.values())
    assert ((first,), ("pai.toml",)) in hit
    assert ((second,), ("pai.toml",)) in hit
    assert ((first, second), ("collections/col_1/content.db",)) in hit


@pytest.mark.parametrize("change", ["cut", "longer", "removed", "swapped"])
def test_chunks_that_are_cut_longer_swapped_or_gone_restore_nothing(
    keeper: Keeper, tmp_path: Path, change: str
) -> None:
    backup, _ = keeper.back_up()
    chunks = sorted(keeper.folder.glob("chunks/*/*"), key=lambda path: path.stat().st_size)
    one, other = chunks[-1], chunks[-2]
    if change == "cut":
        one.write_bytes(one.read_bytes()[:-1])
    elif change == "longer":
        one.write_bytes(one.read_bytes() + b"x")
    elif change == "removed":
        one.unlink()
    else:
        a, b = one.read_bytes(), other.read_bytes()
        one.write_bytes(b)
        other.write_bytes(a)
    assert one.relative_to(keeper.folder).as_posix() in {found.file for found in keeper.damage()}
    with pytest.raises(Corrupt) as caught:
        keeper.restore(backup, tmp_path / "new")
    assert "chunks/" in caught.value.message
    assert [path.name for path in tmp_path.iterdir() if "new" in path.name] == []


def test_parts_of_another_backup_and_a_renamed_backup_are_refused(keeper: Keeper, tmp_path: Path) -> None:
    first, _ = keeper.back_up()
    (keeper.home / "pai.toml").write_bytes(b"[server]\nport = 1\n")
    second, _ = keeper.back_up()
    backups = keeper.folder / "backups"
    for name in pieces.PARTS:
        good = (backups / second / name).read_bytes()
        shutil.copyfile(backups / first / name, backups / second / name)
        assert f"backups/{second}/{name}" in {one.file for one in keeper.damage()}
        with pytest.raises(Corrupt) if name != "chunks.list" else pytest.raises(AssertionError):
            keeper.restore(second, tmp_path / f"new-{name}")
            raise AssertionError
        (backups / second / name).write_bytes(good)
    shutil.rmtree(tmp_path / "new-chunks.list")
    shutil.rmtree(backups / second)
    (backups / first).rename(backups / second)  # an old backup that poses as the newest
    assert {one.file for one in keeper.damage()} == {f"backups/{second}/head.json"}
    with pytest.raises(Corrupt):
        keeper.restore(second, tmp_path / "new")


def test_a_head_signed_by_somebody_else_says_so_by_its_key(keeper: Keeper) -> None:
    backup, _ = keeper.back_up()
    path = keeper.folder / "backups" / backup / "head.json"
    head = msgspec.json.decode(path.read_bytes(), type=pieces.Head)
    forged = msgspec.structs.replace(head, at="2020-01-01T00:00:00.000000Z")
    forged = msgspec.structs.replace(forged, signature=sign_message(os.urandom(32), signed_text(forged.digest())).hex())
    path.write_bytes(msgspec.json.encode(forged))
    assert [one.file for one in keeper.damage()] == [f"backups/{backup}/head.json"]


def test_only_its_key_opens_a_backup(keeper: Keeper, tmp_path: Path) -> None:
    backup, _ = keeper.back_up()
    stranger, _ = new_identity()
    for opening, error in (
        (Opening(identities=stranger), Unauthenticated),
        (Opening(passphrase=Secret(b"a guess at a passphrase")), Unauthenticated),
        (Opening(identities=Secret(b"# no identity\n")), Invalid),
        (Opening(identities=Secret(b"AGE-SECRET-KEY-1NONSENSE\n")), Invalid),
    ):
        with pytest.raises(error):
            keeper.restore(backup, tmp_path / "new", opening)
        with pytest.raises(error):
            keeper.damage(opening)
    assert not (tmp_path / "new").exists()
    keeper.restore(
        backup, tmp_path / "new", Opening(identities=Secret(b"# my key\n\n" + keeper.identity.reveal() + b"\n"))
    )


@pytest.mark.slow  # scrypt takes its second each time, on purpose
def test_a_passphrase_opens_what_was_made_with_it(keeper: Keeper, tmp_path: Path) -> None:
    right = Secret("sept mots français tout à fait".encode())
    backup, _ = keeper.back_up(sealing=Sealing(passphrase=right))
    with pytest.raises(Unauthenticated):
        keeper.restore(backup, tmp_path / "new", Opening(passphrase=Secret(b"another passphrase")))
    keeper.restore(backup, tmp_path / "new", Opening(passphrase=right))
    assert (tmp_path / "new" / "pai.toml").read_bytes() == b"[server]\n"


def test_who_can_open_is_checked_before_anything_is_written() -> None:
    for sealing in (Sealing(), Sealing(("age1nonsense",)), Sealing(passphrase=Secret(b"short"))):
        with pytest.raises(Invalid):
            sealing.check()
    Sealing((new_identity()[1],)).check()


def test_the_secret_of_chunks_opens_none_without_the_manifest(keeper: Keeper) -> None:
    keeper.back_up()
    secret = pieces.chunk_secret(keeper.secret)
    for chunk in keeper.folder.glob("chunks/*/*"):
        for guess in (chunk.name, "00" * 32):
            with pytest.raises(Corrupt):
                pieces.open_chunk(secret, guess, chunk.read_bytes())


def forge(keeper: Keeper, backup: str, manifest: pieces.Manifest, keys: dict[str, bytes] | None = None) -> None:
    """Replace the manifest by one that is sealed and signed as if the installation itself had gone bad."""
    folder = keeper.folder / "backups" / backup
    key = os.urandom(32)
    unlock = pyrage.encrypt(
        msgspec.json.encode(pieces.Unlocked(keeper.secret.reveal(), key)),
        [pyrage.x25519.Recipient.from_str(keeper.recipient)],
    )
    sealed = b"".join(encrypt_segments(key, [msgspec.json.encode(manifest)], context=f"backup:{backup}"))
    made = {"unlock.age": unlock, "manifest.sealed": sealed, "chunks.list": (folder / "chunks.list").read_bytes()}
    made["keys.age"] = (
        (folder / "keys.age").read_bytes()
        if keys is None
        else Sealing((keeper.recipient,)).seal(msgspec.json.encode(keys))
    )
    head = msgspec.json.decode((folder / "head.json").read_bytes(), type=pieces.Head)

    parts = {name: pieces.Part(len(data), hashlib.sha256(data).hexdigest()) for name, data in made.items()}
    head = msgspec.structs.replace(head, parts=parts)
    head = msgspec.structs.replace(head, signature=sign_message(keeper.seed, signed_text(head.digest())).hex())
    for name, data in made.items():
        (folder / name).write_bytes(data)
    (folder / "head.json").write_bytes(msgspec.json.encode(head))


@pytest.mark.parametrize(
    "path",
    [
        "../outside",
        "/etc/passwd",
        "a/../../outside",
        "a//b",
        ".",
        "",
        "a/./b",
        "a\\b/..",
        "a\x00b",
        "a\n",
        "..",
        "a/..",
        "x/" * 9 + "x",
    ],
)
def test_no_manifest_leads_out_of_the_home(keeper: Keeper, tmp_path: Path, path: str) -> None:
    backup, _ = keeper.back_up()
    with_file = pieces.Manifest((pieces.Kept(path, 0, "00" * 32, ()),), ())
    with_model = pieces.Manifest((), (pieces.Referred(path, 0, "00" * 32),))
    before = sorted(tmp_path.iterdir())
    for manifest in (with_file, with_model):
        forge(keeper, backup, manifest)
        with pytest.raises(Corrupt):
            keeper.restore(backup, tmp_path / "new")
    forge(keeper, backup, pieces.Manifest((), ()), {path: b"x"})
    with pytest.raises(Corrupt):
        keeper.restore(backup, tmp_path / "new")
    assert sorted(tmp_path.iterdir()) == before


def test_a_manifest_that_says_another_content_restores_nothing(keeper: Keeper, tmp_path: Path) -> None:
    backup, _ = keeper.back_up()
    forge(keeper, backup, pieces.Manifest((pieces.Kept("pai.toml", 0, "00" * 32, ()),), ()))
    with pytest.raises(Corrupt, match="not what was backed up"):
        keeper.restore(backup, tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_nothing_is_restored_over_anything(keeper: Keeper, tmp_path: Path) -> None:
    backup, _ = keeper.back_up()
    taken = tmp_path / "taken"
    taken.mkdir()
    (taken / "file").write_text("mine")
    link = tmp_path / "link"
    link.symlink_to(taken)
    for place in (taken, link, taken / "file"):
        with pytest.raises(Conflict):
            keeper.restore(backup, place)
    assert (taken / "file").read_text() == "mine"
    empty = tmp_path / "empty"
    empty.mkdir()
    keeper.restore(backup, empty)
    assert (empty / "pai.toml").exists()


def test_a_home_that_appears_meanwhile_is_left_alone(keeper: Keeper, tmp_path: Path) -> None:
    backup, _ = keeper.back_up()
    home = tmp_path / "new"

    def somebody(_done: int, _of: int) -> None:
        home.mkdir(exist_ok=True)
        (home / "file").write_text("mine")

    with pytest.raises(Conflict):
        keeper.restore(backup, home, progress=somebody)
    assert contents(home) == {"file": b"mine"}


def test_public_models_are_told_by_their_hash_and_taken_only_if_it_is_right(keeper: Keeper, tmp_path: Path) -> None:

    weights = (keeper.home / "models/m/weights.gguf").read_bytes()
    backup, _ = keeper.back_up({"models/m/weights.gguf": (len(weights), hashlib.sha256(weights).hexdigest())})
    cache = tmp_path / "cache" / "m"
    cache.mkdir(parents=True)
    assert keeper.restore(backup, tmp_path / "a") == ["models/m/weights.gguf"]
    (cache / "weights.gguf").write_bytes(b"x" * len(weights))
    assert keeper.restore(backup, tmp_path / "b", models=(tmp_path / "cache",)) == ["models/m/weights.gguf"]
    assert not (tmp_path / "b/models/m/weights.gguf").exists()
    (cache / "weights.gguf").write_bytes(weights)
    assert keeper.restore(backup, tmp_path / "c", models=(tmp_path / "nowhere", tmp_path / "cache")) == []
    assert (tmp_path / "c/models/m/weights.gguf").read_bytes() == weights


def test_folders_of_other_things_are_not_written_to_or_read(keeper: Keeper, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "cat.jpg").write_bytes(b"meow")
    with pytest.raises(Usage):
        prepare(photos)
    assert [path.name for path in photos.iterdir()] == ["cat.jpg"]
    keeper.back_up()
    marker = keeper.folder / pieces.MARKER
    marker.write_bytes(pieces.MARKER_TEXT.replace(b"1", b"2"))
    with pytest.raises(Usage):
        keeper.back_up()
    marker.write_bytes(pieces.MARKER_TEXT)
    with pytest.raises(NotFound):
        BackupFolder(keeper.folder).chosen("bak_nothing")


def test_two_writers_of_one_folder(keeper: Keeper) -> None:

    with (
        BackupWriter(
            keeper.folder, keeper.begun(), Sealing((keeper.recipient,)), Sealing((keeper.recipient,)), lambda _: None
        ),
        pytest.raises(Conflict),
    ):
        keeper.back_up()
    keeper.back_up()
