"""Porian et al. 2024: the ten exponents of the staircase, and what the analysis chooses after the fact."""

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from known import HOFFMANN, isoflop_runs

from analysis import conventions
from analysis.figures.chart import Layer
from experiments.reproduce import tables, told
from experiments.reproduce.entry import Own
from experiments.reproduce.papers import porian, porian_own


def test_the_staircase_meets_every_published_exponent(verdicts, tmp_path):
    found = verdicts("porian", "--bootstrap=50", files=porian.FILES)["1"]
    assert set(found.agrees.values()) == {"yes"}
    assert len(found.agrees) == 20
    for corpus, exponents in porian.EXPONENTS.items():
        for setting, value in zip(tables.PORIAN_SETTINGS, exponents, strict=True):
            assert found.here[f"a, {corpus}, {setting}: from their minima"] == pytest.approx(value, abs=1e-4)
        slopes = [
            found.here[f"a, {corpus}, {setting}: Akima minima of their points"] for setting in tables.PORIAN_SETTINGS
        ]
        assert slopes == sorted(slopes, reverse=True)
        assert slopes[0] > 0.8
        assert slopes[-1] < 0.53
    pictures = {path.name for path in (tmp_path / "porian" / "1").glob("*.png")}
    assert pictures == {"staircase.png", "minima.png"}


def test_what_the_head_takes_off_the_exponent_of_planted_runs(table):
    runs = isoflop_runs((1e15, 1e16, 1e17, 1e18, 1e19), 6, points=7, noise=2e-4)
    inner = np.geomspace(1e3, 1e12, 5000)
    bare = np.exp(np.interp(np.log(runs["n_params"]), np.log(conventions.with_embedding(inner)), np.log(inner)))
    columns = {"n_non_embedding": bare, "flops_non_embedding": 6 * bare * runs["tokens"]}
    columns |= {"n_effective": 1.1 * runs["n_params"], "flops_effective": 1.1 * runs["flops"]}
    path = table(runs.with_columns(**columns))
    result = porian.conventions(Own("smoke", {"text": path}, 40))
    found = {one.name: one for one in result.quantities}
    exact = HOFFMANN["beta"] / (HOFFMANN["alpha"] + HOFFMANN["beta"])
    whole = found[f"a by the law, {porian.WHOLE}"]
    assert whole.here == pytest.approx(exact, abs=0.01)
    assert found[f"a by the law, {porian.ATTENTION}"].here == pytest.approx(
        whole.here, abs=1e-6
    )  # a factor is no power
    assert found[f"a by parabolas, {porian.WHOLE}"].here == pytest.approx(exact, abs=0.01)
    fall = found["what counting embedding and head takes off a"]
    assert fall.interval[0] > 0.02
    assert fall.here == pytest.approx(found[f"a by the law, {porian.NEITHER}"].here - whole.here)
    spans, known = result.drawings[0].panels[0].layers
    assert isinstance(spans, Layer)
    assert (len(spans.x), len(known.x)) == (6, 3)
    np.testing.assert_array_less(spans.low, spans.x)


def test_the_staircase_of_own_runs_from_the_kept_ones(reproduce, capsys):
    kept = Path(__file__).parents[2] / "docs" / "results"
    assert reproduce("--paper=porian", "--figure=1", f"--data={kept}", "--bootstrap=100") == 0
    with (reproduce.out / "porian" / "1" / told.FILE).open(newline="") as file:
        rows = {row["quantity"]: row for row in csv.DictReader(file)}
    steps = [float(rows[f"a: {step.mend}"]["here"]) for step in porian_own.STEPS]
    taken = [float(rows[f"taken off a: {step.mend}"]["here"]) for step in porian_own.STEPS[1:]]
    assert taken == pytest.approx([before - after for before, after in itertools.pairwise(steps)], abs=1e-5)
    assert min(taken) > 0  # every mend in the published direction
    parabolas = [float(rows[f"taken off a: {step.mend}, by parabolas"]["here"]) for step in porian_own.STEPS[1:]]
    assert min(parabolas) > 0
    assert "rates tuned" in capsys.readouterr().out
