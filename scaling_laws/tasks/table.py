"""Tables: rows of numbers and words, one column of which is predicted from the others.

`task.path` names a CSV file, a table that ships with scikit-learn (`shipped`), or one that is made up
(`generated_tables`). The rows are split before anything is computed of them.
"""

from pathlib import Path

import numpy as np

from scaling_laws.config import ConfigError, TaskConfig
from scaling_laws.spec import Spec
from scaling_laws.tasks import examples, targets
from scaling_laws.tasks.columns import Column, Table, Words, encode, raw, row_digests, typed
from scaling_laws.tasks.csv_file import check_column, listed, read, shown
from scaling_laws.tasks.generated_tables import GENERATED, NOISY
from scaling_laws.tasks.shipped import SHIPPED
from scaling_laws.tasks.task import Task

DEFAULT = "breast_cancer"


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """The table that `task.path` names, its column `task.target` predicted from all that `task.ignore` does not name.

    Inputs are (n, F) float32: numbers imputed (`task.impute`) and standardised (`task.standardise`) by the train
    split, words one-hot. Targets are classes, or numbers that are standardised likewise; the notes tell the classes'
    names, mean and deviation, and what was imputed. Nothing is kept under `cache_dir`. Raises ConfigError in one line
    for a table that cannot be read, and for one that cannot be learnt from: no input, a constant target.
    """
    table = _chosen(config)
    columns = [column for column in table.columns if column.name != table.target]
    target = table.column(table.target)
    _check_target(target, table)
    found = examples.indices(row_digests(columns, len(table.lines)), config)
    train = found["train"]
    inputs, notes = encode(columns, train, config.impute, config.standardise, table.source)
    values, outputs, loss, target_notes = _target(target, table, train, config)
    parts = examples.take(found, inputs, values)
    return Task(
        name=config.name,
        spec=Spec("vector", (inputs.shape[1],), outputs, loss),
        train=parts["train"],
        valid=parts["valid"],
        heldout=parts["heldout"],
        content_hash=examples.content_hash(*raw([*columns, target])),
        fixed=examples.weights(config, parts["train"]["targets"], outputs) if loss == "cross_entropy" else {},
        notes=(*notes, *target_notes),
    )


def unread(path: str) -> tuple[str, ...]:
    """Settings of data that are generated which the table at `path` does not read."""
    if path not in GENERATED:
        return "examples", "noise"
    return () if path in NOISY else ("noise",)


def _chosen(config: TaskConfig) -> Table:
    """The table, without the columns that are to be ignored."""
    name = config.path or DEFAULT
    if name in SHIPPED or name in GENERATED:
        whole = SHIPPED[name]() if name in SHIPPED else GENERATED[name](config)
        header = [column.name for column in whole.columns]
        target, inputs = _roles(config, header, name, whole.target)
        classes = whole.classes if target == whole.target else ()
        columns = tuple(column for column in whole.columns if column.name in (target, *inputs))
        return Table(name, columns, whole.lines, target, classes)
    csv = read(name, (*SHIPPED, *GENERATED))
    target, inputs = _roles(config, csv.header, csv.file, "")
    mixed = config.loss == "cross_entropy"
    columns = (*(typed(csv, column) for column in inputs), typed(csv, target, mixed))
    return Table(csv.file, columns, csv.lines, target)


def _roles(config: TaskConfig, header: list[str] | tuple[str, ...], source: str, usual: str) -> tuple[str, list[str]]:
    """The target, and the columns that are left for inputs."""
    target = config.target or usual
    if not target:
        raise ConfigError(f"task.target: empty; allowed: the column of {source} to predict, {listed(header)}")
    ignored = [name.strip() for name in config.ignore.split(",") if name.strip()]
    for name, setting in ((target, "task.target"), *((name, "task.ignore") for name in ignored)):
        check_column(name, header, source, setting)
    if target in ignored:
        raise ConfigError(f"task.ignore: {shown(target)} is task.target; allowed: other columns")
    inputs = [name for name in header if name not in (target, *ignored)]
    if not inputs:
        less = ", less task.ignore" if ignored else ""
        raise ConfigError(
            f"task.path: {source} has no column left to predict {shown(target)} from; allowed: another column besides "
            f"it{less}"
        )
    return target, inputs


def _check_target(target: Column, table: Table) -> None:
    """Raises ConfigError for a row without a target, and for a target that is the same in all rows."""
    missing = np.flatnonzero(target.missing)
    if len(missing):
        raise ConfigError(
            f"task.path: {table.source} line {table.lines[missing[0]]}, column {shown(target.name)}: the target is "
            f"missing, in {len(missing)} of {len(table.lines)} rows; allowed: a target in every row"
        )
    targets.check_two(target, table.source)


def _target(
    target: Column, table: Table, train: np.ndarray, config: TaskConfig
) -> tuple[np.ndarray, int, str, list[str]]:
    """Targets (n,), how many outputs they need, the loss, and notes."""
    loss = targets.loss_of(target, config)
    if loss == "cross_entropy":
        values, names = targets.classes(target, table.source)
        names = table.classes or names
        return values, len(names), loss, targets.class_notes(values, names, train)
    targets.check_loss(config, loss)
    if isinstance(target, Words):
        raise ConfigError(
            f"task.loss: squared_error; allowed: auto, cross_entropy, for column {shown(target.name)} of "
            f"{table.source} holds words, such as {shown(target.values[0])}"
        )
    values, notes = targets.standard_numbers(target.values, train, config, f"column {shown(target.name)}")
    return values, 1, loss, notes
