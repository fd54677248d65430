"""Rotation of the root and of the keys under it: killed at each step everything opens, and nothing opens that should not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pai.adapters.cryptography import aead
from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.root_keeper import ROTATED
from pai.foundation.errors import Corrupt, PaiError, Throttled, Unauthenticated
from pai.foundation.redaction import Secret

OLD, NEW = Secret(b"a long passphrase for tests only"), Secret(b"another long passphrase for tests")
KDF = "rfc9106-second"
PASSWORD = Secret(b"correct horse battery staple 9")
KILLER = """
import os, signal, sys, pathlib
sys.path[:0] = {paths!r}
import cheap_argon2
cheap_argon2.cheapen()
from pai.adapters.cryptography.keystore import KeyVault
from pai.foundation.redaction import Secret
vault = KeyVault(pathlib.Path({folder!r}))
vault.open(Secret({old!r}))
left = {at}
def killing(real):
    def call(*a, **k):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*a, **k)
    return call
os.open, os.fsync, os.rename, os.replace, os.unlink = map(killing, (os.open, os.fsync, os.rename, os.replace, os.unlink))
{work}
print(left)
"""


def run(folder: Path, at: int, work: str) -> subprocess.CompletedProcess[str]:
    script = KILLER.format(paths=sys.path, folder=str(folder), old=OLD.reveal(), at=at, work=work)
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)


@pytest.fixture
def made(tmp_path: Path) -> tuple[KeyVault, Secret]:
    vault = KeyVault(tmp_path / "keys")
    return vault, vault.create(OLD, KDF)


def opened(folder: Path, passphrase: Secret = OLD) -> KeyVault:
    vault = KeyVault(folder)
    vault.open(passphrase)
    return vault


@pytest.mark.slow
@pytest.mark.parametrize(
    "work",
    [
        f"vault.rotate_root(Secret({OLD.reveal()!r}), {KDF!r})",
        "vault.rotate_keys()",
        f"vault.rotate_keys(); vault.rotate_root(Secret({OLD.reveal()!r}), {KDF!r})",
        f"vault.set_passphrase(Secret({NEW.reveal()!r}), {KDF!r})",
    ],
)
def test_killed_at_any_step_all_that_was_sealed_opens(made: tuple[KeyVault, Secret], tmp_path: Path, work: str) -> None:
    vault, _ = made
    folder, before = tmp_path / "keys", tmp_path / "before"
    sealed = {name: vault.seal(name, b"a", name.encode()) for name in ("audit", "server")}
    database = vault.database_key().reveal()
    shutil.copytree(folder, before)
    whole = run(folder, 10_000, work)
    assert whole.returncode == 0, whole.stderr
    total = 10_000 - int(whole.stdout)
    assert total >= 4
    for at in range(1, total + 1):
        shutil.rmtree(folder)
        shutil.copytree(before, folder)
        assert run(folder, at, work).returncode == -9
        try:
            again = opened(folder)
        except Unauthenticated:
            assert "set_passphrase" in work
            again = opened(folder, NEW)
        assert again.database_key().reveal() == database
        for name, record in sealed.items():
            assert again.unseal(name, b"a", record) == name.encode()
        again.rotate_keys()  # and it goes on from there
        assert not (folder / "server.next.json").exists()
        for name, record in sealed.items():
            assert again.unseal(name, b"a", record) == name.encode()


def test_a_new_root_leaves_nothing_for_the_old_one(made: tuple[KeyVault, Secret], tmp_path: Path) -> None:
    vault, code = made
    folder = tmp_path / "keys"
    old_server = (folder / "server.json").read_bytes()
    record = vault.seal("audit", b"", b"x")
    new_code = vault.rotate_root(OLD, KDF)
    with pytest.raises(Unauthenticated):
        KeyVault(folder).open_with_recovery(code)
    KeyVault(folder).open_with_recovery(new_code)
    assert opened(folder).unseal("audit", b"", record) == b"x"
    assert not vault.status().recovery_confirmed
    # The server keys as they lay under the old root do not open under the new one.
    (folder / "server.json").write_bytes(old_server)
    with pytest.raises(Corrupt):
        opened(folder)


def test_the_root_is_rotated_by_who_knows_the_passphrase_only(made: tuple[KeyVault, Secret], tmp_path: Path) -> None:
    vault, code = made
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    with pytest.raises(Unauthenticated):
        vault.rotate_root(NEW, KDF)
    assert {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == before
    KeyVault(tmp_path / "keys").open_with_recovery(code)


def test_new_versions_seal_and_old_ones_still_open(made: tuple[KeyVault, Secret], tmp_path: Path) -> None:
    vault, _ = made
    first = json.loads((tmp_path / "keys" / "server.json").read_text())
    assert first["version"] == 1
    assert "later" not in first  # what an older release writes and reads
    old = vault.seal("audit", b"a", b"one")
    signed = vault.verify_key("checkpoint")
    versions = vault.rotate_keys()
    assert versions == {name: 2 if name in ROTATED else 1 for name in versions}
    new = vault.seal("audit", b"a", b"two")
    assert (aead.version_of(old), aead.version_of(new)) == (1, 2)
    for keystore in (vault, opened(tmp_path / "keys")):
        assert keystore.unseal("audit", b"a", old) == b"one"
        assert keystore.unseal("audit", b"a", new) == b"two"
        assert keystore.verify_key("checkpoint") == signed
    assert json.loads((tmp_path / "keys" / "server.json").read_text())["version"] == 2


def test_records_move_and_those_that_do_not_open_stop_all(made: tuple[KeyVault, Secret]) -> None:
    vault, _ = made
    records = [(bytes([n]), vault.seal("audit", bytes([n]), b"body %d" % n)) for n in range(5)]
    member = vault.new_member("usr_1", PASSWORD, console=True)
    assert member.console_wrap is not None
    vault.rotate_keys()
    moved = vault.rewrap("seal/audit", records)
    assert {aead.version_of(one) for one in moved} == {2}
    assert [vault.unseal("audit", bytes([n]), one) for n, one in enumerate(moved)] == [b"body %d" % n for n in range(5)]
    again = vault.rewrap("seal/audit", [(bytes([n]), one) for n, one in enumerate(moved)])
    assert again == moved  # what is under the newest key stays byte for byte
    (wrap,) = vault.rewrap("member/console", [(b"usr_1", member.console_wrap)])
    assert vault.unlock_from_console("usr_1", wrap)
    for wrong in ([(b"\x01", records[0][1])], [*records, (b"x", b"\x02\x00\x00\x00\x09" + bytes(60))], [(b"", b"")]):
        with pytest.raises(Corrupt):
            vault.rewrap("seal/audit", wrong)
    for purpose in ("root/passphrase", "server-key", "member/password", "", "seal/model"):
        with pytest.raises(PaiError):
            vault.rewrap(purpose, records)


def test_no_byte_of_a_versioned_record_can_change(made: tuple[KeyVault, Secret]) -> None:
    vault, _ = made
    vault.rotate_keys()
    vault.rotate_keys()
    record = vault.seal("server", b"a", b"plain")
    assert aead.version_of(record) == 3
    for at in range(len(record)):
        changed = bytearray(record)
        changed[at] ^= 1 << at % 8
        with pytest.raises(Corrupt):
            vault.unseal("server", b"a", bytes(changed))
    for cut in range(len(record)):
        with pytest.raises(Corrupt):
            vault.unseal("server", b"a", record[:cut])


def test_key_files_of_another_version_or_order_open_nothing(made: tuple[KeyVault, Secret], tmp_path: Path) -> None:
    vault, _ = made
    vault.rotate_keys()
    vault.rotate_keys()
    path = tmp_path / "keys" / "server.json"
    good = json.loads(path.read_text())
    swapped = json.loads(path.read_text())
    swapped["later"]["audit"].reverse()
    first = json.loads(path.read_text())
    first["keys"]["audit"] = first["later"]["audit"][0]
    other = json.loads(path.read_text())
    other["later"]["audit"] = other["later"]["server"]
    unknown = {**good, "version": 3}
    for wrong in (swapped, first, other, unknown, {**good, "later": {"nonsense": []}}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(Corrupt):
            opened(tmp_path / "keys")
    path.write_text(json.dumps(good))
    opened(tmp_path / "keys")


def test_guessing_the_passphrase_gets_slower(made: tuple[KeyVault, Secret], tmp_path: Path) -> None:
    vault = KeyVault(tmp_path / "keys")
    seen = []
    for _ in range(5):
        with pytest.raises((Unauthenticated, Throttled)) as caught:
            vault.open(Secret(os.urandom(12).hex().encode()))
        seen.append(type(caught.value))
    assert seen[:3] == [Unauthenticated] * 3
    assert Throttled in seen[3:]
    with pytest.raises(Throttled):
        vault.open(OLD)  # also the right one waits: the pause says nothing about what was typed
