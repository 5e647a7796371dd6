"""What the compiled programs read: arrays of a task that lie on the devices, or windows that the host reads for each
dispatch while the devices work on the one before.

Dimension letters: M members, K steps a dispatch, B batch.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws.config import RunConfig
from scaling_laws.tasks import host, order
from scaling_laws.tasks.task import Task
from scaling_laws.train import boosting, takeover
from scaling_laws.train.programs import Programs
from scaling_laws.train.shape import eval_batch

Arrays = tuple[dict[str, np.ndarray], dict[str, np.ndarray]]  # to train on, and for evaluations


def data_of(run: RunConfig, task: Task, workdir: Path, members: int = 1) -> Arrays:
    """The arrays to train so many such runs on and those for evaluations, those of what they rest on in `workdir` among
    them. Of a text that the host reads: room for the windows of a dispatch, and of a batch of an evaluation."""
    teaching = takeover.teaching(run, workdir)
    if task.mapped:
        dispatched = members * run.train.steps_per_dispatch * run.train.batch_size
        return host.blank(task, dispatched) | teaching, host.blank(task, eval_batch(run, task.spec))
    train, evaluated = boosting.offsets(run, task, workdir)
    return order.training(task) | teaching | train, order.evaluation(task) | evaluated


class Feed:
    """The data of a task for the programs of a pack."""

    def __init__(self, task: Task, programs: Programs, arrays: Arrays):
        """`arrays`: those of `data_of`."""
        self._task, self._programs = task, programs
        self._train, self._evaluated = programs.place_data(*arrays)

    def dispatch(self, places_MxKxB: np.ndarray, count: int) -> tuple[Any, np.ndarray]:
        """The arrays that the first `count` of K steps read, and where in them the examples at these places of the
        train split begin (M, K, B)."""
        if not self._task.mapped:
            return self._train, places_MxKxB.astype(np.int32)
        starts_MxKxB = np.zeros(places_MxKxB.shape, np.int32)
        arrays, starts_MxKxB[:, :count] = self._read("train", places_MxKxB[:, :count], places_MxKxB.size)
        return self._train | self._programs.place_data(arrays, {})[0], starts_MxKxB

    def evaluation(self, split: str, places: np.ndarray) -> Iterator[tuple[Any, np.ndarray]]:
        """The arrays that each batch of the examples at these places (n,) of a split reads, and where in them (B,); the
        last batch is filled up."""
        size = self._programs.shape.eval_batch
        if not self._task.mapped:
            starts = places + np.int32(order.offset(self._task, split))
            padded = np.concatenate([starts, np.zeros(-len(starts) % size, np.int32)]).reshape(-1, size)
            yield from ((self._evaluated, starts_B) for starts_B in padded)
            return
        for places_B in np.concatenate([places, np.repeat(places[:1], -len(places) % size)]).reshape(-1, size):
            arrays, starts_B = self._read(split, places_B)
            yield self._programs.place_data({}, arrays)[1], starts_B

    def _read(self, split: str, places: np.ndarray, room: int = 0) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Of windows at (..., B) those that the devices of this process work on."""
        return host.read(self._task, split, places, room, self._programs.layout.rows(places.shape[-1]))
