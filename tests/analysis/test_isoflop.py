"""Approach 2 against its known bias, the published points, and grids whose minimum is not inside."""

import numpy as np
import pytest
from known import chinchilla_points, isoflop_runs

from analysis import frontier, isoflop
from analysis.load import DataError, runs_from
from analysis.published import HOFFMANN_2022
from scaling_laws.config import ConfigError

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


def exact():
    return frontier.Frontier(
        frontier.surface_coefficients("chinchilla", HOFFMANN_2022.coefficients), frontier.Compute()
    )


@pytest.mark.parametrize(("half_width", "bias"), [(2, 0.00142), (4, 0.00569), (8, 0.01279), (16, 0.02273)])
def test_the_parabola_has_its_known_bias_and_the_exact_slope(half_width, bias):
    found = isoflop.isoflop(isoflop_runs(BUDGETS, half_width))
    for group in found.groups:
        assert not group.edge
        assert np.log10(group.n_opt / exact().n_opt(group.budget)) == pytest.approx(bias, abs=6e-6)
    assert found.a == pytest.approx(exact().a, abs=1e-9)
    assert found.b == pytest.approx(1 - exact().a, abs=1e-9)
    assert found.n_opt(3e19) * found.d_opt(3e19) * 6 == pytest.approx(3e19)
    assert found.name == "exponent"


def test_a_minimum_outside_or_at_the_edge_of_the_sizes_is_dropped_by_name():
    inside = isoflop_runs(BUDGETS[:3], 4)
    above = isoflop_runs(BUDGETS[3:4], 3, center=1 / 5)
    below = isoflop_runs(BUDGETS[4:], 3, center=5)
    runs = runs_from({name: np.concatenate([r[name] for r in (inside, above, below)]) for name in inside.columns})
    found = isoflop.isoflop(runs)
    assert [group.edge for group in found.groups] == [False] * 3 + [True] * 2
    assert "largest" in found.groups[3].reason
    assert "smallest" in found.groups[4].reason
    assert len(found.notes) == 2
    assert "1e+21" in found.notes[0]
    assert found.a == pytest.approx(exact().a, abs=1e-9)
    assert found.name == "exponent" if len(list(isoflop.interior(found))) >= 5 else "local slope"


def test_a_measured_minimum_at_the_edge_is_dropped_though_the_parabola_turns_inside():
    n = np.geomspace(1e6, 1e7, 5)
    loss = np.array([3.0, 3.2, 3.1, 3.3, 3.9])
    columns = {"n_params": n, "tokens": 1e15 / n, "flops": np.full(5, 6e15), "loss": loss}
    group = isoflop.isoflop(runs_from(columns)).groups[0]
    assert n[0] < group.n_opt < n[-1]
    assert group.edge
    assert "lowest loss is at the smallest" in group.reason


def test_a_curve_that_opens_downwards_is_dropped():
    n = np.geomspace(1e6, 1e7, 5)
    columns = {"n_params": n, "tokens": 1e15 / n, "flops": np.full(5, 6e15), "loss": 3 - np.log(n / 3e6) ** 2 / 9}
    assert "opens downwards" in isoflop.isoflop(runs_from(columns)).groups[0].reason


def test_seeds_are_points_of_their_own_and_parabolas_agree_with_polyfit():
    runs = isoflop_runs(BUDGETS, 4, points=6, noise=0.01)
    again = isoflop_runs(BUDGETS, 4, points=6, noise=0.01, seed=1)
    both = runs_from({name: np.concatenate([runs[name], again[name]]) for name in runs.columns})
    for group in isoflop.isoflop(both).groups:
        assert len(group.loss) == 12
        fitted = np.polyfit(np.log(group.n_params) - group.center, group.loss, 2)[::-1]
        assert group.parabola == pytest.approx(tuple(fitted), rel=1e-8)


def test_intervals_resample_runs_within_budgets():
    truth = exact().a
    hits = 0
    for seed in range(30):
        runs = isoflop_runs(BUDGETS, 6, points=9, noise=0.003, seed=seed)
        low, high = isoflop.isoflop(runs, bootstrap=200, seed=seed).a_interval
        hits += low <= truth <= high
    assert 21 <= hits <= 30  # 90 % nominal; small resamples cover a little less


def test_the_published_points_give_the_published_slope():
    found = isoflop.isoflop(chinchilla_points(), bootstrap=100)
    assert found.a == pytest.approx(0.49, abs=0.02)
    assert found.a_interval[0] < 0.49 < found.a_interval[1]
    assert len(list(isoflop.interior(found))) >= 6


def test_bad_input_is_one_line():
    runs = isoflop_runs(BUDGETS, 4, points=3)
    with pytest.raises(DataError, match="no budget has 4 sizes"):
        isoflop.isoflop(runs)
    with pytest.raises(ConfigError, match="did you mean parabola"):
        isoflop.isoflop(runs, method="parabole")
