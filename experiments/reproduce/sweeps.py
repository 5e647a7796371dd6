"""Runs that figures read, each trained once for all of them.

smoke: what shows that everything works, in a minute or so; cpu: minutes to tens of minutes on two cores; gpu: half an
hour of one accelerator, where a sweep has such a recipe.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.reproduce.recipes import (
    batches,
    ensembles,
    porian,
    rate_sweeps,
    repeated,
    schedules,
    stability,
    teachers,
    theory,
    transfer,
)
from scaling_laws.config import ConfigError, ExperimentConfig

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary


@dataclasses.dataclass(frozen=True)
class Sweep:
    """`train(scale, workdir)` does what is left of the runs in `workdir`; `kept`: their folder among kept results."""

    train: Callable[[str, Path], "Iterator[Summary]"]
    kept: str


def planned(recipe: Callable[[str], ExperimentConfig]) -> Callable[[str, Path], "Iterator[Summary]"]:
    """`train` of the sweep that a configuration plans at each scale. It raises as `study.run_sweep`."""

    def train(scale: str, workdir: Path) -> "Iterator[Summary]":
        from scaling_laws.sweep import study

        yield study.run_sweep(recipe(scale), workdir).summary

    return train


def text(scale: str) -> ExperimentConfig:
    """IsoFLOP budgets of transformers on text, several seeds at some, with training curves: the demo's recipes, at cpu
    scale that over two decades of compute, at gpu scale up to 50M parameters on a larger text."""
    from experiments.configs import demo_full, demo_smoke, gpu_text

    return {"smoke": demo_smoke, "cpu": demo_full, "gpu": gpu_text}[scale].get_config()


SWEEPS: Mapping[str, Sweep] = {
    "text": Sweep(planned(text), "demo_full"),
    **{f"porian_{stage}": Sweep(planned(porian.recipe(stage)), f"porian/{stage}") for stage in porian.STAGES},
    "rate_rule": Sweep(rate_sweeps.train_rule, "demo_rates"),
    "rate_transfer": Sweep(rate_sweeps.train_transfer, "transfer"),
    "stability": Sweep(stability.train, "stability"),
    "schedules": Sweep(schedules.train, "trunks"),
    "batches": Sweep(batches.train, "critical_batch"),
    "theory": Sweep(theory.train, "known_exponents"),
    "teachers": Sweep(teachers.train, "teachers"),
    "ensembles": Sweep(ensembles.train, "ensembles"),
    "transfer": Sweep(transfer.runs, "transfer_learning"),
    "repeated": Sweep(repeated.train, "repeated"),
}


def sweep(name: str) -> Sweep:
    """One of them. Raises ConfigError for an unknown one."""
    if name not in SWEEPS:
        raise ConfigError(f"sweep: {name!r}; allowed: {', '.join(SWEEPS)}")
    return SWEEPS[name]
