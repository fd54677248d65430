from __future__ import annotations

import pytest

from pai.adapters.workers.kinds import KINDS, checked_options
from pai.bootstrap.worker import _KINDS
from pai.foundation.errors import Invalid


def test_defaults_are_filled_in() -> None:
    assert checked_options("llama", {"parallel": 2}) == {
        "context_length": 8192,
        "pool": 16384,
        "parallel": 2,
        "threads": 0,
    }


@pytest.mark.parametrize(
    ("kind", "options", "code"),
    [
        ("shell", {}, "unknown_worker_kind"),
        ("echo", {"command": 1}, "bad_worker_option"),
        ("echo", {"context_length": "1"}, "bad_worker_option"),
        ("echo", {"context_length": True}, "bad_worker_option"),
        ("parser", {"memory_mb": 10**9}, "bad_worker_option"),
    ],
)
def test_anything_else_is_refused(kind: str, options: dict[str, object], code: str) -> None:
    with pytest.raises(Invalid) as caught:
        checked_options(kind, options)
    assert caught.value.code == code


def test_every_kind_has_a_main_and_sane_ranges() -> None:
    assert set(_KINDS) == set(KINDS)
    for kind in KINDS.values():
        for found in kind.options.values():
            assert found.low <= found.default <= found.high
