"""Runs by budget, and what a slope over their range may be called."""

import numpy as np
import pytest

from analysis import budgets
from analysis.load import Runs

STATED = np.array([1e10, 3e10, 1e11, 3e11, 1e12])


def runs_of(**columns):
    return Runs({name: np.asarray(values) for name, values in columns.items()})


def test_two_decades_and_five_budgets_make_an_exponent():
    assert budgets.slope_name(np.array([1e10, 1e12])) == "exponent"
    assert budgets.slope_name(np.array([1e10, 9e11])) == "local slope"
    assert budgets.slope_name(np.array([1e10, 1e12]), count=4) == "local slope"
    assert budgets.slope_name(np.array([])) == "local slope"


def test_stated_budgets_count_though_runs_end_a_step_short_of_them():
    spent = STATED * [1, 1, 1, 1, 0.97]
    assert budgets.slope_over(runs_of(flops=spent)) == "local slope"
    assert budgets.slope_over(runs_of(flops=spent, budget=STATED)) == "exponent"
    assert budgets.slope_over(runs_of(flops=spent[1:], budget=[1e10, 3e10, 3e11, 1e12])) == "local slope"
    assert budgets.slope_over(runs_of(flops=STATED, budget=[np.nan, *STATED[1:]])) == "exponent"  # read off C alone


@pytest.mark.parametrize("stated", [True, False])
def test_runs_are_grouped_by_their_budget_or_by_their_c(stated):
    flops = np.array([1e12, 1.02e10, 9.7e11, 1e10, 5e10])
    columns = {"budget": [1e12, 1e10, 1e12, 1e10, 5e10]} if stated else {}
    runs = runs_of(flops=flops, n_params=[10, 20, 30, 20, 40], **columns)
    labels, found = budgets.budget_groups(runs)
    assert labels.tolist() == [2, 0, 2, 0, 1]
    np.testing.assert_allclose(found, [1e10, 5e10, 1e12], rtol=0.02)
    ((budget, rows),) = budgets.shared_budgets(runs)  # the other budgets have one size each
    assert budget == pytest.approx(1e12, rel=0.02)
    assert rows.tolist() == [0, 2]


def test_a_chain_of_runs_over_a_decade_is_not_one_budget():
    rng = np.random.default_rng(0)
    dense = [c * np.exp(rng.uniform(-0.03, 0.03, 12)) for c in (1e18, 2e18, 4e18, 8e18)]
    between = np.geomspace(1e18, 8e18, 31)  # a run every 7 %: no gap anywhere
    flops = rng.permutation(np.concatenate([*dense, between]))
    labels, found = budgets.budget_groups(runs_of(flops=flops))
    for c, part in zip((1e18, 2e18, 4e18, 8e18), dense, strict=True):
        own = np.unique(labels[np.isin(flops, part)])
        assert len(own) == 1
        assert found[own[0]] == pytest.approx(c, rel=0.05)
    for k in range(len(found)):
        assert np.ptp(np.log(flops[labels == k])) < 2.5 * budgets.SAME_BUDGET
    assert np.all(np.diff(found) > 0)
    together = budgets.budget_groups(runs_of(flops=np.geomspace(1e18, 1.45e18, 9)))[1]
    assert len(together) == 1  # narrower chains stay whole


def test_a_budget_of_text_is_no_budget():
    assert budgets.known_budgets(runs_of(flops=[1.0, 2.0], budget=["small", "large"])) is None
    assert budgets.known_budgets(runs_of(flops=[1.0, 2.0])) is None


def test_along_a_budget_its_product_is_kept():
    n = np.array([1e4, 2e4, 5e4])
    grid, tokens = budgets.along_budget(runs_of(n_params=n, tokens=1e10 / n), np.array([0, 2]), 5)
    assert (grid[0], grid[-1]) == pytest.approx((1e4, 5e4))
    assert grid * tokens == pytest.approx(1e10)
