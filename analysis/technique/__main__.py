"""What techniques are worth beside a baseline: multipliers of N and D, gains of compute, slopes, and shifts of E.

    python -m analysis.technique --runs=WORKDIR --out=worth.json --figures=figures

Columns technique ("none": the baseline) and strength name the arms; pretrain_flops are sunk costs, extra_flops those of
a teacher or of other members. From Python: `worth(load_runs(path))`.
"""

from pathlib import Path
from typing import Any

CELLS = "technique_cells.csv"


def run(values: Any = None) -> None:
    """Reads the flags, compares, prints, writes `--out` and the figures. Raises DataError and ConfigError."""
    from absl import flags

    from analysis import options, summary
    from analysis.technique import load_runs, table, worth

    values = flags.FLAGS if values is None else values
    chosen = options.from_flags(values)
    runs = load_runs(values.runs, chosen)
    found = worth(runs, chosen)
    print("\n".join(table.lines(found)))
    counts = runs.excluded_counts()
    print("".join(f"left out: {count} x {reason}\n" for reason, count in counts.items()), end="")
    if values.out:
        summary.write_json(Path(values.out), found.to_json() | {"left_out": counts})
    if values.figures:
        draw(found, Path(values.figures))


def draw(found: Any, folder: Path) -> None:
    """The figures with their numbers, and the cells as a CSV."""
    from analysis.figures import NothingToDraw, static, style, technique
    from analysis.technique import table

    for build in technique.BUILDERS:
        try:
            print(f"figure: {static.save(build(found), folder)[0]}")
        except NothingToDraw as reason:
            print(f"not drawn: {reason}")
    style.write_atomically(folder / CELLS, style.csv_bytes(table.cell_rows(found), table.CELL_COLUMNS))


def define_flags() -> None:
    """The flags of analysis.fit, with weights, resamples and level of this comparison, and where figures go."""
    from absl import flags

    from analysis import options

    options.define_flags()
    for name, value in (("weights", "seed_noise"), ("bootstrap", 1000), ("level", 0.95)):
        flags.FLAGS.set_default(name, value)
    flags.DEFINE_string("figures", None, "folder of the figures to draw")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
