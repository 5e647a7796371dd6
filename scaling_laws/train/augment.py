"""Augmentation inside the compiled step: pictures moved and mirrored, examples mixed, noise added.

What becomes of an example follows from (data_seed, step, the example) alone: it is the same in a run that is resumed,
in a pack, and however a batch is cut into parts or over devices. An example that stands twice in a batch, as one that
reaches over the end of an epoch may have it, becomes the same twice.

Dimensions: B batch, H height, W width, C channels, O outputs.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from scaling_laws.config import AugmentConfig
from scaling_laws.spec import Spec
from scaling_laws.train import reading
from scaling_laws.train.reading import Data

STREAM = 0xA46  # of keys, beside those of examples that are drawn


def read(form: AugmentConfig, spec: Spec, data: Data, numbers: Any, starts_B: Any, step: Any) -> tuple[Any, Any]:
    """`reading.read` of examples to train on, augmented as `form` says (`section.form`) with `numbers` (`hyper`).

    Each picture is cropped and mirrored by itself, then two are mixed, then the noise is added, so that its deviation
    stays what it is. With mixup the targets of a classification are shares of the classes (B, O), and the larger share
    is the example's own (as in Berthelot et al. 2019, eq. 9): which of two is called the partner is all the same, and
    so the weakest mixup is none, where shares of 0 would put half of a batch in place of another.
    """
    if form == AugmentConfig():
        return reading.read(spec, data, starts_B, numbers["data_seed"])
    own, partner, place, share, noise = _keys_5xB(numbers["data_seed"], step, starts_B)
    inputs, targets = _moved(form, spec, data, own, starts_B)
    if form.mixup:
        n_examples = len(data["targets"])
        others_B = jax.vmap(lambda key: jax.random.randint(key, (), 0, n_examples))(place)
        others = _moved(form, spec, data, partner, others_B)
        shares_B = jax.vmap(symmetric_beta, (0, None))(share, numbers["augment.mixup"])
        shares_B = jnp.maximum(shares_B, 1 - shares_B)
        inputs, targets = (mixed(*pair, shares_B) for pair in zip((inputs, targets), others, strict=True))
    if form.noise:
        inputs += numbers["augment.noise"] * jax.vmap(lambda key: jax.random.normal(key, spec.shape))(noise)
    return inputs, targets


def crop(picture_HxWxC: Any, corner_2: Any, padding: int, empty: Any) -> Any:
    """(H, W, C) from `corner` on of the picture with `padding` >= 1 pixels of `empty` (a number or (C,)) on each side.

    `corner`: row and column, 0 to 2 x padding; at `padding` nothing moves (He et al. 2016, section 4.2).
    """
    height, width, channels = picture_HxWxC.shape
    around = jnp.broadcast_to(empty, (height + 2 * padding, width + 2 * padding, channels))
    padded = around.at[padding:-padding, padding:-padding].set(picture_HxWxC)
    return jax.lax.dynamic_slice(padded, (*corner_2, 0), picture_HxWxC.shape)


def mixed(values: Any, others: Any, shares_B: Any) -> Any:
    """share x value + (1 - share) x other, both (B, ...) (Zhang et al. 2018, section 2)."""
    shares = shares_B.reshape(-1, *[1] * (values.ndim - 1))
    return shares * values + (1 - shares) * others


def symmetric_beta(key: Any, alpha: Any) -> Any:
    """A number from Beta(alpha, alpha), alpha > 0, without trial and error.

    T of Student's distribution with 2 alpha degrees of freedom has T^2 = 2 alpha (U^(-1 / alpha) - 1) cos(2 pi V)^2, U
    and V uniform (Bailey 1994, "Polar generation of random variates with the t-distribution"), and
    (1 + T / sqrt(2 alpha + T^2)) / 2 is the number. On a CPU `jax.random.beta` takes 17 times as long for 256 of them,
    and five times as long to compile.
    """
    u, v = jax.random.uniform(key, (2,))
    cosine, log = jnp.cos(2 * jnp.pi * v), jnp.log(u) / alpha
    power, rest = jnp.exp(log), -jnp.expm1(log)  # U^(1 / alpha), and what it lacks of 1
    return ((1 + cosine * jnp.sqrt(rest / (power + rest * jnp.square(cosine)))) / 2).clip(0, 1)


def _keys_5xB(data_seed: Any, step: Any, starts_B: Any) -> Any:
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(STREAM), data_seed), step)
    return jax.vmap(lambda start: jax.random.split(jax.random.fold_in(key, start), 5), out_axes=1)(starts_B)


def _moved(form: AugmentConfig, spec: Spec, data: Data, keys_B: Any, starts_B: Any) -> tuple[Any, Any]:
    """Examples as they are read, pictures cropped and mirrored; classes that are to be mixed as shares (B, O)."""
    inputs, targets = reading.read(spec, data, starts_B)
    corners, sides = jax.vmap(jax.random.split, out_axes=1)(keys_B)
    if form.crop:
        corners_Bx2 = jax.vmap(lambda key: jax.random.randint(key, (2,), 0, 2 * form.crop + 1))(corners)
        # what lies beyond pixels is black; a spectrogram has no such value, and its mean is 0
        black = data["inputs"].dtype == jnp.uint8
        empty = reading.standardised(data, jnp.zeros(spec.shape[-1:])) if black else 0.0
        inputs = jax.vmap(functools.partial(crop, padding=form.crop, empty=empty))(inputs, corners_Bx2)
    if form.flip:
        mirror_B = jax.vmap(jax.random.bernoulli)(sides)
        inputs = jnp.where(mirror_B[:, None, None, None], inputs[:, :, ::-1], inputs)
    if form.mixup and spec.is_classification:
        targets = jax.nn.one_hot(targets, spec.outputs)
    return inputs, targets
