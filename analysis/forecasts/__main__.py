"""Every forecast ever registered, and how it came out: error, coverage, and the naive guesses beside it.

    python -m analysis.forecasts --ledger=forecasts.jsonl --runs=WORKDIR,WORKDIR2 --out=grades.json --figures=figures

A run answers a forecast of the same task and family when its N and D lie within --tolerance of the target; of a
forecast at a budget when C does, and N within 2.5 times as much. It counts where it began after the forecast was made.
The forecast is moved to the run's own N and D by the registered law. A ledger that was changed is refused.
"""

from pathlib import Path
from typing import Any


def run(values: Any = None) -> None:
    """Reads the ledger and the runs, prints the grades, writes `--out` and the figure. Raises DataError."""
    from absl import flags

    from analysis import summary
    from analysis.forecasts import ledger, table
    from analysis.forecasts.grading import grade, summarise
    from scaling_laws.config import ConfigError

    values = flags.FLAGS if values is None else values
    path = ledger.path_of(values.ledger)
    if not 0 < values.tolerance < 1:
        raise ConfigError(f"tolerance: {values.tolerance}; allowed: between 0 and 1")
    records = ledger.read(path)
    tables = [part.strip() for part in (values.runs or "").split(",") if part.strip()]
    grades = grade(records, tables, values.tolerance, values.columns or "")
    found = summarise(grades)
    print("\n".join(table.lines(grades, found)))
    print(f"{path}: sound, {len(records)} lines; its head is {ledger.head(path)}")
    if values.out:
        told = {"ledger": str(path), "head": ledger.head(path), "summary": found.to_json()}
        summary.write_json(Path(values.out), told | {"grades": [one.to_json() for one in grades]})
    if values.figures:
        draw(grades, Path(values.figures))


def draw(grades: Any, folder: Path) -> None:
    """The figure with its numbers, where a forecast has landed."""
    from analysis.figures import NothingToDraw, forecasts, static

    try:
        print(f"figure: {static.save(forecasts.build(grades), folder)[0]}")
    except NothingToDraw as reason:
        print(f"not drawn: {reason}")


def define_flags() -> None:
    """What is graded by what."""
    from absl import flags

    flags.DEFINE_string("ledger", None, "the ledger, or the workdir that it is in", required=True)
    flags.DEFINE_string("runs", None, "tables of runs that may have landed, separated by commas; none: all is open")
    flags.DEFINE_string("columns", None, "ours=theirs pairs of these tables; default: those of each forecast")
    flags.DEFINE_float("tolerance", 0.1, "how near, in ln N and ln D or in ln C, a run must come to the target")
    flags.DEFINE_string("out", None, "JSON file to write")
    flags.DEFINE_string("figures", None, "folder of the figure to draw")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
