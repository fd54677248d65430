"""The ports of the main database's registers, on the real storage."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pai.adapters.storage.knowledge_rows import MOST_JOBS
from pai.adapters.storage.storage import Storage
from pai.core.identity.values import ApiKey, FailureCount, Session, SetupToken
from pai.core.keys.values import Factor, KeyWrap, MemberWrap
from pai.core.knowledge.values import Job, JobState, Share, ShareAccess
from pai.core.models.values import Model, ModelFile, ModelRecord
from pai.core.privacy.values import LinkOrigin, Subject, SubjectLink
from pai.foundation.actor import Scope
from pai.foundation.errors import Conflict
from pai.foundation.ids import new_id
from pai.foundation.labels import Label, RetentionClass, TrainingPermission
from storage_home import NOW, StorageHome, a_collection, a_document, a_user


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Storage]:
    home = StorageHome.copied(tmp_path_factory.mktemp("registers"))
    yield home.open()
    home.close()


def test_a_user_comes_back_as_it_was(storage: Storage) -> None:
    user = a_user()
    storage.run_sync(lambda unit: unit.users.add(user))
    changed = dataclasses.replace(user, disabled_at=NOW + timedelta(days=1))
    assert storage.read_sync(lambda unit: unit.users.get(user.id)) == user
    assert storage.read_sync(lambda unit: unit.users.by_email(user.email)) == user
    storage.run_sync(lambda unit: unit.users.update(changed))
    assert storage.read_sync(lambda unit: unit.users.get(user.id)) == changed
    assert changed in storage.read_sync(lambda unit: unit.users.list())
    assert storage.read_sync(lambda unit: unit.users.get(new_id("usr"))) is None


def test_two_accounts_cannot_have_one_address(storage: Storage) -> None:
    user = a_user()
    storage.run_sync(lambda unit: unit.users.add(user))
    with pytest.raises(Conflict):
        storage.run_sync(lambda unit: unit.users.add(dataclasses.replace(a_user(), email=user.email)))


def test_sessions_end_one_by_one_or_a_users_or_all(storage: Storage) -> None:
    one, two = a_user("one"), a_user("two")
    sessions = [
        Session(
            new_id("ses"), user.id, bytes([n]) * 32, b"c" * 32, NOW, NOW, NOW + timedelta(hours=8), "agent", "127.0.0.1"
        )
        for n, user in enumerate((one, one, two, two))
    ]

    def begin(unit):
        for user in (one, two):
            unit.users.add(user)
        for session in sessions:
            unit.users.add_session(session)

    storage.run_sync(begin)
    assert storage.read_sync(lambda unit: unit.users.session_by_token(sessions[1].token_hash)) == sessions[1]
    assert storage.run_sync(lambda unit: unit.users.end_sessions(NOW, session_id=sessions[0].id)) == 1
    assert [s.id for s in storage.read_sync(lambda unit: unit.users.sessions(one.id))] == [sessions[1].id]
    assert storage.run_sync(lambda unit: unit.users.end_sessions(NOW, user_id=two.id)) == 2
    storage.run_sync(lambda unit: unit.users.touch_session(sessions[1].id, NOW + timedelta(minutes=5)))
    touched = storage.read_sync(lambda unit: unit.users.session_by_token(sessions[1].token_hash))
    assert touched.seen_at == NOW + timedelta(minutes=5)
    assert storage.run_sync(lambda unit: unit.users.end_sessions(NOW)) == 1
    ended = storage.read_sync(lambda unit: unit.users.session_by_token(sessions[1].token_hash))
    assert ended.ended_at == NOW


def test_api_keys_keep_scopes_and_are_revoked_once(storage: Storage) -> None:
    owner = a_user()
    key = ApiKey(
        new_id("key"),
        owner.id,
        "script",
        frozenset({Scope.INFERENCE, Scope.AUDIT}),
        Label.CONFIDENTIAL,
        b"h" * 32,
        True,
        NOW,
        None,
    )
    storage.run_sync(lambda unit: (unit.users.add(owner), unit.users.add_key(key)))
    assert storage.read_sync(lambda unit: unit.users.key(key.id)) == key
    storage.run_sync(lambda unit: unit.users.touch_key(key.id, NOW))
    assert storage.read_sync(lambda unit: unit.users.keys(owner.id))[0].used_at == NOW
    assert storage.run_sync(lambda unit: unit.users.revoke_keys(NOW, key_id=key.id)) == 1
    assert storage.run_sync(lambda unit: unit.users.revoke_keys(NOW, owner_id=owner.id)) == 0


def test_failures_and_setup_tokens(storage: Storage) -> None:
    count = FailureCount("account:x", 3, NOW)
    storage.run_sync(lambda unit: (unit.users.set_failures(count), unit.users.set_failures(count)))
    assert storage.read_sync(lambda unit: unit.users.failures("account:x")) == count
    storage.run_sync(lambda unit: unit.users.clear_failures("account:x"))
    assert storage.read_sync(lambda unit: unit.users.failures("account:x")) is None
    one, other = SetupToken(b"1" * 32, "a@pai.test", NOW), SetupToken(b"2" * 32, "b@pai.test", NOW)
    storage.run_sync(lambda unit: (unit.users.add_setup_token(one), unit.users.add_setup_token(other)))
    early = NOW - timedelta(minutes=1)
    assert storage.run_sync(lambda unit: unit.users.take_setup_token(b"1" * 32, early)) == one
    assert storage.run_sync(lambda unit: unit.users.take_setup_token(b"1" * 32, early)) is None, "single use"
    assert storage.run_sync(lambda unit: unit.users.take_setup_token(b"2" * 32, NOW)) is None, "expired"


def test_wraps(storage: Storage) -> None:
    user = a_user()
    wrap = MemberWrap(new_id("wrp"), user.id, Factor.PASSWORD, "", b"w", NOW)
    resource = f"collection:{new_id('col')}"
    grants = [KeyWrap(new_id("wrp"), resource, who, b"k", NOW, None) for who in (user.id, "job:1")]

    def write(unit):
        unit.users.add(user)
        unit.wraps.add_member_wrap(wrap)
        for grant in grants:
            unit.wraps.add_key_wrap(grant)

    storage.run_sync(write)
    assert storage.read_sync(lambda unit: unit.wraps.member_wrap(user.id, Factor.PASSWORD)) == wrap
    assert storage.read_sync(lambda unit: unit.wraps.member_wrap(user.id, Factor.API_KEY, "key_x")) is None
    assert storage.read_sync(lambda unit: unit.wraps.key_wrap(resource, "job:1")) == grants[1]
    assert set(storage.read_sync(lambda unit: unit.wraps.recipients(resource))) == {user.id, "job:1"}
    storage.run_sync(lambda unit: unit.wraps.remove_recipient("job:1"))
    assert storage.read_sync(lambda unit: unit.wraps.recipients(resource)) == [user.id]
    storage.run_sync(lambda unit: unit.wraps.remove_key_wraps(resource))
    assert storage.read_sync(lambda unit: unit.wraps.recipients(resource)) == []
    storage.run_sync(lambda unit: unit.wraps.remove_member_wraps(user.id, Factor.PASSWORD))
    assert storage.read_sync(lambda unit: unit.wraps.member_wrap(user.id, Factor.PASSWORD)) is None


def test_a_collection_is_seen_by_its_owner_and_those_it_was_shared_with_only(storage: Storage) -> None:
    owner, colleague, stranger = a_user("owner"), a_user("colleague"), a_user("stranger")
    collection = a_collection(
        owner, training=TrainingPermission.NEITHER, retention=RetentionClass.OUTPUT, restricted=True
    )

    def write(unit):
        for user in (owner, colleague, stranger):
            unit.users.add(user)
        unit.collections.add(collection)

    storage.run_sync(write)
    assert storage.read_sync(lambda unit: unit.collections.get(collection.id)) == collection
    assert storage.read_sync(lambda unit: unit.collections.by_name(owner.id, "letters")) == collection
    assert storage.read_sync(lambda unit: unit.collections.by_name(stranger.id, "letters")) is None

    def seen() -> list[list[str]]:
        return [
            [found.id for found in storage.read_sync(lambda unit, who=user: unit.collections.visible_to(who.id))]
            for user in (owner, colleague, stranger)
        ]

    assert seen() == [[collection.id], [], []]
    storage.run_sync(lambda unit: unit.collections.share(collection.id, Share(colleague.id)))
    assert seen() == [[collection.id], [collection.id], []]
    assert storage.read_sync(lambda unit: unit.collections.get(collection.id)).shares == (Share(colleague.id),)
    ending = Share(colleague.id, ShareAccess.WRITE, NOW)
    storage.run_sync(lambda unit: unit.collections.share(collection.id, ending))
    assert storage.read_sync(lambda unit: unit.collections.get(collection.id)).shares == (ending,)
    storage.run_sync(lambda unit: unit.collections.unshare(collection.id, colleague.id))
    assert seen() == [[collection.id], [], []]


def test_documents_and_jobs_go_with_their_collection(storage: Storage) -> None:
    owner = a_user()
    collection = a_collection(owner)
    document = a_document(collection, "text")
    job = Job(new_id("job"), "ingest", owner.id, collection.id, JobState.QUEUED, 2, 0, NOW, NOW)

    def write(unit):
        unit.users.add(owner)
        unit.collections.add(collection)
        unit.collections.add_document(document)
        unit.collections.add_job(job)

    storage.run_sync(write)
    assert storage.read_sync(lambda unit: unit.collections.document(document.id)) == document
    assert (
        storage.read_sync(lambda unit: unit.collections.document_by_digest(collection.id, document.digest)) == document
    )
    running = dataclasses.replace(job, state=JobState.RUNNING, done=1)
    storage.run_sync(lambda unit: unit.collections.update_job(running))
    assert storage.read_sync(lambda unit: unit.collections.job(job.id)) == running
    assert storage.read_sync(lambda unit: unit.collections.jobs(owner_id=owner.id, states=[JobState.QUEUED])) == []
    assert storage.read_sync(lambda unit: unit.collections.jobs(owner_id=owner.id, states=[JobState.RUNNING])) == [
        running
    ]
    with pytest.raises(Conflict):  # the same content twice
        storage.run_sync(lambda unit: unit.collections.add_document(a_document(collection, "text")))
    storage.run_sync(lambda unit: unit.collections.remove(collection.id))
    assert storage.read_sync(lambda unit: unit.collections.document(document.id)) is None
    assert storage.read_sync(lambda unit: unit.collections.get(collection.id)) is None


def test_no_open_job_is_left_out_however_many_there_are(storage: Storage) -> None:
    owner, other = a_user(), a_user("other")
    collection, ids = a_collection(owner), [new_id("job") for _ in range(MOST_JOBS + 20)]

    def write(unit):
        unit.users.add(owner)
        unit.users.add(other)
        unit.collections.add(collection)
        for name in ids:
            unit.collections.add_job(Job(name, "ingest", owner.id, collection.id, JobState.QUEUED, 1, 0, NOW, NOW))
        unit.collections.add_job(Job(new_id("job"), "batch", owner.id, "", JobState.QUEUED, 1, 0, NOW, NOW))

    storage.run_sync(write)
    queued = storage.read_sync(
        lambda unit: unit.collections.jobs(collection_id=collection.id, kind="ingest", states=[JobState.QUEUED])
    )
    assert {job.id for job in queued} == set(ids)
    assert len(storage.read_sync(lambda unit: unit.collections.jobs(owner_id=owner.id))) == MOST_JOBS
    assert storage.read_sync(lambda unit: unit.collections.jobs(owner_id=other.id)) == []


def test_subjects_are_found_by_alias_and_unlinked_by_collection(storage: Storage) -> None:
    subject = Subject(new_id("sub"), "Ada Example", ("MRN-7781",), NOW)
    links = [
        SubjectLink(subject.id, "chunk", f"chk_{n}", f"col_{n}", LinkOrigin.RECOGNISER, n == 1, NOW) for n in range(2)
    ]

    def write(unit):
        unit.subjects.add(subject)
        for link in links:
            unit.subjects.link(link)

    storage.run_sync(write)
    assert storage.read_sync(lambda unit: unit.subjects.find("MRN-7781")) == subject
    assert storage.read_sync(lambda unit: unit.subjects.find("Ada Example")) == subject
    assert storage.read_sync(lambda unit: unit.subjects.find("Nobody")) is None
    assert subject in storage.read_sync(lambda unit: unit.subjects.list())
    storage.run_sync(lambda unit: unit.subjects.add_alias(subject.id, "A. Example"))
    assert storage.read_sync(lambda unit: unit.subjects.get(subject.id)).aliases == ("A. Example", "MRN-7781")
    assert storage.read_sync(lambda unit: unit.subjects.links_of("chunk", ["chk_0", "chk_9"])) == [links[0]]
    assert list(storage.read_sync(lambda unit: unit.subjects.links_to(subject.id))) == links
    storage.run_sync(lambda unit: unit.subjects.unlink("col_0"))
    assert list(storage.read_sync(lambda unit: unit.subjects.links_to(subject.id))) == links[1:]


def test_models_are_found_by_alias(storage: Storage) -> None:
    record = ModelRecord("a package", "Apache-2.0", "not stated", "not stated")
    model = Model(
        "tiny", "chat", "echo", "none", (ModelFile("w", "ab", 3),), 512, None, record, b"sig", NOW, True, ("default",)
    )
    other = dataclasses.replace(model, name="other", aliases=())
    storage.run_sync(lambda unit: (unit.models.add(model), unit.models.add(other)))
    assert storage.read_sync(lambda unit: unit.models.get("default")) == model
    storage.run_sync(lambda unit: unit.models.set_alias("default", "other"))
    assert storage.read_sync(lambda unit: unit.models.get("default")).name == "other"
    assert [m.name for m in storage.read_sync(lambda unit: unit.models.list())] == ["other", "tiny"]
    storage.run_sync(lambda unit: unit.models.remove("other"))
    assert storage.read_sync(lambda unit: unit.models.get("default")) is None


def test_home_is_private(storage: Storage, tmp_path: Path) -> None:
    home = StorageHome.copied(tmp_path)
    home.open()
    assert home.database.stat().st_mode & 0o777 == 0o600
    assert home.database.parent.stat().st_mode & 0o777 == 0o700
    home.close()
