"""How fast a pack of runs of one form advances: what a sweep measures before it settles on a way of working."""

import time
from pathlib import Path

import jax
import numpy as np

from scaling_laws import hyper
from scaling_laws.config import RunConfig
from scaling_laws.tasks.task import Task
from scaling_laws.train.feed import data_of
from scaling_laws.train.layout import Layout
from scaling_laws.train.loop import programs_of
from scaling_laws.train.programs import stack

SECONDS = 0.5  # of stepping, once warm


def rate(
    run: RunConfig, task: Task, members: int, strategy: str, pack_devices: int = 1, workdir: Path = Path()
) -> float:
    """Optimiser steps a second of all members together, compiling left out; the programs are those of the real runs.

    Raises ConfigError where the layout cannot be had, and whatever a device raises that has not the memory.
    """
    arrays = data_of(run, task, workdir, members)
    built = programs_of(run, task, Layout.of(run, members, strategy, pack_devices), workdir, arrays)
    shape = built.shape
    data, _ = built.place_data(arrays[0], {})
    state = built.place_states([built.initial_state(seed) for seed in range(members)])
    numbers, alive_M = stack([hyper.hyperparameters(run)] * members), np.ones(members, bool)
    starts_MxKxB = np.zeros((members, shape.steps_per_dispatch, shape.batch_size), np.int32)
    dispatches, began = -1, 0.0  # the first one warms up
    while dispatches < 1 or time.perf_counter() - began < SECONDS:
        state, losses, *_ = built.advance(state, numbers, data, starts_MxKxB, shape.steps_per_dispatch, alive_M)
        jax.block_until_ready((state, losses))
        dispatches += 1
        began = began or time.perf_counter()
    return members * dispatches * shape.steps_per_dispatch / (time.perf_counter() - began)
