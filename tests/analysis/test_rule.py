"""Rules fitted to planted minima, and their file read by the planner."""

import json
import math

import numpy as np
import pytest

from analysis import rule
from analysis.interior_settings import cells, minimum
from analysis.load import DataError, Runs
from scaling_laws.sweep import rule as planner

SIZES, LENGTHS = (1e4, 4e4, 1.6e5), (1e6, 8e6)


def best_rate(n, d):
    return 3.0 * n**-0.6 * d**0.1


def best_batch(n, d):
    return 0.4 * d**0.5


def swept(points=None, factors=(0.25, 0.5, 1, 2, 4), batches=(0.25, 0.5, 1, 2, 4), noise=0.0, shared=True, **columns):
    """Losses quadratic in ln lr and ln batch about planted minima, off the grid of what is tried by a random share.

    `shared`: a single batch is the same one everywhere.
    """
    rng, rows = np.random.default_rng(0), []
    for n, d in points or [(n, d) for n in SIZES for d in LENGTHS]:
        shift = 2 ** rng.uniform(-0.3, 0.3)
        for part in batches:
            batch = 512.0 if shared and len(batches) == 1 else best_batch(n, d) * part * shift
            for factor in factors:
                rate = best_rate(n, d) * factor * shift
                away = math.log(rate / best_rate(n, d)) ** 2 + math.log(batch / best_batch(n, d)) ** 2
                loss = 2 + 50 * n**-0.3 + 0.02 * away + noise * rng.normal()
                rows.append((n, d, rate, batch, loss))
    names = ("n_params", "tokens", "learning_rate", "batch_tokens", "loss")
    table = {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    return Runs(table | {name: np.full(len(rows), value) for name, value in columns.items()})


def test_a_parabola_of_few_points():
    values = np.array([1.0, 2.0, 4.0, 8.0])
    found = minimum(values, 3 + np.log(values / 2.5) ** 2)
    assert found.value == pytest.approx(2.5)
    assert found.loss == pytest.approx(3.0)
    assert "edge" in minimum(values, values).reason
    assert minimum(values, values).value == 1.0
    assert "edge" in minimum(values, -values).reason
    assert "only 2" in minimum(values[:2], values[:2]).reason
    far = np.geomspace(1e-3, 1e3, 31)  # only what lies around the lowest counts
    assert minimum(far, np.abs(np.log(far / 2.5)) ** 1.2).value == pytest.approx(2.5, rel=0.1)


def test_planted_exponents_come_back():
    found = rule.rule(swept(noise=1e-5, parametrization="standard", optimizer="sgd"))
    rate, batch = found["learning_rate"], found["batch_tokens"]
    assert rate["exponents"] == pytest.approx({"n_params": -0.6, "tokens": 0.1}, abs=0.005)
    assert rate["coefficient"] == pytest.approx(3.0, rel=0.05)
    assert batch["exponents"] == pytest.approx({"n_params": 0.0, "tokens": 0.5}, abs=0.005)
    assert batch["coefficient"] == pytest.approx(0.4, rel=0.05)
    assert rate["intervals"]["n_params"][0] < -0.6 < rate["intervals"]["n_params"][1]
    assert rate["points"] == 6
    assert (found["parametrization"], found["optimizer"]) == ("standard", "sgd")
    assert found["range"]["n_params"] == [1e4, 1.6e5]
    assert not found["left_out"]


def test_the_planner_reads_what_is_written(tmp_path):
    from analysis.summary import write_json

    found = rule.rule(swept())
    write_json(tmp_path / "rule.json", found)
    read = planner.read(str(tmp_path / "rule.json"))
    assert read.learning_rate(2e4, 3e6) == pytest.approx(best_rate(2e4, 3e6), rel=1e-3)
    assert read.batch_tokens(2e4, 3e6) == pytest.approx(best_batch(2e4, 3e6), rel=1e-3)
    assert read.source.endswith(f"fitted to {found['source']['table']}")
    assert read.ranges["tokens"] == (1e6, 8e6)
    assert rule.FORMAT == planner.FORMAT


def test_one_batch_gives_no_law_of_it():
    found = rule.rule(swept(batches=(1,)))
    assert found["batch_tokens"] is None
    assert found["learning_rate"]["exponents"]["n_params"] == pytest.approx(-0.6, abs=0.005)


def test_edges_are_listed_and_left_out():
    good = swept(batches=(1,))
    bad = swept([(4e5, 1e6)], factors=(2, 4, 8), batches=(1,))
    both = Runs({name: np.concatenate([good[name], bad[name]]) for name in good.columns})
    found = rule.rule(both)
    (left,) = found["left_out"]
    assert left["n_params"] == 4e5
    assert "edge" in left["reason"]
    assert found["learning_rate"]["points"] == 6
    assert any("left out: N 4e+05" in line for line in rule.lines(found))
    with pytest.raises(DataError, match="none of 1 shapes has an interior best rate"):
        rule.rule(bad)
    with pytest.raises(DataError, match="two learning rates"):
        rule.rule(swept(factors=(1,), batches=(1,)))


def test_an_edge_of_the_batch_leaves_the_cell_out():
    found = cells(swept([(1e4, 1e6)], batches=(2, 4, 8)))
    assert found[0].reason.startswith("batch: ")


@pytest.mark.parametrize(
    "points, fixed",
    [
        ([(n, 1e6) for n in SIZES], {"tokens": "varies 1-fold, less than 4"}),
        ([(1e4, d) for d in LENGTHS], {"n_params": "varies 1-fold, less than 4"}),
        ([(n, 20 * n) for n in SIZES], {"tokens": "varies with N (correlation 1.000)"}),
        ([(1e4, 1e6)], {"n_params": "varies 1-fold", "tokens": "varies 1-fold"}),
        ([(1e4, 1e6), (1e5, 1e7)], {"tokens": "2 points"}),
    ],
)
def test_exponents_that_the_points_cannot_tell_are_fixed_aloud(points, fixed):
    law = rule.rule(swept(points, batches=(1,)))["learning_rate"]
    assert law["fixed"].keys() == fixed.keys()
    for name, why in fixed.items():
        assert law["fixed"][name].startswith(why)
        assert law["exponents"][name] == 0
    for n, d in points:  # on the line that was measured it is right all the same
        said = law["coefficient"] * n ** law["exponents"]["n_params"] * d ** law["exponents"]["tokens"]
        assert said == pytest.approx(best_rate(n, d), rel=1e-3)


def test_seeds_that_were_tried_at_fewer_rates_do_not_count():
    whole = swept([(1e4, 1e6)], batches=(1,), seed=0)
    lucky = {name: values[2:3] for name, values in whole.columns.items()} | {"seed": np.array([1])}
    lucky["loss"] = whole["loss"][2:3] - 1.0
    both = Runs({name: np.concatenate([whole[name], lucky[name]]) for name in whole.columns})
    assert cells(both)[0].learning_rate == pytest.approx(cells(whole)[0].learning_rate)


def test_the_hash_is_of_the_numbers():
    runs = swept()
    turned = Runs({name: values[::-1] for name, values in runs.columns.items()})
    assert rule.table_hash(runs) == rule.table_hash(turned)
    assert rule.table_hash(runs) != rule.table_hash(swept(noise=1e-9))


def test_mixed_parametrisations_are_refused():
    one, two = swept(parametrization="standard"), swept(parametrization="mup", base_width=32.0)
    both = Runs({name: np.concatenate([one[name], two[name]]) for name in one.columns})
    with pytest.raises(DataError, match="parametrization is mup, standard; allowed: one"):
        rule.rule(both)


def test_a_base_is_one_and_is_said():
    found = rule.rule(swept(parametrization="mup", base_width=32.0, base_depth=0.0))
    assert (found["base_width"], found["base_depth"]) == (32, 0)
    assert "for mup (base width 32) with" in rule.lines(found)[-1]
    one, two = (swept(parametrization="mup", base_width=width) for width in (32.0, 64.0))
    both = Runs({name: np.concatenate([one[name], two[name]]) for name in one.columns})
    with pytest.raises(DataError, match="base_width is 32, 64; allowed: one"):
        rule.rule(both)
    for base in ({}, {"base_width": np.nan}):
        with pytest.raises(DataError, match="base_width is 0 or missing under mup; allowed: the base"):
            rule.rule(swept(parametrization="mup", **base))


def test_batches_that_differ_between_cells_alone_are_refused():
    with pytest.raises(DataError, match="batches differ between shapes"):
        rule.rule(swept(batches=(1,), shared=False))


def test_from_the_command_line(tmp_path, capsys):
    import argparse

    runs = swept(noise=1e-5)
    rows = [{name: float(values[i]) for name, values in runs.columns.items()} for i in range(len(runs))]
    (tmp_path / "runs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    given = {"runs": str(tmp_path / "runs.jsonl"), "columns": None, "where": "n_params < 1e5", "level": 0.9}
    rule.run(argparse.Namespace(**given, out=str(tmp_path / "rule.json")))
    said, found = capsys.readouterr().out, json.loads((tmp_path / "rule.json").read_text())
    assert "learning_rate = " in said
    assert found["source"]["command"].endswith("runs.jsonl --where=n_params < 1e5")
    assert found["learning_rate"]["points"] == 4
    assert planner.read(str(tmp_path / "rule.json")).optimizer == "adamw"
