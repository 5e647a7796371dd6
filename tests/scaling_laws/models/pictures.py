"""Small convolutional networks for the tests, and the same network once more in plain NumPy, in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from scaling_laws import parametrization
from scaling_laws.config import ModelConfig
from scaling_laws.models.build import build
from scaling_laws.models.loss import example_losses
from scaling_laws.spec import Spec

SHAPE, CLASSES = (7, 6, 3), 5


def configured(**changes):
    return ModelConfig(**({"family": "convnet", "width": 4, "depth": 2} | changes))


@functools.cache
def built(model, shape=SHAPE):
    return build(model, Spec("image", shape, CLASSES), parametrization.rules(parametrization.Scheme(), model))


@functools.cache
def shapes(model, shape=SHAPE):
    pictures = jax.ShapeDtypeStruct((1, *shape), "float32")
    return jax.eval_shape(built(model, shape).init, jax.random.key(0), pictures)["params"]


def pictures(batch=3, shape=SHAPE):
    return jnp.asarray(np.random.default_rng(1).normal(size=(batch, *shape)), "float32")


def drawn(model, shape=SHAPE):
    """Parameters far from their initial values, so that no scale is 1 and no bias 0."""
    generator = np.random.default_rng(0)

    def draw(path, leaf):
        std = 0.3 if path[-1].key in ("scale", "bias") else leaf.shape[-2] ** -0.5
        return jnp.asarray((path[-1].key == "scale") + std * generator.normal(size=leaf.shape), "float32")

    return jax.tree_util.tree_map_with_path(draw, shapes(model, shape))


def loss(model, params, batch, shape=SHAPE):
    """Mean cross-entropy with the classes 0, 1, .. in turn."""
    outputs = built(model, shape).apply({"params": params}, batch)
    return example_losses(Spec("image", shape, CLASSES), outputs, jnp.arange(len(batch)) % CLASSES).mean()


def reference(model, params, picture):
    """Outputs (O,) of one picture (H, W, colours)."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    x = full(np.asarray(picture, np.float64), params["input"])
    for index in range(3 * model.depth):
        block = params[f"block_{index}"]
        if index in (model.depth, 2 * model.depth):
            x = halved(x) @ block["transition"]
        added = x
        for place, last in enumerate(("up", "down")):
            added = _activated(model, _norm(model, block[f"norm_{place}"], added))
            added = _convolved(model, block[f"convolution_{place}"], added, last)
        x = x + added
    x = _activated(model, _norm(model, params["final_norm"], x))
    return np.array([x[..., channel].mean() for channel in range(x.shape[-1])]) @ params["head"]


def full(x, kernel):
    """Every place of the result by itself; what lies outside the picture is 0."""
    height, width, inputs = x.shape
    kernel = kernel.reshape(3, 3, inputs, -1)
    out = np.zeros((height, width, kernel.shape[-1]))
    for row in range(height):
        for column in range(width):
            for down in (-1, 0, 1):
                for right in (-1, 0, 1):
                    if 0 <= row + down < height and 0 <= column + right < width:
                        out[row, column] += x[row + down, column + right] @ kernel[1 + down, 1 + right]
    return out


def by_channel(x, kernels):
    """The same with a kernel of its own for each channel."""
    return np.concatenate([full(x[..., [c]], kernels[:, [c]]) for c in range(x.shape[-1])], axis=-1)


def halved(x):
    """Means over the places of each square of two by two that lie in the picture."""
    height, width, channels = x.shape
    out = np.zeros(((height + 1) // 2, (width + 1) // 2, channels))
    for row in range(len(out)):
        for column in range(out.shape[1]):
            out[row, column] = x[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].mean(axis=(0, 1))
    return out


def _convolved(model, params, x, last):
    if model.convolution == "separable":
        return by_channel(x, params["depthwise"]) @ params[last]
    return full(x, params[last])


def _norm(model, params, x):
    if model.norm == "rms":
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * params["scale"]
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * params["scale"] + params["bias"]


def _activated(model, x):
    gelu = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return {"relu": np.maximum(x, 0), "gelu": gelu, "tanh": np.tanh(x)}[model.activation]
