"""The best rate of planted bowls: where it is, how sure, what is no minimum, and what is compared with what."""

import json
import math

import numpy as np
import pytest
from scipy.stats import sem, t

from analysis import lr_minima
from analysis.figures import lr_sweep, static
from analysis.load import DataError, Runs
from analysis.lr_minima import KEYS

RATES = 0.01 * 2.0 ** np.arange(-2, 3)
CURVATURE = 0.03  # of ln loss over ln rate squared


def table(sizes, rates=RATES, seeds=(0, 1, 2), noise=0.0, rng=None, **columns):
    """Losses 3 (1 + depth) exp(.03 (ln rate - ln best)^2) at each (parametrization, width, depth, steps): best rate.

    `noise`: by how much ln best differs between seeds.
    """
    rng, rows = rng or np.random.default_rng(0), []
    for (name, width, depth, steps), best in sizes.items():
        for seed in seeds:
            own = math.log(best) + noise * rng.normal()
            for rate in rates:
                loss = 3 * (1 + depth) * math.exp(CURVATURE * (math.log(rate) - own) ** 2)
                rows.append((name, width, depth, steps, seed, rate, loss, width * depth * 10, steps * 64))
    names = (*KEYS, "seed", "learning_rate", "loss", "n_params", "tokens")
    order = rng.permutation(len(rows))
    found = {name: np.array([rows[i][k] for i in order]) for k, name in enumerate(names)}
    return Runs(found | {name: np.full(len(rows), value) for name, value in columns.items()})


def one(best=0.011, **options):
    (found,) = lr_minima.minima(table({("mup", 32, 2, 100): best}, **options))
    return found


@pytest.mark.parametrize("best", [0.0071, 0.01, 0.0139])
def test_a_planted_minimum_comes_back(best):
    found = one(best)
    assert found.best == pytest.approx(best)
    assert found.loss == pytest.approx(9)
    assert found.interval == pytest.approx((best, best))  # the seeds agree
    assert found.tried == pytest.approx(0.01)
    assert not found.reason
    assert (found.parametrization, found.shape, found.steps) == ("mup", "width 32 depth 2", 100)
    assert (found.n_params, found.tokens) == (640, 6400)
    np.testing.assert_allclose(found.rates, RATES)
    assert found.losses.shape == (5, 3)
    assert found.losses[2] == pytest.approx([9 * math.exp(CURVATURE * math.log(best / 0.01) ** 2)] * 3)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Each seed's bowl lies elsewhere by a normal shift, so that the mean of ln minimum is Student's own case."""
    rng, inside = np.random.default_rng(1), []
    for _ in range(300):
        low, high = one(0.011, noise=0.2, rng=rng).interval
        inside.append(low < 0.011 < high)
    assert np.mean(inside) == pytest.approx(0.9, abs=0.06)  # three standard errors are .05


def test_the_interval_is_students_over_the_seeds_minima():
    found = one(0.011, noise=0.1, rng=np.random.default_rng(7))
    own = math.log(0.011) + 0.1 * np.random.default_rng(7).normal(size=3)  # where each seed's bowl lies
    wanted = t.interval(0.9, 2, own.mean(), sem(own))
    assert np.log(found.interval) == pytest.approx(np.array(wanted))
    assert np.log(found.bests) == pytest.approx(own)


def test_the_interval_widens_with_its_share():
    runs = table({("mup", 32, 2, 100): 0.011}, noise=0.2)
    narrow, wide = (lr_minima.minima(runs, level)[0].interval for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_one_seed_has_no_interval():
    found = one(seeds=(4,))
    assert found.best == pytest.approx(0.011)
    assert all(map(math.isnan, found.interval))


@pytest.mark.parametrize("best, edge", [(1e-4, RATES[0]), (1.0, RATES[-1])])
def test_an_edge_is_no_minimum(best, edge):
    found = one(best)
    assert "edge" in found.reason
    assert (found.best, found.tried) == pytest.approx((edge, edge))
    assert all(map(math.isnan, found.interval))


def test_where_one_seed_is_at_an_edge_there_is_no_interval():
    runs = table({("mup", 32, 2, 100): 0.011})
    falling = 9 * (runs["learning_rate"] / 0.01) ** -0.02
    (found,) = lr_minima.minima(runs.with_columns(loss=np.where(runs["seed"] == 2, falling, runs["loss"])))
    assert not found.reason
    assert found.best > 0.011
    assert np.isnan(found.bests).tolist() == [False, False, True]
    assert all(map(math.isnan, found.interval))


def bad(runs, where):
    """Some runs diverged, and have no loss, the rest finished."""
    status = np.where(where, "diverged", "finished")
    return runs.with_columns(loss=np.where(where, np.nan, runs["loss"]), status=status)


def test_a_rate_at_which_a_run_went_bad_is_left_out_whole():
    runs = table({("mup", 32, 2, 100): 0.011})
    (found,) = lr_minima.minima(bad(runs, (runs["learning_rate"] == RATES[-1]) & (runs["seed"] == 1)))
    assert found.best == pytest.approx(0.011)
    assert np.isnan(found.losses).sum() == 1
    # Where that takes the rates above the best one, the best is at the edge.
    (edge,) = lr_minima.minima(bad(runs, (runs["learning_rate"] > 0.01) & (runs["seed"] == 1)))
    assert "edge" in edge.reason
    missing = runs.select((runs["learning_rate"] != RATES[-1]) | (runs["seed"] != 1), "never ran")
    assert lr_minima.minima(missing)[0].best == pytest.approx(0.011)


@pytest.mark.parametrize("status", ["dead", "spiked"])
def test_a_loss_counts_where_the_run_is_sound_alone(status):
    runs = table({("mup", 32, 2, 100): 0.011})
    lowest = runs["learning_rate"] == RATES[-1]
    runs = runs.with_columns(loss=np.where(lowest, 1.0, runs["loss"]), status=np.where(lowest, status, "finished"))
    (found,) = lr_minima.minima(runs)
    assert found.best == pytest.approx(0.011)
    assert np.isnan(found.losses[-1]).all()


def test_where_every_rate_went_bad_that_is_said():
    runs = table({("mup", 32, 2, 100): 0.011, ("mup", 64, 2, 100): 0.011}, vocab_size=256)
    none, sound = lr_minima.minima(bad(runs, runs["width"] == 32))
    assert none.reason == "no rate finished at every seed"
    assert math.isnan(none.best)
    assert none.sensitivity == 0  # ln 256 everywhere
    assert not sound.reason
    assert "NO INTERIOR MINIMUM: no rate finished" in "\n".join(lr_minima.lines([none, sound]))


def test_two_studies_in_one_table_are_refused():
    one, two = (table({("mup", 32, 2, 100): 0.011}, base_width=width, batch_size=8) for width in (16, 32))
    both = Runs({name: np.concatenate([one[name], two[name]]) for name in one.columns}, "both")
    with pytest.raises(DataError, match=r"both: mup, width 32, depth 2: 2 runs of one .* unlike in base_width;"):
        lr_minima.minima(both)
    assert len(lr_minima.minima(both.select(both["base_width"] == 16, "of another base"))) == 1


def test_what_is_refused():
    with pytest.raises(DataError, match="no size was tried at two learning rates"):
        one(rates=(0.01,))
    runs = table({("mup", 32, 2, 100): 0.011})
    with pytest.raises(DataError, match="no column 'depth'"):
        lr_minima.minima(Runs({name: column for name, column in runs.columns.items() if name != "depth"}))


def test_sensitivity_of_a_planted_bowl_and_of_runs_gone_bad():
    """Wortsman et al. 2023, section 2.2: the mean over the rates of the loss above the least, cut at the initial."""
    u = np.log(2.0) * np.arange(-2, 3)
    losses = np.stack([3 + u**2, 5 + u**2], axis=1)
    assert lr_minima.sensitivity(losses, 100.0) == pytest.approx(2 * math.log(2) ** 2)  # mean of k^2 for k to 2 is 2
    assert lr_minima.sensitivity(losses + 7, 100.0) == pytest.approx(2 * math.log(2) ** 2)
    gone = np.array([[3.0, 3.0], [np.nan, 4.0], [np.inf, 20.0]])
    assert math.isnan(lr_minima.sensitivity(gone, math.nan))
    assert lr_minima.sensitivity(losses, math.nan) == pytest.approx(2 * math.log(2) ** 2)
    assert lr_minima.sensitivity(gone, 6.0) == pytest.approx((0 + (6 + 4) / 2 - 3 + 6 - 3) / 3)


def test_sensitivity_counts_bad_runs_at_the_loss_of_guessing():
    runs = table({("mup", 32, 2, 100): 0.011}, vocab_size=10**6)
    (whole,), (broken,) = (lr_minima.minima(each) for each in (runs, bad(runs, runs["learning_rate"] == RATES[-1])))
    last = whole.losses[-1].mean()
    assert broken.sensitivity - whole.sensitivity == pytest.approx((math.log(10**6) - last) / 5)
    for found in (whole, broken):
        own = [lr_minima.sensitivity(found.losses[:, [seed]], math.log(10**6)) for seed in range(3)]
        assert found.sensitivities == pytest.approx(own)
        assert found.sensitivity == pytest.approx(np.mean(own))  # each seed's least loss is at one rate


SIZES = {
    ("standard", 32, 2, 100): 0.01,
    ("standard", 64, 2, 100): 0.005,
    ("standard", 32, 4, 100): 0.008,
    ("mup", 32, 2, 100): 0.01,
    ("mup", 64, 2, 100): 0.014,
    ("mup", 128, 2, 100): 0.0105,
    ("mup", 32, 2, 200): 0.012,
    ("mup", 64, 2, 200): 0.012,
    ("mup", 256, 8, 100): 0.01,
}


def keys(groups):
    return {key: [(one.width, one.depth, one.steps) for one in line] for key, line in groups.items()}


def test_families_differ_in_one_axis_alone():
    groups = lr_minima.families(lr_minima.minima(table(SIZES)))
    assert keys(groups) == {
        ("standard", "width"): [(32, 2, 100), (64, 2, 100)],
        ("standard", "depth"): [(32, 2, 100), (32, 4, 100)],
        ("mup", "width"): [(32, 2, 100), (64, 2, 100), (128, 2, 100), (32, 2, 200), (64, 2, 200)],
    }


def test_a_tie_between_lines_is_settled_by_the_smallest():
    sizes = {("mup", w, d, 100): 0.01 for w in (1, 8) for d in (1, 8)}
    groups = lr_minima.families(lr_minima.minima(table(sizes)))
    assert keys(groups) == {
        ("mup", "width"): [(1, 1, 100), (8, 1, 100)],
        ("mup", "depth"): [(1, 1, 100), (1, 8, 100)],
    }


def test_lines_tell_shifts_against_the_smallest_of_that_horizon():
    said = lr_minima.lines(lr_minima.minima(table(SIZES)))
    assert [line for line in said if line.endswith(":")] == ["mup over width:", "standard over width:",
                                                             "standard over depth:"]  # fmt: skip
    (wide,) = [line for line in said if "width 64 depth 2, 100" in line and "0.005" in line]
    assert "moved -1.00 octaves, -1 steps" in wide
    (long,) = [line for line in said if "width 64 depth 2, 200" in line]
    assert "moved +0.00 octaves, +0 steps" in long
    (first,) = [line for line in said if "width 32 depth 2, 200" in line]
    assert "moved" not in first
    assert said[-1].startswith("mup, alone: width 256 depth 8, 100 steps: best rate 0.01")


def test_json_is_plain_and_whole():
    found = one()
    read = json.loads(json.dumps(found.to_json()))
    assert read["best"] == pytest.approx(0.011)
    assert np.shape(read["losses"]) == (5, 3)
    assert read["rates"] == pytest.approx(RATES.tolist())


def test_the_drawing_shows_means_spread_and_minima():
    wide, deep = lr_sweep.build(lr_minima.minima(table(SIZES, noise=0.1)))
    assert (wide.name, deep.name) == ("lr_sweep_width", "lr_sweep_depth")
    assert [panel.title for panel in wide.panels] == ["mup, 100 steps", "mup, 200 steps", "standard, 100 steps"]
    assert (wide.colours.low, wide.colours.high) == (32, 128)
    layers = {(layer.name, float(layer.value[0])): layer for layer in wide.panels[0].layers}
    assert {size for _, size in layers} == {32, 64, 128}
    found = next(each for each in lr_minima.minima(table(SIZES, noise=0.1)) if each.width == 64)
    points = layers["mean over seeds, with their standard deviation", 64]
    np.testing.assert_allclose(points.x, RATES)
    np.testing.assert_allclose(points.y, found.losses.mean(axis=1))
    np.testing.assert_allclose(points.high - points.y, found.losses.std(axis=1, ddof=1))
    np.testing.assert_allclose(points.y - points.low, found.losses.std(axis=1, ddof=1))
    star = layers["fitted minimum", 64]
    assert (star.x[0], star.y[0]) == (found.best, found.loss)


def test_no_star_where_there_is_no_minimum_and_no_bar_for_one_seed():
    sizes = {("mup", 32, 2, 100): 0.011, ("mup", 64, 2, 100): 1.0}
    (drawing,) = lr_sweep.build(lr_minima.minima(table(sizes, seeds=(0,))))
    stars = [layer for layer in drawing.panels[0].layers if layer.mark == "star"]
    assert [float(star.value[0]) for star in stars] == [32]
    for layer in drawing.panels[0].layers:
        assert layer.low is None or np.array_equal(layer.low, layer.y)


def test_a_drawing_is_written_even_where_a_size_went_bad(tmp_path):
    runs = table(SIZES, noise=0.1)
    (drawing, _) = lr_sweep.build(lr_minima.minima(bad(runs, (runs["width"] == 64) | (runs["steps"] == 200))))
    paths = static.save(drawing, tmp_path)
    assert [path.name for path in paths] == [f"lr_sweep_width.{kind}" for kind in ("png", "svg", "csv")]
    assert all(path.stat().st_size > 0 for path in paths)
