"""The tasks by name: one file and one line here for each."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from scaling_laws.config import ConfigError, TaskConfig, nearest
from scaling_laws.tasks import audio, images, known, labelled_text, ratings, series, shards, table, text
from scaling_laws.tasks.task import Task
from scaling_laws.validation import validate_folds

__all__ = ["TASKS", "Task", "load"]

COMMON = ("name", "path", "split_seed", "valid_fraction", "heldout_fraction", "folds", "fold")
SHARES = ("valid_fraction", "heldout_fraction")
GENERATED = ("examples", "noise")


def _all_read(path: str) -> tuple[str, ...]:
    return ()


@dataclasses.dataclass(frozen=True)
class Kind:
    """What loads a task, and which settings of TaskConfig it reads beside COMMON.

    `unread`: from task.path to those of all these that the data found there leave unread.
    """

    load: Callable[[TaskConfig, Path], Task]
    reads: tuple[str, ...]
    unread: Callable[[str], tuple[str, ...]] = _all_read


def _by_path(made_up: tuple[str, ...], file: tuple[str, ...] = ()) -> Callable[[str], tuple[str, ...]]:
    """`unread` of a task whose data are made up without a path: only these read `made_up`, only a file reads `file`."""
    return lambda path: made_up if path else file


TASKS: dict[str, Kind] = {
    "text": Kind(text.load, ("tokenizer", "vocab_size", "context")),
    "shards": Kind(shards.load, ("tokenizer", "vocab_size", "context"), lambda _: (*SHARES, "split_seed")),
    "images": Kind(images.load, ("loss", "standardise", "balance")),
    "table": Kind(
        table.load, ("target", "ignore", "loss", "impute", "standardise", "balance", *GENERATED), table.unread
    ),
    "labelled_text": Kind(
        labelled_text.load, ("target", "context", "loss", "balance", "examples"), _by_path(("examples",), ("target",))
    ),
    "series": Kind(
        series.load,
        ("target", "context", "impute", "standardise", *GENERATED),
        _by_path(("split_seed", *GENERATED), ("split_seed", "target")),
    ),
    "audio": Kind(audio.load, ("loss", "standardise", "balance", *GENERATED), _by_path(GENERATED)),
    "ratings": Kind(ratings.load, ("standardise", "rank", *GENERATED), _by_path(("rank", *GENERATED))),
    "power_law": Kind(known.power_law, ("alpha", "beta"), lambda _: (*SHARES, "split_seed")),
    "zipf": Kind(known.zipf, ("alpha",), lambda _: SHARES),
    "manifold": Kind(known.manifold, ("dimension",), lambda _: SHARES),
}


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """The task that `config.name` names; what is costly to prepare is kept under `cache_dir`.

    Raises ConfigError in one line: an unknown name, a setting that the task does not read, folds that are none, data
    that cannot be read, too little of it.
    """
    validate_folds(config)
    if config.name not in TASKS:
        raise ConfigError(f"task.name: {config.name!r}; allowed: {', '.join(TASKS)}{nearest(config.name, TASKS)}")
    kind, default = TASKS[config.name], TaskConfig()
    unread = kind.unread(config.path)
    for field in dataclasses.fields(config):
        given, usual = getattr(config, field.name), getattr(default, field.name)
        read = field.name in (*COMMON, *kind.reads)
        if given == usual or (read and field.name not in unread):
            continue
        where = f" with task.path={config.path}" if config.path and read else ""
        raise ConfigError(
            f"task.{field.name}: {given}; allowed: {'empty' if usual == '' else usual}, for task.name={config.name}"
            f"{where} does not read it"
        )
    return kind.load(config, cache_dir)
