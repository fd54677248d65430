"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import cheap_argon2
from installation import Installation
from pai.adapters.cryptography import keystore_process, passphrase

REAL = (passphrase.hash_secret_raw, keystore_process.PROGRAM)
Installation.usual = (cheap_argon2.PROGRAM, "pai")
cheap_argon2.cheapen()


@pytest.fixture(autouse=True)
def _passwords_at_their_price(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests marked ``real_argon2`` pay it: what is stretched one way does not open the other way."""
    if request.node.get_closest_marker("real_argon2") is not None:
        monkeypatch.setattr(passphrase, "hash_secret_raw", REAL[0])
        monkeypatch.setattr(keystore_process, "PROGRAM", REAL[1])


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """One echo installation, served by real processes, shared by tests that do not break it."""
    installation = Installation(tmp_path_factory.mktemp("served"))
    installation.init()
    installation.start()
    yield installation
    assert installation.stop() == 0


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Installation]:
    """An installation of the test's own, initialised but not served."""
    installation = Installation(tmp_path / "pai")
    installation.init()
    yield installation
    installation.stop(sig=9)
