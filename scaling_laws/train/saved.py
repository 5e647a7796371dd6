"""Where the checkpoints of runs and trunks lie, and what finished runs keep, without JAX: the parent of a sweep looks,
its workers write."""

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scaling_laws.config import ConfigError, RunConfig

PREFIX = "step_"


def folder(workdir: Path, run_id: str) -> Path:
    """The folder of the checkpoints of a run, or of a trunk."""
    return workdir / "checkpoints" / run_id


def parameters(workdir: Path, run_id: str) -> Path:
    """The folder of the last parameters of a finished run, where they are kept (`kept`)."""
    return workdir / "parameters" / run_id


def check_kept(rows: Iterable[Mapping[str, Any]], runs: Iterable[tuple[str, RunConfig]], workdir: Path) -> None:
    """Raises ConfigError where one of `runs` (run_id, settings) is to keep its parameters but has finished without.

    It is not trained again for them: a row of the table stands for one training, whose compute it counts.
    """
    finished = {row["run_id"] for row in rows if row["status"] == "finished"}
    for run_id, run in runs:
        if run.train.keep_parameters and run_id in finished and not checkpoints(parameters(workdir, run_id)):
            raise ConfigError(
                f"train.keep_parameters: run {run_id} has finished in {workdir} and kept none; allowed: false, or "
                "another workdir, in which it is trained again"
            )


def checkpoints(folder: Path) -> list[Path]:
    """Folders of whole checkpoints, sound or not, earliest first."""
    return sorted(path for path in folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal())


def steps(folder: Path) -> list[int]:
    """Their steps."""
    return [int(path.name.removeprefix(PREFIX)) for path in checkpoints(folder)]


def drop(folder: Path) -> None:
    """Remove all of them, and the folder."""
    shutil.rmtree(folder, ignore_errors=True)
