"""Sealed: what a PAI without its keys says, how it is opened, and that wrong attempts get slower."""

from __future__ import annotations

import http.client
import os
import signal
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from installation import PASSPHRASE, Installation, secret_file
from registered import all_routes

NO_SOURCE = {"PAI_PASSPHRASE_FILE": ""}


@pytest.fixture(scope="module")
def pai(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("sealed") / "pai")
    installation.init()
    installation.start()  # once with its keys: from then on it has a certificate for being sealed
    assert installation.stop() == 0
    yield installation
    installation.stop(sig=9)


def environment_without(pai: Installation) -> None:
    real = pai.environment

    def without(**extra: str) -> dict[str, str]:
        kept = real(**extra)
        kept.pop("PAI_PASSPHRASE_FILE")
        return kept

    pai.environment = without  # type: ignore[method-assign]


@pytest.fixture
def sealed(pai: Installation) -> Iterator[Installation]:
    """Started without a terminal and without a passphrase file."""
    kept = pai.environment
    environment_without(pai)
    pai.start(ready=False)
    pai.environment = kept  # type: ignore[method-assign]
    within(30, lambda: get(pai, "/readyz") == (503, {"ready": False, "reason": "sealed"}), "readyz says sealed")
    yield pai
    pai.stop()


def get(pai: Installation, path: str) -> tuple[int, Any]:
    trusted = ssl.create_default_context(cafile=str(pai.ca))
    try:
        with httpx.Client(base_url=pai.url, verify=trusted, timeout=10, trust_env=False) as client:
            answer = client.get(path)
    except httpx.HTTPError:
        return 0, None
    return answer.status_code, answer.json()


def within(seconds: float, true: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.1)


@pytest.mark.slow
def test_sealed_it_answers_nothing_but_that(sealed: Installation) -> None:
    trusted = ssl.create_default_context(cafile=str(sealed.ca))
    with httpx.Client(base_url=sealed.url, verify=trusted, timeout=10, trust_env=False) as client:
        assert client.get("/healthz").json() == {"status": "ok"}
        paths = {path for _, path in all_routes()} - {"/healthz", "/readyz"}
        assert len(paths) > 50
        for path in sorted(paths):
            for method in ("GET", "POST", "DELETE"):
                for headers in (
                    {},
                    {"authorization": "Bearer pai_x"},
                    {"cookie": "__Host-pai_session=x"},
                    {"host": "evil.test"},
                ):
                    answer = client.request(method, path.replace("{", "").replace("}", ""), headers=headers)
                    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "sealed"), (method, path)
    state = sealed.ok("status")
    assert (state["ready"], state["reason"]) == (False, "sealed")
    for command in (("keys", "status"), ("user", "list"), ("audit", "tail"), ("backup", "list"), ("doctor",)):
        told = sealed.run(*command)
        assert told.code == 1
        assert "sealed" in told.err
        assert "pai keys unseal" in told.err
    gateway = child_of(sealed, "pai.bootstrap.gateway")
    opened = {str(path.readlink()) for path in Path(f"/proc/{gateway}/fd").iterdir()}
    assert not [path for path in opened if path.endswith(".db")]


@pytest.mark.slow
def test_the_console_opens_it_and_the_log_says_so(sealed: Installation, tmp_path: Path) -> None:
    wrong = secret_file(tmp_path / "wrong", "not the passphrase")
    refused = sealed.run("keys", "unseal", "--passphrase-file", str(wrong))
    assert refused.code == 1
    assert "does not open" in refused.err
    assert get(sealed, "/readyz") == (503, {"ready": False, "reason": "sealed"})
    right = secret_file(tmp_path / "right", PASSPHRASE)
    assert sealed.ok("keys", "unseal", "--passphrase-file", str(right)) == {"sealed": False, "refused": 1}
    sealed.wait_ready()
    assert get(sealed, "/readyz") == (200, {"ready": True})
    again = sealed.run("keys", "unseal", "--passphrase-file", str(right))
    assert again.code == 1
    assert "not sealed" in again.err
    events = sealed.ok("audit", "tail", "--limit", "10")["events"]
    (event,) = [one for one in events if one["name"] == "keys:root:unseal"][:1]
    assert (event["actor"]["id"], event["by"], event["refused"]) == ("operator@console", "passphrase", 1)
    key = {"PAI_API_KEY": sealed.key()}
    sealed.ok("collection", "create", f"after-{time.time_ns()}", **key)
    assert sealed.ok("audit", "verify")["ok"]


@pytest.mark.slow
def test_wrong_passphrases_are_slowed_and_the_code_opens(sealed: Installation, tmp_path: Path) -> None:
    wrong = secret_file(tmp_path / "wrong", "not the passphrase")
    code = secret_file(tmp_path / "code", (sealed.home / "recovery-code.txt").read_text().split()[0])
    told = [sealed.run("keys", "unseal", "--passphrase-file", str(wrong), "--json").err for _ in range(6)]
    assert '"wrong_passphrase"' in told[0]
    assert any('"unseal_throttled"' in one for one in told[3:])
    end = time.monotonic() + 60
    while sealed.run("keys", "unseal", "--code-file", str(code)).code != 0:
        assert time.monotonic() < end
        time.sleep(1)
    sealed.wait_ready()
    events = sealed.ok("audit", "tail", "--limit", "10")["events"]
    event = next(one for one in events if one["name"] == "keys:root:unseal")
    assert event["by"] == "recovery-code"
    assert event["refused"] >= 5


def child_of(pai: Installation, module: str) -> int:
    """The process of this installation that runs ``module``."""
    assert pai.server is not None
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = (entry / "stat").read_text().rsplit(")", 1)[1].split()[1]
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if int(parent) == pai.server.pid and module.encode() in line:
                return int(entry.name)
    raise AssertionError(module)


@pytest.mark.slow
def test_a_keystore_that_dies_seals_and_is_opened_again(pai: Installation, tmp_path: Path) -> None:
    pai.start()
    try:
        key = {"PAI_API_KEY": pai.key()}
        name = f"kept-{time.time_ns()}"
        pai.ok("collection", "create", name, **key)
        (tmp_path / "a.txt").write_text("The pilot boat is called Sirena.\n")
        pai.ok("ingest", name, str(tmp_path / "a.txt"), **key)
        for turn in range(2):
            first = child_of(pai, "pai.bootstrap.keystore")
            os.kill(first, signal.SIGKILL)
            within(20, lambda: get(pai, "/readyz") == (503, {"ready": False, "reason": "sealed"}), "sealed")
            within(20, lambda: "sealed" in pai.run("status").out, "the console says sealed")
            assert pai.server is not None
            assert pai.server.poll() is None, "a crash"
            # The passphrase file is still named in the settings, and yet nobody opened it by itself.
            within(10, lambda: get(pai, "/v1/models")[0] == 503, "the gateway of before is gone")
            assert pai.run("keys", "unseal").code == 0, turn
            pai.wait_ready()
            assert child_of(pai, "pai.bootstrap.keystore") != first
            assert pai.ok("ask", name, "What is the pilot boat called?", **key)["sources"]
        assert pai.ok("audit", "verify")["ok"]
        assert pai.stop() == 0
    finally:
        pai.stop(sig=9)


@pytest.mark.slow
def test_a_sealed_server_stops_in_order_and_leaves_nothing(pai: Installation) -> None:
    pai.start(ready=False)
    kept = pai.environment
    pai.stop(sig=9)
    environment_without(pai)
    pai.start(ready=False)
    pai.environment = kept  # type: ignore[method-assign]
    within(30, lambda: get(pai, "/readyz")[0] == 503, "it is up")
    assert pai.stop(timeout=15) == 0
    assert not (pai.home / "run" / "control.sock").exists()
    with pytest.raises(OSError):
        http.client.HTTPSConnection("127.0.0.1", pai.port, timeout=2).connect()


@pytest.mark.slow
def test_a_home_of_before_has_no_certificate_for_it_and_is_sealed_all_the_same(pai: Installation) -> None:
    for name in ("sealed.pem", "sealed.key"):
        (pai.home / "tls" / name).unlink()
    kept = pai.environment
    environment_without(pai)
    pai.start(ready=False)
    pai.environment = kept  # type: ignore[method-assign]
    try:
        untrusting = ssl._create_unverified_context()

        def state() -> int:
            try:
                with httpx.Client(base_url=pai.url, verify=untrusting, trust_env=False) as client:
                    return client.get("/readyz").status_code
            except httpx.HTTPError:
                return 0

        within(30, lambda: state() == 503, "sealed without a certificate of the authority")
        assert pai.run("keys", "unseal").code == 0
        pai.wait_ready()
        assert get(pai, "/readyz") == (200, {"ready": True})  # the authority's certificate again
        assert (pai.home / "tls" / "sealed.pem").exists()
    finally:
        pai.stop()
