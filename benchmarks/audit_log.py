"""A log of many events for the benchmarks, on a real storage with the keystore as a process; kept between runs, and grown to the size."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pai.adapters.cryptography.keystore_process import start_keystore
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.storage.audit_rows import AuditKeys
from pai.adapters.storage.storage import Storage
from pai.bootstrap.telemetry import child_environment
from pai.core.knowledge.events import QuestionAsked
from pai.foundation.actor import Actor, ActorKind, Role
from pai.foundation.labels import Label
from pai.foundation.redaction import Secret
from pai.foundation.refs import ModelRef, ResourceRef, SubjectRef

PASSPHRASE = Secret(b"a passphrase for benchmarks only")
SUBJECTS, DOCUMENTS, PEOPLE = 500, 5000, 40
AT_ONCE = 2000


@contextmanager
def opened(root: Path) -> Iterator[tuple[Storage, AuditKeys]]:
    """Open (or make) a log below a folder."""
    root.mkdir(parents=True, exist_ok=True)
    with start_keystore(root, child_environment()) as process:
        if process.client.status().created:
            process.client.open(PASSPHRASE)
        else:
            process.client.create(PASSPHRASE, "rfc9106-second")
        keys = AuditKeys(process.client, verify_signature, "pai.test/benchmark", root / "audit")
        storage = Storage(root, process.client.database_key(), keys)
        storage.migrate()
        try:
            yield storage, keys
        finally:
            storage.close()


def event(chance: random.Random) -> tuple[Actor, QuestionAsked]:
    """Return a question to a collection as the log has them: a person, two documents, two data subjects."""
    person = Actor(
        f"usr_{chance.randrange(PEOPLE):026}",
        "",
        ActorKind.PERSON,
        Role.MEMBER,
        session_id=f"ses_{chance.randrange(99):026}",
    )
    collection = f"col_{chance.randrange(20):026}"
    return person, QuestionAsked(
        resource=ResourceRef("collection", collection, person.id, Label.CONFIDENTIAL, "patient care"), purpose="patient care",
        label=Label.CONFIDENTIAL, model=ModelRef("qwen2.5-coder-1.5b-instruct", "ab" * 32),
        subjects=tuple(SubjectRef(f"sub_{one:026}") for one in chance.sample(range(SUBJECTS), 2)),
        documents=tuple(f"doc_{one:026}" for one in chance.sample(range(DOCUMENTS), 2)),
    )  # fmt: skip


def fill(storage: Storage, size: int) -> float:
    """Grow the log to ``size`` events, many in each transaction; return how many a second were added."""
    chance, began = random.Random(1), time.perf_counter()
    first = there = storage.read_sync(lambda unit: unit.audit.size())
    while there < size:
        count = min(AT_ONCE, size - there)

        def add(unit: Any, count: int = count) -> None:
            for _ in range(count):
                unit.audit.record(*event(chance))

        storage.run_sync(add)
        there += count
        if there % 50_000 == 0:
            print(f"  {there} events, {(there - first) / (time.perf_counter() - began):.0f} a second", flush=True)
    storage.run_sync(lambda unit: unit.audit.checkpoint())
    return (there - first) / (time.perf_counter() - began) if there > first else 0.0
