"""Arms of a real study: their intervals against the law that made the runs, and one line for bad input."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from analysis.design import arms
from analysis.design.result import Target
from analysis.design.simulate import Truth
from analysis.figures import design_arms
from analysis.fitting import fit
from analysis.frontier import SIX_N_D, Frontier
from analysis.load import Runs
from analysis.options import Options
from scaling_laws.config import ConfigError

ROOT = Path(__file__).parents[3]
TRUTH = Truth()
AT = {"flops": 1.6e13}
OPTIONS = Options(bootstrap=100)


def repeated(seeds, rng):
    """Runs on one grid over N and D, so many of each."""
    n_params, tokens = (
        np.repeat(axis.ravel(), seeds) for axis in np.meshgrid(np.geomspace(1e4, 1e6, 4), np.geomspace(1e6, 1e8, 4))
    )
    return TRUTH.runs(n_params, tokens, rng)


@pytest.fixture(scope="module")
def study():
    """The runs there were, one seed and nine seeds of the same further grid, and the arms."""
    rng = np.random.default_rng(3)
    runs, few, many = TRUTH.first(rng), repeated(1, rng), repeated(9, rng)
    found = [arms.arm(n, runs, new, AT, OPTIONS) for n, new in ((arms.ALONE, None), ("many", many), ("few", few))]
    return runs, few, many, found


def test_an_interval_shrinks_as_the_root_of_the_runs(study):
    _, few, many, (alone, more, less) = study
    runs_in_all = len(study[0]) + np.array([len(many), len(few)])
    assert more.half_width / less.half_width == pytest.approx(np.sqrt(runs_in_all[1] / runs_in_all[0]), rel=0.4)
    assert less.half_width < alone.half_width
    assert more.flops == pytest.approx(9 * less.flops) == pytest.approx(many["flops"].sum())
    assert len(few) == 16


def test_the_law_behind_the_runs_is_near(study):
    true = float(Frontier(dict(TRUTH.law), SIX_N_D).loss(AT["flops"]))
    for one in study[3]:
        assert abs(np.log(one.estimate / true)) < 2.5 * one.half_width
        assert one.interval[0] < one.interval[1]
        assert np.log(one.interval[1] / one.interval[0]) / 2 == pytest.approx(one.half_width)


def test_an_arm_is_the_fit_to_both_tables(study):
    runs, few, _, (_, _, less) = study
    both = Runs({name: np.concatenate([runs[name], few[name]]) for name in runs.columns})
    law = fit(both, bootstrap=100)
    assert less.fit.coefficients == law.coefficients
    exponent = arms.arm("few", runs, few, {}, OPTIONS)
    assert exponent.estimate == law.frontier.a
    assert exponent.interval == law.frontier.intervals["a"]
    assert exponent.half_width == pytest.approx(np.ptp(exponent.interval) / 2)


def test_seen_runs_stand_beside_the_law_at_their_own_n_and_d(study):
    found = study[3]
    later = TRUTH.runs(np.array([2e6, 1e6]), np.array([1e8, 1e8]), np.random.default_rng(0))
    seen = arms.seen_by(found, later)
    assert [one.flops for one in seen] == [6e14, 1.2e15]
    law = found[1].fit.coefficients
    expected = law["E"] + law["A"] / 1e6 ** law["alpha"] + law["B"] / 1e8 ** law["beta"]
    assert seen[0].foretold["many"] == pytest.approx(expected)
    text = "\n".join(arms.lines(found, seen, "loss"))
    assert f"many over few: {found[1].half_width / found[2].half_width:.3f}" in text


def test_the_figure_shows_the_runs_and_both_intervals(study):
    runs, few, many, found = study
    drawing = design_arms.build(found, runs, Target("loss", AT), few)
    places, losses, widths = drawing.panels
    assert [len(layer.x) for layer in places.layers] == [len(runs), len(many), len(few)]
    band = {layer.name: layer for layer in losses.layers}["many, interval"]
    line = {layer.name: layer for layer in widths.layers}["many"]
    assert np.log(band.high / band.low) / 2 == pytest.approx(line.y)
    at = np.argmin(abs(np.log(line.x / AT["flops"])))
    assert line.y[at] == pytest.approx(found[1].half_width, rel=0.2)


def test_tables_share_their_columns():
    first = Runs({"loss": np.ones(2), "seed": np.zeros(2)})
    second = Runs({"loss": np.zeros(1), "width": np.ones(1)})
    both = arms.together(first, second)
    assert list(both.columns) == ["loss"]
    assert both["loss"].tolist() == [1, 1, 0]


@pytest.mark.parametrize("text", ["", "design=runs", "a=x,a=y", "a=x,b", f"{arms.ALONE}=x,b=y", "=x,b=y"])
def test_arms_are_names_and_tables(text):
    with pytest.raises(ConfigError, match=r"--arms: .*; allowed: "):
        arms.parse_arms(text)
    assert arms.parse_arms("design=runs/a, even grid=runs/b") == {"design": "runs/a", "even grid": "runs/b"}


def written(runs, path):
    rows = zip(*(runs[name].tolist() for name in ("n_params", "tokens", "loss")), strict=True)
    path.write_text("n_params,tokens,loss\n" + "\n".join(",".join(map(repr, row)) for row in rows) + "\n")
    return path


def test_the_command(study, tmp_path):
    runs, few, many, _ = study
    tables = [written(t, tmp_path / f"{n}.csv") for n, t in (("runs", runs), ("few", few), ("many", many))]
    base = [sys.executable, "-m", "analysis.design.arms", f"--runs={tables[0]}"]
    base += [f"--arms=many={tables[2]},few={tables[1]}", "--bootstrap=20"]
    outputs = [f"--figures={tmp_path}", f"--out={tmp_path / 'arms.json'}", f"--seen={tables[1]}"]
    done = subprocess.run([*base, "--at=flops=1.6e13", *outputs], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "many over few: 0." in done.stdout
    found = json.loads((tmp_path / "arms.json").read_text())
    assert [one["runs"] for one in found["arms"]] == [0, 144, 16]
    assert len(found["seen"]) == 16
    assert {"design_arms.png", "design_arms.svg", "design_arms.csv"} <= {path.name for path in tmp_path.iterdir()}
    for wrong, message in (
        (["--at=n_params=1e6,tokens=1e8"], "allowed: flops=1e14 with --target=loss"),
        (["--target=exponent", "--at=flops=1e13"], "none with --target=exponent"),
        (["--at=flops=1.6e13", "--bootstrap=0"], "--bootstrap: 0; allowed: 1 or more"),
    ):
        done = subprocess.run([*base, *wrong], capture_output=True, text=True, cwd=ROOT)
        assert done.returncode == 2
        assert message in done.stderr.splitlines()[-1]
