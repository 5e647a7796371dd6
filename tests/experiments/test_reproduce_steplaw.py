"""Step Law: their rules from their grids, by three ways to say what was best in a cell."""

import csv
from pathlib import Path

import numpy as np
import pytest
from known import DATA

from analysis.load import DataError, Runs
from analysis.published import DEEPSEEK, STEP_LAW
from experiments.reproduce import rate_rules, tables
from experiments.reproduce.papers import steplaw, steplaw_own

KEPT = Path(__file__).parents[2] / "docs" / "results"


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


def test_own_best_rates_beside_the_rules(verdicts):
    """As the runs' README has them: lr = 1583 N^-.42 D^-.46, and one over the width under standard."""
    own = verdicts("steplaw", f"--data={KEPT}")["own"]
    assert own.here["lr: exponent of N, CompleteP"] == pytest.approx(-0.42, abs=0.01)
    assert own["lr: exponent of D, CompleteP"] == ("no", pytest.approx(-0.46, abs=0.01))
    assert own.here["lr: exponent of N, standard, one D"] == pytest.approx(-0.59, abs=0.01)
    step_law = own.here["CompleteP: Step Law's lr over the best, geometric mean and range"]
    deep_seek = own.here["CompleteP: DeepSeek's lr over the best, geometric mean and range"]
    assert deep_seek < 0.5 < 1 < step_law < 2


def cells(n, d, rate):
    return Runs({"n_params": n, "tokens": d, "learning_rate": rate, "low": 0.9 * rate, "high": 1.1 * rate}, "cells")


def test_a_planted_rule_comes_back_and_agrees():
    n, d = (axis.ravel() for axis in np.meshgrid([1e4, 3e4, 1e5], [1e5, 1e6]))
    planted = cells(n, d, rate_rules.value(STEP_LAW["learning_rate"], n, d) * np.exp([0.01, -0.01, 0.0] * 2))
    found = steplaw_own._fit(planted, ("n_params", "tokens"))
    for one in steplaw_own._exponents(found, planted, "planted", steplaw_own.WHY):
        assert (one.agrees, one.here) == ("yes", pytest.approx(one.paper, abs=0.01))
    ratio = rate_rules.beside(STEP_LAW, "Step Law's", "learning_rate", planted, paper=1.0)
    assert (ratio.agrees, ratio.here) == ("yes", pytest.approx(1, abs=0.01))


def test_too_few_cells_are_refused():
    n = np.array([1e4, 3e4, 1e5])
    with pytest.raises(DataError, match="one tokens alone; allowed: two or more"):
        steplaw_own._fit(cells(n, np.full(3, 1e5), n**-0.5), ("n_params", "tokens"))
    with pytest.raises(DataError, match="3 interior minima; allowed: 4 or more"):
        steplaw_own._fit(cells(n, 10 * n, n**-0.5), ("n_params", "tokens"))
    with pytest.raises(DataError, match="no interior best learning rate under standard"):
        steplaw_own._cells(KEPT / "demo_rates", "standard")


def test_a_published_rule_is_its_formula():
    n, d = np.array([1e8, 3e5]), np.array([2e9, 1e6])
    lr = rate_rules.value(DEEPSEEK["learning_rate"], n, d)
    np.testing.assert_allclose(lr, 0.3118 * (6 * n * d) ** -0.1250)
    np.testing.assert_allclose(rate_rules.value(STEP_LAW["batch"], n, d), 0.581 * d**0.5709)
