"""The loop of the keystore process: reads requests from its one connection, answers them in any order."""

from __future__ import annotations

import contextlib
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from pai.adapters.cryptography.keystore import KeyVault
from pai.adapters.cryptography.keystore_frames import (
    MAX_FRAME,
    FrameTooLarge,
    Request,
    Response,
    enclose,
    encode,
    receive_frame,
    send_frame,
    to_frame,
)
from pai.adapters.cryptography.keystore_operation import Operation
from pai.adapters.cryptography.keystore_operations import OPERATIONS
from pai.foundation.errors import Invalid, PaiError, Throttled, TooLarge

_SLOW_THREADS: Final = 2
_SLOW_WAITING: Final = 64


class KeystoreServer:
    """Serves one vault on one connection until it closes.

    Quick operations run at once in the reading thread; those with Argon2id in two threads of their own, so that a
    burst of log-ins delays nothing else. More than 64 waiting are refused.
    """

    def __init__(self, connection: socket.socket, vault: KeyVault) -> None:
        self._connection = connection
        self._vault = vault
        self._sending = threading.Lock()
        self._slow = ThreadPoolExecutor(_SLOW_THREADS, thread_name_prefix="argon2")
        self._room = threading.BoundedSemaphore(_SLOW_THREADS + _SLOW_WAITING)

    def serve(self) -> None:
        """Answer until the other side closes, then wipe the vault. A frame that is too large ends the connection."""
        try:
            while (payload := receive_frame(self._connection)) is not None:
                self._accept(payload)
        except FrameTooLarge as error:
            self._send(Response(0, ok=False, error=to_frame(error)))
        except ConnectionError:
            pass  # the other side died in the middle of a frame; to us that is the end as well
        finally:
            self._slow.shutdown(wait=False, cancel_futures=True)
            self._vault.close()

    def _accept(self, payload: bytearray) -> None:
        identity = 0
        try:
            request = msgspec.msgpack.decode(payload, type=Request)
            identity = request.id
            operation = _operation(request)
            payload[:] = bytes(len(payload))  # what was decoded are copies; the frame may have held a passphrase
        except msgspec.MsgspecError as error:
            # msgspec names the place and the wanted type, never the value.
            self._fail(identity, Invalid(f"malformed request to the keystore: {error}", code="malformed"))
        except PaiError as error:
            self._fail(identity, error)
        else:
            self._start(identity, operation)

    def _start(self, identity: int, operation: Operation) -> None:
        if not operation.slow:
            self._run(identity, operation)
        elif self._room.acquire(blocking=False):
            self._slow.submit(self._run_slowly, identity, operation)
        else:
            self._fail(identity, Throttled("too many log-ins at once", hint="try again in a few seconds"))

    def _run_slowly(self, identity: int, operation: Operation) -> None:
        try:
            self._run(identity, operation)
        finally:
            self._room.release()

    def _run(self, identity: int, operation: Operation) -> None:
        try:
            result = msgspec.Raw(encode(operation.perform(self._vault)))
        except PaiError as error:
            self._fail(identity, error)
        # The boundary of the process: one bad request must not seal everybody.
        except Exception as error:  # noqa: BLE001
            # The class only: a message could hold what was being worked on.
            print(f"keystore: {operation.op} failed with {type(error).__name__}", file=sys.stderr, flush=True)  # noqa: T201
            self._fail(identity, PaiError("the keystore could not do this", hint="see PAI's log"))
        else:
            self._send(Response(identity, ok=True, result=result))

    def _fail(self, identity: int, error: PaiError) -> None:
        self._send(Response(identity, ok=False, error=to_frame(error)))

    def _send(self, response: Response) -> None:
        payload = encode(response)
        if len(payload) > MAX_FRAME:
            payload = encode(Response(response.id, ok=False, error=to_frame(TooLarge("the answer is too large"))))
        # When the other side is gone the reading thread notices and ends; there is nobody left to answer.
        with self._sending, contextlib.suppress(OSError):
            send_frame(self._connection, payload)


def _operation(request: Request) -> Operation:
    kind = OPERATIONS.get(request.op)
    if kind is None:
        raise Invalid("the keystore knows no such operation", code="unknown_operation")
    return msgspec.msgpack.decode(request.args, type=kind, dec_hook=enclose)
