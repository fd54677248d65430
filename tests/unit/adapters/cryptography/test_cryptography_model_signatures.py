from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.model_signatures import ModelSigner, model_manifest
from pai.core.models.values import Model, ModelFile, ModelRecord
from pai.foundation.errors import Corrupt
from pai.foundation.redaction import Secret

MODEL = Model(
    name="small", task="chat", engine="llama.cpp", format="gguf",
    files=(ModelFile("small.gguf", "ab" * 32, 1000), ModelFile("tokenizer.json", "cd" * 32, 10)),
    context_length=4096, dimensions=None,
    record=ModelRecord("a package", "Apache-2.0", "not stated", "not stated"),
    signature=b"", imported_at=datetime(2026, 1, 1, tzinfo=UTC),
)  # fmt: skip


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> ModelSigner:
    return ModelSigner(new_vault(tmp_path_factory.mktemp("one")))


def new_vault(folder: Path) -> KeyVault:
    vault = KeyVault(folder)
    vault.create(Secret(b"a long passphrase for tests only"), "rfc9106-second")
    return vault


def test_a_signed_model_is_accepted_also_after_a_change_of_its_state(signer: ModelSigner) -> None:
    signed = replace(MODEL, signature=signer.sign(MODEL))
    signer.verify(signed)
    signer.verify(replace(signed, active=False, aliases=("default",), imported_at=datetime(2027, 1, 1, tzinfo=UTC)))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "large"},
        {"task": "embedding"},
        {"engine": "echo"},
        {"format": "onnx"},
        {"files": MODEL.files[:1]},
        {"files": MODEL.files[::-1]},
        {"files": (ModelFile("small.gguf", "ac" * 32, 1000), MODEL.files[1])},
        {"files": (ModelFile("small.gguf", "ab" * 32, 1001), MODEL.files[1])},
        {"files": (ModelFile("other.gguf", "ab" * 32, 1000), MODEL.files[1])},
        {"context_length": 8192},
        {"dimensions": 384},
        {"record": ModelRecord("a package", "MIT", "not stated", "not stated")},
        {"signature": b""},
        {"signature": bytes(64)},
        {"signature": b"x" * 63},
    ],
)
def test_any_change_of_what_was_signed_is_corrupt(signer: ModelSigner, change: dict[str, Any]) -> None:
    signed = replace(MODEL, signature=signer.sign(MODEL))
    with pytest.raises(Corrupt) as refused:
        signer.verify(replace(signed, **change))
    assert refused.value.code == "model_signature"


def test_another_installations_signature_is_corrupt(signer: ModelSigner, tmp_path: Path) -> None:
    other = ModelSigner(new_vault(tmp_path))
    with pytest.raises(Corrupt):
        signer.verify(replace(MODEL, signature=other.sign(MODEL)))


def test_a_checkpoint_signature_does_not_pass_for_a_model(tmp_path: Path) -> None:
    vault = new_vault(tmp_path)
    with pytest.raises(Corrupt):
        ModelSigner(vault).verify(replace(MODEL, signature=vault.sign("checkpoint", model_manifest(MODEL))))
