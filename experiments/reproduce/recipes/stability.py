"""Runs at learning rates up to where they break, over widths, with and without what is said to help."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.reproduce.recipes.rate_sweeps import TINY
from scaling_laws.config import (
    ExperimentConfig,
    ModelConfig,
    OptimizerConfig,
    SweepConfig,
    TaskConfig,
    TrainConfig,
    replace,
)

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary

ARMS = {"neither": {}, "qk-norm": {"model.qk_norm": True}, "z-loss": {"train.z_loss": 1e-4}}


def config(scale: str) -> ExperimentConfig:
    """Byte-level transformers under the standard parametrisation with independent decay, one rate for all widths: three
    decades of it, half a decade apart."""
    found = ExperimentConfig(
        model=ModelConfig(width=0, depth=2, head_dim=16),
        task=TaskConfig(context=64),
        optimizer=OptimizerConfig(learning_rate=1e-3, weight_decay=1e-4, independent_decay=True),
        train=TrainConfig(
            parametrization="standard",
            batch_size=8,
            eval_tokens=32768,
            curve_points=10,
            curve_eval_tokens=1024,
            checkpoint_seconds=0,
        ),
        sweep=SweepConfig(
            steps=(300,),
            widths=(16, 32, 64),
            seeds=(0, 1, 2),
            lr_multipliers=tuple(round(10 ** (k / 2), 3) for k in range(7)),
            lr_check=False,
        ),
    )
    if scale == "cpu":
        return found
    few = {"sweep.widths": (16, 32), "sweep.depths": (1,), "sweep.steps": (100,)}
    return replace(found, TINY | few | {"sweep.lr_multipliers": found.sweep.lr_multipliers[2:]})


def train(scale: str, workdir: Path) -> "Iterator[Summary]":
    """Do what is left of all arms, one after the other, in one workdir."""
    from scaling_laws.sweep import study

    for name, changes in ARMS.items():
        print(f"arm: {name}", flush=True)
        summary = study.run_sweep(replace(config(scale), changes), workdir).summary
        yield summary
        if summary.interrupted:
            return
