"""The known answers of docs/formats.md, so that neither the code nor the document can drift alone."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from pai.adapters.cryptography import aead, backup_pieces, members, passphrase, segments, signatures
from pai.core.audit import encoding, notes, tree
from pai.core.operations.backups import signed_text
from pai.foundation.redaction import Secret

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "formats.md"


def h(text: str) -> bytes:
    return bytes.fromhex(text)


@pytest.fixture(scope="module")
def vectors() -> Any:
    return json.loads(DOCUMENT.read_text().split("```json\n")[1].split("```")[0])


def test_record(vectors: Any) -> None:
    v = vectors["record"]
    key, purpose, associated = h(v["key"]), v["purpose"], h(v["associated"])
    sealed = aead.seal_record(key, h(v["plaintext"]), purpose=purpose, associated=associated, salt=h(v["salt"]))
    assert sealed.hex() == v["sealed"]
    assert aead.open_record(key, sealed, purpose=purpose, associated=associated).hex() == v["plaintext"]


def test_segments(vectors: Any) -> None:
    v = vectors["segments"]
    key, context, salt = h(v["key"]), v["context"], h(v["salt"])
    blob = b"".join(segments.encrypt_segments(key, [h(v["plaintext"])], context=context, salt=salt))
    assert blob.hex() == v["blob"]
    assert b"".join(segments.decrypt_segments(key, io.BytesIO(blob), context=context)).hex() == v["plaintext"]
    long = b"".join(segments.encrypt_segments(key, [bytes(70000)], context=context, salt=salt))
    assert hashlib.sha256(long).hexdigest() == v["sha256_of_blob_of_70000_zero_bytes"]


def test_recovery_code(vectors: Any) -> None:
    v = vectors["recovery_code"]
    assert passphrase.format_recovery_code(h(v["secret"])).reveal().decode() == v["code"]
    assert passphrase.read_recovery_code(Secret(v["code"].encode())).hex() == v["secret"]


@pytest.mark.real_argon2
def test_password_and_member_wrap(vectors: Any) -> None:
    v = vectors["password"]
    secret = Secret(v["password"].encode())
    keys = members.password_keys(passphrase.stretch(secret, h(v["salt"]), passphrase.PASSWORD_PROFILE), h(v["salt"]))
    assert (keys.verifier.hex(), keys.wrapping_key.hex()) == (v["verifier"], v["wrapping_key"])
    w = vectors["member_wrap"]
    member = members.unwrap_member(h(w["wrap"]), keys.wrapping_key, factor=w["factor"], bound_to=w["bound_to"])
    assert (member.user_id, member.private_key.hex()) == (w["bound_to"], w["private_key"])


def test_data_key_wrap(vectors: Any) -> None:
    v = vectors["data_key_wrap"]
    member = members.OpenMember("usr_1", bytearray(h(v["private_key"])))
    assert members.unwrap_data_key(member, v["context"], h(v["wrap"])).hex() == v["data_key"]
    fresh = members.wrap_data_key(h(v["data_key"]), v["context"], h(v["public_key"]))
    assert members.unwrap_data_key(member, v["context"], fresh).hex() == v["data_key"]


def test_audit_leaf(vectors: Any) -> None:
    v = vectors["audit_leaf"]
    leaf = encoding.leaf_of(h(v["salt"]), v["body"].encode())
    inner = hashlib.sha256(h(v["salt"]) + v["body"].encode()).digest()
    assert leaf.hex() == v["leaf_hash"] == hashlib.sha256(b"\x00\x01" + inner).hexdigest()


def test_checkpoint(vectors: Any) -> None:
    v = vectors["checkpoint"]
    assert signatures.public_key_of(h(v["seed"])).hex() == v["public_key"]
    note = notes.parse(v["note"])
    assert note.root == tree.leaf_hash(b"")
    (line,) = note.signatures
    assert note.signed_by(line.signer, h(v["public_key"]), signatures.verify_signature)
    again = signatures.sign_message(h(v["seed"]), note.text.encode())
    assert notes.signed(note.text, line.signer, h(v["public_key"]), again) == v["note"]


def test_backup_chunk(vectors: Any) -> None:
    v = vectors["backup_chunk"]
    secret = backup_pieces.chunk_secret(Secret(h(v["secret"])))
    assert backup_pieces.seal_chunk(secret, h(v["plaintext"])) == (v["sha256"], h(v["chunk"]))
    assert hashlib.sha256(h(v["chunk"])).hexdigest() == v["name"]
    assert backup_pieces.open_chunk(secret, v["sha256"], h(v["chunk"])) == h(v["plaintext"])


def test_backup_head(vectors: Any) -> None:
    v = vectors["backup_head"]
    parts = {name: backup_pieces.Part(0, "00" * 32) for name in backup_pieces.PARTS}
    head = backup_pieces.Head(
        format="pai-backup", version=1, id="bak_1", at="2026-01-31T09:00:00.000000Z", kept_until=None, files=1, bytes=5, parts=parts,
        signer=v["signer"],
    )  # fmt: skip
    assert head.digest() == v["digest"]
    assert signatures.sign_message(h(v["seed"]), signed_text(v["digest"])).hex() == v["signature"]


def test_record_of_a_later_key(vectors: Any) -> None:
    v = vectors["record_of_a_later_key"]
    keys, purpose, associated = [h(key) for key in v["keys"]], v["purpose"], h(v["associated"])
    sealed = aead.seal_versioned(keys, h(v["plaintext"]), purpose=purpose, associated=associated, salt=h(v["salt"]))
    assert sealed.hex() == v["sealed"]
    assert aead.open_versioned(keys, sealed, purpose=purpose, associated=associated).hex() == v["plaintext"]
