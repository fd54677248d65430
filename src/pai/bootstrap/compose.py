"""Composition: the use cases over real adapters, for the gateway and for host commands without a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from pai.adapters.cryptography.keystore_client import KeystoreClient
from pai.adapters.cryptography.model_signatures import ModelSigner
from pai.adapters.cryptography.originals import SealedOriginals
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.policy.cedar import CedarPolicy
from pai.adapters.storage.audit_rows import AuditKeys
from pai.adapters.storage.storage import Storage
from pai.adapters.system.clock import SystemClock
from pai.adapters.system.home import FreeSpace, Home
from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.adapters.workers.parser_client import SandboxedParser
from pai.core.conversations.chats import Conversations
from pai.core.identity.accounts import Accounts
from pai.core.identity.api_keys import ApiKeys
from pai.core.identity.sessions import Sessions
from pai.core.identity.setup import Setup
from pai.core.knowledge.access import Access
from pai.core.knowledge.answering import Answering
from pai.core.knowledge.collections import Collections
from pai.core.knowledge.ingest import Ingest
from pai.core.models.inference import Inference
from pai.core.models.measuring import Measuring
from pai.core.models.values import Model
from pai.core.operations.custody import Custody
from pai.core.operations.oversight import Oversight
from pai.core.ports.engine import Capability, Engine
from pai.entrypoints.http.services import Services
from pai.foundation.errors import Unavailable
from pai.settings import Settings

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Base:
    """Storage and what stands on it alone."""

    home: Home
    keystore: KeystoreClient
    storage: Storage
    policy: CedarPolicy
    clock: SystemClock


class NoEngines:
    """Host commands without a server run no models, and keep no prompts."""

    async def get(self, name: str, needs: frozenset[Capability] = frozenset()) -> Engine:  # noqa: ARG002
        """Always raises Unavailable."""
        raise Unavailable(f"{name} is not running", code="not_serving", hint="start `pai serve` first")

    async def forget(self, cache_key: str) -> None:
        """There is nothing to drop."""


def open_base(settings: Settings, keystore: KeystoreClient) -> Base:
    """Open and migrate storage. The caller holds the home's lock."""
    home = Home(settings.home)
    origin = f"pai.local/{keystore.verify_key('checkpoint').hex()[:16]}/audit"
    audit = AuditKeys(keystore, verify_signature, origin, home.root / "audit")
    storage = Storage(home.root, keystore.database_key(), audit)
    storage.migrate()
    return Base(home, keystore, storage, CedarPolicy(), SystemClock())


def engines_for(settings: Settings, base: Base, launcher: Launcher) -> EngineRegistry:
    """Return the registry of engines that asks the supervisor for workers."""

    async def find(name: str) -> Model | None:
        return await base.storage.read(lambda unit: unit.models.get(name))

    options = {
        "context_length": settings.models.context_length,
        "parallel": settings.models.parallel,
        "threads": settings.models.threads,
    }
    verify = ModelSigner(base.keystore).verify
    return EngineRegistry(launcher, base.home.models, find, verify, ModelCheck(launcher), options)


def services_for(
    settings: Settings,
    base: Base,
    launcher: Launcher | None,
    engines: EngineRegistry | NoEngines,
    ready: Callable[[], str],
) -> Services:
    """Return all use cases."""
    access = Access(base.keystore, base.policy)
    originals = SealedOriginals(base.home.root)
    limits = settings.limits
    parser = SandboxedParser(
        launcher, seconds=limits.parse_seconds, max_bytes=limits.document_mb * MB, max_pages=limits.document_pages
    )
    disk = FreeSpace(base.home.root, settings.storage.free_disk_floor_mb * MB)
    storage = base.storage
    accounts = Accounts(storage, base.keystore, base.policy, base.clock)
    sessions = Sessions(
        storage, base.keystore, base.policy, base.clock, caches=engines,
        idle=timedelta(minutes=settings.sessions.idle_minutes),
        absolute=timedelta(minutes=settings.sessions.absolute_minutes),
    )  # fmt: skip
    return Services(
        accounts=accounts,
        sessions=sessions,
        setup=Setup(accounts, sessions),
        conversations=Conversations(storage, base.keystore, base.policy, engines, base.clock),
        keys=ApiKeys(storage, base.keystore, base.policy, base.clock),
        inference=Inference(storage, base.policy, engines),
        measuring=Measuring(storage, base.policy, engines, time.monotonic),
        collections=Collections(storage, access, originals, base.clock),
        ingest=Ingest(storage, access, originals, parser, engines, disk, base.clock),
        answering=Answering(storage, access, engines),
        custody=Custody(storage, base.keystore, base.policy),
        oversight=Oversight(storage, base.policy),
        ready=ready,
        upload_bytes=limits.upload_mb * MB,
        json_bytes=limits.json_mb * MB,
        hosts=frozenset({"localhost", "127.0.0.1", "::1", *settings.server.names}),
    )
