"""The compiled programs of a pack of runs of one shape, as its loop sees them.

Every array of a pack but its data has a leading axis of members. Dimension letters: M members, K steps a dispatch,
B batch.
"""

import functools
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from scaling_laws import families, parametrization
from scaling_laws.models import traced
from scaling_laws.train import placement
from scaling_laws.train import state as states
from scaling_laws.train.functions import DataForms
from scaling_laws.train.layout import Layout
from scaling_laws.train.shape import Shape
from scaling_laws.train.state import State


def keep_compiled(folder: Path) -> None:
    """Keep compiled programs in `folder`, for this process and those to come."""
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


def stack(states: list[Any]) -> Any:
    """One tree with a leading axis of members (NumPy)."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *states)


def member(stacked: Any, index: int) -> Any:
    """The tree of one member."""
    return jax.tree.map(lambda leaf: leaf[index], stacked)


class Programs:
    """The compiled programs of one shape and layout."""

    def __init__(self, shape: Shape, layout: Layout, forms: DataForms):
        """Compile for data of these forms."""
        self.shape, self.layout = shape, layout
        self.rules = parametrization.rules(shape.scheme, shape.model)
        self._built = placement.place(shape, layout, forms)
        self.advance_program = self._built.advance
        # the bodies of the loops over steps, over parts and, one after the other, over members count once
        counted = traced.xla_flops(self._built.advance)
        side_by_side = layout.members if layout.strategy == "vmap" else 1
        self.xla_flops_per_step = counted and counted * shape.parts / side_by_side

    @property
    def template(self) -> State:
        """Shapes and dtypes of one member's state."""
        return self._built.template

    def initial_state(self, seed: int, begun: Mapping[str, np.ndarray] = MappingProxyType({})) -> State:
        """One member's fresh parameters, but for those that have `begun` elsewhere, and optimiser state (NumPy)."""
        shape = self.shape
        given = families.of(shape.model).given(shape.model, shape.spec, seed)
        return states.initial(self.template, self.rules, seed, {**given, **begun})

    def place_data(self, train: Mapping[str, np.ndarray], evaluated: Mapping[str, np.ndarray]) -> tuple[Any, Any]:
        """The arrays to train on and those for evaluations, on the devices."""
        return self._built.place_data(train), self._built.place_eval(evaluated)

    def place_states(self, states: list[State]) -> Any:
        """The members' states (NumPy), stacked, on the devices. Tensor by tensor, each leaving `states`, so that no two
        whole copies are there at a time."""
        names = list(states[0])
        return {name: self._built.place(name, np.stack([state.pop(name) for state in states])) for name in names}

    def fetch_states(self, state: Any) -> list[State]:
        """The members' states back on the host."""
        host = jax.device_get(self._built.whole(state))
        return [member(host, index) for index in range(self.layout.members)]

    def kept_states(self, state: Any) -> list[State]:
        """What this process writes of the members' states into their checkpoints: all, or `shares.Share` of each
        tensor."""
        kept = self._built.kept(state)
        return [member(kept, index) for index in range(self.layout.members)]

    def advance(self, state: Any, hyper: Any, data: Any, starts_MxKxB: Any, count: int, alive_M: Any) -> Any:
        """`count` <= K optimiser steps of every member that is alive: the new state, the losses (M, K), the norms of
        the gradients before clipping (M, K), and the layers' norms and ratios at the last step (M, 2, G).

        The state given is used up.
        """
        return self._built.run(state, hyper, data, starts_MxKxB, np.int32(count), alive_M)

    def losses_MxB(self, state: Any, hyper: Any, data: Any, starts_B: Any) -> Any:
        """Every member's loss of each example, and what else is seen: `attention_logit` (M, depth), `logit_mean` (M,),
        and `outputs` (M, B, O) where an example has one target."""
        return self._built.evaluate(state, hyper, data, starts_B)


@functools.cache
def programs(shape: Shape, layout: Layout, forms: DataForms) -> Programs:
    """The programs of a shape and layout; a second call in this process costs nothing."""
    return Programs(shape, layout, forms)
