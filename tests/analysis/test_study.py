"""A study: the runs chosen, the approaches that could be computed, and the reasons for those that could not."""

import subprocess
import sys

import numpy as np
import pytest
import synthetic

from analysis import load, summary
from analysis.fit import fit
from analysis.forecasting import score
from analysis.options import Options
from analysis.study import Study, chosen_runs, make_study, study_of
from scaling_laws.config import ConfigError

SMALL = synthetic.Plan(depths=(2,), widths=(16, 24, 32, 48, 64, 96))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return synthetic.workdir(tmp_path_factory.mktemp("sweep"), synthetic.rows(SMALL))


@pytest.fixture(scope="module")
def study(folder):
    return study_of(folder, Options(bootstrap=20))


def test_a_workdir_gives_all_three_approaches_on_the_same_runs(folder, study):
    assert study.missing == {}
    runs = load.load(folder)
    fitted = runs.select(runs["purpose"] == "grid", "a forecast")
    assert study.runs["run_id"].tolist() == fitted["run_id"].tolist()
    assert study.require_fit().coefficients == fit(fitted, bootstrap=20).coefficients
    assert study.heldout["purpose"].tolist() == ["forecast"]
    assert {study.envelope.name, study.isoflop.name, study.fit.frontier.name} == {"local slope"}


def test_scores_are_the_errors_on_the_unseen_runs(study):
    held, c = study.heldout, study.fit.coefficients
    error = np.log(synthetic.law_loss(held["n_params"], held["tokens"], c) / held["loss"])
    assert set(study.scores) == {"forecasts"}
    assert study.scores["forecasts"]["mean_log_error"] == pytest.approx(error.mean(), rel=1e-9)
    assert study.scores["forecasts"] == score(study.fit, held)


def test_forecasts_and_a_holdout_stay_apart(folder):
    runs, unseen = chosen_runs(load.load(folder), Options(holdout="budgets=1"))
    assert list(unseen) == ["forecasts", "holdout"]
    assert set(unseen["holdout"]["budget"]) == {3.2e12}
    assert runs["budget"].max() == 1.6e12
    both = Study(runs, unseen)
    assert len(both.heldout) == sum(map(len, unseen.values()))
    assert both.scores == {}
    with pytest.raises(ConfigError, match="holdout: 'half'"):
        chosen_runs(load.load(folder), Options(holdout="half"))


def test_the_worse_learning_rates_are_left_out_by_name(tmp_path):
    rows = synthetic.rows(SMALL)
    twin = rows[0] | {"run_id": "twin", "learning_rate": 1e-3, "loss": rows[0]["loss"] + 1}
    runs, _ = chosen_runs(load.load(synthetic.workdir(tmp_path, [*rows, twin], curves=False)))
    assert "twin" not in runs["run_id"]
    assert [item.reason for item in runs.excluded if "twin" in item.names()] == ["not the best learning rate"]


def test_runs_that_went_bad_are_left_out_by_name_and_told_with_and_without(tmp_path):
    rows = synthetic.rows(SMALL)
    for index, status in ((3, "spiked"), (11, "dead")):
        rows[index] |= {"status": status, "reason": "as planted", "loss": rows[index]["loss"] + 0.3}
    study = study_of(synthetic.workdir(tmp_path, rows))
    assert study.runs.excluded_counts() | {"status dead": 1, "status spiked": 1} == study.runs.excluded_counts()
    everything = [row | {"status": "finished"} if row["status"] in load.WENT_BAD else row for row in rows]
    other = study_of(synthetic.workdir(tmp_path / "all", everything))
    assert study.with_bad.coefficients == pytest.approx(other.fit.coefficients, rel=1e-6)
    assert study.with_bad.n_points == study.fit.n_points + 2
    (line,) = [line for line in summary.lines(study) if "went bad" in line]
    assert line.startswith(f"with the 2 runs that went bad (without them): exponent a {other.fit.frontier.a:.4g} (")
    assert f"E {other.fit.coefficients['E']:.4g} ({study.fit.coefficients['E']:.4g})" in line
    assert summary.to_json(study)["with_bad"]["n_points"] == study.with_bad.n_points
    (alone,) = [row for row in rows if row["status"] == "dead"]
    one = study_of(synthetic.workdir(tmp_path / "one", [row for row in rows if row["status"] != "spiked"]))
    assert (one.with_bad.n_points, alone["status"]) == (one.fit.n_points + 1, "dead")
    assert one.moved_by_bad().startswith("with the run that went bad (without it): exponent a ")
    assert other.with_bad is None
    assert other.moved_by_bad() == ""


def test_what_the_table_does_not_carry_is_absent_with_its_reason(tmp_path):
    rows = synthetic.rows(synthetic.Plan(forecast=0, diverged=0))[:3]
    bare = study_of(synthetic.workdir(tmp_path, rows, curves=False))
    assert (bare.fit, bare.isoflop, bare.envelope, bare.curves) == (None,) * 4
    assert "3 runs for 5 parameters" in bare.why("fit")
    assert "no budget has 4 sizes" in bare.why("isoflop")
    assert bare.why("curves") == bare.why("envelope")
    assert bare.why("curves").startswith("the table has no training curves (")
    for face in (Study.require_fit, summary.lines, summary.to_json):
        with pytest.raises(load.DataError, match="3 runs for 5 parameters"):
            face(bare)


def test_a_single_table_has_no_curves(folder):
    made = study_of(folder / "runs.parquet")
    assert made.curves is None
    assert made.why("envelope") == "a single table of runs has no training curves"


def test_damaged_curves_are_said_to_be_so(folder, tmp_path):
    rows = synthetic.rows(SMALL)
    damaged = synthetic.workdir(tmp_path, rows, curves=False)
    (damaged / "curves.parquet").write_bytes(b"PAR1 not really")
    made = study_of(damaged)
    assert "curves.parquet" in made.why("curves")
    assert made.fit is not None


def test_forecasts_alone_are_refused(tmp_path):
    rows = [row | {"purpose": "forecast"} for row in synthetic.rows(SMALL)]
    path = synthetic.workdir(tmp_path, rows)
    with pytest.raises(load.DataError, match="include_forecasts"):
        study_of(path)
    assert len(study_of(path, Options(include_forecasts=True)).runs) > 5


def test_level_is_that_of_the_options(folder):
    made = make_study(load.load(folder), None, Options(bootstrap=10, level=0.5))
    assert made.level == made.fit.level == made.isoflop.level == 0.5


def test_lines_and_json_tell_the_same(study):
    text, data = "\n".join(summary.lines(study)), summary.to_json(study)
    for part in (study.envelope, study.isoflop, study.fit.frontier):
        assert f"{part.a:.4f}" in text
    assert text.count("a local slope: 2 decades of C and five budgets") == 3
    assert data["isoflop"]["a"] == study.isoflop.a
    assert data["scores"].keys() == {"forecasts"}
    assert sum(item["count"] for item in data["left_out"]) == study.runs.n_excluded == 3


def python(*words):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


def test_an_impossible_fit_is_an_error_of_the_command_and_a_sentence_of_the_page(tmp_path):
    rows = synthetic.rows(synthetic.Plan(forecast=0, diverged=0))[:3]
    table = synthetic.workdir(tmp_path / "sweep", rows, curves=False) / "runs.parquet"
    failed = python("-m", "analysis.fit", f"--runs={table}", f"--out={tmp_path / 'fit.json'}")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert failed.stderr.startswith("error: ")
    assert failed.stderr.count("\n") == 1
    assert "3 runs for 5 parameters" in failed.stderr
    assert not (tmp_path / "fit.json").exists()
    done = python("-m", "analysis.report", f"--runs={table}", f"--out={tmp_path / 'page.html'}")
    assert done.returncode == 0
    assert "3 runs for 5 parameters" in (tmp_path / "page.html").read_text()


def test_the_library_needs_neither_absl_nor_jax_and_help_lists_the_flags():
    heavy = "{'absl', 'jax', 'scipy', 'matplotlib'}"
    body = f"import sys, analysis.study, analysis.summary; print({heavy} & {{*sys.modules}})"
    assert python("-c", body).stdout == "set()\n"
    shown = python("-m", "analysis.fit", "--help")
    assert shown.stdout.startswith("Fit a law to a table of runs")
    for name in ("runs", "columns", "law", "delta", "include_forecasts", "out"):
        assert f"\n  --{name} " in shown.stdout
    assert "allowed" not in shown.stderr
