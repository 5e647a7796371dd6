"""Exponents against the terms they balance, spectra against the laws that theory gives for them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaling_laws.config import ConfigError
from scaling_laws.theory import one_pass, power_law_features


@pytest.mark.parametrize(
    "alpha, beta, phase, loss, size",
    [
        (1, 0.25, "Ia", 1 / 2, 1 / 3),
        (0.8, 0.3, "Ia", 1.2 / 2.6, 1 / 2.6),
        (1, 0.7, "II", 2.4 / 3.4, 0.7 / 1.7),
        (1, 1.3, "III", 3 / 4, 1 / 2),
    ],
)
def test_exponents_at_known_points(alpha, beta, phase, loss, size):
    found = power_law_features.compute_optimal(alpha, beta)
    assert (found.phase, found.loss, found.size) == (phase, pytest.approx(loss), pytest.approx(size))


def balanced(alpha, beta):
    """Loss and size exponents of the least sum, over d, of the terms of the risk at r = f/d: their greatest at each d,
    in logarithms, the base of which is f. Phase by phase of the paper's loss description."""
    size = np.linspace(0, 1, 20001)
    r = 1 - size
    capacity = -size * (2 * alpha + min(0, 2 * beta - 1))
    population = -r * (2 * alpha + 2 * beta - 1) / (2 * alpha)
    terms = [capacity, population]
    if beta > 0.5:  # embedding's distortion of the features
        terms.append(-size - r * (1 - 1 / (2 * alpha)))
    if beta > alpha:  # noise of SGD
        terms.append(-r * (2 - 1 / (2 * alpha)))
    greatest = np.max(terms, axis=0)
    best = np.argmin(greatest)
    return -greatest[best], size[best]


@given(st.floats(0.55, 3), st.floats(0.05, 4))
def test_exponents_balance_the_terms_of_the_risk(alpha, beta):
    found = power_law_features.compute_optimal(alpha, beta)
    loss, size = balanced(alpha, beta)
    assert found.loss == pytest.approx(loss, abs=1e-3)
    assert found.size == pytest.approx(size, abs=1e-3)


@pytest.mark.parametrize("alpha, beta, name", [(0.5, 1, "alpha"), (0.3, 1, "alpha"), (1, 0, "beta"), (1, -1, "beta")])
def test_exponents_without_a_theory_are_refused(alpha, beta, name):
    with pytest.raises(ConfigError, match=rf"task.{name}: .*; allowed: more than"):
        power_law_features.compute_optimal(alpha, beta)
    with pytest.raises(ConfigError, match=rf"task.{name}"):
        power_law_features.spectrum(alpha, beta, 8, 0, 64)


@pytest.mark.parametrize("alpha, beta, exponent", [(1, 0.25, 1.5), (1, 0.7, 2), (0.8, 0.3, 1.2)])
def test_least_loss_falls_with_the_width_as_theory_says(alpha, beta, exponent):
    widths = np.array([32, 64, 128, 256])
    least = [
        np.mean([np.log(power_law_features.spectrum(alpha, beta, int(d), seed, 2048).residual) for seed in range(4)])
        for d in widths
    ]
    assert -np.polyfit(np.log(widths), least, 1)[0] == pytest.approx(exponent, abs=0.15)


def test_variances_and_total_are_those_of_the_infinite_sums():
    view = power_law_features.spectrum(1, 0.25, 128, 0, 1024)
    assert view.eigenvalues.sum() == pytest.approx(np.pi**2 / 6, rel=0.2)  # W has rows of length about 1
    from scipy.special import zeta

    assert view.risk(np.zeros(128)) == pytest.approx(zeta(2.5), rel=1e-9)
    assert view.eigenvalues[40] == pytest.approx(41**-2.0, rel=0.35)


def test_longer_w_changes_the_risk_little_for_the_tail_is_there_already():
    risks = []
    for coordinates in (1024, 8192):
        seeds = [power_law_features.spectrum(1, 0.7, 64, seed, coordinates) for seed in range(8)]
        risks.append(np.mean([np.log(one_pass.expected_risk(view, 0.1, 1, [300, 10000])) for view in seeds], axis=0))
    assert risks[0] == pytest.approx(risks[1], abs=0.25)  # other draws of W
