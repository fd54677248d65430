"""Rectangles around regions of a detector's map."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageDraw

from pai.adapters.pictures.text_boxes import boxes_in


def bars(angle: float, *centres: tuple[int, int]) -> np.ndarray:
    made = Image.new("L", (600, 400))
    for x, y in centres:
        bar = Image.new("L", (600, 400))
        ImageDraw.Draw(bar).rectangle((x - 100, y - 8, x + 100, y + 8), fill=255)
        made.paste(255, mask=bar.rotate(-angle, center=(x, y)))
    return np.asarray(made, np.float32) / 255


@pytest.mark.parametrize("angle", [0, 5, -12, 40, 90])
def test_each_bar_has_a_rectangle_at_its_angle(angle: float) -> None:
    found = sorted(boxes_in(bars(angle, (180, 200), (420, 200))), key=lambda box: box.x)
    assert [(round(box.x, -1), round(box.y, -1)) for box in found] == [(180, 200), (420, 200)]
    for box in found:
        assert math.degrees(box.angle) == pytest.approx(angle, abs=1.5)
        assert 200 < box.width < 235
        assert 17 < box.height < 48


def test_specks_faint_regions_and_empty_maps_have_none() -> None:
    assert boxes_in(np.zeros((64, 64), np.float32)) == []
    speck = np.zeros((64, 64), np.float32)
    speck[10:12, 10:12] = 1
    assert boxes_in(speck) == []
    assert boxes_in(bars(0, (300, 200)) * 0.35) == []


@pytest.mark.slow
def test_a_map_that_is_all_ink_or_a_chessboard_is_bounded() -> None:
    assert len(boxes_in(np.ones((640, 640), np.float32))) == 1
    chess = np.indices((640, 640)).sum(axis=0) % 2
    assert len(boxes_in(chess.astype(np.float32))) <= 2000
