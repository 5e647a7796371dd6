"""A line by least squares against SciPy's and NumPy's, and its errors against many tables."""

import numpy as np
import pytest
from scipy import stats

from analysis.least_squares import line
from analysis.load import DataError


def table(seed=0, n=30):
    z = np.random.default_rng(seed).standard_normal((n, 2))
    return z[:, 0] + 0.5, 2 + 3 * z[:, 0] + 0.7 * z[:, 1]


def test_with_an_intercept_it_is_scipys():
    x, y = table()
    found, known = line(x, y), stats.linregress(x, y)
    assert (found.slope, found.intercept) == pytest.approx((known.slope, known.intercept), rel=1e-12)
    assert (found.slope_se, found.intercept_se) == pytest.approx((known.stderr, known.intercept_stderr), rel=1e-12)


def test_through_the_origin_it_is_the_one_column_fit():
    x, y = table()
    found, (slope, squares, _, _) = line(x, y, intercept=False), np.linalg.lstsq(x[:, None], y)
    assert (found.intercept, found.intercept_se) == (0, 0)
    assert found.slope == pytest.approx(slope[0], rel=1e-12)
    assert found.slope_se == pytest.approx(np.sqrt(squares[0] / (len(x) - 1) / (x @ x)), rel=1e-12)


def test_the_truth_lies_within_two_errors_of_most_tables():
    fits = [line(*table(seed, 100)) for seed in range(400)]
    off = np.array([[(one.intercept - 0.5) / one.intercept_se, (one.slope - 3) / one.slope_se] for one in fits])
    assert off.std(axis=0) == pytest.approx(1, abs=0.12)
    assert np.mean(np.abs(off) <= 2) == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize("x", [[1.0, 2.0], [3.0, 3.0, 3.0]])
def test_rows_that_tell_no_line_are_refused(x):
    with pytest.raises(DataError, match="rows; allowed: more than 2"):
        line(np.array(x), np.arange(len(x)))
