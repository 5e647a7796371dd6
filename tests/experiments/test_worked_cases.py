"""The worked cases at a higher rate in fewer steps, to the same end; and what they say where they do not get there."""

import contextlib
import csv
import io

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression

from experiments import cli, worked_cases
from experiments.configs import toy_classes, toy_line
from experiments.worked import straight_line, trained, two_classes
from scaling_laws.config import ExperimentConfig, replace, run_part
from scaling_laws.validation import validate_run

BINARY, SETTINGS = "worked_cases", {"train.steps": 5}
QUICK = {"optimizer.learning_rate": 0.5, "train.steps": 4000, "train.steps_per_dispatch": 1000}  # for 150 000 at .01


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """`call(workdir, **changes)` works both cases with settings of the classes changed: exit code and what is said."""
    recipe = toy_classes.get_config()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))

        def call(workdir, **changes):
            patch.setattr(toy_classes, "get_config", lambda: replace(recipe, QUICK | changes))
            with contextlib.redirect_stdout(io.StringIO()) as said:
                code = cli.call(worked_cases.run, ["worked_cases", f"--workdir={workdir}", "--tables=3"])
            patch.setattr(toy_classes, "get_config", lambda: recipe)
            return code, said.getvalue()

        yield call


@pytest.fixture(scope="module")
def worked(call, tmp_path_factory):
    workdir = tmp_path_factory.mktemp("worked")
    return workdir, *call(workdir)


@pytest.fixture
def workdir(worked):
    return worked[0]


@pytest.mark.parametrize("recipe", [toy_classes, toy_line])
def test_the_recipes_are_valid_and_read_all_training_rows_a_step(recipe, tmp_path):
    from scaling_laws.tasks import catalog

    config = recipe.get_config()
    assert isinstance(config, ExperimentConfig)
    validate_run(run_part(config))
    assert config.train.batch_size == catalog.load(config.task, tmp_path).length("train")


def test_both_cases_come_to_their_end_with_tables_and_figures(worked):
    workdir, code, said = worked
    assert code == 0
    assert said.count("ok     ") == 8
    assert "MISSED" not in said
    assert "6 coefficients of 3 tables" in said
    figures = {path.name for path in (workdir / "figures").iterdir()}
    assert figures == {
        f"{name}.{kind}" for name in ("loss_over_steps", "fitted_lines", "distances") for kind in ("png", "svg", "csv")
    }


def rows_of(path):
    return list(csv.DictReader(path.open()))


def test_the_line_is_scipys_on_the_rows_that_were_trained_on(workdir):
    rows = rows_of(workdir / "coefficients.csv")
    drawn = rows_of(workdir / "figures" / "fitted_lines.csv")
    points = [(float(row["x"]), float(row["y"])) for row in drawn if row["kind"] == "points"]
    known = stats.linregress(*zip(*points, strict=True))
    assert len(points) == 85
    exact = {"intercept": (known.intercept, known.intercept_stderr, 2), "slope": (known.slope, known.stderr, 3)}
    for row in rows[:2]:
        value, error, truth = exact[row["parameter"]]
        assert float(row["adam"]) == pytest.approx(value, abs=1e-3 * error)
        assert float(row["adam_from_truth"]) == pytest.approx((value - truth) / error, abs=1e-3)
    x, y = np.array(points).T
    (without,) = (row for row in rows_of(workdir / "lines.csv") if row["line"] == "without intercept")
    assert float(without["slope"]) == pytest.approx(x @ y / (x @ x), abs=1e-4)
    assert float(without["train_loss"]) == pytest.approx(y @ y / 85 - (x @ y) ** 2 / (x @ x) / 85, rel=1e-4)


def test_further_tables_are_the_next_rows_and_not_the_same(workdir):
    first, second = ({tuple(row.values()) for row in rows_of(workdir / f"tables/line_0{k}.csv")} for k in (1, 2))
    assert len(first) == len(second) == 100
    assert not first & second
    slopes = [row["adam"] for row in rows_of(workdir / "coefficients.csv")]
    assert len(set(slopes)) == 6


def test_the_logistic_regression_is_scikit_learns_and_the_scores_are_the_rows_own(workdir):
    config = replace(run_part(toy_classes.get_config()), QUICK | {"model.depth": 0})
    one = trained.trained(config, workdir)
    train, heldout = one.task.train, one.task.heldout
    known = LogisticRegression(C=np.inf, tol=1e-10, max_iter=10_000).fit(train["inputs"], train["targets"])
    ours = np.diff(one.outputs(heldout["inputs"]), axis=1)[:, 0]
    assert ours == pytest.approx(known.decision_function(heldout["inputs"]), rel=1e-2, abs=1e-2)
    again = two_classes.scores(one.outputs(heldout["inputs"]), heldout["targets"], "heldout")
    assert again["heldout_loss"] == pytest.approx(one.row["loss"], rel=1e-5)
    assert again["heldout_accuracy"] == pytest.approx(one.row["accuracy"])


def test_the_best_rule_is_right_as_often_as_theory_says():
    inputs, classes = two_classes.fresh_rows(toy_classes.get_config().task)
    best = two_classes.ideal((inputs, classes))
    assert len(classes) == two_classes.FRESH
    assert best["fresh_accuracy"] == pytest.approx(stats.norm.cdf(2.5 / 2), abs=0.01)
    for factor in (0.8, 1.25):  # no other steepness has a lower loss
        odds = factor * 2.5 * inputs.sum(axis=1) / np.sqrt(10)
        other = two_classes.scores(np.stack([-odds / 2, odds / 2], axis=1), classes, "other")
        assert other["other_loss"] > best["fresh_loss"]


def test_too_few_steps_are_no_convergence_and_exit_code_1(call, workdir):
    code, said = call(workdir, **{"train.steps": 400})
    assert code == 1
    assert "MISSED 10-10-2 network: norm of the gradient" in said
    assert "already in" in said  # the line is not trained again


def test_without_an_intercept_that_fits_as_well_there_is_no_failure_to_show():
    from analysis.least_squares import Line

    rows = [{"parameter": name, "adam": 1.0, "adam_from_truth": off, "adam_from_least_squares": 0.0}
            for name, off in (("intercept", 0.5), ("slope", 2.5))]  # fmt: skip
    arms = [{"train_loss": 1.0, "slope": 3.0}, {"train_loss": 1.1, "slope": 3.0}]
    passed = [check.passed for check in straight_line.checks(rows, arms, Line(0, 3, 0, 1))]
    assert passed == [True, True, False, False, True]


def test_a_configuration_is_refused(refused):
    refused([], "--config: given; allowed: none")
