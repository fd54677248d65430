"""Kernel-enforced walls around a process: Landlock (files, TCP, signals), seccomp (system calls), limits.

Apply while the process has one thread and before native libraries are imported: later threads inherit the walls.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import resource
import sys
from dataclasses import dataclass, field
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS = 1, 4, 38
SIGKILL = 9
CLONE_THREAD = 0x00010000
AF_UNIX = 1

REFUSED = (
    "execve", "execveat", "fork", "vfork", "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd", "kcmp",
    "io_uring_setup", "io_uring_enter", "io_uring_register", "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key",
    "keyctl", "mount", "umount2", "move_mount", "fsopen", "fsmount", "open_tree", "pivot_root", "chroot", "unshare", "setns",
    "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "open_by_handle_at", "name_to_handle_at",
    "personality", "reboot", "swapon", "swapoff", "acct", "quotactl", "settimeofday", "clock_settime", "iopl", "ioperm", "syslog",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SandboxProfile:
    """What a process may do. ``memory`` in bytes of address space, ``cpu_seconds`` of processor time; 0 means no limit.

    ``unix_sockets`` allows creating AF_UNIX sockets; ``connect`` allows connecting (to Unix sockets: every other family is refused).
    """

    readable: tuple[Path, ...] = ()
    writable: tuple[Path, ...] = ()
    readable_fds: tuple[int, ...] = ()
    unix_sockets: bool = False
    connect: bool = False
    memory: int = 0
    cpu_seconds: int = 0
    nice: int = 0


@dataclass(slots=True)
class SandboxReport:
    """Which layers hold. ``missing`` names the ones this kernel does not have."""

    layers: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def runtime_paths() -> tuple[Path, ...]:
    """Return what a Python process must read to run and to import installed packages. No home, no data."""
    source = Path(__file__).resolve().parents[3]
    found = {
        Path(sys.prefix).resolve(), Path(sys.base_prefix).resolve(), source, Path("/usr/lib"), Path("/lib"), Path("/lib64"),
        Path("/usr/local/lib"), Path("/etc/ld.so.cache"), Path("/etc/localtime"), Path("/usr/share/zoneinfo"), Path("/etc/mime.types"),
        Path("/proc/self"), Path("/proc/cpuinfo"), Path("/proc/meminfo"), Path("/proc/stat"), Path("/sys/devices/system"),
        Path("/dev/null"), Path("/dev/urandom"), Path("/dev/zero"),
    }  # fmt: skip
    return tuple(sorted(path for path in found if path.exists()))


def apply(profile: SandboxProfile) -> SandboxReport:
    """Put up the walls, for good. What the kernel lacks is reported in ``missing``, never passed over in silence."""
    report = SandboxReport()
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0:
        report.layers.append("not-dumpable")
    if profile.memory:
        resource.setrlimit(resource.RLIMIT_AS, (profile.memory, profile.memory))
    if profile.cpu_seconds:
        resource.setrlimit(resource.RLIMIT_CPU, (profile.cpu_seconds, profile.cpu_seconds))
    if profile.nice:
        os.nice(profile.nice)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _landlock(profile, report)
    _seccomp(profile, report)
    return report


def _landlock(profile: SandboxProfile, report: SandboxReport) -> None:
    from py_landlock import Landlock
    from py_landlock.errors import LandlockError
    from py_landlock.flags import AccessFs

    look = AccessFs.READ_FILE | AccessFs.READ_DIR
    change = (
        look | AccessFs.WRITE_FILE | AccessFs.MAKE_REG | AccessFs.MAKE_DIR | AccessFs.MAKE_SOCK | AccessFs.REMOVE_FILE
        | AccessFs.REMOVE_DIR | AccessFs.REFER | AccessFs.TRUNCATE
    )  # fmt: skip
    try:
        rules = Landlock(strict=False)
        for path in (*runtime_paths(), *profile.readable):
            rules.add_path_rule(path, access=look if path.is_dir() else AccessFs.READ_FILE)
        for path in profile.writable:
            rules.add_path_rule(path, access=change)
        rules.add_path_rule("/dev/null", access=AccessFs.READ_FILE | AccessFs.WRITE_FILE)
        for fd in profile.readable_fds:
            rules.add_path_rule(f"/proc/self/fd/{fd}", access=AccessFs.READ_FILE)
        # No network rule is added: binding and connecting TCP is refused on every port.
        rules.apply()
        report.layers.append(f"landlock-{int(rules.abi_version)}")
    except (LandlockError, OSError) as error:
        report.missing.append(f"landlock: {error}")


def _seccomp(profile: SandboxProfile, report: SandboxReport) -> None:
    try:
        import pyseccomp as seccomp

        rules = seccomp.SyscallFilter(seccomp.ALLOW)
        refuse = seccomp.ERRNO(errno.EPERM)
        for name in REFUSED:
            with contextlib.suppress(RuntimeError, OSError):  # a call that this machine's architecture does not have
                rules.add_rule(refuse, name)
        # glibc starts threads with clone3, whose flags a filter cannot see: told that it does not exist, it uses clone.
        rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
        rules.add_rule(refuse, "clone", seccomp.Arg(0, seccomp.MASKED_EQ, CLONE_THREAD, 0))
        if profile.unix_sockets:
            rules.add_rule(refuse, "socket", seccomp.Arg(0, seccomp.NE, AF_UNIX))
        else:
            rules.add_rule(refuse, "socket")
        rules.add_rule(refuse, "socketpair", seccomp.Arg(0, seccomp.NE, AF_UNIX))
        if not profile.connect:
            rules.add_rule(refuse, "connect")
        rules.load()
        report.layers.append("seccomp")
    except (ImportError, RuntimeError, OSError) as error:
        report.missing.append(f"seccomp: {error}")
