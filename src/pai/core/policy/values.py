"""Permissions, and the API-key scope that each needs; acts that may take a second person."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pai.foundation.actor import Role, Scope


class Permission(StrEnum):
    """Every permission. A route or command names exactly one."""

    MODELS_LIST = "models:list"
    MODELS_MANAGE = "models:manage"
    CHAT = "inference:chat"
    EMBED = "inference:embed"
    RERANK = "inference:rerank"
    MODERATE = "inference:moderate"
    COLLECTION_CREATE = "knowledge:collection-create"
    COLLECTION_LIST = "knowledge:collection-list"
    COLLECTION_READ = "knowledge:collection-read"
    COLLECTION_UPDATE = "knowledge:collection-update"
    COLLECTION_SHARE = "knowledge:collection-share"
    COLLECTION_SHARES = "knowledge:collection-shares"
    COLLECTION_DELETE = "knowledge:collection-delete"
    INGEST = "knowledge:ingest"
    DOCUMENT_DELETE = "knowledge:document-delete"
    ASK = "knowledge:ask"
    JOB_READ = "knowledge:job-read"
    SUBJECT_WRITE = "privacy:subject-write"
    READ_PICTURES = "perception:pictures"
    HEAR = "perception:sound"
    CONVERSATIONS = "conversations:use"
    FILES = "files:use"
    BATCHES = "batches:use"
    SELF = "identity:self"
    SESSIONS = "identity:own-sessions"
    KEYS = "identity:own-keys"
    ADMIN_KEY = "identity:own-admin-key"
    FACTORS = "identity:own-factors"
    FACTORS_CHANGE = "identity:own-factors-change"
    USERS = "identity:users"
    USERS_CHANGE = "identity:users-change"
    AUDIT_READ = "audit:read"
    AUDIT_VERIFY = "audit:verify"
    AUDIT_EXPORT = "audit:export"
    STATUS = "operations:status"
    METRICS = "operations:metrics"
    ROOT_KEY = "keys:root"
    BACKUP = "operations:backup"
    API_REFERENCE = "operations:api-reference"
    APPROVALS_ASK = "approvals:ask"
    APPROVALS_READ = "approvals:read"
    APPROVALS_DECIDE = "approvals:decide"
    APPROVALS_RULES = "approvals:rules"


SCOPES: dict[Permission, Scope | None] = {
    Permission.MODELS_LIST: None,
    Permission.MODELS_MANAGE: Scope.ADMIN,
    Permission.CHAT: Scope.INFERENCE,
    Permission.EMBED: Scope.INFERENCE,
    Permission.RERANK: Scope.INFERENCE,
    Permission.MODERATE: Scope.INFERENCE,
    Permission.COLLECTION_CREATE: Scope.KNOWLEDGE,
    Permission.COLLECTION_LIST: Scope.KNOWLEDGE,
    Permission.COLLECTION_READ: Scope.KNOWLEDGE,
    Permission.COLLECTION_UPDATE: Scope.KNOWLEDGE,
    Permission.COLLECTION_SHARE: Scope.KNOWLEDGE,
    Permission.COLLECTION_SHARES: Scope.KNOWLEDGE,
    Permission.COLLECTION_DELETE: Scope.KNOWLEDGE,
    Permission.INGEST: Scope.KNOWLEDGE,
    Permission.DOCUMENT_DELETE: Scope.KNOWLEDGE,
    Permission.ASK: Scope.KNOWLEDGE,
    Permission.JOB_READ: Scope.KNOWLEDGE,
    Permission.SUBJECT_WRITE: Scope.KNOWLEDGE,
    Permission.READ_PICTURES: Scope.PERCEPTION,
    Permission.HEAR: Scope.PERCEPTION,
    Permission.CONVERSATIONS: Scope.INFERENCE,
    Permission.FILES: Scope.INFERENCE,
    Permission.BATCHES: Scope.INFERENCE,
    Permission.SELF: None,
    Permission.SESSIONS: Scope.ADMIN,
    Permission.KEYS: Scope.ADMIN,
    Permission.ADMIN_KEY: Scope.ADMIN,
    Permission.FACTORS: Scope.ADMIN,
    Permission.FACTORS_CHANGE: Scope.ADMIN,
    Permission.USERS: Scope.ADMIN,
    Permission.USERS_CHANGE: Scope.ADMIN,
    Permission.AUDIT_READ: Scope.AUDIT,
    Permission.AUDIT_VERIFY: Scope.AUDIT,
    Permission.AUDIT_EXPORT: Scope.AUDIT,
    Permission.STATUS: Scope.METRICS,
    Permission.METRICS: Scope.METRICS,
    Permission.ROOT_KEY: Scope.ADMIN,
    Permission.BACKUP: Scope.ADMIN,
    Permission.API_REFERENCE: None,
    Permission.APPROVALS_ASK: None,
    Permission.APPROVALS_READ: Scope.ADMIN,
    Permission.APPROVALS_DECIDE: Scope.ADMIN,
    Permission.APPROVALS_RULES: Scope.ADMIN,
}
"""The scope an API key needs for a permission; None: any valid key."""


class Act(StrEnum):
    """What may take a second person."""

    ROLE = "identity:role"
    CLEARANCE = "identity:clearance"
    INVITE = "identity:invite"
    ENABLE = "identity:enable"
    RESET_LOGIN = "identity:reset-login"
    SHRED = "keys:shred"
    BULK_DELETE = "knowledge:bulk-delete"
    EXPORT = "audit:export"
    RULE = "approvals:rule"


APPROVERS: Final = (Role.ADMINISTRATOR.value, Role.OFFICER.value)
"""The roles that approve unless a rule names others."""
POWERFUL: Final = frozenset({Role.ADMINISTRATOR, Role.OFFICER, Role.AUDITOR})
"""The roles that let people in, approve, or read everybody's traces."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an act is approved: by ``quorum`` persons (0: by nobody) of ``groups`` (roles), asked for at most ``life_hours`` before. Where
    there are not that many persons, it opens by itself ``lock_hours`` after it was asked for."""

    act: Act
    quorum: int
    groups: tuple[str, ...] = APPROVERS
    life_hours: int = 72
    lock_hours: int = 24
