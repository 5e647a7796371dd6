"""Sensitivity to the rate: planted runs with and without what helps, and the recipe behind them."""

import json
import math
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from analysis.load import DataError
from experiments.reproduce.entry import NO, YES, Own
from experiments.reproduce.papers import wortsman
from experiments.reproduce.recipes import stability
from scaling_laws.config import replace
from scaling_laws.sweep import study

KEPT = Path(__file__).parents[2] / "docs" / "results" / "stability"
RATES = (0.001, 0.01, 0.1, 1.0)


def rows(steepness, spiked=()):
    """A row a run: losses 2 + steepness ln(width)/ln(16) log10(rate / .001)^2; seed 1 lies .01 higher. `steepness`: arm
    -> number; at (arm, width, rate) of `spiked` a run is no finished one."""
    for arm, much in steepness.items():
        for width in (16, 32):
            for seed in (0, 1):
                for rate in RATES:
                    loss = 2 + 0.01 * seed + much * math.log(width) / math.log(16) * math.log10(rate / 0.001) ** 2
                    yield {"run_id": f"{arm} {width} {seed} {rate}", "arm": arm, "width": width, "seed": seed,
                           "learning_rate": rate, "loss": loss,
                           "status": "spiked" if (arm, width, rate) in spiked else "finished"}  # fmt: skip


def workdir(tmp_path, given):
    """A folder with the tables of a sweep, as far as the figure reads them."""
    settings = {"neither": {}, "qk-norm": {"model.qk_norm": True}, "z-loss": {"train.z_loss": 1e-4}}
    constant = {"parametrization": "standard", "depth": 2, "steps": 100, "tokens": 6400.0, "vocab_size": 256}
    runs = [
        {name: value for name, value in row.items() if name != "arm"}
        | constant
        | {"n_params": 100.0 * row["width"], "config": json.dumps(settings[row["arm"]])}
        for row in given
    ]
    points = [
        {"run_id": row["run_id"], "step": step, "flops": float(step), "loss": 3.0,
         "attention_logits": [step * row["learning_rate"], 0.0]}
        for row in runs for step in (1, 100)
    ]  # fmt: skip
    for name, lines in (("runs", runs), ("curves", points)):
        parquet.write_table(pyarrow.Table.from_pylist(lines), tmp_path / f"{name}.parquet")
    return tmp_path


def result_of(path):
    result = wortsman.sensitivity(Own("cpu", {wortsman.SWEEP: path}, 20))
    return {one.name: one for one in result.quantities}, result


@pytest.fixture
def read(tmp_path, monkeypatch):
    """`read(given)`: quantities and result of a figure of those rows."""
    from analysis import load

    def read(given):
        folder = workdir(tmp_path, given)
        whole, curves = load.load, load.load_curves
        monkeypatch.setattr(load, "load", lambda path, **options: whole(path / "runs.parquet", **options))
        monkeypatch.setattr(load, "load_curves", lambda path: curves(path / "curves.parquet"))
        return result_of(folder)

    return read


def test_planted_sensitivities_come_back(read):
    found, result = read(rows({"neither": 0.4, "qk-norm": 0.1, "z-loss": 0.4}))
    squares = np.mean([0, 1, 4, 9])
    top = math.log(32) / math.log(16)
    cut = np.minimum(0.4 * top * np.array([0, 1, 4, 9]), math.log(256) - 2).mean()  # at the loss of guessing
    assert found["sensitivity at N 3.2e+03, qk-norm"].here == pytest.approx(0.1 * top * squares)
    assert found["sensitivity at N 3.2e+03, neither"].here == pytest.approx(cut, abs=0.01)
    less = found["sensitivity at N 3.2e+03, qk-norm less neither"]
    assert (less.here, less.agrees) == (pytest.approx(0.1 * top * squares - cut, abs=0.01), YES)
    assert found["sensitivity at N 3.2e+03, z-loss less neither"].here == pytest.approx(0)
    exponent = found["exponent of the sensitivity in N, qk-norm"]
    assert exponent.here == pytest.approx(math.log2(top))
    losses, _, logits = result.drawings
    assert [panel.title for panel in losses.panels] == ["neither", "qk-norm", "z-loss"]
    for panel in logits.panels:
        points = next(layer for layer in panel.layers if layer.kind == "points")
        np.testing.assert_allclose(points.y, 100 * np.array(RATES))  # the largest on the curve


def test_the_kept_runs_are_less_sensitive_with_normalised_queries_and_keys(verdicts):
    found = verdicts("wortsman", f"--data={KEPT}")["1"]
    assert found["sensitivity at N 1.3e+05, qk-norm less neither"] == ("yes", pytest.approx(-0.124, abs=1e-3))
    assert abs(found.here["sensitivity at N 1.3e+05, z-loss less neither"]) < 0.03


def test_what_does_not_help_does_not_agree(read):
    found, _ = read(rows({"neither": 0.1, "qk-norm": 0.2}))
    less = found["sensitivity at N 3.2e+03, qk-norm less neither"]
    assert less.agrees == NO
    assert less.why


def test_a_run_that_spiked_counts_with_the_loss_at_which_it_ended(read):
    steepness = {"neither": 0.2, "qk-norm": 0.1}
    found, _ = read(rows(steepness, spiked={("neither", 32, 1.0)}))
    top, squares = math.log(32) / math.log(16), np.mean([0, 1, 4, 9])
    assert found["sensitivity at N 3.2e+03, neither"].here == pytest.approx(0.2 * top * squares)


def test_one_arm_alone_is_refused(read):
    with pytest.raises(DataError, match=r"with and without model\.qk_norm"):
        read(rows({"neither": 0.2}))


@pytest.mark.parametrize("scale, runs", [("smoke", 2 * 5 * 2), ("cpu", 3 * 7 * 3)])
def test_the_arms_of_a_recipe_share_seeds_rates_and_shapes(scale, runs):
    config = stability.config(scale)
    plans = [study.plan_sweep(replace(config, changes)).runs for changes in stability.ARMS.values()]
    assert [len(plan) for plan in plans] == [runs] * 3
    assert len({one.run_id for plan in plans for one in plan}) == 3 * runs
    first, *others = [
        {(one.run.model.width, one.run.train.seed, one.run.optimizer.learning_rate) for one in plan} for plan in plans
    ]
    assert others == [first, first]
