"""A whole PAI installation for tests: initialised in a temporary home, served as real processes, driven through its CLI."""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import httpx

ADMIN = "owner@pai.test"
PASSWORD = "violet tractor under nine lamps"
PASSPHRASE = "a long passphrase for tests only"
READY = "PAI is ready at "
REAL = ("-m", "pai")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def secret_file(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text + "\n")
    path.chmod(mode)
    return path


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Installation:
    """``prefix`` is put before every command (a namespace wrapper, say); ``program`` says what Python runs as `pai`."""

    usual: ClassVar[tuple[str, ...]] = REAL
    folder: Path
    models: str = "echo"
    prefix: list[str] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    port: int = 0
    program: tuple[str, ...] = ()
    server: subprocess.Popen[str] | None = None
    output: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.home = self.folder / "home"
        self.passphrase_file = secret_file(self.folder / "passphrase", PASSPHRASE)
        self.password_file = secret_file(self.folder / "password", PASSWORD)
        self.port = self.port or free_port()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> Path:
        return self.home / "tls" / "ca.pem"

    def environment(self, **extra: str) -> dict[str, str]:
        keep = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH"}}
        return {
            **keep,
            "PAI_HOME": str(self.home),
            "PAI_PORT": str(self.port),
            "PAI_PASSPHRASE_FILE": str(self.passphrase_file),
            "PAI_KEYS__PASSPHRASE_KDF": "rfc9106-second",
            **self.extra,
            **extra,
        }

    def command(self, *args: str) -> list[str]:
        return [*self.prefix, sys.executable, "-I", *(self.program or self.usual), *args]

    def run(self, *args: str, input: str | None = None, timeout: float = 120, **env: str) -> Result:
        done = subprocess.run(
            self.command(*args),
            env=self.environment(**env),
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def ok(self, *args: str, **kwargs: Any) -> Any:
        """Run a command with ``--json``; fail unless it exits 0; return the parsed JSON."""
        result = self.run(*args, "--json", **kwargs)
        assert result.code == 0, f"pai {' '.join(args)} exited {result.code}\n{result.out}\n{result.err}"
        return result.json

    def init(self) -> Any:
        return self.ok(
            "init", "--admin", ADMIN, "--password-file", str(self.password_file),
            "--passphrase-file", str(self.passphrase_file), "--models", self.models,
        )  # fmt: skip

    def start(self, *, ready: bool = True, timeout: float = 90, **env: str) -> None:
        self.output = []
        with (self.folder / "serve.err").open("a") as errors:
            self.server = subprocess.Popen(
                self.command("serve"),
                env=self.environment(**env),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        if ready:
            self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 90) -> None:
        assert self.server is not None
        assert self.server.stdout is not None
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if select.select([self.server.stdout], [], [], 0.2)[0]:
                line = self.server.stdout.readline()
                if not line:
                    break
                self.output.append(line)
                if line.startswith(READY):
                    return
        raise AssertionError(f"not ready: {self.output}\n{(self.folder / 'serve.err').read_text()[-4000:]}")

    def stop(self, sig: int = signal.SIGTERM, timeout: float = 30) -> int:
        if self.server is None:
            return 0
        if self.server.poll() is None:
            self.server.send_signal(sig)
        code = self.server.wait(timeout)
        if self.server.stdout:
            self.server.stdout.close()
        self.server = None
        return code

    def key(self, scopes: str = "inference,knowledge,audit", owner: str = ADMIN, **kwargs: Any) -> str:
        name = f"key-{secrets.token_hex(3)}"
        return str(self.ok("key", "create", "--owner", owner, "--name", name, "--scopes", scopes, **kwargs)["key"])

    @contextmanager
    def web(self, key: str) -> Iterator[httpx.Client]:
        """A program that brings this key, trusts the installation's own authority, and speaks plain HTTP."""
        trusted = ssl.create_default_context(cafile=str(self.ca))
        headers = {"authorization": f"Bearer {key}"}
        with httpx.Client(base_url=self.url, verify=trusted, headers=headers, timeout=60, trust_env=False) as web:
            yield web

    def member(self, email: str, role: str = "member") -> str:
        """Add an account with its own password; return a key that can open its content."""
        file = secret_file(self.folder / f"password-{email}", PASSWORD + email)
        self.ok("user", "add", email, "--role", role, "--password-file", str(file))
        made = self.ok(
            "key", "create", "--owner", email, "--name", "test", "--scopes", "inference,knowledge,audit,admin",
            "--owner-password-file", str(file),
        )  # fmt: skip
        return str(made["key"])
