"""The keystore as the other processes see it: ``core.keys.ports.Keystore`` over a socket."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

import msgspec

from pai.adapters.cryptography import keystore_member_operations as members
from pai.adapters.cryptography import keystore_operations as operations
from pai.adapters.cryptography.keystore_frames import (
    MAX_FRAME,
    Response,
    enclose,
    encode,
    receive_frame,
    send_frame,
    to_error,
)
from pai.adapters.cryptography.keystore_operation import Operation
from pai.core.keys.values import KeystoreStatus, NewDataKey, NewMember
from pai.foundation.errors import Sealed, TooLarge
from pai.foundation.redaction import Secret

_ANSWER_SECONDS: Final = 120.0
_RECORDS_AT_ONCE: Final = 100
_BYTES_AT_ONCE: Final = 256 * 1024
_Result = TypeVar("_Result")


class KeystoreClient:
    """Implements ``Keystore`` and ``KeystoreAdministration``; callable from any thread, requests side by side.

    There is no thread of its own: of the callers that wait, one reads the socket and hands answers to the others.
    When the process is gone every call raises Sealed.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_ANSWER_SECONDS)
        self._connection = connection
        self._sending = threading.Lock()
        self._turn = threading.Condition()
        self._reading = False
        self._gone = False
        self._last_id = 0
        self._answers: dict[int, Response | None] = {}

    def gone(self) -> bool:
        """Return whether the keystore process has ended, without asking it anything."""
        with self._turn:
            if self._gone:
                return True
            poll = select.poll()
            poll.register(self._connection, 0)  # hang-up and errors are always told
            return any(events & select.POLLHUP for _, events in poll.poll(0))

    def release_socket(self) -> socket.socket:
        """Give the socket up, in blocking mode, so that it can be handed to another process. Call only while idle."""
        with self._turn:
            if self._answers:
                raise RuntimeError("the keystore is still answering")
            self._gone = True
        self._connection.settimeout(None)
        return self._connection

    def close(self) -> None:
        """Close the connection; the keystore process then ends."""
        with self._turn:
            self._gone = True
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def status(self) -> KeystoreStatus:
        """See the port."""
        return self._call(operations.Status(), KeystoreStatus)

    def create(self, passphrase: Secret, kdf: str) -> Secret:
        """See the port."""
        return self._call(operations.Create(passphrase, kdf), Secret)

    def open(self, passphrase: Secret) -> None:
        """See the port."""
        self._call(operations.Open(passphrase), type(None))

    def open_with_recovery(self, code: Secret) -> None:
        """See the port."""
        self._call(operations.OpenWithRecovery(code), type(None))

    def confirm_recovery(self, code: Secret) -> None:
        """See the port."""
        self._call(operations.ConfirmRecovery(code), type(None))

    def renew_recovery(self) -> Secret:
        """See the port."""
        return self._call(operations.RenewRecovery(), Secret)

    def set_passphrase(self, passphrase: Secret, kdf: str) -> None:
        """See the port."""
        self._call(operations.SetPassphrase(passphrase, kdf), type(None))

    def rotate_root(self, passphrase: Secret, kdf: str) -> Secret:
        """See the port."""
        return self._call(operations.RotateRoot(passphrase, kdf), Secret)

    def rotate_keys(self) -> dict[str, int]:
        """See the port."""
        return self._call(operations.RotateKeys(), dict[str, int])

    def key_versions(self) -> dict[str, int]:
        """See the port."""
        return self._call(operations.KeyVersions(), dict[str, int])

    def rewrap(self, purpose: str, records: Sequence[tuple[bytes, bytes]]) -> list[bytes]:
        """See the port."""
        return self._call(operations.Rewrap(purpose, list(records)), list[bytes])

    def new_member(self, user_id: str, password: Secret, *, console: bool) -> NewMember:
        """See the port."""
        return self._call(members.MakeMember(user_id, password, console), NewMember)

    def unlock_with_password(self, user_id: str, password: Secret, *, salt: bytes, verifier: bytes, wrap: bytes) -> str:
        """See the port."""
        return self._call(members.UnlockWithPassword(user_id, password, salt, verifier, wrap), str)

    def spend_password_time(self, password: Secret) -> None:
        """See the port."""
        self._call(members.SpendPasswordTime(password), type(None))

    def wrap_for_password(self, handle: str, user_id: str, password: Secret) -> tuple[bytes, bytes, bytes]:
        """See the port."""
        return self._call(members.WrapForPassword(handle, user_id, password), tuple[bytes, bytes, bytes])

    def wrap_for_api_key(self, handle: str, key_id: str, secret: Secret) -> bytes:
        """See the port."""
        return self._call(members.WrapForApiKey(handle, key_id, secret), bytes)

    def unlock_with_api_key(self, key_id: str, secret: Secret, wrap: bytes) -> str:
        """See the port."""
        return self._call(members.UnlockWithApiKey(key_id, secret, wrap), str)

    def wrap_for_passkey(self, handle: str, passkey_id: str, secret: Secret) -> bytes:
        """See the port."""
        return self._call(members.WrapForPasskey(handle, passkey_id, secret), bytes)

    def unlock_with_passkey(self, passkey_id: str, secret: Secret, wrap: bytes) -> str:
        """See the port."""
        return self._call(members.UnlockWithPasskey(passkey_id, secret, wrap), str)

    def wrap_for_console(self, handle: str, user_id: str) -> bytes:
        """See the port."""
        return self._call(members.WrapForConsole(handle, user_id), bytes)

    def unlock_from_console(self, user_id: str, wrap: bytes) -> str:
        """See the port."""
        return self._call(members.UnlockFromConsole(user_id, wrap), str)

    def unlock_with_recovery(self, user_id: str, code: Secret, wrap: bytes) -> str:
        """See the port."""
        return self._call(members.UnlockWithRecovery(user_id, code, wrap), str)

    def forget(self, handle: str) -> None:
        """See the port."""
        self._call(members.Forget(handle), type(None))

    def new_data_key(self, context: str, recipients: Sequence[bytes]) -> NewDataKey:
        """See the port."""
        return self._call(operations.MakeDataKey(context, list(recipients)), NewDataKey)

    def open_data_key(self, handle: str, context: str, wrap: bytes) -> Secret:
        """See the port."""
        return self._call(operations.OpenDataKey(handle, context, wrap), Secret)

    def share_data_key(self, handle: str, context: str, wrap: bytes, recipient: bytes) -> bytes:
        """See the port."""
        return self._call(operations.ShareDataKey(handle, context, wrap, recipient), bytes)

    def grant_to_job(self, handle: str, context: str, wrap: bytes, *, job_id: str, expires_at: datetime) -> bytes:
        """See the port."""
        return self._call(operations.GrantToJob(handle, context, wrap, job_id, expires_at), bytes)

    def open_job_grant(self, context: str, grant: bytes, *, job_id: str) -> Secret:
        """See the port."""
        return self._call(operations.OpenJobGrant(context, grant, job_id), Secret)

    def database_key(self) -> Secret:
        """See the port."""
        return self._call(operations.DatabaseKey(), Secret)

    def seal(self, purpose: str, associated: bytes, plaintext: bytes) -> bytes:
        """See the port."""
        return self._call(operations.Seal(purpose, associated, plaintext), bytes)

    def unseal(self, purpose: str, associated: bytes, sealed: bytes) -> bytes:
        """See the port."""
        return self._call(operations.Unseal(purpose, associated, sealed), bytes)

    def unseal_many(self, purpose: str, records: Sequence[tuple[bytes, bytes]]) -> list[bytes | None]:
        """See the port. A frame holds some of them only, so that nobody else waits long for the keystore."""
        found: list[bytes | None] = []
        part: list[tuple[bytes, bytes]] = []
        size = 0
        for n, (associated, sealed) in enumerate(records, 1):
            part.append((associated, sealed))
            size += len(associated) + len(sealed)
            if len(part) == _RECORDS_AT_ONCE or size > _BYTES_AT_ONCE or n == len(records):
                found += self._call(operations.UnsealMany(purpose, part), list[bytes | None])
                part, size = [], 0
        return found

    def sign(self, purpose: str, message: bytes) -> bytes:
        """See the port."""
        return self._call(operations.Sign(purpose, message), bytes)

    def verify_key(self, purpose: str) -> bytes:
        """See the port."""
        return self._call(operations.VerifyKey(purpose), bytes)

    def _call(self, operation: Operation, result: type[_Result]) -> _Result:
        response = self._exchange(operation)
        if response.error is not None:
            raise to_error(response.error)
        return msgspec.msgpack.decode(response.result, type=result, dec_hook=enclose)

    def _exchange(self, operation: Operation) -> Response:
        with self._turn:
            if self._gone:
                raise _not_running()
            self._last_id += 1
            identity = self._last_id
        payload = encode({"id": identity, "op": operation.op, "args": operation})
        if len(payload) > MAX_FRAME:
            raise TooLarge("a record is too large for the keystore", hint="encrypt blobs in segments instead")
        with self._turn:
            self._answers[identity] = None
        try:
            with self._sending:
                send_frame(self._connection, payload)
            return self._answer(identity)
        except OSError:
            self._lose()
            raise _not_running() from None
        finally:
            with self._turn:
                self._answers.pop(identity, None)

    def _answer(self, identity: int) -> Response:
        while True:
            with self._turn:
                while self._reading and self._answers[identity] is None and not self._gone:
                    self._turn.wait()
                answer = self._answers[identity]
                if answer is not None:
                    return answer
                if self._gone:
                    raise _not_running()
                self._reading = True
            try:
                self._read_one()
            except BaseException:  # even an interrupt: half a frame may have been read, so nobody can read on
                self._gone = True
                raise
            finally:
                with self._turn:
                    self._reading = False
                    self._turn.notify_all()

    def _read_one(self) -> None:
        payload = receive_frame(self._connection)
        if payload is None:
            raise ConnectionResetError
        response = msgspec.msgpack.decode(payload, type=Response)
        with self._turn:
            if response.id in self._answers:
                self._answers[response.id] = response

    def _lose(self) -> None:
        with self._turn:
            self._gone = True
            self._turn.notify_all()


def _not_running() -> Sealed:
    return Sealed("the keystore process is not running", code="keystore_gone", hint="open PAI again: pai keys unseal")
