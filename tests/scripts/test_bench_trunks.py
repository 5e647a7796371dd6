"""The arithmetic of the benchmark of trunks, on rows made by hand."""

import math

import pytest

from scripts.benchmarks import trunks


def row(schedule, tokens, loss, trunk="", own_steps=None, **changes):
    made = {"schedule": schedule, "tokens": tokens, "steps": tokens // 10, "loss": loss, "averaged_loss": None}
    made |= {"trunk": trunk, "own_steps": own_steps or tokens // 10, "status": "finished"}
    return made | changes


ROWS = [
    *(row("cosine", 1000, loss) for loss in (2.0, 2.2)),
    *(row("wsd", 1000, loss, trunk=f"t{i}", averaged_loss=2.5) for i, loss in enumerate((2.1, 2.4))),
    *(row("wsd", 3000, loss, trunk=f"t{i}", own_steps=220) for i, loss in enumerate((1.5, 1.7))),
    row("wsd", 3000, 99.0, trunk="t0", own_steps=220, status="spiked"),
]


def test_means_and_spread_over_finished_seeds():
    cosine, short, long = trunks.points(ROWS)
    assert (cosine.schedule, cosine.tokens, cosine.seeds) == ("cosine", 1000, 2)
    assert (cosine.loss, cosine.std) == (pytest.approx(2.1), pytest.approx(math.sqrt(0.02)))
    assert (short.averaged_loss, long.averaged_loss) == (2.5, None)
    assert long.loss == pytest.approx(1.6)


def test_the_difference_is_in_pooled_standard_deviations():
    (compared,) = trunks.compared(trunks.points(ROWS))
    std = math.sqrt((0.02 + 0.045) / 2)
    assert f"{(2.25 - 2.1) / std:+.1f} standard deviations" in compared.measured
    assert compared.met
    worse = [*ROWS[:2], *(row("wsd", 1000, loss, trunk="t") for loss in (3.0, 3.2)), *ROWS[4:]]
    (compared,) = trunks.compared(trunks.points(worse))
    assert compared.met is False


def test_the_cost_is_own_steps_over_all():
    found = trunks.cost(ROWS[:6])  # two trunks of 100 and 300 steps, the latter of which 80 came along
    assert "80.00% of separate runs, by the formula 80.00%" in found.measured
    assert found.met
    separate = [{**each, "own_steps": each["steps"]} for each in ROWS[:6]]
    assert not trunks.cost(separate).met


def test_the_figure_has_a_spread_for_both_schedules():
    rows = [*ROWS[:6], row("constant", 1000, 2.6, averaged_loss=2.4)]
    (panel,) = trunks.drawing(trunks.points(rows)).panels
    assert [layer.kind for layer in panel.layers] == ["points"] * 2 + ["line", "points"] * 2
    assert [len(layer.x) for layer in panel.layers] == [1, 1, 1, 1, 2, 2]
