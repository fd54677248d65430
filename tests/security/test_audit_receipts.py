"""Receipts of answers: what they bind, what they do not tell, and that a forged one is found."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest

from audit_evidence import Log, verify
from fakes.receipts import RECEIPTS
from pai.adapters.cryptography import outside_verifier as outside
from pai.adapters.cryptography.signatures import new_signing_seed, public_key_of, sign_message, verify_signature
from pai.core.audit import encoding, notes, tree
from pai.core.audit.evidence import event_line
from pai.core.audit.receipts import MESSAGES, TEXT, Answered, Cited, Draft, bound, messages_request
from pai.core.audit.values import Event, Leaf
from pai.foundation.actor import OPERATOR
from pai.foundation.labels import Label
from pai.foundation.refs import ModelRef

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "audit.md"
QUESTION = "When is the follow-up?"
ANSWER = "On 12 June 2026 [1]."
ORIGINAL = b"Ada was discharged. The follow-up is on 12 June 2026."
SOURCE = Cited("doc_1", 2, hashlib.sha256(ORIGINAL).hexdigest(), "The follow-up is on 12 June 2026.")
MAKER = RECEIPTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Event):
    name: ClassVar[str] = "test:answer:give"
    receipt: str


def answered(**changes: Any) -> Answered:
    fields: dict[str, Any] = {
        "kind": "ask", "at": datetime(2026, 1, 31, 9, tzinfo=UTC), "request": QUESTION.encode(), "request_form": TEXT,
        "answer": ANSWER, "model": ModelRef("tiny", "cd" * 32), "permission": "knowledge:ask", "label": Label.CONFIDENTIAL,
        "purpose": "patient care", "sources": [SOURCE],
    }  # fmt: skip
    return Answered(**(fields | changes))


def issued(log: Log, draft: Draft) -> dict[str, Any]:
    def write(unit: Any) -> dict[str, Any]:
        return MAKER.issue(unit.audit, draft, unit.audit.record(OPERATOR, Told(receipt=draft.commitment)))

    found: dict[str, Any] = log.storage.run_sync(write)
    return found


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    log = Log(tmp_path_factory.mktemp("receipts") / "home")
    log.grow(5)
    receipt = issued(log, MAKER.draft(answered()))
    log.grow(3)
    other = issued(log, MAKER.draft(answered(answer="Never.")))
    yield {"log": log, "receipt": receipt, "other": other, "key": log.key}
    log.close()


@pytest.fixture
def texts(tmp_path: Path) -> list[str]:
    (tmp_path / "answer.txt").write_text(ANSWER + "\n")
    (tmp_path / "question.txt").write_text(f"  {QUESTION.replace(' ', '   ')}\n")
    (tmp_path / "letter.pdf").write_bytes(ORIGINAL)
    return ["--answer", "answer.txt", "--question", "question.txt", "--source", "letter.pdf"]


def checked(receipt: dict[str, Any], tmp_path: Path, *options: str) -> Any:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(receipt, indent=2))
    return verify(path, *options)


def test_a_receipt_holds_with_its_texts(given: dict[str, Any], texts: list[str], tmp_path: Path) -> None:
    verdict = checked(given["receipt"], tmp_path, "--key", given["key"], *texts)
    assert (verdict.code, verdict.told["errors"]) == (0, [])
    statement = verdict.told["receipt"]
    assert statement["model"] == {"name": "tiny", "sha256": "cd" * 32, "signed_by": MAKER.model_key}
    assert statement["policy"] == {"decision": "allow", "permission": "knowledge:ask", "policies_sha256": "ab" * 32}
    assert (statement["label"], statement["purpose"], statement["at"]) == (
        "confidential",
        "patient care",
        "2026-01-31T09:00:00.000000Z",
    )
    assert (statement["sources"][0]["document"], statement["sources"][0]["page"]) == ("doc_1", 2)


def test_other_texts_are_named(given: dict[str, Any], texts: list[str], tmp_path: Path) -> None:
    for name, kind in (("answer.txt", "answer"), ("question.txt", "question"), ("letter.pdf", "source")):
        kept = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(kept.replace(b"2026", b"2027").replace(b"When", b"Why"))
        verdict = checked(given["receipt"], tmp_path, "--key", given["key"], *texts)
        assert (verdict.code, verdict.kinds) == (1, {kind})
        (tmp_path / name).write_bytes(kept)


def test_a_receipt_tells_no_text_and_no_hash_that_can_be_guessed(given: dict[str, Any]) -> None:
    whole = json.dumps(given["receipt"]) + given["receipt"]["note"]
    for text in (QUESTION, ANSWER, SOURCE.quote, ORIGINAL.decode()):
        raw = text.encode()
        for found in (
            raw.decode(),
            hashlib.sha256(raw).hexdigest(),
            base64.b64encode(raw).decode(),
            hashlib.md5(raw).hexdigest(),
        ):
            assert found not in whole
    assert SOURCE.sha256 not in whole
    again = MAKER.draft(answered()).text
    assert json.loads(again.splitlines()[1])["answer"] != json.loads(given["receipt"]["note"].splitlines()[1])["answer"]
    log: Log = given["log"]
    event = log.storage.read_sync(lambda unit: unit.audit.leaves(5, 1))[0]
    openings = given["receipt"]["openings"]
    kept = [openings["answer"], openings["request"], *openings["sources"], *openings["quotes"]]
    assert not any(one.encode() in event.body for one in kept), "who reads the log cannot test guesses"


def test_shown_without_openings_it_still_holds_and_tests_no_guess(
    given: dict[str, Any], texts: list[str], tmp_path: Path
) -> None:
    shut = {name: value for name, value in given["receipt"].items() if name != "openings"}
    assert checked(shut, tmp_path, "--key", given["key"]).code == 0
    verdict = checked(shut, tmp_path, "--key", given["key"], *texts)
    assert (verdict.code, verdict.kinds) == (1, {"answer", "question", "source"})
    assert "lacks what opens it" in verdict.told["errors"][0]["hint"]
    part = copy.deepcopy(given["receipt"])
    del part["openings"]["request"]
    assert checked(part, tmp_path, "--key", given["key"], *texts).kinds == {"question"}


def forged(receipt: dict[str, Any], other: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], set[str]]]:
    def changed(**parts: Any) -> dict[str, Any]:
        return copy.deepcopy(receipt) | parts

    note = receipt["note"]
    yield "another model", changed(note=note.replace('"tiny"', '"huge"')), {"signature"}
    yield "another label", changed(note=note.replace('"confidential"', '"public"')), {"signature"}
    yield "another time", changed(note=note.replace("2026-01-31", "2026-01-30")), {"signature"}
    yield "another decision", changed(note=note.replace("knowledge:ask", "models:list")), {"signature"}
    yield "the statement of another answer", changed(note=other["note"]), {"receipt"}
    event = copy.deepcopy(receipt["event"])
    event["body"]["receipt"] = hashlib.sha256(other["note"].split("\n\n")[0].encode() + b"\n").hexdigest()
    yield "and the event changed to fit", changed(note=other["note"], event=event), {"inclusion"}
    yield (
        "the place of another answer",
        changed(event=other["event"], path=other["path"], checkpoint=other["checkpoint"]),
        {"receipt"},
    )
    yield "no place in the log", changed(path=[]), {"inclusion"}
    yield "a head of another size", changed(checkpoint=other["checkpoint"]), {"inclusion"}
    yield "a checkpoint for a receipt", changed(note=receipt["checkpoint"]), {"format"}
    yield "a receipt for a checkpoint", changed(checkpoint=note), {"note"}


def test_a_forged_receipt_is_named(given: dict[str, Any], tmp_path: Path) -> None:
    for name, receipt, kinds in forged(given["receipt"], given["other"]):
        verdict = checked(receipt, tmp_path, "--key", given["key"])
        assert (name, verdict.code, verdict.kinds) == (name, 1, kinds)


def test_openings_of_another_answer_open_nothing(given: dict[str, Any], texts: list[str], tmp_path: Path) -> None:
    swapped = given["receipt"] | {"openings": given["other"]["openings"]}
    assert checked(swapped, tmp_path, "--key", given["key"], *texts).kinds == {"answer", "question", "source"}
    short = copy.deepcopy(given["receipt"])
    short["openings"]["answer"] = short["openings"]["answer"][:-2]
    assert checked(short, tmp_path, "--key", given["key"], *texts).kinds == {"answer"}, (
        "keys have 32 bytes: none can be padded"
    )


def test_a_receipt_made_whole_by_somebody_else_is_of_another_key(given: dict[str, Any], tmp_path: Path) -> None:
    seed = new_signing_seed()
    key = notes.verifier_key("pai-audit", public_key_of(seed))

    def signed(text: str) -> str:
        return notes.signed(text, "pai-audit", public_key_of(seed), sign_message(seed, text.encode()))

    draft = MAKER.draft(answered(answer="I said so."))
    body = {**given["receipt"]["event"]["body"], "receipt": draft.commitment}
    salt = bytes(16)
    root = encoding.leaf_of(salt, encoding.encode(body))
    receipt = {
        "format": "pai-receipt", "version": 1, "key": key, "note": signed(draft.text), "openings": draft.openings, "path": [],
        "event": {"index": 0, "salt": salt.hex(), "body": body}, "checkpoint": signed(notes.note_text("x", 1, tree.root([root]))),
    }  # fmt: skip
    assert checked(receipt, tmp_path).code == 3, "alone it holds together, and says that no key was given"
    assert checked(receipt, tmp_path, "--key", given["key"]).kinds == {"key"}
    assert checked(receipt | {"key": given["key"]}, tmp_path, "--key", given["key"]).kinds == {"signature"}


def test_a_receipt_shows_a_log_that_was_rolled_back(given: dict[str, Any], tmp_path: Path) -> None:
    """Its checkpoint is one that the person keeps: a log that does not continue it is found."""
    (tmp_path / "kept.note").write_text(given["other"]["checkpoint"])
    old = Log(tmp_path / "old")
    old.grow(20)
    path = tmp_path / "log.jsonl"
    path.write_text("".join(old.lines()))
    old.close()
    assert verify(path, "--key", given["key"], "--checkpoint", "kept.note").kinds == {"key"}
    earlier = checked(given["receipt"], tmp_path, "--key", given["key"], "--checkpoint", "kept.note")
    assert (earlier.code, earlier.kinds) == (1, {"replayed"})


def test_chats_are_bound_by_all_their_messages(given: dict[str, Any], tmp_path: Path) -> None:
    said = [
        ("system", "Be short.", ()),
        ("user", "Grüße?\n", ()),
        ("assistant", "Hello.", ()),
        ("user", "And now?", ()),
    ]
    draft = MAKER.draft(answered(kind="chat", request=messages_request(said), request_form=MESSAGES, sources=()))
    receipt = issued(given["log"], draft)
    told = [{"role": role, "content": text} for role, text, _ in said]
    (tmp_path / "messages.json").write_text(json.dumps(told, indent=1, ensure_ascii=False))
    assert checked(receipt, tmp_path, "--key", given["key"], "--question", "messages.json").code == 0
    (tmp_path / "messages.json").write_text(json.dumps(told[1:]))
    assert checked(receipt, tmp_path, "--key", given["key"], "--question", "messages.json").kinds == {"question"}


def test_the_vectors_of_the_document() -> None:
    """Neither docs/audit.md, nor PAI, nor the outside verifier can drift alone."""
    v = json.loads(DOCUMENT.read_text("utf-8").split("```json\n")[1].split("```")[0])
    binding = v["binding"]
    text = binding["text"].encode()
    assert bound(bytes.fromhex(binding["key"]), text) == binding["bound"]
    assert outside.binds(binding["bound"], binding["key"], text)
    assert not outside.binds(binding["bound"], binding["key"] + "00", text)
    key = v["verifier_key"]
    assert notes.verifier_key(key["name"], bytes.fromhex(key["public_key"])) == key["key"]
    assert outside.Key(key["key"]).id == notes.key_hash(key["name"], bytes.fromhex(key["public_key"]))
    seen = v["cosignature"]
    seed = bytes.fromhex(seen["seed"])
    note, public = notes.parse(seen["note"]), public_key_of(seed)
    assert note.cosigned_by(seen["witness"], public, verify_signature) == seen["time"]
    assert note.signed_by("pai-audit", public, verify_signature)
    again = sign_message(seed, notes.cosignature_message(note.text, seen["time"]))
    assert notes.cosigned(seen["note"], seen["witness"], public, seen["time"], again) == seen["note"]
    witness = outside.Key(notes.verifier_key(seen["witness"], public, notes.COSIGNATURE))
    assert outside.Checkpoint(seen["note"], outside.Key(key["key"])).signed_by(witness) == seen["time"]
    line = v["event_line"]
    assert event_line(Leaf(line["index"], bytes.fromhex(line["salt"]), line["body"].encode())) == line["line"]
    assert outside.EVENT.fullmatch(line["line"].encode())
