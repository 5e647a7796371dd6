"""Czech et al. 2026: the noiseless shift of IsoFLOP parabolas, as published and at sizes of one's own."""

import numpy as np
import pytest
from known import isoflop_runs

from experiments.reproduce.entry import Own
from experiments.reproduce.papers import isoflop_bias


def test_the_shift_meets_every_published_number(verdicts, tmp_path):
    found = verdicts("isoflop_bias", "--figure=shift")["shift"]
    assert (len(found.those("yes")), len(found.those("no"))) == (8, 0)
    assert found.here["log10 N* too high, half-width 16"] == pytest.approx(0.02273, abs=6e-6)
    assert abs(found.here["a less beta / (alpha + beta), centres from N*/3 to 3 N*"]) > 1e-4
    assert (tmp_path / "isoflop_bias" / "shift" / "shift.png").exists()


def test_the_shift_at_sizes_of_ones_own_is_that_of_their_grid(table):
    path = table(isoflop_runs((1e18, 1e19, 1e20, 1e21), 8))
    result = isoflop_bias.runs(Own("smoke", {"text": path}, 10))
    shifts = [one.here for one in result.quantities[:-1]]
    np.testing.assert_allclose(shifts, 0.01279, atol=1e-4)
    assert result.quantities[-1].here == pytest.approx(0, abs=1e-4)
    assert "resampled runs move a" in result.notes[-1]
