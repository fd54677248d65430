from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pai.adapters.cryptography.aead import version_of
from pai.core.identity.values import Totp, totp_bound
from pai.foundation.ids import new_id
from storage_home import NOW, StorageHome, a_user


@pytest.fixture
def home(tmp_path: Path) -> Iterator[StorageHome]:
    home = StorageHome.copied(tmp_path)
    yield home
    home.close()


def test_rotation_moves_the_secrets_of_authenticator_apps(home: StorageHome) -> None:
    """Who learned the old key must not read second factors for ever."""
    storage, user = home.open(), a_user()
    factors = sorted(new_id("fac") for _ in range(3))
    users = [user, a_user(), a_user()]
    for factor, one in zip(factors, users, strict=True):
        sealed = home.vault.seal("server", totp_bound(one.id, factor), b"secret of the app")
        storage.run_sync(
            lambda unit, one=one, factor=factor, sealed=sealed: (
                unit.users.add(one), unit.factors.set_totp(Totp(factor, one.id, sealed, 0, NOW, NOW)),
            )
        )  # fmt: skip
    home.vault.rotate_keys()
    assert "seal/server/totp" in storage.read_sync(lambda unit: unit.sealed.kinds)
    first = storage.run_sync(lambda unit: unit.sealed.rewrap("seal/server/totp", "", 2))
    rest = storage.run_sync(lambda unit: unit.sealed.rewrap("seal/server/totp", first.last, 2))
    assert (first.moved, rest.moved, rest.last) == (2, 1, "")
    for factor, one in zip(factors, users, strict=True):
        held = storage.read_sync(lambda unit, one=one: unit.factors.totp(one.id))
        assert version_of(held.sealed) == 2
        assert home.vault.unseal("server", totp_bound(one.id, factor), held.sealed) == b"secret of the app"
    again = storage.run_sync(lambda unit: unit.sealed.rewrap("seal/server/totp", "", 9))
    assert (again.looked_at, again.moved) == (3, 0)
