"""Ridge fits against scikit-learn and against their exponents."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from scaling_laws.config import ConfigError
from scaling_laws.theory import ridge_features

RIDGES = np.geomspace(1e-9, 1, 37)


@pytest.mark.parametrize("width, n_examples", [(12, 40), (40, 12)])
def test_fits_are_scikit_learns(width, n_examples):
    view = ridge_features.spectrum(1.0, width, 3, 256)
    features, labels = view.sample(np.random.default_rng((3, 1, n_examples)), n_examples)
    losses = ridge_features.solve(1.0, width, n_examples, np.array([1e-3, 1e-1]), 3, 1, 256)
    for ridge, loss in zip((1e-3, 1e-1), losses, strict=True):
        fit = Ridge(alpha=ridge * n_examples, fit_intercept=False, tol=1e-12).fit(features, labels)
        assert loss == pytest.approx(view.risk(fit.coef_), rel=1e-6)


def mean_best(axis, alpha, sizes, seeds, data_seeds):
    """Exponent of the mean of ln loss over all seeds, at each size with the ridge that is best for that mean."""
    found = []
    for size in sizes:
        shape = (int(size), 1024) if axis == "N" else (512, int(size))
        losses = [
            np.log(ridge_features.solve(alpha, *shape, RIDGES, seed, data_seed, 1024))
            for seed in range(seeds)
            for data_seed in range(data_seeds)
        ]
        found.append(np.mean(losses, axis=0).min())
    return -np.polyfit(np.log(sizes), found, 1)[0]


def test_loss_falls_with_features_and_with_examples():
    size = mean_best("N", 1.0, np.array([8, 16, 32, 64]), 16, 1)
    examples = mean_best("T", 1.0, np.array([8, 16, 32]), 4, 12)
    assert size == pytest.approx(ridge_features.size_exponent(1.0), abs=0.15)
    assert examples == pytest.approx(ridge_features.example_exponent(1.0), abs=0.15)


def test_best_ridge_is_inside_and_no_help_at_the_ends():
    losses = ridge_features.solve(1.0, 32, 64, RIDGES, 0, 0, 512)
    assert ridge_features.is_interior(losses)
    assert not ridge_features.is_interior(np.array([1.0, 2.0, 3.0]))
    assert not ridge_features.is_interior(np.array([3.0, 2.0, 1.0]))


def test_seeds_change_the_features_and_data_seeds_the_examples():
    def loss(seed, data_seed):
        return ridge_features.solve(1.0, 8, 16, np.array([0.01]), seed, data_seed, 64)[0]

    assert loss(0, 0) == loss(0, 0)
    assert len({loss(0, 0), loss(0, 1), loss(1, 0)}) == 3
    assert ridge_features.spectrum(1.0, 8, 0, 64).residual == ridge_features.spectrum(1.0, 8, 0, 64).residual


def test_bad_settings_are_refused():
    with pytest.raises(ConfigError, match="ridge: 0; allowed: more than 0"):
        ridge_features.solve(1.0, 8, 16, np.array([0.1, 0.0]), 0)
    with pytest.raises(ConfigError, match=r"task.alpha: 0; allowed: more than 0"):
        ridge_features.spectrum(0.0, 8, 0)


def test_exponents_are_those_of_the_solvable_model():
    assert (ridge_features.size_exponent(0.5), ridge_features.example_exponent(0.5)) == (0.5, 0.5)
