"""What designs cost, against sums by hand, and even grids within their budget."""

import numpy as np
import pytest

from analysis.design import Candidates, Costs
from analysis.design.candidates import Extent, Shape, grid
from analysis.design.even import even_grid, lattice
from analysis.load import DataError

TWO = Candidates((Shape(10, 60.0), Shape(20, 120.0)), np.array([0, 0, 0, 1, 1]), np.array([1.0, 2, 4, 1, 2]))


def test_by_themselves_runs_cost_their_flops():
    assert Costs(TWO).total(np.array([1, 0, 2, 1, 1])) == 60 + 2 * 240 + 120 + 240


def test_branches_cost_their_cooldown_beyond_the_longest():
    costs = Costs(TWO, cooldown=0.2)
    counts = np.array([2, 1, 1, 0, 2])
    # shape 0: seed 0 has D 1, 2, 4: (.8 x 4 + .2 x 7) 60; seed 1 has D 1: 60. Shape 1: two of D 2
    assert costs.total(counts) == pytest.approx((0.8 * 4 + 0.2 * 7) * 60 + 60 + 2 * 240)


@pytest.mark.parametrize("cooldown", [None, 0.2])
def test_the_next_run_costs_the_difference(cooldown):
    costs = Costs(TWO, cooldown)
    for counts in np.random.default_rng(0).integers(0, 3, (20, 5)):
        more = [costs.total(counts + one) - costs.total(counts) for one in np.eye(5, dtype=int)]
        assert costs.of_next(counts) == pytest.approx(more)


def test_candidates_stay_in_their_extent_and_take_whole_steps():
    extent = Extent((1e5, 1e7), (1.0, 100.0), 6e11)
    found = grid([Shape(float(n), 6.0 * n) for n in (1e4, 1e5, 1e6)], extent, batch_tokens=512)
    assert (found.flops_J <= 6e11).all()
    assert (found.tokens_J % 512 == 0).all()
    assert (found.steps_J * 512 == found.tokens_J).all()
    ratio = found.tokens_J / found.n_params_J
    assert ratio.min() >= 1
    assert ratio.max() <= 100
    with pytest.raises(DataError, match="allowed: --max_flops of"):
        grid([Shape(1e6, 6e6)], Extent((1e5, 1e7), (1.0, 100.0), 1e9))


@pytest.mark.parametrize("cooldown", [None, 0.2])
@pytest.mark.parametrize("budget", [3e12, 1e13, 1e14])
def test_an_even_grid_spends_its_budget(cooldown, budget):
    extent = Extent((1e5, 1e7), (1.0, 100.0), 1e12)
    shapes = [Shape(n, 6 * n) for n in np.geomspace(1e4, 1e6, 12).round().tolist()]
    costs = Costs(grid(shapes, extent), cooldown)
    counts = even_grid(costs, budget)
    assert 0.97 * budget < costs.total(counts) <= budget
    assert np.ptp(counts[counts > 0]) <= 1


def test_a_lattice_is_even_in_both_directions():
    shapes = [Shape(n, 6 * n) for n in np.geomspace(1e4, 1e6, 9).round().tolist()]
    candidates = grid(shapes, Extent((1e5, 1e7), (1e-9, 1e9), 1e99), levels=13)
    rows = np.flatnonzero(lattice(candidates, 5))
    assert len(rows) == 25
    for values in (candidates.n_params_J[rows], candidates.tokens_J[rows]):
        assert np.diff(np.log(np.unique(values))) == pytest.approx(np.full(4, np.log(100) / 4), rel=1e-3)
