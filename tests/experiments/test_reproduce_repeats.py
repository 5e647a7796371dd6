"""Repeated tokens on own runs: the recipe's plan, planted constants that come back, and what the kept runs say."""

import math
from pathlib import Path

import numpy as np
import pytest

from analysis.load import DataError, Runs
from experiments.reproduce import sweeps
from experiments.reproduce.entry import NO, Own
from experiments.reproduce.papers import muennighoff
from experiments.reproduce.recipes import repeated
from scaling_laws import spec
from scaling_laws.sweep.plan import plan
from scaling_laws.sweep.planned import TaskFacts

KEPT = Path(__file__).parents[2] / "docs" / "results" / "repeated"
FACTS = TaskFacts(unique_tokens=3_523_529, corpus_hash="c0ffee", spec=spec.text(1024, 64), data_bytes=10**7)
LAW = {"E": 1.8, "A": 60.0, "B": 400.0, "alpha": 0.35, "beta": 0.4, "R_D": 6.0, "R_N": 5.0}
ROUNDS = 0.003  # sd of ln loss between seeds


def planted(subsets=(2**16, 2**18, 2**14), seeds=2):
    """Runs whose losses are the law written out, and noise."""
    rng, rows = np.random.default_rng(0), []
    for n in (2e4, 5e4, 1.2e5):
        for d in 2.0 ** np.arange(17, 22):
            for u in (d, *(u for u in subsets if 2 <= d / u <= 32)):
                useful = u + u * LAW["R_D"] * (1 - math.exp(-(d / u - 1) / LAW["R_D"]))
                loss = LAW["E"] + LAW["A"] / size(n, u) ** LAW["alpha"] + LAW["B"] / useful ** LAW["beta"]
                losses = loss * np.exp(ROUNDS * rng.normal(size=seeds))
                rows += [(n, d, u, 6 * n * d, seed, value) for seed, value in enumerate(losses)]
    names = ("n_params", "tokens", "unique_tokens", "flops", "seed", "loss")
    return Runs(dict(zip(names, np.array(rows).T, strict=True)))


def size(n, u):
    """Equation 6: N' by the size that is optimal for u tokens, where C = 6 N D."""
    alpha, beta = LAW["alpha"], LAW["beta"]
    g = (alpha * LAW["A"] / (beta * LAW["B"])) ** (1 / (alpha + beta))
    useful = min(n, g * (g * u) ** (beta / alpha))  # N at which D = u is optimal: D = (C/6)^(..) / g, N = g (C/6)^(..)
    return useful * (1 + LAW["R_N"] * (1 - math.exp(-(n / useful - 1) / LAW["R_N"])))


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return muennighoff.own_runs(Own("cpu", {"repeated": written(tmp_path_factory.mktemp("runs"), planted())}, 40))


def written(folder, runs):
    path = folder / "runs.csv"
    rows = zip(*(values.tolist() for values in runs.columns.values()), strict=True)
    path.write_text("\n".join([",".join(runs.columns), *(",".join(map(repr, row)) for row in rows)]) + "\n")
    return path


def test_planted_constants_come_back(found):
    by_name = {one.name: one for one in found.quantities}
    for name in ("R_D", "R_N"):
        low, high = by_name[f"{name}*, all seven free"].interval
        assert low < LAW[name] < high
    assert by_name["R_D*, all seven free"].here == pytest.approx(LAW["R_D"], rel=0.1)
    worth = (1 + LAW["R_D"] * (1 - math.exp(-3 / LAW["R_D"]))) / 4
    assert by_name["worth of a token after 4 epochs"].here == pytest.approx(worth, abs=0.03)
    assert by_name["median error of ln loss at the fewest unique tokens"].here < 0.02
    assert all(one.why for one in found.quantities if one.agrees == NO)


def test_the_price_of_four_epochs_is_that_of_the_pairs(found):
    (one,) = [one for one in found.quantities if one.name.startswith("ln loss of 4 epochs")]
    runs, gaps = planted(), []
    rows = list(zip(*(runs[name] for name in ("n_params", "tokens", "unique_tokens", "seed", "loss")), strict=True))
    for n, d, u, seed, loss in rows:
        if d / u == 4 and u != 2**14:
            gaps += [math.log(loss / r[4]) for r in rows if (r[0], r[1], r[2], r[3]) == (n, d, d, seed)]
    assert one.here == pytest.approx(np.median(gaps))
    assert f"{len(gaps)} pairs" in one.scale
    assert one.interval[0] < one.here < one.interval[1]


def test_the_figure_has_a_panel_a_subset_and_what_is_held_out_is_hollow(found):
    drawing, worth = found.drawings
    assert [panel.title for panel in drawing.panels] == ["U 262,144 tokens", "U 65,536 tokens", "U 16,384 tokens"]
    marks = [{layer.mark for layer in panel.layers if layer.kind == "points"} for panel in drawing.panels]
    assert marks == [{"dot", "star"}, {"dot", "star"}, {"dot", "hollow"}]
    (middle,) = [layer for layer in drawing.panels[1].layers if layer.name == "runs" and layer.value[0] == 2e4]
    np.testing.assert_allclose(middle.x, [2, 4, 8, 16, 32], rtol=0.01)
    assert {layer.mark for layer in worth.panels[0].layers} >= {"dot", "hollow", "dashed"}


def test_runs_that_repeat_nothing_are_one_line(tmp_path):
    fresh = planted()
    path = written(tmp_path, fresh.select(fresh["tokens"] == fresh["unique_tokens"], "again"))
    with pytest.raises(DataError, match=r"no run read its tokens twice; allowed: runs with train\.unique_examples"):
        muennighoff.own_runs(Own("cpu", {"repeated": path}, 10))


@pytest.mark.parametrize("scale", ["smoke", "cpu"])
def test_the_recipe_differs_in_what_is_read_and_in_nothing_else(scale):
    fresh, *more = (plan(each, FACTS) for each in repeated.sweeps(scale))
    assert not any(each.refusals for each in (fresh, *more))
    assert max(one.epochs for one in fresh.runs) < 1
    alike = {(one.shape, one.tokens, one.run.train.seed): one.run.optimizer.learning_rate for one in fresh.runs}
    for windows, again in zip(repeated.WINDOWS[scale], more, strict=True):
        assert {one.run.train.unique_examples for one in again.runs} == {windows}
        for one in again.runs:
            assert one.epochs == pytest.approx(one.tokens / (64 * windows))
            assert 2 <= one.epochs <= 32
            assert alike[one.shape, one.tokens, one.run.train.seed] == one.run.optimizer.learning_rate


def test_kept_runs_give_the_papers_constant(verdicts):
    assert sweeps.sweep("repeated").kept == KEPT.name
    found = verdicts("muennighoff", "--figure=own", f"--data={KEPT.parent}")["own"]
    assert found.here["R_D*, all seven free"] == pytest.approx(11.79, abs=0.05)
    assert found["worth of a token after 4 epochs"][1] == pytest.approx(0.912, abs=0.002)
    assert 0 < found.here["ln loss of 4 epochs above fresh tokens"] < 0.02
