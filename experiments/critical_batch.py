"""The critical batch of one shape: runs over batch sizes and learning rates, and the gradient noise scale on the way.

    python -m experiments.critical_batch --config=experiments/configs/critical_batch.py --workdir=runs/batch

`train.steps` and `train.batch_size` are the least steps and the critical batch as guessed: batches of B train
steps x (1 + batch_size / B). `optimizer.learning_rate` belongs to that batch; others start at a rate that grows with
its root (Adam) or with itself (SGD), with half and twice of it, and go on where the best lies at an edge, at most
`sweep.lr_max_extensions` times. Leaves critical_batch.json, noise_scale.jsonl and figures in the workdir. Stop it at
any time: the same command goes on. Exit code 0 when done, 1 when a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2
for bad input.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments import cli
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig
from scaling_laws.interrupts import Asked, interruptible

if TYPE_CHECKING:
    from analysis.critical_batch import Tradeoff, Trial
    from scaling_laws.sweep.planned import PlannedRun, TaskFacts
    from scaling_laws.sweep.summary import Summary

_BATCHES = flags.DEFINE_string("batch_sizes", "4,8,16,32,64", "windows a step, three sizes or more")
_TARGETS = flags.DEFINE_string("targets", "", "losses to reach; empty: four that all batches reach")
_BOOTSTRAP = flags.DEFINE_integer("bootstrap", 1000, "resamples of runs behind the intervals", lower_bound=10)
_POINTS = flags.DEFINE_integer("noise_points", 8, "points of a run with a noise scale; 0: none", lower_bound=0)
_WINDOWS = flags.DEFINE_integer("noise_windows", 64, "windows of a batch of the noise scale", lower_bound=2)
_DRAWS = flags.DEFINE_integer("noise_batches", 16, "batches of the noise scale at a point", lower_bound=2)
_GROUP = flags.DEFINE_integer("noise_group", 1, "windows whose gradient is taken at once", lower_bound=1)
_DRY_RUN = flags.DEFINE_bool("dry_run", False, "print the planned runs and train nothing")
AUTOMATIC = 4  # targets
Grid = list[tuple[int, float]]  # batch size and learning rate
Measured = list[dict[str, Any]]


def say(line: str) -> None:
    """A line at once, into a file too."""
    print(line, flush=True)


def run() -> int:
    """Train, fit, measure the noise scale, draw."""
    from scaling_laws.sweep import batch_grid, study

    config, batches, targets = cli.config(), _numbers("batch_sizes", _BATCHES.value, int), _targets()
    if _WINDOWS.value % _GROUP.value or _WINDOWS.value < 2 * _GROUP.value:
        raise ConfigError(f"noise_group: {_GROUP.value}; allowed: a divisor of noise_windows that leaves two groups")
    facts = study.facts_of(config)
    batch_grid.check(config, batches, facts)
    grid = [(batch, rate) for batch in sorted(batches) for rate in batch_grid.rates(config, batch)]
    if _DRY_RUN.value:
        print("\n".join(_planned(batch_grid.runs(config, facts, grid))))
        return 0
    workdir = cli.workdir()
    trained = train(config, facts, grid, targets, workdir)
    if trained.interrupted:
        return command.stopped(trained.terminated)
    found = fit(workdir, config, facts, grid, targets)
    noise = measure(config, facts, found, workdir)
    if isinstance(noise, Asked):
        return command.stopped(noise.terminated)
    write(found, noise, config, workdir)
    return 1 if trained.count("failed") else 0


def _numbers(flag: str, text: str, kind: type) -> list[Any]:
    """Numbers separated by commas, positive and each once. Raises ConfigError."""
    try:
        values = [kind(word) for word in text.split(",") if word.strip()]
    except ValueError:
        values = []
    if not values or not all(0 < value < 1e9 for value in values) or len(set(values)) < len(values):
        word = "whole numbers" if kind is int else "numbers"
        raise ConfigError(f"{flag}: {text!r}; allowed: positive {word} separated by commas, each once")
    return values


def _targets() -> list[float]:
    return _numbers("targets", _TARGETS.value, float) if _TARGETS.value else []


def _planned(runs: Sequence["PlannedRun"]) -> list[str]:
    from scaling_laws.progress import duration
    from scaling_laws.sweep import show

    head = ("batch", "lr", "steps", "D", "C", "epochs", "seed", "seconds")
    cells = [
        (
            f"{one.run.train.batch_size}",
            f"{one.run.optimizer.learning_rate:.3g}",
            f"{one.run.train.steps:,}",
            f"{one.tokens:,}",
            f"{one.flops:.4g}",
            f"{one.epochs:.2f}",
            f"{one.run.train.seed}",
            f"{one.expected_seconds:.0f}",
        )
        for one in runs
    ]
    seconds = duration(sum(one.expected_seconds for one in runs))
    return [*show.align([head, *cells]), f"{show.plural(len(runs), 'run')}, about {seconds} of one worker"]


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
    workdir: Path, config: ExperimentConfig, facts: "TaskFacts", grid: Grid, given: list[float]
) -> list["Tradeoff"]:
    """The hyperbola of each target, printed; a target without one says why."""
    from analysis.critical_batch import targets, tradeoff
    from analysis.load import DataError
    from scaling_laws.sweep import batch_grid

    found, known = [], trials(workdir, batch_grid.runs(config, facts, grid))
    for target in given or targets(known, AUTOMATIC):
        try:
            found.append(tradeoff(known, target, _BOOTSTRAP.value))
        except DataError as error:
            print(error)
            continue
        print(describe(found[-1], config.task.context))
    return found


def describe(one: "Tradeoff", context: int) -> str:
    """One line of a target."""
    low, high = one.intervals["b_crit"]
    left = "".join(f"; batch {batch} left out: {why}" for batch, why in one.left_out.items())
    return (
        f"loss {one.target:.4g}: S_min {one.s_min:.4g} steps, E_min {one.e_min * context:.4g} tokens, "
        f"B_crit {one.b_crit:.4g} windows = {one.b_crit * context:.4g} tokens "
        f"[{low * context:.4g}, {high * context:.4g}] {one.level:.0%}{left}"
    )


def measure(
    config: ExperimentConfig, facts: "TaskFacts", found: Sequence["Tradeoff"], workdir: Path
) -> Measured | Asked:
    """The noise scale along the run of the batch nearest the critical one, at its best rate; who asked to stop.

    The run is trained once more, in this process; what was measured before is not measured again.
    """
    from scaling_laws.sweep import batch_grid, machine
    from scaling_laws.tasks import catalog
    from scaling_laws.train import loop, noise_along
    from scaling_laws.train.programs import keep_compiled

    drawing = noise_along.Drawing(_WINDOWS.value, _DRAWS.value, _GROUP.value, _POINTS.value)
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


def write(found: Sequence["Tradeoff"], noise: Measured, config: ExperimentConfig, workdir: Path) -> None:
    """critical_batch.json and the figures."""
    from analysis.figures import critical_batch as pictures
    from analysis.figures import static
    from analysis.figures.chart import NothingToDraw
    from analysis.summary import write_json

    context = config.task.context
    tradeoffs = [one.to_json() for one in found]
    write_json(workdir / "critical_batch.json", {"context": context, "targets": tradeoffs, "noise_scale": noise})
    for build in (lambda: pictures.tradeoff(found, context), lambda: pictures.noise(found, noise, context)):
        try:
            print(f"figure: {static.save(build(), workdir / 'figures')[0]}")
        except NothingToDraw as reason:
            print(f"not drawn: {reason}")


if __name__ == "__main__":
    cli.main(run)
