"""The envelope of curves whose lower hull is known in closed form."""

import json
import subprocess
import sys

import numpy as np
import pytest
import synthetic
from known import HOFFMANN, surface

from analysis import envelope, frontier, laws, load
from analysis.envelope import hull

SIZES = tuple(np.geomspace(1e7, 1e10, 40))


def curves_and_runs(sizes=SIZES, schedule="constant"):
    """Noiseless training curves of the Chinchilla surface: every size from 1 to 1000 tokens a parameter."""
    runs, points = {"run_id": [], "n_params": [], "tokens": [], "flops": [], "loss": [], "schedule": []}, []
    for i, n in enumerate(sizes):
        tokens = np.geomspace(0.1 * n, 1000 * n, 60)
        losses = surface(n, tokens)
        points.append({"run_id": np.full(60, f"run{i}"), "tokens": tokens, "flops": 6 * n * tokens, "loss": losses})
        row = (f"run{i}", n, tokens[-1], 6 * n * tokens[-1], losses[-1], schedule)
        for name, value in zip(runs, row, strict=True):
            runs[name].append(value)
    curves = {name: np.concatenate([part[name] for part in points]) for name in points[0]}
    return load.Runs(curves), load.runs_from(runs)


def test_the_envelope_follows_the_frontier():
    curves, runs = curves_and_runs()
    found = envelope.envelope(curves, runs)
    exact = frontier.Frontier(laws.get("chinchilla").surface(HOFFMANN), frontier.Compute())
    inside = ~found.edge
    assert inside.mean() > 0.4
    assert found.loss[inside] == pytest.approx(exact.loss(found.flops[inside]), rel=2e-3)
    assert found.a == pytest.approx(exact.a, abs=0.01)
    assert 6 * found.n_params * found.tokens == pytest.approx(found.flops)
    assert np.all(np.diff(found.flops) > 0)


def test_every_point_is_the_lowest_run_there():
    curves, runs = curves_and_runs(sizes=(1e7, 1e8, 1e9))
    found = envelope.envelope(curves, runs, points=50)
    for c, loss, name in zip(found.flops, found.loss, found.run_id, strict=True):
        at = {}
        for run in runs["run_id"]:
            mine = curves["run_id"] == run
            if curves["flops"][mine].min() * (1 - 1e-12) <= c <= curves["flops"][mine].max() * (1 + 1e-12):
                x, y = np.log(curves["flops"][mine]), np.log(curves["loss"][mine])
                at[run] = np.exp(np.interp(np.log(c), x, y))
        assert min(at, key=at.get) == name
        assert loss == pytest.approx(min(at.values()))


def test_edges_are_left_out_of_the_line_and_said():
    curves, runs = curves_and_runs()
    found = envelope.envelope(curves, runs)
    assert set(found.n_params[found.edge]) == {runs["n_params"].min(), runs["n_params"].max()}
    assert any("smallest or largest" in note for note in found.notes)


def test_decaying_schedules_are_warned_about():
    assert any("before their end" in note for note in envelope.envelope(*curves_and_runs(schedule="cosine")).notes)
    assert not any("before their end" in note for note in envelope.envelope(*curves_and_runs()).notes)


def test_its_slope_is_named_by_where_the_runs_end_not_by_where_curves_begin():
    curves, runs = curves_and_runs(sizes=(1e7, 3e7, 8e7))
    assert curves["flops"].max() / curves["flops"].min() > 1e4
    assert runs["flops"].max() / runs["flops"].min() < 100
    assert envelope.envelope(curves, runs).name == "local slope"
    curves, runs = curves_and_runs(sizes=(1e7, 3e7, 1.1e8))
    assert envelope.envelope(curves, runs).name == "exponent"
    alone = runs.select(runs["n_params"] > 2e7, "not in this fit")
    assert envelope.envelope(curves, alone).name == "local slope"


def test_curves_without_an_evaluation_fall_back_to_the_training_loss():
    points = {"run_id": np.array(["a", "a"]), "flops": np.array([1.0, 2.0]), "train_loss": np.array([3.0, 2.0])}
    unseen, once = np.array([np.nan, np.nan]), np.array([np.nan, 2.5])
    kind, loss = envelope.curve_loss(load.Runs({**points, "loss": unseen}))
    assert (kind, loss.tolist()) == ("training loss", [3.0, 2.0])
    kind, loss = envelope.curve_loss(load.Runs({**points, "loss": once}))
    assert (kind, loss[1]) == ("validation loss", 2.5)
    assert np.isnan(loss[0])


def test_the_interval_resamples_whole_runs():
    curves, runs = curves_and_runs()
    found = envelope.envelope(curves, runs, points=300, bootstrap=50)
    low, high = found.a_interval
    assert low < found.a < high
    assert high - low < 0.2


def test_resampled_lines_are_those_of_the_runs_drawn():
    """One by one, as the definition says, against all at once."""
    curves, runs = curves_and_runs(sizes=SIZES[::5])
    rows, grid, table = hull._table(curves, runs, 200)
    n, rng = runs["n_params"][rows], np.random.default_rng(1)
    present = rng.random((30, len(rows))) < 0.6
    present[0] = np.arange(len(rows)) < 2  # no size inside
    present[1] = np.arange(len(rows)) < 3  # one size inside
    order = np.argsort(np.where(np.isfinite(table), table, np.inf), axis=0)
    order[~np.isfinite(np.take_along_axis(table, order, axis=0))] = -1
    for mine, line in zip(present, hull._lines(order, n, grid, present), strict=True):
        best = np.where(np.isfinite(table[mine]), table[mine], np.inf)
        sizes, lowest = n[mine][best.argmin(axis=0)], best.min(axis=0)
        inside = np.isfinite(lowest) & (sizes > n[mine].min()) & (sizes < n[mine].max())
        if len(np.unique(sizes[inside])) < 2:
            assert np.isnan(line).all()
        else:
            fitted = np.polyfit(np.log(grid[inside]), np.log(sizes[inside]), 1)[::-1]
            assert line == pytest.approx(fitted, rel=1e-9)


def test_the_spread_over_the_sizes_kept_is_that_of_envelopes_without_them():
    curves, runs = curves_and_runs(sizes=SIZES[::4])
    bent = runs["n_params"] > 2e9  # large runs that were trained badly
    worse = np.isin(curves["run_id"], runs["run_id"][bent])
    curves = curves.with_columns(loss=curves["loss"] * np.where(worse, 1.05, 1.0))
    found = envelope.envelope(curves, runs)
    assert (found.kept[0].smallest, found.kept[0].largest, found.kept[0].a) == (0, 0, pytest.approx(found.a))
    assert len(found.kept) == 16
    low, high = found.spread
    assert low < found.a <= high
    for choice in (found.kept[3], found.kept[6]):
        sizes = np.sort(runs["n_params"])[choice.smallest : 10 - choice.largest]
        assert choice.sizes == len(sizes)
        alone = envelope.envelope(curves, runs.select(np.isin(runs["n_params"], sizes), "left out"))
        assert choice.a == pytest.approx(alone.a, abs=2e-3)  # the grid of C shrinks with the runs
    assert found.to_json()["spread"] == (low, high)
    few = envelope.envelope(*curves_and_runs(sizes=SIZES[::10]))
    assert [(one.smallest, one.largest) for one in few.kept] == [(0, 0)]


def test_the_command_line(tmp_path):
    folder = synthetic.workdir(tmp_path / "sweep")
    done = run_command("analysis.envelope", f"--runs={folder}", "--bootstrap=20", f"--out={tmp_path / 'e.json'}")
    assert (done.returncode, done.stderr) == (0, "")
    data = json.loads((tmp_path / "e.json").read_text())
    assert f"a = {data['a']:.4f}" in done.stdout
    assert "over the sizes kept" in done.stdout
    assert data["spread"][0] <= data["a"] <= data["spread"][1]
    failed = run_command("analysis.envelope", "--runs=nothing")
    assert failed.returncode == 2
    assert len(failed.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_the_figures_of_the_command_line(tmp_path):
    folder = synthetic.workdir(tmp_path / "sweep")
    assert run_command("analysis.envelope", f"--runs={folder}", f"--figures={tmp_path / 'f'}").returncode == 0
    assert {path.name for path in (tmp_path / "f").iterdir()} >= {"loss_over_flops.png", "frontier_scaling.png"}


def run_command(*words):
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)


def test_too_few_curves_are_refused():
    curves, runs = curves_and_runs(sizes=(1e7,))
    with pytest.raises(load.DataError, match="1 of the runs have a curve"):
        envelope.envelope(curves, runs)
