"""The folder that holds everything of one installation: strict permissions, one owner process, free-space floor."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from pai.foundation.errors import Conflict, PaiError, Unavailable, Usage

FOLDERS = ("audit", "collections", "conversations", "db", "keys", "logs", "models", "run", "run/w", "tls", "tmp")
HOLDS_CONTENT = ("collections", "conversations")
KEPT_WHEN_BEGUN_ANEW = ("models", "run", "run/w")
"""Model files are public and checked by hash; ``run`` holds the lock of whoever begins anew."""
LONGEST_ROOT = 107 - len("/run/w/01234567/e.sock")
"""Bytes of a home's path: the sockets of the workers lie below it, and the path of a Unix socket has 107 bytes (unix(7))."""


class HomeError(PaiError):
    """The home cannot be used as it is."""

    status = 500
    default_code = "home"


@dataclass(frozen=True, slots=True)
class Home:
    """Paths below ``PAI_HOME``."""

    root: Path

    @property
    def database(self) -> Path:
        """The main database file."""
        return self.root / "db" / "main.db"

    @property
    def models(self) -> Path:
        """Where model files lie."""
        return self.root / "models"

    @property
    def staging(self) -> Path:
        """Where host commands lay ready what the server is to take."""
        return self.root / "tmp"

    @property
    def control_socket(self) -> Path:
        """Where host commands reach a running server."""
        return self.root / "run" / "control.sock"

    @property
    def port_file(self) -> Path:
        """Where a running server names its port, for clients on this machine."""
        return self.root / "run" / "port"

    @property
    def initialised(self) -> Path:
        """The mark of a set-up that was completed."""
        return self.root / "initialised"

    def require(self) -> None:
        """Raise Usage unless a set-up was completed here."""
        if not self.initialised.exists():
            raise Usage(
                f"the home {self.root} is not initialised", code="not_initialised",
                hint="run `make start` or `pai init` first; where yours lies elsewhere, export PAI_HOME",
            )  # fmt: skip

    @property
    def ca_certificate(self) -> Path:
        """The certificate of the local authority, for clients."""
        return self.root / "tls" / "ca.pem"

    def begun(self) -> bool:
        """Return whether a set-up made the root key here and did not come to its end."""
        return (self.root / "keys" / "keystore.json").exists() and not self.initialised.exists()

    def begin_anew(self) -> None:
        """Remove what an interrupted set-up made; models and ``pai.toml`` stay. The caller holds the home's lock.

        Raises Conflict for an installation that was completed, or that holds a file of content all the same.
        """
        if not self.begun() or any(any((self.root / folder).iterdir()) for folder in HOLDS_CONTENT):
            raise Conflict(f"{self.root} holds an installation", code="home_holds_content", hint="nothing was removed")
        # The root key last: until it is gone the next start still knows that something was begun.
        for folder in [*sorted(set(FOLDERS) - {*KEPT_WHEN_BEGUN_ANEW, "keys"}), "keys"]:
            shutil.rmtree(self.root / folder)
        (self.root / "recovery-code.txt").unlink(missing_ok=True)

    def running_port(self) -> int | None:
        """Return the port that the running server named, None without one."""
        try:
            return int(self.port_file.read_text("ascii"))
        except (OSError, ValueError):
            return None

    def prepare(self) -> None:
        """Create what is missing, mode 0700. Raises HomeError when the home is another user's, open to others or lies too deep."""
        length = len(os.fsencode(self.root))
        if length > LONGEST_ROOT:
            raise HomeError(
                f"the path of the home {self.root} is too long: {length} bytes, and sockets below it leave room for {LONGEST_ROOT}",
                hint="set PAI_HOME to a folder with a shorter path",
            )
        try:
            self.root.mkdir(parents=True, mode=0o700, exist_ok=True)
            self._check()
            for folder in FOLDERS:
                (self.root / folder).mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise _unwritable(self.root, error) from error

    def _check(self) -> None:
        found = self.root.stat()
        if not stat.S_ISDIR(found.st_mode):
            raise HomeError(f"{self.root} is not a folder", hint="set PAI_HOME to a folder")
        if found.st_uid != os.geteuid():
            raise HomeError(
                f"the home {self.root} belongs to another user",
                hint="run as its owner or set PAI_HOME to a folder of your own",
            )
        if stat.S_IMODE(found.st_mode) & 0o077:
            if any(self.root.iterdir()):
                raise HomeError(f"the home {self.root} can be read by other users", hint=f"run: chmod 700 {self.root}")
            self.root.chmod(0o700)


def _unwritable(root: Path, error: OSError) -> HomeError:
    return HomeError(
        f"the home {root} cannot be written: {error.strerror}",
        hint="set PAI_HOME to a folder of your own on a disk that is writable and not full",
    )


class HomeLock:
    """An advisory lock on the home. The kernel frees it when the holder dies, however it dies."""

    def __init__(self, home: Home) -> None:
        self._path = home.root / "run" / "lock"
        self._fd: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises Conflict when another PAI process works on this home, HomeError when it cannot be written."""
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise _unwritable(self._path.parents[1], error) from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            raise Conflict(
                "another PAI process is using this home",
                code="home_in_use",
                hint="stop the running `make start` or `pai serve` first, or set PAI_HOME to another folder",
            ) from None
        os.ftruncate(fd, 0)
        os.write(fd, str(os.getpid()).encode())
        self._fd = fd

    def release(self) -> None:
        """Free the lock."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class FreeSpace:
    """Free space on the home's disk, with a floor that is kept for the audit log."""

    def __init__(self, root: Path, floor: int) -> None:
        self._root = root
        self._floor = floor

    def require(self) -> None:
        """Raise Unavailable (code ``disk_full``) below the floor (bytes)."""
        free = shutil.disk_usage(self._root).free
        if free < self._floor:
            raise Unavailable(
                f"the disk has {free >> 20} MB free, below the floor of {self._floor >> 20} MB",
                code="disk_full",
                hint="free some space; the floor keeps the audit log writable",
            )
