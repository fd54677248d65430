from __future__ import annotations

import struct

import pyseccomp
import pytest

from pai.adapters.system import seccomp, syscalls


@pytest.mark.parametrize(
    ("table", "arch"), [(syscalls.X86_64, pyseccomp.Arch.X86_64), (syscalls.AARCH64, pyseccomp.Arch.AARCH64)]
)
def test_numbers_agree_with_libseccomp(table: dict[str, int], arch: int) -> None:
    unknown = []
    for name, number in table.items():
        found = pyseccomp.resolve_syscall(arch, name)
        if found < 0:
            unknown.append(name)  # newer than this libseccomp
        else:
            assert found == number, name
    assert set(unknown) <= {"fchmodat2", "lsm_set_self_attr", "process_mrelease"}


def test_every_name_refused_has_a_number() -> None:
    names = {*syscalls.RUNNING, *syscalls.FOREIGN, *syscalls.KERNEL, *syscalls.ATTRIBUTES}
    assert names <= set(syscalls.X86_64)
    # The generic table has no fork, chmod and other calls that newer ones replaced.
    legacy = {"fork", "vfork", "uselib", "iopl", "ioperm", "modify_ldt", "mknod"}
    legacy |= {"chmod", "chown", "lchown", "utime", "utimes", "futimesat"}
    assert names - legacy <= set(syscalls.AARCH64)


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_program_is_well_formed(machine: str) -> None:
    for calls in (seccomp.Calls(), seccomp.Calls(unix_sockets=True, connect=True, bind=True, attributes=True)):
        program = seccomp.build(calls, machine=machine, pid=4321)
        steps = list(struct.iter_unpack("=HBBI", program))
        assert len(steps) < 4096  # BPF_MAXINSNS
        assert steps[-1] == (0x06, 0, 0, 0x7FFF0000)
        for at, (code, when_true, when_false, _) in enumerate(steps):
            if code & 0x07 == 0x05:  # every jump stays inside
                assert at + 1 + max(when_true, when_false) < len(steps)
