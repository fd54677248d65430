"""`make uninstall` removes nothing that was not said yes to."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("said", "program", "home"),
    [
        ("no\n", True, True),
        ("", True, True),
        ("no\nyes\n", True, True),
        ("yes\nno\n", False, True),
        ("yes\nyes\n", False, False),
    ],
)
def test_what_is_removed(said: str, program: bool, home: bool, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for folder in (".venv", ".cache", "home"):
        (tmp_path / folder).mkdir()
    done = subprocess.run(
        ["make", "uninstall"], cwd=tmp_path, input=said, text=True, capture_output=True, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PAI_HOME": str(tmp_path / "home")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [(tmp_path / name).exists() for name in (".venv", ".cache", "home")] == [program, program, home]
