"""The best rate over width and depth: planted drifts come back, and what the kept runs say."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis import lr_minima
from analysis.load import DataError, Runs
from experiments import rates
from experiments.reproduce.entry import NO, OPEN, YES, Own
from experiments.reproduce.papers import mutransfer
from experiments.reproduce.recipes import rate_sweeps
from scaling_laws import table

KEPT = Path(__file__).parents[2] / "docs" / "results" / "transfer"
TRIED = 0.01 * 2.0 ** np.arange(-4, 3)


def planted(best, axis="width"):
    """Losses 2 exp(.05 (ln rate - ln best)^2) of three seeds, whose best rates lie 5 % apart and drift by .02 octaves a
    doubling more than the one's before; `best`: (name, size) -> rate of the middle one."""
    rows = [
        (name, size if axis == "width" else 16, size if axis == "depth" else 2, 100, seed, rate,
         2 * math.exp(0.05 * math.log(rate / (middle * (1.05 * size**0.02) ** (seed - 1))) ** 2), 100.0 * size, 6400.0)
        for (name, size), middle in best.items() for seed in range(3) for rate in TRIED.tolist()
    ]  # fmt: skip
    names = (*lr_minima.KEYS, "seed", "learning_rate", "loss", "n_params", "tokens")
    columns = {name: np.array(values) for name, values in zip(names, zip(*rows, strict=True), strict=True)}
    return Runs(columns | {"vocab_size": np.full(len(rows), 256)}, "planted")


def quantities(runs, monkeypatch, axis="width"):
    monkeypatch.setattr(rates, "read", lambda workdir: runs)
    result = mutransfer.over(axis, Own("cpu", {mutransfer.SWEEP: Path("nowhere")}, 20))
    return {one.name: one for one in result.quantities}, result


def test_planted_drifts_come_back(monkeypatch):
    best = {("completep", 16): 0.01, ("completep", 32): 0.01 * 2**0.1, ("completep", 64): 0.01 * 2**0.2}
    best |= {("standard", 16): 0.01, ("standard", 32): 0.005, ("standard", 64): 0.0025}
    found, result = quantities(planted(best), monkeypatch)
    stays = found["completep: octaves of the best rate a doubling of the width"]
    falls = found["standard: octaves of the best rate a doubling of the width"]
    assert (stays.here, stays.agrees) == (pytest.approx(0.1), YES)
    assert (falls.here, falls.agrees) == (pytest.approx(-1.0), YES)
    half = stats.t.ppf(0.95, 2) * 0.02 / math.sqrt(3)
    assert stays.interval == pytest.approx((0.1 - half, 0.1 + half))
    lost = found["standard: nats lost at width 64 by the best rate of width 16"].here
    assert lost == pytest.approx(2 * math.exp(0.05 * math.log(4) ** 2) - 2, abs=0.02)
    losses, over_size = result.drawings
    assert [panel.title for panel in losses.panels] == ["completep, 100 steps", "standard, 100 steps"]
    dashed = [layer for layer in over_size.panels[0].layers if layer.mark == "dashed"]
    np.testing.assert_allclose(dashed[0].y, 0.01, rtol=1e-6)
    np.testing.assert_allclose(dashed[1].y, [0.01, 0.005, 0.0025], rtol=1e-6)


def test_a_rate_that_moves_under_what_should_carry_it_does_not_agree(monkeypatch):
    best = {("completep", 16): 0.01, ("completep", 64): 0.01 / 2.5}
    found, _ = quantities(planted(best), monkeypatch)
    moved = found["completep: octaves of the best rate a doubling of the width"]
    assert moved.agrees == NO
    assert moved.why


def test_where_nothing_carries_the_rate_that_is_said(monkeypatch):
    runs = planted({("standard", 16): 0.01, ("standard", 64): 0.01})
    with pytest.raises(DataError, match="no learning rates over width under completep or mup"):
        quantities(runs, monkeypatch)
    with pytest.raises(DataError, match="no learning rates over depth under completep"):
        quantities(planted({("mup", 2): 0.01, ("mup", 4): 0.01}, "depth"), monkeypatch, "depth")


def test_the_kept_runs_stay_under_completep_and_fall_under_standard(verdicts):
    found = verdicts("mutransfer", f"--data={KEPT}")
    assert set(found) == {"width", "depth"}
    for axis, own in found.items():
        agrees, here = own[f"completep: octaves of the best rate a doubling of the {axis}"]
        assert (agrees, abs(here) < 0.15) == ("yes", True)
    assert found["width"]["standard: octaves of the best rate a doubling of the width"][0] == "yes"
    lost = [found["width"].here[f"{name}: nats lost at width 128 by the best rate of width 32"]
            for name in ("completep", "standard")]  # fmt: skip
    assert lost[0] < 0.01 < 0.1 < lost[1]
    assert found["depth"]["standard: octaves of the best rate a doubling of the depth"][0] == OPEN


@pytest.mark.parametrize("recipe, kept", [(rate_sweeps.rule, "demo_rates"), (rate_sweeps.transfer, "transfer")])
def test_the_recipes_at_cpu_scale_are_those_of_the_kept_runs(recipe, kept):
    own = recipe("cpu")
    planned = rates.grid(own.config, own.runs(), own.reach).planned()
    assert {one.run_id for one in planned} <= {row["run_id"] for row in table.read_runs(KEPT.parent / kept).to_pylist()}


@pytest.mark.parametrize("recipe, sizes", [(rate_sweeps.rule, 6), (rate_sweeps.transfer, 6)])
def test_the_recipes_at_smoke_scale_can_have_minima(recipe, sizes):
    own = recipe("smoke")
    grid = rates.grid(own.config, own.runs(), own.reach)
    assert len(grid.runs) == sizes
    assert len(grid.planned()) == sizes * 3 * 2
