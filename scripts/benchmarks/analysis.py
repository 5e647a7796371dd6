"""Speed of the analysis, each figure beside its bar.

    scripts/bench analysis                          minutes; the reference on slices, extrapolated
    scripts/bench analysis --full                   all of it; goes on where it was stopped
    scripts/bench analysis --points=points.csv      on a copy of the published Chinchilla points
    scripts/bench analysis --only=scipy,commands    some of: scipy, commands, costs, curves, million

The exit code is 0 whatever was measured: a slow machine is no error.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from absl import flags

from analysis import cli
from scaling_laws.config import ConfigError, nearest
from scripts.benchmarks import against_scipy, commands, costs, curves, points, reference
from scripts.benchmarks.report import Row, lines, write


def run() -> None:
    """Runs the sections and prints their table. Raises ConfigError and DataError for bad input."""
    chosen = flags.FLAGS.only.split(",") if flags.FLAGS.only else list(SECTIONS)
    for name in chosen:
        if name not in SECTIONS:
            raise ConfigError(f"--only: {name!r}; allowed: {', '.join(SECTIONS)}{nearest(name, SECTIONS)}")
    rows = [row for name in chosen for row in SECTIONS[name]()]
    print("\n".join(lines(rows)))
    if flags.FLAGS.out:
        write(rows, Path(flags.FLAGS.out))


def _table() -> dict:
    return points.read(Path(flags.FLAGS.points)) if flags.FLAGS.points else points.made_up()


def _against_scipy() -> Iterator[Row]:
    for stopping in reference.STOPPING:
        yield from against_scipy.rows(_table(), stopping, flags.FLAGS.full, Path(flags.FLAGS.cache))


def _curves() -> list[Row]:
    return curves.rows(curves.read(Path(flags.FLAGS.curves)) if flags.FLAGS.curves else curves.made_up())


SECTIONS: dict[str, Callable] = {
    "scipy": _against_scipy,
    "commands": lambda: commands.cold(_table()),
    "costs": lambda: costs.rows(_table(), flags.FLAGS.full, Path(flags.FLAGS.cache)),
    "curves": _curves,
    "million": commands.million,
}


def define_flags() -> None:
    """The flags of this benchmark."""
    flags.DEFINE_string("points", None, "CSV with Model Size, Training FLOP and loss; default: made-up points")
    flags.DEFINE_string("curves", None, "CSV with Seen Examples, Loss and Training; default: made-up curves")
    flags.DEFINE_string("only", None, "sections to run, separated by commas; default: all")
    flags.DEFINE_bool("full", False, "the whole reference and the largest sizes, instead of slices")
    flags.DEFINE_string("cache", "runs/bench", "folder that keeps finished slices of --full, and the figure")
    flags.DEFINE_string("out", None, "JSON file to write")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
