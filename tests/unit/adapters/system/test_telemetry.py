from __future__ import annotations

import os

import pytest

from pai.bootstrap import telemetry


def test_a_child_inherits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "x")
    made = telemetry.child_environment()
    assert set(made) == {"LANG", "PATH", *telemetry.SWITCHES}
    assert made["ORT_DISABLE_TELEMETRY"] == "1"


def test_switches_win_over_inherited_values(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in telemetry.SWITCHES:
        monkeypatch.setenv(name, "inherited")
    telemetry.switch_off()
    assert {name: os.environ[name] for name in telemetry.SWITCHES} == dict(telemetry.SWITCHES)
