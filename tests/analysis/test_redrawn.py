"""Refits to other losses at the same points against fits of those losses from the beginning."""

import numpy as np
import pytest
from known import isoflop_runs

from analysis.fit import fit
from analysis.load import DataError, runs_from

BUDGETS = (1e18, 1e19, 1e20)


@pytest.mark.parametrize("objective", ["log_mse", "huber", "lad"])
def test_each_refit_is_the_fit_of_its_own_losses(objective):
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.003)
    runs = runs.with_columns(se=runs["loss"] * np.linspace(0.001, 0.003, len(runs)))
    drawn = np.log(runs["loss"]) + 0.002 * np.random.default_rng(0).standard_normal((3, len(runs)))
    settings = {"objective": objective, "weights": "se"}
    found = fit(runs, **settings).refitted(runs, drawn)
    for k, losses in enumerate(drawn):
        # the weights are inverse squares of se / loss, and stay as they were
        again = runs.with_columns(loss=np.exp(losses), se=runs["se"] * np.exp(losses) / runs["loss"])
        expected = fit(again, **settings)
        for name in ("alpha", "beta", "E"):
            assert found[name][k] == pytest.approx(expected.coefficients[name], rel=1e-4), name


def test_each_reweighted_fit_is_the_fit_of_the_runs_that_count():
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.003)
    counts = np.random.default_rng(0).integers(0, 3, (3, len(runs)))
    found = fit(runs).reweighted(runs, counts)
    for k, times in enumerate(counts):
        drawn = runs_from({name: np.repeat(values, times) for name, values in runs.columns.items()})
        expected = fit(drawn)
        for name in ("alpha", "beta", "E"):
            assert found[name][k] == pytest.approx(expected.coefficients[name], rel=1e-4), name


def test_other_runs_are_refused():
    runs, others = isoflop_runs(BUDGETS, 6, points=6, noise=0.003), isoflop_runs(BUDGETS, 6, points=5)
    found = fit(runs, objective="log_mse")
    for again in (found.refitted, found.reweighted):
        with pytest.raises(DataError, match="allowed: the runs of the fit"):
            again(others, np.zeros((1, 15)))
