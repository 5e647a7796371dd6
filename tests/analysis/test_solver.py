"""The solver against finite differences, exact recovery, an independent optimiser, and the published optimum."""

import numpy as np
import pytest
import truths
from known import isoflop_runs
from scipy import optimize

from analysis import laws, solver
from analysis.load import runs_from
from analysis.solver.starts import combinations, nonnegative
from scaling_laws.config import ConfigError

HUBER = solver.Objective()


def problem(law_name="chinchilla", noise=0.02, points=7, objective=("huber", 1e-3)):
    runs = isoflop_runs((1e18, 1e19, 1e20), 6, points=points, noise=noise)
    return posed(runs, law_name, solver.Objective(*objective))


def posed(runs, law_name="chinchilla", objective=HUBER):
    law = laws.get(law_name)
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    return solver.problem(points, np.log(runs["loss"]), objective)


def coefficients(task, theta):
    return laws.natural(task.points.law, task.points.uncentre(theta))


@pytest.mark.parametrize("objective", [("huber", 0.01), ("mse", 1e-3), ("log_mse", 1e-3), ("log1p_mse", 1e-3)])
@pytest.mark.parametrize("law_name", list(laws.LAWS))
def test_gradient_and_hessian_agree_with_central_differences(law_name, objective):
    law, rng, x = laws.get(law_name), np.random.default_rng(1), truths.inputs(points=12)
    points = laws.design(law, x)
    y = np.log(truths.value(law_name, truths.COEFFICIENTS[law_name], x)) + 0.02 * rng.standard_normal(12)
    task = solver.problem(points, y, solver.Objective(*objective))
    n = len(law.parameters)
    theta = points.centre(laws.parameters_of(law, truths.COEFFICIENTS[law_name])) * (1 + 0.002 * rng.random((2, n)))
    weights = rng.integers(0, 3, (2, len(y))).astype(float)
    _, gradient, hessian = task.evaluate(theta, weights)
    step = 1e-6  # few residuals cross a corner
    for k in range(n):
        plus = task.evaluate(theta + step * np.eye(n)[k], weights)
        minus = task.evaluate(theta - step * np.eye(n)[k], weights)
        scale = np.abs(gradient).max()
        assert (plus[0] - minus[0]) / (2 * step) == pytest.approx(gradient[:, k], rel=1e-4, abs=1e-6 * scale)
        bends, scale = (plus[1] - minus[1]) / (2 * step), np.abs(hessian).max()
        np.testing.assert_allclose(bends, hessian[:, k], rtol=2e-3, atol=1e-5 * scale)


@pytest.mark.parametrize("objective", solver.OBJECTIVES)
def test_a_noiseless_surface_comes_back(objective):
    task = problem(noise=0.0, objective=(objective, 1e-3))
    values = coefficients(task, solver.solve(task).theta)
    expected = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-6), name


def test_non_negative_least_squares_agrees_with_scipy():
    x = np.random.default_rng(0).standard_normal((20, 12, 3)) + 0.3
    for ours, matrix in zip(nonnegative(x), x, strict=True):
        assert ours == pytest.approx(optimize.nnls(matrix, np.ones(12))[0], abs=1e-8)


def test_an_independent_optimiser_finds_nothing_lower():
    task = problem()
    found = solver.solve(task)

    def value(theta):
        z = task.points.slopes_KxNxP @ theta + task.points.offset_KxN
        residual = np.abs(np.logaddexp.reduce(z, axis=0) - task.y_N)
        return np.where(residual <= 1e-3, 0.5 * residual**2, 1e-3 * (residual - 0.5e-3)).sum()

    assert found.value == pytest.approx(value(found.theta), rel=1e-12)
    polished = optimize.minimize(value, found.theta, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-16})
    assert polished.fun >= found.value * (1 - 1e-9)


def test_a_floor_that_is_not_there_stops_at_its_bound():
    c = np.geomspace(1e12, 1e18, 30)
    points = laws.design(laws.get("power_floor"), {"flops": c})
    y = np.log(50 * c**-0.05 * (1 - 1e-3 * np.linspace(0, 1, 30) ** 2))
    found = solver.solve(solver.problem(points, y, solver.Objective("log_mse")))
    assert found.at_bound == ("E",)
    assert np.isfinite(found.value)


def test_a_whole_number_weight_is_a_repeated_point():
    runs = isoflop_runs((1e18, 1e19, 1e20), 6, points=5, noise=0.02)
    weights = np.random.default_rng(3).integers(0, 3, len(runs))
    task, repeated = posed(runs), posed(runs_from({name: runs[name].repeat(weights) for name in runs.columns}))
    a, b = solver.solve(task, weights.astype(float)), solver.solve(repeated)
    assert a.value == pytest.approx(b.value, rel=1e-9)
    assert task.points.uncentre(a.theta) == pytest.approx(repeated.points.uncentre(b.theta), rel=1e-4)


def test_fixed_parameters_stay_and_the_others_are_optimal_beside_them():
    runs = isoflop_runs((1e18, 1e19, 1e20), 6, noise=0.01)
    law = laws.get("chinchilla")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    y = np.log(runs["loss"])
    task = solver.problem(points, y, solver.Objective("log_mse"), {"alpha": 0.3, "E": np.log(1.6)})
    found = solver.solve(task)
    values = coefficients(task, found.theta)
    assert (float(values["alpha"]), float(values["E"])) == pytest.approx((0.3, 1.6))
    assert found.at_bound == ()

    def value(free):
        log_a, log_b, beta = free
        loss = 1.6 + np.exp(log_a) * runs["n_params"] ** -0.3 + np.exp(log_b) * runs["tokens"] ** -beta
        return ((np.log(loss) - y) ** 2).sum()

    start = [np.log(values["A"]), np.log(values["B"]), values["beta"]]
    polished = optimize.minimize(value, start, method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-18})
    assert polished.fun >= found.value * (1 - 1e-9)
    assert value(start) == pytest.approx(found.value, rel=1e-9)


def test_many_dimensions_start_from_an_even_sequence():
    axes = [np.array([0.0, 1.0])] * 5
    starts = combinations(axes, 256)
    assert starts.shape == (256, 5)
    assert starts.mean(axis=0) == pytest.approx(0.5, abs=0.02)
    corners = (starts > 0.5) @ (2 ** np.arange(5))
    assert np.bincount(corners, minlength=32).min() >= 4  # 8 expected in each


@pytest.mark.parametrize("bad", [("hubert", 1e-3), ("huber", 0.0), ("huber", float("nan"))])
def test_objectives_that_do_not_exist_are_refused(bad):
    with pytest.raises(ConfigError, match="allowed"):
        solver.Objective(*bad)
