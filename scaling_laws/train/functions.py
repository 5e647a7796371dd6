"""What a pack's programs are compiled from: two functions of arrays, and the shapes of their arguments.

Dimension letters: M members, K steps a dispatch, B batch.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

Forms = tuple[tuple[str, tuple[int, ...], str], ...]  # of arrays: name, shape, NumPy type


@dataclasses.dataclass(frozen=True)
class DataForms:
    """The arrays to train on and those for evaluations."""

    train: Forms
    evaluated: Forms

    @classmethod
    def of(cls, train: Mapping[str, np.ndarray], evaluated: Mapping[str, np.ndarray]) -> "DataForms":
        """Those of arrays by name."""
        return cls(*(tuple((k, v.shape, str(v.dtype)) for k, v in sorted(a.items())) for a in (train, evaluated)))

    def structs(self) -> tuple[dict[str, jax.ShapeDtypeStruct], dict[str, jax.ShapeDtypeStruct]]:
        """Shapes and dtypes by name, as tracing wants them: to train on, and for evaluations."""
        found = [{k: jax.ShapeDtypeStruct(shape, dtype) for k, shape, dtype in f} for f in (self.train, self.evaluated)]
        return found[0], found[1]


@dataclasses.dataclass(frozen=True)
class Functions:
    """`advance(state, hyper, data, starts_MxKxB, count, alive_M)` -> (state, losses_MxK, norms_MxK, layers_Mx2xG),
    and `losses(params, hyper, data, starts_B)` -> (losses_MxB, what else is seen, as `Step.evaluate_B` has it); states
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
