"""The root key and the keys under it through the command line, while PAI serves."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from installation import PASSPHRASE, Installation, secret_file


@pytest.fixture(scope="module")
def pai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("keys") / "pai")
    installation.init()
    installation.start()
    yield installation
    installation.stop(sig=9)


@pytest.fixture(scope="module")
def key(pai: Installation) -> dict[str, str]:
    return {"PAI_API_KEY": pai.key("inference,knowledge,audit,admin")}


def collection(pai: Installation, key: dict[str, str], name: str, folder: Path, text: str) -> str:
    made = pai.ok("collection", "create", name, **key)
    (folder / f"{name}.txt").write_text(text)
    pai.ok("ingest", name, str(folder / f"{name}.txt"), **key)
    return str(made["id"])


@pytest.mark.slow
def test_keys_rotate_while_serving_and_everything_opens_after_a_restart(
    pai: Installation, key: dict[str, str], tmp_path: Path
) -> None:
    collection(pai, key, "boats", tmp_path, "The pilot boat is called Sirena.\n")
    before = pai.ok("keys", "status")["keys"]
    assert before["audit"] == ["active"]
    events = pai.ok("audit", "verify")["size"]
    told = pai.ok("keys", "rotate")
    assert told["looked_at"] >= events
    assert told["moved"] >= events
    assert pai.ok("keys", "status")["keys"]["audit"] == ["decrypt-only", "active"]
    assert pai.ok("keys", "status")["keys"]["checkpoint"] == ["active"]
    assert pai.ok("keys", "rotate", "--resume")["moved"] == 0
    assert pai.ok("audit", "verify")["ok"]
    assert pai.ok("ask", "boats", "What is the pilot boat called?", **key)["sources"]
    old_code = (pai.home / "recovery-code.txt").read_text().split()[0]
    code = pai.ok("keys", "rotate", "--root")["recovery_code"]
    assert code != old_code
    assert pai.stop() == 0
    pai.start()
    assert pai.ok("ask", "boats", "What is the pilot boat called?", **key)["sources"]
    assert pai.ok("audit", "verify")["ok"]
    assert pai.ok("keys", "confirm-recovery", "--code-file", str(secret_file(tmp_path / "c", code)))
    pai.key()  # the console wrap of the first administrator opens under its new key
    names = [one["name"] for one in pai.ok("audit", "tail", "--limit", "40")["events"]]
    assert {"keys:server:rotate", "keys:server:rewrap", "keys:root:rotate"} <= set(names)


@pytest.mark.slow
def test_the_passphrase_changes_for_who_knows_it(pai: Installation, tmp_path: Path) -> None:
    new = secret_file(tmp_path / "new", "quite another passphrase for tests")
    weak = secret_file(tmp_path / "weak", "short")
    wrong = secret_file(tmp_path / "wrong", "not the passphrase")
    before = (pai.home / "keys" / "keystore.json").read_bytes()
    for old, chosen, word in ((wrong, new, "does not open"), (pai.passphrase_file, weak, "shorter")):
        told = pai.run("keys", "change-passphrase", "--passphrase-file", str(old), "--new-passphrase-file", str(chosen))
        assert told.code == 1
        assert word in told.err
    assert (pai.home / "keys" / "keystore.json").read_bytes() == before
    pai.ok("keys", "change-passphrase", "--new-passphrase-file", str(new))
    assert pai.stop() == 0
    refused = pai.run("serve")
    assert (refused.code, "passphrase" in refused.err) == (1, True)
    secret_file(pai.passphrase_file, new.read_text().strip())
    pai.start()
    pai.ok("keys", "change-passphrase", "--new-passphrase-file", str(secret_file(tmp_path / "back", PASSPHRASE)))
    secret_file(pai.passphrase_file, PASSPHRASE)


@pytest.mark.slow
def test_a_shredded_collection_cannot_be_opened_from_a_copy_and_its_backups_are_named(
    pai: Installation, key: dict[str, str], tmp_path: Path
) -> None:
    words = secret_file(tmp_path / "words", "seven random words for the backup")
    early = pai.ok("backup", "create", str(tmp_path / "d"), "--passphrase-file", str(words))["id"]
    name = collection(pai, key, "doomed", tmp_path, "The lighthouse keeper is called Ottokar.\n")
    kept = collection(pai, key, "kept", tmp_path, "The harbour master is called Brunhilde.\n")
    late = pai.ok("backup", "create", str(tmp_path / "d"), "--passphrase-file", str(words), "--keep-days", "9")["id"]
    copy = tmp_path / "copy"
    shutil.copytree(pai.home / "collections" / name, copy)
    refused = pai.run("keys", "shred", name)
    assert refused.code == 2
    assert "--yes" in refused.err
    told = pai.ok("keys", "shred", name, "--yes")
    assert (told["wraps_destroyed"], told["documents"]) == (1, 1)
    assert [one["id"] for one in told["backups"]] == [late]
    assert early not in str(told["backups"])
    assert told["backups"][0]["kept_until"] is not None
    assert not (pai.home / "collections" / name).exists()
    assert pai.run("ask", "doomed", "What is the keeper called?", **key).code == 1
    assert pai.ok("ask", "kept", "What is the harbour master called?", **key)["sources"]
    assert pai.run("keys", "shred", name, "--yes").code == 1
    # Whoever kept a copy of the files and puts it back finds no key for it.
    shutil.copytree(copy, pai.home / "collections" / name)
    assert pai.run("ask", "doomed", "What is the keeper called?", **key).code == 1
    assert pai.stop() == 0
    pai.start()
    assert not (pai.home / "collections" / name).exists()
    event = next(one for one in pai.ok("audit", "tail", "--limit", "30")["events"] if one["name"] == "keys:data:shred")
    assert event["backups"] == [late]
    assert (pai.home / "collections" / kept).exists()
