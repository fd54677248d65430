from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from identity_home import People, identity_home
from pai.core.identity.key_limits import KeyLimits, checked_networks, within, within_maker
from pai.foundation.actor import OPERATOR, Scope
from pai.foundation.errors import Denied, Invalid, Unauthenticated
from pai.foundation.labels import Label
from storage_home import NOW

ALL = frozenset(Scope)
LATER = NOW + timedelta(days=1)
MAKER = KeyLimits(frozenset({Scope.INFERENCE, Scope.ADMIN}), Label.INTERNAL, LATER, ("10.0.0.0/8", "fd00::/8"))


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Iterator[People]:
    with identity_home(tmp_path_factory.mktemp("limits")) as parts:
        yield People(*parts)


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (KeyLimits(frozenset({Scope.AUDIT}), Label.PUBLIC, LATER, MAKER.networks), "scopes"),
        (KeyLimits(frozenset({Scope.INFERENCE}), Label.CONFIDENTIAL, LATER, MAKER.networks), "ceiling"),
        (
            KeyLimits(frozenset({Scope.INFERENCE}), Label.PUBLIC, LATER + timedelta(seconds=1), MAKER.networks),
            "outlives",
        ),
        (KeyLimits(frozenset({Scope.INFERENCE}), Label.PUBLIC, LATER, ("0.0.0.0/0",)), "networks"),
        (KeyLimits(frozenset({Scope.INFERENCE}), Label.PUBLIC, LATER, ("8.0.0.0/6",)), "networks"),
        (KeyLimits(frozenset({Scope.INFERENCE}), Label.PUBLIC, LATER, ("10.1.0.0/16", "192.168.0.0/16")), "networks"),
        (KeyLimits(frozenset({Scope.INFERENCE}), Label.PUBLIC, LATER, ("::/0",)), "networks"),
    ],
)
def test_a_key_makes_no_key_beyond_itself(wanted: KeyLimits, why: str) -> None:
    with pytest.raises(Denied, match=why):
        within_maker(MAKER, wanted)


def test_what_is_not_named_is_the_makers() -> None:
    got = within_maker(MAKER, KeyLimits(frozenset({Scope.INFERENCE}), Label.PUBLIC, None, ()))
    assert (got.expires_at, got.networks) == (LATER, MAKER.networks)
    inner = KeyLimits(frozenset({Scope.INFERENCE}), Label.INTERNAL, NOW, ("10.2.3.0/24", "fd00:1::/32"))
    assert within_maker(MAKER, inner) == inner
    free = KeyLimits(ALL, Label.RESTRICTED, None, ())
    assert within_maker(free, inner) == inner
    assert within_maker(free, free) == free


def test_networks_are_read_strictly_and_told_in_one_form() -> None:
    assert checked_networks([" 10.0.0.7 ", "10.0.0.7/32", "FD00::/8"]) == ("10.0.0.7/32", "fd00::/8")
    for wrong in ("10.0.0.1/8", "everywhere", "", "10.0.0.0/33", "1.2.3"):
        with pytest.raises(Invalid) as caught:
            checked_networks([wrong])
        assert caught.value.code == "bad_network"
    with pytest.raises(Invalid):
        checked_networks([f"10.0.{n}.0/24" for n in range(33)])


@pytest.mark.parametrize(
    ("address", "inside"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("fd00::1", True), ("11.0.0.1", False), ("::ffff:11.0.0.1", False),
     ("fe80::1", False), ("", False), ("10.1.2.3, 11.0.0.1", False), ("unknown", False)],
)  # fmt: skip
def test_an_address_lies_in_a_network(address: str, inside: bool) -> None:
    assert within(address, MAKER.networks) is inside
    assert within(address, ())


async def test_the_end_of_a_chain_of_keys_is_the_end_of_the_first(people: People) -> None:
    user = (await people.add("ada")).user
    scopes = frozenset({Scope.ADMIN})
    end = people.clock.now() + timedelta(hours=1)
    made = await people.keys.create(OPERATOR, owner=user.email, name="one", scopes=scopes, expires_at=end)
    one = await people.keys.authenticate(made.text)
    assert one.until == end
    with pytest.raises(Denied):  # a key with the scope admin is made by a person
        await people.keys.create(one, owner=user.email, name="two", scopes=scopes)
    two = await people.keys.create(one, owner=user.email, name="two", scopes=frozenset())
    assert two.key.expires_at == end
    with pytest.raises(Denied, match="outlives"):
        await people.keys.create(
            one, owner=user.email, name="three", scopes=frozenset(), expires_at=end + timedelta(seconds=1)
        )
    people.clock.later(hours=1)
    for text in (made.text, two.text):
        with pytest.raises(Unauthenticated):
            await people.keys.authenticate(text)


async def test_a_refused_network_is_recorded_with_the_keys_id(people: People) -> None:
    user = (await people.add("ada")).user
    made = await people.keys.create(
        OPERATOR, owner=user.email, name="k", scopes=frozenset({Scope.INFERENCE}), networks=["10.0.0.0/8"]
    )
    assert (await people.keys.authenticate(made.text, "10.9.9.9")).key_id == made.key.id
    with pytest.raises(Unauthenticated) as refused:
        await people.keys.authenticate(made.text, "192.0.2.1")
    assert refused.value.message == "the API key is not valid", "where it would be valid is nobody's business"
    [event, *_] = await people.events("identity:credential:refuse")
    assert event.body["credential"] == made.key.id
