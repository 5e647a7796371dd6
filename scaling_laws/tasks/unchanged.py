"""Whether the data of a task are still what the runs of a table were trained on."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scaling_laws.config import ConfigError, TaskConfig

# settings that say which data are meant; what others do with them leaves their content hash as it is
CONTENT = ("name", "path", "target", "ignore", "split_seed", "examples", "noise", "rank", "alpha", "dimension")


def check(rows: Iterable[Mapping[str, Any]], task: TaskConfig, content_hash: str, workdir: Path) -> None:
    """Raises ConfigError where a row of the runs table asked for the same data when others were there.

    Without it such a sweep would silently begin again, and one table would hold runs on two sets of data under one
    name.
    """
    default = TaskConfig()
    for row in rows:
        settings = json.loads(row["config"])
        same = all(settings.get(f"task.{name}", getattr(default, name)) == getattr(task, name) for name in CONTENT)
        if same and row["corpus_hash"] != content_hash:
            raise ConfigError(
                f"task.path: {task.path or task.name} is not what run {row['run_id']} in {workdir} was trained on "
                f"(SHA-256 {row['corpus_hash'][:12]}, now {content_hash[:12]}); allowed: the same data, or another "
                "workdir"
            )
