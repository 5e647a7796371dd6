"""Which examples a step reads, and which an evaluation: places in the arrays of a split, chosen on the host.

A pure function of seed and step, so that a resumed run sees the same. Windows of a text: `tasks.batches`. Examples: an
epoch is a shuffle, each example once; a batch may reach over the end of an epoch. A stream is read on and on.
"""

import numpy as np

from scaling_laws.tasks import batches, host, samples
from scaling_laws.tasks.samples import WHOLE, Sample
from scaling_laws.tasks.task import Task
from scaling_laws.tasks.windows import Windows

HELDOUT = 1 << 30  # where a stream's held-out examples begin; before are those for validation


def places(
    task: Task, data_seed: int, first_step: int, n_steps: int, batch_size: int, sample: Sample = WHOLE
) -> np.ndarray:
    """(n_steps, batch_size) int32: what the steps from `first_step` on read of the train split, or a sample of it;
    int64 of a text that the host reads."""
    if task.mapped:
        return _windows(task, "train").of_steps(data_seed, first_step, n_steps, batch_size, sample.unique)
    if task.spec.source == "windows":
        (context,) = task.spec.shape
        return batches.window_starts(
            task.length("train"), context, data_seed, first_step, n_steps, batch_size, sample.bag, sample.unique
        )
    first = first_step * batch_size
    if task.spec.source == "stream":
        return np.arange(first, first + n_steps * batch_size, dtype=np.int32).reshape(n_steps, batch_size)
    if sample == WHOLE:
        found = batches.shuffled(task.length("train"), data_seed, first, n_steps * batch_size)
    else:
        chosen = samples.examples(task, sample)
        found = chosen[batches.shuffled(len(chosen), data_seed, first, n_steps * batch_size)]
    return found.reshape(n_steps, batch_size)


def evaluated(task: Task, split: str, n_targets: int) -> np.ndarray:
    """(n,) int32: places in a split that an evaluation of `n_targets` targets reads; all of it where it has fewer;
    int64 of a text that the host reads."""
    if task.mapped:
        return _windows(task, split).evenly(n_targets)
    if task.spec.source == "windows":
        return batches.eval_starts(task.length(split), task.spec.shape[0], n_targets)
    if task.spec.source == "stream":
        return np.arange(min(n_targets, HELDOUT), dtype=np.int32)
    available = task.length(split)
    n_examples = min(available, n_targets)
    return (np.arange(n_examples, dtype=np.int64) * available // n_examples).astype(np.int32)


def evaluation(task: Task) -> dict[str, np.ndarray]:
    """The arrays of both splits for evaluations, `valid` first: one program serves both."""
    if task.spec.source == "stream":
        return {"stream": np.array(1, np.int32), **task.fixed}
    joined = {name: np.concatenate([task.valid[name], task.heldout[name]]) for name in task.valid}
    return {**joined, **task.fixed}


def offset(task: Task, split: str) -> int:
    """Where the places of `split` begin in the arrays of `evaluation`."""
    if split == "valid":
        return 0
    return HELDOUT if task.spec.source == "stream" else task.length("valid")


def training(task: Task) -> dict[str, np.ndarray]:
    """The arrays to train on."""
    return {**task.train, **task.fixed}


def taken(task: Task, split: str, places: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """(arrays, places in them as int32) in which the examples at `places` (...) of a split are found: all that are
    trained on or that evaluations read, or those of them alone where the host reads a text (`host`)."""
    if task.mapped:
        return host.read(task, split, places)
    if split == "train":
        return training(task), places
    return evaluation(task), places + np.int32(offset(task, split))


def _windows(task: Task, split: str) -> Windows:
    (context,) = task.spec.shape
    return Windows(task.mapped[split].lengths, context)
