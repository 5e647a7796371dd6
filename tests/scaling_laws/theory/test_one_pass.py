"""The exact risk of SGD against the recursion step by step, and against SGD itself in all coordinates and in few."""

import numpy as np
import pytest

from scaling_laws.config import ConfigError
from scaling_laws.theory import gaussian_features, one_pass

V, D = 30, 4
VARIANCE, TARGET = np.arange(1, V + 1) ** -2.0, np.arange(1, V + 1) ** -0.3
W = gaussian_features.projection(D, 1, V)
VIEW = gaussian_features.spectrum(W, VARIANCE, TARGET)


def stepped(view, rate, batch, steps):
    """The recursion as it stands in the docstring."""
    lam, m, g = view.eigenvalues, view.teacher**2, 2 * rate
    for _ in range(steps):
        risk = lam @ m + view.residual
        m = m * ((1 - g * lam) ** 2 + g**2 * lam**2 / batch) + g**2 / batch * lam * risk
    return lam @ m + view.residual


def simulated(draw, width, rate, batch, steps, runs, rng):
    """Parameters (runs, width) after SGD on the mean squared error of batches from `draw`: features and targets."""
    theta = np.zeros((runs, width))
    for _ in range(steps):
        features, targets = draw(rng, runs * batch)
        features, targets = features.reshape(runs, batch, width), targets.reshape(runs, batch)
        errors = targets - np.einsum("rbd,rd->rb", features, theta)
        theta -= rate * -2 * np.einsum("rb,rbd->rd", errors, features) / batch
    return theta


def in_all_coordinates(rng, n):
    x = rng.standard_normal((n, V)) * np.sqrt(VARIANCE)
    return x @ W, x @ TARGET


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("steps", [0, 1, 2, 17, 300])
def test_closed_form_is_the_recursion(batch, steps):
    rate = 0.4 * one_pass.largest_rate(VIEW, batch)
    assert one_pass.expected_risk(VIEW, rate, batch, [steps])[0] == pytest.approx(
        stepped(VIEW, rate, batch, steps), 1e-9
    )


@pytest.mark.parametrize("batch, rate", [(1, 0.1), (4, 0.2)])
@pytest.mark.parametrize("steps", [2, 40])
def test_mean_risk_of_simulated_sgd_is_the_expected_one(batch, rate, steps):
    rng = np.random.default_rng(steps)
    expected = one_pass.expected_risk(VIEW, rate, batch, [steps])[0]
    projected = VARIANCE[:, None] * W
    total = VARIANCE @ TARGET**2
    theta = simulated(in_all_coordinates, D, rate, batch, steps, 4000, rng)
    there = total - 2 * theta @ (projected.T @ TARGET) + np.einsum("ri,ij,rj->r", theta, W.T @ projected, theta)
    here = VIEW.risk(simulated(VIEW.sample, D, rate, batch, steps, 4000, rng))
    for risks in (there, here):
        assert abs(one_pass.deviation(risks, expected)) < 3.5
        assert risks.std() / np.sqrt(len(risks)) < 0.02 * expected  # the check is sharp


def test_risk_is_that_of_the_variances_before_training_and_stays_above_the_residual():
    steps = np.geomspace(1, 1e6, 30).astype(int)
    view = gaussian_features.spectrum(gaussian_features.projection(64, 0, 512), np.arange(1, 513.0) ** -2, np.ones(512))
    risks = one_pass.expected_risk(view, 0.1, 1, np.concatenate([[0], steps]))
    assert risks[0] == pytest.approx(np.sum(np.arange(1, 513.0) ** -2))
    assert (np.diff(risks) < 1e-12).all()
    assert risks[-1] > view.residual


@pytest.mark.parametrize("batch", [1, 2, 16])
def test_limit_of_the_rate_is_where_the_recursion_stops_shrinking(batch):
    limit = one_pass.largest_rate(VIEW, batch)
    below, above = (stepped(VIEW, share * limit, batch, 4000) for share in (0.97, 1.03))
    assert below < 100 < above
    with pytest.raises(ConfigError, match=r"optimizer.learning_rate: .*; allowed: above 0, below"):
        one_pass.expected_risk(VIEW, limit * 1.01, batch, [1])


def test_limit_for_one_feature_and_for_large_batches_is_that_of_the_books():
    one = gaussian_features.Spectrum(np.array([0.5]), np.ones(1), 0.1)
    assert one_pass.largest_rate(one, 1) == pytest.approx(1 / (3 * 0.5))  # E z^4 = 3: (1 - g lam)^2 + 2 g^2 lam^2 < 1
    assert one_pass.largest_rate(VIEW, 10**9) == pytest.approx(1 / VIEW.eigenvalues[0], rel=1e-3)  # gradient descent


def test_deviation_counts_standard_errors_and_a_shared_held_out_set():
    rng = np.random.default_rng(0)
    own = [one_pass.deviation(rng.normal(2, 0.3, 32), 2.0) for _ in range(2000)]
    assert np.std(own) == pytest.approx(1, abs=0.1)
    shared = []
    for _ in range(2000):
        factor = np.mean(rng.standard_normal(200) ** 2)  # the squared errors of one set of 200
        shared.append(one_pass.deviation(rng.normal(2, 0.3, 32) * factor, 2.0, heldout=200))
    assert np.std(shared) == pytest.approx(1, abs=0.1)
