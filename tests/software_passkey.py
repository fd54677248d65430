"""A passkey in software, honest or not: what a browser and an authenticator send, made with ES256."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec


def text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


@dataclass
class SoftwarePasskey:
    """``origin`` and ``name`` are what it signs for; ``verified`` whether it says that it checked who holds it."""

    origin: str
    name: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    identity: bytes = field(default_factory=lambda: os.urandom(32))
    count: int = 0
    verified: bool = True
    user: bytes = b""

    def _data(self, *, made: bool) -> bytes:
        flags = 1 | (4 if self.verified else 0) | (64 if made else 0)
        head = hashlib.sha256(self.name.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")
        if not made:
            return head
        numbers = self.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return head + bytes(16) + len(self.identity).to_bytes(2, "big") + self.identity + cbor2.dumps(cose)

    def _client(self, kind: str, options: Mapping[str, Any], extra: Mapping[str, Any]) -> bytes:
        return json.dumps({"type": kind, "challenge": options["challenge"], "origin": self.origin, **extra}).encode()

    def make(self, options: Mapping[str, Any], **extra: Any) -> dict[str, Any]:
        self.user = base64.urlsafe_b64decode(options["user"]["id"] + "==")
        attested = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": self._data(made=True)})
        response = {
            "clientDataJSON": text(self._client("webauthn.create", options, extra)), "attestationObject": text(attested),
            "transports": ["internal"],
        }  # fmt: skip
        return {"id": text(self.identity), "rawId": text(self.identity), "type": "public-key", "response": response}

    def use(self, options: Mapping[str, Any], *, grow: int = 1, **extra: Any) -> dict[str, Any]:
        self.count += grow
        client, data = self._client("webauthn.get", options, extra), self._data(made=False)
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": text(client), "authenticatorData": text(data), "signature": text(signature),
            "userHandle": text(self.user),
        }  # fmt: skip
        return {"id": text(self.identity), "rawId": text(self.identity), "type": "public-key", "response": response}
