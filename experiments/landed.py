"""Forecasts that a workdir's runs answer, graded as soon as these have landed."""

from pathlib import Path

from absl import flags

_FORECASTS = flags.DEFINE_string(
    "forecasts", None, "ledger of forecasts that these runs may answer, or its folder (default: the workdir's own)"
)


def ledger_for(workdir: Path) -> Path | None:
    """The ledger to grade by, read once so that what is wrong with it is said before anything trains; None without one.

    Raises DataError for one that is missing or was changed.
    """
    from analysis.forecasts import ledger

    path = ledger.path_of(_FORECASTS.value or str(workdir))
    if _FORECASTS.value or path.is_file():
        ledger.read(path)
        return path
    return None


def tell(path: Path | None, workdir: Path) -> None:
    """Print the grades of the forecasts in the ledger `path` that the runs of `workdir` answer, or why none are."""
    if path is None:
        return
    from analysis.forecasts import grading, ledger, table
    from analysis.load import DataError

    try:
        grades = [one for one in grading.grade(ledger.read(path), [str(workdir)]) if one.state == grading.LANDED]
    except DataError as reason:  # the runs are kept whatever becomes of the grades
        print(f"{path}: not graded: {reason}")
        return
    print(f"{path}: forecasts answered by {workdir}: {len(grades)}")
    if grades:
        print("\n".join(table.lines(grades, grading.summarise(grades))))
