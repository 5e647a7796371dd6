"""The parameters that a run takes over from others: from its source to begin with, and those of its teacher."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from scaling_laws.config import ConfigError, ModelConfig, RunConfig
from scaling_laws.parametrization import is_head
from scaling_laws.train import kept, slimming, source, teacher
from scaling_laws.train.state import PARAMS


def parameters(
    run: RunConfig, workdir: Path, template: Mapping[str, Any], theirs: ModelConfig
) -> dict[str, np.ndarray]:
    """Tensors by name (`block_0/mlp/up`) of the source of a run in `workdir` whose state is to be like `template`.

    All of them, but for the head where `transfer.new_head` asks for another or where its shapes are not the run's; of
    what is left of a block in a slimmer model than the source's, `theirs`, only that.
    Raises ConfigError, naming the first, where others differ, KeptError where the source kept none or they are damaged.
    """
    found = _by_name(kept.read(source.workdir_of(run, workdir), run.transfer.source))
    if run.model.slim < theirs.slim:
        found = slimming.slimmed(found, theirs, run.model)
    wanted = _by_name(template)
    heads = {name for name in (*wanted, *found) if is_head(name.split("/"))}
    for name in (*wanted, *found):
        if name not in heads and _form(wanted.get(name)) != _form(found.get(name)):
            raise ConfigError(
                f"transfer.source: tensor {name} is {_form(found.get(name))} in run {run.transfer.source} and "
                f"{_form(wanted.get(name))} here; allowed: the same tensors but for the head"
            )
    new_head = run.transfer.new_head or any(_form(wanted.get(name)) != _form(found.get(name)) for name in heads)
    return {name: found[name] for name in wanted if not (new_head and name in heads)}


def teaching(run: RunConfig, workdir: Path) -> dict[str, np.ndarray]:
    """The parameters of the teacher of a run in `workdir`, named as arrays to train on; none where it has no teacher.

    Raises KeptError where it kept none or they are damaged.
    """
    if not run.distill.teacher:
        return {}
    found = kept.read(teacher.workdir_of(run, workdir), run.distill.teacher)
    return {teacher.ARRAYS + name: array for name, array in found.items()}


def _by_name(state: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(PARAMS): leaf for name, leaf in state.items() if name.startswith(PARAMS)}


def _form(leaf: Any) -> str:
    return "absent" if leaf is None else f"{np.dtype(leaf.dtype).name}{list(leaf.shape)}"
