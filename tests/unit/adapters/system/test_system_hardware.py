"""Facts of machines, from folders like those the kernel shows, and of this one."""

from __future__ import annotations

from pathlib import Path

import pytest

from pai.adapters.system.graphics import rows
from pai.adapters.system.hardware import disk_speed, machine
from pai.core.models.values import Accelerator, Machine
from pai.foundation.errors import Unavailable

MB = 1 << 20
GB = 1 << 30
MEMINFO = "MemTotal:       16000000 kB\nMemFree:         1000000 kB\nMemAvailable:   12000000 kB\n"


def made(root: Path, files: dict[str, str]) -> Path:
    for name, text in {"proc/cpuinfo": "", "proc/meminfo": MEMINFO, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def facts(root: Path, files: dict[str, str]) -> Machine:
    return machine(root / "home" / "not" / "there", root=made(root, files))


def test_a_server_with_amx(tmp_path: Path) -> None:
    cpu = (
        "model name\t: Some Xeon\nflags\t\t: fpu avx2 avx512f avx512_vnni amx_tile amx_int8\n\nmodel name : Some Xeon\n"
    )
    found = facts(tmp_path, {"proc/cpuinfo": cpu})
    assert found.processor == "Some Xeon"
    assert found.instructions == ("AVX2", "AVX-512", "AVX-512-VNNI", "AMX-INT8")
    assert (found.memory, found.available) == (16_000_000 * 1024, 12_000_000 * 1024)
    assert (found.accelerators, found.unknown, found.held) == ((), (), 0)


def test_an_arm_board(tmp_path: Path) -> None:
    cpu = "processor : 0\nFeatures : fp asimd evtstrm aes asimddp i8mm sve\nHardware : Board\n"
    found = facts(tmp_path, {"proc/cpuinfo": cpu, "proc/device-tree/compatible": "apple,j314s\0apple,t6000\0"})
    assert found.instructions == ("NEON", "DOTPROD", "I8MM", "SVE")
    assert [one.vendor for one in found.accelerators] == ["Apple"]
    assert "shared" in found.accelerators[0].note


def test_what_a_kernel_does_not_say_is_said(tmp_path: Path) -> None:
    found = facts(tmp_path, {"proc/meminfo": "nothing"})
    assert len(found.unknown) == 2
    assert "/proc/cpuinfo" in found.unknown[0]
    assert "/proc/meminfo" in found.unknown[1]
    assert found.memory == 0


def test_the_bounds_of_a_container_count(tmp_path: Path) -> None:
    group = {
        "sys/fs/cgroup/memory.max": f"{4 * GB}\n", "sys/fs/cgroup/memory.current": f"{3 * GB}\n",
        "sys/fs/cgroup/memory.stat": f"anon 5\ninactive_file {GB}\n", "sys/fs/cgroup/cpu.max": "100000 100000\n",
    }  # fmt: skip
    found = facts(tmp_path, group)
    assert (found.memory, found.available, found.cores) == (4 * GB, 2 * GB, 1)
    assert (
        facts(tmp_path, {"sys/fs/cgroup/memory.max": "max\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}).memory
        == 16_000_000 * 1024
    )


def test_engines_of_this_home_hold_memory(tmp_path: Path) -> None:
    runs = tmp_path / "home" / "not" / "there" / "run" / "w"
    files = {
        "proc/41/cmdline": f"python\0-m\0pai.bootstrap.worker\0llama\0--run={runs}/ab\0", "proc/41/status": "RssAnon:\t  2048 kB\n",
        "proc/42/cmdline": "python\0--run=/elsewhere/run/w/ab\0", "proc/42/status": "RssAnon:\t  9999 kB\n",
    }  # fmt: skip
    assert facts(tmp_path, files).held == 2 * MB


def test_nvidia_without_its_program(tmp_path: Path) -> None:
    found = facts(tmp_path, {"proc/driver/nvidia/gpus/0000:01:00.0/information": "Model: \t Some RTX\nIRQ: 1\n"})
    assert found.accelerators == (
        Accelerator("Some RTX", "NVIDIA", None, None, "its memory is known to nvidia-smi only"),
    )
    assert "nvidia-smi" in found.unknown[-1]


def test_what_nvidias_program_tells() -> None:
    told = "Some RTX 4090, 24564, 23000\nA board of one memory, [N/A], [N/A]\n"
    assert rows(told) == [
        ("Some RTX 4090", "NVIDIA", 24564 * MB, 23000 * MB, ""),
        ("A board of one memory", "NVIDIA", None, None, "its memory is shared with the machine's"),
    ]
    assert rows("") == []
    assert rows("nonsense") == [("nonsense", "NVIDIA", None, None, "its memory is shared with the machine's")]


def test_cards_of_the_kernels_graphics_layer(tmp_path: Path) -> None:
    drm = "sys/class/drm"
    files = {
        f"{drm}/card0/device/vendor": "0x1002\n", f"{drm}/card0/device/product_name": "Some Radeon\n",
        f"{drm}/card0/device/mem_info_vram_total": f"{16 * GB}\n", f"{drm}/card0/device/mem_info_vram_used": f"{GB}\n",
        "sys/class/kfd/kfd/uevent": "", f"{drm}/card0-DP-1/device/vendor": "0x1002\n", f"{drm}/card1/device/vendor": "0x8086\n",
        f"{drm}/card2/device/vendor": "0x8086\n", f"{drm}/card2/lmem_total_bytes": f"{12 * GB}\n",
        f"{drm}/card3/device/vendor": "0x10de\n", f"{drm}/card4/device/vendor": "0x1a03\n", f"{drm}/card5/device/vendor": "0x1002\n",
        f"{drm}/card5/device/mem_info_vram_total": f"{512 * MB}\n",
    }  # fmt: skip
    found = facts(tmp_path, files)
    assert [(one.vendor, one.memory, one.free) for one in found.accelerators] == [
        ("AMD", 16 * GB, 15 * GB), ("Intel", None, None), ("Intel", 12 * GB, None), ("NVIDIA", None, None), ("AMD", 512 * MB, None),
    ]  # fmt: skip
    assert "shared" in found.accelerators[1].note
    assert "shared" in found.accelerators[4].note
    assert len([text for text in found.unknown if "GPU" in text]) == 2


def test_this_machine() -> None:
    found = machine(Path.cwd())
    assert 1 <= found.cores <= found.processors
    assert 0 < found.available <= found.memory
    assert found.disk_free > 0
    assert found.instructions


def test_the_disk_is_measured_on_a_file(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(bytes(9 * MB + 13))
    found = disk_speed(path)
    assert found.size == 9 * MB + 13
    assert found.seconds > 0
    assert found.hash_seconds > 0
    assert disk_speed(path, most=4 * MB).size == 4 * MB
    (tmp_path / "empty").touch()
    with pytest.raises(Unavailable):
        disk_speed(tmp_path / "empty")
    with pytest.raises(FileNotFoundError):
        disk_speed(tmp_path / "none")
