"""Samples of a train split that a run reads in its place: bootstrap samples, and all but one of equal parts."""

import dataclasses
import functools

import numpy as np

from scaling_laws.config import RunConfig
from scaling_laws.tasks import batches
from scaling_laws.tasks.task import Task

FOLDS = 0xF01D  # of streams


@dataclasses.dataclass(frozen=True)
class Sample:
    """The settings `train.bag`, `train.folds` and `train.fold`."""

    bag: int = 0
    folds: int = 0
    fold: int = 0


WHOLE = Sample()


def of(run: RunConfig) -> Sample:
    """What a run reads."""
    return Sample(run.train.bag, run.train.folds, run.train.fold)


@functools.lru_cache(maxsize=16)
def examples(task: Task, sample: Sample) -> np.ndarray:
    """(m,) int32 places in the train split of a task of examples, each as often as it stands in the sample."""
    n_examples = task.length("train")
    if sample.bag:
        found = batches.bagged(n_examples, sample.bag)
    elif sample.folds:
        found = np.flatnonzero(parts(task, sample.folds) != sample.fold)
    else:
        found = np.arange(n_examples)
    found = found.astype(np.int32)
    found.flags.writeable = False
    return found


@functools.lru_cache(maxsize=4)
def parts(task: Task, folds: int) -> np.ndarray:
    """(n,) which of `folds` parts each example of the train split is in: equal parts of a shuffle of unlike inputs,
    so that equal ones are together."""
    inputs = task.train["inputs"].reshape(task.length("train"), -1)
    _, unlike = np.unique(inputs, axis=0, return_inverse=True)
    n_unlike = int(unlike.max()) + 1
    shuffled = np.argsort(np.random.PCG64(FOLDS).random_raw(n_unlike), kind="stable")
    return (shuffled % folds)[unlike.reshape(-1)]


def size(task: Task, sample: Sample) -> int:
    """Distinct targets of the train split that are in a sample; of a text those of its windows."""
    if sample == WHOLE:
        return task.unique_tokens
    if task.spec.source == "examples":
        return len(np.unique(examples(task, sample)))
    (context,) = task.spec.shape
    windows = batches.windows_per_epoch(task.length("train"), context)
    return context * len(np.unique(batches.bagged(windows, sample.bag)))
