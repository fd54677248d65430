"""The shipped policies, asked as use cases ask them."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import pytest

from pai.adapters.policy.cedar import CedarPolicy
from pai.core.knowledge.access import ref_of
from pai.core.knowledge.values import Collection, Share
from pai.core.policy.values import SCOPES, Permission
from pai.foundation.actor import OPERATOR, SYSTEM, Actor, ActorKind, Role, Scope
from pai.foundation.errors import Corrupt, Denied
from pai.foundation.labels import Label
from pai.foundation.refs import ResourceRef

POLICY = CedarPolicy()
NOW = datetime(2026, 1, 31, tzinfo=UTC)
COLLECTION = Collection("col_1", "letters", "usr_1", Label.CONFIDENTIAL, "patient care", NOW)
OWNER = Actor("usr_1", "owner@pai.test", ActorKind.PERSON, Role.MEMBER)
CONTENT = [Permission.COLLECTION_READ, Permission.ASK, Permission.INGEST, Permission.COLLECTION_DELETE]


def allowed(actor: Actor, permission: Permission, resource: ResourceRef, purpose: str | None = None) -> bool:
    try:
        POLICY.decide(actor, permission, resource, purpose=purpose)
    except Denied:
        return False
    return True


@pytest.mark.parametrize("permission", CONTENT)
def test_content_is_its_owners_whatever_anyones_role(permission: Permission) -> None:
    assert allowed(OWNER, permission, ref_of(COLLECTION))
    for role in Role:
        assert not allowed(Actor("usr_2", "x", ActorKind.PERSON, role), permission, ref_of(COLLECTION))
    assert not allowed(OPERATOR, permission, ref_of(COLLECTION))
    assert not allowed(SYSTEM, permission, ref_of(COLLECTION))


def test_what_is_shared_is_read_and_asked_and_nothing_else() -> None:
    shared = ref_of(dataclasses.replace(COLLECTION, shares=(Share("usr_2"),)))
    colleague = Actor("usr_2", "x", ActorKind.PERSON, Role.MEMBER)
    assert [allowed(colleague, permission, shared) for permission in CONTENT] == [True, True, False, False]


def test_conversations_are_their_owners() -> None:
    theirs = ResourceRef("conversations", "usr_2", "usr_2", Label.CONFIDENTIAL)
    assert allowed(Actor("usr_2", "x", ActorKind.PERSON, Role.MEMBER), Permission.CONVERSATIONS, theirs)
    assert not allowed(OWNER, Permission.CONVERSATIONS, theirs)


def test_restricted_processing_leaves_looking_and_erasing() -> None:
    restricted = ref_of(dataclasses.replace(COLLECTION, restricted=True))
    assert [allowed(OWNER, permission, restricted) for permission in CONTENT] == [True, False, False, True]
    with pytest.raises(Denied, match="restricted"):
        POLICY.decide(OWNER, Permission.ASK, restricted)


def test_another_purpose_than_the_collections_is_denied() -> None:
    assert allowed(OWNER, Permission.ASK, ref_of(COLLECTION), "patient care")
    assert not allowed(OWNER, Permission.ASK, ref_of(COLLECTION), "marketing")


@pytest.mark.parametrize("permission", list(Permission))
def test_a_key_needs_the_scope_and_a_ceiling(permission: Permission) -> None:
    resource = ResourceRef("any", "any", "usr_1", Label.CONFIDENTIAL)
    administrator = dataclasses.replace(OWNER, role=Role.ADMINISTRATOR, fresh=True)
    if not allowed(administrator, permission, resource):
        # The console's alone; and nobody decides what they asked for themselves.
        assert permission in (Permission.ROOT_KEY, Permission.BACKUP, Permission.APPROVALS_DECIDE)
        return
    needed = SCOPES[permission]
    others = frozenset(Scope) - {needed}
    assert allowed(dataclasses.replace(administrator, scopes=frozenset(Scope)), permission, resource)
    assert allowed(dataclasses.replace(administrator, scopes=others), permission, resource) is (needed is None)
    assert not allowed(dataclasses.replace(administrator, ceiling=Label.INTERNAL), permission, resource)


def test_policies_that_do_not_fit_their_schema_stop_the_start() -> None:
    with pytest.raises(Corrupt):
        CedarPolicy('@id("x")\npermit (principal, action, resource) when { resource.ownr == "a" };')
    with pytest.raises(Corrupt):
        CedarPolicy("permit (principal, action")


DANGEROUS = [Permission.ADMIN_KEY, Permission.FACTORS_CHANGE, Permission.USERS_CHANGE]


@pytest.mark.parametrize("permission", DANGEROUS)
def test_what_is_dangerous_needs_a_fresh_proof_and_no_key_has_one(permission: Permission) -> None:
    own = ResourceRef("user", "usr_1", "usr_1")
    stale = Actor("usr_1", "x", ActorKind.PERSON, Role.ADMINISTRATOR)
    with pytest.raises(Denied) as caught:
        POLICY.decide(stale, permission, own)
    assert caught.value.code == "step_up"
    assert allowed(dataclasses.replace(stale, fresh=True), permission, own)
    key = dataclasses.replace(stale, key_id="key_1", scopes=frozenset(Scope))
    assert not allowed(key, permission, own)


def test_an_administrator_who_must_enrol_may_enrol_and_nothing_else() -> None:
    due = Actor("usr_1", "x", ActorKind.PERSON, Role.ADMINISTRATOR, fresh=True, must_enrol=True)
    own = ResourceRef("user", "usr_1", "usr_1", Label.PUBLIC)
    may = {permission for permission in Permission if allowed(due, permission, own)}
    assert may == {Permission.SELF, Permission.FACTORS, Permission.FACTORS_CHANGE, Permission.SESSIONS}
    with pytest.raises(Denied) as caught:
        POLICY.decide(due, Permission.CHAT, own)
    assert caught.value.code == "second_factor_needed"


def test_a_denial_names_the_role_that_it_comes_from() -> None:
    with pytest.raises(Denied, match="to the role member"):
        POLICY.decide(OWNER, Permission.USERS, ResourceRef("installation", "installation"))


@pytest.mark.parametrize("permission", list(Permission))
def test_nobody_touches_what_they_are_not_cleared_for(permission: Permission) -> None:
    own = ResourceRef("any", "any", "usr_1", Label.CONFIDENTIAL)
    administrator = dataclasses.replace(OWNER, role=Role.ADMINISTRATOR, fresh=True)
    cleared = dataclasses.replace(administrator, clearance=Label.INTERNAL)
    assert not allowed(cleared, permission, own)
    public = dataclasses.replace(own, label=Label.INTERNAL)
    assert allowed(cleared, permission, public) == allowed(administrator, permission, public)


def test_a_denial_for_clearance_says_that_and_not_the_ceiling() -> None:
    low = dataclasses.replace(OWNER, clearance=Label.INTERNAL, ceiling=Label.INTERNAL)
    with pytest.raises(Denied) as caught:
        POLICY.decide(low, Permission.ASK, ref_of(COLLECTION))
    assert "cleared for" in caught.value.message
    assert "credential" not in caught.value.message
