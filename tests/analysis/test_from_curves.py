"""Budgets read off training curves, against curves whose law is known."""

import numpy as np
import pytest

from analysis.isoflop.from_curves import from_curves
from analysis.load import DataError, Runs
from analysis.uncertainty import seed_noise

SIZES, TOKENS = np.array([1e4, 3e4]), np.array([2e6, 1e6])


def loss_at(size, tokens):
    """A power of both: straight in ln loss over ln tokens, so that interpolation is exact."""
    return 3 * size**-0.1 * tokens**-0.2 * 1e2


def tables():
    """Two runs and the five points of each one's curve, in any order."""
    share = np.array([0.03, 0.1, 0.3, 0.6, 1.0])
    names = np.repeat(["a", "b"], 5)
    tokens = np.concatenate([share * most for most in TOKENS])
    size = np.repeat(SIZES, 5)
    order = np.random.default_rng(0).permutation(10)
    points = {"run_id": names, "tokens": tokens, "loss": loss_at(size, tokens)}
    runs = {"run_id": np.array(["a", "b"]), "n_params": SIZES, "tokens": TOKENS, "flops": 6 * SIZES * TOKENS}
    return Runs({name: values[order] for name, values in points.items()}), Runs(runs)


def test_runs_are_read_where_they_had_spent_each_budget():
    points, runs = tables()
    budgets = (6e9, 2.4e10, 1.2e11, 1.8e11)
    found = from_curves(points, runs, budgets)
    rows = [(name, float(budget)) for name, budget in zip(found["run_id"], found["budget"], strict=True)]
    # a spends 1.2e11 in all and is first looked at after 3.6e9, b 1.8e11 and 5.4e9
    assert rows == [("a", 6e9), ("a", 2.4e10), ("a", 1.2e11), ("b", 6e9), ("b", 2.4e10), ("b", 1.2e11), ("b", 1.8e11)]
    assert found["tokens"] == pytest.approx(found["budget"] / (6 * found["n_params"]))
    assert found["loss"] == pytest.approx(loss_at(found["n_params"], found["tokens"]))
    assert found["flops"] == pytest.approx(found["budget"])


def test_rows_say_of_whom_they_are_a_repeat():
    points, runs = tables()
    shapes = runs.with_columns(width=np.array([8, 8]), depth=np.array([2, 2]), seed=np.array([0, 1]))
    both = shapes.with_columns(learning_rate=np.array([0.1, 0.1]), n_params=np.full(2, 1e4), flops=np.full(2, 6e10))
    found = from_curves(points, both, (6e9, 6e10))
    pairs = np.log(found["loss"][:2] / found["loss"][2:])
    assert seed_noise(found)["sd"] == pytest.approx(np.sqrt((pairs**2).mean() / 2))
    assert seed_noise(found)["groups"] == 2


def test_budgets_are_counted_as_the_runs_count():
    points, runs = tables()
    half = runs.with_columns(flops=runs["flops"] / 2)
    found, whole = from_curves(points, half, (6e9,)), from_curves(points, runs, (1.2e10,))
    assert found["tokens"] == pytest.approx(whole["tokens"])
    assert found["loss"] == pytest.approx(whole["loss"])


def test_what_cannot_be_read_is_said():
    points, runs = tables()
    with pytest.raises(DataError, match="no run passes a budget"):
        from_curves(points, runs, (1e15,))
    with pytest.raises(DataError, match="run b has no curve of two points"):
        from_curves(points.select(points["run_id"] == "a", "b"), runs, (6e9,))
