"""What the benchmark of trunks says of kept runs, and what it writes; its arithmetic is tested in tests/analysis."""

from pathlib import Path

from analysis import schedules
from analysis.load import load
from scripts.benchmarks import trunks

KEPT = Path(__file__).parents[2] / "docs" / "results" / "trunks"


def test_kept_runs_beside_their_bars(tmp_path):
    runs = load(KEPT, needs=schedules.NEEDS)
    seen = schedules.points(runs)
    assert [row.met for row in trunks.compared(seen)] == [False, True, True]
    assert "-4.1 standard deviations" in trunks.compared(seen)[0].measured
    assert trunks.cost(runs).met
    assert [row.what.split(",")[0] for row in trunks.averages(seen)] == ["constant"] * 3 + ["wsd"] * 3
    trunks.write(runs, tmp_path)
    assert (tmp_path / "losses.csv").read_bytes() == (KEPT / "losses.csv").read_bytes()
    assert {path.name for path in tmp_path.glob("*.png")} == {path.name for path in KEPT.glob("*.png")}
