"""The compiled programs of a pack of runs of one shape, and where their arrays lie.

Every array of a pack has a leading axis of members. Dimension letters: M members, K steps a dispatch, B batch,
T length of a text.
"""

import functools
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from scaling_laws import optim
from scaling_laws.config import RunConfig
from scaling_laws.models import traced
from scaling_laws.train.layout import Layout, over_members
from scaling_laws.train.step import Shape, State, Step

OVER_STATE = (0, 0, None, 0, None, 0)  # state, hyper, text, starts, count, alive
OVER_PARAMS = (0, None, None)  # parameters, text, starts


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
        began = time.perf_counter()
        self.shape, self.layout, self.step = shape, layout, Step(shape)
        arguments = self._abstract(train_tokens, eval_tokens, dtype)
        build = _Mapped if layout.backend == "pmap" else _Placed if layout.n_devices > 1 else _Plain
        self._built = build(shape, layout, *arguments)
        self.advance_program = self._built.advance
        # the bodies of the loops over steps, over parts and, one after the other, over members count once
        counted = traced.xla_flops(self._built.advance)
        side_by_side = layout.members if layout.strategy == "vmap" else 1
        self.xla_flops_per_step = counted and counted * shape.parts / side_by_side
        self.compile_seconds = time.perf_counter() - began

    def _abstract(self, train_tokens: int, eval_tokens: int, dtype: str) -> tuple[Any, Any]:
        n_members, shape = self.layout.members, self.shape

        def of_members(tree: Any) -> Any:
            return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((n_members, *leaf.shape), leaf.dtype), tree)

        state, hyper = of_members(self.step.abstract_state()), of_members(optim.hyperparameters(RunConfig()))
        starts_KxB = jax.ShapeDtypeStruct((shape.steps_per_dispatch, shape.batch_size), jnp.int32)
        starts_B = jax.ShapeDtypeStruct((shape.batch_size,), jnp.int32)
        train_T, eval_T = (jax.ShapeDtypeStruct((length,), dtype) for length in (train_tokens, eval_tokens))
        count, alive = jax.ShapeDtypeStruct((), jnp.int32), jax.ShapeDtypeStruct((n_members,), jnp.bool_)
        advance = (state, hyper, train_T, of_members(starts_KxB), count, alive)
        return advance, (state["params"], eval_T, starts_B)

    def place_texts(self, train_T: np.ndarray, eval_T: np.ndarray) -> tuple[Any, Any]:
        """The text to train on and the one for evaluations, on the devices."""
        return self._built.place_text(train_T), self._built.place_eval(eval_T)

    def place_states(self, states: list[State]) -> Any:
        """The members' states (NumPy), stacked, on the devices."""
        return self._built.place_state(stack(states))

    def fetch_states(self, state: Any) -> list[State]:
        """The members' states back on the host."""
        host = jax.device_get(self._built.whole(state))
        return [member(host, index) for index in range(self.layout.members)]

    def advance(self, state: Any, hyper: Any, train_T: Any, starts_MxKxB: Any, count: int, alive_M: Any) -> Any:
        """`count` <= K optimiser steps of every member that is alive: the new state and the losses (M, K).

        The state given is used up.
        """
        return self._built.run(state, hyper, train_T, starts_MxKxB, np.int32(count), alive_M)

    def losses_MxB(self, state: Any, eval_T: Any, starts_B: Any) -> Any:
        """Every member's mean cross-entropy of each window of the evaluation text, in nats per token."""
        return self._built.losses(self._built.params(state), eval_T, starts_B)


class _Plain:
    """One device."""

    def __init__(self, shape: Shape, layout: Layout, advance: Any, losses: Any):
        step = Step(shape)
        self.advance = self._advance(step, layout, advance)
        self.losses = self._losses(step, layout, losses)

    @staticmethod
    def over(step: Step, layout: Layout) -> tuple[Any, Any]:
        """The step's two functions over the members."""
        return _skipping(step, layout.strategy), over_members(step.losses_B, layout.strategy, OVER_PARAMS)

    def _advance(self, step: Step, layout: Layout, arguments: Any) -> Any:
        return jax.jit(self.over(step, layout)[0], donate_argnums=0).lower(*arguments).compile()

    def _losses(self, step: Step, layout: Layout, arguments: Any) -> Any:
        return jax.jit(self.over(step, layout)[1]).lower(*arguments).compile()

    def run(self, *arguments: Any) -> Any:
        """A dispatch."""
        return self.advance(*arguments)

    def place_text(self, text_T: np.ndarray) -> Any:
        """To where the program wants it."""
        return jax.device_put(text_T)

    def place_eval(self, text_T: np.ndarray) -> Any:
        """To where the program wants it."""
        return self.place_text(text_T)

    def place_state(self, state: Any) -> Any:
        """To where the program wants it."""
        return jax.device_put(state)

    def whole(self, state: Any) -> Any:
        """The state without copies of it."""
        return state

    def params(self, state: Any) -> Any:
        """The parameters as `losses` takes them."""
        return state["params"]


class _Placed(_Plain):
    """A mesh of devices under `jit`: the arrays' shardings are given, the compiler splits the work."""

    def __init__(self, shape: Shape, layout: Layout, advance: Any, losses: Any):
        self.layout, self.shardings = layout, layout.state_shardings(advance[0])
        super().__init__(shape, layout, advance, losses)

    def _advance(self, step: Step, layout: Layout, arguments: Any) -> Any:
        members, everywhere = layout.sharding("pack"), layout.sharding()
        starts = layout.sharding("pack", None, ("data", "fsdp"))
        given = (self.shardings, members, everywhere, starts, everywhere, members)
        program = jax.jit(
            self.over(step, layout)[0], in_shardings=given, out_shardings=(self.shardings, members), donate_argnums=0
        )
        return program.lower(*arguments).compile()

    def _losses(self, step: Step, layout: Layout, arguments: Any) -> Any:
        everywhere, windows = layout.sharding(), layout.sharding(("data", "fsdp"))
        given = (self.shardings["params"], everywhere, windows)
        program = jax.jit(self.over(step, layout)[1], in_shardings=given, out_shardings=everywhere)
        return program.lower(*arguments).compile()

    def place_text(self, text_T: np.ndarray) -> Any:
        return jax.device_put(text_T, self.layout.sharding())

    def place_state(self, state: Any) -> Any:
        return jax.device_put(state, self.shardings)


class _Mapped(_Plain):
    """`pmap` over the windows of a batch: a copy of the state on every device, gradients averaged between them.

    Evaluations, a forward pass now and then, run on one device.
    """

    def __init__(self, shape: Shape, layout: Layout, advance: Any, losses: Any):
        self.n = layout.data_devices
        copy = jax.pmap(lambda _, tree: tree, in_axes=(0, None))
        self.copy = functools.partial(copy, np.arange(self.n))
        super().__init__(shape, layout, advance, losses)

    def _advance(self, step: Step, layout: Layout, arguments: Any) -> Any:
        averaging = Step(step.shape, axis="data")
        axes = (0, None, 0, 0, None, None)
        program = jax.pmap(_skipping(averaging, layout.strategy), axis_name="data", in_axes=axes, donate_argnums=0)
        state, hyper, text, starts, count, alive = arguments
        return program.lower(self._many(state), hyper, self._many(text), self._split(starts), count, alive).compile()

    def _many(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((self.n, *leaf.shape), leaf.dtype), tree)

    def _split(self, starts_MxKxB: Any) -> Any:
        shape = (self.n, *starts_MxKxB.shape[:2], starts_MxKxB.shape[2] // self.n)
        if isinstance(starts_MxKxB, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(shape, starts_MxKxB.dtype)
        return np.moveaxis(np.reshape(starts_MxKxB, (*shape[1:3], self.n, shape[3])), 2, 0)

    def run(self, state: Any, hyper: Any, text: Any, starts_MxKxB: Any, count: Any, alive_M: Any) -> Any:
        state, losses = self.advance(state, hyper, text, self._split(starts_MxKxB), count, alive_M)
        return state, losses[0]

    def place_text(self, text_T: np.ndarray) -> Any:
        return self.copy(text_T)

    def place_eval(self, text_T: np.ndarray) -> Any:
        return jax.device_put(text_T)

    def place_state(self, state: Any) -> Any:
        return self.copy(state)

    def whole(self, state: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.addressable_data(0)[0], state)

    def params(self, state: Any) -> Any:
        return self.whole(state["params"])


def _skipping(step: Step, strategy: str) -> Any:
    """The step over members; one after the other, those that are not alive take no step at all."""
    if strategy == "vmap":
        return over_members(step.advance, strategy, OVER_STATE)

    def advance(state: Any, hyper: Any, text: Any, starts: Any, count: Any, alive: Any) -> Any:
        return step.advance(state, hyper, text, starts, jnp.where(alive, count, 0), jnp.ones((), bool))

    return over_members(advance, strategy, OVER_STATE)


@functools.cache
def programs(shape: Shape, layout: Layout, train_tokens: int, eval_tokens: int, dtype: str) -> Programs:
    """The programs of a shape and layout; a second call in this process costs nothing."""
    return Programs(shape, layout, train_tokens, eval_tokens, dtype)
