"""Fixtures shared by all tests."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

import cheap_argon2
from installation import Installation
from pai.adapters.cryptography import keystore_process, passphrase

REAL = (passphrase.hash_secret_raw, keystore_process.PROGRAM)
Installation.usual = (cheap_argon2.PROGRAM, "pai")
cheap_argon2.cheapen()
# How long an example takes says more of the machine than of the code.
hypothesis.settings.register_profile("pai", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("pai")


# Collecting makes a million objects that all stay: looking through them for garbage again and again costs a fifth of the time.
gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _passwords_at_their_price(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only tests marked ``real_argon2`` pay it: what is stretched one way does not open the other way."""
    if request.node.get_closest_marker("real_argon2") is not None:
        monkeypatch.setattr(passphrase, "hash_secret_raw", REAL[0])
        monkeypatch.setattr(keystore_process, "PROGRAM", REAL[1])


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> Iterator[Installation]:
    """One echo installation, served by real processes, shared by tests that do not break it."""
    installation = Installation(tmp_path_factory.mktemp("served"))
    shutil.copytree(initialised, installation.home, symlinks=True)
    installation.start()
    yield installation
    assert installation.stop() == 0


@pytest.fixture(scope="session")
def initialised(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home as `pai init` leaves it, to be copied: it names neither its place nor a port."""
    installation = Installation(tmp_path_factory.mktemp("initialised"))
    installation.init()
    return installation.home


@pytest.fixture
def fresh(tmp_path: Path, initialised: Path) -> Iterator[Installation]:
    """An installation of the test's own, initialised but not served."""
    installation = Installation(tmp_path / "pai")
    shutil.copytree(initialised, installation.home, symlinks=True)
    yield installation
    installation.stop(sig=9)
