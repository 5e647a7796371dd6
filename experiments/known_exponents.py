"""Does the whole pipeline give back exponents that theory knows? Plan, train, table, fit; theory beside measurement.

    python -m experiments.known_exponents --workdir=runs/known [--cases=power_law,zipf] [--dry_run]

Power-law random features trained by one-pass SGD (the loss and the size of the compute-optimal models, in three phases;
single runs against the exact expectation), the Zipf memoriser over examples and over places, ridge regression on random
features over features and over examples, and students on manifolds. Each case has a folder with its runs table; the
exponents stand in known_exponents.csv and in a figure. Stop it at any time: the same command goes on. Exit code 0 when
every bar is met, 1 when one is missed or a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from experiments import cli
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig, leaves, replace

if TYPE_CHECKING:
    from experiments.known.cases import Case
    from experiments.known.measure import Measured
    from scaling_laws.sweep.summary import Summary

MACHINE = ("sweep.workers", "sweep.strategy", "sweep.pack_size")  # the settings that may be given
_CASES = flags.DEFINE_list("cases", [], "which, by the beginnings of their names; none: all")
_SEEDS = flags.DEFINE_integer("seeds", 16, "seeds of the cases that have several", lower_bound=2, upper_bound=1024)
_BOOTSTRAP = flags.DEFINE_integer("bootstrap", 400, "resamples behind the intervals", lower_bound=10)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "list the cases and their runs, and train nothing")


def run() -> int:
    """Every case one after the other, then the comparison."""
    from experiments.known import say
    from experiments.known.cases import cases
    from experiments.known.measure import measure
    from scaling_laws.progress import duration

    changes, wanted, began = machine_settings(cli.config()), cases(_CASES.value, _SEEDS.value), time.monotonic()
    if _DRY_RUN.value:
        print("\n".join(say.planned(wanted)))
        return 0
    workdir, found, failed = cli.workdir(), [], False
    for case in wanted:
        say.now(f"\n== {case.title} ({case.source})")
        summary = do(case, changes, workdir / case.name)
        if summary is not None and summary.interrupted:
            return command.stopped(summary.terminated)
        failed |= summary is not None and summary.count("failed") > 0
        found += measure(case, workdir / case.name, _BOOTSTRAP.value)
        say.now("\n".join(say.quantities(found[-len(case.quantities) :])))
        oracle(case, workdir / case.name)
    report(found, workdir)
    print(f"done in {duration(time.monotonic() - began)}")
    return 1 if failed or any(one.verdict == "MISSED" for one in found) else 0


def machine_settings(config: ExperimentConfig) -> dict[str, object]:
    """What was given on the command line. Raises ConfigError for settings that the cases have of their own."""
    given = {path: value for path, _, value in leaves(config)}
    default = {path: value for path, _, value in leaves(ExperimentConfig())}
    for path, value in given.items():
        if value != default[path] and path not in MACHINE:
            allowed = ", ".join(MACHINE)
            raise ConfigError(f"--config.{path}: {value}; allowed: {allowed}, all else is the cases' own")
    return {path: given[path] for path in MACHINE if given[path] != default[path]}


def do(case: "Case", changes: dict[str, object], workdir: Path) -> "Summary | None":
    """Train the case's sweep, or solve its fits, as far as `workdir` lacks them."""
    from experiments.known import ridge
    from experiments.known.cases import Ridge
    from scaling_laws.sweep import study

    if isinstance(case.work, Ridge):
        ridge.solve(case.work, workdir)
        return None
    return study.run_sweep(replace(case.work, changes), workdir).summary


def oracle(case: "Case", workdir: Path) -> None:
    """Say how far the repeated runs of a one-pass case lie from their exact expectation."""
    from experiments.known import say
    from experiments.known.cases import Ridge
    from experiments.known.measure import against_oracle

    if not isinstance(case.work, Ridge) and case.work.task.name == "power_law":
        say.now("\n".join(say.deviations(against_oracle(case.work, workdir, 2 * _SEEDS.value))))


def report(found: Sequence["Measured"], workdir: Path) -> None:
    """The comparison as a table, as CSV and as a figure."""
    from analysis.figures import known_exponents as pictures
    from analysis.figures import static
    from experiments.known import say

    print("\n== theory and measurement")
    print("\n".join(say.table(found)))
    print(f"table: {say.write(found, workdir / 'known_exponents.csv')}")
    drawn = static.save(pictures.build([say.line(one) for one in found]), workdir / "figures")
    print(f"figure: {drawn[0]}")


if __name__ == "__main__":
    cli.main(run)
