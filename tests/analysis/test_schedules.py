"""The comparison of schedules, on runs made by hand: means, distances in standard deviations, laws, averages, costs."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis import schedules
from analysis.figures import schedules as pictures
from analysis.load import DataError, runs_from


def row(schedule, tokens, loss, trunk="", own_steps=None, averaged_loss=math.nan):
    made = {"schedule": schedule, "tokens": tokens, "steps": tokens // 10, "loss": loss, "trunk": trunk}
    made |= {"own_steps": own_steps or tokens // 10, "averaged_loss": averaged_loss}
    return made | {"n_params": 100, "flops": 600.0 * tokens, "status": "finished"}


def table(rows):
    return runs_from({name: [each[name] for each in rows] for name in rows[0]}, needs=schedules.NEEDS)


ROWS = [
    *(row("cosine", 1000, loss) for loss in (2.0, 2.2)),
    *(row("wsd", 1000, loss, trunk=f"t{i}", averaged_loss=2.5) for i, loss in enumerate((2.1, 2.4))),
    *(row("wsd", 3000, loss, trunk=f"t{i}", own_steps=220) for i, loss in enumerate((1.5, 1.7))),
]
CONSTANT = [row("constant", 1000, loss, averaged_loss=better) for loss, better in ((2.6, 2.4), (2.7, 2.6))]


def planted(gamma, cosine=lambda d: 0.0, seeds=5, noise=0.0):
    """Branches of L = 20 D^-gamma at three budgets, and cosine runs `cosine(D)` beside them."""
    rng, made = np.random.default_rng(1), []
    for tokens in (1000, 2000, 4000):
        for seed in range(seeds):
            loss = 20 * tokens**-gamma * math.exp(noise * rng.normal())
            made.append(row("wsd", tokens, loss, trunk=f"t{seed}"))
            made.append(row("cosine", tokens, loss * math.exp(cosine(tokens) + noise * rng.normal())))
    return table(made)


def test_means_and_spread_over_finished_seeds():
    cosine, short, long = schedules.points(table([*ROWS, row("wsd", 3000, 99.0, "t0", 220) | {"status": "spiked"}]))
    assert (cosine.schedule, cosine.tokens, cosine.seeds) == ("cosine", 1000, 2)
    assert (cosine.loss, cosine.std) == (pytest.approx(2.1), pytest.approx(math.sqrt(0.02)))
    assert short.averaged_loss == 2.5
    assert math.isnan(long.averaged_loss)
    assert long.loss == pytest.approx(1.6)


def test_the_difference_is_in_pooled_standard_deviations_with_students_interval():
    (found,) = schedules.apart(schedules.points(table(ROWS)))
    assert found.std == pytest.approx(math.sqrt((0.02 + 0.045) / 2))
    assert found.value == pytest.approx((2.25 - 2.1) / found.std)
    known = stats.ttest_ind([2.1, 2.4], [2.0, 2.2]).confidence_interval(schedules.LEVEL)
    assert np.array(found.interval) * found.std == pytest.approx([known.low, known.high], rel=1e-6)


@pytest.mark.parametrize(
    "rows, said",
    [(ROWS[4:], "no cosine and wsd runs of the same tokens"), (ROWS[1:], "one seed at 1,000 tokens")],
)
def test_what_cannot_be_compared_says_why(rows, said):
    with pytest.raises(DataError, match=said):
        schedules.apart(schedules.points(table(rows)))


def test_averages_have_the_interval_of_paired_differences():
    (found,) = schedules.averaging(table([*ROWS, *CONSTANT]))
    known = stats.ttest_rel([2.4, 2.6], [2.6, 2.7]).confidence_interval(schedules.LEVEL)
    assert (found.tokens, found.seeds, found.value) == (1000, 2, pytest.approx(-0.15))
    assert found.interval == pytest.approx((known.low, known.high), rel=1e-6)
    (alone,) = schedules.averaging(table(CONSTANT[:1]))
    assert alone.interval is None


def test_the_cost_is_own_steps_over_all():
    found = schedules.cost(table(ROWS))  # two trunks of 100 and 300 steps, the latter of which 80 came along
    assert found.share == found.formula == pytest.approx(0.8)
    assert found.tokens_K.tolist() == [1000, 3000]
    assert found.separate_K == pytest.approx([6e5, 2.4e6])
    assert found.branches_K == pytest.approx([6e5, 6e5 + 1.8e6 * 220 / 300])
    assert found.foretold_K == pytest.approx([6e5, 0.8 * 1.8e6 + 0.2 * 2.4e6])
    separate = schedules.cost(table([{**each, "own_steps": each["steps"]} for each in ROWS]))
    assert (separate.share, separate.formula) == (1.0, pytest.approx(0.8))
    with pytest.raises(DataError, match="no run with a trunk"):
        schedules.cost(table(ROWS[:2]))


def test_the_laws_of_both_schedules_come_back():
    steeper = planted(0.1, cosine=lambda d: -0.02 * math.log(d / 1000), noise=0.002)
    laws = schedules.laws(steeper, 100)
    assert laws["wsd"].coefficients["gamma"] == pytest.approx(0.1, abs=0.002)
    assert laws["cosine"].coefficients["gamma"] == pytest.approx(0.12, abs=0.003)
    low, high = laws["cosine"].intervals["gamma"]
    assert 0.1 < low < high < 0.13


def test_the_figure_has_a_spread_a_law_and_a_cost_for_both_schedules():
    runs = planted(0.1, noise=0.01)
    losses, apart = pictures.losses(schedules.points(runs), schedules.laws(runs, 20)).panels
    (costs,) = pictures.cost(schedules.cost(runs)).panels
    assert [layer.kind for layer in losses.layers] == ["points"] * 2 + ["band", "line", "points"] * 2
    assert [len(layer.x) for layer in losses.layers] == [0, 0, 60, 60, 3, 60, 60, 3]
    dots = losses.layers[4]
    assert np.all(dots.high > dots.y)
    assert np.all(dots.low < dots.y)
    values = [one.value for one in schedules.apart(schedules.points(runs))]
    assert apart.layers[0].y.tolist() == values
    assert {layer.y[0] for layer in apart.layers[1:]} == {-2.0, 2.0}
    assert [layer.mark for layer in costs.layers] == ["dashed", "dot", "thin", "dot"]
