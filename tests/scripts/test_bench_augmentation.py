"""The arithmetic of the benchmark of augmentation, on rows made by hand."""

import math

import pytest

from scripts.benchmarks import augmentation


def row(technique, strength, steps, loss, accuracy=0.9, status="finished"):
    made = {"technique": technique, "strength": strength, "steps": steps}
    return made | {"loss": loss, "accuracy": accuracy, "status": status}


ROWS = [
    *(row("none", 0.0, 1000, loss, accuracy) for loss, accuracy in ((0.2, 0.9), (0.3, 0.8))),
    *(row("crop", 1.0, 1000, loss) for loss in (0.1, 0.2)),
    row("crop", 1.0, 1000, None, status="diverged"),
]


def test_means_and_spread_over_finished_seeds():
    plain, crop = augmentation.points(ROWS)
    assert (plain.technique, plain.strength, plain.steps, plain.seeds, crop.seeds) == ("none", 0.0, 1000, 2, 2)
    assert (plain.loss, plain.loss_std) == (pytest.approx(0.25), pytest.approx(math.sqrt(0.005)))
    assert (plain.accuracy, plain.accuracy_std) == (pytest.approx(0.85), pytest.approx(math.sqrt(0.005)))


def test_each_is_beside_none_at_its_horizon():
    others = [row(name, strength, 4000, 0.5) for name, strength in (("none", 0.0), ("crop", 1.0)) for _ in "ab"]
    said = {each.what: each.measured for each in augmentation.compared(augmentation.points([*ROWS, *others]))}
    assert "(-0.1000)" in said["1000 steps, crop 1"]
    assert "(+0.0000)" in said["4000 steps, crop 1"]


def test_the_figure_has_points_with_a_spread():
    (panel,) = augmentation.drawing(augmentation.points(ROWS)).panels
    plain, crop = panel.layers[1], panel.layers[3]
    assert (plain.name, crop.name) == ("none", "crop 1")
    assert crop.y.tolist() == pytest.approx([0.15])
    assert crop.high is not None
    assert crop.high[0] > 0.15
