"""Samples of a train split that a run reads in its place: bootstrap samples, all but one of equal parts, a few of its
examples again and again."""

import dataclasses
import functools

import numpy as np

from scaling_laws.config import ConfigError, RunConfig
from scaling_laws.spec import Spec
from scaling_laws.tasks import batches
from scaling_laws.tasks.task import Task

FOLDS = 0xF01D  # of streams


@dataclasses.dataclass(frozen=True)
class Sample:
    """The settings `train.bag`, `train.folds` with `train.fold`, and `train.unique_examples`; only one is given."""

    bag: int = 0
    folds: int = 0
    fold: int = 0
    unique: int = 0


WHOLE = Sample()


def of(run: RunConfig) -> Sample:
    """What a run reads."""
    train = run.train
    return Sample(train.bag, train.folds, train.fold, train.unique_examples)


def check(run: RunConfig, spec: Spec, whole: int) -> None:
    """Raises ConfigError for more examples than a train split of `whole` targets has, of a text windows."""
    kind, most = "examples", whole
    if spec.source == "windows":
        kind, most = "windows", batches.windows_per_epoch(whole, *spec.shape)
    if run.train.unique_examples > most:
        raise ConfigError(
            f"train.unique_examples: {run.train.unique_examples}; allowed: at most {most}, the {kind} of the train "
            "split, or 0 for all"
        )


@functools.lru_cache(maxsize=16)
def examples(task: Task, sample: Sample) -> np.ndarray:
    """(m,) int32 places in the train split of a task of examples, each as often as it stands in the sample."""
    n_examples = task.length("train")
    if sample.bag:
        found = batches.bagged(n_examples, sample.bag)
    elif sample.folds:
        found = np.flatnonzero(parts(task, sample.folds) != sample.fold)
    elif sample.unique:
        found = batches.first_few(n_examples, sample.unique)
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
    if sample.unique:
        return sample.unique * task.spec.targets
    (context,) = task.spec.shape
    windows = batches.windows_per_epoch(task.length("train"), context)
    return context * len(np.unique(batches.bagged(windows, sample.bag)))
