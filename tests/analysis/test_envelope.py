"""The envelope of curves whose lower hull is known in closed form."""

import numpy as np
import pytest
from known import HOFFMANN, surface

from analysis import envelope, frontier, load

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
    exact = frontier.Frontier(frontier.surface_coefficients("chinchilla", HOFFMANN), frontier.Compute())
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


def test_too_few_curves_are_refused():
    curves, runs = curves_and_runs(sizes=(1e7,))
    with pytest.raises(load.DataError, match="1 of the runs have a curve"):
        envelope.envelope(curves, runs)
