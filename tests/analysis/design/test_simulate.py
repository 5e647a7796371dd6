"""Designs against even grids of equal cost over simulated studies of a known law."""

import numpy as np
import pytest

from analysis.design import simulate
from analysis.design.simulate import Truth


def test_ten_studies_by_design_have_narrower_intervals():
    found = simulate.simulate(("exponent",), studies=10, max_runs=60, max_seeds=4, objective="log_mse", bootstrap=8)[0]
    assert found.width[0] < 0.8
    assert found.cost == pytest.approx(1, abs=0.03)
    assert found.promised < 0.8
    assert abs(np.median(found.estimates["design"]) - found.truth) < 0.03
    text = simulate.lines([found])
    assert text[1].startswith("exponent")
    assert "10 studies" in text[2]


def test_a_study_of_a_choice_tells_the_laws_apart():
    found = simulate.simulate(("choice",), studies=2, truth=Truth(noise=0.01), max_runs=30, max_seeds=4, bootstrap=4)[0]
    assert (found.estimates["design"] > found.estimates["even grid"]).all()
    assert found.spread == found.width or found.width[0] < 1


@pytest.mark.slow
def test_over_fifty_studies_the_interval_is_at_most_seven_tenths():
    for found in simulate.simulate(("loss", "exponent"), studies=50):
        assert found.width[0] <= 0.7
        assert found.spread[0] < 1
        assert found.cost == pytest.approx(1, abs=0.02)
        assert found.coverage["design"] > 0.75
