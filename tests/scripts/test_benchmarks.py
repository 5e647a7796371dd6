"""The benchmarks' own parts: the reference against closed forms, its slices, journals, and child processes."""

import json

import numpy as np
import pytest
from scipy import optimize

from analysis import uncertainty
from scripts.benchmarks import (
    against_scipy,
    commands,
    costs,
    curves,
    measure,
    points,
    power_sums,
    power_tables,
    reference,
)
from scripts.benchmarks.report import Row, lines, write


def logs(columns):
    return reference.Points(*(np.log(columns[name]) for name in ("n_params", "tokens", "loss")))


def test_the_references_objective_is_the_sum_of_huber_losses():
    made, theta = points.made_up(50), np.array([6.0, 7.0, 0.5, 0.33, 0.35])
    loss = np.exp(6) / made["n_params"] ** 0.33 + np.exp(7) / made["tokens"] ** 0.35 + np.exp(0.5)
    residual = np.linspace(-3e-3, 3e-3, 50)  # on both sides of the corners
    expected = sum(0.5 * r * r if abs(r) < 1e-3 else 1e-3 * (abs(r) - 5e-4) for r in residual)
    value = reference.objective(logs(made | {"loss": loss * np.exp(residual)}))(theta)
    assert value == pytest.approx(expected, rel=1e-10)


def test_the_grid_is_the_published_one():
    assert len({tuple(start) for start in reference.GRID}) == 4500
    for column, values in zip(reference.GRID.T, ([0, 25], [0, 25], [-1, 1], [0, 2], [0, 2]), strict=True):
        assert [column.min(), column.max()] == values


def test_tight_tolerances_end_lower_than_the_published_ones():
    made, start = logs(points.made_up()), np.array([5.0, 5.0, 0.5, 0.5, 0.5])
    ends = [reference.search(made, start, reference.STOPPING[name])[1] for name in ("tight", "published")]
    assert ends[0] < ends[1] * (1 - 1e-7)


def test_slices_make_up_the_whole():
    starts, resamples = zip(*(against_scipy.shares(i) for i in range(against_scipy.SLICES)), strict=True)
    assert sorted(np.concatenate(starts)) == list(range(4500))
    assert sorted(np.concatenate(resamples)) == list(range(4000))


def test_a_resample_repeats_the_points_that_were_drawn():
    made = points.made_up(30)
    counts = uncertainty.resample(np.arange(30), 1, seed=3)[0]
    value = reference.objective(logs(made).drawn(counts))(np.array([6.0, 7.0, 0.5, 0.33, 0.35]))
    alone = [reference.objective(logs({k: v[[i]] for k, v in made.items()})) for i in range(30)]
    each = np.array([one(np.array([6.0, 7.0, 0.5, 0.33, 0.35])) for one in alone])
    assert value == pytest.approx(each @ counts, rel=1e-12)


def test_a_journal_goes_on_after_a_torn_line(tmp_path):
    path, calls = tmp_path / "j.jsonl", []

    def work(value):
        calls.append(value)
        return value

    journal = measure.Journal(path, {"of": "a"})
    assert [journal.get("0", lambda: work(1)), journal.get("1", lambda: work(2))] == [1, 2]
    path.write_text(path.read_text()[:-5])
    again = measure.Journal(path, {"of": "a"})
    assert [again.get("0", lambda: work(3)), again.get("1", lambda: work(4))] == [1, 4]
    assert measure.Journal(path, {"of": "a"}).done == {"0": 1, "1": 4}
    assert measure.Journal(path, {"of": "b"}).done == {}
    assert calls == [1, 2, 4]


def test_a_childs_cost_is_its_own():
    burn = (
        "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nx = bytearray(64 << 20)"
    )
    cost = measure.child(("-c", burn))
    assert 0.3 <= cost.cpu < 2
    assert cost.wall >= 0.3
    assert cost.peak_bytes > 64 << 20
    with pytest.raises(RuntimeError, match="nothing there"):
        measure.child(("-c", "raise SystemExit('nothing there')"))


@pytest.mark.parametrize("power", [1.0, 1.5])
def test_the_slope_of_a_power_is_its_exponent(power):
    assert measure.slope([10, 100, 1000], [3 * n**power for n in (10, 100, 1000)]) == pytest.approx(power)


@pytest.mark.parametrize("delta", power_tables.DELTAS)
def test_scipys_gradient_for_sums_of_powers_is_that_of_its_objective(delta):
    table = next(table for table in power_tables.synthetic() if table.name == "four")
    x = np.array([np.log(column) - np.log(column).mean() for column in table.columns.values()])
    value = power_sums.objective(x, np.log(table.loss), delta)
    theta = np.array([0.5, -1.5, -2.0, -1.2, -0.7, 0.5, 0.6, 0.3, 0.35])
    numeric = optimize.approx_fprime(theta, lambda t: value(t)[0], 1e-7)
    assert value(theta)[1] == pytest.approx(numeric, rel=1e-4, abs=1e-4)


def test_a_sum_of_powers_is_compared_on_the_same_objective():
    table = next(table for table in power_tables.synthetic() if table.name == "three_few")
    outcome = power_sums.compare(table, 1e-3, starts=4)
    assert abs(outcome.difference) < 1e-9
    assert (outcome.points, outcome.terms) == (30, 3)


def test_made_up_tables_are_many_positive_and_the_same_every_time():
    tables, again = list(power_tables.synthetic()), list(power_tables.synthetic())
    assert len({table.name for table in tables}) == len(tables) >= 16
    for one, other in zip(tables, again, strict=True):
        assert all((column > 0).all() for column in (*one.columns.values(), one.loss))
        assert np.array_equal(one.loss, other.loss)


def test_curves_lose_their_repeated_points(tmp_path):
    path = tmp_path / "curves.csv"
    rows = ["NMT,t,m,1e5,3.0,1", "NMT,t,m,1e5,3.0,1", "NMT,t,m,2e5,2.0,1", "NMT,t,m,4e5,1.5,0"]
    path.write_text("Domain,Task,Model,Seen Examples,Loss,Training\n" + "\n".join(rows) + "\n")
    (curve,) = curves.read(path)
    assert curve["tokens"].tolist() == [1e5, 2e5]
    assert curve["loss"].tolist() == [3.0, 2.0]


def test_costs_are_drawn_from_what_was_measured():
    drawn = costs.drawing({"points": ([10, 100], [0.1, 1.0])})
    (panel,) = drawn.panels
    assert panel.layers[1].y.tolist() == [0.1, 1.0]
    assert panel.title == "last slope 1.00"


def test_the_table_and_its_json(tmp_path):
    rows = [Row("a", "<= 2", "1", True, {"cpu": [1.0]}), Row("b", "", "7")]
    assert lines(rows)[1].split() == ["a", "<=", "2", "1", "met"]
    write(rows, tmp_path / "out.json")
    assert json.loads((tmp_path / "out.json").read_text())[0]["values"] == {"cpu": [1.0]}


def test_a_csv_for_the_command_line_reads_back(tmp_path):
    made = points.made_up(5)
    path = commands.write_csv(tmp_path / "runs.csv", made)
    read = np.genfromtxt(path, delimiter=",", names=True)
    assert read["N"] == pytest.approx(made["n_params"], rel=1e-9)
    assert read["loss"] == pytest.approx(made["loss"], rel=1e-9)
