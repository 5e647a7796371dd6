"""The tasks by name: one file and one line here for each."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from scaling_laws.config import ConfigError, TaskConfig, nearest
from scaling_laws.tasks import audio, images, known, labelled_text, ratings, series, table, text
from scaling_laws.tasks.task import Task
from scaling_laws.validation import validate_folds

__all__ = ["TASKS", "Task", "load"]

COMMON = ("name", "path", "split_seed", "valid_fraction", "heldout_fraction", "folds", "fold")  # read by every task


@dataclasses.dataclass(frozen=True)
class Kind:
    """What loads a task, and which settings of TaskConfig it reads beside COMMON."""

    load: Callable[[TaskConfig, Path], Task]
    reads: tuple[str, ...]


GENERATED = ("examples", "noise")  # where no file is named
TASKS: dict[str, Kind] = {
    "text": Kind(text.load, ("tokenizer", "vocab_size", "context")),
    "images": Kind(images.load, ("loss", "standardise", "balance")),
    "table": Kind(table.load, ("target", "ignore", "loss", "impute", "standardise", "balance", *GENERATED)),
    "labelled_text": Kind(labelled_text.load, ("target", "context", "loss", "balance", "examples")),
    "series": Kind(series.load, ("target", "context", "impute", "standardise", *GENERATED)),
    "audio": Kind(audio.load, ("loss", "standardise", "balance", *GENERATED)),
    "ratings": Kind(ratings.load, ("standardise", "rank", *GENERATED)),
    "power_law": Kind(known.power_law, ("alpha", "beta")),
    "zipf": Kind(known.zipf, ("alpha",)),
    "manifold": Kind(known.manifold, ("dimension",)),
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
    for field in dataclasses.fields(config):
        given, usual = getattr(config, field.name), getattr(default, field.name)
        if field.name not in (*COMMON, *kind.reads) and given != usual:
            raise ConfigError(
                f"task.{field.name}: {given}; allowed: {usual}, for task.name={config.name} does not read it"
            )
    return kind.load(config, cache_dir)
