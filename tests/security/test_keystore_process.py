"""Attacks on the keystore process: what can be seen of it, and what a hostile gateway can send it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from pai.adapters.cryptography.keystore_client import KeystoreClient
from pai.adapters.cryptography.keystore_frames import MAX_FRAME
from pai.adapters.cryptography.keystore_process import KeystoreProcess, start_keystore
from pai.foundation.errors import Sealed, Throttled, TooLarge
from pai.foundation.redaction import Secret

PASSPHRASE = b"zebra-quilt-lantern-oxide-77"
PASSWORD = Secret(b"correct horse battery staple 9")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[KeystoreProcess]:
    with start_keystore(tmp_path, {"LANG": "C.UTF-8"}) as running:
        running.create(Secret(PASSPHRASE), "rfc9106-second")
        yield running


def proc(process: KeystoreProcess, name: str) -> bytes:
    return Path(f"/proc/{process.process.pid}/{name}").read_bytes()


def exchange(raw: socket.socket, payload: bytes) -> dict[str, object]:
    raw.sendall(len(payload).to_bytes(4, "big") + payload)
    raw.settimeout(10)
    head = raw.recv(4, socket.MSG_WAITALL)
    answer = msgspec.msgpack.decode(raw.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
    assert isinstance(answer, dict)
    return answer


def error_code(answer: dict[str, object]) -> str:
    assert answer["ok"] is False
    error = answer["error"]
    assert isinstance(error, dict)
    return str(error["code"])


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="these files of a process that is not dumpable are for root")


def test_the_arguments_hold_no_secret(process: KeystoreProcess) -> None:
    assert PASSPHRASE not in proc(process, "cmdline")


@root_only
def test_the_environment_holds_nothing_inherited(process: KeystoreProcess) -> None:
    assert proc(process, "environ") == b"LANG=C.UTF-8\x00"


def test_core_dumps_are_off_and_no_new_privileges_is_set(process: KeystoreProcess) -> None:
    limits = proc(process, "limits").decode()
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[4:6] == ["0", "0"]
    assert b"NoNewPrivs:\t1" in proc(process, "status")
    protections = process.client.status().protections
    assert any(line.startswith("not dumpable: yes") for line in protections)
    assert any(line.startswith("memory locked: ") for line in protections)


def test_the_kernel_holds_the_walls_or_the_report_says_so(process: KeystoreProcess) -> None:
    protections = process.client.status().protections
    filtered = b"Seccomp:\t2" in proc(process, "status")
    assert filtered == any(line.startswith("seccomp: yes") for line in protections)
    assert any(line.startswith("landlock: ") for line in protections)


@root_only
def test_only_the_streams_and_the_one_socket_are_open(process: KeystoreProcess) -> None:
    folder = Path(f"/proc/{process.process.pid}/fd")
    kinds = sorted(str(path.readlink()).split(":")[0] for path in folder.iterdir() if int(path.name) > 2)
    assert kinds == ["socket"]


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_this_kernel_keeps_the_same_user_from_what_is_not_dumpable(tmp_path: Path) -> None:
    # Both run as one throw-away user: what protects is the process not being dumpable, not the user id.
    script = (
        "import ctypes, os, sys, time\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    if sys.argv[2] == 'hardened': ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"
        "    time.sleep(5); os._exit(0)\n"
        "time.sleep(0.3)\n"
        "try:\n"
        "    open(f'/proc/{child}/mem', 'rb').close(); print('readable')\n"
        "except PermissionError: print('refused')\n"
        "os.kill(child, 9); os.wait()\n"
    )
    seen = {}
    for kind in ("plain", "hardened"):
        done = subprocess.run(
            ["/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable, "-c", script, "", kind],
            user=65534, group=65534, extra_groups=[], capture_output=True, text=True, cwd="/", env={}, check=False,
        )  # fmt: skip
        seen[kind] = done.stdout.strip()
    assert seen == {"plain": "readable", "hardened": "refused"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any process; the walls' report is checked above")
def test_the_memory_of_our_process_is_refused_to_its_own_user(process: KeystoreProcess) -> None:
    for name in ("mem", "environ", "maps"):
        with pytest.raises(PermissionError):
            proc(process, name)


def test_the_process_ends_when_its_socket_closes(tmp_path: Path) -> None:
    running = start_keystore(tmp_path, {})
    running.client.status()
    running.client.close()
    assert running.process.wait(5) == 0


def test_the_process_ignores_control_c(process: KeystoreProcess) -> None:
    process.process.send_signal(signal.SIGINT)
    assert process.client.status().opened


@pytest.mark.real_argon2
def test_a_killed_keystore_is_sealed_at_once_even_for_a_waiting_call(process: KeystoreProcess) -> None:
    errors: list[BaseException] = []

    def wait() -> None:
        try:
            for _ in range(100):
                process.client.spend_password_time(PASSWORD)
        except Sealed as error:
            errors.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    process.process.kill()
    thread.join(5)
    assert [type(error) for error in errors] == [Sealed]
    with pytest.raises(Sealed, match="the keystore process is not running"):
        process.client.database_key()


def test_the_socket_can_be_handed_on(process: KeystoreProcess) -> None:
    key = process.client.database_key().reveal()
    next_client = KeystoreClient(process.release_socket())
    with pytest.raises(Sealed):
        process.client.database_key()
    assert next_client.database_key().reveal() == key
    next_client.close()


def test_hostile_frames_are_refused_and_the_next_good_one_is_served(process: KeystoreProcess) -> None:
    raw = process.release_socket()
    for payload, code in (
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (b"not msgpack at all", "malformed"),
        (msgspec.msgpack.encode([1, 2, 3]), "malformed"),
        (msgspec.msgpack.encode({"id": "one", "op": "status", "args": {}}), "malformed"),
        (msgspec.msgpack.encode({"id": 1, "op": "status", "args": {}, "more": 1}), "malformed"),
        (msgspec.msgpack.encode({"id": 1, "op": "status", "args": {"x": 1}}), "malformed"),
        (msgspec.msgpack.encode({"id": 1, "op": "status", "args": None}), "malformed"),
        (msgspec.msgpack.encode({"id": 1, "op": "seal", "args": {"purpose": 1}}), "malformed"),
        (msgspec.msgpack.encode({"id": 1, "op": "open_data_key", "args": {"handle": "h"}}), "malformed"),
        (msgspec.msgpack.encode({"id": 1, "op": "root_key", "args": {}}), "unknown_operation"),
        (msgspec.msgpack.encode({"id": 1, "op": "__init__", "args": {}}), "unknown_operation"),
        (msgspec.msgpack.encode({"id": 1, "op": "", "args": {}}), "unknown_operation"),
    ):
        assert error_code(exchange(raw, payload)) == code, payload
    assert exchange(raw, msgspec.msgpack.encode({"id": 9, "op": "database_key", "args": {}}))["ok"] is True
    raw.close()


def test_a_frame_that_is_too_large_is_refused_unread_and_ends_the_process(process: KeystoreProcess) -> None:
    raw = process.release_socket()
    raw.sendall((MAX_FRAME + 1).to_bytes(4, "big"))
    raw.settimeout(10)
    head = raw.recv(4, socket.MSG_WAITALL)
    answer = msgspec.msgpack.decode(raw.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
    assert error_code(answer) == "too_large"
    assert raw.recv(1) == b""
    raw.close()
    assert process.process.wait(5) == 0


def test_half_a_frame_ends_the_process_quietly(process: KeystoreProcess) -> None:
    raw = process.release_socket()
    raw.sendall(b"\x00\x00\x00\x10half")
    raw.close()
    assert process.process.wait(5) == 0


def test_the_client_refuses_what_is_too_large_and_goes_on(process: KeystoreProcess) -> None:
    with pytest.raises(TooLarge):
        process.client.seal("server", b"", bytes(MAX_FRAME))
    with pytest.raises(TooLarge):
        process.client.seal("server", b"", bytes(MAX_FRAME - 64))
    assert process.client.status().opened


def test_many_threads_get_their_own_answers(process: KeystoreProcess) -> None:
    client = process.client

    def round_trip(number: int) -> bool:
        text = f"record {number}".encode() * (number % 50 + 1)
        return client.unseal("server", str(number).encode(), client.seal("server", str(number).encode(), text)) == text

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(round_trip, range(1000)))


@pytest.mark.real_argon2
@pytest.mark.slow
def test_log_ins_do_not_hold_up_quick_operations(process: KeystoreProcess) -> None:
    client = process.client
    with ThreadPoolExecutor(8) as pool:
        log_ins = [pool.submit(client.spend_password_time, PASSWORD) for _ in range(8)]
        slowest = 0.0
        while not all(one.done() for one in log_ins):
            began = time.perf_counter()
            client.database_key()
            slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 0.5


@pytest.mark.real_argon2
def test_a_flood_of_log_ins_is_throttled_and_the_rest_is_answered(process: KeystoreProcess) -> None:
    raw = process.release_socket()
    count = 90
    for number in range(1, count + 1):
        payload = msgspec.msgpack.encode({"id": number, "op": "spend_password_time", "args": {"password": b"guess"}})
        raw.sendall(len(payload).to_bytes(4, "big") + payload)
    raw.settimeout(30)
    refused = 0
    for _ in range(count - 66):
        head = raw.recv(4, socket.MSG_WAITALL)
        answer = msgspec.msgpack.decode(raw.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL))
        refused += not answer["ok"] and error_code(answer) == Throttled.default_code
    assert refused >= count - 66 - 4
    raw.close()
    assert process.process.wait(20) == 0
