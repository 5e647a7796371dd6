"""Where a run's checkpoints lie, without JAX: the parent of a sweep looks, its workers write."""

from pathlib import Path

PREFIX = "step_"


def folder(workdir: Path, run_id: str) -> Path:
    """The folder of a run's checkpoints."""
    return workdir / "checkpoints" / run_id


def checkpoints(folder: Path) -> list[Path]:
    """Folders of whole checkpoints, sound or not, earliest first."""
    return sorted(path for path in folder.glob(f"{PREFIX}*") if path.name.removeprefix(PREFIX).isdecimal())


def steps(folder: Path) -> list[int]:
    """Their steps."""
    return [int(path.name.removeprefix(PREFIX)) for path in checkpoints(folder)]
