"""Figures of the scaling-law papers, again: from one's own sweep, or from published tables.

    python -m experiments.reproduce --list
    python -m experiments.reproduce --paper=chinchilla --figure=3 --workdir=runs/reproduce [--scale=smoke]
    python -m experiments.reproduce --paper=chinchilla --data=published/ --workdir=runs/reproduce
    python -m experiments.reproduce --paper=all --scale=smoke --workdir=runs/gallery --page=gallery.html

Own sweeps are trained once below the workdir, for all figures that read them. --data names a folder of published tables
instead; --list says which files. Every figure becomes PNG, SVG and CSV in WORKDIR/PAPER/FIGURE, beside quantities.csv:
each number of the paper, the same number here with its interval, whether they agree, and why where they do not;
--page also puts them on one page. Stop it at any time: the same command goes on. Exit code 0 when done, whether numbers
agree or not, 1 when a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from experiments import cli
from experiments.reproduce.entry import SCALES, Figure, Own, Published, Result
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig

if TYPE_CHECKING:
    from experiments.reproduce.page import Shown

_LIST = flags.DEFINE_bool("list", False, "say what there is, and do nothing")
_PAPER = flags.DEFINE_string("paper", "", "which paper; all: every one")
_FIGURE = flags.DEFINE_string("figure", "", "which figure of it; none: all that the data are there for")
_DATA = flags.DEFINE_string("data", "own", "own: runs of one's own; else a folder of published tables")
_SCALE = flags.DEFINE_enum("scale", "cpu", SCALES, "of one's own runs")
_PAGE = flags.DEFINE_string("page", "", "file of a page with all that was made")
_BOOTSTRAP = flags.DEFINE_integer("bootstrap", 1000, "resamples behind intervals", lower_bound=10)
OWN, ALL = "own", "all"


def run() -> int:
    """Build the figures asked for, training what is missing."""
    from experiments.reproduce import catalog

    if _LIST.value:
        print("\n".join(catalog.lines()))
        return 0
    if cli.config() != ExperimentConfig():
        raise ConfigError("--config: given; allowed: none, for the catalogue has recipes of its own")
    workdir, every = cli.workdir(), _PAPER.value == ALL
    if every and _FIGURE.value:
        raise ConfigError(f"--figure: {_FIGURE.value!r}; allowed with --paper=all: none")
    names = catalog.NAMES if every else (_PAPER.value,)
    wanted = [(name, *one) for name in names for one in _with_data(name, every).items()]
    shown, failed = [], False
    for name, number, figure in wanted:
        print(f"== {name}, figure {number}: {figure.claim}", flush=True)
        if _DATA.value == OWN:
            stopped, some = _trained(figure, workdir)
            if stopped is not None:
                return stopped
            failed |= some
        shown.append(_show(name, number, figure, workdir, every))
    if _PAGE.value:
        from experiments.reproduce import page

        print(f"page: {page.write(shown, Path(_PAGE.value))}")
    return int(failed)


def _show(name: str, number: str, figure: Figure, workdir: Path, every: bool) -> "Shown":
    """One figure, written and said. With `every` paper asked for, what its data do not carry is said, not raised."""
    from analysis.figures.chart import NothingToDraw
    from analysis.load import DataError
    from experiments.reproduce import catalog, told
    from experiments.reproduce.page import Shown

    folder = workdir / name / number
    source = f"own runs at scale {_SCALE.value}" if _DATA.value == OWN else "published tables"
    about = (name, catalog.paper(name), number, figure, source, folder)
    try:
        result = _built(figure, workdir)
    except (DataError, NothingToDraw) as reason:
        if not every:
            raise
        print(f"not made: {reason}\n", flush=True)
        return Shown(*about, reason=str(reason))
    written = told.write(result, folder)
    print("\n".join([*told.lines(result), f"written: {written[-1].parent}", ""]), flush=True)
    return Shown(*about, result=result)


def _with_data(name: str, every: bool) -> dict[str, Figure]:
    """Its figures that can be had from --data. Raises ConfigError where none can, naming what is missing, unless
    `every` paper is asked for."""
    from experiments.reproduce import catalog

    figures = catalog.figures(name, _FIGURE.value)
    if _DATA.value == OWN:
        found = {number: figure for number, figure in figures.items() if figure.own}
        if not found and not every:
            raise ConfigError("--data: own; allowed for this figure: a folder of published tables (--list says which)")
        return found
    folder = Path(_DATA.value)
    tables = {number: figure for number, figure in figures.items() if figure.published}
    if not tables and not every:
        raise ConfigError(f"--data: {folder}; allowed for this figure: own, for there are no published tables of it")
    missing = {number: [f for f in figure.files if not (folder / f).exists()] for number, figure in tables.items()}
    found = {number: figure for number, figure in tables.items() if not missing[number]}
    if not found and not every:
        lacks = next(iter(missing.values()))[0]
        raise ConfigError(f"--data: {folder} lacks {lacks}; allowed: own, or a folder with the files that --list names")
    return found


def _trained(figure: Figure, workdir: Path) -> tuple[int | None, bool]:
    """The exit code of a stop, and whether a run failed."""
    from experiments.reproduce import sweeps

    failed = False
    for name in figure.sweeps:
        summary = sweeps.train(name, _SCALE.value, sweeps.folder(name, _SCALE.value, workdir))
        if summary.interrupted:
            return command.stopped(summary.terminated), failed
        failed |= summary.count("failed") > 0
    return None, failed


def _built(figure: Figure, workdir: Path) -> Result:
    from experiments.reproduce import sweeps

    if _DATA.value != OWN:
        assert figure.published is not None
        return figure.published(Published(Path(_DATA.value), _BOOTSTRAP.value))
    assert figure.own is not None
    folders = {name: sweeps.folder(name, _SCALE.value, workdir) for name in figure.sweeps}
    return figure.own(Own(_SCALE.value, folders, _BOOTSTRAP.value))


if __name__ == "__main__":
    cli.main(run)
