"""Loss over members: planted laws come back, and what is none is seen."""

import numpy as np
import pytest
from scipy import stats

from analysis.figures.over_members import losses_over_members
from analysis.load import DataError
from analysis.over_members import over_members

K = np.array([1, 2, 4, 8])


def test_a_planted_law_comes_back_exactly():
    found = over_members(K, np.stack([0.3 + 0.1 / K, 0.5 + 0.3 / K]))
    assert (found.c, found.b) == (pytest.approx(0.4), pytest.approx(0.2))
    reach = stats.t.ppf(0.975, 1) * 0.1  # half the distance of two, over root 2, times root 2
    assert found.c_interval == pytest.approx((0.4 - reach, 0.4 + reach))
    assert found.b_interval == pytest.approx((0.2 - reach, 0.2 + reach))
    np.testing.assert_allclose(found.residuals, 0, atol=1e-12)


def test_intervals_cover_and_a_curve_that_is_no_such_law_does_not_follow():
    rng = np.random.default_rng(0)
    covered = []
    for _ in range(200):
        seeds = 0.3 + 0.1 * rng.normal(size=(6, 1)) * 0.2 + 0.2 / K + 0.01 * rng.normal(size=(6, 4))
        low, high = over_members(K, seeds).b_interval
        covered.append(low <= 0.2 <= high)
    assert 0.9 <= np.mean(covered) <= 0.99
    noise = 1e-3 * rng.normal(size=(6, 4))
    assert over_members(K, 0.3 + 0.2 / K + noise).follows
    assert not over_members(K, 0.3 - 0.05 * np.log(K) + noise).follows


def test_one_size_is_no_curve_and_one_seed_has_no_interval():
    with pytest.raises(DataError, match="members: 1 sizes; allowed: two or more"):
        over_members(K[:1], np.ones((3, 1)))
    found = over_members(K, 0.3 + 0.1 / K[None])
    assert np.isnan([*found.c_interval, *found.reaches]).all()
    assert not found.follows


def test_the_figure_has_the_means_and_the_law():
    losses = np.stack([0.3 + 0.1 / K, 0.5 + 0.3 / K])
    points, line = losses_over_members({"a": (K, losses)}, {"a": over_members(K, losses)}).panels[0].layers
    np.testing.assert_allclose(points.y, losses.mean(axis=0))
    np.testing.assert_allclose(line.y, 0.4 + 0.2 / line.x)
