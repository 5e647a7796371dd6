"""Lines of seeds against planted powers, SciPy's Student, and how often their intervals hold the truth."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.seed_lines import seed_lines

SIZES = np.array([10.0, 20.0, 40.0, 80.0])


def planted(noise, seeds=3, rng=None):
    """3 size^-.7 times e to what differs between seeds and sizes."""
    rng = rng or np.random.default_rng(0)
    return 3 * SIZES[:, None] ** -0.7 * np.exp(noise * rng.normal(size=(len(SIZES), seeds)))


def test_a_planted_power_comes_back_with_a_band_of_no_width():
    found = seed_lines(SIZES, planted(0.0))
    assert found.slope == pytest.approx(-0.7)
    assert found.interval == pytest.approx((-0.7, -0.7))
    middle, low, high = found.at(np.array([5.0, 160.0]))
    np.testing.assert_allclose([middle, low, high], [3 * np.array([5.0, 160.0]) ** -0.7] * 3)


def test_interval_and_band_are_students_over_seeds():
    values = planted(0.1)
    slopes, ends = zip(*(stats.linregress(np.log(SIZES), np.log(own))[:2] for own in values.T), strict=True)
    found = seed_lines(SIZES, values, 0.8)
    wanted = stats.t.interval(0.8, 2, np.mean(slopes), stats.sem(slopes))
    assert found.interval == pytest.approx(wanted)
    there = np.array(ends) + np.array(slopes) * math.log(7)
    _, low, high = found.at(np.array([7.0]))
    assert np.log([low[0], high[0]]) == pytest.approx(stats.t.interval(0.8, 2, there.mean(), stats.sem(there)))


def test_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    ends = [seed_lines(SIZES, planted(0.2, rng=rng)).interval for _ in range(300)]
    assert np.mean([low < -0.7 < high for low, high in ends]) == pytest.approx(0.9, abs=0.06)


def test_one_seed_has_a_slope_and_no_interval_and_a_gap_none_of_both():
    alone = seed_lines(SIZES, planted(0.0, seeds=1))
    assert alone.slope == pytest.approx(-0.7)
    assert all(map(math.isnan, alone.interval))
    values = planted(0.0)
    values[2, 1] = math.nan
    assert math.isnan(seed_lines(SIZES, values).slope)
