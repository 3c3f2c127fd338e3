"""What each brush leaves on an image."""

import math

import numpy as np

from nc_scan.images.painting import draw_strokes, paint_fields, stamp_shapes

ONE = np.ones(1, np.float32)


def test_a_field_passes_smoothly_through_the_corners_of_its_grid() -> None:
    grid = np.zeros((1, 1, 3, 3), np.float32)
    grid[0, 0, 1, 1] = 1
    images = np.empty((1, 1, 40, 40), np.float32)
    paint_fields(images, grid, np.array([2]))
    assert images[0, 0, 19:21, 19:21].min() > 0.99
    assert images[0, 0, [0, -1]].max() < 0.01
    assert np.array_equal(images, images[..., ::-1, :])
    assert abs(np.diff(images)).max() < 0.1


def stamped(corners: int, angle: float = 0.0) -> np.ndarray:
    """A shape of radius 10 with a rim of 2, on black: its face has the value 1, its rim 0.5."""
    images = np.zeros((1, 1, 41, 41), np.float32)
    center = np.full((1, 2), 20, np.float32)
    parts = (np.array([corners]), ONE * angle, 2 * ONE, np.full((1, 1), 0.5, np.float32), np.ones((1, 1), np.float32))
    stamp_shapes(images, center, 10 * ONE, *parts, np.full(1, 0.5, np.float32))
    return images[0, 0]


def test_a_disc_has_a_face_and_a_rim() -> None:
    y, x = np.mgrid[:41, :41] - 20
    distance = np.hypot(y, x)
    disc = stamped(0)
    assert (disc[distance < 7.5] == 1).all()
    assert (disc[(distance > 8.5) & (distance < 9.5)] == 0.5).all()
    assert (disc[distance > 10.5] == 0).all()


def test_a_polygon_has_its_corners() -> None:
    areas = {corners: float((stamped(corners) > 0).sum()) for corners in (3, 4, 8)}
    for corners, area in areas.items():
        assert abs(area / (corners * 100 * math.tan(math.pi / corners)) - 1) < 0.1
    upright = stamped(4, math.pi / 4)
    assert (upright[11:30, 11:30] > 0).all()
    assert (upright[:9] == 0).all()


def test_a_stroke_follows_its_curve() -> None:
    images = np.zeros((1, 3, 21, 21), np.float32)
    straight = np.array([[[10, 4], [10, 8], [10, 12], [10, 16]], [[0, 0], [0, 7], [0, 14], [0, 20]]], np.float32)
    draw_strokes(images, straight[None], np.array([1]), 3 * ONE, ONE, np.array([[1, 0.5, 0]], np.float32))
    red, green, blue = images[0]
    assert (red[10, 4:17] == 1).all()
    assert (red[[7, 13]] == 0).all()
    assert (red[0] == 0).all()  # only the first curve is drawn
    assert np.array_equal(green, red / 2)
    assert (blue == 0).all()
