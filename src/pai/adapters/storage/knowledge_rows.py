"""Collections, documents, jobs, subjects and models as rows of the main database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, delete, insert, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from pai.adapters.storage import tables as t
from pai.adapters.storage.rows import from_row, to_row
from pai.core.knowledge.values import Collection, Document, Job, JobState, Share
from pai.core.models.values import Measurement, Model
from pai.core.privacy.values import Subject, SubjectLink

MOST_JOBS: Final = 500


class CollectionRows:
    """Implements ``core.knowledge.ports.CollectionRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, collection: Collection) -> None:
        """Insert a collection."""
        self._db.execute(insert(t.collections), to_row(collection, t.collections))

    def _collection(self, row: RowMapping) -> Collection:
        s = t.collection_shares.c
        query = select(s.user_id, s.access, s.expires_at).where(s.collection_id == row["id"]).order_by(s.user_id)
        shares = [from_row(Share, share) for share in self._db.execute(query).mappings()]
        return from_row(Collection, row, shares=shares)

    def get(self, collection_id: str) -> Collection | None:
        """Return a collection by id."""
        row = self._db.execute(select(t.collections).where(t.collections.c.id == collection_id)).mappings().first()
        return self._collection(row) if row else None

    def by_name(self, owner_id: str, name: str) -> Collection | None:
        """Return an owner's collection by name."""
        query = select(t.collections).where(t.collections.c.owner_id == owner_id, t.collections.c.name == name)
        row = self._db.execute(query).mappings().first()
        return self._collection(row) if row else None

    def visible_to(self, user_id: str) -> Sequence[Collection]:
        """Return the collections that a user owns or was given, by name."""
        shared = select(t.collection_shares.c.collection_id).where(t.collection_shares.c.user_id == user_id)
        query = select(t.collections).where(or_(t.collections.c.owner_id == user_id, t.collections.c.id.in_(shared)))
        return [
            self._collection(row) for row in self._db.execute(query.order_by(t.collections.c.name)).mappings().all()
        ]

    def update(self, collection: Collection) -> None:
        """Replace a collection's row."""
        self._db.execute(
            update(t.collections).where(t.collections.c.id == collection.id), to_row(collection, t.collections)
        )

    def share(self, collection_id: str, share: Share) -> None:
        """Give an account access, in place of what it had."""
        row = to_row(share, t.collection_shares, collection_id=collection_id)
        keys = ["collection_id", "user_id"]
        self._db.execute(upsert(t.collection_shares).values(row).on_conflict_do_update(index_elements=keys, set_=row))

    def unshare(self, collection_id: str, user_id: str) -> None:
        """Take a user's access."""
        s = t.collection_shares.c
        self._db.execute(delete(t.collection_shares).where(s.collection_id == collection_id, s.user_id == user_id))

    def remove(self, collection_id: str) -> None:
        """Delete a collection with its document rows and shares."""
        self._db.execute(delete(t.documents).where(t.documents.c.collection_id == collection_id))
        self._db.execute(delete(t.collection_shares).where(t.collection_shares.c.collection_id == collection_id))
        self._db.execute(delete(t.jobs).where(t.jobs.c.collection_id == collection_id))
        self._db.execute(delete(t.collections).where(t.collections.c.id == collection_id))

    def add_document(self, document: Document) -> None:
        """Insert a document: from its commit on, the document is in."""
        self._db.execute(insert(t.documents), to_row(document, t.documents))

    def document(self, document_id: str) -> Document | None:
        """Return a document by id."""
        row = self._db.execute(select(t.documents).where(t.documents.c.id == document_id)).mappings().first()
        return from_row(Document, row) if row else None

    def document_by_digest(self, collection_id: str, digest: str) -> Document | None:
        """Return the document with this content, if the collection holds it."""
        query = select(t.documents).where(t.documents.c.collection_id == collection_id, t.documents.c.digest == digest)
        row = self._db.execute(query).mappings().first()
        return from_row(Document, row) if row else None

    def documents(self, collection_id: str) -> Sequence[Document]:
        """Return a collection's documents, oldest first."""
        query = select(t.documents).where(t.documents.c.collection_id == collection_id).order_by(t.documents.c.id)
        return [from_row(Document, row) for row in self._db.execute(query).mappings()]

    def document_ids(self, collection_id: str) -> set[str]:
        """Return the ids of the documents that are in."""
        query = select(t.documents.c.id).where(t.documents.c.collection_id == collection_id)
        return {row[0] for row in self._db.execute(query)}

    def remove_document(self, document_id: str) -> None:
        """Delete a document's row."""
        self._db.execute(delete(t.documents).where(t.documents.c.id == document_id))

    def add_job(self, job: Job) -> None:
        """Insert a job."""
        self._db.execute(insert(t.jobs), to_row(job, t.jobs))

    def job(self, job_id: str) -> Job | None:
        """Return a job by id."""
        row = self._db.execute(select(t.jobs).where(t.jobs.c.id == job_id)).mappings().first()
        return from_row(Job, row) if row else None

    def jobs(
        self, *, owner_id: str | None = None, collection_id: str | None = None, kind: str | None = None,
        states: Sequence[JobState] = (),
    ) -> Sequence[Job]:  # fmt: skip
        """Return jobs, newest first: all that are in one of ``states``, else the newest 500."""
        query = select(t.jobs).order_by(t.jobs.c.id.desc())
        for column, value in (
            (t.jobs.c.owner_id, owner_id),
            (t.jobs.c.collection_id, collection_id),
            (t.jobs.c.kind, kind),
        ):
            if value is not None:
                query = query.where(column == value)
        # Those in some state without a limit: whoever works jobs off must not leave the oldest ones behind for ever.
        named = t.jobs.c.state.in_([state.value for state in states])
        query = query.where(named) if states else query.limit(MOST_JOBS)
        return [from_row(Job, row) for row in self._db.execute(query).mappings()]

    def update_job(self, job: Job) -> None:
        """Replace a job's row."""
        self._db.execute(update(t.jobs).where(t.jobs.c.id == job.id), to_row(job, t.jobs))


class SubjectRows:
    """Implements ``core.privacy.ports.SubjectRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, subject: Subject) -> None:
        """Insert a subject and its aliases."""
        self._db.execute(insert(t.subjects), to_row(subject, t.subjects))
        for alias in subject.aliases:
            self.add_alias(subject.id, alias)

    def _subject(self, row: RowMapping) -> Subject:
        query = (
            select(t.subject_aliases.c.alias)
            .where(t.subject_aliases.c.subject_id == row["id"])
            .order_by(t.subject_aliases.c.alias)
        )
        return from_row(Subject, row, aliases=[alias[0] for alias in self._db.execute(query)])

    def get(self, subject_id: str) -> Subject | None:
        """Return a subject by id."""
        row = self._db.execute(select(t.subjects).where(t.subjects.c.id == subject_id)).mappings().first()
        return self._subject(row) if row else None

    def find(self, name_or_alias: str) -> Subject | None:
        """Return the subject with this name, alias or id."""
        aliased = select(t.subject_aliases.c.subject_id).where(t.subject_aliases.c.alias == name_or_alias)
        s = t.subjects.c
        query = select(t.subjects).where(or_(s.id == name_or_alias, s.name == name_or_alias, s.id.in_(aliased)))
        row = self._db.execute(query.order_by(s.id).limit(1)).mappings().first()
        return self._subject(row) if row else None

    def list(self, limit: int = 200) -> Sequence[Subject]:
        """Return subjects by name."""
        query = select(t.subjects).order_by(t.subjects.c.name).limit(limit)
        return [self._subject(row) for row in self._db.execute(query).mappings().all()]

    def add_alias(self, subject_id: str, alias: str) -> None:
        """Give a subject another name; an alias that belongs to someone already stays theirs."""
        row = {"alias": alias, "subject_id": subject_id}
        self._db.execute(upsert(t.subject_aliases).values(row).on_conflict_do_nothing())

    def link(self, link: SubjectLink) -> None:
        """Insert or replace a link."""
        row = to_row(link, t.subject_links)
        keys = ["subject_id", "kind", "resource_id"]
        self._db.execute(upsert(t.subject_links).values(row).on_conflict_do_update(index_elements=keys, set_=row))

    def links_of(self, kind: str, resource_ids: Sequence[str]) -> Sequence[SubjectLink]:
        """Return the links of these things."""
        query = select(t.subject_links).where(
            t.subject_links.c.kind == kind, t.subject_links.c.resource_id.in_(list(resource_ids))
        )
        return [from_row(SubjectLink, row) for row in self._db.execute(query).mappings()]

    def links_to(self, subject_id: str) -> Sequence[SubjectLink]:
        """Return all links to a subject."""
        query = select(t.subject_links).where(t.subject_links.c.subject_id == subject_id)
        return [from_row(SubjectLink, row) for row in self._db.execute(query).mappings()]

    def unlink(self, collection_id: str, resource_ids: Sequence[str] | None = None) -> None:
        """Delete the links of a collection, or of some of its things."""
        query = delete(t.subject_links).where(t.subject_links.c.collection_id == collection_id)
        if resource_ids is not None:
            query = query.where(t.subject_links.c.resource_id.in_(list(resource_ids)))
        self._db.execute(query)


class ModelRows:
    """Implements ``core.models.ports.ModelRepository``."""

    def __init__(self, connection: Connection) -> None:
        self._db = connection

    def add(self, model: Model) -> None:
        """Insert or replace a model."""
        row = to_row(model, t.models)
        self._db.execute(upsert(t.models).values(row).on_conflict_do_update(index_elements=["name"], set_=row))
        for alias in model.aliases:
            self.set_alias(alias, model.name)

    def _model(self, row: RowMapping) -> Model:
        query = (
            select(t.model_aliases.c.alias)
            .where(t.model_aliases.c.name == row["name"])
            .order_by(t.model_aliases.c.alias)
        )
        return from_row(Model, row, aliases=[alias[0] for alias in self._db.execute(query)])

    def get(self, name_or_alias: str) -> Model | None:
        """Return a model by name or alias."""
        aliased = select(t.model_aliases.c.name).where(t.model_aliases.c.alias == name_or_alias)
        query = select(t.models).where(or_(t.models.c.name == name_or_alias, t.models.c.name.in_(aliased)))
        row = self._db.execute(query.limit(1)).mappings().first()
        return self._model(row) if row else None

    def list(self) -> Sequence[Model]:
        """Return models by name."""
        rows = self._db.execute(select(t.models).order_by(t.models.c.name)).mappings().all()
        return [self._model(row) for row in rows]

    def set_alias(self, alias: str, name: str) -> None:
        """Point an alias at a model."""
        row = {"alias": alias, "name": name}
        self._db.execute(upsert(t.model_aliases).values(row).on_conflict_do_update(index_elements=["alias"], set_=row))

    def remove(self, name: str) -> None:
        """Delete a model and its aliases."""
        self._db.execute(delete(t.model_aliases).where(t.model_aliases.c.name == name))
        self._db.execute(delete(t.model_measurements).where(t.model_measurements.c.name == name))
        self._db.execute(delete(t.models).where(t.models.c.name == name))

    def measured(self, found: Measurement) -> None:
        """Keep the newest measurement of a model."""
        row = to_row(found, t.model_measurements)
        write = upsert(t.model_measurements).values(row)
        self._db.execute(write.on_conflict_do_update(index_elements=["name"], set_=row))

    def measurements(self) -> Sequence[Measurement]:
        """Return the last measurement of each model."""
        rows = self._db.execute(select(t.model_measurements)).mappings().all()
        return [from_row(Measurement, row) for row in rows]
