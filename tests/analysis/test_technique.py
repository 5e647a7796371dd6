"""What techniques are worth: nothing from nothing, planted multipliers, slopes and shifts, what is refused, the CLI."""

import csv
import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
from arms import LAW, LENGTHS, SIZES, better, law_loss, row, rows, table
from scipy import optimize, stats

from analysis.figures import static
from analysis.figures import technique as figures
from analysis.load import DataError
from analysis.technique import comparison, worth
from analysis.technique import table as printed
from analysis.technique.ranges import chord
from scaling_laws.config import ConfigError

QUICK = dataclasses.replace(comparison.DEFAULTS, bootstrap=200, objective="log_mse")
INSIDE = (SIZES[1:3], LENGTHS)


def compared(*arms, options=QUICK, **settings):
    return worth(table(rows(arms, **settings)), options)


def test_an_arm_that_is_the_baseline_again_is_worth_one_in_90_of_100_trials():
    hits = dict.fromkeys(("m_n", "m_d", "ceg", "ceg_sunk"), 0)
    for trial in range(100):
        settings = {"paired": trial % 2 == 0, "noise": (0.003, 0.02)[trial // 2 % 2], "seed": trial}
        (arm,) = compared(("dropout", 0.0, law_loss, SIZES, LENGTHS), **settings).arms
        for name in hits:
            low, high = arm.pooled[name].interval
            hits[name] += low <= 1 <= high
    assert min(hits.values()) >= 90, hits


def test_planted_multipliers_come_back():
    (double,) = compared(("twice", 1.0, better(2.0), *INSIDE)).arms
    assert double.pooled["m_n"].value == pytest.approx(2.0, rel=0.1)
    assert double.pooled["m_n"].interval[0] < 2 < double.pooled["m_n"].interval[1]
    assert double.verdict == "better"
    assert double.slopes["m_n"].verdict == "constant within the interval"
    (arm,) = compared(("data", 1.0, lambda n, d: law_loss(n, 1.5 * d), SIZES, LENGTHS[:3]), paired=False).arms
    assert arm.pooled["m_d"].value == pytest.approx(1.5, rel=0.1)
    (worse,) = compared(("half", 1.0, better(0.5), *INSIDE)).arms
    assert worse.pooled["m_n"].value == pytest.approx(0.5, rel=0.1)
    assert worse.verdict == "worse"


def test_gains_of_compute_by_minimising_the_law_numerically():
    found = compared(("twice", 1.0, better(2.0), *INSIDE), noise=1e-5)
    for cell in found.arms[0].cells:
        losses = {name: loss(cell.n_params, cell.tokens) for name, loss in (("arm", better(2.0)), ("own", law_loss))}
        n, flops = np.geomspace(1e2, 1e9, 1000), np.geomspace(1e8, 1e17, 500)[:, None]
        frontier, flops = law_loss(n, flops / (6 * n)).min(axis=1), flops[:, 0]
        least = {name: np.interp(-loss, -frontier, np.log(flops)) for name, loss in losses.items()}
        assert cell.gap == pytest.approx(np.exp(least["own"]) / cell.flops, rel=0.01)
        if not cell.worth["ceg"].reason:
            assert cell.worth["ceg"].value == pytest.approx(np.exp(least["arm"] - least["own"]), rel=0.01)


def test_a_planted_slope_comes_back():
    (arm,) = compared(("grows", 1.0, better(lambda n, d: (n * d / 1e12) ** 0.08 * 1.2), SIZES[1:3], LENGTHS)).arms
    slope = arm.slopes["m_n"]
    assert slope.estimate.value == pytest.approx(0.08, abs=0.015)
    assert slope.verdict == "grows"
    (arm,) = compared(("fades", 1.0, better(lambda n, d: (n * d / 1e12) ** -0.08 * 1.2), SIZES[1:3], LENGTHS)).arms
    assert arm.slopes["m_n"].verdict == "fades"


def test_a_planted_shift_of_the_floor_comes_back_beside_a_multiplier():
    (arm,) = compared(("both", 1.0, better(1.5, shift=-0.05), SIZES, LENGTHS), noise=0.002).arms
    assert not arm.shift.reason
    assert arm.shift.d_e.value == pytest.approx(-0.05, rel=0.2)
    assert arm.shift.m_n.value == pytest.approx(1.5, rel=0.1)
    assert arm.shift.d_e.interval[1] < 0
    (arm,) = compared(("one size", 1.0, better(1.5), SIZES[1:2], LENGTHS)).arms
    assert "4 cells of 1 sizes" in arm.shift.reason


def test_pairs_take_out_the_noise_that_seeds_share():
    arm = ("pairs", 1.0, better(1.3), *INSIDE)
    widths = {}
    for paired in (True, False):
        (found,) = compared(arm, shared=0.99, paired=paired).arms
        assert [cell.pairs for cell in found.cells] == [3 * paired] * 8
        widths[paired] = np.ptp(np.log(found.pooled["m_n"].interval))
    assert widths[True] < 0.3 * widths[False]


def test_three_seeds_of_one_cell_have_the_interval_of_student():
    arm = ("few", 1.0, law_loss, SIZES[1:2], LENGTHS[1:2])
    made = rows([arm], seed=3)
    found = worth(table(made), dataclasses.replace(QUICK, bootstrap=4000))
    pairs = {one["seed"]: [] for one in made}
    for one in made:
        if (one["n_params"], one["tokens"]) == (SIZES[1], LENGTHS[1]):
            pairs[one["seed"]].append(np.log(one["loss"]))
    ratios = np.diff(list(pairs.values()))[:, 0]
    log_loss = np.log(found.baseline.fit.predict(SIZES[1], LENGTHS[1])) + ratios.mean()
    half = stats.t.ppf(0.975, 2) * ratios.std(ddof=1) / np.sqrt(3)
    c = found.baseline.fit.coefficients
    losses = np.exp(log_loss + half * np.array([1, 0, -1]))
    n = ((losses - c["E"] - c["B"] * LENGTHS[1] ** -c["beta"]) / c["A"]) ** (-1 / c["alpha"])
    expected, one = np.log(n / SIZES[1]), found.arms[0].pooled["m_n"]
    assert np.log([one.interval[0], one.value, one.interval[1]]) == pytest.approx(expected, abs=0.08 * np.ptp(expected))


def test_the_measured_range_is_the_convex_hull():
    x, y = np.random.default_rng(1).uniform(size=(2, 30))
    for at in (y.min(), 0.3, 0.8, y.max()):
        rule = {"A_eq": [y, np.ones(30)], "b_eq": [at, 1]}
        expected = optimize.linprog(x, **rule).fun, -optimize.linprog(-x, **rule).fun
        assert chord(x, y, at) == pytest.approx(expected, abs=1e-5)
    assert np.isnan(chord(x, y, 1.1)).all()


def test_sunk_and_extra_costs_count_where_they_should():
    made = rows([("distill", 1.0, better(1.5), *INSIDE)], noise=1e-5)
    for one in made:
        if one["technique"] == "distill":
            one |= {"pretrain_flops": one["flops"], "extra_flops": one["flops"] / 2}
    (arm,) = worth(table(made), QUICK).arms
    (free,) = compared(("distill", 1.0, better(1.5), *INSIDE), noise=1e-5).arms
    assert arm.pooled["ceg"].value == pytest.approx(free.pooled["ceg"].value / 1.5, rel=0.01)
    assert arm.pooled["ceg_sunk"].value == pytest.approx(free.pooled["ceg"].value / 2.5, rel=0.01)
    assert arm.pooled["m_n"].value == pytest.approx(free.pooled["m_n"].value)


def test_what_lies_beyond_the_baseline_is_refused_with_the_reason():
    found = compared(("strong", 1.0, better(30.0), SIZES[2:], LENGTHS), ("bad", 1.0, better(0.01), SIZES[:1], LENGTHS))
    bad, strong = found.arms
    assert strong.pooled["m_n"].cells == 0
    assert strong.verdict == "refused"
    for cell in strong.cells:
        assert "below what N up to 1e+06 reaches at D" in cell.worth["m_n"].reason
    assert all("above what N from 1e+04 on reaches" in cell.worth["m_n"].reason for cell in bad.cells)
    (longer,) = compared(("long", 1.0, law_loss, SIZES[:1], [1e9])).arms
    assert longer.cells[0].worth["m_n"].reason == "D is outside the baseline's, 1e+06 to 1e+08"
    (floor,) = compared(("floor", 1.0, lambda n, d: 0.9 * LAW["E"], SIZES[:1], LENGTHS[:1])).arms
    assert "below what any N reaches" in floor.cells[0].worth["m_n"].reason
    assert "below what any C reaches on the baseline's frontier" in floor.cells[0].worth["ceg"].reason
    text = "\n".join(printed.lines(found))
    assert "strong 1" in text
    assert "m_N refused: the loss is below" in text


def test_a_pool_says_how_many_cells_it_rests_on_and_the_best_strength_is_named():
    arms = [("sparsity", s, better(m), SIZES, LENGTHS) for s, m in ((0.25, 1.3), (0.5, 2.5), (0.75, 0.6))]
    found = compared(*arms)
    middle = found.best()["sparsity"]
    assert middle.strength == 0.5
    assert middle.pooled["m_n"].cells == 12  # the largest size has no larger beside it
    text = printed.lines(found)
    assert any(
        line.startswith("sparsity 0.5       16") and "] (12)" in line and line.endswith("better") for line in text
    )
    assert "best strength of sparsity: 0.5 of 3, chosen by pooled m_N" in text


def rates(losses, place=(SIZES[1], LENGTHS[1]), seed=0, technique="tuned"):
    """One row a learning rate; a loss of None diverged."""
    return [
        row(technique, 1.0, *place, seed, loss, learning_rate=rate, status="diverged" if loss is None else "finished")
        for rate, loss in losses.items()
    ]


def test_the_best_rate_counts_where_all_its_seeds_finished():
    base = [one | {"learning_rate": 1e-3, "status": "finished"} for one in rows(noise=1e-4)]
    here = law_loss(SIZES[1], LENGTHS[1])
    tuned = rates({1e-3: here, 2e-3: 0.98 * here, 4e-3: 0.9 * here})
    spiked = [one | {"status": "spiked"} for one in rates({4e-3: 0.9 * here}, seed=1)]
    tuned += [*rates({1e-3: here, 2e-3: 0.98 * here, 8e-3: None}, seed=1), *spiked]
    (arm,) = worth(table(base + tuned), QUICK).arms
    assert arm.cells[0].learning_rate == 2e-3
    assert not arm.cells[0].edge
    assert arm.cells[0].loss == pytest.approx(0.98 * here, rel=1e-3)
    found = worth(table(base + rates({1e-3: here, 2e-3: 0.98 * here})), QUICK)
    assert found.arms[0].cells[0].edge
    assert any("at the edge of those tried in 1 cells: tuned 1 at N" in note for note in found.notes)


def test_runs_that_end_early_are_of_the_cell_that_was_planned():
    made = rows([("early", 1.0, better(1.5), *INSIDE)])
    for one in made:
        one |= {"steps": one["tokens"], "batch_size": 1, "context": 1}
        if one["technique"] == "early":
            share = (0.9, 0.8, 0.85)[one["seed"]]
            one |= {"tokens": share * one["tokens"], "flops": share * one["flops"]}
    (arm,) = worth(table(made), QUICK).arms
    assert [cell.pairs for cell in arm.cells] == [3] * len(arm.cells)
    places = [(cell.n_params, cell.tokens) for cell in arm.cells]
    assert places == sorted(places)
    assert arm.cells[0].flops == pytest.approx(0.85 * 6 * arm.cells[0].n_params * arm.cells[0].tokens)
    assert arm.pooled["m_n"].value == pytest.approx(1.5, rel=0.1)


def test_an_arm_of_which_nothing_finished_is_left_out_by_name():
    made = [one | {"status": "finished"} for one in rows()] + [
        row("blown", 2.0, SIZES[0], LENGTHS[0], 0, None, status="diverged")
    ]
    found = worth(table(made), QUICK)
    (arm,) = found.arms
    assert arm.verdict == "refused"
    assert list(arm.left_out.values()) == ["no learning rate finished at every seed"]
    assert any("left out: no learning rate finished" in line for line in printed.lines(found))
    assert json.dumps(found.to_json())


def test_a_table_without_seeds_takes_its_noise_from_the_law():
    made = rows([("plain", 1.0, better(1.5), *INSIDE)], seeds=1)
    for one in made:
        del one["seed"]
    found = worth(table(made), QUICK)
    assert all(cell.pairs == 0 for cell in found.arms[0].cells)
    assert any("its scatter about the law" in note for note in found.notes)
    assert found.arms[0].pooled["m_n"].value == pytest.approx(1.5, rel=0.1)
    assert 0.005 < np.ptp(np.log(found.arms[0].pooled["m_n"].interval)) < 0.2


def test_without_resamples_there_is_no_interval_and_no_verdict():
    (arm,) = compared(("plain", 1.0, better(1.5), *INSIDE), options=dataclasses.replace(QUICK, bootstrap=0)).arms
    assert arm.verdict == "no interval"
    assert arm.pooled["m_n"].value == pytest.approx(1.5, rel=0.1)


def test_places_that_the_baseline_lacks_are_compared_with_its_law():
    (arm,) = compared(("between", 1.0, better(1.5), SIZES[1:2] * 1.7, LENGTHS[1:3] * 1.3)).arms
    assert [cell.pairs for cell in arm.cells] == [0, 0]
    assert arm.pooled["m_n"].value == pytest.approx(1.5, rel=0.1)
    assert arm.pooled["ceg"].value > 1


@pytest.mark.parametrize(
    ("made", "options", "message"),
    [
        (rows(), {}, "technique is none; allowed: rows of 'none'"),
        ([one | {"technique": "dropout"} for one in rows()], {}, "technique is dropout; allowed"),
        ([{k: v for k, v in one.items() if k != "technique"} for one in rows()], {}, "no column 'technique'"),
        (rows([("x", 1.0, law_loss, *INSIDE)], sizes=SIZES[:1]), {}, "baseline's cells: 4 runs for 5 parameters"),
        (rows([("x", 1.0, law_loss, *INSIDE)]) * 2, {}, "one technique, shape, length, learning rate and seed"),
        ([one | {"task": f"t{k % 2}"} for k, one in enumerate(rows())], {}, "task is t0, t1; allowed: one"),
        (rows([("x", 1.0, law_loss, *INSIDE)]), {"law": "power"}, "no loss over N and D alone"),
        (rows([("x", 1.0, law_loss, *INSIDE)]), {"interval": "profile"}, "allowed: bootstrap"),
        (rows([("x", 1.0, law_loss, *INSIDE)]), {"holdout": "4"}, "holdout: '4'"),
        (rows([("x", 1.0, law_loss, *INSIDE)]), {"weights": "tokens^0.5"}, "allowed: seed_noise, none"),
    ],
)
def test_what_cannot_be_compared_is_said_in_one_line(made, options, message):
    with pytest.raises((DataError, ConfigError), match=message) as error:
        worth(table(made), dataclasses.replace(QUICK, **options))
    assert "\n" not in str(error.value)


def test_the_command_line_with_figures(tmp_path):
    arms = [("sparsity", s, better(m), *INSIDE) for s, m in ((0.25, 1.3), (0.5, 1.6))]
    made = rows([*arms, ("dropout", 0.1, law_loss, SIZES[1:2], LENGTHS[:1])])
    with open(tmp_path / "runs.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, ["kind", "strength", "n_params", "tokens", "flops", "seed", "loss"])
        writer.writeheader()
        writer.writerows({"kind": one.pop("technique"), **one} for one in made)
    words = ["--columns=technique=kind", "--bootstrap=100", "--objective=log_mse", f"--runs={tmp_path / 'runs.csv'}"]
    words += [f"--out={tmp_path / 'worth.json'}", f"--figures={tmp_path / 'figures'}"]
    done = subprocess.run(
        [sys.executable, "-m", "analysis.technique", *words], capture_output=True, text=True, check=True
    )
    assert "best strength of sparsity: 0.5 of 2" in done.stdout
    found = json.loads((tmp_path / "worth.json").read_text())
    assert [arm["technique"] for arm in found["arms"]] == ["dropout", "sparsity", "sparsity"]
    assert found["best"] == {"dropout": 0.1, "sparsity": 0.5}
    with open(tmp_path / "figures" / "technique_forest.csv") as file:
        drawn = {(one["layer"], round(float(one["y"]))): one for one in csv.DictReader(file) if one["kind"] == "spans"}
    pooled = found["arms"][2]["pooled"]["m_n"]
    first = drawn["m_N", 0]
    assert [float(first[key]) for key in ("x", "low", "high")] == [pooled["value"], *pooled["interval"]]
    names = {path.name for path in (tmp_path / "figures").iterdir()}
    assert names >= {f"technique_{name}_over_compute.png" for name in ("m_n", "ceg")} | {"technique_cells.csv"}
    bad = subprocess.run(
        [sys.executable, "-m", "analysis.technique", f"--runs={tmp_path / 'runs.csv'}"], capture_output=True, text=True
    )
    assert bad.returncode == 2
    assert "no column 'technique'" in bad.stderr


def test_figures_name_every_row_inside_the_page():
    found = compared(*[(f"a rather long technique {k}", 0.5, better(1.5), *INSIDE) for k in range(9)])
    for build in figures.BUILDERS:
        figure = static.render(build(found))
        figure.draw_without_rendering()
        inside = figure.bbox
        for ax in figure.axes:
            for label in [*ax.get_yticklabels(), ax.xaxis.label, ax.title]:
                box = label.get_window_extent()
                assert box.x0 >= inside.x0 - 1
                assert box.x1 <= inside.x1 + 1
