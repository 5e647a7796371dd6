"""The compiled programs of a pack in one of four places: one device, a mesh under `jit`, a mesh over the devices of
several processes, or copies under `pmap`.

Dimension letters: M members, K steps a dispatch, B batch.
"""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding

from scaling_laws.train import exports, reading
from scaling_laws.train import state as states
from scaling_laws.train.functions import DataForms, Functions
from scaling_laws.train.layout import Layout
from scaling_laws.train.reading import TEXT, Brought
from scaling_laws.train.shape import Shape
from scaling_laws.train.shares import Share


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

    def evaluate(self, state: Any, hyper: Any, data: Any, starts_B: Any) -> Any:
        """The losses of a batch."""
        return self.losses(self.params(state), hyper, data, starts_B)

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

    def kept(self, state: Any) -> Any:
        """What this process writes of a state into a checkpoint: the whole of it, on the host."""
        return jax.device_get(self.whole(state))

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


class _OverProcesses(_OnMesh):
    """A mesh over the devices of several processes, each of which has every array whole on its host.

    A process places its own slices of them, and reads of a text only the windows of its own share of each batch.
    """

    def __init__(self, shape: Shape, layout: Layout, forms: DataForms):
        self.spec, self.brings = shape.spec, layout.brings(shape.spec)
        self.gather = jax.jit(lambda leaf: leaf, out_shardings=layout.sharding())
        super().__init__(shape, layout, forms)

    def run(self, state: Any, hyper: Any, data: Any, starts_MxKxB: Any, count: Any, alive_M: Any) -> Any:
        placed, batch = self._batch(data, starts_MxKxB, self.layout.sharding("pack", None, ("data", "fsdp")))
        return self.advance(state, hyper, placed, batch, count, alive_M)

    def evaluate(self, state: Any, hyper: Any, data: Any, starts_B: Any) -> Any:
        placed, batch = self._batch(data, starts_B, self.layout.sharding(("data", "fsdp")))
        # one at a time: programs that need nothing of each other take all threads of a CPU, and none is left for those
        # that their collectives wait for
        return jax.block_until_ready(self.losses(self.params(state), hyper, placed, batch))

    def _batch(self, data: Mapping[str, Any], starts: np.ndarray, sharding: NamedSharding) -> tuple[Any, Any]:
        """The arrays on the devices, and the batch that is found there or that this process brings its share of."""
        if not self.brings:
            return data, _sliced(starts, sharding)
        rest = dict(data)
        text = rest.pop(TEXT)

        def windows(index: Any) -> np.ndarray:
            return text[reading.within(self.spec, starts[index[:-1]], np)]

        size = (*starts.shape, self.spec.shape[0] + 1)
        return rest, Brought(_sliced(starts, sharding), jax.make_array_from_callback(size, sharding, windows))

    def place_data(self, data: Mapping[str, np.ndarray]) -> Any:
        """A text that is brought stays on the host."""
        everywhere = self.layout.sharding()
        return {k: each if self.brings and k == TEXT else _sliced(each, everywhere) for k, each in data.items()}

    def place(self, name: str, tensor: np.ndarray) -> Any:
        return _sliced(tensor, self.shardings[name])

    def whole(self, state: Any) -> Any:
        """On the host, tensor by tensor: no device has more than one of them whole at a time."""
        return {name: np.asarray(self.gather(leaf)) for name, leaf in state.items()}

    def kept(self, state: Any) -> Any:
        """The slices that no process before this one has."""
        return {name: Share.of(leaf) for name, leaf in state.items()}


def _sliced(array: np.ndarray, sharding: NamedSharding) -> jax.Array:
    """An array that every process has whole, of which each places what is its devices'."""
    return jax.make_array_from_callback(np.shape(array), sharding, lambda index: np.asarray(array)[index])


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
    return (_OverProcesses if layout.processes > 1 else kind)(shape, layout, forms)
