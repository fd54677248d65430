"""Dying processes, leaving clients and full disks: a clear sentence for whoever asked, nothing acknowledged lost, and the next
request or the next start works."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from installation import ADMIN, Installation
from pai.foundation.ids import new_id

LARGE = {"PAI_LIMITS__JSON_MB": "32"}
LONG = " ".join(["x" * 2000] * 6000)
"""What the echo engine repeats: 12 MB, more than all buffers between it and a client that does not read."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, initialised: Path) -> Iterator[Installation]:
    """An installation that these tests break again and again; each starts it when the one before ended it."""
    installation = Installation(tmp_path_factory.mktemp("house") / "pai")
    shutil.copytree(initialised, installation.home)
    yield installation
    installation.stop(sig=9)


@pytest.fixture
def pai(house: Installation) -> Iterator[Installation]:
    if house.server is not None and house.server.poll() is not None:
        house.stop()
    if house.server is None:
        house.start(**LARGE)
    yield house
    if house.server is not None and house.run("audit", "checkpoint").code != 0:
        house.stop(sig=9)  # the test left it broken: the next one must not fail of that


@pytest.fixture(scope="module")
def key(house: Installation) -> str:
    return house.key("inference,knowledge,audit,admin")


def processes(pai: Installation, part: str = "pai.bootstrap") -> list[int]:
    """The children of the supervisor whose command line holds ``part``."""
    assert pai.server is not None
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == pai.server.pid and part in (entry / "cmdline").read_bytes().decode().replace("\0", " "):
                    found.append(int(entry.name))
    return found


def kill(pai: Installation, part: str) -> list[int]:
    found = processes(pai, part)
    assert found, f"no {part}"
    for process in found:
        os.kill(process, signal.SIGKILL)
    return found


def within(seconds: float, true: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + seconds
    while not (value := true()):
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return value


@contextlib.contextmanager
def web(pai: Installation, key: str, timeout: float = 60) -> Iterator[httpx.Client]:
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    # A small window, so that a client that does not read holds the answer up.
    transport = httpx.HTTPTransport(verify=trusted, socket_options=[(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)])
    headers = {"authorization": f"Bearer {key}"}
    with httpx.Client(
        base_url=pai.url, transport=transport, headers=headers, timeout=timeout, trust_env=False
    ) as client:
        yield client


@contextlib.contextmanager
def stream(client: httpx.Client, text: str = LONG, **more: Any) -> Iterator[Iterator[str]]:
    """A chat that has begun to answer."""
    body = {"model": "default", "messages": [{"role": "user", "content": text}], "stream": True, **more}
    with client.stream("POST", "/v1/chat/completions", json=body) as response:
        assert response.status_code == 200, response.read()
        lines = response.iter_lines()
        assert next(lines).startswith("data: ")
        yield lines


def last_chat(pai: Installation, after: int) -> dict[str, Any] | None:
    events = pai.ok("audit", "tail", "--limit", "30")["events"]
    ended = [e for e in events if e["name"] == "models:chat:end" and e["index"] > after]
    return ended[0] if ended else None


def head(pai: Installation) -> int:
    return int(pai.ok("audit", "tail", "--limit", "1")["events"][0]["index"])


def answers(pai: Installation, key: str) -> None:
    with web(pai, key) as client:
        body = {"model": "default", "messages": [{"role": "user", "content": "still there"}]}
        answer = client.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["choices"][0]["message"]["content"] == "Echo: still there"


def test_generation_stops_when_its_reader_goes_away(pai: Installation, key: str) -> None:
    before = head(pai)
    with web(pai, key) as client, stream(client) as lines:
        next(lines)
    # Leaving the blocks closed the connection in the middle of the answer.
    event = within(3, lambda: last_chat(pai, before), "the end of the answer in the audit log")
    assert event["outcome"] == "failed"
    assert event["reason"] == "stopped by its reader"
    assert event["completion_tokens"] < 6000
    answers(pai, key)


def test_a_worker_killed_while_it_answers_is_told_and_started_anew(pai: Installation, key: str) -> None:
    before = head(pai)
    with web(pai, key) as client, stream(client) as lines:
        dead = kill(pai, "pai.bootstrap.worker echo")
        told = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    error = told[-1]["error"]
    assert error["code"] == "worker_died"
    assert "stopped" in error["message"]
    assert error["hint"] == "ask again: it is started anew"
    assert len(told) < 6000
    event = within(3, lambda: last_chat(pai, before), "the end of the answer in the audit log")
    assert (event["outcome"], event["reason"]) == ("failed", "worker_died")
    answers(pai, key)
    assert not set(dead) & set(processes(pai, "pai.bootstrap.worker echo"))


@pytest.mark.slow
def test_answers_that_break_off_end_with_an_error_in_their_dialect(pai: Installation, key: str) -> None:
    pai.stop()
    pai.start(**LARGE)  # a worker that was killed before is not started anew at once
    before = head(pai)
    ask = {"model": "default", "messages": [{"role": "user", "content": LONG}], "stream": True}
    asked: dict[str, dict[str, Any]] = {
        "/v1/messages": {**ask, "max_tokens": 9000},
        "/api/chat": ask,
        "/v1/completions": {"model": "default", "prompt": LONG, "max_tokens": 9000, "stream": True},
    }
    told = {}
    with web(pai, key) as client, contextlib.ExitStack() as stack:
        coming = {}
        for path, body in asked.items():
            answer = stack.enter_context(client.stream("POST", path, json=body))
            coming[path] = (line for line in answer.iter_lines() if line)
            next(coming[path])
        kill(pai, "pai.bootstrap.worker echo")
        told = {path: list(lines) for path, lines in coming.items()}
    last = {path: json.loads(lines[-1].removeprefix("data: ")) for path, lines in told.items()}
    assert told["/v1/messages"][-2] == "event: error"
    assert (last["/v1/messages"]["type"], last["/v1/messages"]["error"]["type"]) == ("error", "overloaded_error")
    assert last["/v1/messages"]["error"]["details"]["error_code"] == "worker_died"
    assert list(last["/api/chat"]) == ["error"]
    assert "stopped" in last["/api/chat"]["error"]
    assert last["/v1/completions"]["error"]["code"] == "worker_died"

    def ends() -> list[dict[str, Any]]:
        events = pai.ok("audit", "tail", "--limit", "30")["events"]
        return [e for e in events if e["name"] == "models:chat:end" and e["index"] > before]

    within(3, lambda: len(ends()) == 3, "the ends of the answers in the audit log")
    assert {(event["outcome"], event["reason"]) for event in ends()} == {("failed", "worker_died")}
    answers(pai, key)


@pytest.mark.slow
def test_a_worker_killed_during_ingestion_costs_no_document(pai: Installation, key: str, tmp_path: Path) -> None:
    """Parsers and embedders die at random while files come in: each file is in whole, or told with its reason."""
    as_key = {"PAI_API_KEY": key}
    for n in range(20):
        (tmp_path / f"{n:02}.txt").write_text(f"Log entry {n}: the crane lifted load {n} at pier {n}.\n" * 30)
    pai.ok("collection", "create", "killed workers", **as_key)
    over = threading.Event()

    def murder() -> None:
        for _ in range(2):
            if not over.wait(0.7):
                for process in processes(pai, "pai.bootstrap.worker"):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=murder)
    killer.start()
    try:
        result = pai.run("ingest", "killed workers", str(tmp_path), "--json", **as_key)
    finally:
        over.set()
        killer.join()
    value = result.json
    assert len(value["accepted"]) + len(value["refused"]) == 20, result
    # A parser that dies on a file may have died of it, so that file is refused; an engine's death costs none.
    assert {file["code"] for file in value["refused"]} <= {"parser_died"}
    assert len(value["refused"]) <= 3
    # Whatever was refused goes in the second time, and nothing is in twice.
    again = pai.run("ingest", "killed workers", str(tmp_path), "--json", **as_key)
    assert again.code == 0, (again.err, again.out)
    assert len(again.json["skipped"]) == len(value["accepted"])
    assert len(pai.ok("document", "list", "killed workers", **as_key)["documents"]) == 20


def test_a_killed_gateway_leaves_no_process_and_no_lock(pai: Installation, key: str) -> None:
    assert pai.server is not None
    children = processes(pai)
    assert len(children) >= 3  # keystore, gateway, a worker
    began = time.monotonic()
    kill(pai, "pai.bootstrap.gateway")
    assert pai.server.wait(10) == 1
    assert time.monotonic() - began < 5
    said = (pai.folder / "serve.err").read_text().strip().splitlines()[-1]
    assert said.startswith("pai: the gateway ended unexpectedly")
    assert "`pai serve` again" in said
    assert [child for child in children if alive(child)] == []
    assert not (pai.home / "run" / "control.sock").exists()
    pai.stop()
    pai.start(**LARGE)  # at once: lock, port and socket are free
    answers(pai, key)
    assert pai.ok("audit", "verify")["ok"]


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_killed_supervisor_takes_all_with_it_and_its_stale_socket_is_no_hindrance(
    pai: Installation, key: str
) -> None:
    assert pai.server is not None
    children = processes(pai)
    pai.server.kill()
    pai.server.wait(10)
    within(3, lambda: not [child for child in children if alive(child)], "the end of all children")
    control = pai.home / "run" / "control.sock"
    assert control.exists()
    assert pai.ok("audit", "verify")["ok"]  # in-process: nobody listens there any more
    pai.stop()
    control.unlink()
    control.write_text("not a socket\n")  # what lies in its place is replaced, whatever it is
    pai.start(**LARGE)
    assert control.is_socket()
    assert pai.ok("status")["ready"]
    answers(pai, key)


@pytest.mark.slow
def test_a_server_that_is_started_right_after_a_kill_gets_its_port(pai: Installation, key: str) -> None:
    """The kernel closes what a killed process held when it comes to it; on a busy machine the next start is there sooner."""
    busy = [subprocess.Popen(["/bin/sh", "-c", "while :; do :; done"]) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        for _ in range(3):
            assert pai.server is not None
            with web(pai, key) as client, stream(client):
                pai.server.kill()
                pai.server.wait(10)
                pai.stop()
                pai.start(**LARGE)
    finally:
        for one in busy:
            one.kill()
            one.wait()
    answers(pai, key)


@pytest.mark.slow
def test_four_slow_senders_of_one_person_leave_the_others_their_places(pai: Installation, tmp_path: Path) -> None:
    slow, other = pai.key(), pai.member("quick@pai.test")
    pai.ok("collection", "create", "slow", PAI_API_KEY=slow)
    pai.ok("collection", "create", "quick", PAI_API_KEY=other)
    file = tmp_path / "quick.txt"
    file.write_text("The kettle is on the stove.")
    halves = pai.home / "collections"
    with contextlib.ExitStack() as stack:
        for _ in range(5):
            stack.enter_context(upload(pai, slow, "slow"))
        within(10, lambda: len(list(halves.glob("*/blobs/*.tmp-*"))) == 2, "two uploads have begun")
        assert pai.ok("ingest", "quick", str(file), PAI_API_KEY=other, timeout=30)["accepted"]
        assert len(list(halves.glob("*/blobs/*.tmp-*"))) == 2, "the third waits for a place of its own"


@pytest.mark.slow
def test_without_its_keystore_pai_is_sealed_and_says_so(pai: Installation, key: str) -> None:
    kill(pai, "pai.bootstrap.keystore")
    with web(pai, key) as client:
        # Until its processes are there anew, some requests find nobody; none is answered as if nothing had happened.
        def told() -> httpx.Response | None:
            with contextlib.suppress(httpx.TransportError):
                answer = client.get("/readyz")
                assert answer.json() == {"ready": False, "reason": "sealed"}
                return answer
            return None

        within(3, told, "readyz says sealed")
        within(30, lambda: "sealed" in pai.run("keys", "status").err, "a sealed gateway took over")
        within(10, told, "readyz says sealed")
        assert client.get("/healthz").status_code == 200
        key_body = {"name": "sealed", "scopes": ["inference"]}
        for path, body in (("/pai/v1/keys", key_body), ("/pai/v1/collections", {"name": "sealed"})):
            answer = client.post(path, json=body)
            assert answer.status_code == 503, (path, answer.text)
            assert answer.json()["error"]["code"] == "sealed"
            assert "pai keys unseal" in answer.json()["error"]["hint"]
    line = pai.run("audit", "checkpoint").err
    assert line.startswith("pai: ")
    assert len(line.strip().splitlines()) == 1
    assert pai.stop() == 0
    pai.start(**LARGE)
    answers(pai, key)
    assert pai.ok("audit", "verify")["ok"]


@pytest.mark.slow
def test_sigterm_drains_for_ten_seconds_at_most(pai: Installation, key: str) -> None:
    """A client that never reads on and an upload that never ends: both are cut, and nothing half stays."""
    pai.ok("collection", "create", "cut off", PAI_API_KEY=key)
    halves = pai.home / "collections"
    assert pai.server is not None
    with web(pai, key) as client, stream(client), upload(pai, key, "cut%20off"):
        within(5, lambda: list(halves.glob("*/blobs/*.tmp-*")), "the upload has begun")
        began = time.monotonic()
        pai.server.send_signal(signal.SIGTERM)
        within(2, lambda: refused(pai), "no new connections")
        assert pai.server.wait(14) == 0
        assert time.monotonic() - began < 12
    pai.stop()
    assert list(halves.glob("*/blobs/*.tmp-*")) == []
    events = pai.ok("audit", "tail", "--limit", "5")["events"]
    assert [e["name"] for e in events if e["name"].startswith("operations:server")][:1] == ["operations:server:stop"]
    assert any(e["name"] == "models:chat:end" for e in events), "the answer's end is missing"


@contextlib.contextmanager
def upload(pai: Installation, key: str, collection: str) -> Iterator[None]:
    """An upload of 50 MB that stops after the first."""
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    connection = http.client.HTTPSConnection("localhost", pai.port, context=trusted, timeout=20)
    connection.putrequest("POST", f"/pai/v1/collections/{collection}/documents")
    connection.putheader("authorization", f"Bearer {key}")
    connection.putheader("content-type", "multipart/form-data; boundary=b")
    connection.putheader("content-length", str(50 << 20))
    connection.endheaders()
    connection.send(b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + b"x" * (1 << 20))
    yield
    connection.close()


def refused(pai: Installation) -> bool:
    try:
        socket.create_connection(("127.0.0.1", pai.port), 1).close()
    except OSError:
        return True
    return False


def test_sigterm_lets_a_stream_that_is_read_end_whole(pai: Installation, key: str) -> None:
    assert pai.server is not None
    with web(pai, key) as client, stream(client) as lines:
        pai.server.send_signal(signal.SIGTERM)
        rest = list(lines)
    assert "data: [DONE]" in rest
    assert pai.server.wait(10) == 0


@pytest.mark.slow
def test_sigterm_during_ingestion_loses_no_document(pai: Installation, key: str, tmp_path: Path) -> None:
    as_key = {"PAI_API_KEY": key}
    for n in range(12):
        (tmp_path / f"{n:02}.txt").write_text(f"Entry {n}: the tug number {n} was painted.\n" * 30)
    pai.ok("collection", "create", "stopped", **as_key)
    ingest = subprocess.Popen(
        pai.command("ingest", "stopped", str(tmp_path)), env=pai.environment(**as_key), stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    within(20, lambda: pai.ok("document", "list", "stopped", **as_key)["documents"], "the first document")
    assert pai.stop() == 0
    _, said = ingest.communicate(timeout=30)
    assert ingest.returncode == 1
    assert said.strip().splitlines()[-1].startswith("pai: ")
    pai.start(**LARGE)
    within(60, lambda: len(pai.ok("document", "list", "stopped", **as_key)["documents"]) == 12, "all documents")
    assert pai.ok("audit", "verify")["ok"]


@pytest.mark.slow
def test_what_a_crash_left_of_deleted_collections_and_uploads_is_removed_at_the_start(
    pai: Installation, key: str, tmp_path: Path
) -> None:
    as_key = {"PAI_API_KEY": key}
    good = tmp_path / "good.txt"
    good.write_text("The anchor weighs four tons.")
    identifier = pai.ok("collection", "create", "kept", **as_key)["id"]
    pai.ok("ingest", "kept", str(good), **as_key)
    assert pai.stop() == 0
    folder = pai.home / "collections"
    left = folder / new_id("col")
    (left / "blobs").mkdir(parents=True)
    (left / "content.db").write_bytes(b"its key is gone")
    half = folder / identifier / "blobs" / f"{new_id('blb')}.tmp-0011223344556677"
    half.write_bytes(b"half an upload")
    foreign = folder / "not-ours"
    foreign.mkdir()
    pai.start(**LARGE)
    assert not left.exists()
    assert not half.exists()
    assert foreign.exists(), "what PAI did not make is not PAI's to delete"
    foreign.rmdir()
    answer = pai.ok("ask", "kept", "How much does the anchor weigh?", **as_key)
    assert answer["sources"][0]["document"] == "good.txt"


@pytest.mark.slow
def test_below_the_floor_ingestion_stops_and_all_else_goes_on(pai: Installation, key: str, tmp_path: Path) -> None:
    as_key = {"PAI_API_KEY": key}
    before, after = tmp_path / "before.txt", tmp_path / "after.txt"
    before.write_text("The boathouse has a red door.")
    after.write_text("The boathouse has a new roof.")
    pai.ok("collection", "create", "floor", **as_key)
    pai.ok("ingest", "floor", str(before), **as_key)
    assert pai.stop() == 0
    pai.start(PAI_STORAGE__FREE_DISK_FLOOR_MB="1000000000", **LARGE)
    result = pai.run("ingest", "floor", str(after), **as_key)
    assert result.code == 1
    assert result.err.strip().splitlines() == [result.err.strip()]
    assert "below the floor" in result.err
    assert "free some space" in result.err
    assert pai.ok("ask", "floor", "What door has the boathouse?", **as_key)["sources"]
    with web(pai, key) as client:
        body = {"model": "default", "input": "Hello"}
        refused = client.post("/v1/responses", json={**body, "store": True})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "disk_full")
        assert client.post("/v1/responses", json=body).status_code == 200
    verified = pai.ok("audit", "verify")
    assert verified["ok"]
    assert pai.ok("audit", "verify")["size"] > verified["size"], "the log does not grow any more"
    assert pai.stop() == 0  # the next test starts it with the usual floor


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own of 48 MB."""
    point = tmp_path / "disk"
    point.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=48m,mode=0700", "tmpfs", str(point)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("a small disk cannot be mounted without privileges")
    yield point
    subprocess.run(["umount", "-l", str(point)], check=True)


@pytest.mark.slow
def test_a_full_disk_refuses_with_a_sentence_and_loses_nothing(small_disk: Path, tmp_path: Path) -> None:
    pai = Installation(small_disk / "pai")
    pai.init()
    pai.start(PAI_STORAGE__FREE_DISK_FLOOR_MB="16")
    try:
        as_key = {"PAI_API_KEY": pai.key()}
        pai.ok("collection", "create", "full", **as_key)
        good = tmp_path / "good.txt"
        good.write_text("The pilot boat is called Sirena.")
        pai.ok("ingest", "full", str(good), **as_key)
        # One upload is larger than what is left above the floor, and larger than the disk.
        large = tmp_path / "large.txt"
        large.write_text("A word or two. " * 4_000_000)
        result = pai.run("ingest", "full", str(large), **as_key)
        assert result.code == 1
        assert "disk" in result.err
        assert len(result.err.strip().splitlines()) == 1, result.err
        assert not list(pai.home.glob("collections/*/blobs/*.tmp-*")), "half an upload keeps the disk full"
        assert pai.ok("ask", "full", "What is the pilot boat called?", **as_key)["sources"]
        # Then something else fills the disk to the last byte.
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * (1 << 16))
        other = tmp_path / "other.txt"
        other.write_text("The pilot boat has a sister ship.")
        told = pai.run("ingest", "full", str(other), **as_key)
        assert told.code == 1
        assert len(told.err.strip().splitlines()) == 1, told.err
        assert "disk" in told.err
        filler.unlink()
        # Space is back: no restart is needed, or the sentence says that it is.
        within(20, lambda: pai.run("ingest", "full", str(other), **as_key).code == 0, "ingestion works again")
        assert len(pai.ok("document", "list", "full", **as_key)["documents"]) == 2
        assert pai.ok("audit", "verify")["ok"]
        assert pai.stop() == 0
        assert pai.ok("audit", "verify")["ok"]
    finally:
        pai.stop(sig=9)


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Installation]:
    """An installation whose home cannot be written: for root by a read-only mount, since modes do not bind root."""
    point = tmp_path / "disk"
    point.mkdir()
    if os.geteuid() == 0:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", str(point)], capture_output=True, check=False
        )
        if done.returncode != 0:
            pytest.skip("nothing can be mounted here")
    pai = Installation(point / "pai")
    pai.init()
    folders = [pai.home, *(path for path in pai.home.rglob("*") if path.is_dir())]
    files = [path for path in pai.home.rglob("*") if path.is_file()]
    if os.geteuid() == 0:
        subprocess.run(["mount", "-o", "remount,ro", str(point)], check=True)
    else:
        for path in files:
            path.chmod(0o400)
        for path in folders:
            path.chmod(0o500)
    yield pai
    pai.stop(sig=9)
    if os.geteuid() == 0:
        subprocess.run(["umount", "-l", str(point)], check=True)
    else:
        for path in folders:
            path.chmod(0o700)


@pytest.mark.slow
def test_a_read_only_home_is_told_by_every_command_that_needs_it(read_only: Installation) -> None:
    for command in (
        ("serve",), ("user", "list"), ("audit", "verify"),
        ("init", "--admin", ADMIN, "--password-file", str(read_only.password_file), "--models", "echo"),
        ("key", "create", "--owner", ADMIN, "--name", "x", "--scopes", "inference"),
    ):  # fmt: skip
        result = read_only.run(*command, timeout=30)
        assert result.code == 1, (command, result)
        lines = result.err.strip().splitlines()
        assert len(lines) == 1, result.err
        assert "cannot be written" in lines[0], command
        assert lines[0].endswith(")"), "no hint"


def test_a_home_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """A path below /proc binds root as well as anybody."""
    pai = Installation(tmp_path)
    for home in ("/proc/pai", "/dev/null/pai"):
        args = ("--admin", ADMIN, "--password-file", str(pai.password_file), "--models", "echo")
        result = pai.run("init", *args, PAI_HOME=home)
        assert result.code == 1, result
        assert len(result.err.strip().splitlines()) == 1, result.err
        assert "cannot be written" in result.err


def cpu_ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def idle(process: int) -> bool:
    """Whether a process used less than a tenth of one core during half a second."""
    before = cpu_ticks(process)
    time.sleep(0.5)
    return cpu_ticks(process) - before < os.sysconf("SC_CLK_TCK") * 0.05


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("weights") / "pai", models="small")
    installation.init()
    installation.start()
    yield installation
    installation.stop(sig=9)


TALE = "Tell a long tale of the sea, with many chapters."


@pytest.mark.model
@pytest.mark.slow
def test_the_processor_rests_once_the_reader_has_gone(weights: Installation) -> None:
    key = weights.key("inference")
    (worker,) = processes(weights, "pai.bootstrap.worker llama")
    with web(weights, key) as client, stream(client, TALE, max_tokens=4000) as lines:
        for _ in range(6):
            next(lines)
        assert not idle(worker)
    within(4, lambda: idle(worker), "the worker idles after a stream")
    # Not streamed, and still reading a prompt of 7,500 tokens: there is nothing to send that could fail.
    body = {"model": "default", "messages": [{"role": "user", "content": "The sea is wide. " * 1500}]}
    for streamed in (False, True):
        with web(weights, key, timeout=1.5) as client, pytest.raises(httpx.ReadTimeout):
            client.post("/v1/chat/completions", json={**body, "stream": streamed})
        # The engine looks up between batches of a prompt; the whole of it would take several times as long.
        within(6, lambda: idle(worker), "the worker idles after a prompt")
    events = weights.ok("audit", "tail", "--limit", "30")["events"]
    ended = [e for e in events if e["name"] == "models:chat:end"]
    assert [e["reason"] for e in ended] == ["stopped by its reader"] * 3
    with web(weights, key) as client:
        long = client.post(
            "/v1/chat/completions", json={**body, "messages": [{"role": "user", "content": "wave " * 20_000}]}
        )
        assert (long.status_code, long.json()["error"]["code"]) == (400, "context_length_exceeded")


@pytest.mark.model
@pytest.mark.slow
def test_weights_that_changed_or_went_are_refused_at_the_next_load(weights: Installation) -> None:
    key = weights.key("inference")
    file = weights.home / "models" / "qwen2.5-coder-0.5b-instruct" / "model.gguf"
    with web(weights, key) as client:
        with stream(client, TALE, max_tokens=4000) as lines:
            kill(weights, "pai.bootstrap.worker llama")
            told = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
        assert told[-1]["error"]["code"] == "worker_died"
        body = {"model": "default", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 4}
        assert client.post("/v1/chat/completions", json=body).status_code == 200
        with file.open("r+b") as opened:
            opened.seek(300_000_000)
            byte = opened.read(1)
            opened.seek(300_000_000)
            opened.write(bytes([byte[0] ^ 1]))
        kill(weights, "pai.bootstrap.worker llama")
        changed = within(
            20, lambda: (r := client.post("/v1/chat/completions", json=body)).status_code == 500 and r, "500"
        )
        assert changed.json()["error"]["code"] == "model_changed"
        assert "is not the file that was signed" in changed.json()["error"]["message"]
        file.unlink()
        missing = client.post("/v1/chat/completions", json=body)
        assert (missing.status_code, missing.json()["error"]["code"]) == (503, "model_missing")
        embedded = client.post("/v1/embeddings", json={"model": "default-embedding", "input": "the rest works"})
        assert embedded.status_code == 200
    assert weights.stop() == 0
    result = weights.run("serve", timeout=60)
    assert result.code == 1
    last = result.err.strip().splitlines()[-1]
    assert last.startswith("pai: the model file model.gguf of qwen2.5-coder-0.5b-instruct cannot be opened")
    assert "pai init" in last
    args = ("--admin", ADMIN, "--password-file", str(weights.password_file), "--models", "small")
    assert weights.run("init", *args).code == 0, "the hint does not help"
    weights.start()
    with web(weights, key) as client:
        assert client.post("/v1/chat/completions", json=body).status_code == 200
