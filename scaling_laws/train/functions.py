"""What a pack's programs are compiled from: two functions of arrays, and the shapes of their arguments.

Dimension letters: M members, K steps a dispatch, B batch, T length of a text.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax


@dataclasses.dataclass(frozen=True)
class Texts:
    """Lengths of the text to train on and of the one for evaluations, and their NumPy type."""

    train: int
    evaluated: int
    dtype: str


@dataclasses.dataclass(frozen=True)
class Functions:
    """`advance(state, hyper, train_T, starts_MxKxB, count, alive_M)` -> (state, losses_MxK, norms_MxK, layers_Mx2xG),
    and `losses(params, eval_T, starts_B)` -> (losses_MxB, signs of instability as `Step.evaluate_B` has them); states
    by name (`train.state`), every leaf with its members first.
    """

    advance: Callable[..., Any]
    advance_arguments: tuple[Any, ...]
    losses: Callable[..., Any]
    losses_arguments: tuple[Any, ...]

    @property
    def template(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes and dtypes of one member's state."""
        stacked = self.advance_arguments[0]
        return {name: jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for name, leaf in stacked.items()}
