"""Seccomp filters, written as classic BPF (kernel ``Documentation/userspace-api/seccomp_filter.rst``).

Built here rather than with a wrapper of libseccomp: loading that one runs ``ldconfig`` to find the library, fails where
it is not installed, and cannot refuse system calls newer than itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from dataclasses import dataclass
from typing import Final

from pai.adapters.system import syscalls

_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_AT_LEAST: Final = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_ANY_BIT: Final = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_AND: Final = 0x54  # BPF_ALU | BPF_AND | BPF_K
_RETURN: Final = 0x06

_KILL: Final = 0x80000000  # SECCOMP_RET_KILL_PROCESS
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000 | errno.EPERM
_UNKNOWN: Final = 0x00050000 | errno.ENOSYS

_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_CLONE_THREAD: Final = 0x00010000
_SOCK_TYPE_MASK: Final = 0xF
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE = 1, 4
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C  # push characters into a terminal
_SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC = 1, 1
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_CALL: Final = {"x86_64": 317, "aarch64": 277}
_TABLES: Final = {"x86_64": (0xC000003E, syscalls.X86_64), "aarch64": (0xC00000B7, syscalls.AARCH64)}


@dataclass(frozen=True, slots=True)
class Calls:
    """What a filter leaves open. ``unix_sockets``: create stream sockets of the Unix family; ``connect`` to such ones;
    ``bind`` them to a path; ``attributes``: change modes and times of files. What else is refused is in ``syscalls``.

    Listening stays open: it does nothing to a socket that could not be bound.
    """

    unix_sockets: bool = False
    connect: bool = False
    bind: bool = False
    attributes: bool = False


def supported() -> bool:
    """Return whether there is a table of system calls for this machine."""
    return platform.machine() in _TABLES


def install(calls: Calls) -> None:
    """Install the filter on all threads of this process, for good. Raises OSError where the kernel refuses."""
    program = build(calls, machine=platform.machine(), pid=os.getpid())
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    code = ctypes.create_string_buffer(program, len(program))

    class _Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    header = _Program(len(program) // 8, ctypes.cast(code, ctypes.c_void_p).value)
    number = _SECCOMP_CALL[platform.machine()]
    result = libc.syscall(number, _SECCOMP_SET_MODE_FILTER, _SECCOMP_FILTER_FLAG_TSYNC, ctypes.byref(header))
    if result != 0:
        raise OSError(ctypes.get_errno(), "seccomp(SECCOMP_SET_MODE_FILTER)")


def build(calls: Calls, *, machine: str, pid: int) -> bytes:
    """Return the program for ``machine`` (``x86_64`` or ``aarch64``); process ``pid`` may signal only itself."""
    architecture, numbers = _TABLES[machine]
    code = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_EQUAL, architecture, 1, 0),
        _step(_RETURN, _KILL),  # another architecture's numbers would slip past the table
        _step(_LOAD, _NUMBER),
        # Covers the x32 numbers (bit 30) too. Callers of newer calls know ENOSYS and fall back to older ones.
        _step(_AT_LEAST, syscalls.LAST_KNOWN + 1, 0, 1),
        _step(_RETURN, _UNKNOWN),
        # Its flags lie in memory; told that it does not exist, glibc uses clone, whose flags can be seen.
        *_answer(numbers["clone3"], _UNKNOWN),
    ]
    for name in _refused(calls):
        if name in numbers:
            code += _answer(numbers[name], _REFUSE)
    code += _judged(calls, numbers, pid)
    code.append(_step(_RETURN, _ALLOW))
    return b"".join(code)


def _refused(calls: Calls) -> tuple[str, ...]:
    refused: tuple[str, ...] = syscalls.RUNNING + syscalls.FOREIGN + syscalls.KERNEL
    if not calls.attributes:
        refused += syscalls.ATTRIBUTES
    if not calls.unix_sockets:
        refused += ("socket",)
    if not calls.connect:
        refused += ("connect",)
    if not calls.bind:
        refused += ("bind",)
    return refused


def _judged(calls: Calls, numbers: dict[str, int], pid: int) -> list[bytes]:
    """Calls that are allowed for some arguments only. Each block reloads the number when it is done."""
    code = _when(numbers["clone"], [_argument(0), _step(_ANY_BIT, _CLONE_THREAD, 1, 0), _step(_RETURN, _REFUSE)])
    # Stream sockets only: a datagram socket could be sent to any path without connect.
    stream_only = [
        _argument(0),
        _step(_EQUAL, socket.AF_UNIX, 1, 0),
        _step(_RETURN, _REFUSE),
        _argument(1),
        _step(_AND, _SOCK_TYPE_MASK),
        _step(_EQUAL, socket.SOCK_STREAM, 1, 0),
        _step(_RETURN, _REFUSE),
    ]
    if calls.unix_sockets:
        code += _when(numbers["socket"], stream_only)
    code += _when(numbers["socketpair"], stream_only)
    # sendto with an address: both halves of the pointer must be null.
    for half in (_ARGUMENTS + 8 * 4, _ARGUMENTS + 8 * 4 + 4):
        code += _when(numbers["sendto"], [_step(_LOAD, half), _step(_EQUAL, 0, 1, 0), _step(_RETURN, _REFUSE)])
    for name in ("kill", "tgkill"):
        code += _when(numbers[name], [_argument(0), _step(_EQUAL, pid, 1, 0), _step(_RETURN, _REFUSE)])
    code += _when(
        numbers["prlimit64"],
        [_argument(0), _step(_EQUAL, 0, 2, 0), _step(_EQUAL, pid, 1, 0), _step(_RETURN, _REFUSE)],
    )
    for name, argument, values in (
        ("prctl", 0, (_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE)),
        ("ioctl", 1, (_TIOCSTI, _TIOCLINUX)),
    ):
        refusals = [part for value in values for part in _answer(value, _REFUSE)]
        code += _when(numbers[name], [_argument(argument), *refusals])
    return code


def _when(number: int, block: list[bytes]) -> list[bytes]:
    return [_step(_EQUAL, number, 0, len(block) + 1), *block, _step(_LOAD, _NUMBER)]


def _answer(value: int, action: int) -> list[bytes]:
    return [_step(_EQUAL, value, 0, 1), _step(_RETURN, action)]


def _argument(index: int) -> bytes:
    """Load the low 32 bits of an argument: all that the kernel reads of the ints judged here (little-endian)."""
    return _step(_LOAD, _ARGUMENTS + 8 * index)


def _step(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, when_true, when_false, value & 0xFFFFFFFF)
