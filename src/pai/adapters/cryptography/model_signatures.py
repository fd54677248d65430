"""Signatures of models: this installation vouches for the files, task, engine and record of each model it runs."""

from __future__ import annotations

import json

from pai.adapters.cryptography.signatures import verify_signature
from pai.core.keys.ports import Keystore
from pai.core.models.values import Model
from pai.foundation.errors import Corrupt

_DOMAIN = b"pai model manifest 1\n"


def model_manifest(model: Model) -> bytes:
    """Return the bytes that are signed: a domain line, then JSON with sorted keys and no spaces.

    Left out is what may change without a new import: ``active``, ``aliases``, ``imported_at`` and the signature
    itself.
    """
    content = {
        "name": model.name,
        "task": model.task,
        "engine": model.engine,
        "format": model.format,
        "files": [{"path": file.path, "sha256": file.sha256, "size": file.size} for file in model.files],
        "context_length": model.context_length,
        "dimensions": model.dimensions,
        "record": {
            "origin": model.record.origin,
            "licence": model.record.licence,
            "training_data": model.record.training_data,
            "known_gaps": model.record.known_gaps,
        },
    }
    return _DOMAIN + json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def sign_model(keystore: Keystore, model: Model) -> bytes:
    """Return the Ed25519 signature for a model whose files were just checked."""
    return keystore.sign("model", model_manifest(model))


def verify_model(model: Model, public_key: bytes) -> None:
    """Raise Corrupt (code ``model_signature``) unless the holder of the installation's model key signed exactly
    this model.
    """
    if not verify_signature(public_key, model_manifest(model), model.signature):
        raise Corrupt(
            f"the model {model.name!r} is not signed by this installation",
            code="model_signature",
            hint="its register entry was changed or comes from elsewhere; remove it and import the model again",
        )


class ModelSigner:
    """Signs and verifies with the model key of one keystore; the public key is asked for once."""

    def __init__(self, keystore: Keystore) -> None:
        self._keystore = keystore
        self._public_key: bytes | None = None

    def sign(self, model: Model) -> bytes:
        """Return the signature for a model whose files were just checked."""
        return sign_model(self._keystore, model)

    def verify(self, model: Model) -> None:
        """Raise Corrupt unless this installation signed exactly this model."""
        if self._public_key is None:
            self._public_key = self._keystore.verify_key("model")
        verify_model(model, self._public_key)
