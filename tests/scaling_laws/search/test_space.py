"""The space of a search: what its text spells, and what is refused before anything starts."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_laws import config
from scaling_laws.config import ConfigError, RunConfig
from scaling_laws.search.space import Axis, changed, parse

BASE = RunConfig()


def axis(text, base=BASE):
    (found,) = parse(text, base).axes
    return found


def test_each_kind_of_axis():
    assert axis("optimizer.learning_rate=log:1e-3:1e-1") == Axis("optimizer.learning_rate", (), 1e-3, 1e-1, True)
    assert axis("optimizer.beta2=linear:0.9:0.99") == Axis("optimizer.beta2", (), 0.9, 0.99, False)
    assert axis("model.depth=int:2:6").points == (2, 3, 4, 5, 6)
    assert axis("model.width=int:16:70:16").points == (16, 32, 48, 64)
    assert axis("model.width=log:16:128:4").points == (16, 32, 64, 128)
    assert axis("model.norm=rms|layer").points == ("rms", "layer")
    assert axis("model.qk_norm=true|false").points == (True, False)
    assert axis("model.width=64|16|32").points == (16, 32, 64)
    assert axis("optimizer.weight_decay=0|0.1").points == (0.0, 0.1)


def test_points_are_a_constant_factor_or_step_apart():
    points = axis("optimizer.learning_rate=log:3e-3:1e-1:8").points
    np.testing.assert_allclose(points, np.geomspace(3e-3, 1e-1, 8), rtol=5e-4)
    assert all(float(f"{point:.4g}") == point for point in points)
    assert axis("optimizer.beta2=linear:0.9:0.99:4").points == (0.9, 0.93, 0.96, 0.99)


def test_order_is_of_numbers_alone():
    assert axis("model.depth=int:2:6").ordered
    assert axis("optimizer.learning_rate=log:1e-3:1e-1").ordered
    assert not axis("model.norm=rms|layer").ordered
    assert not axis("model.qk_norm=true|false").ordered


@given(st.floats(0, 1), st.booleans())
def test_place_and_value_go_back_and_forth(place, log):
    found = Axis("optimizer.learning_rate", (), 1e-3, 10.0, log)
    value = found.at(place)
    assert 1e-3 <= value <= 10.0
    assert found.place(value) == pytest.approx(place, abs=1e-3)


def test_the_middle_of_a_logarithmic_axis_is_the_geometric_mean():
    assert axis("optimizer.learning_rate=log:1e-3:1e-1").at(0.5) == 0.01
    assert axis("optimizer.learning_rate=linear:0.1:0.3").at(0.5) == 0.2


def test_a_grid_is_every_combination_once():
    space = parse("model.depth=int:1:3,model.norm=rms|layer", BASE)
    grid = [tuple(point.values()) for point in space.grid()]
    assert space.size == 6
    assert sorted(grid) == sorted((depth, norm) for depth in (1, 2, 3) for norm in ("rms", "layer"))
    assert math.isinf(parse("optimizer.learning_rate=log:1e-3:1", BASE).size)


@pytest.mark.parametrize(
    "text, said",
    [
        ("", "--space: empty; allowed: FIELD=VALUES"),
        ("model.depth", "'model.depth'; allowed: FIELD=VALUES"),
        ("optimizer.learning_rat=log:1e-3:1", "no such field; did you mean optimizer.learning_rate?"),
        ("model.depth=int:1:2,model.depth=3|4", "model.depth is there twice"),
        ("train.backend=jit|pmap", "changes how a run is executed"),
        ("train.seed=0|1", "--seeds names the seeds"),
        ("task.heldout_fraction=linear:0.1:0.2", "decides what a trial is measured on"),
        ("task.loss=cross_entropy|squared_error", "decides what a trial is measured on"),
        ("task.target=a|b", "decides what a trial is measured on"),
        ("optimizer.learning_rate=log:0:1", "allowed: 0 < LOW < HIGH"),
        ("optimizer.learning_rate=linear:2:1", "allowed: LOW < HIGH"),
        ("optimizer.learning_rate=log:1e-3:1:1", "1 points; allowed: 2 to"),
        ("optimizer.learning_rate=log:a:1", "'a'; allowed: numbers"),
        ("optimizer.learning_rate=log:1", "allowed for this field: numbers"),
        ("optimizer.learning_rate=log:1:1e5", "optimizer.learning_rate: 100000.0; allowed: number, 0 to 1000"),
        ("optimizer.learning_rate=nan|1", "optimizer.learning_rate: nan; allowed"),
        ("model.width=log:16:64", "allowed for this field: whole numbers"),
        ("model.width=16|x", "'x'; allowed: whole numbers"),
        ("model.depth=int:6:2", "int from 6 to 2 by 1; allowed"),
        ("model.depth=int:1:2:0", "by 0; allowed"),
        ("model.norm=rms|lyer", "did you mean layer?"),
        ("model.norm=rms|rms", "repeats a value"),
        ("model.norm=int:1:2", "allowed for this field: A|B|C"),
        ("model.qk_norm=yes|no", "'yes'; allowed: true|false"),
        ("model.width=64|65", "multiple of model.head_dim"),
        ("model.width=0|64", "model.width: 0; allowed: 1 or more"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text, said):
    with pytest.raises(ConfigError) as caught:
        parse(text, BASE)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_grid_needs_points_and_not_too_many():
    with pytest.raises(ConfigError, match=r"optimizer.learning_rate is a range; allowed in a grid: points"):
        next(parse("optimizer.learning_rate=log:1e-3:1", BASE).grid())
    with pytest.raises(ConfigError, match="a grid of 10000 points; allowed: at most 5000"):
        next(parse("optimizer.learning_rate=log:1e-3:1:100,optimizer.weight_decay=log:1e-3:1:100", BASE).grid())


def test_an_axis_may_give_what_the_base_leaves_open():
    base = config.replace(BASE, {"model.width": 0})
    assert axis("model.width=32|64", base).points == (32, 64)
    with pytest.raises(ConfigError, match=r"model.width: 0; allowed: 1 or more"):
        parse("model.depth=int:1:2", base)


def test_settings_that_do_not_go_together_are_refused_where_they_meet():
    space = parse("model.width=16|24,model.head_dim=8|16", BASE)
    assert changed(BASE, {"model.width": 24, "model.head_dim": 8}).model.width == 24
    with pytest.raises(ConfigError, match="multiple of"):
        changed(BASE, list(space.grid())[-1])
