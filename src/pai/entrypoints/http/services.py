"""The use cases that entry points translate to. Composition fills this in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pai.core.approvals.approvals import Approvals
from pai.core.conversations.chats import Conversations
from pai.core.conversations.responses import Responses
from pai.core.files.attaching import Attaching
from pai.core.files.batch_work import BatchWork
from pai.core.files.batches import Batches
from pai.core.files.files import Files
from pai.core.identity.accounts import Accounts
from pai.core.identity.api_keys import ApiKeys
from pai.core.identity.login import Login
from pai.core.identity.own_password import OwnPassword
from pai.core.identity.passkeys import Passkeys
from pai.core.identity.people import People
from pai.core.identity.second_factors import SecondFactors
from pai.core.identity.sessions import Sessions
from pai.core.identity.setup import Setup
from pai.core.knowledge.answering import Answering
from pai.core.knowledge.collections import Collections
from pai.core.knowledge.ingest import Ingest
from pai.core.knowledge.searching import Searching
from pai.core.knowledge.sharing import Sharing
from pai.core.models.conversion import Conversions
from pai.core.models.importing import Imports
from pai.core.models.inference import Inference
from pai.core.models.measuring import Measuring
from pai.core.models.moderation import Moderation
from pai.core.models.ranking import Ranking
from pai.core.operations.backups import Backups
from pai.core.operations.custody import Custody
from pai.core.operations.handing_out import HandingOut
from pai.core.operations.metrics import Metrics
from pai.core.operations.oversight import Oversight
from pai.core.operations.shredding import Shredding
from pai.core.perception.hearing import Hearing
from pai.core.perception.seeing import Seeing
from pai.core.ports.metrics import Meter


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that the entry points may call. ``ready`` returns an empty text, or why PAI is not ready."""

    accounts: Accounts
    keys: ApiKeys
    inference: Inference
    conversions: Conversions
    imports: Imports
    measuring: Measuring
    collections: Collections
    sharing: Sharing
    ingest: Ingest
    answering: Answering
    oversight: Oversight
    handing_out: HandingOut
    ready: Callable[[], str]
    upload_bytes: int
    json_bytes: int
    hosts: frozenset[str]
    sessions: Sessions
    login: Login
    factors: SecondFactors
    passkeys: Passkeys
    password: OwnPassword
    people: People
    setup: Setup
    approvals: Approvals
    conversations: Conversations
    responses: Responses
    files: Files
    batches: Batches
    batch_work: BatchWork
    attaching: Attaching
    searching: Searching
    moderation: Moderation
    ranking: Ranking
    seeing: Seeing
    hearing: Hearing
    custody: Custody
    backups: Backups
    shredding: Shredding
    metrics: Metrics
    meter: Meter
