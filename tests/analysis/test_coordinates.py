"""Slopes of planted changes, which blocks are compared over depth, and what the picture shows."""

import math

import numpy as np
import pytest
from scipy.stats import linregress

from analysis import coordinates
from analysis.coordinates import Check, CoordinateError, LayerChange

SIZES = (16, 32, 64, 128)


def rows(slopes, sizes=SIZES, seeds=(0, 1), steps=3, tilt=0.0, axis="width"):
    """Layers whose change is step x size^slope, at seed k size^(k tilt) times as much."""
    return [
        {
            "parametrization": "mup",
            "optimizer": "sgd",
            "axis": axis,
            "size": size,
            "seed": seed,
            "step": step,
            "layer": layer,
            "scale": 1.0,
            "change": step * size ** (slope + tilt * seed),
        }
        for size in sizes
        for seed in seeds
        for step in range(steps + 1)
        for layer, slope in slopes.items()
    ]


def test_planted_slopes_come_back_with_the_verdict():
    found = coordinates.check(rows({"embedded": 0.0, "block_0/mlp_out": -0.09, "logits": 0.12}), "width")
    assert [each.layer for each in found.layers] == ["embedded", "block_0/mlp_out", "logits"]
    assert [each.slope for each in found.layers] == pytest.approx([0, -0.09, 0.12])
    assert [each.slope_se for each in found.layers] == pytest.approx([0, 0, 0], abs=1e-12)
    assert [each.passed for each in found.layers] == [True, True, False]
    assert (found.sizes, found.steps, found.axis, found.parametrization) == (SIZES, 3, "width", "mup")
    assert not found.passed
    np.testing.assert_allclose(found.layers[0].change, np.tile([1, 2, 3], (4, 1)))
    assert coordinates.check(rows({"embedded": 0.0, "logits": -0.09}), "width").passed


def test_slope_and_its_error_over_seeds_against_scipy():
    rng, slopes = np.random.default_rng(0), []
    noisy = rows({"logits": 0.3}, seeds=(0, 1, 2))
    for row in noisy:
        row["change"] *= math.exp(0.2 * rng.normal())
    for seed in (0, 1, 2):
        last = [row for row in noisy if row["seed"] == seed and row["step"] == 3]
        slopes.append(linregress([math.log(row["size"]) for row in last], [math.log(row["change"]) for row in last])[0])
    (layer,) = coordinates.check(list(reversed(noisy)), "width").layers
    assert layer.slope == pytest.approx(np.mean(slopes))
    assert layer.slope_se == pytest.approx(np.std(slopes, ddof=1) / math.sqrt(3))
    (alone,) = coordinates.check(rows({"logits": 0.3}, seeds=(5,)), "width").layers
    assert math.isnan(alone.slope_se)


def test_the_last_step_alone_is_judged():
    late = rows({"logits": 0.0})
    for row in late:
        row["change"] *= row["size"] if row["step"] == 1 else 1
    assert coordinates.check(late, "width").passed


@pytest.mark.parametrize("changes", [{16: 0.0}, {16: 0.0, 32: 0.0, 64: 0.0, 128: 0.0}, {128: math.inf}, {64: math.nan}])
def test_a_layer_that_stood_still_or_broke_fails(changes):
    still = rows({"logits": 0.0})
    for row in still:
        row["change"] = changes.get(row["size"], row["change"])
    found = coordinates.check(still, "width")
    assert not found.passed
    assert "FAILED" in found.lines()[-1]


def test_one_size_is_refused():
    with pytest.raises(CoordinateError, match="sizes: 16; allowed: two or more"):
        coordinates.check(rows({"logits": 0.0}, sizes=(16,)), "width")


def over_depth(depths):
    """Layers of blocks; the change tells which block it is: 10 (index + 1), + 1 to 3 for the layer."""
    found = []
    for depth in depths:
        slopes = {"embedded": 0.0} | {
            f"block_{index}/{name}": 0.0 for index in range(depth) for name in ("attention_out", "mlp_out", "stream")
        }
        for row in rows(slopes, sizes=(depth,), seeds=(0,), steps=1, axis="depth"):
            block, _, name = row["layer"].partition("/")
            if name and row["step"]:
                place = ("attention_out", "mlp_out", "stream").index(name) + 1
                row["change"] = 10.0 * (int(block.removeprefix("block_")) + 1) + place
            found.append(row)
    return found


def test_over_depth_blocks_at_equal_shares_are_compared():
    found = coordinates.check(over_depth((2, 4)), "depth")
    changes = {each.layer: each.change[:, 0].tolist() for each in found.layers}
    assert changes == {
        "embedded": pytest.approx([1, 1]),
        "attention at 0 depth": pytest.approx([11, 11]),
        "mlp at 0 depth": pytest.approx([12, 12]),
        "attention at 0.5 depth": pytest.approx([21, 31]),  # the second of two, the third of four
        "mlp at 0.5 depth": pytest.approx([22, 32]),
        "stream at 0.5 depth": pytest.approx([13, 23]),  # after the first of two, the second of four
        "stream at 1 depth": pytest.approx([23, 43]),
    }


def test_where_a_depth_is_odd_the_middle_is_left_out():
    layers = [each.layer for each in coordinates.check(over_depth((2, 3)), "depth").layers]
    assert not any("0.5" in layer for layer in layers)
    found = coordinates.check(over_depth((1, 3)), "depth")
    changes = {each.layer: each.change[:, 0].tolist() for each in found.layers}
    assert changes == {
        "embedded": pytest.approx([1, 1]),
        "attention at 0 depth": pytest.approx([11, 11]),
        "mlp at 0 depth": pytest.approx([12, 12]),
        "stream at 1 depth": pytest.approx([13, 33]),
    }


def test_lines_name_what_is_beyond_the_bound():
    change = np.ones((2, 5))
    layers = (LayerChange("embedded", change, 0.02, 0.01), LayerChange("logits", change, -0.31, 0.02))
    assert Check("standard", "width", (8, 64), 5, layers).lines() == [
        "standard over width 8, 64: slope of ln(change of the activation) at step 5",
        "  embedded  +0.020 ± 0.010",
        "  logits    -0.310 ± 0.020  beyond the bound",
        "coordinate check FAILED: largest |slope| 0.310, bound 0.1",
    ]


def test_the_drawing_has_a_panel_a_layer_and_a_line_a_step():
    found = coordinates.check(rows({"embedded": 0.0, "logits": 0.5}), "width")
    drawing = coordinates.drawing(found)
    assert drawing.name == "coordinates_mup_width"
    assert drawing.title.endswith("failed")
    assert [panel.title for panel in drawing.panels] == ["embedded +0.00", "logits +0.50"]
    logits = drawing.panels[1]
    assert [float(layer.value[0]) for layer in logits.layers] == [1, 2, 3]
    for step, layer in enumerate(logits.layers, start=1):
        np.testing.assert_array_equal(layer.x, SIZES)
        np.testing.assert_allclose(layer.y, step * np.sqrt(SIZES))
    assert (drawing.colours.low, drawing.colours.high) == (1, 3)


def test_blocks_are_counted_and_what_runs_beside_each_other_is_named():
    """A perceptron of 3 or 5 hidden layers has 2 or 4 blocks; two towers have two streams."""
    found = [
        {"parametrization": "mup", "size": blocks + 1, "seed": 0, "step": 1, "layer": f"block_{index}/{side}/stream",
         "scale": 1.0, "change": 1.0 + index}
        for blocks in (2, 4) for index in range(blocks) for side in ("user", "item")
    ]  # fmt: skip
    layers = {each.layer: each.change[:, 0] for each in coordinates.check(found, "depth").layers}
    assert layers == {
        f"{side} stream at {share} depth": pytest.approx(changes)
        for side in ("user", "item") for share, changes in (("0.5", [1, 2]), ("1", [2, 4]))
    }  # fmt: skip
