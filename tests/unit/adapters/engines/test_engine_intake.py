"""Files of a model of the catalogue, as the server takes them from the staging folder: byte for byte, or not at all."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine_models import RECORD
from pai.adapters.engines.intake import FolderIntake
from pai.core.models.values import Model, ModelFile
from pai.foundation.errors import Corrupt, Invalid, PaiError
from pai.foundation.time import utc_now

FILES = {"detection.onnx": b"first network", "recognition.onnx": b"second network"}
STAGED = "model-0011"


class Headers:
    """Notes which files were to be read before an engine sees them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    async def check(self, format: str, files: Mapping[str, int]) -> dict[str, Any]:
        self.asked.append((format, [*files]))
        return {}


def known() -> Model:
    files = tuple(ModelFile(name, hashlib.sha256(data).hexdigest(), len(data)) for name, data in FILES.items())
    return Model("reader", "ocr", "onnxruntime-ocr", "onnx", files, 0, None, RECORD, b"", utc_now())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "tmp" / STAGED).mkdir(parents=True)
    (tmp_path / "models").mkdir()
    for name, data in FILES.items():
        (tmp_path / "tmp" / STAGED / name).write_bytes(data)
    return tmp_path


async def test_what_is_the_catalogues_is_read_and_kept(home: Path) -> None:
    headers = Headers()
    await FolderIntake(home / "tmp", home / "models", headers).take_known(STAGED, known())
    assert {path.name: path.read_bytes() for path in (home / "models" / "reader").iterdir()} == FILES
    assert headers.asked == [("onnx", [*FILES])]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("how", ["a bit", "a byte more", "gone", "a link"])
async def test_anything_else_is_refused_and_nothing_is_kept(home: Path, name: str, how: str) -> None:
    path = home / "tmp" / STAGED / name
    data = path.read_bytes()
    path.unlink()
    if how == "a bit":
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    elif how == "a byte more":
        path.write_bytes(data + b"\0")
    elif how == "a link":
        (home / "elsewhere").write_bytes(data)
        path.symlink_to(home / "elsewhere")
    with pytest.raises(PaiError) as refused:
        await FolderIntake(home / "tmp", home / "models", Headers()).take_known(STAGED, known())
    assert isinstance(refused.value, Corrupt) or how in ("gone", "a link")
    assert not (home / "models" / "reader").exists()


async def test_only_staging_folders_are_taken(home: Path) -> None:
    for place in ("../models", "elsewhere", ""):
        with pytest.raises(Invalid):
            await FolderIntake(home / "tmp", home / "models", Headers()).take_known(place, known())
