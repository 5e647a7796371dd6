"""Models of examples for the tests: forms of examples, parameters far from their first values, outputs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from shapes import quick_jit

from scaling_laws import parametrization
from scaling_laws.models.build import build
from scaling_laws.models.loss import example_losses
from scaling_laws.spec import Spec
from scaling_laws.train.reading import blank

PICTURES = Spec("image", (8, 4, 3), 5)
CLASSES = Spec("vector", (10,), 2)
NUMBERS = Spec("vector", (7,), 1, "squared_error")
PAIRS = Spec("pair", (2,), 1, "squared_error", sizes=(9, 6))


@functools.cache
def built(model, spec):
    return build(model, spec, parametrization.rules(parametrization.Scheme(), model))


@functools.cache
def shapes(model, spec):
    return jax.eval_shape(built(model, spec).init, jax.random.key(0), blank(spec))["params"]


def initial(model, spec, seed=0):
    return quick_jit(built(model, spec).init)(jax.random.key(seed), examples(spec, 1))["params"]


def examples(spec, n):
    """(n, ...) inputs."""
    random = np.random.default_rng(1)
    if spec.inputs == "pair":
        return jnp.asarray(np.stack([random.integers(0, size, n) for size in spec.sizes], axis=1), jnp.int32)
    return jnp.asarray(random.standard_normal((n, *spec.shape)), jnp.float32)


def drawn(model, spec):
    """Parameters of which no scale is 1 and no bias 0."""
    random = np.random.default_rng(0)

    def draw(path, leaf):
        std = leaf.shape[-2] ** -0.5 if leaf.ndim > 1 and "table" not in path[-1].key else 0.5
        return jnp.asarray((path[-1].key == "scale") + std * random.standard_normal(leaf.shape), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes(model, spec))


@functools.cache
def _forward(model, spec):
    return quick_jit(built(model, spec).apply)


def outputs(model, spec, params, inputs):
    return np.asarray(_forward(model, spec)({"params": params}, inputs))


def loss(model, spec, params, inputs):
    targets = jnp.zeros(len(inputs), jnp.int32 if spec.is_classification else jnp.float32)
    return example_losses(spec, built(model, spec).apply({"params": params}, inputs), targets).mean()


def in_float64(params):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "gelu": lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
}
