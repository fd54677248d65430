"""Backups through the command line: made while PAI serves and takes documents in, put back on a bare machine, drilled."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from installation import PASSPHRASE, Installation, free_port, secret_file

SECRET_WORDS = "the patient keeps bees behind the old observatory"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backups")


@pytest.fixture(scope="module")
def pai(place: Path) -> Iterator[Installation]:
    installation = Installation(place / "pai")
    installation.init()
    installation.start()
    yield installation
    installation.stop(sig=9)


@pytest.fixture(scope="module")
def key(pai: Installation) -> dict[str, str]:
    as_key = {"PAI_API_KEY": pai.key("inference,knowledge,audit,admin")}
    pai.ok("collection", "create", "files", **as_key)
    return as_key


@pytest.fixture(scope="module")
def identity(place: Path, pai: Installation) -> tuple[Path, str]:
    path = place / "recovery.key"
    made = pai.ok("backup", "identity", str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert made["recipient"].startswith("age1")
    assert pai.run("backup", "identity", str(path)).code == 1  # an identity is never written over
    return path, made["recipient"]


def bare_machine(folder: Path, backups: Path, identity: Path, *more: str) -> tuple[Installation, Any]:
    """Restore into a home of its own, where nothing was before."""
    other = Installation(folder)
    told = other.run("backup", "restore", str(backups), "--identity-file", str(identity), "--json", *more)
    assert told.code == 0, told.err
    return other, told.json


def ingest(pai: Installation, key: dict[str, str], folder: Path, name: str, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    pai.ok("ingest", "files", str(folder / name), **key)


@pytest.mark.slow
def test_a_backup_taken_while_serving_answers_on_a_bare_machine(
    pai: Installation, key: dict[str, str], identity: tuple[Path, str], tmp_path: Path
) -> None:
    ingest(pai, key, tmp_path / "in", "bees.txt", f"On 3 May 2031 we noted that {SECRET_WORDS}.\n" * 3)
    member = {"PAI_API_KEY": pai.member("member@pai.test")}
    pai.ok("collection", "create", "private", **member)
    (tmp_path / "in/boat.txt").write_text("The pilot boat is called Sirena.\n")
    pai.ok("ingest", "private", str(tmp_path / "in/boat.txt"), **member)
    dest = tmp_path / "dest"
    made = pai.ok("backup", "create", str(dest), "--to", identity[1], "--keep-days", "30")
    assert made["writers_waited_seconds"] < 5
    stored = [path for path in dest.rglob("*") if path.is_file()]
    assert not [path for path in stored if SECRET_WORDS.encode() in path.read_bytes()]
    assert not [path for path in stored if PASSPHRASE.encode() in path.read_bytes()]
    ingest(pai, key, tmp_path / "in", "later.txt", "The lighthouse keeper is called Ottokar.\n")
    other, told = bare_machine(tmp_path / "bare", dest, identity[0])
    assert told["missing_models"] == []
    assert not (other.home / "recovery-code.txt").exists()
    assert pai.home.joinpath("recovery-code.txt").exists()  # so that the line above says something
    other.start()
    try:
        answer = other.ok("ask", "files", "What does the patient keep behind the observatory?", **key)
        assert answer["sources"][0]["document"] == "bees.txt"
        assert [d["name"] for d in other.ok("document", "list", "files", **key)["documents"]] == ["bees.txt"]
        assert other.ok("ask", "private", "What is the pilot boat called?", **member)["sources"]
        assert other.ok("audit", "verify")["ok"]
        names = [event["name"] for event in other.ok("audit", "tail", "--limit", "50")["events"]]
        assert "operations:backup:restore" in names
        assert "operations:backup:start" in names
        assert not (other.home / "restored.json").exists()
        # It goes on from there: more is taken in, and backed up to the same place.
        ingest(other, key, tmp_path / "in", "new.txt", "The harbour master is called Brunhilde.\n")
        assert other.ok("backup", "create", str(dest), "--to", identity[1])["new_chunks"] > 0
    finally:
        other.stop(sig=9)
    events = pai.ok("audit", "tail", "--limit", "60")["events"]
    (event,) = [one for one in events if one["name"] == "operations:backup:create"]
    assert event["digest"] == made["digest"]
    (listed,) = pai.ok("backup", "list")["backups"]
    assert listed["id"] == made["id"]
    assert listed["kept_until"][:10] > listed["at"][:10]


@pytest.mark.slow
def test_backups_beside_ingestion_hold_whole_documents(
    pai: Installation, key: dict[str, str], identity: tuple[Path, str], tmp_path: Path
) -> None:
    folder, stop, known = tmp_path / "in", threading.Event(), []

    def writing() -> None:
        n = 0
        while not stop.is_set():
            n += 1
            ingest(
                pai, key, folder, f"w{n}.txt", f"Report {n} of {time.time_ns()} tells of the pump in hall {n}.\n" * 50
            )
            known.append(f"w{n}.txt")

    writer = threading.Thread(target=writing)
    writer.start()
    while not known and writer.is_alive():
        time.sleep(0.05)
    backups = []
    try:
        for _ in range(4):
            before = list(known)
            backups.append((pai.ok("backup", "create", str(tmp_path / "dest"), "--to", identity[1])["id"], before))
    finally:
        stop.set()
        writer.join()
    assert len(known) > 2, "documents came in while the backups were made"
    assert pai.ok("backup", "verify", str(tmp_path / "dest"), "--identity-file", str(identity[0]))["ok"]
    for backup, before in (backups[1], backups[-1]):
        other, _ = bare_machine(tmp_path / backup[-4:], tmp_path / "dest", identity[0], "--id", backup)
        assert other.ok("audit", "verify")["ok"]
        other.start()
        try:
            there = {one["name"]: one for one in other.ok("document", "list", "files", **key)["documents"]}
            assert set(before) <= set(there)
            assert all(there[name]["chunks"] for name in before)
            answer = other.ok("ask", "files", f"What does report {before[-1][1:-4]} tell of?", **key)
            assert answer["sources"]
        finally:
            other.stop(sig=9)


@pytest.mark.slow
def test_a_drill_asks_and_tells_and_a_damaged_backup_fails_it(
    pai: Installation, key: dict[str, str], identity: tuple[Path, str], tmp_path: Path
) -> None:
    dest = tmp_path / "dest"
    ingest(pai, key, tmp_path / "in", "drill.txt", "The fire drill is on the second of June.\n")
    pai.ok("backup", "create", str(dest), "--to", identity[1])
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    opened = ("--identity-file", str(identity[0]), "--scratch", str(scratch))
    told = pai.ok("backup", "drill", str(dest), *opened)
    assert told["ok"], told["answers"]
    assert 0 <= told["age_seconds"] < 120
    assert 0 < told["restore_seconds"] < 120
    opened_files = next(one["detail"] for one in told["answers"] if one["question"].startswith("sealed files"))
    assert int(opened_files.split()[0]) >= 1
    assert list(scratch.iterdir()) == []
    newest = pai.ok("audit", "tail", "--limit", "3")["events"][0]
    assert (newest["name"], newest["outcome"]) == ("operations:backup:drill", "done")
    wrong = secret_file(tmp_path / "wrong", "not the passphrase at all")
    refused = pai.run("backup", "drill", str(dest), *opened, PAI_PASSPHRASE_FILE=str(wrong))
    assert refused.code == 1
    assert "passphrase" in refused.err
    largest = max(dest.glob("chunks/*/*"), key=lambda path: path.stat().st_size)
    data = bytearray(largest.read_bytes())
    data[len(data) // 2] ^= 4
    largest.write_bytes(data)
    broken = pai.run("backup", "drill", str(dest), *opened)
    assert broken.code == 1
    assert largest.name in broken.err
    assert list(scratch.iterdir()) == []
    checked = pai.run("backup", "verify", str(dest), "--json")
    assert checked.code == 1
    assert [Path(one["file"]).name for one in checked.json["damaged"]] == [largest.name]


@pytest.mark.slow
def test_keys_kept_apart_are_needed_and_enough(pai: Installation, identity: tuple[Path, str], tmp_path: Path) -> None:
    dest, apart = tmp_path / "dest", tmp_path / "apart"
    other_key = tmp_path / "keys.key"
    recipient = pai.ok("backup", "identity", str(other_key))["recipient"]
    made = pai.ok("backup", "create", str(dest), "--to", identity[1], "--keys-to", recipient)
    apart.mkdir()
    shutil.move(dest / "backups" / made["id"] / "keys.age", apart / "keys.age")
    assert pai.ok("backup", "verify", str(dest))["ok"]
    bare = Installation(tmp_path / "bare")
    opened = ("backup", "restore", str(dest), "--identity-file", str(identity[0]))
    for more in ((), ("--keys", str(apart / "keys.age"))):  # without the part, and with it but not with its key
        assert bare.run(*opened, *more).code == 1
        assert not bare.home.exists()
    note = pai.ok("audit", "checkpoint")["note"].split("/")[1]
    for signer in ("0" * 16, note[:8], ""):
        refused = bare.run(
            *opened, "--keys", str(apart / "keys.age"), "--keys-identity-file", str(other_key), "--signer", signer
        )
        assert refused.code == 1
        assert note in refused.err
        assert not bare.home.exists()
    whole = (*opened, "--signer", note, "--keys", str(apart / "keys.age"), "--keys-identity-file", str(other_key))
    assert bare.run(*whole).code == 0
    assert bare.ok("audit", "verify")["ok"]
    again = bare.run(*whole)
    assert again.code == 1
    assert "nothing is restored over it" in again.err


@pytest.mark.slow
def test_without_a_server_and_with_a_passphrase(fresh: Installation, tmp_path: Path) -> None:
    words = secret_file(tmp_path / "words", "seven random words for the backup")
    dest = tmp_path / "dest"
    made = fresh.ok("backup", "create", str(dest), "--passphrase-file", str(words))
    assert made["files"] > 5
    assert fresh.ok("backup", "verify", str(dest), "--passphrase-file", str(words))["opened"]
    bare = Installation(tmp_path / "bare")
    assert bare.run("backup", "restore", str(dest), "--passphrase-file", str(words)).code == 0
    assert bare.ok("audit", "verify")["ok"]
    fresh_keys = (fresh.home / "keys" / "keystore.json").read_bytes()
    assert (bare.home / "keys" / "keystore.json").read_bytes() == fresh_keys


@pytest.mark.slow
def test_wrong_use_is_told_before_anything_happens(
    pai: Installation, identity: tuple[Path, str], tmp_path: Path
) -> None:
    for arguments, word in (
        (("create", str(tmp_path / "d")), "who can open"),
        (("create", str(tmp_path / "d"), "--to", "age1nonsense"), "recipient"),
        (("create", str(pai.home / "d"), "--to", identity[1]), "inside the home"),
        (("verify", str(tmp_path)), "no folder of PAI's backups"),
        (("restore", str(tmp_path), "--identity-file", str(identity[0])), "no folder of PAI's backups"),
    ):
        told = pai.run("backup", *arguments)
        assert told.code in (1, 2)
        assert word in told.err, told.err
        assert len(told.err.strip().splitlines()) == 1
    assert not (tmp_path / "d").exists()
    assert list((pai.home / "tmp").glob("backup-*")) == []


@pytest.mark.slow
def test_a_command_that_is_killed_leaves_the_server_and_the_next_backup_well(
    pai: Installation, key: dict[str, str], identity: tuple[Path, str], tmp_path: Path
) -> None:
    big = pai.home / "models" / "big"  # bytes that take a while
    big.mkdir()
    (big / "weights.bin").write_bytes(os.urandom(48 << 20))
    dest = tmp_path / "dest"
    try:
        for seconds in (0.0, 0.15):
            running = subprocess.Popen(
                pai.command("backup", "create", str(dest), "--to", identity[1]),
                env=pai.environment(),
                stderr=subprocess.DEVNULL,
            )
            end = time.monotonic() + 30
            while time.monotonic() < end and not list((pai.home / "tmp").glob("backup-bak_*")):
                time.sleep(0.005)
            time.sleep(seconds)
            running.send_signal(signal.SIGKILL)
            assert running.wait(10) == -9
            if dest.exists() and (dest / "backups").exists():
                assert list(dest.glob("backups/bak_*")) == []
        made = pai.ok("backup", "create", str(dest), "--to", identity[1])
        assert pai.ok("backup", "verify", str(dest), "--identity-file", str(identity[0]))["ok"]
        assert [path.name for path in dest.glob("backups/*")] == [made["id"]]
        assert [path.name for path in (pai.home / "tmp").iterdir()] == ["backup.lock"]
    finally:
        shutil.rmtree(big)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 4 MB."""
    point = tmp_path / "disk"
    point.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=4m,mode=0700", "tmpfs", str(point)]
    if subprocess.run(mounted, capture_output=True, check=False).returncode != 0:
        pytest.skip("a small disk cannot be mounted without privileges")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.mark.slow
def test_full_disks_are_told_and_leave_nothing_half(
    pai: Installation, identity: tuple[Path, str], small_disk: Path, tmp_path: Path
) -> None:
    big = pai.home / "models" / "big"
    big.mkdir()
    (big / "weights.bin").write_bytes(os.urandom(8 << 20))
    try:
        told = pai.run("backup", "create", str(small_disk / "dest"), "--to", identity[1])
        assert told.code == 1
        assert "the disk is full" in told.err.splitlines()[-1]
        assert list(small_disk.glob("dest/backups/*")) == []
        newest = pai.ok("audit", "tail", "--limit", "3")["events"][0]
        assert (newest["name"], newest["outcome"], newest["reason"]) == (
            "operations:backup:abandon",
            "failed",
            "disk_full",
        )
        assert list((pai.home / "tmp").glob("backup-*")) == []
        pai.ok("backup", "create", str(tmp_path / "dest"), "--to", identity[1])
        bare = Installation(small_disk / "bare", port=free_port())
        told = bare.run("backup", "restore", str(tmp_path / "dest"), "--identity-file", str(identity[0]))
        assert told.code == 1
        assert "MB free" in told.err
        assert [path.name for path in (small_disk / "bare").iterdir() if "home" in path.name] == []
    finally:
        shutil.rmtree(big)
