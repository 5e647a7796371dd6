"""What of a model's parameters rests in fine-tuning, and what learns: trees by the names of their parts."""

from collections.abc import Mapping
from typing import Any

from scaling_laws.families import Frozen
from scaling_laws.parametrization import is_head
from scaling_laws.train.stability import BLOCK, FIRST


def rests(frozen: Frozen, part: str) -> bool:
    """Whether the `part` of a model's parameters does, by its name: `embedding`, `block_0`, `final_norm`, `head`."""
    if part.startswith(BLOCK):
        return int(part.removeprefix(BLOCK)) < frozen.blocks
    if part in FIRST:
        return frozen.first
    return frozen.body and not is_head([part])


def split(frozen: Frozen, params: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what rests, what learns) of parameters."""
    resting = {name: part for name, part in params.items() if rests(frozen, name)}
    return resting, {name: part for name, part in params.items() if name not in resting}
