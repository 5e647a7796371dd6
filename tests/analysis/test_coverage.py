"""How often the intervals hold the truth; slow: 200 draws of every kind, objective and design."""

import pytest

from analysis import uncertainty
from scripts.benchmarks import coverage


@pytest.mark.slow
@pytest.mark.parametrize("objective", coverage.OBJECTIVES)
@pytest.mark.parametrize("design", coverage.DESIGNS)
def test_intervals_of_95_percent_hold_the_truth_in_90_to_99_percent_of_200_draws(design, objective):
    rows = coverage.measured(design, objective, draws=200, resamples=400)
    assert {(row.interval, row.quantity): row.coverage for row in rows if not row.passes} == {}


def test_the_table_counts_what_lies_where():
    rows = coverage.measured("isoflop", "log_mse", draws=2, resamples=20)
    assert [row.quantity for row in rows] == ["a", "alpha", "beta", "E"] * 4
    assert tuple(dict.fromkeys(row.interval for row in rows)) == uncertainty.INTERVALS
    for row in rows:
        assert row.coverage == pytest.approx(1 - row.below - row.above)
        assert 0 < row.width < 0.2
    assert coverage.Covered("d", "o", "i", "q", 200, 0.95, 0, 0.05, 1).passes
    assert not coverage.Covered("d", "o", "i", "q", 200, 1.0, 0, 0, 1).passes
