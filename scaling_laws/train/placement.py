"""The compiled programs of a pack in one of three places: one device, a mesh under `jit`, or copies under `pmap`.

Dimension letters: M members, K steps a dispatch, B batch.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from scaling_laws.train import exports
from scaling_laws.train import state as states
from scaling_laws.train.functions import DataForms, Functions
from scaling_laws.train.layout import Layout
from scaling_laws.train.shape import Shape


class OneDevice:
    """One device. `advance` and `losses` are compiled programs; arrays go where those want them."""

    def __init__(self, shape: Shape, layout: Layout, forms: DataForms):
        self.layout = layout
        found = self._functions(shape, forms)
        self.template = found.template
        self.advance = self._advance(found, shape, forms)
        self.losses = self._losses(found)

    def _functions(self, shape: Shape, forms: DataForms) -> Functions:
        if jax.default_backend() == "cpu":
            return exports.functions(shape, self.layout, forms)
        return _traced(shape, self.layout, forms)

    def _advance(self, found: Functions, shape: Shape, forms: DataForms) -> Any:
        return jax.jit(found.advance, donate_argnums=0).lower(*found.advance_arguments).compile()

    def _losses(self, found: Functions) -> Any:
        return jax.jit(found.losses).lower(*found.losses_arguments).compile()

    def run(self, *arguments: Any) -> Any:
        """A dispatch."""
        return self.advance(*arguments)

    def place_data(self, data: Mapping[str, np.ndarray]) -> Any:
        """The arrays to train on."""
        return jax.device_put(dict(data))

    def place_eval(self, data: Mapping[str, np.ndarray]) -> Any:
        """The arrays for evaluations."""
        return self.place_data(data)

    def place(self, name: str, tensor: np.ndarray) -> Any:
        """A tensor of the state, its members first: a copy, for only what belongs to the device can be donated."""
        return jax.device_put(tensor, may_alias=False)

    def whole(self, state: Any) -> Any:
        """The state without copies of it."""
        return state

    def params(self, state: Any) -> Any:
        """The parameters as `losses` takes them."""
        return states.params(state)


class _OnMesh(OneDevice):
    """A mesh of devices under `jit`: the arrays' shardings are given, the compiler splits the work."""

    def _functions(self, shape: Shape, forms: DataForms) -> Functions:
        return _traced(shape, self.layout, forms)

    def _advance(self, found: Functions, shape: Shape, forms: DataForms) -> Any:
        layout, self.shardings = self.layout, self.layout.state_shardings(found.advance_arguments[0])
        members, everywhere = layout.sharding("pack"), layout.sharding()
        starts = layout.sharding("pack", None, ("data", "fsdp"))
        given = (self.shardings, members, everywhere, starts, everywhere, members)
        back = (self.shardings, members, members, members)
        program = jax.jit(found.advance, in_shardings=given, out_shardings=back, donate_argnums=0)
        return program.lower(*found.advance_arguments).compile()

    def _losses(self, found: Functions) -> Any:
        members, everywhere = self.layout.sharding("pack"), self.layout.sharding()
        given = (states.params(self.shardings), members, everywhere, self.layout.sharding(("data", "fsdp")))
        program = jax.jit(found.losses, in_shardings=given, out_shardings=everywhere)
        return program.lower(*found.losses_arguments).compile()

    def place_data(self, data: Mapping[str, np.ndarray]) -> Any:
        return jax.device_put(dict(data), self.layout.sharding())

    def place(self, name: str, tensor: np.ndarray) -> Any:
        return jax.device_put(tensor, self.shardings[name])


class _Copies(OneDevice):
    """`pmap` over the windows of a batch: a copy of the state on every device, gradients averaged between them.

    Evaluations, a forward pass now and then, run on one device.
    """

    def __init__(self, shape: Shape, layout: Layout, forms: DataForms):
        self.n = layout.data_devices
        copy = jax.pmap(lambda _, tree: tree, in_axes=(0, None))
        self.copy = functools.partial(copy, np.arange(self.n))
        super().__init__(shape, layout, forms)

    def _functions(self, shape: Shape, forms: DataForms) -> Functions:
        return _traced(shape, self.layout, forms)

    def _advance(self, found: Functions, shape: Shape, forms: DataForms) -> Any:
        averaging = _traced(shape, self.layout, forms, axis="data")
        program = jax.pmap(averaging.advance, axis_name="data", in_axes=(0, None, 0, 0, None, None), donate_argnums=0)
        state, hyper, data, starts, count, alive = found.advance_arguments
        return program.lower(self._many(state), hyper, self._many(data), self._split(starts), count, alive).compile()

    def _many(self, tree: Any) -> Any:
        return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((self.n, *leaf.shape), leaf.dtype), tree)

    def _split(self, starts_MxKxB: Any) -> Any:
        shape = (self.n, *starts_MxKxB.shape[:2], starts_MxKxB.shape[2] // self.n)
        if isinstance(starts_MxKxB, jax.ShapeDtypeStruct):
            return jax.ShapeDtypeStruct(shape, starts_MxKxB.dtype)
        return np.moveaxis(np.reshape(starts_MxKxB, (*shape[1:3], self.n, shape[3])), 2, 0)

    def run(self, state: Any, hyper: Any, data: Any, starts_MxKxB: Any, count: Any, alive_M: Any) -> Any:
        state, *seen = self.advance(state, hyper, data, self._split(starts_MxKxB), count, alive_M)
        return state, *(copies[0] for copies in seen)

    def place_data(self, data: Mapping[str, np.ndarray]) -> Any:
        return self.copy(dict(data))

    def place_eval(self, data: Mapping[str, np.ndarray]) -> Any:
        return jax.device_put(dict(data))

    def place(self, name: str, tensor: np.ndarray) -> Any:
        return self.copy(tensor)

    def whole(self, state: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.addressable_data(0)[0], state)

    def params(self, state: Any) -> Any:
        return self.whole(states.params(state))


def _traced(shape: Shape, layout: Layout, forms: DataForms, axis: str | None = None) -> Functions:
    from scaling_laws.train import tracing  # with Flax and Optax, which a worker on one CPU may not need

    return tracing.functions(shape, layout, forms, axis)


def place(shape: Shape, layout: Layout, forms: DataForms) -> OneDevice:
    """The programs where the layout wants them."""
    kind = _Copies if layout.backend == "pmap" else _OnMesh if layout.n_devices > 1 else OneDevice
    return kind(shape, layout, forms)
