"""Does the whole pipeline give back exponents that theory knows? Plan, train, table, fit; theory beside measurement.

    python -m experiments.known_exponents --workdir=runs/known [--cases=power_law,zipf] [--dry_run]

Power-law random features trained by one-pass SGD (the loss and the size of the compute-optimal models, in three phases;
single runs against the exact expectation), the Zipf memoriser over examples and over places, ridge regression on random
features over features and over examples, and students on manifolds. Each case has a folder with its runs table; the
exponents stand in known_exponents.csv and in a figure. Stop it at any time: the same command goes on. Exit code 0 when
every bar is met, 1 when one is missed or a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from experiments import cli
from scaling_laws import command

if TYPE_CHECKING:
    from experiments.known.cases import Case

_CASES = flags.DEFINE_list("cases", [], "which, by the beginnings of their names; none: all")
_SEEDS = flags.DEFINE_integer("seeds", 16, "seeds of the cases that have several", lower_bound=2, upper_bound=1024)
_BOOTSTRAP = flags.DEFINE_integer("bootstrap", 400, "resamples behind the intervals", lower_bound=10)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "list the cases and their runs, and train nothing")


def run() -> int:
    """Every case one after the other, then the comparison."""
    from experiments.known import say
    from experiments.known.cases import cases, machine_settings
    from experiments.known.measure import measure
    from experiments.known.work import do
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
    print("\n== theory and measurement")
    print("\n".join(say.report(found, workdir)))
    print(f"done in {duration(time.monotonic() - began)}")
    return 1 if failed or any(one.verdict == "MISSED" for one in found) else 0


def oracle(case: "Case", workdir: Path) -> None:
    """Say how far the repeated runs of a one-pass case lie from their exact expectation."""
    from experiments.known import say
    from experiments.known.cases import Ridge
    from experiments.known.measure import against_oracle

    if not isinstance(case.work, Ridge) and case.work.task.name == "power_law":
        say.now("\n".join(say.deviations(against_oracle(case.work, workdir, 2 * _SEEDS.value))))


if __name__ == "__main__":
    cli.main(run)
