"""Sources on other data, from which arms of transfer begin: runs in a workdir of their own below the study's."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scaling_laws import families
from scaling_laws.config import ConfigError, ExperimentConfig, RunConfig, replace
from scaling_laws.spec import Spec
from scaling_laws.sweep import arms, study
from scaling_laws.sweep.arms import ArmGrid, Best, Cell
from scaling_laws.sweep.planned import TaskFacts
from scaling_laws.sweep.summary import Summary

FOLDER = "sources"  # beside the table of the study, which holds runs on one set of data


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """Runs of the study's shapes and seeds on other data."""

    of: ArmGrid
    config: ExperimentConfig
    facts: TaskFacts

    @classmethod
    def on(cls, path: str, of: ArmGrid) -> "Pretraining":
        """On the data at `path` (as `task.path` names them). Raises ConfigError without one, and for the task's own."""
        config = replace(of.experiment, {"task.path": path})
        facts = study.facts_of(config) if path else of.facts
        if facts.corpus_hash == of.facts.corpus_hash:
            raise ConfigError(f"--pretrain_path: {path!r}; allowed: other data than the task's, named as task.path")
        return cls(of, config, facts)

    def check(self, strength: float, at: Sequence[Cell]) -> None:
        """Raises ConfigError where one cannot be, or has other tensors below its head, before the baseline is
        trained."""
        grid = arms.pretraining(self.of, strength, at, arms.untuned(self.of), self.config, self.facts)
        grid.check()
        for run in grid.runs:
            theirs, ours = (_below_head(run, facts.spec) for facts in (self.facts, self.of.facts))
            for kind in ours:
                if theirs[kind] != ours[kind]:
                    raise ConfigError(
                        f"--pretrain_path: {self.config.task.path!r}, whose models have {theirs[kind]:,} parameters of "
                        f"{kind} where those of the task have {ours[kind]:,}; allowed: data that change the head alone"
                    )

    def train(
        self, strength: float, at: Sequence[Cell], tuned: Mapping[Cell, Best], workdir: Path, n_workers: int
    ) -> tuple[Summary, dict[Cell, dict[int, dict[str, Any]]]]:
        """Those of one strength in a folder of the study's `workdir`: what was done, and for the cells where every seed
        finished the settings that name its source."""
        grid = arms.pretraining(self.of, strength, at, tuned, self.config, self.facts)
        folder = workdir / FOLDER
        summary, rows = study.train_runs(self.config, self.facts, grid.planned(), folder, n_workers)
        finished = {row["run_id"] for row in rows if row["status"] == "finished"}
        found = {}
        for cell, run in zip(at, grid.runs, strict=True):
            runs = {one.run.train.seed: one.run_id for one in grid.of_size(run)}
            if finished.issuperset(runs.values()):
                where = {"transfer.source_workdir": str(folder)}
                found[cell] = {seed: where | {"transfer.source": run_id} for seed, run_id in runs.items()}
            elif not summary.interrupted:
                print(f"transfer {strength:g}, {cell}: left out, for a source did not finish", flush=True)
        return summary, found


def _below_head(run: RunConfig, spec: Spec) -> dict[str, int]:
    """Parameters by kind of layer, without the head's."""
    counts: dict[str, int] = {}
    for layer in families.count_run(run, spec).layers:
        if layer.kind != "head":
            counts[layer.kind] = counts.get(layer.kind, 0) + layer.n_params
    return counts
