"""Walls around this process, put up by itself before it reads anything it does not trust, and never taken down.

Landlock holds files, TCP ports, abstract sockets and signals; seccomp refuses system calls; rlimits bound memory, time
and descriptors. What the kernel cannot do is told in the :class:`SandboxReport`, never passed over.
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pai.adapters.system import seccomp
from pai.foundation.errors import PaiError

_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38
FULL_LANDLOCK_ABI: Final = 6
"""From this version on Landlock holds files, truncation, TCP, devices, abstract sockets and signals."""

_LIBRARIES: Final = (
    "/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/usr/share/zoneinfo",
)  # fmt: skip
_FACTS: Final = (
    "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/filesystems", "/proc/sys/vm/overcommit_memory",
    "/sys/devices/system/cpu", "/sys/devices/system/node", "/sys/kernel/mm/transparent_hugepage", "/etc/localtime",
    "/dev/null", "/dev/zero", "/dev/urandom", "/dev/random",
)  # fmt: skip


class SandboxError(PaiError):
    """The walls cannot be put up as asked."""

    default_code = "sandbox"


@dataclass(frozen=True, slots=True)
class SandboxProfile:
    """What a process may do; all else is refused.

    ``readable`` and ``writable`` are folders or files (missing ones are left out); in ``sockets_in`` Unix sockets may
    be made and removed; ``readable_fds`` are open files that may be opened again through ``/proc/self/fd``. Memory in
    bytes of address space, CPU in seconds, ``file_size`` in bytes; None means no limit.
    ``nice`` 0 to 19 is added to this process's niceness.
    """

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    sockets_in: tuple[Path, ...] = ()
    readable_fds: tuple[int, ...] = ()
    unix_sockets: bool = False
    connect: bool = False
    bind: bool = False
    file_attributes: bool = False
    memory: int | None = None
    cpu_seconds: int | None = None
    file_size: int | None = None
    open_files: int = 256
    processes: int | None = None
    nice: int = 0


@dataclass(frozen=True, slots=True)
class Layer:
    """One wall: whether the kernel holds it now, and what exactly."""

    name: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class SandboxReport:
    """Every layer asked for, in the order applied."""

    layers: tuple[Layer, ...]

    @property
    def complete(self) -> bool:
        """Whether all layers hold."""
        return all(layer.holds for layer in self.layers)

    def lines(self) -> tuple[str, ...]:
        """Return one line per layer, such as ``landlock: yes (ABI 7: ...)``."""
        return tuple(f"{layer.name}: {'yes' if layer.holds else 'NO'} ({layer.detail})" for layer in self.layers)


def runtime_paths() -> tuple[Path, ...]:
    """Return what Python and native libraries read: environment, standard library, PAI's code, system libraries."""
    import pai

    installed = (sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib"))
    code = [sys.prefix, sys.base_prefix, *installed]
    package = Path(pai.__path__[0])
    places = [Path(place) for place in code] + [package] + [Path(place) for place in (*_LIBRARIES, *_FACTS)]
    # A system Python: its libraries lie in /usr/lib, the rest of /usr stays shut.
    if Path(sys.base_prefix) == Path("/usr"):
        places.remove(Path(sys.base_prefix))
    return tuple(dict.fromkeys(places))


def gateway_profile(home: Path) -> SandboxProfile:
    """The gateway: reads and writes its home, serves listeners bound before, reaches Unix sockets, starts nothing."""
    return SandboxProfile(
        readable=runtime_paths(),
        writable=(home, Path("/dev/null")),
        unix_sockets=True,
        connect=True,
        file_attributes=True,
        open_files=65536,
    )


def apply(profile: SandboxProfile) -> SandboxReport:
    """Put up the walls around this process and return which ones hold. Call it while there is one thread only.

    Raises SandboxError when other threads run already (Landlock would not hold them) or a given path cannot be ruled.
    """
    if len(os.listdir("/proc/self/task")) != 1:  # noqa: PTH208  # names only, on procfs
        raise SandboxError("the sandbox must be put up before any thread starts")
    libc = ctypes.CDLL(None, use_errno=True)
    layers = [_limits(profile)]
    if profile.nice:
        layers.append(Layer("niceness", True, f"{os.nice(profile.nice)}"))
    layers.append(_switched(libc, "not dumpable", _PR_SET_DUMPABLE, 0))
    layers.append(_switched(libc, "no new privileges", _PR_SET_NO_NEW_PRIVS, 1))
    layers.append(_landlock(profile))
    layers.append(_seccomp(profile))
    return SandboxReport(tuple(layers))


def _limits(profile: SandboxProfile) -> Layer:
    wanted: list[tuple[str, int, int | None]] = [
        ("core", resource.RLIMIT_CORE, 0),
        ("memory", resource.RLIMIT_AS, profile.memory),
        ("cpu", resource.RLIMIT_CPU, profile.cpu_seconds),
        ("file size", resource.RLIMIT_FSIZE, profile.file_size),
        ("open files", resource.RLIMIT_NOFILE, profile.open_files),
        ("processes", resource.RLIMIT_NPROC, profile.processes),
    ]
    told = []
    for name, limit, value in wanted:
        if value is None:
            continue
        _, hard = resource.getrlimit(limit)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (bound, bound))
        told.append(f"{name} {bound}")
    return Layer("limits", True, ", ".join(told))


def _switched(libc: ctypes.CDLL, name: str, option: int, value: int) -> Layer:
    done = libc.prctl(option, value, 0, 0, 0) == 0
    return Layer(name, done, "set" if done else os.strerror(ctypes.get_errno()))


def _landlock(profile: SandboxProfile) -> Layer:
    from py_landlock import AccessNet, LandlockError, RulesetAttr, Scope, create_ruleset, get_abi_version, restrict_self
    from py_landlock.abi import get_supported_fs, get_supported_net, get_supported_scope

    try:
        abi = get_abi_version()
    except LandlockError as error:
        return Layer("landlock", False, f"{error}: any file of this user stays within reach")
    attributes = RulesetAttr()
    attributes.handled_access_fs = get_supported_fs(abi)
    attributes.handled_access_net = get_supported_net(abi) or AccessNet(0)
    attributes.scoped = get_supported_scope(abi) or Scope(0)
    ruleset = create_ruleset(attributes)
    try:
        _add_rules(ruleset, profile, int(get_supported_fs(abi)))
        restrict_self(ruleset, None)
    except LandlockError as error:
        raise SandboxError(f"Landlock refused the rules: {error}") from error
    finally:
        os.close(ruleset)
    held = ["files"] + ["TCP ports"] * (abi >= 4) + ["abstract sockets and signals"] * (abi >= FULL_LANDLOCK_ABI)
    return Layer("landlock", abi >= FULL_LANDLOCK_ABI, f"ABI {abi}: {', '.join(held)}")


def _add_rules(ruleset: int, profile: SandboxProfile, supported: int) -> None:
    from py_landlock import AccessFs

    read = AccessFs.READ_FILE | AccessFs.READ_DIR
    write = (
        read | AccessFs.WRITE_FILE | AccessFs.TRUNCATE | AccessFs.REFER | AccessFs.MAKE_REG | AccessFs.MAKE_DIR
        | AccessFs.MAKE_SOCK | AccessFs.REMOVE_FILE | AccessFs.REMOVE_DIR
    )  # fmt: skip
    sockets = AccessFs.MAKE_SOCK | AccessFs.REMOVE_FILE
    for paths, access in ((profile.readable, read), (profile.writable, write), (profile.sockets_in, sockets)):
        for path in paths:
            try:
                fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
            except FileNotFoundError:
                continue  # a rule for what is not there would allow nothing
            try:
                _add_rule(ruleset, fd, int(access) & supported)
            finally:
                os.close(fd)
    for fd in profile.readable_fds:
        _add_rule(ruleset, fd, int(AccessFs.READ_FILE) & supported)


def _add_rule(ruleset: int, fd: int, access: int) -> None:
    from py_landlock import AccessFs, PathBeneathAttr, RulesetFd, add_rule

    if not stat.S_ISDIR(os.fstat(fd).st_mode):  # the kernel refuses rights of folders on a file
        access &= int(AccessFs.READ_FILE | AccessFs.WRITE_FILE | AccessFs.TRUNCATE)
    rule = PathBeneathAttr()
    rule.allowed_access = access
    rule.parent_fd = fd
    add_rule(RulesetFd(ruleset), rule)


def _seccomp(profile: SandboxProfile) -> Layer:
    if not seccomp.supported():
        return Layer("seccomp", False, "no table of system calls for this architecture")
    calls = seccomp.Calls(
        unix_sockets=profile.unix_sockets,
        connect=profile.connect,
        bind=profile.bind,
        attributes=profile.file_attributes,
    )
    try:
        seccomp.install(calls)
    except OSError as error:
        return Layer("seccomp", False, f"{error}: network and process calls are not refused")
    sockets = "Unix stream sockets only" if profile.unix_sockets else "no new sockets"
    return Layer("seccomp", True, f"no exec, fork, ptrace or io_uring; {sockets}")
