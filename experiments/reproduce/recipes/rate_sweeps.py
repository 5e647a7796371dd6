"""Sweeps of learning rates: over sizes and horizons, for a rule; over width and depth under two parametrisations."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from experiments import rates
from scaling_laws.config import ExperimentConfig, RunConfig, replace

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

TINY = {  # what all recipes of smoke share, so that they share programs too
    "model.depth": 1,
    "model.head_dim": 8,
    "task.context": 32,
    "train.batch_size": 8,
    "train.eval_tokens": 8192,
    "train.curve_eval_tokens": 1024,
    "sweep.seeds": (0, 1),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A configuration, its parametrisations, axis -> sizes, horizons in steps, and rates on either side of its own."""

    config: ExperimentConfig
    names: tuple[str, ...]
    sizes: Mapping[str, tuple[int, ...]]
    horizons: tuple[int, ...]
    reach: int

    def runs(self) -> list[RunConfig]:
        """One of each parametrisation, size and horizon."""
        return rates.over(self.config, self.names, self.sizes, self.horizons)

    def train(self, workdir: Path) -> "Iterator[Summary]":
        """Do what is left of it. Raises as `rates.grid`."""
        yield rates.train(rates.grid(self.config, self.runs(), self.reach), workdir)


def rule(scale: str) -> Recipe:
    """The demo's: three widths, each for two horizons (docs/results/demo_rates)."""
    from experiments.configs import demo

    if scale == "smoke":
        return _tiny(("completep",), {"width": (8, 16, 32)}, (36, 180))
    changes = {"model.width": 24, "model.depth": 2, "sweep.seeds": (0, 1)}
    return Recipe(replace(demo.get_config(), changes), ("completep",), {"width": (12, 24, 48)}, (600, 3000), 2)


def transfer(scale: str) -> Recipe:
    """CompleteP beside the standard parametrisation over width and depth (docs/results/transfer)."""
    from experiments.configs import transfer as recipe

    names = ("completep", "standard")
    if scale == "smoke":
        return _tiny(names, {"width": (16, 32), "depth": (1, 2)}, (100,))
    return Recipe(recipe.get_config(), names, {"width": (32, 64, 128), "depth": (2, 4, 8)}, (512,), 2)


def _tiny(names: tuple[str, ...], sizes: Mapping[str, tuple[int, ...]], horizons: tuple[int, ...]) -> Recipe:
    """Bytes, and the fewest rates that can have a minimum among them."""
    from experiments.configs import transfer as recipe

    changes = {"model.width": 16, "train.base_width": 16, "train.base_depth": 1, "optimizer.learning_rate": 0.05}
    return Recipe(replace(recipe.get_config(), TINY | changes), names, sizes, horizons, 1)


def train_rule(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Do what is left of the sweep for a rule."""
    return rule(scale).train(workdir)


def train_transfer(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Do what is left of the sweep under two parametrisations."""
    return transfer(scale).train(workdir)
