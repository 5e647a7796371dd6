"""The spread over choices: each variation is what a fit of its own finds, and only the data that differ move it."""

import numpy as np
import pytest
from known import isoflop_runs

from analysis import laws, sensitivity, solver
from analysis.fit import fit

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


def varied(runs, objective=("huber", 1e-3)):
    law = laws.get("chinchilla")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    task = solver.problem(points, np.log(runs["loss"]), solver.Objective(*objective))
    found = sensitivity.variations(task, solver.solve(task).theta, None, runs["flops"])
    return {one.name: one.coefficients for one in found}


def test_every_variation_is_a_fit_of_its_own():
    runs = isoflop_runs(BUDGETS, 6, points=8, noise=0.005)
    found = varied(runs)
    assert found["huber 0.001"]["alpha"] == pytest.approx(fit(runs).coefficients["alpha"], rel=1e-6)
    assert found["huber 0.01"]["beta"] == pytest.approx(fit(runs, delta=0.01).coefficients["beta"], rel=1e-6)
    assert found["mse"]["E"] == pytest.approx(fit(runs, objective="mse").coefficients["E"], rel=1e-6)
    highest = np.argsort(runs["loss"])[-2:]
    rest = runs.select(~np.isin(np.arange(40), highest), "highest")
    own = fit(rest)
    assert found["without the 2 highest losses"]["alpha"] == pytest.approx(own.coefficients["alpha"], rel=1e-6)
    assert found["without the 2 highest losses"]["a"] == pytest.approx(own.frontier.a, rel=1e-6)
    assert len(found) == 9


def test_noiseless_runs_have_no_spread():
    found = varied(isoflop_runs(BUDGETS, 6, points=8), ("log_mse", 1e-3))
    for low, high in sensitivity.spread(tuple(sensitivity.Variation(*item) for item in found.items())).values():
        assert high == pytest.approx(low, rel=1e-5)


def test_one_bad_run_moves_squared_error_most():
    runs = isoflop_runs(BUDGETS, 6, points=8, noise=0.002)
    loss = np.array(runs["loss"])
    loss[-1] *= 1.2
    found, true = varied(runs.with_columns(loss=loss)), 0.28 / 0.62
    assert abs(found["mse"]["a"] - true) > 3 * abs(found["huber 0.001"]["a"] - true)
    assert found["without the 2 largest residuals"]["a"] == pytest.approx(true, abs=0.01)
