"""The one warning that is left out of a worker's standard error, and all others that are not."""

from __future__ import annotations

import os

import pytest

from pai.adapters.workers.onnx_session import stderr_without


def test_only_the_named_lines_are_left_out(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), stderr_without(b"GPU device discovery failed"):
        os.write(2, b"before\n[W] GPU device discovery failed: denied\nafter, without an end")
        raise RuntimeError
    assert capfd.readouterr().err == "before\nafter, without an end"
    os.write(2, b"GPU device discovery failed later\n")
    assert capfd.readouterr().err == "GPU device discovery failed later\n"
