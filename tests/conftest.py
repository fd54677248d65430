"""Fixtures shared by all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from installation import Installation


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
