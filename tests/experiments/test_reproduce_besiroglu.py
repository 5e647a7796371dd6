"""Besiroglu et al. 2024: every published number of the refit, through the command line."""

import numpy as np
import pytest

from experiments.reproduce.papers import besiroglu


def test_the_refit_meets_every_published_number(verdicts, tmp_path):
    found = verdicts("besiroglu", "--bootstrap=500", files=besiroglu.FILES)
    assert set(found) == {"refit", "bootstrap", "residuals"}
    assert set(found["refit"].agrees.values()) == {"yes"}
    assert len(found["refit"].agrees) == 24
    assert found["residuals"].those("yes") == {"objective of Hoffmann et al.'s law", "objective of the refit"}
    assert not found["residuals"].those("no")
    assert found["bootstrap"].agrees["a = beta / (alpha + beta)"] == "yes"
    for name, here in found["bootstrap"].here.items():
        if name.endswith("published resamples"):
            key = name.removeprefix("standard error of ").split(",")[0]
            assert here == pytest.approx((besiroglu.ERRORS | {"a": 0.020})[key], rel=0.1), name
    below = found["residuals"].here["share of the points below the law, Hoffmann et al.'s law as rounded in print"]
    assert below > 0.95
    pictures = {path.name for path in (tmp_path / "besiroglu").rglob("*.png")}
    assert pictures == {"exponents.png", "regions.png", "residuals.png"}


@pytest.mark.slow
def test_the_standard_errors_of_4000_resamples(verdicts):
    words = ("--figure=bootstrap", "--bootstrap=4000")
    found = verdicts("besiroglu", *words, files=besiroglu.FILES)["bootstrap"]
    assert found.those("no") == {"standard error of B, other resamples"}
    for name, value in besiroglu.ERRORS.items():
        assert found.here[f"standard error of {name}, published resamples"] == pytest.approx(value, rel=0.005)


def test_the_published_resamples_are_those_of_one_seed():
    drawn = besiroglu.published_resamples(240, 3)
    assert drawn.shape == (3, 240)
    assert (drawn.sum(axis=1) == 240).all()
    assert drawn[0, 102] > 0  # RandomState(42) draws point 102 first
    np.testing.assert_array_equal(drawn[:2], besiroglu.published_resamples(240, 2))
