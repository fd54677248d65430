from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pai.core.operations.handing_out import MOST_CHECKPOINTS, thinned


def test_an_export_proves_growth_from_few_checkpoints_however_many_are_kept() -> None:
    many: Any = [SimpleNamespace(size=n) for n in range(1, 1001)]
    sizes = [one.size for one in thinned(many)]
    assert len(sizes) == MOST_CHECKPOINTS
    assert (sizes[0], sizes[-1]) == (1, 1000)
    assert sizes == sorted(set(sizes))
    assert thinned(many[:MOST_CHECKPOINTS]) == many[:MOST_CHECKPOINTS]
