"""What a source is worth: runs of a task from scratch, and fine-tuned from runs of another text, over data sizes.

    python -m experiments.fine_tuning --config=experiments/configs/fine_tuning.py --workdir=runs/fine_tuning

The configuration's task is that of the fine-tuning; --source_path names the text of the sources, one of each shape and
seed, whose parameters are kept. Every arm is trained for each number of steps at each of `sweep.lr_multipliers`, from
the source of its own seed. Leaves transferred.csv and a figure in the workdir; over several widths the file is a table
for `python -m analysis.fit --law=transfer`. Stop it at any time: the same command goes on. Exit code 0 when done, 1
when a run failed, 130 after Ctrl-C, 75 after SIGTERM, 2 for bad input.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from absl import flags

from experiments import cli
from scaling_laws import command
from scaling_laws.config import ConfigError, ExperimentConfig, RunConfig, replace, run_part
from scaling_laws.techniques.transfer import PARTS
from scaling_laws.units import loss_text
from scaling_laws.validation import validate_run

if TYPE_CHECKING:
    from scaling_laws.sweep.planned import PlannedRun, TaskFacts

_PATH = flags.DEFINE_string("source_path", "", "text of the sources; empty: the packaged corpus")
_SOURCE_STEPS = flags.DEFINE_integer("source_steps", 2000, "optimiser steps of a source", lower_bound=2)
_STEPS = flags.DEFINE_list("steps", ["16", "64", "256"], "optimiser steps of the fine-tuning")
_SCRATCH = flags.DEFINE_list("scratch_steps", ["16", "64", "256", "1024"], "optimiser steps from scratch")
_FROZEN = flags.DEFINE_list("frozen", ["none", "embedding", "body"], "what rests in the arms: transfer.frozen")
FILE = "transferred.csv"


def run() -> int:
    """Pre-train, fine-tune, and say what the sources were worth."""
    from scaling_laws.sweep import machine, study

    config, workdir = cli.config(), cli.workdir()
    n_workers = machine.worker_count(config.sweep.workers)
    before = replace(config, {"task.path": _PATH.value, "train.keep_parameters": True})
    sources = [replace(one, {"train.steps": _SOURCE_STEPS.value}) for one in shapes(before)]
    begun, facts = study.facts_of(before), study.facts_of(config)
    planned = {(one.run.model, one.run.train.seed): one for one in plan(before, sources, begun)}
    wanted = arms(config, {key: one.run_id for key, one in planned.items()})
    for one in wanted:
        validate_run(one)
    summary, _ = study.train_runs(before, begun, tuple(planned.values()), workdir, n_workers)
    print("\n".join(study.endings(summary)), flush=True)
    if summary.interrupted:
        return command.stopped(summary.terminated)
    runs = plan(config, wanted, facts)
    summary, rows = study.train_runs(config, facts, runs, workdir, n_workers)
    print("\n".join(study.endings(summary)), flush=True)
    if summary.interrupted:
        return command.stopped(summary.terminated)
    ids = {one.run_id for one in runs}
    write([row for row in rows if row["run_id"] in ids], workdir)
    return 1 if summary.count("failed") else 0


def shapes(config: ExperimentConfig) -> Iterator[RunConfig]:
    """A run of each shape and seed of the sweep."""
    from scaling_laws.sweep import listed
    from scaling_laws.sweep import plan as planning

    listed.refuse(config.sweep, "but widths, depths and seeds, each trained for --steps")
    for (width, depth), seed in itertools.product(planning.shapes(config), config.sweep.seeds):
        changes = {"model.width": width, "model.depth": depth, "train.seed": seed, "train.data_seed": seed}
        yield replace(run_part(config), changes)


def arms(config: ExperimentConfig, sources: dict[Any, str]) -> list[RunConfig]:
    """From scratch and from the source of its (model, seed), for each number of steps, at each rate."""
    steps = cli.whole_numbers("--steps", _STEPS.value)
    scratch = cli.whole_numbers("--scratch_steps", _SCRATCH.value)
    for part in _FROZEN.value:
        if part not in PARTS or part == "blocks":
            raise ConfigError(f"--frozen: {part!r}; allowed: none, embedding, body")
    found = []
    for one in shapes(config):
        begun = {"transfer.source": sources[one.model, one.train.seed]}
        ways = [({}, count) for count in scratch]
        ways += [(begun | {"transfer.frozen": part}, count) for part in _FROZEN.value for count in steps]
        for (changes, count), factor in itertools.product(ways, config.sweep.lr_multipliers):
            rate = float(f"{config.optimizer.learning_rate * factor:.4g}")
            found.append(replace(one, changes | {"train.steps": count, "optimizer.learning_rate": rate}))
    return found


def plan(config: ExperimentConfig, runs: list[RunConfig], facts: "TaskFacts") -> tuple["PlannedRun", ...]:
    """Those runs, counted."""
    from scaling_laws import families
    from scaling_laws.sweep.pace import Pace
    from scaling_laws.sweep.planned import as_planned

    about = (facts, Pace(), None, "grid", "optimizer.learning_rate x sweep.lr_multipliers")
    return tuple(as_planned(one, families.count_run(one, facts.spec), *about) for one in runs)


def write(rows: list[dict[str, Any]], workdir: Path) -> None:
    """transferred.csv, a line of it each, and the figure."""
    from analysis import transferred
    from analysis.figures import fine_tuning, static, style

    found = transferred.arms(rows)
    worth = [each.to_row() for each in transferred.transferred(found)]
    style.write_atomically(workdir / FILE, style.csv_bytes(worth, transferred.ROW))
    for arm in found:
        edge = ", at the edge of the rates" if arm.edge else ""
        print(f"{arm.arm}, {arm.tokens:,} tokens: {loss_text(arm.loss)} at {arm.learning_rate:g}{edge}")
    for row in worth:
        worth_of = row["transferred_tokens"]
        what = "what no run from scratch measures" if worth_of == "" else f"{worth_of:,.0f} tokens"
        print(f"{row['arm']}, {row['finetune_tokens']:,} tokens: the source was worth {what}")
    print(f"figure: {static.save(fine_tuning.losses_over_tokens(found), workdir / 'figures')[0]}")


if __name__ == "__main__":
    cli.main(run)
