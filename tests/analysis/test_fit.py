"""The fit as a whole: known answers, JSON there and back, held-out scores, and the command line."""

import json
import subprocess
import sys

import numpy as np
import pytest
import truths
from known import CHINCHILLA_COLUMNS, HOFFMANN, chinchilla_points, isoflop_runs, published, surface

from analysis import laws, summary
from analysis.fit import Fit, fit
from analysis.load import DataError, Runs, runs_from
from analysis.options import Options
from analysis.study import study_of
from scaling_laws.config import ConfigError

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


def test_the_frontier_of_the_published_points():
    result = fit(chinchilla_points())
    assert result.frontier.a == pytest.approx(0.5139, abs=5e-4)
    assert result.n_points == 240
    assert result.frontier.name == "exponent"
    assert result.intervals == {}


def test_predictions_follow_the_law_and_its_samples():
    runs = isoflop_runs(BUDGETS, 6, noise=0.003)
    result = fit(runs, bootstrap=40)
    n, d = np.array([1e8, 1e9]), np.array([1e10, 1e11])
    assert result.predict(n, d) == pytest.approx(surface(n, d, result.coefficients))
    samples = result.predict_samples(n, d)
    assert samples.shape == (40, 2)
    first = {name: values[0] for name, values in result.samples.items()}
    assert samples[0] == pytest.approx(surface(n, d, first))
    assert result.predict_samples(1e8, 1e10).shape == (40,)
    assert result.intervals["alpha"][0] < result.coefficients["alpha"] < result.intervals["alpha"][1]


def test_same_seed_same_intervals():
    runs = isoflop_runs(BUDGETS, 6, noise=0.003)
    assert fit(runs, bootstrap=20).intervals == fit(runs, bootstrap=20).intervals
    assert fit(runs, bootstrap=20).intervals != fit(runs, bootstrap=20, seed=1).intervals


@pytest.mark.parametrize("law", list(laws.LAWS))
def test_every_law_fits_and_survives_json(law):
    x, noise = truths.inputs(), np.exp(0.003 * np.random.default_rng(1).standard_normal(40))
    target = laws.get(law).target
    runs = Runs({**x, target: truths.value(law, truths.COEFFICIENTS[law], x) * noise})
    result = fit(runs, law=law, bootstrap=5)
    again = Fit.from_json(json.loads(json.dumps(result.to_json())))
    assert again.to_json() == result.to_json()
    inputs = {name: runs[name] for name in laws.get(law).inputs}
    assert again.predict(**inputs) == pytest.approx(result.predict(**inputs), rel=1e-12)
    assert np.log(result.predict(**inputs) / runs[target]) == pytest.approx(0, abs=0.02)
    assert result.predict_samples(**inputs).shape == (5, 40)
    if result.frontier:
        assert again.frontier.loss_samples(np.array([1e20])) == pytest.approx(
            result.frontier.loss_samples(np.array([1e20]))
        )


def test_constants_are_held_where_they_are_told():
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.003)
    result = fit(runs, fixed={"alpha": 0.3, "E": 1.5})
    assert (result.coefficients["alpha"], result.coefficients["E"]) == pytest.approx((0.3, 1.5))
    assert result.objective["value"] > fit(runs).objective["value"]
    with pytest.raises(ConfigError, match="no 'gamma'"):
        fit(runs, fixed={"gamma": 0.3})
    with pytest.raises(ConfigError, match="cannot be held alone"):
        fit(runs, law="kaplan", fixed={"alpha_N": 0.1})


def test_compute_that_is_not_6nd_moves_the_frontier():
    base = isoflop_runs(BUDGETS, 6)
    flops = 50 * base["n_params"] ** 0.9 * base["tokens"]
    result = fit(base.with_columns(flops=flops))
    alpha, beta = HOFFMANN["alpha"], HOFFMANN["beta"]
    assert result.frontier.a == pytest.approx(beta / (alpha + 0.9 * beta), rel=1e-6)


def test_a_narrow_range_is_called_a_local_slope():
    assert fit(isoflop_runs((1e18, 2e18, 4e18), 6)).frontier.name == "local slope"


def test_a_floor_that_the_runs_do_not_show_is_said_to_be_unidentified():
    n, d = (axis.ravel() for axis in np.meshgrid(np.geomspace(1e5, 1e7, 6), np.geomspace(1e7, 1e9, 6)))
    steep = {"E": 1e-9, "A": 20.0, "B": 60.0, "alpha": 0.15, "beta": 0.2}
    noise = np.exp(0.002 * np.random.default_rng(2).standard_normal(36))
    result = fit(runs_from({"n_params": n, "tokens": d, "loss": surface(n, d, steep) * noise}), bootstrap=30)
    assert result.unidentified == ("E",)
    assert any("E is not identified" in note for note in result.notes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"law": "chinchill"}, "did you mean chinchilla"),
        ({"objective": "l1"}, "allowed: huber"),
        ({"interval": "jackknife"}, "allowed: bootstrap, bca, profile, delta"),
    ],
)
def test_unknown_settings_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        fit(isoflop_runs(BUDGETS, 6), **settings)


def test_too_few_runs_are_refused():
    runs = isoflop_runs((1e18,), 6, points=4)
    with pytest.raises(DataError, match="4 runs for 5 parameters"):
        fit(runs)
    with pytest.raises(DataError, match="same flops"):
        fit(runs, law="power")


def test_the_summary_shows_three_approaches_and_what_was_left_out(tmp_path):
    path = published("epoch_chinchilla/svg_extracted_data.csv")
    made = study_of(path, Options(columns=CHINCHILLA_COLUMNS, where="loss < 3.44", bootstrap=20))
    text = "\n".join(summary.lines(made))
    assert "0.5139" in text
    assert "left out: 5 x not loss < 3.44" in text
    assert "no training curves" in text
    summary.write_json(tmp_path / "fit.json", summary.to_json(made))
    data = json.loads((tmp_path / "fit.json").read_text())
    for key in ("law", "n_points", "objective", "coefficients", "intervals", "certificate", "frontier", "isoflop"):
        assert key in data
    assert sum(item["count"] for item in data["left_out"]) == 5
    assert list(tmp_path.iterdir()) == [tmp_path / "fit.json"]


def run_command(*words):
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)


def test_the_command_line(tmp_path):
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.003)
    table = np.column_stack([runs[name] for name in ("n_params", "tokens", "loss")])
    np.savetxt(tmp_path / "runs.csv", table, delimiter=",", header="N,D,loss", comments="")
    common = (f"--runs={tmp_path / 'runs.csv'}", "--columns=n_params=N,tokens=D")
    done = run_command("analysis.fit", *common, f"--out={tmp_path / 'fit.json'}")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "fit.json").read_text())["n_points"] == 30
    for words in (
        ("analysis.fit", *common, "--law=chinchila"),
        ("analysis.predict", *common, "--at=flop=1e22"),
        ("analysis.fit", "--runs=nothing.csv"),
    ):
        failed = run_command(*words)
        assert failed.returncode == 2
        assert len(failed.stderr.strip().splitlines()) == 1
