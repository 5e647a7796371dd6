"""Sweeps that figures read, each trained once for all of them.

smoke: what shows that everything works, in a minute or so; cpu: minutes to tens of minutes on two cores.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_laws.config import ConfigError, ExperimentConfig

if TYPE_CHECKING:
    from scaling_laws.sweep.summary import Summary


def text(scale: str) -> ExperimentConfig:
    """IsoFLOP budgets of transformers on text, several seeds at some, with training curves: the demo's recipes, at cpu
    scale that over two decades of compute."""
    from experiments.configs import demo_full, demo_smoke

    return {"smoke": demo_smoke, "cpu": demo_full}[scale].get_config()


SWEEPS: Mapping[str, Callable[[str], ExperimentConfig]] = {"text": text}


def train(name: str, scale: str, workdir: Path) -> "Summary":
    """Do what is left of a sweep in `workdir`. Raises as `study.run_sweep`."""
    from scaling_laws.sweep import study

    return study.run_sweep(SWEEPS[name](scale), workdir).summary


def folder(name: str, scale: str, workdir: Path) -> Path:
    """Where a sweep lies below the catalogue's workdir. Raises ConfigError for an unknown one."""
    if name not in SWEEPS:
        raise ConfigError(f"sweep: {name!r}; allowed: {', '.join(SWEEPS)}")
    return workdir / scale / name
