"""A witness co-signs what only grew. With it, twelve of twelve attacks on the log are found, and named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import test_audit_evidence as forgeries

from audit_evidence import Log, Verdict, verify, written
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.cryptography.witness_folder import WitnessFolder
from pai.core.audit import encoding, notes
from pai.core.audit.witness import Witness
from pai.foundation.errors import Conflict, Corrupt, Invalid, NotFound, PaiError

NAME = "witness.test/one"


@contextmanager
def at(folder: Path, moment: datetime | None = None) -> Iterator[Witness]:
    store = WitnessFolder(folder)
    with store.held():
        yield Witness(store, verify_signature, lambda: moment or datetime.now(UTC))


def cosign(folder: Path, shown: dict[str, Any], moment: datetime | None = None) -> str:
    with at(folder, moment) as witness:
        return witness.cosign(shown)


def key_of(folder: Path) -> str:
    known = WitnessFolder(folder).standing()
    return notes.verifier_key(known.name, known.public_key, notes.COSIGNATURE)


class Watched:
    """A log with a witness that has co-signed it once, at 10 events."""

    def __init__(self, root: Path) -> None:
        self.root, self.home, self.witness = root, root / "home", root / "witness"
        self.log = Log(self.home)
        self.log.grow(10)
        self.key = self.log.key
        WitnessFolder(self.witness).create(NAME, self.key)
        self.first = cosign(self.witness, {"new": self.head()})

    def head(self) -> str:
        return str(self.log.storage.run_sync(lambda unit: unit.audit.checkpoint()).note)

    def copy(self, name: str) -> Path:
        """Copy the whole disk: database, keys, checkpoints outside."""
        self.log.close()
        shutil.copytree(self.home, self.root / name)
        self.log = Log(self.home)
        return self.root / name


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.log.close()


def refusal(watched: Watched, shown: dict[str, Any]) -> str:
    with pytest.raises(Corrupt) as refused:
        cosign(watched.witness, shown)
    return refused.value.code


def test_growth_is_cosigned_again_and_again(watched: Watched, tmp_path: Path) -> None:
    latest = watched.first
    for count in (1, 0, 7, 300):
        watched.log.grow(count)
        latest = cosign(watched.witness, watched.log.prove_growth(latest))
    known = WitnessFolder(watched.witness).standing()
    assert (known.latest, known.alarms) == (latest, [])
    path = tmp_path / "latest.note"
    path.write_text(latest)
    verdict = verify(path, "--key", watched.key, "--witness", key_of(watched.witness))
    assert verdict.code == 0
    assert abs(verdict.told["witnessed"][0][1] - datetime.now(UTC).timestamp()) < 600
    path.write_text(watched.head())
    assert verify(path, "--key", watched.key, "--witness", key_of(watched.witness)).kinds == {"witness"}
    path.write_text(latest.replace(latest.splitlines()[5], latest.splitlines()[5][:-4] + "AAA="))
    assert verify(path, "--key", watched.key, "--witness", key_of(watched.witness)).kinds == {"witness"}


def test_a_whole_disk_put_back_is_refused(watched: Watched) -> None:
    old = watched.copy("old")
    watched.log.grow(5)
    latest = cosign(watched.witness, watched.log.prove_growth(watched.first))
    put_back = Log(old)
    assert put_back.storage.read_sync(lambda unit: unit.audit.verify()).ok, "alone it looks whole"
    with pytest.raises(Corrupt) as told:
        put_back.prove_growth(latest)
    assert told.value.code == "audit_forked"
    head = put_back.storage.run_sync(lambda unit: unit.audit.checkpoint()).note
    assert refusal(watched, {"new": head}) == "witness_rolled_back"
    put_back.grow(50)
    head = put_back.storage.run_sync(lambda unit: unit.audit.checkpoint()).note
    forged = put_back.prove_growth(watched.first) | {"new": head}
    assert refusal(watched, forged) == "witness_fork", "grown past the old size, with a proof from further back"
    put_back.close()
    known = WitnessFolder(watched.witness).standing()
    assert [one.kind for one in known.alarms] == ["witness_rolled_back", "witness_fork"]
    assert known.latest == latest, "a refusal changes nothing"


def test_two_logs_of_one_size_are_not_both_cosigned(watched: Watched) -> None:
    other = Log(watched.copy("other"))
    for log in (watched.log, other):
        log.grow(4)
    one, two = (log.prove_growth(watched.first) for log in (watched.log, other))
    other.close()
    cosign(watched.witness, one)
    assert notes.parse(one["new"]).size == notes.parse(two["new"]).size
    assert refusal(watched, two) == "witness_fork"


def test_a_strangers_log_and_nonsense_are_refused(watched: Watched, tmp_path: Path) -> None:
    stranger = Log(tmp_path / "stranger")
    stranger.grow(20)
    head = stranger.storage.run_sync(lambda unit: unit.audit.checkpoint()).note
    stranger.close()
    assert refusal(watched, {"new": head}) == "witness_signature"
    for shown in (
        {},
        {"new": 5},
        {"new": head, "path": ["AA=="]},
        {"new": head, "path": "x"},
        {"new": head, "path": [5]},
    ):
        with pytest.raises(Invalid):
            cosign(watched.witness, shown)
    with pytest.raises(Corrupt):
        cosign(watched.witness, {"new": "a note\n\nthat is none\n"})
    with pytest.raises(NotFound):
        cosign(tmp_path / "nowhere", {})
    with pytest.raises(Conflict):
        WitnessFolder(watched.witness).create(NAME, watched.key)
    with at(watched.witness), pytest.raises(Conflict):
        cosign(watched.witness, {"new": head})


def test_what_is_cosigned_was_remembered_before_it_is_given_out(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A witness whose disk takes nothing signs nothing; one that dies after the write refuses the other log."""
    watched.log.grow(3)
    proof = watched.log.prove_growth(watched.first)

    def full(_store: WitnessFolder, _note: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(WitnessFolder, "keep", full)
    with pytest.raises(OSError, match="No space"):
        cosign(watched.witness, proof)
    monkeypatch.undo()
    assert WitnessFolder(watched.witness).standing().latest == watched.first


# --- The twelve attacks of the list, each found and named ---


def evidence_of(watched: Watched) -> dict[str, Any]:
    watched.log.grow(80)
    header, *lines = watched.log.lines()
    return {"header": header, "events": [json.loads(line) for line in lines], "inclusion": watched.log.prove(17)}


def exported(forgery: Callable[[list[dict[str, Any]]], None]) -> Callable[[Watched], Verdict]:
    def attack(watched: Watched) -> Verdict:
        given = evidence_of(watched)
        forgery(given["events"])
        return verify(written(watched.root / "log.jsonl", given["header"], given["events"]), "--key", watched.key)

    return attack


def proof(value: dict[str, Any], watched: Watched, *options: str) -> Verdict:
    path = watched.root / "proof.json"
    path.write_text(json.dumps(value))
    return verify(path, "--key", watched.key, *options)


def forge_inclusion(watched: Watched) -> Verdict:
    value = evidence_of(watched)["inclusion"]
    value["event"]["body"]["actor"]["id"] = "somebody else"
    return proof(value, watched)


def forge_consistency(watched: Watched) -> Verdict:
    old = watched.copy("other")
    other = Log(old)
    for log in (watched.log, other):
        log.grow(9)
    kept = watched.head()
    other.grow(9)
    value = other.prove_growth(watched.first) | {"old": kept}
    other.close()
    return proof(value, watched)


def replay(watched: Watched) -> Verdict:
    watched.log.grow(9)
    kept = watched.root / "kept.note"
    kept.write_text(watched.head())
    path = watched.root / "old.note"
    path.write_text(watched.first)
    return verify(path, "--key", watched.key, "--checkpoint", str(kept))


def fork(watched: Watched) -> str:
    other = Log(watched.copy("other"))
    for log in (watched.log, other):
        log.grow(4)
    one, two = (log.prove_growth(watched.first) for log in (watched.log, other))
    other.close()
    cosign(watched.witness, one)
    return refusal(watched, two)


def put_the_disk_back(watched: Watched) -> str:
    old = watched.copy("old")
    watched.log.grow(5)
    cosign(watched.witness, watched.log.prove_growth(watched.first))
    log = Log(old)
    head = log.storage.run_sync(lambda unit: unit.audit.checkpoint()).note
    log.close()
    return refusal(watched, {"new": head})


def set_the_clock_back(watched: Watched) -> Verdict:
    watched.log.home.clock = datetime.now(UTC) - timedelta(hours=3)
    given = evidence_of(watched)
    kinds = [one["kind"] for one in verify(
        written(watched.root / "log.jsonl", given["header"], given["events"]), "--key", watched.key).told["notices"]]  # fmt: skip
    assert kinds == ["clock"]
    # And one who takes the event of it out is found as one who takes any event out.
    given["events"] = [one for one in given["events"] if one["body"]["name"] != "audit:clock:set-back"]
    return verify(written(watched.root / "log.jsonl", given["header"], given["events"]), "--key", watched.key)


TWELVE: dict[str, tuple[Callable[[Watched], Verdict | str], str]] = {
    "edit": (exported(forgeries.edit), "edited"),
    "delete": (exported(forgeries.delete), "deleted"),
    "truncate": (exported(forgeries.truncate), "truncated"),
    "reorder": (exported(forgeries.reorder), "reordered"),
    "duplicate": (exported(forgeries.duplicate), "duplicate"),
    "insert": (exported(forgeries.insert), "inserted"),
    "forge inclusion": (forge_inclusion, "inclusion"),
    "forge consistency": (forge_consistency, "consistency"),
    "replay an old checkpoint": (replay, "replayed"),
    "fork": (fork, "witness_fork"),
    "roll back the whole disk": (put_the_disk_back, "witness_rolled_back"),
    "set the clock back": (set_the_clock_back, "deleted"),
}


def test_there_are_twelve() -> None:
    assert len(TWELVE) == 12


@pytest.mark.parametrize("attack", TWELVE)
def test_each_attack_is_found_and_named(watched: Watched, attack: str) -> None:
    act, kind = TWELVE[attack]
    found = act(watched)
    if isinstance(found, str):
        assert found == kind
    else:
        assert found.code == 1
        assert kind in found.kinds, found.told


def test_keys_of_witnesses_are_read_strictly() -> None:
    key = notes.verifier_key(NAME, bytes(32), notes.COSIGNATURE)
    assert notes.read_verifier_key(f" {key}\n") == (NAME, notes.COSIGNATURE, bytes(32))
    for bad in ("", "x", key[:-4], key.replace(NAME, "other"), f"+{key}", encoding.encode({}).decode()):
        with pytest.raises(PaiError):
            notes.read_verifier_key(bad)
