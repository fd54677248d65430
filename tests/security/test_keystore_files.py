"""Attacks on the files of the key folder: changed, swapped, rolled back, cut by a crash."""

from __future__ import annotations

import json
import shutil
import stat
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pai.adapters.cryptography import root
from pai.adapters.cryptography.keystore import KeyVault
from pai.foundation.errors import Corrupt, PaiError, Unauthenticated
from pai.foundation.redaction import Secret

PASSPHRASE = Secret(b"a long passphrase for tests only")
PASSWORD = Secret(b"correct horse battery staple 9")
KDF = "rfc9106-second"


def load(path: Path) -> Any:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Secret]:
    folder = tmp_path_factory.mktemp("made") / "keys"
    return folder, KeyVault(folder).create(PASSPHRASE, KDF)


@pytest.fixture
def folder(made: tuple[Path, Secret], tmp_path: Path) -> Path:
    return Path(shutil.copytree(made[0], tmp_path / "keys"))


@pytest.fixture
def code(made: tuple[Path, Secret]) -> Secret:
    return made[1]


def test_files_are_private_and_hold_no_plain_key(folder: Path) -> None:
    vault = KeyVault(folder)
    vault.open(PASSPHRASE)
    text = "".join(path.read_text() for path in folder.iterdir())
    for path in folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    key = vault.database_key().reveal()
    for shown in (key.hex(), b64encode(key).decode(), PASSPHRASE.reveal().decode()):
        assert shown not in text


def test_a_flipped_byte_in_any_wrap_opens_nothing(folder: Path, code: Secret) -> None:
    original = load(folder / "keystore.json")
    wrap = bytearray(b64decode(original["recovery"]["wrap"]))
    for at in range(len(wrap)):
        changed = bytearray(wrap)
        changed[at] ^= 1
        original["recovery"]["wrap"] = b64encode(changed).decode()
        (folder / "keystore.json").write_text(json.dumps(original))
        with pytest.raises(Unauthenticated):
            KeyVault(folder).open_with_recovery(code)
    wrap = bytearray(b64decode(original["passphrase"]["wrap"]))
    for at in (0, 1, 33, len(wrap) - 1):
        changed = bytearray(wrap)
        changed[at] ^= 1
        original["passphrase"]["wrap"] = b64encode(changed).decode()
        (folder / "keystore.json").write_text(json.dumps(original))
        with pytest.raises(Unauthenticated):
            KeyVault(folder).open(PASSPHRASE)


@pytest.mark.parametrize("name", root.SERVER_KEYS)
def test_a_changed_server_key_is_corrupt_not_another_key(folder: Path, code: Secret, name: str) -> None:
    server = load(folder / "server.json")
    sealed = bytearray(b64decode(server["keys"][name]))
    sealed[40] ^= 1
    server["keys"][name] = b64encode(sealed).decode()
    (folder / "server.json").write_text(json.dumps(server))
    vault = KeyVault(folder)
    with pytest.raises(Corrupt):
        vault.open_with_recovery(code)
    assert not vault.status().opened


def test_server_keys_cannot_be_swapped_for_each_other(folder: Path, code: Secret) -> None:
    server = load(folder / "server.json")
    keys = server["keys"]
    keys["database"], keys["tls"] = keys["tls"], keys["database"]
    (folder / "server.json").write_text(json.dumps(server))
    with pytest.raises(Corrupt):
        KeyVault(folder).open_with_recovery(code)


def test_another_installations_server_keys_are_refused(folder: Path, code: Secret, tmp_path: Path) -> None:
    KeyVault(tmp_path / "other").create(PASSPHRASE, KDF)
    shutil.copy(tmp_path / "other" / "server.json", folder / "server.json")
    with pytest.raises(Corrupt):
        KeyVault(folder).open_with_recovery(code)


def test_the_recovery_wrap_cannot_stand_in_for_the_passphrase_wrap(folder: Path) -> None:
    found = load(folder / "keystore.json")
    found["passphrase"]["wrap"] = found["recovery"]["wrap"]
    (folder / "keystore.json").write_text(json.dumps(found))
    with pytest.raises(Unauthenticated):
        KeyVault(folder).open(PASSPHRASE)


@pytest.mark.parametrize(
    ("field", "value"),
    [("version", 2), ("version", "1"), ("format", "other"), ("extra", 1), ("installation", None), ("passphrase", {})],
)
def test_files_of_another_form_are_refused(folder: Path, field: str, value: object) -> None:
    found = load(folder / "keystore.json")
    found[field] = value
    (folder / "keystore.json").write_text(json.dumps(found))
    with pytest.raises(Corrupt):
        KeyVault(folder).open(PASSPHRASE)


@pytest.mark.parametrize("content", [b"", b"{", b"null", b"\xff\xfe", b"[]"])
@pytest.mark.parametrize("name", ["keystore.json", "server.json"])
def test_broken_files_are_corrupt_with_advice(folder: Path, code: Secret, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(Corrupt) as broken:
        KeyVault(folder).open_with_recovery(code)
    assert "backup" in broken.value.hint


def test_a_weaker_profile_written_in_is_not_accepted(folder: Path) -> None:
    found = load(folder / "keystore.json")
    found["passphrase"]["kdf"] = "none"
    (folder / "keystore.json").write_text(json.dumps(found))
    with pytest.raises(PaiError) as refused:
        KeyVault(folder).open(PASSPHRASE)
    assert refused.value.code == "unknown_kdf"


def test_creation_cut_before_its_last_file_starts_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "keys"

    def crash(_self: object, _root: object) -> None:
        (folder / "keystore.json.tmp-00").write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(root.RootFolder, "write", crash)
        with pytest.raises(KeyboardInterrupt):
            KeyVault(folder).create(PASSPHRASE, KDF)
    assert not KeyVault(folder).status().created
    vault = KeyVault(folder)
    vault.create(Secret(b"a different passphrase"), KDF)
    assert vault.status().opened
    assert sorted(path.name for path in folder.iterdir()) == ["keystore.json", "server.json"]


def test_a_grant_expires_with_the_clock(folder: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    vault = KeyVault(folder, now=lambda: moment)
    vault.open(PASSPHRASE)
    member = vault.new_member("usr_1", PASSWORD, console=True)
    assert member.console_wrap is not None
    handle = vault.unlock_from_console("usr_1", member.console_wrap)
    data = vault.new_data_key("collection:c", [member.public_key])
    expiry = moment + timedelta(hours=24)
    grant = vault.grant_to_job(handle, "collection:c", data.wraps[0], job_id="job_1", expires_at=expiry)
    moment = expiry - timedelta(milliseconds=1)
    assert vault.open_job_grant("collection:c", grant, job_id="job_1").reveal() == data.key.reveal()
    moment = expiry
    with pytest.raises(Unauthenticated) as expired:
        vault.open_job_grant("collection:c", grant, job_id="job_1")
    assert expired.value.code == "grant_expired"


def test_closing_wipes_everything(folder: Path) -> None:
    vault = KeyVault(folder)
    vault.open(PASSPHRASE)
    member = vault.new_member("usr_1", PASSWORD, console=True)
    assert member.console_wrap is not None
    vault.unlock_from_console("usr_1", member.console_wrap)
    held = next(iter(vault._open.values())).private_key
    keys = [one for versions in vault._keys.values() for one in versions]
    vault.close()
    assert not any(held)
    assert not any(any(key) for key in keys)
    assert not vault.status().opened
