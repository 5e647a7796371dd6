"""The compiled programs of a pack of runs of one shape, as its loop sees them.

Every array of a pack has a leading axis of members. Dimension letters: M members, K steps a dispatch, B batch,
T length of a text.
"""

import functools
from pathlib import Path
from typing import Any

import jax
import numpy as np

from scaling_laws import parametrization
from scaling_laws.models import traced
from scaling_laws.train import placement
from scaling_laws.train import state as states
from scaling_laws.train.functions import Texts
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

    def __init__(self, shape: Shape, layout: Layout, train_tokens: int, eval_tokens: int, dtype: str):
        """Compile for a train split and an evaluation text of so many tokens, of NumPy type `dtype`."""
        self.shape, self.layout = shape, layout
        self.rules = parametrization.rules(shape.scheme, shape.model)
        self._built = placement.place(shape, layout, Texts(train_tokens, eval_tokens, dtype))
        self.advance_program = self._built.advance
        # the bodies of the loops over steps, over parts and, one after the other, over members count once
        counted = traced.xla_flops(self._built.advance)
        side_by_side = layout.members if layout.strategy == "vmap" else 1
        self.xla_flops_per_step = counted and counted * shape.parts / side_by_side

    def initial_state(self, seed: int) -> State:
        """One member's fresh parameters and optimiser state (NumPy)."""
        return states.initial(self._built.template, self.rules, seed)

    def place_texts(self, train_T: np.ndarray, eval_T: np.ndarray) -> tuple[Any, Any]:
        """The text to train on and the one for evaluations, on the devices."""
        return self._built.place_text(train_T), self._built.place_eval(eval_T)

    def place_states(self, states: list[State]) -> Any:
        """The members' states (NumPy), stacked, on the devices. Tensor by tensor, each leaving `states`, so that no two
        whole copies are there at a time."""
        names = list(states[0])
        return {name: self._built.place(name, np.stack([state.pop(name) for state in states])) for name in names}

    def fetch_states(self, state: Any) -> list[State]:
        """The members' states back on the host."""
        host = jax.device_get(self._built.whole(state))
        return [member(host, index) for index in range(self.layout.members)]

    def advance(self, state: Any, hyper: Any, train_T: Any, starts_MxKxB: Any, count: int, alive_M: Any) -> Any:
        """`count` <= K optimiser steps of every member that is alive: the new state, the losses (M, K), the norms of
        the gradients before clipping (M, K), and the layers' norms and ratios at the last step (M, 2, G).

        The state given is used up.
        """
        return self._built.run(state, hyper, train_T, starts_MxKxB, np.int32(count), alive_M)

    def losses_MxB(self, state: Any, eval_T: Any, starts_B: Any) -> Any:
        """Every member's mean cross-entropy of each window of the evaluation text, in nats per token, and its signs of
        instability: `attention_logit` (M, depth), `logit_mean` (M,)."""
        return self._built.losses(self._built.params(state), eval_T, starts_B)


@functools.cache
def programs(shape: Shape, layout: Layout, train_tokens: int, eval_tokens: int, dtype: str) -> Programs:
    """The programs of a shape and layout; a second call in this process costs nothing."""
    return Programs(shape, layout, train_tokens, eval_tokens, dtype)
