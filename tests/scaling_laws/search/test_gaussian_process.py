"""The Gaussian process against closed forms, SciPy's normal density, quadrature and a known function."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from scaling_laws.search.gaussian_process import GaussianProcess, expected_improvement, fit, kernel, log_evidence


def points(count, coordinates=2, seed=0):
    return np.random.default_rng(seed).random((count, coordinates))


def test_the_kernel_is_the_general_matern_with_order_five_halves():
    x, scales = points(6), np.array([0.3, 0.7])
    r = np.sqrt((((x[:, None] - x[None]) / scales) ** 2).sum(-1))
    t = np.sqrt(5) * np.where(r == 0, 1, r)
    general = 2 ** (1 - 2.5) / special.gamma(2.5) * t**2.5 * special.kv(2.5, t)
    np.testing.assert_allclose(kernel(x, x, scales, 1.7), 1.7 * np.where(r == 0, 1, general), rtol=1e-10)


def test_evidence_is_the_normal_density():
    x, y, scales = points(7), np.random.default_rng(1).normal(size=7), np.array([0.3, 0.7])
    covariance = kernel(x, x, scales, 1.7) + 0.1 * np.eye(7)
    expected = stats.multivariate_normal(np.zeros(7), covariance).logpdf(y)
    assert log_evidence(x, y, scales, 1.7, 0.1)[0] == pytest.approx(expected, rel=1e-8)


def test_slopes_of_the_evidence_are_finite_differences():
    x, y, theta = points(7), np.random.default_rng(1).normal(size=7), np.log([0.3, 0.7, 1.7, 0.1])

    def value(theta):
        scales, (signal, noise) = np.exp(theta[:2]), np.exp(theta[2:])
        return log_evidence(x, y, scales, signal, noise)

    steps = 1e-5 * np.eye(4)
    expected = [(value(theta + step)[0] - value(theta - step)[0]) / 2e-5 for step in steps]
    np.testing.assert_allclose(value(theta)[1], expected, rtol=1e-5)


def test_posterior_is_the_conditional_normal():
    x, y, new = points(5), np.random.default_rng(1).normal(size=5), points(3, seed=2)
    process = GaussianProcess(x, y, np.array([0.4, 0.6]), 2.0, 0.05, mean=0.3)
    joint = kernel(np.concatenate([x, new]), np.concatenate([x, new]), process.scales_P, 2.0)
    gain = joint[5:, :5] @ np.linalg.inv(joint[:5, :5] + 0.05 * np.eye(5))
    mean, deviation = process.predict(new)
    np.testing.assert_allclose(mean, 0.3 + gain @ (y - 0.3), rtol=1e-8)
    np.testing.assert_allclose(deviation**2, np.diag(joint[5:, 5:] - gain @ joint[:5, 5:]), rtol=1e-6)


def test_one_point_by_hand():
    process = GaussianProcess(np.zeros((1, 1)), np.array([2.0]), np.ones(1), 3.0, 1.0, mean=0.0)
    mean, deviation = process.predict(np.zeros((1, 1)))
    assert mean[0] == pytest.approx(2.0 * 3 / 4)
    assert deviation[0] ** 2 == pytest.approx(3 - 9 / 4)


def test_further_values_count_like_those_of_the_fit():
    x, y = points(6), np.random.default_rng(1).normal(size=6)
    whole = GaussianProcess(x, y, np.array([0.4, 0.6]), 2.0, 0.05, 0.0)
    grown = GaussianProcess(x[:4], y[:4], np.array([0.4, 0.6]), 2.0, 0.05, 0.0).with_values(x[4:], y[4:])
    np.testing.assert_allclose(grown.predict(points(3, seed=5)), whole.predict(points(3, seed=5)))


@pytest.mark.parametrize("mean, deviation, best", [(0.0, 1.0, 0.0), (1.0, 0.5, 0.2), (-1.0, 2.0, 0.3)])
def test_expected_improvement_is_the_integral(mean, deviation, best):
    expected, _ = integrate.quad(lambda f: (best - f) * stats.norm(mean, deviation).pdf(f), mean - 12 * deviation, best)
    found = expected_improvement(np.array([mean]), np.array([deviation]), best)
    assert found[0] == pytest.approx(expected, rel=1e-6)


def test_the_fit_finds_which_coordinate_matters():
    x = points(30, seed=3)
    y = 100 + 20 * np.sin(6 * x[:, 0])  # any unit; the second coordinate does nothing
    process = fit(x, y)
    assert process.scales_P[1] > 3 * process.scales_P[0]
    new = points(20, seed=4)
    mean, _ = process.predict(new)
    np.testing.assert_allclose(mean, 100 + 20 * np.sin(6 * new[:, 0]), atol=2.0)


def test_the_fit_tells_noise_from_the_function():
    rng = np.random.default_rng(0)
    x = rng.random((60, 1))
    process = fit(x, x[:, 0] + rng.normal(size=60) * 0.1)
    assert np.sqrt(process.noise) == pytest.approx(0.1, rel=0.35)


def test_equal_values_are_no_trouble():
    mean, deviation = fit(points(4), np.full(4, 2.5)).predict(points(2, seed=1))
    np.testing.assert_allclose(mean, 2.5)
    assert np.all(np.isfinite(deviation))


def test_improvement_is_taken_where_a_quadratic_is_lowest():
    x = np.linspace(0, 1, 8)[:, None]
    process = fit(x, (x[:, 0] - 0.63) ** 2)
    grid = np.linspace(0, 1, 201)[:, None]
    gain = expected_improvement(*process.predict(grid), process.predict(x)[0].min())
    assert grid[gain.argmax(), 0] == pytest.approx(0.63, abs=0.03)


def test_another_unit_of_the_values_scales_the_answer():
    x, new = points(12), points(4, seed=9)
    y = np.sin(4 * x[:, 0]) + x[:, 1]
    mean, deviation = fit(x, y).predict(new)
    scaled = fit(x, 7 + 50 * y)
    np.testing.assert_allclose(scaled.predict(new), [7 + 50 * mean, 50 * deviation], rtol=1e-4)
    assert scaled.noise == pytest.approx(2500 * fit(x, y).noise, rel=1e-3)
