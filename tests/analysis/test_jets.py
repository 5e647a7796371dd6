"""Taylor arithmetic against central differences of the same formula in plain numbers."""

import numpy as np
import pytest

from analysis.laws import jets
from analysis.laws.curves import log_share

CASES = {
    "product": lambda a, b: a * b - 2.0 * a,
    "quotient": lambda a, b: (3.0 - a) / (b + 1.0) + 1.0 / a,
    "exp_log": lambda a, b: jets.exp(a * 0.5) + jets.log(a + b),
    "softplus": lambda a, b: jets.softplus(a * b - 1.0),
    "log1mexp": lambda a, b: jets.log1mexp(a + b * b),
    "minimum": lambda a, b: jets.minimum(a * b, np.array([[0.5, 50.0]])) * b,
    "implicit": lambda a, b: log_share(a - 2.0 * b, b),
}


def at(case, theta):
    return CASES[case](*jets.linear(theta, np.eye(2)))


@pytest.mark.parametrize("case", list(CASES))
def test_first_and_second_derivatives(case):
    theta = np.array([[0.7, 1.3], [2.1, 0.4]])
    found, step = at(case, theta), 1e-5
    for k, direction in enumerate(step * np.eye(2)):
        plus, minus = at(case, theta + direction), at(case, theta - direction)
        assert (plus.value - minus.value) / (2 * step) == pytest.approx(found.gradient[..., k], rel=1e-7, abs=1e-9)
        bend = (plus.gradient - minus.gradient) / (2 * step)
        assert bend == pytest.approx(np.broadcast_to(found.hessian[..., k], bend.shape), rel=1e-6, abs=1e-8)


def test_an_array_on_the_left_makes_a_jet():
    (x,) = jets.linear(np.array([[2.0]]), np.eye(1))
    assert isinstance(np.array([1.0, 2.0]) * x, jets.Jet)
    assert (np.array([1.0, 2.0]) - x).value == pytest.approx(np.array([[-1.0, 0.0]]))


@pytest.mark.parametrize("a", [1e-3, 0.3, 1.0, 7.0])
def test_the_share_solves_its_equation(a):
    u = np.array([[-40.0, -3.0, 0.0, 2.0, 30.0]])
    zero = np.zeros((1, 1, 1, 1))
    shares = np.exp(log_share(jets.Jet(u, zero[0], zero), jets.Jet(np.full((1, 1), a), zero[0], zero)).value)
    below = shares < 1 - 1e-9
    assert (np.log(shares) - a * np.log1p(-np.minimum(shares, 1 - 1e-12)))[below] == pytest.approx(u[below], abs=1e-6)
