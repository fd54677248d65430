"""How the gateway and the keystore talk: frames of 4-byte big-endian length and MessagePack over a socket pair.

Request ``{id, op, args}``; response ``{id, ok, result}`` or ``{id, ok: false, error: {class, code, message,
hint}}``. Never pickle.
"""

from __future__ import annotations

import socket
from typing import Final

import msgspec

from pai.foundation import errors
from pai.foundation.errors import PaiError, TooLarge
from pai.foundation.redaction import Secret

MAX_FRAME: Final = 1024 * 1024
_LENGTH_BYTES = 4
# Only these classes cross the socket; any other word becomes the base class.
_ERRORS: Final[dict[str, type[PaiError]]] = {
    kind.__name__: kind
    for kind in (
        errors.Invalid,
        errors.Unauthenticated,
        errors.Denied,
        errors.NotFound,
        errors.Conflict,
        errors.TooLarge,
        errors.Throttled,
        errors.Unavailable,
        errors.Sealed,
        errors.Corrupt,
    )
}


class Request(msgspec.Struct, forbid_unknown_fields=True):
    """One call. ``args`` are decoded by the operation that ``op`` names."""

    id: int
    op: str
    args: msgspec.Raw


class ErrorFrame(msgspec.Struct, rename={"kind": "class"}):
    """A failure, as it crosses the socket."""

    kind: str
    code: str
    message: str
    hint: str


class Response(msgspec.Struct, omit_defaults=True):
    """The answer to the request with the same id; id 0 answers a frame that could not be read."""

    id: int
    ok: bool
    result: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: ErrorFrame | None = None


class FrameTooLarge(TooLarge):
    """The other side announced a frame that nobody may send; the stream cannot be read any further."""


def encode(value: object) -> bytes:
    """Return MessagePack; a Secret is revealed here and nowhere else on the way."""
    return msgspec.msgpack.encode(value, enc_hook=_reveal)


def enclose(kind: type, value: object) -> object:
    """Turn bytes into a Secret where a field asks for one (a msgspec ``dec_hook``)."""
    if kind is Secret and isinstance(value, bytes):
        return Secret(value)
    raise TypeError(f"{kind.__name__} cannot cross the keystore's socket")


def to_frame(error: PaiError) -> ErrorFrame:
    """Return an error as it crosses the socket."""
    return ErrorFrame(type(error).__name__, error.code, error.message, error.hint)


def to_error(frame: ErrorFrame) -> PaiError:
    """Return the error that a frame stands for."""
    return _ERRORS.get(frame.kind, PaiError)(frame.message, code=frame.code, hint=frame.hint)


def send_frame(connection: socket.socket, payload: bytes) -> None:
    """Send one frame. Raises TooLarge before anything is sent, OSError when the other side is gone."""
    if len(payload) > MAX_FRAME:
        raise TooLarge(
            "a record is too large for the keystore", hint="keys and small records only; encrypt blobs in segments"
        )
    connection.sendall(len(payload).to_bytes(_LENGTH_BYTES, "big") + payload)


def receive_frame(connection: socket.socket) -> bytearray | None:
    """Return one frame's payload; None at the end of the stream.

    Raises FrameTooLarge before reading what is announced.
    """
    head = _exactly(connection, _LENGTH_BYTES)
    if head is None:
        return None
    length = int.from_bytes(head, "big")
    if length > MAX_FRAME:
        raise FrameTooLarge(f"a frame of {length} bytes was announced; at most {MAX_FRAME} are read")
    return _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytearray | None:
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = connection.recv_into(view)
        if not got:
            return None
        view = view[got:]
    return data


def _reveal(value: object) -> object:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} cannot cross the keystore's socket")
