"""Evidence as files for outsiders: exports and proofs (docs/audit.md), pure. What they say is checked by the outside verifier."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pai.core.audit import encoding
from pai.core.audit.values import Checkpoint, Inclusion, Leaf

VERSION: Final = 1


def texts(path: Sequence[bytes]) -> list[str]:
    """Return hashes in base64."""
    return [base64.b64encode(one).decode() for one in path]


def export_header(
    key: str, newest: Checkpoint, older: Sequence[Checkpoint], growth: Mapping[int, Sequence[bytes]]
) -> str:
    """Return the first line of an export: the newest checkpoint, the ones before, and for each the proof that the log only grew."""
    value = {
        "format": "pai-audit-export", "version": VERSION, "key": key, "checkpoint": newest.note,
        "checkpoints": [one.note for one in older],
        "consistency": [{"size": size, "path": texts(path)} for size, path in sorted(growth.items())],
    }  # fmt: skip
    return encoding.encode(value).decode() + "\n"


def event_line(leaf: Leaf) -> str:
    """Return the line of an event. The body stands in it byte for byte as it is hashed, so a reader need not encode it anew."""
    return f'{{"body":{leaf.body.decode()},"index":{leaf.index},"salt":"{leaf.salt.hex()}"}}\n'


def inclusion_value(key: str, proof: Inclusion) -> dict[str, Any]:
    """Return the proof that an event stands in the log, as JSON."""
    return {
        "format": "pai-audit-inclusion", "version": VERSION, "key": key,
        "event": {"index": proof.leaf.index, "salt": proof.leaf.salt.hex(), "body": encoding.decode(proof.leaf.body)},
        "path": texts(proof.path), "checkpoint": proof.checkpoint.note,
    }  # fmt: skip


def consistency_value(key: str, old: str, new: Checkpoint, path: Sequence[bytes]) -> dict[str, Any]:
    """Return the proof that the log only grew since the checkpoint ``old``, as JSON."""
    return {
        "format": "pai-audit-consistency", "version": VERSION, "key": key, "old": old, "new": new.note, "path": texts(path),
    }  # fmt: skip
