"""The solver against finite differences, exact recovery, an independent optimiser, and the published optimum."""

import numpy as np
import pytest
from known import chinchilla_points, isoflop_runs
from scipy import optimize

from analysis import laws, solver
from scaling_laws.config import ConfigError


def problem(law_name="chinchilla", noise=0.02, points=7):
    runs = isoflop_runs((1e18, 1e19, 1e20), 6, points=points, noise=noise)
    law = laws.get(law_name)
    return laws.design(law, {name: runs[name] for name in law.inputs}), np.log(runs["loss"])


@pytest.mark.parametrize("objective", [("huber", 0.01), ("mse", 1e-3), ("log_mse", 1e-3)])
@pytest.mark.parametrize("law_name", list(laws.LAWS))
def test_gradient_and_hessian_agree_with_central_differences(law_name, objective):
    points, y = problem(law_name)
    target, rng = solver.Objective(*objective), np.random.default_rng(1)
    n = len(points.law.parameters)
    theta = solver.starts(points, y)[[1, 3]] + 0.01 * rng.standard_normal((2, n))
    weights = rng.integers(0, 3, (2, len(y))).astype(float)
    _, gradient, hessian = solver.evaluate(points, y, target, theta, weights)
    step = 1e-5
    for k in range(n):
        plus = solver.evaluate(points, y, target, theta + step * np.eye(n)[k], weights)
        minus = solver.evaluate(points, y, target, theta - step * np.eye(n)[k], weights)
        assert (plus[0] - minus[0]) / (2 * step) == pytest.approx(gradient[:, k], rel=1e-5, abs=1e-7)
        np.testing.assert_allclose((plus[1] - minus[1]) / (2 * step), hessian[:, k], rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("objective", solver.OBJECTIVES)
def test_a_noiseless_surface_comes_back(objective):
    points, y = problem(noise=0.0)
    found = solver.solve(points, y, solver.Objective(objective))
    values = laws.natural(points.law, points.uncentre(found.theta))
    expected = {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28}
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-6), name


def test_kaplans_joint_law_comes_back():
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e5, 1e9, 6), np.geomspace(1e7, 1e11, 6)))
    loss = ((6.4e13 / n) ** (0.076 / 0.103) + 1.8e13 / d) ** 0.103
    points = laws.design(laws.get("kaplan"), {"n_params": n, "tokens": d})
    found = solver.solve(points, np.log(loss), solver.Objective("log_mse"))
    values = laws.natural(points.law, points.uncentre(found.theta))
    for name, value in {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103}.items():
        assert values[name] == pytest.approx(value, rel=1e-5), name


def test_non_negative_least_squares_agrees_with_scipy():
    x = np.random.default_rng(0).standard_normal((20, 12, 3)) + 0.3
    for ours, matrix in zip(solver.nonnegative(x), x, strict=True):
        assert ours == pytest.approx(optimize.nnls(matrix, np.ones(12))[0], abs=1e-8)


def test_an_independent_optimiser_finds_nothing_lower():
    points, y = problem()
    target = solver.Objective("huber", 1e-3)
    found = solver.solve(points, y, target)

    def value(theta):
        z = points.terms_KxNxP @ theta + points.offset_KxN
        residual = np.abs(np.logaddexp.reduce(z, axis=0) - y)
        return np.where(residual <= 1e-3, 0.5 * residual**2, 1e-3 * (residual - 0.5e-3)).sum()

    assert found.value == pytest.approx(value(found.theta), rel=1e-12)
    polished = optimize.minimize(value, found.theta, method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-16})
    assert polished.fun >= found.value * (1 - 1e-9)


def test_the_published_optimum_is_reached_or_beaten():
    runs = chinchilla_points()
    assert len(runs) == 240
    law = laws.get("chinchilla")
    points, y = laws.design(law, {name: runs[name] for name in law.inputs}), np.log(runs["loss"])
    found = solver.solve(points, y, solver.Objective())
    values = laws.natural(law, points.uncentre(found.theta))
    assert found.value <= 0.00101827403
    for name, value in {"alpha": 0.3473, "beta": 0.3672, "E": 1.8172}.items():
        assert values[name] == pytest.approx(value, abs=5e-4), name
    assert found.agreeing_fraction > 0.9
    assert found.gap_to_second is None or found.gap_to_second > 0
    assert found.gradient_norm < 1e-9


def test_squared_error_on_the_published_points():
    runs = chinchilla_points()
    law = laws.get("chinchilla")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    found = solver.solve(points, np.log(runs["loss"]), solver.Objective("mse"))
    values = laws.natural(law, points.uncentre(found.theta))
    assert found.value == pytest.approx(0.0832038077, rel=1e-8)
    for name, value in {"E": 1.8828136, "alpha": 0.3576151, "beta": 0.4276206}.items():
        assert values[name] == pytest.approx(value, rel=1e-5), name


def test_least_absolute_deviations_are_what_the_published_fit_was_in_effect():
    runs = chinchilla_points()
    law = laws.get("chinchilla")
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    found = solver.solve(points, np.log(runs["loss"]), solver.Objective("lad"))
    values = laws.natural(law, points.uncentre(found.theta))
    for name, value in {"E": 1.81686, "alpha": 0.3478, "beta": 0.3658}.items():
        assert values[name] == pytest.approx(value, abs=5e-4), name


def test_a_floor_that_is_not_there_stops_at_its_bound():
    c = np.geomspace(1e12, 1e18, 30)
    points = laws.design(laws.get("power_floor"), {"flops": c})
    found = solver.solve(
        points, np.log(50 * c**-0.05 * (1 - 1e-3 * np.linspace(0, 1, 30) ** 2)), solver.Objective("log_mse")
    )
    assert found.at_bound == ("E",)
    assert np.isfinite(found.value)


def test_a_whole_number_weight_is_a_repeated_point():
    runs = isoflop_runs((1e18, 1e19, 1e20), 6, points=5, noise=0.02)
    law, target = laws.get("chinchilla"), solver.Objective()
    weights = np.random.default_rng(3).integers(0, 3, len(runs))
    points, y = laws.design(law, {name: runs[name] for name in law.inputs}), np.log(runs["loss"])
    twice = np.repeat(np.arange(len(runs)), weights)
    repeated = laws.design(law, {name: runs[name][twice] for name in law.inputs})
    a = solver.solve(points, y, target, weights.astype(float))
    b = solver.solve(repeated, y[twice], target)
    assert a.value == pytest.approx(b.value, rel=1e-9)
    assert points.uncentre(a.theta) == pytest.approx(repeated.uncentre(b.theta), rel=1e-4)


@pytest.mark.parametrize("bad", [("hubert", 1e-3), ("huber", 0.0), ("huber", float("nan"))])
def test_objectives_that_do_not_exist_are_refused(bad):
    with pytest.raises(ConfigError, match="allowed"):
        solver.Objective(*bad)
