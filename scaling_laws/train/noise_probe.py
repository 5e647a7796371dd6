"""The gradient noise scale of a run's own loss at given parameters, on windows of its train split, not augmented."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_laws import hyper
from scaling_laws.config import RunConfig, replace
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.train import state as states
from scaling_laws.train.noise_scale import Moments, NoiseScale, moments, noise_scale
from scaling_laws.train.reading import Data
from scaling_laws.train.shape import Shape
from scaling_laws.train.state import State
from scaling_laws.train.step import Step

STREAM = 0x6E01  # of the examples measured on, beside a run's own order of the data


class NoiseProbe:
    """Measures with `n_batches` batches of `windows` windows each, gradients taken of `group` windows at a time.

    Groups of one need the fewest windows for an interval; a model whose single windows leave the device idle wants
    larger ones. The windows are the same at every call, so that points of a run differ by the parameters alone.
    """

    def __init__(self, run: RunConfig, task: Task, windows: int = 64, n_batches: int = 16, group: int = 1):
        shape = Shape.of(replace(run, {"train.batch_size": group, "train.accumulation": 1}), task.spec)
        step = Step(shape)
        self.windows, self.group, self.rules = windows, group, step.rules
        self.template = states.named(step.abstract_state())
        data_seed = run.train.data_seed ^ STREAM  # of a stream it draws other examples than the run's own
        self.numbers = hyper.hyperparameters(run) | {"data_seed": np.int32(data_seed)}
        places_KxN = order.places(task, data_seed, 0, n_batches, windows)
        arrays, self.starts_KxN = order.taken(task, "train", places_KxN)
        self._data = jax.device_put(arrays)
        self._measured = _program(shape, group)

    def at(self, params: State, starts_KxN: np.ndarray | None = None) -> NoiseScale:
        """The noise scale in windows, at parameters by name (train.state); nan where the gradient is lost in noise."""
        starts_KxN = self.starts_KxN if starts_KxN is None else starts_KxN
        queued = [self._measured(params, self._data, jnp.asarray(starts_N), self.numbers) for starts_N in starts_KxN]
        found = [Moments(float(a), float(b), self.group, starts_KxN.shape[1]) for a, b in queued]
        return noise_scale(found)


@functools.cache
def _program(shape: Shape, group: int) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """`moments` of parameters by name, the data, places of examples and the run's numbers; compiled once a process."""
    step = Step(shape)
    params = step.abstract_state()["params"]

    def measured(state: State, data: Data, starts_N: jax.Array, numbers: hyper.Hyper) -> tuple[jax.Array, jax.Array]:
        tree = states.tree({"params": params}, state)["params"]
        return moments(lambda p, starts: step.losses_B(p, numbers, data, starts).mean(), tree, starts_N, group)

    return jax.jit(measured)


def as_row(found: NoiseScale, targets: int) -> dict[str, Any]:
    """What JSON can hold of a measurement, the noise scale in tokens too; None where there is no ratio."""
    row = dataclasses.asdict(found) | {"tokens": found.examples * targets}
    plain = {name: value if math.isfinite(value) else None for name, value in row.items()}
    return {"windows": plain.pop("examples")} | plain
