"""Composition: the use cases over real adapters, for the gateway and for host commands without a server."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from pai.adapters.cryptography.keystore_client import KeystoreClient
from pai.adapters.cryptography.model_signatures import ModelSigner
from pai.adapters.cryptography.originals import SealedOriginals
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.engines.conversion import WorkerConverter
from pai.adapters.engines.intake import FolderIntake
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.policy.cedar import CedarPolicy
from pai.adapters.storage.audit_rows import AuditKeys
from pai.adapters.storage.storage import Storage
from pai.adapters.system.clock import SystemClock
from pai.adapters.system.hardware import instructions
from pai.adapters.system.home import FreeSpace, Home
from pai.adapters.system.processors import available_memory, total_memory
from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.adapters.workers.parser_client import SandboxedParser
from pai.core.conversations.chats import Conversations
from pai.core.conversations.own_file import OwnFile
from pai.core.conversations.responses import Responses
from pai.core.files.attaching import Attaching
from pai.core.files.files import Files
from pai.core.identity.accounts import Accounts
from pai.core.identity.api_keys import ApiKeys
from pai.core.identity.sessions import Sessions
from pai.core.identity.setup import Setup
from pai.core.knowledge.access import Access
from pai.core.knowledge.answering import Answering
from pai.core.knowledge.collections import Collections
from pai.core.knowledge.ingest import Ingest
from pai.core.knowledge.searching import Searching
from pai.core.models.advice import estimate
from pai.core.models.conversion import Conversions
from pai.core.models.importing import Imports
from pai.core.models.inference import Inference
from pai.core.models.measuring import Measuring
from pai.core.models.moderation import Moderation
from pai.core.models.ranking import Ranking
from pai.core.models.values import Form, Model, ModelFile
from pai.core.operations.custody import Custody
from pai.core.operations.oversight import Oversight
from pai.core.ports.engine import Capabilities, Capability, Engine
from pai.entrypoints.http.services import Services
from pai.foundation.errors import Unavailable
from pai.foundation.refs import ModelRef
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

    async def capabilities(self, name: str) -> Capabilities:
        """Always raises Unavailable."""
        return (await self.get(name)).capabilities

    def loaded(self) -> tuple[ModelRef, ...]:
        """There are none."""
        return ()

    async def forget(self, cache_key: str) -> None:
        """There is nothing to drop."""


class NoConverter:
    """Host commands without a server convert no models."""

    async def convert(self, model: Model, target: str, form: Form) -> tuple[ModelFile, ...]:  # noqa: ARG002
        """Always raises Unavailable."""
        raise Unavailable(f"{model.name} cannot be converted now", code="not_serving", hint="start `pai serve` first")


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
    memory = settings.models.memory_mb * MB or total_memory() * 7 // 10
    sized = partial(estimate, instructions())
    verify = ModelSigner(base.keystore).verify
    return EngineRegistry(launcher, base.home.models, find, verify, ModelCheck(launcher), sized, options, memory=memory)


def conversions_for(base: Base, launcher: Launcher | None, engines: EngineRegistry | NoEngines) -> Conversions:
    """Return the use cases on formats of models; without a launcher they convert nothing."""
    signer = ModelSigner(base.keystore)
    converter = (
        WorkerConverter(launcher, base.home.models, signer.verify, available_memory) if launcher else NoConverter()
    )
    return Conversions(base.storage, base.policy, converter, signer.sign, base.clock, engines)


def imports_for(base: Base, launcher: Launcher | None) -> Imports:
    """Return the use cases on models that come as files; without a launcher no header can be read, and nothing is taken."""
    intake = FolderIntake(base.home.staging, base.home.models, ModelCheck(launcher))
    return Imports(base.storage, base.policy, intake, ModelSigner(base.keystore).sign, base.clock)


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
    inference = Inference(storage, base.policy, engines)
    collections = Collections(storage, access, originals, base.clock)
    ingest = Ingest(storage, access, originals, parser, engines, disk, base.clock)
    searching = Searching(storage, access, engines)
    own = OwnFile(base.keystore, base.clock)
    files = Files(storage, own, base.policy, SealedOriginals(base.home.root, "files"), disk)
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
        conversions=conversions_for(base, launcher, engines),
        imports=imports_for(base, launcher),
        inference=inference,
        measuring=Measuring(storage, base.policy, engines, time.monotonic),
        moderation=Moderation(storage, base.policy, engines),
        ranking=Ranking(storage, base.policy, engines),
        responses=Responses(storage, base.keystore, base.policy, inference, searching, base.clock),
        collections=collections,
        ingest=ingest,
        files=files,
        attaching=Attaching(storage, access, own, files, ingest, collections),
        searching=searching,
        answering=Answering(storage, access, engines),
        custody=Custody(storage, base.keystore, base.policy),
        oversight=Oversight(storage, base.policy),
        ready=ready,
        upload_bytes=limits.upload_mb * MB,
        json_bytes=limits.json_mb * MB,
        hosts=frozenset({"localhost", "127.0.0.1", "::1", *settings.server.names}),
    )
