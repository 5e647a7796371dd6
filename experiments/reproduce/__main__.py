"""Figures of the scaling-law papers, again: from one's own sweep, or from published tables.

    python -m experiments.reproduce --list
    python -m experiments.reproduce --paper=chinchilla --figure=3 --workdir=runs/reproduce [--scale=smoke]
    python -m experiments.reproduce --paper=chinchilla --data=published/ --workdir=runs/reproduce
    python -m experiments.reproduce --paper=all --scale=smoke --workdir=runs/gallery --page=gallery.html

Own sweeps are trained once below the workdir, for all figures that read them. --data names a sweep's workdir instead,
a folder of kept ones (docs/results), or a folder of published tables; --list says which files. Every figure becomes
PNG, SVG and CSV in WORKDIR/PAPER/FIGURE, beside quantities.csv: each number of the paper, the same number here with
its interval, whether they agree, and why where they do not; --page also puts them on one page. Stop it at any time:
the same command goes on. Exit code 0 when done, whether numbers agree or not, 1 when a run failed, 130 after Ctrl-C,
75 after SIGTERM, 2 for bad input.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from experiments import cli, resamples
from experiments.reproduce.entry import SCALES, Figure, Paper
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig

if TYPE_CHECKING:
    from experiments.reproduce.page import Shown
    from experiments.reproduce.source import Source

_LIST = flags.DEFINE_bool("list", False, "say what there is, and do nothing")
_PAPER = flags.DEFINE_string("paper", "", "which paper; all: every one")
_FIGURE = flags.DEFINE_string("figure", "", "which figure of it; none: all that the data are there for")
_DATA = flags.DEFINE_string("data", "own", "own: its sweeps; else a workdir, kept results, or published tables")
_SCALE = flags.DEFINE_enum("scale", "cpu", SCALES, "of one's own runs")
_PAGE = flags.DEFINE_string("page", "", "file of a page with all that was made")
ALL = "all"


def run() -> int:
    """Build the figures asked for, training what is missing."""
    from experiments.reproduce import catalog
    from experiments.reproduce.source import Source

    if _LIST.value:
        print("\n".join(catalog.lines()))
        return 0
    if cli.config() != ExperimentConfig():
        raise ConfigError("--config: given; allowed: none, for the catalogue has recipes of its own")
    workdir, every = cli.workdir(), _PAPER.value == ALL
    source = Source(_DATA.value, _SCALE.value, workdir, resamples.count())
    shown, failed = [], False
    for name, number, figure in _wanted(source, every):
        print(f"== {name}, figure {number}: {figure.claim}", flush=True)
        for summary in source.train(figure):
            if summary.interrupted:
                return command.stopped(summary.terminated)
            failed |= summary.count("failed") > 0
        shown.append(_show(catalog.paper(name), name, number, source, every))
    if _PAGE.value:
        from experiments.reproduce import page

        print(f"page: {page.write(shown, Path(_PAGE.value))}")
    return int(failed)


def _wanted(source: "Source", every: bool) -> list[tuple[str, str, Figure]]:
    """Paper, number and figure of what the flags ask for and the data are there for. Raises ConfigError where nothing
    is."""
    from experiments.reproduce import catalog

    if not every:
        found = source.figures(catalog.figures(_PAPER.value, _FIGURE.value))
        return [(_PAPER.value, number, figure) for number, figure in found.items()]
    if _FIGURE.value:
        raise ConfigError(f"--figure: {_FIGURE.value!r}; allowed with --paper=all: none")
    figures = {(name, number): one for name in catalog.NAMES for number, one in catalog.paper(name).figures.items()}
    names = {f"{name} {number}": (name, number) for name, number in figures}
    found = source.figures({said: figures[key] for said, key in names.items()})
    return [(*names[said], figure) for said, figure in found.items()]


def _show(paper: Paper, name: str, number: str, source: "Source", every: bool) -> "Shown":
    """One figure, written and said. With `every` paper asked for, what its data do not carry is said, not raised."""
    from analysis.figures.chart import NothingToDraw
    from analysis.load import DataError
    from experiments.reproduce import told
    from experiments.reproduce.page import Shown

    figure, folder = paper.figures[number], source.workdir / name / number
    about = (name, paper, number, figure, source.said, folder)
    try:
        result = source.build(figure)
    except (DataError, NothingToDraw) as reason:
        if not every:
            raise
        print(f"not made: {reason}\n", flush=True)
        return Shown(*about, reason=str(reason))
    written = told.write(result, folder)
    print("\n".join([*told.lines(result), f"written: {written[-1].parent}", ""]), flush=True)
    return Shown(*about, result=result)


if __name__ == "__main__":
    cli.main(run)
