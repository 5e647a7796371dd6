"""The tasks by name: one file and one line here for each."""

from collections.abc import Callable
from pathlib import Path

from scaling_laws.config import ConfigError, TaskConfig, nearest, validate_folds
from scaling_laws.tasks import text
from scaling_laws.tasks.task import Task

__all__ = ["TASKS", "Task", "load"]

TASKS: dict[str, Callable[[TaskConfig, Path], Task]] = {
    "text": text.load,
}


def load(config: TaskConfig, cache_dir: Path) -> Task:
    """The task that `config.name` names; what is costly to prepare is kept under `cache_dir`.

    Raises ConfigError in one line: an unknown name, folds that are none, data that cannot be read, too little of it.
    """
    validate_folds(config)
    if config.name not in TASKS:
        raise ConfigError(f"task.name: {config.name!r}; allowed: {', '.join(TASKS)}{nearest(config.name, TASKS)}")
    return TASKS[config.name](config, cache_dir)
