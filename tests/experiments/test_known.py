"""Known exponents: the cases' theory, what is measured in tables whose laws are exact, and what is refused."""

import csv
import dataclasses
from collections import Counter

import numpy as np
import pytest

from analysis.load import runs_from
from experiments.known import measure, ridge, say
from experiments.known.cases import PLACES, PLACES_STEPS, Case, Quantity, Ridge, cases, machine_settings
from scaling_laws import table
from scaling_laws.config import ConfigError, ExperimentConfig, replace
from scaling_laws.sweep import study
from scaling_laws.theory import ridge_features, zipf

FITS = Ridge(1.0, sizes=(4, 8, 16), examples=(256,), seeds=2)


def test_cases_carry_the_exponents_and_bars_that_were_promised():
    found = {case.name: {one.name: (round(one.theory, 3), one.bar) for one in case.quantities} for case in cases()}
    assert found["power_law_1_0.25"] == {"L(C)": (0.5, 0.05), "N(C)": (0.333, 0.07)}  # methods.md, section 4
    assert found["power_law_1_0.7"] == {"L(C)": (0.706, 0.05), "N(C)": (0.412, None)}
    assert found["power_law_1_1.3"] == {"L(C)": (0.75, 0.07), "N(C)": (0.5, None)}
    assert found["zipf_examples_0.5"] == {"L(D)": (0.333, 0.03)}
    assert found["ridge_sizes_1"] == {"L(N)": (1.0, 0.06)}
    assert found["ridge_examples_0.5"] == {"L(D)": (0.5, 0.06)}


@pytest.mark.parametrize("name", ["power_law_1_0.25", "power_law_1_0.7", "power_law_1_1.3", "zipf_places_1"])
def test_every_sweep_has_a_plan_and_refuses_none_of_it(name):
    (case,) = cases([name], 2)
    assert isinstance(case.work, ExperimentConfig)
    grid = study.plan_sweep(case.work, say=lambda _: None)
    seeds = Counter((p.budget, p.run.train.steps, p.shape) for p in grid.runs)
    # of a power law 7 budgets of 7 shapes, three of which have twice the seeds
    assert Counter(seeds.values()) == ({2: 46, 4: 3} if name.startswith("power_law") else {1: 5})


@pytest.mark.parametrize(("alpha", "slope"), [(0.5, 0.496), (1.0, 0.984)])
def test_places_are_many_enough_and_seen_often_enough_for_theorys_exponent(alpha, slope):
    places = PLACES[alpha]
    exact = [zipf.expected_loss(alpha, 1 << 20, [PLACES_STEPS], each)[0] for each in places]
    assert -np.polyfit(np.log(places), np.log(exact), 1)[0] == pytest.approx(slope, abs=1e-3)


def test_names_are_beginnings():
    assert [case.name for case in cases(["ridge", "manifold_4"])] == [
        *("ridge_sizes_0.5", "ridge_sizes_1", "ridge_examples_0.5", "ridge_examples_1"),
        "manifold_4",
    ]
    with pytest.raises(ConfigError, match=r"'ridge_size_1'; allowed: beginnings of .*did you mean ridge_sizes_1"):
        cases(["ridge_size_1"])


def test_ridge_fits_are_rows_that_are_solved_once(tmp_path, monkeypatch):
    ridge.solve(FITS, tmp_path)
    rows = table.read_runs(tmp_path).to_pylist()
    assert len(rows) == 3 * 2 * len(ridge.RIDGES)
    one = next(row for row in rows if (row["n_params"], row["seed"]) == (8, 1) and row["weight_decay"] == 1.0)
    assert one["loss"] == ridge_features.solve(1.0, 8, 256, np.array([1.0]), 1)[0]
    assert (one["tokens"], one["unique_tokens"], one["loss_kind"]) == (256, 256, "squared_error")
    monkeypatch.setattr(ridge_features, "solve", None)  # nothing is left to solve
    ridge.solve(FITS, tmp_path)
    assert len(table.read_runs(tmp_path)) == len(rows)


def test_the_best_ridge_is_taken_by_the_mean_and_an_open_end_is_left_out():
    sizes, ridges, seeds = (10, 20, 40), (0.1, 1.0, 10.0), (0, 1)
    rows = [(n, r, s) for n in sizes for r in ridges for s in seeds]
    bowl = {0.1: 1.5, 1.0: 1.0, 10.0: 2.0}
    falls = {0.1: 1.0, 1.0: 1.2, 10.0: 1.4}
    flat = {0.1: 1.0, 1.0: 1.00001, 10.0: 1.4}
    shape = {10: bowl, 20: falls, 40: flat}
    runs = runs_from(
        {
            "n_params": [n for n, _, _ in rows],
            "tokens": [100] * len(rows),
            "flops": [1.0] * len(rows),
            "weight_decay": [r for _, r, _ in rows],
            # of seed 1 alone another ridge is best at size 10
            "loss": [shape[n][r] - 0.7 * ((n, r, s) == (10, 0.1, 1)) for n, r, s in rows],
        }
    )
    kept = measure.tuned(runs)
    assert sorted(zip(kept["n_params"], kept["weight_decay"], strict=True)) == [(10, 1.0)] * 2 + [(40, 0.1)] * 2
    reasons = {item.reason for item in kept.excluded}
    assert reasons == {"not the best ridge", "the loss still falls at the least or the largest ridge tried"}


def planted(folder, exponent):
    """The rows of FITS with losses of an exact power of N at every ridge, lowest in the middle."""
    ridge.solve(FITS, folder / "solved")
    with table.Journal(folder) as journal:
        for row in table.read_runs(folder / "solved").to_pylist():
            above = np.log(row["weight_decay"] / ridge.RIDGES[14]) ** 2
            journal.append(row | {"loss": float(row["n_params"] ** -exponent * (1 + 0.01 * above))}, [])
        table.compact(folder)


def test_an_exponent_that_was_planted_comes_back_with_its_verdict(tmp_path):
    planted(tmp_path, 0.7)
    quantities = (Quantity("L(N)", 0.72, 0.03), Quantity("L(N)", 0.5, 0.1))
    case = Case("ridge_planted", "planted", "planted, over N", "", FITS, quantities)
    near, far = measure.measure(case, tmp_path, 20)
    assert near.exponent == pytest.approx(0.7, abs=1e-6)
    assert near.interval == pytest.approx((0.7, 0.7), abs=1e-6)
    assert (near.verdict, far.verdict) == ("met", "MISSED")
    assert (near.slope, near.kept) == (-near.exponent, "6 runs at 3 of N")
    path = say.write([near, far], tmp_path / "out.csv")
    written = list(csv.DictReader(path.open()))
    assert [(row["theory"], row["verdict"]) for row in written] == [("0.72", "met"), ("0.5", "MISSED")]
    assert say.report([near, far], tmp_path)[-1] == f"figure: {tmp_path / 'figures' / 'known_exponents.png'}"
    assert {file.suffix for file in (tmp_path / "figures").iterdir()} == {".png", ".svg", ".csv"}


def test_the_order_of_the_phases_is_said():
    phases = [
        measure.Measured(case, case.quantities[0], exponent, (0, 1), np.ones(2), np.ones(2), "")
        for case, exponent in zip(cases(["power_law"]), (0.5, 0.7, 0.69), strict=True)
    ]
    assert "WRONG" in say.table(phases)[-1]
    right = [*phases[:2], dataclasses.replace(phases[2], exponent=0.76)]
    assert say.table(right)[-1] == "order of the phases: Ia 0.500 < II 0.700 < III 0.760"


def test_only_the_machines_settings_may_be_given():
    given = replace(ExperimentConfig(), {"sweep.workers": 1})
    assert machine_settings(given) == {"sweep.workers": 1}
    with pytest.raises(ConfigError, match=r"--config.task.alpha: 2.0; allowed: sweep.workers, sweep.strategy"):
        machine_settings(replace(ExperimentConfig(), {"task.alpha": 2.0}))
