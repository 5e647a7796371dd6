"""What is predicted of a row: a class, or a number."""

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.tasks.columns import MOST_LEVELS, Column, Numbers, Words, moments, standard_note, standardise
from scaling_laws.tasks.csv_file import listed, shown

FEW_CLASSES = 20  # whole numbers of so many values, or fewer, are classes
NAMED = 100  # classes that a note names


def check_loss(config: TaskConfig, loss: str) -> None:
    """Raises ConfigError where a task whose loss is `loss` is asked for another, or to weigh what is no class."""
    if config.loss not in ("auto", loss):
        raise ConfigError(f"task.loss: {config.loss}; allowed: auto, {loss} with task.name={config.name}")
    if loss == "squared_error" and config.balance:
        raise ConfigError("task.balance: true; allowed: false where a number is predicted, not a class")


def loss_of(column: Column, config: TaskConfig) -> str:
    """`task.loss`; of `auto` cross_entropy for words and for whole numbers of 20 values at most."""
    if config.loss != "auto":
        return config.loss
    if isinstance(column, Words):
        return "cross_entropy"
    found = np.unique(column.values)
    few = len(found) <= FEW_CLASSES and (found == np.round(found)).all()
    return "cross_entropy" if few else "squared_error"


def classes(column: Column, source: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n,) int32 and the classes' names, numbers in their order, words sorted.

    Raises ConfigError for a single class, for more than 1000, and where no class comes twice.
    """
    values = column.values if isinstance(column, Numbers) else np.array(column.values, object)
    levels, codes = np.unique(values, return_inverse=True)
    check_two(column, source)
    if len(levels) > MOST_LEVELS or len(levels) == len(values):
        how = "none twice" if len(levels) == len(values) else f"more than {MOST_LEVELS}"
        raise ConfigError(
            f"task.target: column {shown(column.name)} of {source} has {len(levels)} different values as classes, "
            f"{how}; allowed: {MOST_LEVELS} at most, some of them twice, or task.loss=squared_error for numbers"
        )
    names = tuple(level if isinstance(level, str) else repr(level).removesuffix(".0") for level in levels.tolist())
    return codes.astype(np.int32), names


def check_two(column: Column, source: str) -> None:
    """Raises ConfigError for a target that is the same in every row."""
    values = set(column.values.tolist() if isinstance(column, Numbers) else column.values)
    if len(values) < 2:
        value = next(iter(values))
        said = shown(value) if isinstance(value, str) else f"{value:.9g}"
        raise ConfigError(
            f"task.target: column {shown(column.name)} of {source} has one value only, {said}; allowed: two or more"
        )


def class_notes(codes: np.ndarray, names: tuple[str, ...], train: np.ndarray) -> list[str]:
    """The names by number; which classes have one example only; which have none in the rows `train`."""
    more = f", ... ({len(names)} in all)" if len(names) > NAMED else ""
    notes = ["classes: " + ", ".join(f"{code} {shown(name)}" for code, name in enumerate(names[:NAMED])) + more]
    counts = np.bincount(codes, minlength=len(names))
    there = np.bincount(codes[train], minlength=len(names))
    for what, chosen in (("a single example", counts == 1), ("no example in the train split", there == 0)):
        if chosen.any():
            notes.append(f"classes with {what}: {listed([names[code] for code in np.flatnonzero(chosen)])}")
    return notes


def standard_numbers(
    values: np.ndarray, train: np.ndarray, config: TaskConfig, what: str
) -> tuple[np.ndarray, list[str]]:
    """(n,) float32, standardised by the rows `train` with `task.standardise`, and the note that says so."""
    if not config.standardise:
        return values.astype(np.float32), []
    mean, deviation = moments(values[train])
    return standardise(values, mean, deviation, what), [standard_note(what, mean, deviation)]
