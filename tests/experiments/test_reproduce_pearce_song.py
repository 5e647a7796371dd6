"""Pearce and Song 2024: the slopes of one law by two counts, as published and of planted runs."""

import numpy as np
import pytest
from known import HOFFMANN, isoflop_runs

from analysis import conventions
from experiments.reproduce.entry import Own
from experiments.reproduce.papers import pearce_song


def test_the_slopes_meet_every_published_number_but_the_peak(verdicts, tmp_path):
    found = verdicts("pearce_song", "--figure=slope")["slope"]
    assert found.those("no") == {"greatest local slope, the derivative"}
    assert len(found.those("yes")) == 5
    assert found.here["greatest local slope, the derivative"] == pytest.approx(0.9807, abs=1e-4)
    assert (tmp_path / "pearce_song" / "slope" / "local_slope.png").exists()


def test_planted_runs_show_both_exponents(table):
    runs = isoflop_runs((1e15, 1e16, 1e17, 1e18, 1e19), 6, points=7, noise=2e-4)
    inner = np.geomspace(1e3, 1e12, 5000)
    total = conventions.with_embedding(inner)
    bare = np.exp(np.interp(np.log(runs["n_params"]), np.log(total), np.log(inner)))
    path = table(runs.with_columns(n_non_embedding=bare))
    result = pearce_song.counts(Own("smoke", {"text": path}, 40))
    found = {one.name: one for one in result.quantities}
    exact = HOFFMANN["beta"] / (HOFFMANN["alpha"] + HOFFMANN["beta"])
    assert found["a with embedding"].here == pytest.approx(exact, abs=0.01)
    flops = 6 * bare * runs["tokens"]
    middle = np.sqrt(flops.min() * flops.max())
    planted = conventions.recounted(HOFFMANN, at=middle).a
    told = found["a without embedding that the law with it foretells"]
    assert told.here == pytest.approx(planted, abs=0.02)
    assert planted > exact + 0.05
    assert found["their difference"].interval[0] > 0.02
    (drawing,) = result.drawings
    assert {layer.role for layer in drawing.panels[0].layers} == {"approach2", "frontier", "law"}
