"""Laws ranked by what they foretell: on surfaces whose law is known the right one wins, and scores are by hand."""

import json

import numpy as np
import pytest
from known import isoflop_runs
from test_fit import run_command

from analysis import compare
from analysis.load import DataError, runs_from
from analysis.options import Options
from scaling_laws.config import ConfigError

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


def test_the_law_behind_the_runs_wins():
    runs = isoflop_runs(BUDGETS, 6, points=8, noise=0.002)
    result = compare.compare(runs, options=Options(holdout="budgets=1"))
    assert result.best.name == "chinchilla"
    assert {one.name for one in result.contenders} == {
        "best loss so far", "power of C through the best losses", *compare.ALWAYS,
    }  # fmt: skip
    assert len(result.held_out) == 8
    errors = [one.rms_log_error for one in result.contenders]
    assert errors == sorted(errors)
    assert result.best.rms_log_error < 0.005


def test_kaplans_law_wins_where_it_holds():
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e5, 1e9, 8), np.geomspace(1e7, 1e11, 8)))
    loss = ((6.4e13 / n) ** (0.076 / 0.103) + 1.8e13 / d) ** 0.103 * np.exp(
        0.001 * np.random.default_rng(0).normal(size=64)
    )
    result = compare.compare(runs_from({"n_params": n, "tokens": d, "loss": loss}), ("chinchilla", "kaplan"))
    assert result.best.name == "kaplan"


def test_the_error_is_that_of_the_logarithm_and_coverage_is_a_share():
    runs = isoflop_runs(BUDGETS, 6, points=8, noise=0.005, seed=3)
    result = compare.compare(runs, ("chinchilla",), Options(holdout="4", bootstrap=100))
    law = next(one for one in result.contenders if one.fit)
    error = np.log(law.fit.predict(result.held_out["n_params"], result.held_out["tokens"]) / result.held_out["loss"])
    assert law.rms_log_error == pytest.approx(np.sqrt(np.mean(error**2)))
    assert law.mean_log_error == pytest.approx(error.mean())
    assert 0 <= law.coverage <= 1
    naive = next(one for one in result.contenders if one.name == "best loss so far")
    best = result.fitted["loss"][result.fitted["budget"] == 1e21].min()
    assert naive.mean_log_error == pytest.approx(np.mean(np.log(best / result.held_out["loss"])))


def test_repeated_data_brings_its_law():
    runs = isoflop_runs(BUDGETS, 6, points=8)
    assert "data_constrained" not in compare.default_laws(runs)
    assert "data_constrained" in compare.default_laws(runs.with_columns(unique_tokens=runs["tokens"] / 3))


def test_laws_are_parted_at_commas_outside_parentheses():
    text = "chinchilla, power_sum(width,depth,tokens) ,m2(tokens)"
    assert compare.parse_laws(text) == ("chinchilla", "power_sum(width,depth,tokens)", "m2(tokens)")


def test_what_cannot_be_compared():
    runs = isoflop_runs(BUDGETS, 6, points=8)
    with pytest.raises(ConfigError, match="laws of loss"):
        compare.compare(runs, ("learning_rate",))
    with pytest.raises(DataError, match="no column 'width'"):
        compare.compare(runs, ("power_sum(width,tokens)",))
    result = compare.compare(runs, ("chinchilla", "power_sum(width,tokens)"))
    assert "no column 'width'" in result.absent["power_sum(width,tokens)"]


def test_the_command(tmp_path):
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.003)
    table = np.column_stack([runs[name] for name in ("n_params", "tokens", "loss")])
    np.savetxt(tmp_path / "runs.csv", table, delimiter=",", header="N,D,loss", comments="")
    common = ("analysis.compare", f"--runs={tmp_path / 'runs.csv'}", "--columns=n_params=N,tokens=D")
    done = run_command(*common, "--laws=chinchilla,power", f"--out={tmp_path / 'ranking.json'}")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[2].split()[0] == "chinchilla"
    data = json.loads((tmp_path / "ranking.json").read_text())
    assert data["ranking"][0]["name"] == "chinchilla"
    failed = run_command(*common, "--laws=chinchila")
    assert failed.returncode == 2
    assert len(failed.stderr.strip().splitlines()) == 1
