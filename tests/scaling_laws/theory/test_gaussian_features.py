"""The spectrum against the v-dimensional problem that it stands for, solved and sampled there."""

import numpy as np
import pytest

from scaling_laws.config import ConfigError
from scaling_laws.theory import gaussian_features

V, D = 40, 6
VARIANCE, TARGET = np.arange(1, V + 1) ** -1.6, np.arange(1, V + 1) ** -0.4


def test_least_squares_in_all_coordinates_gives_the_same_best_loss_and_risks():
    W = gaussian_features.projection(D, 3, V)
    view = gaussian_features.spectrum(W, VARIANCE, TARGET)
    root = np.sqrt(VARIANCE)[:, None]
    best, (least,), *_ = np.linalg.lstsq(root * W, root[:, 0] * TARGET, rcond=None)
    assert view.residual == pytest.approx(least, rel=1e-9)
    assert view.risk(view.teacher) == pytest.approx(least, rel=1e-9)
    assert view.risk(np.zeros(D)) == pytest.approx(VARIANCE @ TARGET**2, rel=1e-9)
    assert np.linalg.norm(view.teacher) == pytest.approx(np.linalg.norm(best), rel=1e-9)  # another basis
    assert np.prod(view.eigenvalues) == pytest.approx(np.linalg.det(W.T @ np.diag(VARIANCE) @ W), rel=1e-9)
    assert (np.diff(view.eigenvalues) < 0).all()
    assert view.width == D


def test_examples_have_the_covariance_of_projected_inputs():
    W = gaussian_features.projection(D, 3, V)
    view = gaussian_features.spectrum(W, VARIANCE, TARGET)
    rng = np.random.default_rng(0)
    features, targets = view.sample(rng, 200000)
    x = rng.standard_normal((200000, V)) * np.sqrt(VARIANCE)
    there, y = x @ W, x @ TARGET
    assert targets.var() == pytest.approx(y.var(), rel=0.02)
    spectrum_there = np.linalg.eigvalsh(there.T @ there / len(there))[::-1]
    assert features.var(axis=0) == pytest.approx(spectrum_there, rel=0.02)
    fits = [np.linalg.lstsq(phi, out, rcond=None)[1][0] / len(out) for phi, out in ((features, targets), (there, y))]
    assert fits[0] == pytest.approx(fits[1], rel=0.02)


def test_tail_by_its_mean_is_close_to_drawing_more_coordinates():
    few, many, width = 512, 16384, 24
    index = np.arange(1, many + 1)
    variance, target = index**-2.0, index**-0.25
    W = gaussian_features.projection(width, 0, many)
    whole = gaussian_features.spectrum(W, variance, target)
    head = W[:few], variance[:few], target[:few]
    tails = variance[few:].sum(), (variance * target**2)[few:].sum()
    with_tail, without = gaussian_features.spectrum(*head, *tails), gaussian_features.spectrum(*head)
    assert with_tail.residual == pytest.approx(whole.residual, rel=0.01)
    assert with_tail.eigenvalues == pytest.approx(whole.eigenvalues, rel=0.02)
    errors = [abs(view.eigenvalues[-1] / whole.eigenvalues[-1] - 1) for view in (with_tail, without)]
    assert errors[0] < errors[1] / 3


def test_tail_is_what_a_long_sum_leaves():
    assert gaussian_features.power_tail(2, 0) == pytest.approx(np.pi**2 / 6)
    assert gaussian_features.power_tail(2.5, 100) == pytest.approx(
        np.sum(np.arange(101, 10**6) ** -2.5) + (10**6 - 0.5) ** -1.5 / 1.5, rel=1e-9
    )


def test_projection_has_rows_of_length_one_and_its_own_numbers_for_every_width_and_seed():
    W = gaussian_features.projection(100, 5)
    assert np.square(W).sum(axis=1).mean() == pytest.approx(1, rel=0.01)
    assert np.array_equal(W, gaussian_features.projection(100, 5))
    others = [gaussian_features.projection(100, 6), gaussian_features.projection(101, 5)[:, :100]]
    for other in others:
        assert abs(np.corrcoef(W.ravel(), other.ravel())[0, 1]) < 0.01


@pytest.mark.parametrize("width", [0, 21])
def test_width_beyond_half_of_the_coordinates_is_refused(width):
    with pytest.raises(ConfigError, match=rf"model.width: {width}; allowed: 1 to 20"):
        gaussian_features.projection(width, 0, V)
