"""The parts of experiments.critical_batch: train over batch sizes and rates, fit, measure the noise scale, draw."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_laws.config import ExperimentConfig
from scaling_laws.interrupts import Asked, interruptible
from scaling_laws.units import units_of

if TYPE_CHECKING:
    from analysis.critical_batch import Tradeoff, Trial
    from scaling_laws.spec import Spec
    from scaling_laws.sweep.planned import PlannedRun, TaskFacts
    from scaling_laws.sweep.summary import Summary
    from scaling_laws.train.drawing import Drawing

AUTOMATIC = 4  # targets
Grid = list[tuple[int, float]]  # batch size and learning rate
Measured = list[dict[str, Any]]


def say(line: str) -> None:
    """A line at once, into a file too."""
    print(line, flush=True)


def grid(config: ExperimentConfig, sizes: Sequence[int], facts: "TaskFacts") -> Grid:
    """Each batch size with the rates that it begins with. Raises ConfigError for settings that no such run can have."""
    from scaling_laws.sweep import batch_grid

    batch_grid.check(config, sizes, facts)
    return [(batch, rate) for batch in sorted(sizes) for rate in batch_grid.rates(config, batch)]


def train(config: ExperimentConfig, facts: "TaskFacts", grid: Grid, targets: list[float], workdir: Path) -> "Summary":
    """Do the grid, which grows in place where the best rate of a batch lies at its edge, until none does."""
    from scaling_laws.sweep import batch_grid, machine, study

    n_workers = machine.worker_count(config.sweep.workers)
    for extension in range(config.sweep.lr_max_extensions + 1):
        runs = batch_grid.runs(config, facts, grid)
        summary, _ = study.train_runs(config, facts, runs, workdir, n_workers)
        for line in study.endings(summary):
            say(line)
        added = [] if summary.interrupted else further(trials(workdir, runs), targets)
        if not added or extension == config.sweep.lr_max_extensions:
            break
        say(f"at the edge of the rates: {', '.join(f'batch {b} goes on at {r:.3g}' for b, r in added)}")
        grid += added
    return summary


def trials(workdir: Path, runs: Sequence["PlannedRun"]) -> tuple["Trial", ...]:
    """What has come of these runs."""
    from analysis.critical_batch import trials_of
    from scaling_laws import table

    ids = {planned.run_id for planned in runs}
    rows = [row for row in table.read_runs(workdir).to_pylist() if row["run_id"] in ids]
    return trials_of(rows, table.read_curves(workdir).to_pylist())


def further(found: Sequence["Trial"], given: list[float]) -> Grid:
    """(batch, rate) one step beyond each edge at which the best rate of a batch lies, for any target."""
    from analysis.critical_batch import targets, tune

    tuned = [
        tune(found, batch, target)
        for target in given or targets(found, AUTOMATIC)
        for batch in sorted({trial.batch_size for trial in found})
    ]
    tried = {(trial.batch_size, trial.learning_rate) for trial in found}
    edges = [(one.batch_size, float(f"{one.edge:.4g}")) for one in tuned if one is not None and one.edge]
    return [pair for pair in dict.fromkeys(edges) if pair not in tried]


def fit(
    workdir: Path, config: ExperimentConfig, facts: "TaskFacts", grid: Grid, given: list[float], resamples: int
) -> list["Tradeoff"]:
    """The hyperbola of each target, printed; a target without one says why."""
    from analysis.critical_batch import targets, tradeoff
    from analysis.load import DataError
    from scaling_laws.sweep import batch_grid

    found, known = [], trials(workdir, batch_grid.runs(config, facts, grid))
    for target in given or targets(known, AUTOMATIC):
        try:
            found.append(tradeoff(known, target, resamples))
        except DataError as error:
            print(error)
            continue
        print(describe(found[-1], facts.spec))
    return found


def describe(one: "Tradeoff", spec: "Spec") -> str:
    """One line of a target."""
    (low, high), context = one.intervals["b_crit"], spec.targets
    units = units_of(spec.loss, context)
    windows = f"{one.b_crit:.4g} windows = " if units.data == "tokens" else ""
    left = "".join(f"; batch {batch} left out: {why}" for batch, why in one.left_out.items())
    return (
        f"loss {one.target:.4g}: S_min {one.s_min:.4g} steps, E_min {one.e_min * context:.4g} {units.data}, "
        f"B_crit {windows}{one.b_crit * context:.4g} {units.data} "
        f"[{low * context:.4g}, {high * context:.4g}] {one.level:.0%}{left}"
    )


def measure(
    config: ExperimentConfig, facts: "TaskFacts", found: Sequence["Tradeoff"], drawing: "Drawing", workdir: Path
) -> Measured | Asked:
    """The noise scale along the run of the batch nearest the critical one, at its best rate; who asked to stop.

    The run is trained once more, in this process; what was measured before is not measured again.
    """
    from scaling_laws.sweep import batch_grid, machine
    from scaling_laws.tasks import catalog
    from scaling_laws.train import loop, noise_along
    from scaling_laws.train.programs import keep_compiled

    if not found or not drawing.points:
        return []
    nearest = min(found[-1].tuned, key=lambda one: abs(math.log(one.batch_size / found[-1].b_crit)))
    planned = batch_grid.runs(config, facts, [(nearest.batch_size, nearest.learning_rate)])[0]
    say(f"noise scale along the run of batch {nearest.batch_size}, lr {nearest.learning_rate:.3g}")
    keep_compiled(machine.compile_cache_folder())
    task = catalog.load(config.task, machine.task_cache_folder())
    with interruptible() as asked:
        try:
            return noise_along.noise_along(planned.run, task, drawing, workdir, say, asked)
        except loop.StopRequested as stopped:
            print(stopped)
            return asked


def write(found: Sequence["Tradeoff"], noise: Measured, spec: "Spec", workdir: Path) -> None:
    """critical_batch.json and the figures."""
    from analysis.figures import critical_batch as pictures
    from analysis.figures import static
    from analysis.figures.chart import NothingToDraw
    from analysis.summary import write_json

    context, units, tradeoffs = spec.targets, units_of(spec.loss, spec.targets), [one.to_json() for one in found]
    write_json(workdir / "critical_batch.json", {"context": context, "targets": tradeoffs, "noise_scale": noise})
    for build in (
        lambda: pictures.tradeoff(found, context, units),
        lambda: pictures.noise(found, noise, context, units),
    ):
        try:
            print(f"figure: {static.save(build(), workdir / 'figures')[0]}")
        except NothingToDraw as reason:
            print(f"not drawn: {reason}")
