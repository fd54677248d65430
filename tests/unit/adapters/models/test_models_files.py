"""Model files on their way into a home: copied or moved, checked, and out of reach of whoever changes the source later."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pai.adapters.models.catalogue import CHOICES, catalogue
from pai.adapters.models.files import bring
from pai.bootstrap import fetch
from pai.foundation.errors import Corrupt, Unavailable

DATA = b"weights" * 1000
HASH = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "cache" / "model.bin"
    path.parent.mkdir()
    path.write_bytes(DATA)
    return path


def test_a_copy_does_not_follow_its_source(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "home" / "model.bin"
    bring(source, target, HASH)
    source.write_bytes(b"changed")
    assert target.read_bytes() == DATA
    assert target.stat().st_mode & 0o777 == 0o600
    bring(source, target, HASH)  # what is there and right is not looked for again


def test_moving_leaves_one_file(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "home" / "model.bin"
    bring(source, target, HASH, move=True)
    assert target.read_bytes() == DATA
    assert target.stat().st_mode & 0o777 == 0o600
    assert not source.exists()
    assert list(target.parent.iterdir()) == [target]


def test_a_file_with_another_name_is_copied_when_it_is_moved(source: Path, tmp_path: Path) -> None:
    other, target = tmp_path / "other-name.bin", tmp_path / "home" / "model.bin"
    other.hardlink_to(source)
    bring(source, target, HASH, move=True)
    with other.open("r+b") as file:
        file.write(b"changed")
    assert target.read_bytes() == DATA
    assert not source.exists()
    link = tmp_path / "link.bin"
    whole = tmp_path / "whole.bin"
    whole.write_bytes(DATA)
    link.symlink_to(whole)
    bring(link, tmp_path / "home" / "second.bin", HASH, move=True)
    assert whole.read_bytes() == DATA, "what a link leads to is not ours to move"


@pytest.mark.parametrize("move", [False, True])
def test_a_file_with_another_hash_is_refused_and_stays_where_it_was(source: Path, tmp_path: Path, move: bool) -> None:
    target = tmp_path / "home" / "model.bin"
    with pytest.raises(Corrupt):
        bring(source, target, "0" * 64, move=move)
    assert source.read_bytes() == DATA
    assert not target.exists()
    with pytest.raises(Unavailable):
        bring(tmp_path / "nothing", target, HASH, move=move)


def test_nothing_is_fetched_that_the_home_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(fetch.telemetry, "switch_off", lambda: None)  # both are for a process of its own
    monkeypatch.setattr(fetch.logging, "disable", lambda _level: None)
    monkeypatch.setattr(fetch, "_download", lambda requirement, _parts: asked.append(requirement))
    for name in CHOICES["small"]:
        for file in catalogue()[name].files:
            path = tmp_path / "home" / "models" / name / file.path
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as made:
                made.truncate(file.size)
    arguments = ["--models", "small", "--cache", str(tmp_path / "cache")]
    assert fetch.main([*arguments, "--home", str(tmp_path / "home")]) == 0
    assert asked == []
    assert fetch.main(arguments) == 1
    assert len(asked) == 1
