"""Designs that cannot tell a law's parameters apart, planted; the variance inflation against regressions by hand."""

import numpy as np
import pytest

from analysis import load
from analysis.checks import check_design

RNG = np.random.default_rng(0)
N = 10 ** RNG.uniform(6, 9, 12)
D = 10 ** RNG.uniform(8, 11, 12)
SURFACE = ("n_params", "tokens")


def runs_of(**columns):
    length = len(next(iter(columns.values()), N))
    return load.runs_from({"n_params": N[:length], "tokens": D[:length], "loss": np.full(length, 3.0)} | columns)


def test_a_crossed_design_passes_without_a_word():
    assert check_design(runs_of(), SURFACE, 5, "chinchilla") == ()
    assert check_design(runs_of(), ("n_params",), 3, "power_floor") == ()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tokens": 20 * N}, r"tokens = 20 x n_params in all 12 rows \(rows 1-12\); law 'chinchilla' needs"),
        ({"tokens": np.round(20 * N, -1)}, "tokens = 20 x n_params"),
        ({"tokens": 3 * N**0.5}, r"tokens = 3 x n_params\^0.5 "),
        ({"tokens": 5e20 / N}, r"tokens = 5e\+20 x n_params\^-1 "),
        ({"tokens": np.full(12, 1e9)}, r"every run has the same tokens, 1e\+09 \(rows 1-12\)"),
        ({"tokens": 1e9 * (1 + 1e-12 * np.arange(12))}, "every run has the same tokens"),
        ({"loss": np.ones(4)}, r"4 runs for 5 parameters of law 'chinchilla'; allowed: 5 or more"),
        (
            {"n_params": np.tile(N[:4], 3), "tokens": np.tile(D[:4], 3)},
            "12 runs at 4 different points for 5 parameters",
        ),
    ],
)
def test_designs_that_carry_no_law_are_refused(changes, message):
    with pytest.raises(load.DataError, match=message):
        check_design(runs_of(**changes), SURFACE, 5, "chinchilla")


def test_rows_are_those_of_the_table():
    large = np.argsort(np.argsort(N)) > 3
    runs = runs_of(tokens=20 * N).with_columns(row=np.arange(1, 13)).select(large, "small")
    with pytest.raises(load.DataError) as caught:
        check_design(runs, SURFACE, 5, "chinchilla")
    assert load.row_list(np.flatnonzero(large) + 1) in str(caught.value)


def test_a_relation_of_three_is_fatal_to_products_alone():
    width, depth = 2.0 ** RNG.integers(4, 9, 12), RNG.integers(1, 9, 12).astype(float)
    runs = runs_of(width=width, depth=depth, n_params=12 * depth * width**2)
    names = ("width", "depth", "n_params")
    (note,) = check_design(runs, names, 5, "power_sum")
    assert "n_params = 12 x width^2 x depth in all 12 rows" in note
    with pytest.raises(load.DataError, match=r"n_params = 12 x width\^2 x depth"):
        check_design(runs, names, 4, "rate", log_linear=True)


def inflation(logs):
    """1 / (1 - R^2) of each column regressed on the others, by least squares."""
    found = []
    for k in range(logs.shape[1]):
        rest = np.column_stack([np.ones(len(logs)), np.delete(logs, k, axis=1)])
        residual = logs[:, k] - rest @ np.linalg.lstsq(rest, logs[:, k])[0]
        found.append(logs[:, k].var() / residual.var())
    return np.array(found)


@pytest.mark.parametrize("spread", [0.05, 0.3, 3.0, 6.0])
def test_near_collinearity_is_a_note_from_a_tenfold_variance_on(spread):
    tokens = 20 * N * np.exp(spread * np.random.default_rng(1).standard_normal(12))
    notes = check_design(runs_of(tokens=tokens), SURFACE, 5, "chinchilla")
    factor = inflation(np.log(np.column_stack([N, tokens]))).max()
    assert bool(notes) == (factor >= 10) == (spread < 1)
    if notes:
        assert f"about {np.sqrt(factor):.2g} times" in notes[0]
        assert f"R^2 of the logs {1 - 1 / factor:.4g}" in notes[0]


def test_of_three_the_one_that_follows_is_named():
    width = 10 ** RNG.uniform(2, 4, 12)
    tokens = N**0.7 * width**0.5 * np.exp(0.05 * RNG.standard_normal(12))
    (note,) = check_design(runs_of(tokens=tokens, width=width), ("n_params", "tokens", "width"), 7, "power_sum")
    assert note.startswith(("tokens nearly follows from n_params and width", "n_params nearly", "width nearly"))
    names = ("n_params", "tokens", "width")
    worst = names[int(inflation(np.log(np.column_stack([N, tokens, width]))).argmax())]
    assert note.startswith(worst)


def test_columns_with_zeros_are_checked_for_constancy_alone():
    sparsity = np.tile([0.0, 0.5, 0.75], 4)
    assert check_design(runs_of(sparsity=sparsity), ("n_params", "sparsity"), 5, "sparsity") == ()
    with pytest.raises(load.DataError, match=r"same sparsity, 0 \("):
        check_design(runs_of(sparsity=0 * sparsity), ("n_params", "sparsity"), 5, "sparsity")
