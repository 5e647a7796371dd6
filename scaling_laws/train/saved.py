"""Where the checkpoints of runs and trunks lie, without JAX: the parent of a sweep looks, its workers write."""

import shutil
from pathlib import Path

PREFIX = "step_"


def folder(workdir: Path, run_id: str) -> Path:
    """The folder of the checkpoints of a run, or of a trunk."""
    return workdir / "checkpoints" / run_id


def checkpoints(folder: Path) -> list[Path]:
    """Folders of whole checkpoints, sound or not, earliest first."""
    return sorted(path for path in folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal())


def steps(folder: Path) -> list[int]:
    """Their steps."""
    return [int(path.name.removeprefix(PREFIX)) for path in checkpoints(folder)]


def drop(folder: Path) -> None:
    """Remove all of them, and the folder."""
    shutil.rmtree(folder, ignore_errors=True)
