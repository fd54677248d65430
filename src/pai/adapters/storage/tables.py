"""Tables of the main database. It holds no content: no document names, passages, prompts or answers.

Every table of things that carry content elsewhere has label, purpose, training permission, retention class and restriction flag.
"""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "uq": "uq_%(table_name)s_%(column_0_name)s",
                       "fk": "fk_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"}
)  # fmt: skip


class Json(TypeDecorator[Any]):
    """A JSON value in a text column."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Encode."""
        return None if value is None else msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:  # noqa: ARG002
        """Decode."""
        return None if value is None else msgspec.json.decode(value)


def _governed() -> list[Column[Any]]:
    return [
        Column("label", String, nullable=False),
        Column("purpose", String, nullable=False),
        Column("training", String, nullable=False),
        Column("retention", String, nullable=False),
        Column("restricted", Boolean, nullable=False),
    ]


users = Table(
    "users", metadata,
    Column("id", String, primary_key=True),
    Column("email", String, nullable=False, unique=True),
    Column("role", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("public_key", LargeBinary, nullable=False),
    Column("password_salt", LargeBinary, nullable=False),
    Column("password_verifier", LargeBinary, nullable=False),
    Column("first_administrator", Boolean, nullable=False),
    Column("created_at", String, nullable=False),
    Column("disabled_at", String),
    Column("clearance", String, nullable=False),
)  # fmt: skip

sessions = Table(
    "sessions", metadata,
    Column("id", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("token_hash", LargeBinary, nullable=False, unique=True),
    Column("csrf_hash", LargeBinary, nullable=False),
    Column("created_at", String, nullable=False),
    Column("seen_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("address", String, nullable=False),
    Column("ended_at", String),
    Column("methods", Json, nullable=False),
    Column("new_device", Boolean, nullable=False),
)  # fmt: skip

api_keys = Table(
    "api_keys", metadata,
    Column("id", String, primary_key=True),
    Column("owner_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("name", String, nullable=False),
    Column("scopes", Json, nullable=False),
    Column("ceiling", String, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),
    Column("content", Boolean, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
    Column("used_at", String),
    Column("revoked_at", String),
    Column("networks", Json, nullable=False),
    Column("made_by", String, nullable=False),
)  # fmt: skip

login_failures = Table(
    "login_failures", metadata,
    Column("key", String, primary_key=True),
    Column("count", Integer, nullable=False),
    Column("last_at", String, nullable=False),
)  # fmt: skip

setup_tokens = Table(
    "setup_tokens", metadata,
    Column("token_hash", LargeBinary, primary_key=True),
    Column("email", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("user_id", String, nullable=False),
    Column("role", String, nullable=False),
    Column("first", Boolean, nullable=False),
    Column("clear_factors", Boolean, nullable=False),
    Column("made_by", String, nullable=False),
)  # fmt: skip

totp_factors = Table(
    "totp_factors", metadata,
    Column("id", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("last_step", Integer, nullable=False),
    Column("created_at", String, nullable=False),
    Column("confirmed_at", String),
)  # fmt: skip

backup_codes = Table(
    "backup_codes", metadata,
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("code_hash", LargeBinary, primary_key=True),
    Column("created_at", String, nullable=False),
    Column("used_at", String),
)  # fmt: skip

passkeys = Table(
    "passkeys", metadata,
    Column("id", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("credential_id", LargeBinary, nullable=False, unique=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("sign_count", Integer, nullable=False),
    Column("name", String, nullable=False),
    Column("transports", Json, nullable=False),
    Column("synced", Boolean, nullable=False),
    Column("opens_content", Boolean, nullable=False),
    Column("created_at", String, nullable=False),
    Column("used_at", String),
    Column("suspended_at", String),
    Column("server_holds", Boolean, nullable=False),
)  # fmt: skip

devices = Table(
    "devices", metadata,
    Column("id", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("token_hash", LargeBinary, nullable=False),
    Column("agent", String, nullable=False),
    Column("address", String, nullable=False),
    Column("created_at", String, nullable=False),
    Column("seen_at", String, nullable=False),
    Column("acknowledged_at", String),
)  # fmt: skip

member_wraps = Table(
    "member_wraps", metadata,
    Column("id", String, primary_key=True),
    Column("user_id", ForeignKey("users.id"), nullable=False),
    Column("factor", String, nullable=False),
    Column("factor_id", String, nullable=False),
    Column("blob", LargeBinary, nullable=False),
    Column("created_at", String, nullable=False),
    UniqueConstraint("user_id", "factor", "factor_id"),
)  # fmt: skip

key_wraps = Table(
    "key_wraps", metadata,
    Column("id", String, primary_key=True),
    Column("resource", String, nullable=False),
    Column("recipient", String, nullable=False, index=True),
    Column("blob", LargeBinary, nullable=False),
    Column("created_at", String, nullable=False),
    Column("expires_at", String),
    UniqueConstraint("resource", "recipient"),
)  # fmt: skip

collections = Table(
    "collections", metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("owner_id", ForeignKey("users.id"), nullable=False),
    Column("created_at", String, nullable=False),
    Column("embedding_model", String, nullable=False),
    *_governed(),
    UniqueConstraint("owner_id", "name"),
)  # fmt: skip

collection_shares = Table(
    "collection_shares", metadata,
    Column("collection_id", ForeignKey("collections.id"), primary_key=True),
    Column("user_id", ForeignKey("users.id"), primary_key=True),
    Column("access", String, nullable=False),
    Column("expires_at", String),
)  # fmt: skip

documents = Table(
    "documents", metadata,
    Column("id", String, primary_key=True),
    Column("collection_id", ForeignKey("collections.id"), nullable=False),
    Column("digest", String, nullable=False),
    Column("media_type", String, nullable=False),
    Column("size", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("created_at", String, nullable=False),
    *_governed(),
    UniqueConstraint("collection_id", "digest"),
)  # fmt: skip

jobs = Table(
    "jobs", metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False),
    Column("owner_id", ForeignKey("users.id"), nullable=False, index=True),
    Column("collection_id", String, nullable=False),
    Column("state", String, nullable=False),
    Column("total", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("created_at", String, nullable=False),
    Column("updated_at", String, nullable=False),
    Column("error", String, nullable=False),
    Column("actor_key_id", String, nullable=False),
)  # fmt: skip

subjects = Table(
    "subjects", metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("created_at", String, nullable=False),
)  # fmt: skip

subject_aliases = Table(
    "subject_aliases", metadata,
    Column("alias", String, primary_key=True),
    Column("subject_id", ForeignKey("subjects.id"), nullable=False, index=True),
)  # fmt: skip

subject_links = Table(
    "subject_links", metadata,
    Column("subject_id", ForeignKey("subjects.id"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("resource_id", String, primary_key=True),
    Column("collection_id", String, nullable=False, index=True),
    Column("origin", String, nullable=False),
    Column("reviewed", Boolean, nullable=False),
    Column("created_at", String, nullable=False),
    Index("ix_subject_links_resource", "kind", "resource_id"),
)  # fmt: skip

models = Table(
    "models", metadata,
    Column("name", String, primary_key=True),
    Column("task", String, nullable=False),
    Column("engine", String, nullable=False),
    Column("format", String, nullable=False),
    Column("files", Json, nullable=False),
    Column("context_length", Integer, nullable=False),
    Column("dimensions", Integer),
    Column("record", Json, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    Column("imported_at", String, nullable=False),
    Column("active", Boolean, nullable=False),
)  # fmt: skip

model_aliases = Table(
    "model_aliases", metadata,
    Column("alias", String, primary_key=True),
    Column("name", ForeignKey("models.name"), nullable=False),
)  # fmt: skip

model_measurements = Table(
    "model_measurements", metadata,
    Column("name", ForeignKey("models.name"), primary_key=True),
    Column("sha256", String, nullable=False),
    Column("processor", String, nullable=False),
    Column("prompt_tokens", Integer, nullable=False),
    Column("prompt_rate", Float, nullable=False),
    Column("answer_rate", Float, nullable=False),
    Column("load_seconds", Float, nullable=False),
    Column("right", Integer),
    Column("questions", Integer, nullable=False),
    Column("measured_at", String, nullable=False),
)  # fmt: skip

approval_requests = Table(
    "approval_requests", metadata,
    Column("id", String, primary_key=True),
    Column("act", String, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("digest", String, nullable=False),
    Column("requester", String, nullable=False, index=True),
    Column("reason", String, nullable=False),
    Column("quorum", Integer, nullable=False),
    Column("groups", Json, nullable=False),
    Column("made_at", String, nullable=False),
    Column("expires_at", String, nullable=False),
    Column("opens_at", String),
    Column("state", String, nullable=False, index=True),
    Column("closed_at", String),
)  # fmt: skip

approval_votes = Table(
    "approval_votes", metadata,
    Column("request_id", ForeignKey("approval_requests.id"), primary_key=True),
    Column("person", String, primary_key=True),
    Column("verdict", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("reason", String, nullable=False),
    Column("at", String, nullable=False),
)  # fmt: skip

approval_rules = Table(
    "approval_rules", metadata,
    Column("act", String, primary_key=True),
    Column("quorum", Integer, nullable=False),
    Column("groups", Json, nullable=False),
    Column("life_hours", Integer, nullable=False),
    Column("lock_hours", Integer, nullable=False),
)  # fmt: skip

audit_events = Table(
    "audit_events", metadata,
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("at", String, nullable=False, index=True),
    Column("name", String, nullable=False, index=True),
    Column("actor", String, nullable=False, index=True),
    Column("resource", String, index=True),
    Column("model", String, index=True),
    Column("outcome", String, index=True),  # empty only in events of before version 0004, until they are looked through
    Column("leaf", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("body", LargeBinary, nullable=False),
)  # fmt: skip

audit_subjects = Table(
    "audit_subjects", metadata,
    Column("subject_id", String, primary_key=True),
    Column("index", Integer, primary_key=True),
)  # fmt: skip

audit_documents = Table(
    "audit_documents", metadata,
    Column("document_id", String, primary_key=True),
    Column("index", Integer, primary_key=True),
)  # fmt: skip

# Roots of perfect subtrees of 256, 65536 ... leaves: what proofs are made from.
audit_tiles = Table(
    "audit_tiles", metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("hash", LargeBinary, nullable=False),
)  # fmt: skip

audit_frontier = Table(
    "audit_frontier", metadata,
    Column("id", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("nodes", LargeBinary, nullable=False),
)  # fmt: skip

checkpoints = Table(
    "checkpoints", metadata,
    Column("size", Integer, primary_key=True, autoincrement=False),
    Column("root", String, nullable=False),
    Column("note", Text, nullable=False),
    Column("at", String, nullable=False),
)  # fmt: skip

backups = Table(
    "backups", metadata,
    Column("id", String, primary_key=True),
    Column("at", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("destination", String, nullable=False),
    Column("files", Integer, nullable=False),
    Column("bytes", Integer, nullable=False),
    Column("kept_until", String),
)  # fmt: skip

backup_secret = Table(
    "backup_secret", metadata,
    Column("id", Integer, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
)  # fmt: skip
