"""Registered forecasts from the command to the grade; which runs count, and the numbers by hand."""

import csv
import dataclasses
import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import synthetic
from known import isoflop_runs, surface
from scipy.stats import binomtest
from test_fit import run_command
from test_ledger import BASE

from analysis import figures, predict
from analysis.figures import forecasts as picture
from analysis.figures import static
from analysis.fit import fit
from analysis.forecasts import __main__ as binary
from analysis.forecasts import grading, landing, ledger, table
from analysis.forecasts.made import make
from analysis.forecasts.record import fingerprint, record_of
from analysis.load import DataError, Runs, runs_from
from analysis.options import Options

BUDGETS = (1e18, 1e19, 1e20)
LATER = "2026-02-01T00:00:00Z"
ORDER = ("n_params", "tokens", "flops", "loss", "task", "started_at", "run_id")


def landed(tmp_path, *rows, name="runs.csv"):
    """A table of runs (N, D, loss, and what differs from a text run that began later)."""
    path = tmp_path / name
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ORDER)
        writer.writeheader()
        for number, (n, d, loss, *more) in enumerate(rows):
            own = {"n_params": n, "tokens": d, "flops": 6 * n * d, "loss": loss, "task": "text", "started_at": LATER}
            writer.writerow(own | {"run_id": f"run{number}"} | (more[0] if more else {}))
    return path


def test_a_grade_by_hand(tmp_path):
    (found,) = grading.grade([BASE], [landed(tmp_path, (1e9, 1e11, 2.45), (1e9, 1e11, 2.65))])
    assert found.state == grading.LANDED
    assert [run.value for run in found.runs] == [2.5, 2.5]
    assert [run.inside for run in found.runs] == [True, False]
    assert found.inside  # by the first
    assert found.error == pytest.approx(2.5 / 2.55 - 1)
    assert found.naive_errors == pytest.approx({"best": 2.7 / 2.55 - 1, "power": 2.45 / 2.55 - 1})


def test_the_forecast_moves_to_the_runs_own_size(tmp_path):
    (found,) = grading.grade([BASE], [landed(tmp_path, (1.1e9, 0.95e11, 2.5))])
    ratio = surface(1.1e9, 0.95e11) / surface(1e9, 1e11)
    assert found.runs[0].value == pytest.approx(2.5 * ratio)
    assert found.runs[0].interval == pytest.approx((2.4 * ratio, 2.6 * ratio))


@pytest.mark.parametrize(
    ("row", "counts"),
    [
        ((1e9, 1e11, 2.5), True),
        ((1.2e9, 0.9e11, 2.5), True),  # C within 8 %, N within 20 %
        ((1.4e9, 0.72e11, 2.5), False),  # the right C, another size
        ((1e9, 1.2e11, 2.5), False),  # another C
        ((1e9, 1e11, 2.5, {"task": "images"}), False),
        ((1e9, 1e11, ""), False),
        ((1e9, 1e11, 2.5, {"started_at": ""}), True),  # nobody knows when
    ],
)
def test_which_runs_answer_a_forecast_at_a_budget(tmp_path, row, counts):
    (found,) = grading.grade([BASE], [landed(tmp_path, row, (1e7, 1e9, 4.0))])
    assert (found.state == grading.LANDED) == counts


def test_a_shape_that_was_asked_for_is_met_in_n_and_d(tmp_path):
    asked = dataclasses.replace(BASE, asked={"n_params": 1e9, "tokens": 1e11})
    rows = [(1.2e9, 0.9e11, 2.5), (1.05e9, 0.96e11, 2.5)]
    (found,) = grading.grade([asked], [landed(tmp_path, *rows)])
    assert [run.run_id for run in found.runs] == ["run1"]
    (wider,) = grading.grade([asked], [landed(tmp_path, *rows)], tolerance=0.2)
    assert len(wider.runs) == 2


def test_a_run_that_began_before_is_no_answer(tmp_path):
    before = (1e9, 1e11, 2.5, {"started_at": "2026-01-02T03:04:04Z"})
    (found,) = grading.grade([BASE], [landed(tmp_path, before)])
    assert (found.state, found.early) == (grading.KNOWN, 1)
    with_later = landed(tmp_path, before, (1e9, 1e11, 2.6, {"started_at": "2026-01-02T03:04:06"}))
    (found,) = grading.grade([BASE], [with_later])
    assert [run.seen for run in found.runs] == [2.6]


def test_the_earliest_run_of_all_tables_counts_once(tmp_path):
    one = landed(tmp_path, (1e9, 1e11, 2.9), name="one.csv")
    two = landed(tmp_path, (1e9, 1e11, 2.9), (1e9, 1e11, 2.5, {"started_at": "2026-01-20T00:00:00Z"}), name="two.csv")
    (found,) = grading.grade([BASE], [one, two])
    assert [run.seen for run in found.runs] == [2.5, 2.9]
    assert grading.summarise([found]).coverage[0].inside == 1


def test_all_together(tmp_path):
    path = landed(tmp_path, (1e9, 1e11, 2.5))
    right, wrong = BASE, dataclasses.replace(BASE, forecast=BASE.forecast | {"value": 3.0, "interval": [2.9, 3.1]})
    elsewhere = dataclasses.replace(BASE, target=BASE.target | {"flops": 1e25, "n_params": 1e11, "tokens": 1e13})
    found = grading.summarise(grading.grade([right, wrong, elsewhere], [path]))
    assert (found.made, found.landed, found.known) == (3, 2, 0)
    assert found.median_error == pytest.approx(0.1)
    assert found.better == {"best": 0.5, "power": 0.5, "both": 0.5}
    (coverage,) = found.coverage
    assert (coverage.landed, coverage.inside) == (2, 1)
    assert np.isnan(grading.summarise(grading.grade([elsewhere], [path])).median_error)
    said = "\n".join(table.lines(grading.grade([right, wrong, elsewhere], [path]), found))
    assert "3 forecasts: 2 landed, 1 open" in said
    assert "inside their 90% interval: 1 of 2" in said


def test_columns_of_the_table_stand_apart_whatever_their_length(tmp_path):
    path = landed(tmp_path, (1e9, 1e11, 2.5))
    long = dataclasses.replace(BASE, forecast=BASE.forecast | {"column": "accuracy"})
    grades = grading.grade([BASE], [path])
    grades = [*grades, dataclasses.replace(grades[0], record=long)]
    lines = table.lines(grades, grading.summarise(grades))[:3]
    assert [len(re.split(" {2,}", line)) for line in lines] == [len(table.COLUMNS)] * 3
    assert "accuracy" in lines[2]


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (9, 10), (45, 50), (7, 7)])
def test_the_interval_of_a_share_is_wilsons(hits, trials):
    theirs = binomtest(hits, trials).proportion_ci(0.95, method="wilson")
    assert grading.wilson(hits, trials) == pytest.approx((theirs.low, theirs.high))


def test_the_fingerprint_knows_the_numbers_and_not_their_order():
    runs = isoflop_runs(BUDGETS, 6, points=4).with_columns(run_id=np.array([f"r{i}" for i in range(12)]))
    names = ("n_params", "loss")
    found = fingerprint(runs, names)
    turned = Runs({name: values[::-1] for name, values in runs.columns.items()})
    assert fingerprint(turned, names[::-1]) == found
    moved = runs["loss"].copy()
    moved[3] = np.nextafter(moved[3], 9)
    assert fingerprint(runs.with_columns(loss=moved), names) != found
    assert fingerprint(runs.select(np.arange(12) > 0, "one less"), names) != found
    assert fingerprint(runs.with_columns(width=np.ones(12)), names) == found


def test_a_record_keeps_what_grading_needs():
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.003).with_columns(family=np.full(18, "mlp"))
    options = Options(bootstrap=50)
    made = make(runs, fit(runs, bootstrap=50), {"flops": 1e21}, ("kaplan",), options=options)
    record = record_of(made, runs, {"flops": 1e21}, options)
    assert record.about == {"family": "mlp"}
    assert record.options == {"bootstrap": 50}
    assert record.forecast["value"] == made.forecast.loss
    assert set(record.forms) == {"chinchilla", "kaplan"}
    point = [record.target[name] * factor for name, factor in (("n_params", 1.1), ("tokens", 0.9), ("flops", 0.99))]
    expected = float(made.law.predict(*point)) / made.law_loss
    assert record.ratio_at(*point) == pytest.approx(expected)
    with pytest.raises(DataError, match="without an interval"):
        record_of(make(runs, fit(runs), {"flops": 1e21}, ()), runs, {"flops": 1e21})


def test_a_table_that_holds_the_run_is_refused(tmp_path):
    landing.refuse_known(BASE, landed(tmp_path, (1e8, 1e10, 3.0)))
    with pytest.raises(DataError, match="holds 1 run at the target already, as run0"):
        landing.refuse_known(BASE, landed(tmp_path, (1e9, 1e11, 2.5)))


def test_the_figure_shows_what_came_over_what_was_said(tmp_path):
    grades = grading.grade([BASE, dataclasses.replace(BASE, id="two")], [landed(tmp_path, (1e9, 1e11, 2.7))])
    drawing = picture.build(grades)
    rows = {row["layer"]: row for row in drawing.rows()}
    assert rows["seen, outside"]["y"] == pytest.approx(2.7 / 2.5)
    assert rows["naive: power of C"]["y"] == pytest.approx(2.45 / 2.5)
    assert (rows["interval"]["low"], rows["interval"]["high"]) == pytest.approx((2.4 / 2.5, 2.6 / 2.5))
    assert len(static.save(drawing, tmp_path)) == 3
    with pytest.raises(figures.NothingToDraw):
        picture.build(grading.grade([BASE], []))


def told(tmp_path, **flags):
    """The flags of both programs, as absl would hand them over."""
    rest = {"at": "flops=1.28e13", "forms": "kaplan", "metric": None, "register": None, "out": None, "figures": None}
    rest |= {"ledger": str(tmp_path / "book.jsonl"), "tolerance": 0.1, "runs": str(tmp_path / "runs")}
    return SimpleNamespace(**dataclasses.asdict(Options(bootstrap=20)) | rest | flags)


def accuracy_at(loss):
    return 0.1 + 2.5 * np.exp(-1.2 * loss)


def test_from_the_forecast_to_the_grade(tmp_path, capsys):
    """Registered, open, graded when the run has landed; refused once it is there."""
    rows = [row for row in synthetic.rows(synthetic.Plan(widths=(16, 32, 64), depths=(1, 2))) if row["loss"]]
    rows = [row | {"accuracy": accuracy_at(row["loss"])} for row in rows if row["purpose"] != "forecast"]
    runs, book = synthetic.workdir(tmp_path / "runs", rows, curves=False), tmp_path / "book.jsonl"
    predict.run(told(tmp_path, register=str(book)))
    said = capsys.readouterr().out
    assert "shape           width" in said
    assert "registered: " in said
    predict.run(told(tmp_path, register=str(book), metric="accuracy", forms=""))
    first, second = ledger.read(book)
    assert (first.column, second.column) == ("loss", "accuracy")
    assert first.interval[0] < float(synthetic.law_loss(*point_of(first))) < first.interval[1]
    binary.run(told(tmp_path))
    assert "2 forecasts: 0 landed, 2 open" in capsys.readouterr().out

    new = synthetic.row(900, first.target["width"], first.target["depth"], 1.28e13, 0, 0.0, purpose="forecast")
    assert abs(np.log(new["n_params"] / first.target["n_params"])) < 0.25
    new |= {"started_at": "2099-01-01T00:00:00Z", "accuracy": accuracy_at(new["loss"])}
    synthetic.workdir(runs, [*rows, new], curves=False)
    binary.run(told(tmp_path, out=str(tmp_path / "grades.json"), figures=str(tmp_path / "figures")))
    grades = json.loads((tmp_path / "grades.json").read_text())["grades"]
    assert [grade["state"] for grade in grades] == ["landed", "landed"]
    for grade in grades:
        assert abs(grade["error"]) < 0.03
        assert grade["inside"]
    assert (tmp_path / "figures" / "forecasts.png").exists()
    with pytest.raises(DataError, match="at the target already"):
        predict.run(told(tmp_path, register=str(book), seed=3))
    assert len(ledger.read(book)) == 2


def point_of(record):
    return record.target["n_params"], record.target["tokens"]


def test_the_commands(tmp_path):
    runs = isoflop_runs(BUDGETS, 6, points=6, noise=0.003)
    columns = np.column_stack([runs[name] for name in ("n_params", "tokens", "loss")])
    np.savetxt(tmp_path / "runs.csv", columns, delimiter=",", header="N,D,loss", comments="")
    common = (f"--runs={tmp_path / 'runs.csv'}", "--columns=n_params=N,tokens=D")
    at = ("--at=flops=1e21", "--bootstrap=20", "--forms=", f"--register={tmp_path}")
    done = run_command("analysis.predict", *common, *at)
    assert (done.returncode, done.stderr) == (0, "")
    book = tmp_path / "forecasts.jsonl"
    book.write_text(book.read_text().replace('"level":0.9', '"level":0.8'))
    broken = run_command("analysis.forecasts", f"--ledger={tmp_path}", *common)
    assert broken.returncode == 2
    assert broken.stderr.startswith(f"error: {book}: line 1: damaged, or changed")
    assert len(broken.stderr.strip().splitlines()) == 1


def test_forecasts_of_another_count_are_graded_by_it(tmp_path):
    own = dataclasses.replace(BASE, options={"params_convention": "n_non_embedding"})
    columns = {"n_params": [2e9, 1e8], "n_non_embedding": [1e9, 5e7], "tokens": [1e11, 1e9], "loss": [2.5, 4.0]}
    columns |= {"flops": [6e20, 1e17]}
    runs = runs_from(columns)
    path = tmp_path / "runs.csv"
    rows = np.column_stack([runs[name] for name in columns])
    np.savetxt(path, rows, delimiter=",", header=",".join(columns), comments="")
    (found,) = grading.grade([own], [path])
    assert found.state == grading.LANDED
    (found,) = grading.grade([BASE], [path])
    assert found.state == grading.OPEN
