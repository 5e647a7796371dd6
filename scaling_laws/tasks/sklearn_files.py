"""Data files that scikit-learn ships, read without importing it."""

import importlib.util
from pathlib import Path

from scaling_laws.config import ConfigError
from scaling_laws.disk import read_file


def sklearn_file(name: str, task_path: str) -> bytes:
    """Bytes of the file `name` in scikit-learn's folder of data sets; `task_path` is what asks for it.

    Raises ConfigError where the package is not installed or has no such file.
    """
    found = importlib.util.find_spec("sklearn")
    places = list(found.submodule_search_locations or []) if found else []
    if not places:
        raise ConfigError(f"task.path: {task_path} needs the package scikit-learn, which is not installed")
    file = Path(places[0], "datasets", "data", name)
    try:
        return read_file(file)
    except OSError as error:
        raise ConfigError(f"task.path: {task_path} needs {file}, which cannot be read ({error.strerror})") from None
