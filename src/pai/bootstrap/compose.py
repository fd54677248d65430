"""Composition: the use cases over real adapters, for the gateway and for host commands without a server."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import msgspec

from pai.adapters.cryptography.backup_restore import MARK
from pai.adapters.cryptography.keystore_client import KeystoreClient
from pai.adapters.cryptography.model_signatures import ModelSigner
from pai.adapters.cryptography.originals import SealedOriginals
from pai.adapters.cryptography.signatures import verify_signature
from pai.adapters.engines.conversion import WorkerConverter
from pai.adapters.engines.intake import FolderIntake
from pai.adapters.engines.model_files import Examiner
from pai.adapters.engines.registry import EngineRegistry
from pai.adapters.engines.verified import VerifiedModels
from pai.adapters.identity.webauthn import WebAuthnPasskeys
from pai.adapters.metrics.counters import Counters
from pai.adapters.models.catalogue import starter_model
from pai.adapters.policy.cedar import CedarPolicy
from pai.adapters.storage.audit_rows import AuditKeys
from pai.adapters.storage.snapshot import HomeMoments
from pai.adapters.storage.storage import Storage
from pai.adapters.system.clock import SystemClock
from pai.adapters.system.hardware import instructions, processor
from pai.adapters.system.home import FreeSpace, Home
from pai.adapters.system.processors import available_memory, total_memory
from pai.adapters.workers.launcher import Launcher
from pai.adapters.workers.model_check_client import ModelCheck
from pai.adapters.workers.parser_client import SandboxedParser
from pai.adapters.workers.picture_client import SandboxedPictures
from pai.adapters.workers.senses_client import SandboxedSenses
from pai.bootstrap.acts import carriers
from pai.core.approvals.approvals import Approvals
from pai.core.audit.notes import verifier_key
from pai.core.audit.receipts import Receipts
from pai.core.conversations.chats import Conversations
from pai.core.conversations.own_file import OwnFile
from pai.core.conversations.responses import Responses
from pai.core.files.attaching import Attaching
from pai.core.files.batch_work import BatchWork
from pai.core.files.batches import Batches
from pai.core.files.files import Files
from pai.core.files.ports import Answers
from pai.core.identity.accounts import Accounts
from pai.core.identity.api_keys import ApiKeys
from pai.core.identity.login import Login
from pai.core.identity.own_password import OwnPassword
from pai.core.identity.passkeys import Passkeys
from pai.core.identity.people import People
from pai.core.identity.requirement import Requirement
from pai.core.identity.second_factors import SecondFactors
from pai.core.identity.sessions import Sessions
from pai.core.identity.setup import Setup
from pai.core.knowledge.access import Access
from pai.core.knowledge.answering import Answering
from pai.core.knowledge.collections import Collections
from pai.core.knowledge.ingest import Ingest
from pai.core.knowledge.scans import ScanReader
from pai.core.knowledge.searching import Searching
from pai.core.knowledge.sharing import Sharing
from pai.core.models.advice import estimate
from pai.core.models.conversion import Conversions
from pai.core.models.importing import Imports
from pai.core.models.inference import Inference
from pai.core.models.measuring import Measuring
from pai.core.models.moderation import Moderation
from pai.core.models.ranking import Ranking
from pai.core.models.traffic import Traffic, WatchedEngines
from pai.core.models.values import Form, Made, Model
from pai.core.operations.backups import Backups
from pai.core.operations.custody import Custody
from pai.core.operations.events import Restored
from pai.core.operations.handing_out import HandingOut
from pai.core.operations.metrics import Metrics
from pai.core.operations.oversight import Oversight
from pai.core.operations.ports import Resident, Taken
from pai.core.operations.shredding import Shredding
from pai.core.perception.hearing import Hearing
from pai.core.perception.seeing import Seeing
from pai.core.policy.gate import Gate
from pai.core.ports.engine import Capabilities, Capability, Engine
from pai.entrypoints.http.services import Services
from pai.foundation.actor import OPERATOR, Actor
from pai.foundation.errors import Unavailable
from pai.foundation.redaction import Secret
from pai.foundation.refs import ModelRef, ResourceRef
from pai.settings import Profile, Settings

MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Base:
    """Storage and what stands on it alone."""

    home: Home
    keystore: KeystoreClient
    storage: Storage
    policy: CedarPolicy
    clock: SystemClock
    counted: Counters = field(default_factory=Counters)


class NoEngines:
    """Host commands without a server run no models, and keep no prompts."""

    async def get(self, name: str, needs: frozenset[Capability] = frozenset()) -> Engine:  # noqa: ARG002
        """Always raises Unavailable."""
        raise Unavailable(
            f"{name} is not running", code="not_serving", hint="start it with `make start` or `pai serve`"
        )

    async def capabilities(self, name: str) -> Capabilities:
        """Always raises Unavailable."""
        return (await self.get(name)).capabilities

    def loaded(self) -> tuple[ModelRef, ...]:
        """There are none."""
        return ()

    def residents(self) -> tuple[Resident, ...]:
        """There are none."""
        return ()

    async def forget(self, cache_key: str) -> None:
        """There is nothing to drop."""


class NoScales:
    """Host commands without a server have no processes."""

    async def weighed(self) -> dict[str, Taken]:
        """There are none."""
        return {}


class NoConverter:
    """Host commands without a server convert no models."""

    async def convert(self, model: Model, target: str, form: Form) -> Made:  # noqa: ARG002
        """Always raises Unavailable."""
        raise Unavailable(
            f"{model.name} cannot be converted now",
            code="not_serving",
            hint="start it with `make start` or `pai serve`",
        )


class NoAnswers:
    """Host commands without a server answer no batches."""

    async def answer(self, actor: Actor, endpoint: str, body: str) -> tuple[int, str]:  # noqa: ARG002
        """Always raises Unavailable."""
        raise Unavailable("no batch is answered now", code="not_serving", hint="start `pai serve` first")


def open_base(settings: Settings, keystore: KeystoreClient) -> Base:
    """Open and migrate storage. The caller holds the home's lock."""
    home = Home(settings.home)
    origin = f"pai.local/{keystore.verify_key('checkpoint').hex()[:16]}/audit"
    audit = AuditKeys(keystore, verify_signature, origin, home.root / "audit")
    storage = Storage(home.root, keystore.database_key(), audit)
    storage.migrate()
    _record_restore(home, storage)
    return Base(home, keystore, storage, CedarPolicy(), SystemClock())


def _record_restore(home: Home, storage: Storage) -> None:
    """Let the log say that this home was put back from a backup; nobody had its keys at that time."""
    mark = home.root / MARK
    if mark.exists():
        told = msgspec.json.decode(mark.read_bytes(), type=dict[str, str])
        event = Restored(resource=ResourceRef("backup", told["backup"]), made_at=told["at"])
        storage.run_sync(lambda unit: unit.audit.record(OPERATOR, event))
        mark.unlink()


def receipts_for(base: Base) -> Receipts:
    """Return what makes receipts of answers."""
    return Receipts(verifier_key("pai-models", base.keystore.verify_key("model")), base.policy.sha256)


def engines_for(settings: Settings, base: Base, launcher: Launcher) -> EngineRegistry:
    """Return the registry of engines that asks the supervisor for workers."""

    async def find(name: str) -> Model | None:
        return await base.storage.recall(f"model:{name}", lambda unit: unit.models.get(name))

    options = {
        "context_length": settings.models.context_length,
        "parallel": settings.models.parallel,
        "threads": settings.models.threads,
    }
    memory = settings.models.memory_mb * MB or total_memory() * 7 // 10
    sized = partial(estimate, instructions())
    verify = ModelSigner(base.keystore).verify
    return EngineRegistry(
        launcher,
        base.home.models,
        find,
        verify,
        ModelCheck(launcher),
        sized,
        options,
        memory=memory,
        meter=base.counted,
    )


def measuring_for(base: Base, engines: EngineRegistry | NoEngines) -> Measuring:
    """Return the use cases that time models."""
    return Measuring(base.storage, base.policy, engines, base.clock, time.monotonic, processor())


def conversions_for(base: Base, launcher: Launcher | None, measuring: Measuring) -> Conversions:
    """Return the use cases on formats of models; without a launcher they convert nothing."""
    signer = ModelSigner(base.keystore)
    examiner = Examiner(signer.verify, ModelCheck(launcher))
    converter = WorkerConverter(launcher, base.home.models, examiner, available_memory) if launcher else NoConverter()
    return Conversions(base.storage, base.policy, converter, signer.sign, base.clock, measuring)


def imports_for(base: Base, launcher: Launcher | None) -> Imports:
    """Return the use cases on models that come as files; without a launcher no header can be read, and nothing is taken."""
    intake = FolderIntake(base.home.staging, base.home.models, ModelCheck(launcher))
    return Imports(base.storage, base.policy, intake, ModelSigner(base.keystore).sign, base.clock, starter_model)


def senses_for(settings: Settings, base: Base, launcher: Launcher | None) -> SandboxedSenses:
    """Return what sees and hears; without a launcher it answers nothing."""

    async def find(name: str) -> Model | None:
        return await base.storage.read(lambda unit: unit.models.get(name))

    examiner = Examiner(ModelSigner(base.keystore).verify, ModelCheck(launcher))
    limits = settings.limits
    return SandboxedSenses(
        launcher, VerifiedModels(base.home.models, find, examiner), max_bytes=limits.document_mb * MB,
        max_pages=limits.document_pages,
    )  # fmt: skip


def _sessions(settings: Settings, base: Base, engines: EngineRegistry | NoEngines) -> Sessions:
    return Sessions(
        base.storage, base.keystore, base.policy, base.clock, caches=engines,
        idle=timedelta(minutes=settings.sessions.idle_minutes),
        absolute=timedelta(minutes=settings.sessions.absolute_minutes), requirement=_requirement(settings),
    )  # fmt: skip


def _requirement(settings: Settings) -> Requirement:
    return Requirement(settings.profile is not Profile.LAPTOP or not settings.server.on_loopback)


def _taken_back(user_id: str, sessions: Sessions, keys: ApiKeys) -> None:
    for liveness in (sessions.liveness, keys.liveness):
        liveness.taken_back(user_id)


def _answers(
    base: Base, access: Access, engines: EngineRegistry | NoEngines, disk: FreeSpace, pictures: SandboxedPictures
) -> Answers:
    if isinstance(engines, NoEngines):
        return NoAnswers()
    from pai.entrypoints.openai_api.lines import (
        Lines,  # with it all of the dialect: half a second that host commands do not need
    )

    inference = Inference(base.storage, base.policy, engines, receipts_for(base), base.clock, pictures)
    searching = Searching(base.storage, access, engines)
    responses = Responses(base.storage, base.keystore, base.policy, inference, searching, base.clock, disk)
    return Lines(inference, responses)


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
    disk = FreeSpace(base.home.root, limit := settings.storage.free_disk_floor_mb * MB)
    storage = base.storage
    # Whoever waits for an answer is counted, so that batches, which nobody waits for, step back: theirs are the engines as they are.
    watched = WatchedEngines(engines, traffic := Traffic())
    senses = senses_for(settings, base, launcher)
    receipts, pictures = receipts_for(base), SandboxedPictures(launcher)
    inference = Inference(storage, base.policy, watched, receipts, base.clock, pictures)
    measuring = measuring_for(base, engines)
    gate = Gate(strict=settings.profile is not Profile.LAPTOP)
    collections = Collections(storage, access, originals, base.clock, gate)
    ingest = Ingest(storage, access, originals, ScanReader(parser, senses), engines, disk, base.clock, base.counted)
    searching = Searching(storage, access, watched)
    own = OwnFile(base.keystore, base.clock)
    files = Files(storage, own, base.policy, SealedOriginals(base.home.root, "files"), disk)
    batches = Batches(storage, own, base.policy, files)
    keys = ApiKeys(storage, base.keystore, base.policy, base.clock, requirement=_requirement(settings))
    accounts = Accounts(storage, base.keystore, base.policy, base.clock, gate)
    sessions = _sessions(settings, base, engines)
    factors = SecondFactors(sessions, place=settings.place)
    login = Login(sessions, factors)
    people, setup = People(accounts, sessions, keys), Setup(accounts, sessions)
    shredding = Shredding(storage, base.policy, gate)
    acts = carriers(people, setup, collections, shredding)
    return Services(
        accounts=accounts,
        sessions=sessions,
        login=login,
        factors=factors,
        passkeys=Passkeys(sessions, factors, login, WebAuthnPasskeys()),
        password=OwnPassword(sessions),
        people=people,
        setup=setup,
        approvals=Approvals(storage, base.policy, base.clock, gate, acts),
        conversations=Conversations(storage, base.keystore, base.policy, watched, base.clock, receipts),
        keys=keys,
        conversions=conversions_for(base, launcher, measuring),
        imports=imports_for(base, launcher),
        inference=inference,
        measuring=measuring,
        moderation=Moderation(storage, base.policy, watched),
        ranking=Ranking(storage, base.policy, watched),
        seeing=Seeing(storage, base.policy, senses),
        hearing=Hearing(storage, base.policy, senses),
        responses=Responses(storage, base.keystore, base.policy, inference, searching, base.clock, disk),
        collections=collections,
        sharing=Sharing(storage, access, base.clock, lambda user_id: _taken_back(user_id, sessions, keys)),
        ingest=ingest,
        files=files,
        batches=batches,
        batch_work=BatchWork(batches, keys, _answers(base, access, engines, disk, pictures), traffic),
        attaching=Attaching(storage, access, own, files, ingest, collections),
        searching=searching,
        answering=Answering(storage, access, watched, base.clock, receipts),
        custody=Custody(storage, base.keystore, base.policy),
        shredding=shredding,
        backups=Backups(
            storage, base.keystore, HomeMoments(storage, limit), lambda: Secret(os.urandom(32)), base.policy, base.clock
        ),
        oversight=Oversight(storage, base.policy),
        handing_out=HandingOut(storage, base.policy, base.clock, gate),
        metrics=Metrics(storage, base.policy, base.counted, engines, launcher or NoScales()),
        meter=base.counted,
        ready=ready,
        upload_bytes=limits.upload_mb * MB,
        json_bytes=limits.json_mb * MB,
        hosts=frozenset({"localhost", "127.0.0.1", "::1", *settings.server.names}),
    )
