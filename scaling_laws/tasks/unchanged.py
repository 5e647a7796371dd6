"""Whether a corpus is still what the runs of a table were trained on."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scaling_laws.config import ConfigError, TaskConfig


def check(rows: Iterable[Mapping[str, Any]], path: str, content_hash: str, workdir: Path) -> None:
    """Raises ConfigError where a row of the runs table read the same path when other text was there.

    Without it such a sweep would silently begin again, and one table would hold runs on two corpora under one name.
    """
    for row in rows:
        was = json.loads(row["config"]).get("task.path", TaskConfig.path)
        if was == path and row["corpus_hash"] != content_hash:
            raise ConfigError(
                f"task.path: {path} is not the text that run {row['run_id']} in {workdir} was trained on (SHA-256 "
                f"{row['corpus_hash'][:12]}, now {content_hash[:12]}); allowed: that text, or another workdir"
            )
