"""Fit a law to a table of runs: approaches 1, 2 and 3 side by side, with intervals and a certificate of the optimum.

    python -m analysis.fit --runs=runs.csv --columns=n_params=N,tokens=D,loss=loss --bootstrap=1000 --out=fit.json

From Python: `fit(load(path), law="chinchilla", bootstrap=1000)`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.fitting import Fit, fit, read_fit

__all__ = ["Fit", "fit", "read_fit", "run"]


def __getattr__(name: str) -> Any:
    """The names of `analysis.fitting`, imported when they are asked for: --help needs none of them."""
    if name not in ("Fit", "fit", "read_fit"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from analysis import fitting

    return getattr(fitting, name)


def run(values: Any = None) -> None:
    """Reads the flags, fits, prints the table and writes `--out`. Raises DataError where the law cannot be fitted."""
    from absl import flags

    from analysis import options, summary
    from analysis.study import study_of

    values = flags.FLAGS if values is None else values
    study = study_of(values.runs, options.from_flags(values))
    print("\n".join(summary.lines(study)))
    if values.out:
        summary.write_json(Path(values.out), summary.to_json(study))


if __name__ == "__main__":
    from analysis import cli, options

    options.define_flags()
    cli.main(run)
