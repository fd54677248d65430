"""Evidence that was tampered with is found by the outside verifier, and what was done is named."""

from __future__ import annotations

import base64
import copy
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audit_evidence import VERIFIER, Forgery, Log, renumbered, verify, written
from pai.adapters.cryptography.signatures import new_signing_seed, public_key_of, sign_message
from pai.core.audit import encoding, notes, tree
from pai.core.audit.values import ClockSetBack
from pai.foundation.actor import OPERATOR
from pai.foundation.errors import Corrupt


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """An export of a log with kept checkpoints at 40 and 90, the checkpoint at 40 as kept by an auditor, proofs."""
    folder = tmp_path_factory.mktemp("evidence")
    log = Log(folder / "home")
    log.grow(40)
    held = log.checkpoint(folder / "held.note").read_text()
    log.grow(50)
    log.checkpoint(folder / "later.note")
    log.grow(20)
    header, *lines = log.lines()
    yield {
        "log": log, "header": header, "events": [json.loads(line) for line in lines], "raw": [header, *lines], "held": held,
        "later": (folder / "later.note").read_text(), "key": log.key, "inclusion": log.prove(17), "growth": log.prove_growth(held),
    }  # fmt: skip
    log.close()


def test_an_honest_export_holds(given: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text("".join(given["raw"]))
    (tmp_path / "held.note").write_text(given["held"])
    verdict = verify(path, "--key", given["key"], "--checkpoint", "held.note")
    assert (verdict.code, verdict.told["errors"]) == (0, [])
    assert verdict.told["events"] == len(given["events"]) == verdict.told["size"]
    assert verdict.told["erased"] == 0
    alone = verify(path)
    assert (alone.code, alone.told["ok"], alone.told["key_given"]) == (3, True, False)


def edit(events: list[dict[str, Any]]) -> None:
    events[55]["body"]["actor"]["id"] = "somebody else"


def truncate(events: list[dict[str, Any]]) -> None:
    del events[70:]


def delete(events: list[dict[str, Any]]) -> None:
    del events[30]


def delete_and_renumber(events: list[dict[str, Any]]) -> None:
    delete(events)
    renumbered(events)


def reorder(events: list[dict[str, Any]]) -> None:
    events[20], events[21] = events[21], events[20]


def reorder_and_renumber(events: list[dict[str, Any]]) -> None:
    events[20], events[80] = events[80], events[20]
    renumbered(events)


def duplicate(events: list[dict[str, Any]]) -> None:
    events.insert(21, copy.deepcopy(events[20]))


def duplicate_and_renumber(events: list[dict[str, Any]]) -> None:
    events.append(copy.deepcopy(events[20]))
    renumbered(events)


def insert(events: list[dict[str, Any]]) -> None:
    made = copy.deepcopy(events[20])
    made["salt"] = "00" * 16
    events.insert(21, made)
    renumbered(events)


def salt(events: list[dict[str, Any]]) -> None:
    events[3]["salt"] = "00" * 16


def hide_a_body(events: list[dict[str, Any]]) -> None:
    """The leaf of another event in the place of one whose body is kept back."""
    events[3] = {"index": 3, "leaf": "11" * 32}


FORGERIES: dict[str, tuple[Forgery, str]] = {
    "an event edited": (edit, "edited"),
    "a salt edited": (salt, "edited"),
    "a body kept back with a false leaf": (hide_a_body, "edited"),
    "the end cut off": (truncate, "truncated"),
    "an event deleted": (delete, "deleted"),
    "an event deleted, the rest renumbered": (delete_and_renumber, "deleted"),
    "two events reordered": (reorder, "reordered"),
    "two events reordered and renumbered": (reorder_and_renumber, "edited"),
    "an event twice": (duplicate, "duplicate"),
    "an event twice, renumbered": (duplicate_and_renumber, "duplicate"),
    "an event inserted": (insert, "inserted"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_export_is_found_and_named(given: dict[str, Any], tmp_path: Path, forgery: str) -> None:
    act, kind = FORGERIES[forgery]
    events = copy.deepcopy(given["events"])
    act(events)
    verdict = verify(written(tmp_path / "log.jsonl", given["header"], events), "--key", given["key"])
    assert verdict.code == 1
    assert kind in verdict.kinds, verdict.told


def test_events_that_are_seconds_apart_betray_a_new_order(tmp_path: Path) -> None:
    log = Log(tmp_path / "home")
    for minute in range(6):
        log.home.clock = datetime(2026, 1, 31, 9, minute, tzinfo=UTC)
        log.grow(1)
    header, *lines = log.lines()
    log.close()
    events = [json.loads(line) for line in lines]
    events[1], events[4] = events[4], events[1]
    renumbered(events)
    verdict = verify(written(tmp_path / "log.jsonl", header, events), "--key", json.loads(header)["key"])
    assert (verdict.code, [(one["kind"], one["index"]) for one in verdict.told["errors"]][:1]) == (
        1,
        [("reordered", 2)],
    )


def test_an_erased_body_leaves_the_log_whole(given: dict[str, Any], tmp_path: Path) -> None:
    events = copy.deepcopy(given["events"])
    erased = events[7]
    leaf = encoding.leaf_of(bytes.fromhex(erased["salt"]), encoding.encode(erased["body"]))
    events[7] = {"index": 7, "leaf": leaf.hex()}
    verdict = verify(written(tmp_path / "log.jsonl", given["header"], events), "--key", given["key"])
    assert (verdict.code, verdict.told["erased"]) == (0, 1)


def test_an_edit_is_narrowed_down_by_the_checkpoints_between(given: dict[str, Any], tmp_path: Path) -> None:
    events = copy.deepcopy(given["events"])
    edit(events)
    verdict = verify(written(tmp_path / "log.jsonl", given["header"], events), "--key", given["key"])
    assert ("edited", 90) in {(one["kind"], one["index"]) for one in verdict.told["errors"]}


def other_log(given: dict[str, Any], folder: Path) -> tuple[str, list[str]]:
    """Return the key and the export of another installation's log, honest in itself."""
    log = Log(folder / "other")
    log.grow(110)
    lines = log.lines()
    key = log.key
    log.close()
    return key, lines


def test_a_log_signed_with_another_key_is_found(given: dict[str, Any], tmp_path: Path) -> None:
    _, lines = other_log(given, tmp_path)
    path = tmp_path / "log.jsonl"
    path.write_text("".join(lines))
    assert verify(path, "--key", given["key"]).kinds == {"key"}
    header = json.loads(lines[0])
    header["key"] = given["key"]
    path.write_text("".join([encoding.encode(header).decode() + "\n", *lines[1:]]))
    assert verify(path, "--key", given["key"]).kinds == {"signature"}


def test_an_old_state_is_found_by_whoever_kept_a_newer_checkpoint(given: dict[str, Any], tmp_path: Path) -> None:
    """The newest events are cut off, and an old checkpoint, rightly signed, is shown for them."""
    header = json.loads(given["header"])
    header |= {"checkpoint": given["held"], "checkpoints": [], "consistency": []}
    path = written(tmp_path / "log.jsonl", encoding.encode(header).decode() + "\n", given["events"][:40])
    assert verify(path, "--key", given["key"]).code == 0, "alone it cannot be told from an honest export of then"
    (tmp_path / "later.note").write_text(given["later"])
    verdict = verify(path, "--key", given["key"], "--checkpoint", "later.note")
    assert (verdict.code, verdict.kinds) == (1, {"replayed"})


def test_two_logs_with_one_key_are_found(given: dict[str, Any], tmp_path: Path) -> None:
    """The whole home is put back, outside checkpoints too, and another past is written and signed with the same key."""
    log = Log(tmp_path / "home")
    log.grow(10)
    log.home.close()
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    again = Log(tmp_path / "home")
    again.grow(5)
    held = again.checkpoint(tmp_path / "kept.note").read_text()
    again.close()
    fork = Log(tmp_path / "copy")
    fork.grow(7)
    with pytest.raises(Corrupt) as refused:
        fork.prove_growth(held)
    assert refused.value.code == "audit_forked"
    path = tmp_path / "log.jsonl"
    path.write_text("".join(fork.lines()))
    key = fork.key
    fork.close()
    assert verify(path, "--key", key).code == 0
    verdict = verify(path, "--key", key, "--checkpoint", "kept.note")
    assert (verdict.code, verdict.kinds) == (1, {"fork"})


def test_a_checkpoint_beside_is_compared_alone_too(given: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "held.note").write_text(given["held"])
    (tmp_path / "later.note").write_text(given["later"])
    good = verify(tmp_path / "later.note", "--key", given["key"], "--checkpoint", "held.note")
    assert (good.code, good.told["size"]) == (0, 90)
    bad = verify(tmp_path / "held.note", "--key", given["key"], "--checkpoint", "later.note")
    assert (bad.code, bad.kinds) == (1, {"replayed"})
    assert verify(tmp_path / "held.note").kinds == {"key"}
    (tmp_path / "forged.note").write_text(given["held"].replace("\n40\n", "\n41\n"))
    assert verify(tmp_path / "forged.note", "--key", given["key"]).kinds == {"signature"}


def inclusion_forgeries(given: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    proof = given["inclusion"]

    def changed(**parts: Any) -> dict[str, Any]:
        return copy.deepcopy(proof) | parts

    def event(**parts: Any) -> dict[str, Any]:
        return changed(event=copy.deepcopy(proof["event"]) | parts)

    zero = base64.b64encode(bytes(32)).decode()
    yield "another body", event(body=proof["event"]["body"] | {"n": 999})
    yield "another salt", event(salt="00" * 16)
    yield "another index", event(index=18)
    yield "an index outside", event(index=10_000)
    yield "an index below", event(index=-1)
    yield "a step exchanged", changed(path=[zero, *proof["path"][1:]])
    yield "a step left out", changed(path=proof["path"][1:])
    yield "a step too many", changed(path=[*proof["path"], zero])
    yield "no step", changed(path=[])
    yield "the steps reversed", changed(path=proof["path"][::-1])


def test_a_proof_of_inclusion_holds_and_each_forged_one_is_named(given: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    path.write_text(json.dumps(given["inclusion"], indent=2))
    good = verify(path, "--key", given["key"])
    assert (good.code, good.told["index"], good.told["event"]["n"]) == (0, 17, 17)
    for name, forged in inclusion_forgeries(given):
        path.write_text(json.dumps(forged))
        verdict = verify(path, "--key", given["key"])
        assert (name, verdict.code, verdict.kinds) == (name, 1, {"inclusion"})
    path.write_text(json.dumps(copy.deepcopy(given["inclusion"]) | {"checkpoint": given["held"]}))
    assert verify(path, "--key", given["key"]).kinds == {"inclusion"}, "the head of another size"


def test_a_proof_of_growth_holds_and_each_forged_one_is_named(given: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "proof.json"
    proof = given["growth"]
    path.write_text(json.dumps(proof))
    good = verify(path, "--key", given["key"])
    assert (good.code, good.told["since"]) == (0, 40)
    zero = base64.b64encode(bytes(32)).decode()
    for parts in (
        {"path": [zero, *proof["path"][1:]]}, {"path": proof["path"][1:]}, {"path": [*proof["path"], zero]}, {"path": []},
        {"path": proof["path"][::-1]}, {"old": given["later"]},
    ):  # fmt: skip
        path.write_text(json.dumps(proof | parts))
        verdict = verify(path, "--key", given["key"])
        assert (verdict.code, verdict.kinds) == (1, {"consistency"}), parts
    path.write_text(json.dumps(proof | {"old": proof["new"], "new": proof["old"]}))
    assert verify(path, "--key", given["key"]).kinds == {"replayed"}


def test_a_rewritten_past_has_no_proof_of_growth(given: dict[str, Any], tmp_path: Path) -> None:
    """The forger holds the key and signs two heads; the proof between them is what cannot be made."""
    seed = new_signing_seed()
    key = notes.verifier_key("pai-audit", public_key_of(seed))
    leaves = [tree.leaf_hash(bytes([n])) for n in range(12)]
    rewritten = [tree.leaf_hash(b"changed"), *leaves[1:]]

    def head(hashes: list[bytes]) -> str:
        text = notes.note_text("pai.test/forger", len(hashes), tree.root(hashes))
        return notes.signed(text, "pai-audit", public_key_of(seed), sign_message(seed, text.encode()))

    path = tmp_path / "proof.json"
    for hashes, code in ((leaves, 0), (rewritten, 1)):
        steps = tree.consistency_proof(tree.nodes_of(hashes), 12, 7)
        value = {
            "format": "pai-audit-consistency", "version": 1, "key": key, "old": head(leaves[:7]), "new": head(hashes),
            "path": [base64.b64encode(one).decode() for one in steps],
        }  # fmt: skip
        path.write_text(json.dumps(value))
        verdict = verify(path, "--key", key)
        assert (verdict.code, verdict.kinds) == (code, {"consistency"} if code else set())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64, 300])
def test_every_proof_agrees_with_the_other_implementation(size: int) -> None:
    """The verifier's own arithmetic against PAI's, over all leaves and earlier sizes (some, of the large ones)."""
    from pai.adapters.cryptography import outside_verifier as outside

    leaves = [tree.leaf_hash(n.to_bytes(2, "big")) for n in range(size)]
    nodes, root = tree.nodes_of(leaves), tree.root(leaves)
    for n in range(0, size, 1 if size < 100 else 13):
        path = tree.inclusion_proof(nodes, size, n)
        outside.check_inclusion(leaves[n], n, size, path, root)
        with pytest.raises(outside.Broken):
            outside.check_inclusion(bytes(32), n, size, path, root)
        growth = tree.consistency_proof(nodes, size, n + 1)
        outside.check_consistency(n + 1, size, growth, tree.root(leaves[: n + 1]), root)
        with pytest.raises(outside.Broken):
            outside.check_consistency(n + 1, size, growth, bytes(32), root)


def test_a_clock_set_back_is_told(tmp_path: Path) -> None:
    log = Log(tmp_path / "home")
    log.grow(3)
    log.home.clock = datetime(2020, 1, 1, tzinfo=UTC)
    log.grow(2)
    path = tmp_path / "log.jsonl"
    path.write_text("".join(log.lines()))
    verdict = verify(path, "--key", log.key)
    log.close()
    assert verdict.code == 0
    assert [(one["kind"], one["index"]) for one in verdict.told["notices"]] == [("clock", 3)]
    assert ClockSetBack.name in path.read_text()


def test_nonsense_is_refused_with_a_sentence(given: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "thing.json"
    for text in ("{}", "[]", '{"format":"pai-audit-inclusion","version":1}', "", "{", '{"format":"pai-receipt","version":1,"key":5}',
                 '{"format":"x","format":"pai-audit-inclusion"}', "\x00" * 50, '{"format":"pai-audit-export","version":2}\n'):  # fmt: skip
        path.write_text(text)
        verdict = verify(path, "--key", given["key"])
        assert verdict.code == 1, text
        assert verdict.told["errors"][0]["hint"]


def test_looking_and_handing_out_are_in_the_log(given: dict[str, Any]) -> None:
    """Every page and every proof, before it was given out."""
    log: Log = given["log"]
    found = log.storage.read_sync(lambda unit: unit.audit.leaves(0, 1000))
    bodies = [encoding.decode(leaf.body) for leaf in found]
    told = [(one["first"], one["events"]) for one in bodies if one["name"] == "audit:log:export"]
    size = notes.parse(json.loads(given["header"])["checkpoint"]).size
    assert told[: -(-size // 100)] == [(first, min(100, size - first)) for first in range(0, size, 100)]
    proved = [(one["event"], one["since"]) for one in bodies if one["name"] == "audit:log:prove"]
    assert proved[:2] == [(17, None), (None, 40)]
    assert all(one["actor"]["id"] == OPERATOR.id for one in bodies if one["name"].startswith("audit:log:"))


def test_the_verifier_is_written_for_people_too(given: dict[str, Any], tmp_path: Path) -> None:
    events = copy.deepcopy(given["events"])
    edit(events)
    path = written(tmp_path / "log.jsonl", given["header"], events)
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(path), "--key", given["key"]],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("BROKEN\n  edited at 90: an event before 90 is not the one that was signed")
    wrong = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(tmp_path / "nothing")], capture_output=True, text=True, check=False
    )
    assert (wrong.returncode, wrong.stdout) == (2, "")
