import pytest

from scaling_laws.sweep import show
from scaling_laws.sweep.pace import Pace
from scaling_laws.sweep.plan import plan


def test_a_line_a_shape_budget_and_rate_then_totals_and_refusals(experiment, facts):
    grid = plan(experiment(sweep__widths=(8, 20), sweep__seeds=(0, 1), sweep__depths=(1,)), facts, Pace(default=1e7))
    header, first, second, blank, totals, source, refused = show.table(grid, 2)
    assert header.split() == list(show.HEADER)
    cells = dict(zip(header.split(), first.split(), strict=True))
    flops = 848 * 64 * 18432
    seconds = 2 * (flops + 18432 / 3 * (1024 + 3 * 256)) / 1e7
    expected = {"width": "8", "depth": "1", "N": "4,888", "D": "54,272", "C": f"{flops:.4g}"}
    expected |= {"batch": "4", "steps": "848"}
    assert cells.items() >= expected.items()
    assert cells["D/N"] == "11.1"
    assert cells["seeds"] == "0,1"
    assert cells["MiB"] == "21"  # ten of the libraries, eleven of the ten million tokens of text
    assert float(cells["seconds"]) == pytest.approx(seconds, abs=0.5)
    assert totals.startswith("4 runs, 1 program, ")
    assert not blank
    assert source == "learning rate: optimizer.learning_rate"
    assert refused.startswith("refused: everywhere, width 20 depth 1: model.width: 20;")
    assert len(first) == len(second) == len(header)
