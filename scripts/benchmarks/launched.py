"""How the journal and the tables of a sweep grow with its runs, and how long they take to read."""

import dataclasses
import itertools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from analysis.figures.chart import Axis, Drawing, Layer, Panel
from analysis.figures.style import csv_bytes, write_atomically
from analysis.load import load
from scaling_laws import table
from scaling_laws.table.journal import JOURNAL
from scaling_laws.table.store import CURVES_FILE, RUNS_FILE
from scripts.benchmarks.measure import child, cpu
from scripts.benchmarks.report import Row, progress

SIZES = (1000, 3000, 10_000, 30_000, 100_000)
REPEATS = 3  # of reading, the least of which counts
READ = 2.0  # bar: seconds to read the table for a fit
FIT = "import sys; from analysis.load import load; load(sys.argv[1])"  # in a fresh process, imports included


@dataclasses.dataclass(frozen=True)
class Size:
    """A table of so many rows: bytes on the disk, seconds by the clock, and CPU-seconds (`cpu`) beside them."""

    rows: int
    journal_bytes: int
    runs_bytes: int
    curves_bytes: int
    open_seconds: float  # of the journal, by a sweep that goes on
    compact_seconds: float
    read_seconds: float  # of the Parquet, for a fit
    read_cpu: float
    fresh_seconds: float  # the same in a fresh process
    fresh_cpu: float
    journal_seconds: float  # of the journal, for a fit: the sweep is under way
    journal_cpu: float
    open_cpu: float
    compact_cpu: float


def growth(workdir: Path) -> list[Size]:
    """The first rows of a journal as tables of their own, up to all of them."""
    with (workdir / JOURNAL).open("rb") as file:
        total = sum(1 for _ in file) - 1
    sizes = sorted({size for size in SIZES if size < 0.9 * total} | {total})
    return [_measured(workdir, size) for size in sizes]


def _measured(workdir: Path, size: int) -> Size:
    with tempfile.TemporaryDirectory(dir=workdir) as name:
        folder = Path(name)
        with (workdir / JOURNAL).open("rb") as file, (folder / JOURNAL).open("wb") as part:
            part.writelines(itertools.islice(file, size + 1))
        opened, open_cpu = _spent(lambda: table.Journal(folder).close())
        under_way, journal_cpu = _spent(lambda: load(folder))
        compacted, compact_cpu = _spent(lambda: table.compact(folder))
        load(folder)  # imports
        read, read_cpu = min(_spent(lambda: load(folder)) for _ in range(REPEATS))
        fresh = min((child(("-c", FIT, str(folder))) for _ in range(REPEATS)), key=lambda cost: cost.wall)
        journal, runs, curves = ((folder / name).stat().st_size for name in (JOURNAL, RUNS_FILE, CURVES_FILE))
    progress(f"{size:,} rows: read in {read:.2f} s, from the journal in {under_way:.1f}, compacted in {compacted:.1f}")
    return Size(
        rows=size,
        journal_bytes=journal,
        runs_bytes=runs,
        curves_bytes=curves,
        open_seconds=opened,
        compact_seconds=compacted,
        read_seconds=read,
        read_cpu=read_cpu,
        fresh_seconds=fresh.wall,
        fresh_cpu=fresh.cpu,
        journal_seconds=under_way,
        journal_cpu=journal_cpu,
        open_cpu=open_cpu,
        compact_cpu=compact_cpu,
    )


def _spent(action: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and CPU-seconds."""
    began = time.perf_counter()
    _, spent = cpu(action)
    return time.perf_counter() - began, spent


def rows(found: Sequence[Size]) -> list[Row]:
    """The largest table beside its bar."""
    last = found[-1]
    files = {"journal": last.journal_bytes, "runs": last.runs_bytes, "curves": last.curves_bytes}
    sizes = ", ".join(f"{name} {size / 2**20:,.1f} MiB ({size / last.rows:,.0f} a row)" for name, size in files.items())
    return [
        Row(f"{last.rows:,} rows on the disk", "", sizes),
        Row("read for a fit", f"{READ:g} s", _said(last.read_seconds, last.read_cpu), last.read_seconds <= READ),
        Row("in a fresh process, with its imports", "", _said(last.fresh_seconds, last.fresh_cpu)),
        Row("from the journal of a sweep under way", "", _said(last.journal_seconds, last.journal_cpu)),
        Row("the journal opened by the next start", "", _said(last.open_seconds, last.open_cpu)),
        Row("compacted at the end", "", _said(last.compact_seconds, last.compact_cpu)),
    ]


def _said(seconds: float, cpu_seconds: float) -> str:
    return f"{seconds:.2f} s, {cpu_seconds:.2f} CPU-s"


def write(samples: Sequence[tuple[int, float, float]], found: Sequence[Size], folder: Path) -> None:
    """growth.csv and the figure; `samples`: rows so far, and the driver's seconds for them, by the clock and CPU."""
    from analysis.figures import static  # matplotlib: only where a figure is wanted

    fields = [field.name for field in dataclasses.fields(Size)]
    write_atomically(folder / "growth.csv", csv_bytes((dataclasses.asdict(size) for size in found), fields))
    static.save(drawing(samples, found), folder)


def drawing(samples: Sequence[tuple[int, float, float]], found: Sequence[Size]) -> Drawing:
    """The driver's time a row along a sweep, bytes on the disk, and seconds to read."""
    at, *spent = np.array(samples, float).T
    clock, cpu = (1e3 * np.diff(seconds) / np.diff(at) for seconds in spent)
    size = np.array([one.rows for one in found], float)
    bytes_of = {
        "journal": ("journal_bytes", "law"),
        "curves.parquet": ("curves_bytes", "approach1"),
        "runs.parquet": ("runs_bytes", "ink"),
    }
    seconds_of = {
        "Parquet, for a fit": ("read_cpu", "law"),
        "the same, fresh process": ("fresh_cpu", "approach1"),
        "journal of a sweep under way": ("journal_cpu", "ink"),
    }

    def layers(of: dict[str, tuple[str, str]], unit: float) -> tuple[Layer, ...]:
        return tuple(
            Layer(kind, name, size, np.array([getattr(one, field) for one in found]) / unit, role=role, mark=mark)
            for name, (field, role) in of.items()
            for kind, mark in (("line", "thin"), ("points", "dot"))
        )

    driver = (
        Layer("line", "driver by the clock, with the disk", at[1:], clock, role="muted", mark="thin"),
        Layer("line", "driver's CPU", at[1:], cpu, role="law"),
    )
    bar = Layer("line", f"bar: {READ:g} s", size, np.full(len(size), READ), role="muted", mark="dashed", frames=False)
    panels = (
        Panel(Axis("rows", log=False, si=True), Axis("driver's ms a row"), driver, "the driver's work"),
        Panel(Axis("rows", si=True), Axis("MiB"), layers(bytes_of, 2**20), "on the disk"),
        Panel(Axis("rows", si=True), Axis("CPU-seconds"), (*layers(seconds_of, 1.0), bar), "to read"),
    )
    caption = "Real driver, journal and tables; simulated workers. Left: mean over the rows since the point before."
    return Drawing("launcher", "What a sweep's driver costs, and how its table grows", caption, panels)
