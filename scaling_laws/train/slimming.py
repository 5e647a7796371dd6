"""Structured pruning: the parameters of a slimmer model (`model.slim`) out of those of a fuller one.

Whole heads, hidden units and inner channels are left out, those that do least: the product of the L2 norms of what
leads into one and of what leads out of it. Li et al. 2017 ("Pruning filters for efficient convnets", section 3.1) rank
filters by the L1 norm of their own kernel. Here L2, the deviation of a sum over inputs of size one, which a norm gives;
both sides, for what nothing leads out of does nothing; and their product, for relu passes on the same when one side is
doubled and the other halved. A head is judged by its values and its part of the output: queries and keys only say where
it looks.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from scaling_laws.config import ModelConfig, head_count, head_size, left
from scaling_laws.families.convnet import TAPS
from scaling_laws.families.transformer import mlp_hidden

Tensors = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Part:
    """A tensor along one dimension of which (`axis`, from the end) lie `groups` of all units, each unit `size` long.

    Dimensions before the last two are of other blocks or experts. `counted`: the groups that tell how much a unit does.
    """

    name: str
    axis: int
    groups: int = 1
    size: int = 1
    counted: Sequence[int] = (0,)

    def split(self, tensor: np.ndarray) -> np.ndarray:
        """The tensor with three dimensions for that one: groups, units, size."""
        axis = tensor.ndim + self.axis
        return tensor.reshape(*tensor.shape[:axis], self.groups, -1, self.size, *tensor.shape[axis + 1 :])

    def norms(self, tensor: np.ndarray) -> np.ndarray:
        """(..., units) of what counts, in float64."""
        view = self.split(tensor).take(self.counted, axis=tensor.ndim + self.axis).astype(np.float64)
        return np.sqrt(np.square(view).sum(axis=self._others(tensor)))

    def taken(self, tensor: np.ndarray, units: np.ndarray) -> np.ndarray:
        """The tensor with the `units` (..., n) alone, in their order."""
        axis, view = tensor.ndim + self.axis, self.split(tensor)
        found = np.take_along_axis(view, np.expand_dims(units, self._others(tensor)), axis=axis + 1)
        return found.reshape(*tensor.shape[:axis], -1, *tensor.shape[axis + 1 :])

    def _others(self, tensor: np.ndarray) -> tuple[int, ...]:
        """Dimensions of the split tensor but for the units and those of other blocks or experts."""
        first, units = max(tensor.ndim - 2, 0), tensor.ndim + self.axis + 1
        return tuple(axis for axis in range(first, tensor.ndim + 2) if axis != units)


def slimmed(tensors: Tensors, model_from: ModelConfig, model_to: ModelConfig) -> dict[str, np.ndarray]:
    """The `tensors` by name (`block_0/mlp/up`) of `model_from` as `model_to` has them, which differs from it in a lower
    `model.slim`: in each block, and expert, the heads, units or channels of greatest importance in their old order.

    What has no such units is passed on as it is. Names may be a part of a model's; those of a block come together.
    """
    found = dict(tensors)
    for n_units, parts in _together(tensors, model_from, model_to):
        importance = math.prod(part.norms(tensors[part.name]) for part in parts if part.counted)
        units = np.sort(np.argsort(-importance, axis=-1, kind="stable")[..., :n_units], axis=-1)
        found |= {part.name: part.taken(tensors[part.name], units) for part in parts}
    return found


def _together(tensors: Tensors, model_from: ModelConfig, model_to: ModelConfig) -> Iterator[tuple[int, list[Part]]]:
    """How many units are to be left, and the tensors that share them, of each block."""
    for name, tensor in tensors.items():
        place, _, last = name.rpartition("/")
        if last == "out":
            size = head_size(model_from)
            values = Part(f"{place}/qkv", -1, groups=3, size=size, counted=(2,))
            yield left(model_to, head_count(model_to)), [values, Part(name, -2, size=size)]
        elif last == "down" and model_from.family == "convnet":
            block = place.rpartition("/")[0]
            groups = 1 if model_from.convolution == "separable" else TAPS
            between = [Part(f"{block}/norm_1/scale", -1), Part(f"{block}/norm_1/bias", -1, counted=())]
            between += [Part(f"{place}/depthwise", -1)]
            parts = [Part(f"{block}/convolution_0/up", -1), *(part for part in between if part.name in tensors)]
            down = Part(name, -2, groups=groups, counted=range(groups))
            yield left(model_to, tensor.shape[-1]), [*parts, down]
        elif last == "down":
            groups = 2 if model_from.mlp == "swiglu" else 1
            up = Part(f"{place}/up", -1, groups=groups, counted=range(groups))
            yield mlp_hidden(model_to), [up, Part(name, -2)]
