"""A trained model as one file: the forward pass and its parameters in StableHLO, for whoever has JAX and nothing else.

The file is what `jax.export` writes, so that `jax.export.deserialize(file).call(inputs)` runs it, with a checksum
behind it. Inputs are examples as a task has them, not standardised; outputs float32, as the model's. Rounded weights
are stored in their bits.

Dimensions: B batch, a symbol, so that any size will do.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export

from scaling_laws import disk, families, hyper
from scaling_laws.config import ConfigError, RunConfig
from scaling_laws.models import hooks
from scaling_laws.models.hooks import Hooks
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.techniques import quantization, stored
from scaling_laws.train import packing, rounding
from scaling_laws.train import state as states
from scaling_laws.train.reading import standardised
from scaling_laws.train.shape import Shape
from scaling_laws.train.state import State
from scaling_laws.train.step import Step

_MARK, _DIGEST = b"scaling_laws model 1", 32  # what ends a file, and the bytes of the checksum before it
Forward = Callable[[Any], Any]


class DeployedError(ValueError):
    """A file that is no model, or a damaged one, said in one line."""


class Model:
    """The forward pass of a run as it is evaluated."""

    def __init__(self, run: RunConfig, task: Task, parameters: Mapping[str, np.ndarray]):
        """`parameters` as `kept` has them. Raises ConfigError for a task that is drawn as it is read, and for a
        stage of boosting."""
        if task.spec.source == "stream":
            raise ConfigError(f"task.name: {task.name}; allowed: a task with examples of its own")
        if run.boost.previous:
            raise ConfigError(f"boost.previous: {run.boost.previous}; allowed: none, for a stage is no model by itself")
        self.step, self.numbers = Step(Shape.of(run, task.spec)), hyper.hyperparameters(run)
        self.bits, self.form = run.quantize.weight_bits, quantization.form(run.quantize)
        self.parameters, self.task = dict(parameters), task
        self.template = {"params": self.step.abstract_state()["params"]}
        self.counts = families.count(run.model, task.spec)

    def outputs(self, parameters: State, numbers: Any, inputs: Any) -> Any:
        """Outputs of a batch under parameters that are rounded here: the module's own, as an evaluation has them."""
        tree = states.tree(self.template, parameters)["params"]
        return self._applied(rounding.weights(self.form, tree, numbers), numbers, inputs)

    def _applied(self, params: Any, numbers: Any, inputs: Any) -> Any:
        x = standardised(self.task.fixed, inputs)
        with hooks.during(Hooks(rounding=rounding.activations(self.form, numbers))):
            return self.step.module.apply({"params": params}, x)

    def own(self) -> Any:
        """The module compiled for these parameters, as the file is: with parameters as arguments sums may come in
        another order (outputs of a vision transformer of width 64 then differed by 2e-7)."""

        def forward(inputs: Any) -> Any:
            return self.outputs({k: jnp.asarray(v) for k, v in self.parameters.items()}, self.numbers, inputs)

        return jax.jit(forward)

    @property
    def float_bytes(self) -> int:
        """Bytes of the parameters in full precision."""
        return sum(tensor.nbytes for tensor in self.parameters.values())

    def exported(self) -> bytes:
        """The bytes of a file."""
        kept = {name: self._stored(name, tensor) for name, tensor in self.parameters.items()}

        def forward(inputs: Any) -> Any:
            tree = states.tree(self.template, {name: restore() for name, restore in kept.items()})["params"]
            return self._applied(tree, self.numbers, inputs)

        data = bytes(export.export(jax.jit(forward))(self._inputs()).serialize())
        return data + hashlib.sha256(data).digest() + _MARK

    def _stored(self, name: str, tensor: np.ndarray) -> Callable[[], Any]:
        """What makes a tensor again, in the program, from what is stored of it."""
        path = tuple(name.removeprefix(states.PARAMS).split("/"))
        if not stored.is_rounded(self.form, path, tensor.shape):
            return lambda: jnp.asarray(tensor)
        steps = self.numbers["quantize.weight_steps"]
        split = jax.jit(lambda matrix, steps: rounding.parts(self.form, path, matrix, steps))
        whole, scale = jax.device_get(split(tensor, steps))
        few = packing.packed(whole, self.bits)
        return lambda: rounding.together(self.form, path, packing.unpacked(few, self.bits, tensor.shape), scale)

    def _inputs(self) -> jax.ShapeDtypeStruct:
        (batch,) = export.symbolic_shape("B")
        return jax.ShapeDtypeStruct((batch, *self.task.spec.shape), self.examples(1).dtype)

    def examples(self, n: int) -> np.ndarray:
        """Inputs (at most n, ...) of the held-out split, from its first on."""
        if self.task.mapped:
            places = order.evaluated(self.task, "heldout", n * self.task.spec.targets)[:n]
            return self.task.windows("heldout", places)[:, :-1].astype(np.int32)
        if self.task.spec.source == "windows":
            (length,), tokens = self.task.spec.shape, self.task.heldout["tokens"]
            n = min(n, len(tokens) // length)
            return tokens[: n * length].reshape(n, length).astype(np.int32)
        return self.task.heldout["inputs"][:n]


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    disk.replace_file(path, data)


def read(path: str | os.PathLike) -> Forward:
    """The compiled model in a file. Raises DeployedError where it is none, damaged, or for another kind of device."""
    data = disk.read_file(Path(path))
    if not data.endswith(_MARK):
        raise DeployedError(f"{path}: no model, or not all of one; allowed: a file that experiments.export has written")
    data = data.removesuffix(_MARK)
    data, digest = data[:-_DIGEST], data[-_DIGEST:]
    if hashlib.sha256(data).digest() != digest:
        raise DeployedError(f"{path}: damaged: its checksum is another; write it anew")
    found = export.deserialize(bytearray(data))
    if jax.default_backend() not in found.platforms:
        raise DeployedError(
            f"{path}: a model for {', '.join(found.platforms)}; allowed: one for {jax.default_backend()}, written there"
        )
    return jax.jit(found.call)
