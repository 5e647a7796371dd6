"""Step Law: their rules from their grids, by three ways to say what was best in a cell."""

import csv

import numpy as np
import pytest
from known import DATA

from experiments.reproduce import tables
from experiments.reproduce.papers import steplaw


def test_the_rules_through_the_command_line(verdicts, tmp_path):
    found = verdicts("steplaw", "--bootstrap=200", files=steplaw.FILES)
    rule = found["rule"]
    for (setting, name), _ in steplaw.EXPONENTS.items():
        for way in ("mean of their fits", "best 5 % of a cell"):
            assert rule[f"{steplaw._said(setting, name)}, {way}"][0] == "yes"
    assert rule["lr: coefficient, mean of their fits"][0] == rule["batch: coefficient, mean of their fits"][0] == "yes"
    assert rule["batch at N 4e+08 and D 2e+10, best 5 % of a cell"][1] == pytest.approx(0.581 * 2e10**0.5709, rel=0.1)
    assert rule["lr at N 4e+08 and D 2e+10, best 5 % of a cell"][1] == pytest.approx(
        1.797 * 4e8**-0.7129 * 2e10**0.3075, rel=0.2
    )
    assert "lr: exponent of D, their choice of runs" in rule.those("no")
    about = {name for name in rule.those("no") if not name.endswith(("parabolas", "their choice of runs"))}
    assert about <= {"lr at N 4e+08 and D 2e+10, best 5 % of a cell"}
    assert found["cell"].those("no") == {"share of the cells with an interior minimum"}
    with (tmp_path / "steplaw" / "cell" / "loss_over_rate_and_batch.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["layer"] == "run"]
    best = {row["panel"]: row for row in rows if float(row["value"]) == 0}
    assert len(best) == 4
    assert all(0 <= float(row["value"]) <= 100 * steplaw.SHOWN for row in rows)


def test_their_choice_of_runs_is_by_cell():
    if not (DATA / steplaw.FILES[0]).exists():
        pytest.skip(f"published table {steplaw.FILES[0]} is not here")
    runs = tables.step_law(DATA)
    kept = steplaw._as_good(runs)
    for n, d in {(n, d) for n, d in zip(runs["n_params"], runs["tokens"], strict=True)}:
        cell = (runs["n_params"] == n) & (runs["tokens"] == d)
        good = runs["loss"][cell] < (1 + steplaw.SAME) * runs["loss"][cell].min()
        assert np.sum((kept["n_params"] == n) & (kept["tokens"] == d)) == good.sum() >= 1
