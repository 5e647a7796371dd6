"""The data-constrained law on the published runs: which of its numbers come back, and which cannot."""

import csv

import numpy as np
import pytest

from experiments.reproduce import repeats
from experiments.reproduce.papers import muennighoff


def test_worth_of_a_token_is_the_papers_sum():
    """Equation 5 written the long way; without decay every pass is worth as much as the first."""
    epochs, r_d = np.array([1.0, 2.5, 40.0]), 15.387756
    assert repeats.share(epochs, r_d) == pytest.approx((1 + r_d * (1 - np.exp(-(epochs - 1) / r_d))) / epochs)
    assert repeats.share(np.array([4.0]), 1e9) == pytest.approx([1.0])


def test_the_figures_through_the_command_line(verdicts, tmp_path):
    found = verdicts("muennighoff", files=[muennighoff.FILE])
    assert found["epochs"]["loss by the published law"][0] == "yes"
    constants = found["constants"]
    assert constants["R_D*, all seven free"][0] == "too wide"
    assert {"R_D*, published surface, all runs", "R_N*, published surface, all runs"} <= constants.those("no")
    assert constants["objective at the optimum, published surface"][1] < 0.02924
    there = constants["objective of the published constants, all runs"][1]
    assert there == pytest.approx(0.0358405, abs=5e-8)
    assert 0.06 < constants["ln loss above the published law, single epoch"][1] < 0.2
    with (tmp_path / "muennighoff" / "epochs" / "loss_over_epochs.csv").open(newline="") as file:
        seen = [row for row in csv.DictReader(file) if row["layer"] == "runs" and float(row["value"]) == 2.81e9]
    assert float(seen[0]["y"]) == pytest.approx(np.mean([2.569702, 2.568221, 2.569587, 2.570589, 2.574117]))
