"""The needs of the knowledge room, in memory. Units commit nothing and roll nothing back; contract tests cover the real ones."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from pai.adapters.cryptography.signatures import new_signing_seed, public_key_of, sign_message
from pai.core.audit import encoding, notes, tree
from pai.core.audit.values import Checkpoint, Event, Leaf
from pai.core.keys.values import KeyWrap, NewDataKey
from pai.core.knowledge.values import Chunk, Collection, Document, Job, JobItem, JobState, Share
from pai.core.policy.values import Permission
from pai.core.privacy.values import Subject, SubjectLink
from pai.foundation.actor import Actor
from pai.foundation.errors import Denied, Unauthenticated, Unavailable
from pai.foundation.redaction import Secret
from pai.foundation.refs import ResourceRef

Result = TypeVar("Result")
NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)


class StillClock:
    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0


class OwnerPolicy:
    """Owners may do all, those it is shared with may read and ask."""

    def decide(
        self, actor: Actor, permission: Permission, resource: ResourceRef, *, purpose: str | None = None
    ) -> None:
        shared = actor.id in {one.user for one in resource.shares} and permission in {
            Permission.ASK,
            Permission.COLLECTION_READ,
        }
        if resource.owner not in {None, actor.id} and not shared:
            raise Denied("no policy allows it")


class OpenKeystore:
    """Wraps are the key itself; a grant opens for its own job only."""

    def new_data_key(self, context: str, recipients: Sequence[bytes]) -> NewDataKey:
        key = hashlib.sha256(context.encode()).digest()
        return NewDataKey(Secret(key), tuple(key for _ in recipients))

    def open_data_key(self, handle: str, context: str, wrap: bytes) -> Secret:
        return Secret(wrap)

    def share_data_key(self, handle: str, context: str, wrap: bytes, recipient: bytes) -> bytes:
        return wrap

    def grant_to_job(self, handle: str, context: str, wrap: bytes, *, job_id: str, expires_at: datetime) -> bytes:
        return f"{job_id}|".encode() + wrap

    def open_job_grant(self, context: str, grant: bytes, *, job_id: str) -> Secret:
        owner, _, key = grant.partition(b"|")
        if owner.decode() != job_id:
            raise Unauthenticated("the grant is for another job")
        return Secret(key)


@dataclass
class MemoryOriginals:
    blobs: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def write(self, collection_id: str, blob_id: str, key: Secret, data: Iterable[bytes]) -> tuple[int, str]:
        whole = b"".join(data)
        self.blobs[collection_id, blob_id] = whole
        return len(whole), hashlib.sha256(whole).hexdigest()

    def read(self, collection_id: str, blob_id: str, key: Secret) -> Iterator[bytes]:
        yield self.blobs[collection_id, blob_id]

    def remove(self, collection_id: str, blob_id: str) -> None:
        self.blobs.pop((collection_id, blob_id), None)

    def blob_ids(self, collection_id: str) -> Sequence[str]:
        return sorted(blob for owner, blob in self.blobs if owner == collection_id)


@dataclass
class Disk:
    full: bool = False

    def require(self) -> None:
        if self.full:
            raise Unavailable("the disk is full", code="disk_full")


class Store:
    """A collection's file: word search by shared words, cosine by the dot product of the given vectors."""

    def __init__(self) -> None:
        self.passages: dict[str, Chunk] = {}
        self.vectors: dict[str, bytes] = {}
        self.documents: dict[str, tuple[str, str]] = {}
        self.kept: dict[tuple[str, int], JobItem] = {}

    def put_document(
        self, document_id: str, name: str, blob_id: str, chunks: Sequence[Chunk], vectors: Sequence[bytes]
    ) -> None:
        self.documents[document_id] = (name, blob_id)
        for chunk, vector in zip(chunks, vectors, strict=True):
            self.passages[chunk.id], self.vectors[chunk.id] = chunk, vector

    def remove_document(self, document_id: str) -> None:
        self.documents.pop(document_id)
        self.passages = {k: c for k, c in self.passages.items() if c.document_id != document_id}

    def document_ids(self) -> Sequence[str]:
        return list(self.documents)

    def name(self, document_id: str) -> str:
        return self.documents[document_id][0]

    def blob_id(self, document_id: str) -> str:
        return self.documents[document_id][1]

    def names(self) -> dict[str, str]:
        return {document: name for document, (name, _) in self.documents.items()}

    def search_text(self, query: str, limit: int) -> Sequence[str]:
        words = set(query.lower().split())
        counts = {k: sum(word in c.text.lower() for word in words) for k, c in self.passages.items()}
        return [k for k in sorted(counts, key=lambda k: -counts[k]) if counts[k]][:limit]

    def search_vector(self, vector: bytes, limit: int) -> Sequence[tuple[str, float]]:
        asked = memoryview(vector).cast("f")
        scores = {
            k: sum(a * b for a, b in zip(asked, memoryview(v).cast("f"), strict=True)) for k, v in self.vectors.items()
        }
        return sorted(scores.items(), key=lambda item: -item[1])[:limit]

    def similarities(self, vector: bytes, chunk_ids: Sequence[str]) -> dict[str, float]:
        return {k: s for k, s in self.search_vector(vector, 1000) if k in set(chunk_ids)}

    def chunks(self, chunk_ids: Sequence[str]) -> Sequence[Chunk]:
        return [self.passages[k] for k in chunk_ids if k in self.passages]

    def chunks_of(self, document_id: str) -> Sequence[Chunk]:
        return [c for c in self.passages.values() if c.document_id == document_id]

    def put_items(self, items: Sequence[JobItem]) -> None:
        self.kept |= {(item.job_id, item.n): item for item in items}

    def items(self, job_id: str) -> Sequence[JobItem]:
        return [item for (job, _), item in sorted(self.kept.items()) if job == job_id]

    def update_item(self, item: JobItem) -> None:
        self.put_items([item])

    def items_of(self, blob_id: str, digest: str) -> Sequence[JobItem]:
        found = [item for item in self.kept.values() if item.blob_id == blob_id or item.digest == digest]
        return sorted(found, key=lambda item: item.job_id, reverse=True)

    def original_ids(self) -> set[str]:
        return {blob_id for _, blob_id in self.documents.values()}


class Wraps:
    def __init__(self) -> None:
        self.held: dict[tuple[str, str], KeyWrap] = {}

    def add_key_wrap(self, wrap: KeyWrap) -> None:
        self.held[wrap.resource, wrap.recipient] = wrap

    def key_wrap(self, resource: str, recipient: str) -> KeyWrap | None:
        return self.held.get((resource, recipient))

    def remove_key_wraps(self, resource: str, recipient: str | None = None) -> None:
        self.held = {k: w for k, w in self.held.items() if k[0] != resource or recipient not in {None, k[1]}}


class Trail:
    """The log in memory: the same leaves and the same tree, signed with a key of its own."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Event]] = []
        self.kept: list[Leaf] = []
        self.seed = new_signing_seed()

    def record(self, actor: Actor, event: Event) -> int:
        self.events.append((actor.id, event))
        body = encoding.encode(encoding.body_of(actor, event, datetime.now(UTC)))
        self.kept.append(Leaf(len(self.kept), os.urandom(encoding.SALT_BYTES), body))
        return len(self.kept) - 1

    def leaves(self, first: int, count: int) -> list[Leaf]:
        return self.kept[first : first + count]

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return tree.inclusion_proof(tree.nodes_of(self._hashes[:size]), size, index)

    @property
    def _hashes(self) -> list[bytes]:
        return [encoding.leaf_of(leaf.salt, leaf.body) for leaf in self.kept]

    def head(self) -> Checkpoint:
        root = tree.root(self._hashes)
        note = self.sign_receipt(notes.note_text("memory.test/log", len(self.kept), root))
        return Checkpoint(len(self.kept), base64.b64encode(root).decode(), note, datetime.now(UTC))

    def sign_receipt(self, text: str) -> str:
        return notes.signed(text, "memory", public_key_of(self.seed), sign_message(self.seed, text.encode()))

    def verifier_key(self) -> str:
        return notes.verifier_key("memory", public_key_of(self.seed))

    def named(self, name: str) -> list[Any]:
        return [event for _, event in self.events if event.name == name]


class Subjects:
    def __init__(self) -> None:
        self.held: dict[str, Subject] = {}
        self.links: list[SubjectLink] = []

    def add(self, subject: Subject) -> None:
        self.held[subject.name] = subject

    def find(self, name_or_alias: str) -> Subject | None:
        return self.held.get(name_or_alias)

    def link(self, link: SubjectLink) -> None:
        self.links.append(link)

    def links_of(self, kind: str, resource_ids: Sequence[str]) -> Sequence[SubjectLink]:
        return [link for link in self.links if link.kind == kind and link.resource_id in set(resource_ids)]

    def unlink(self, collection_id: str, resource_ids: Sequence[str] | None = None) -> None:
        self.links = [link for link in self.links if link.collection_id != collection_id]


class Collections:
    def __init__(self) -> None:
        self.held: dict[str, Collection] = {}
        self.rows: dict[str, Document] = {}
        self.work: dict[str, Job] = {}

    def add(self, collection: Collection) -> None:
        self.held[collection.id] = collection

    def get(self, collection_id: str) -> Collection | None:
        return self.held.get(collection_id)

    def by_name(self, owner_id: str, name: str) -> Collection | None:
        return next((c for c in self.held.values() if c.owner_id == owner_id and c.name == name), None)

    def visible_to(self, user_id: str) -> Sequence[Collection]:
        return [c for c in self.held.values() if user_id in {c.owner_id, *c.shared_with}]

    def share(self, collection_id: str, share: Share) -> None:
        found = self.held[collection_id]
        self.held[collection_id] = replace(found, shares=(*found.shares, share))

    def add_document(self, document: Document) -> None:
        self.rows[document.id] = document

    def document(self, document_id: str) -> Document | None:
        return self.rows.get(document_id)

    def document_by_digest(self, collection_id: str, digest: str) -> Document | None:
        found = (d for d in self.rows.values() if d.collection_id == collection_id and d.digest == digest)
        return next(found, None)

    def documents(self, collection_id: str) -> Sequence[Document]:
        return [d for d in self.rows.values() if d.collection_id == collection_id]

    def add_job(self, job: Job) -> None:
        self.work[job.id] = job

    def job(self, job_id: str) -> Job | None:
        return self.work.get(job_id)

    def jobs(
        self, *, owner_id: str | None = None, collection_id: str | None = None, kind: str | None = None,
        states: Sequence[JobState] = (),
    ) -> Sequence[Job]:  # fmt: skip
        wanted = (owner_id, collection_id, kind)
        return [
            j
            for j in self.work.values()
            if all(w in {None, f} for w, f in zip(wanted, (j.owner_id, j.collection_id, j.kind), strict=True))
            and (not states or j.state in states)
        ]

    def update_job(self, job: Job) -> None:
        self.work[job.id] = job


class Unit:
    def __init__(self) -> None:
        self.wraps, self.audit, self.subjects, self.collections = Wraps(), Trail(), Subjects(), Collections()
        self.users = self
        self.models = self
        self.accounts: dict[str, Any] = {}
        self.stores: dict[str, Store] = {}

    def get(self, name: str) -> Any:
        return self.accounts.get(name)

    def open_collection(self, collection_id: str, key: Secret) -> Store:
        return self.stores.setdefault(collection_id, Store())


class Work:
    """Runs work at once, outside the event loop's thread as the real one does."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit

    async def run(self, job: Callable[[Any], Result]) -> Result:
        return await asyncio.to_thread(job, self.unit)

    read = run
