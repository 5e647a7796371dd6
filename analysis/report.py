"""One page about a table of runs that works offline, with every figure as PNG, SVG and CSV beside it.

python -m analysis.report --runs=WORKDIR --bootstrap=1000 --out=report.html
"""

import platform
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from absl import flags

from analysis import cli, envelope, fit, isoflop, load, select, summary
from analysis.summary import Options
from scaling_laws.config import ConfigError

if TYPE_CHECKING:
    from analysis.figures import Study

T = TypeVar("T")
DEFAULTS = Options()
DEFAULT_PAGE = "report.html"
PACKAGES = ("scaling-laws", "numpy", "scipy", "matplotlib", "pyarrow")


def make_study(runs: load.Runs, curves: load.Runs | None = None, options: Options = DEFAULTS) -> "Study":
    """Everything the page shows, from the usable runs, with the same choices as analysis.fit.

    What the data do not carry (too few runs, no curves, no budgets) is absent, with the reason in `missing`.
    Raises ConfigError for a law, an objective, an interval or a holdout that does not exist.
    """
    from analysis.figures import Study

    fitted, heldout = _split(runs, options)
    absent = "the table has no training curves"
    missing = {} if curves is not None else {"curves": absent, "envelope": absent}
    sampling = {"bootstrap": options.bootstrap, "seed": options.seed, "level": options.level}
    choices = {"law": options.law, "objective": options.objective, "delta": options.delta, "interval": options.interval}
    law = _or_reason(missing, "fit", lambda: fit.fit(fitted, **choices, **sampling))
    optima = _or_reason(missing, "isoflop", lambda: isoflop.isoflop(fitted, **sampling))
    lowest = None
    if curves is not None:
        lowest = _or_reason(missing, "envelope", lambda: envelope.envelope(curves, fitted, **sampling))
    return Study(fitted, heldout, curves, law, optima, lowest, missing)


def _split(runs: load.Runs, options: Options) -> tuple[load.Runs, load.Runs | None]:
    """(runs to fit, runs kept out of the fit): forecasts, and with --holdout the largest budgets."""
    held: list[load.Runs] = []
    if not options.include_forecasts:
        runs, forecasts = select.split_forecasts(runs)
        held += [forecasts] if forecasts is not None else []
    runs = load.best_rate(runs)
    if options.holdout:
        runs, largest = select.split_holdout(runs, options.holdout)
        held.append(largest)
    if not held:
        return runs, None
    columns = {name: np.concatenate([part[name] for part in held]) for name in held[0].columns}
    return runs, load.Runs(columns, runs.source)


def _or_reason(missing: dict[str, str], name: str, compute: Callable[[], T]) -> T | None:
    """The result, or None with the reason noted where the data do not carry it."""
    try:
        return compute()
    except load.DataError as reason:
        missing[name] = str(reason)
        return None


def write_report(study: "Study", out: Path, figures: Path | None = None) -> list[Path]:
    """Writes the page, and the figures into a folder (by default OUT_figures beside it); the paths, page first."""
    from analysis.figures import build_all, save_all
    from analysis.figures.style import write_atomically
    from analysis.page import page

    built = build_all(study)
    paths = save_all(built, figures or out.with_name(f"{out.stem}_figures"))
    text = page(study, built.drawings, built.skipped, versions())
    return [write_atomically(out, text.encode()), *paths]


def versions() -> dict[str, str]:
    """What made the page: name -> version."""
    packages = {name: metadata.version(name) for name in PACKAGES}
    return {"this page was made with": f"Python {platform.python_version()}", **packages}


def read_curves(path: Path) -> load.Runs | None:
    """The curves of a workdir; None for a single table, or where the workdir has none."""
    from scaling_laws.table import TableError

    if not path.is_dir():
        return None
    try:
        curves = load.load_curves(path)
    except TableError:
        return None
    return curves if len(curves) else None


def run(values: Any = flags.FLAGS) -> None:
    """Reads the flags, writes the page and the figures, and says where they are."""
    out = Path(values.out)
    if out.suffix not in (".html", ".htm"):
        raise ConfigError(f"--out: {values.out!r}; allowed: a path that ends in .html")
    runs = load.load(values.runs, values.columns, values.where)
    study = make_study(runs, read_curves(Path(values.runs)), summary.options(values))
    page, *drawn = write_report(study, out, Path(values.figures) if values.figures else None)
    print(f"{page}: {len(study.runs)} runs, {len(study.runs.excluded)} left out")
    print(f"{drawn[0].parent}: {len(drawn)} files of figures")


def define_flags() -> None:
    """The flags of analysis.fit with a page as --out, and where the figures go."""
    fit.define_flags()
    flags.FLAGS["out"].help = "the page to write"
    flags.FLAGS.set_default("out", DEFAULT_PAGE)
    flags.DEFINE_string("figures", None, "folder of the figures; default: OUT_figures beside the page")


if __name__ == "__main__":
    define_flags()
    cli.main(run)
