"""Runs of a task from scratch, and from sources of another text: which there are, and how they are trained."""

import dataclasses
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_laws.config import ConfigError, ExperimentConfig, RunConfig, replace, run_part
from scaling_laws.techniques.transfer import PARTS
from scaling_laws.validation import validate_run

if TYPE_CHECKING:
    from scaling_laws.sweep.planned import PlannedRun, TaskFacts
    from scaling_laws.sweep.summary import Row, Summary


@dataclasses.dataclass(frozen=True)
class Asked:
    """What is trained beside the configuration: the text of the sources and the steps that they take, those of the
    fine-tuning and from scratch, and what rests in the arms."""

    source_path: str = ""
    source_steps: int = 2000
    steps: tuple[int, ...] = (16, 64, 256)
    scratch_steps: tuple[int, ...] = (16, 64, 256, 1024)
    frozen: tuple[str, ...] = ("none", "embedding", "body")


def train(config: ExperimentConfig, workdir: Path, asked: Asked) -> "Iterator[tuple[Summary, list[Row]]]":
    """The sources, then all arms, saying how each ended: what was done and the rows of these runs. Nothing comes after
    an interruption. Raises ConfigError for bad settings before anything is trained."""
    from scaling_laws.sweep import machine, study

    n_workers = machine.worker_count(config.sweep.workers)
    before = replace(config, {"task.path": asked.source_path, "train.keep_parameters": True})
    sources = [replace(one, {"train.steps": asked.source_steps}) for one in shapes(before)]
    begun, facts = study.facts_of(before), study.facts_of(config)
    planned = {(one.run.model, one.run.train.seed): one for one in plan(before, sources, begun)}
    wanted = arms(config, {key: one.run_id for key, one in planned.items()}, asked)
    for one in wanted:
        validate_run(one)
    for about in ((before, begun, tuple(planned.values())), (config, facts, plan(config, wanted, facts))):
        summary, rows = study.train_runs(*about, workdir, n_workers)
        study.say_now("\n".join(study.endings(summary)))
        ids = {one.run_id for one in about[-1]}
        yield summary, [row for row in rows if row["run_id"] in ids]
        if summary.interrupted:
            return


def shapes(config: ExperimentConfig) -> Iterator[RunConfig]:
    """A run of each shape and seed of the sweep."""
    from scaling_laws.sweep import listed
    from scaling_laws.sweep import plan as planning

    listed.refuse(config.sweep, "but widths, depths and seeds, each trained for --steps")
    for (width, depth), seed in itertools.product(planning.shapes(config), config.sweep.seeds):
        changes = {"model.width": width, "model.depth": depth, "train.seed": seed, "train.data_seed": seed}
        yield replace(run_part(config), changes)


def arms(config: ExperimentConfig, sources: dict[Any, str], asked: Asked) -> list[RunConfig]:
    """From scratch and from the source of its (model, seed), for each number of steps, at each rate."""
    for part in asked.frozen:
        if part not in PARTS or part == "blocks":
            raise ConfigError(f"--frozen: {part!r}; allowed: none, embedding, body")
    found = []
    for one in shapes(config):
        begun = {"transfer.source": sources[one.model, one.train.seed]}
        ways = [({}, count) for count in asked.scratch_steps]
        ways += [(begun | {"transfer.frozen": part}, count) for part in asked.frozen for count in asked.steps]
        for (changes, count), factor in itertools.product(ways, config.sweep.lr_multipliers):
            rate = float(f"{config.optimizer.learning_rate * factor:.4g}")
            found.append(replace(one, changes | {"train.steps": count, "optimizer.learning_rate": rate}))
    return found


def plan(config: ExperimentConfig, runs: list[RunConfig], facts: "TaskFacts") -> "tuple[PlannedRun, ...]":
    """Those runs, counted."""
    from scaling_laws import families
    from scaling_laws.sweep.pace import Pace
    from scaling_laws.sweep.planned import as_planned

    about = (facts, Pace(), None, "grid", "optimizer.learning_rate x sweep.lr_multipliers")
    return tuple(as_planned(one, families.count_run(one, facts.spec), *about) for one in runs)
