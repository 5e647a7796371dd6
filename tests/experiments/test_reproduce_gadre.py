"""Gadre et al. 2024: every printed coefficient from the five and six runs that the paper fitted."""

from pathlib import Path

import numpy as np
import pytest
from known import DATA

from analysis.published import GADRE_2024
from experiments.reproduce import tables
from experiments.reproduce.entry import Own
from experiments.reproduce.papers import gadre

DEMO = Path(__file__).parents[2] / "docs" / "results" / "demo"


def test_every_printed_coefficient_comes_back(verdicts):
    found = verdicts("gadre", files=[gadre.FILE])
    assert set(found) == {"loss", "error"}
    for figure, place in (("loss", 0), ("error", 1)):
        assert not found[figure].those("no")
        laws = {said: GADRE_2024[name][place] for name, said in gadre.DATA_SETS.items()}
        printed = {f"{name}, {said}" for said, law in laws.items() for name in law.coefficients}
        assert found[figure].those("yes") == printed
    for said in gadre.DATA_SETS.values():
        assert found["loss"][f"median error of the loss foretold, {said}"][1] < 0.01
        assert found["error"][f"median error of the error foretold, {said}"][1] < 0.02


def test_the_five_runs_are_those_of_the_papers_table():
    if not (DATA / gadre.FILE).exists():
        pytest.skip(f"published table {gadre.FILE} is not here")
    runs = tables.over_trained(DATA)
    runs = runs.select(runs["dataset_name"] == "rpj", "other")
    five = runs.select(gadre._five(runs), "other")
    assert sorted(zip(np.round(five["n_params"] / 1e6), five["cc_mult"], strict=True)) == [
        (11, 1), (11, 16), (79, 1), (154, 1), (412, 1)
    ]  # fmt: skip


def test_the_law_through_own_runs():
    result = gadre.own_losses(Own("cpu", {"text": DEMO}, 20))
    known = {one.name: one for one in result.quantities}
    assert 0.05 < known["eta, C4"].here < 0.2
    points, line = result.drawings[0].panels[0].layers
    assert len(points.x) == 48
    assert np.abs(np.log(points.y / points.x)).max() < 0.05
    assert list(line.x) == list(line.y)
