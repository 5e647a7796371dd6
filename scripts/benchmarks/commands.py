"""The command line in fresh processes: CPU-seconds of a first answer, and a table of a million rows."""

import tempfile
from pathlib import Path

import numpy as np

from scripts.benchmarks import points
from scripts.benchmarks.measure import Cost, child, spread
from scripts.benchmarks.report import Row, progress

REPEATS = 5
COLUMNS = "--columns=n_params=N,tokens=D"
COLD = (
    ("analysis.fit --help", 0.5, ("--help",)),
    ("analysis.fit, a first answer", 2.0, ()),
    ("analysis.fit, with 4000 resamples", 4.0, ("--bootstrap=4000",)),
)
MILLION = 1_000_000
KEEP = {"half": "seed < 50", "one in a hundred": "seed < 1"}
SECONDS, BYTES = 20.0, 2 << 30


def cold(columns: dict[str, np.ndarray]) -> list[Row]:
    """CPU-seconds of `python -m analysis.fit` on a CSV, from nothing, imports included."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = write_csv(Path(folder) / "runs.csv", columns)
        for what, bar, more in COLD:
            words = ("-m", "analysis.fit", f"--runs={path}", COLUMNS, *more)
            costs = [child(words) for _ in range(REPEATS)]
            middle, low, high = spread(cost.cpu for cost in costs)
            measured = f"{middle:.2f} CPU-s ({low:.2f} to {high:.2f})"
            rows.append(Row(what, f"<= {bar:g} CPU-s", measured, middle <= bar, {"cpu": [cost.cpu for cost in costs]}))
            progress(f"{what}: {measured}")
    return rows


def million(count: int = MILLION) -> list[Row]:
    """A table of `count` rows read, selected and fitted by one command: wall seconds and the peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        made = points.made_up(count)
        path = write_csv(Path(folder) / "runs.csv", made | {"seed": np.arange(count) % 100})
        return [_selected(path, count, name, where) for name, where in KEEP.items()]


def _selected(path: Path, count: int, name: str, where: str) -> Row:
    what = f"{count:,} rows read, {name} selected and fitted"
    progress(what)
    cost: Cost = child(("-m", "analysis.fit", f"--runs={path}", COLUMNS, f"--where={where}"))
    measured = f"{cost.wall:.1f} s ({cost.cpu:.1f} CPU-s), {cost.peak_bytes / 2**30:.2f} GiB"
    met = cost.wall <= SECONDS and cost.peak_bytes <= BYTES
    return Row(what, f"<= {SECONDS:g} s, {BYTES >> 30} GiB", measured, met, vars(cost))


def write_csv(path: Path, columns: dict[str, np.ndarray]) -> Path:
    """Columns under a stranger's names: N, D and the others as they are."""
    names = {"n_params": "N", "tokens": "D"}
    table = np.column_stack(list(columns.values()))
    np.savetxt(path, table, "%.10g", ",", header=",".join(names.get(name, name) for name in columns), comments="")
    return path
