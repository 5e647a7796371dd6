"""The last parameters of finished runs, under `workdir/parameters/<run_id>`: checkpoints like any other, one a run."""

import os
from pathlib import Path

from scaling_laws.train import saved
from scaling_laws.train.checkpoint import Checkpoints, Unsound, load
from scaling_laws.train.state import State


class KeptError(ValueError):
    """Parameters that are not there or not sound, said in one line."""


def write(workdir: Path, run_id: str, step: int, parameters: State) -> None:
    """Keep `parameters` (NumPy, by name: `params/block_0/mlp/up`) as those that run `run_id` has after its last step.

    They are there whole or not at all, and on the disk on return.
    """
    Checkpoints(saved.parameters(workdir, run_id), keep=1).save(step, parameters, {"run_id": run_id})


def read(workdir: str | os.PathLike, run_id: str) -> State:
    """The last parameters of run `run_id` of `workdir`, by name, bit for bit; every byte is checked first.

    Raises KeptError where none are kept, or what is there is damaged or another run's.
    """
    folder = saved.parameters(Path(workdir), run_id)
    found = saved.checkpoints(folder)
    if not found:
        raise KeptError(f"{folder}: no parameters; allowed: a finished run that had train.keep_parameters=true")
    try:
        _, parameters, extra = load(found[-1])
    except Unsound as unsound:
        raise KeptError(str(unsound)) from unsound
    if extra.get("run_id") != run_id:
        raise KeptError(f"{found[-1]}: parameters of run {extra.get('run_id')}; allowed: those of {run_id}")
    return parameters
