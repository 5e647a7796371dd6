"""What techniques do inside a forward pass, at places that the models name.

`during(hooks)` holds while a model is traced; outside of it every place is the identity and adds nothing to a program.

Dimensions: B batch.
"""

import contextlib
import contextvars
import dataclasses
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.models.kernels import on_cpu
from scaling_laws.models.rounding import rounded_to

DROPOUT = "dropout"  # the name of a stream of keys in Flax
_LEVELS = 1 << 16  # of the chance to be dropped: 16 random bits decide


@dataclasses.dataclass(frozen=True)
class Dropout:
    """The share that is dropped, and a number (B,) of each example from which, with the step's key, its own follow."""

    rate: Any
    examples_B: Any


@dataclasses.dataclass(frozen=True)
class Rounding:
    """Scales from 0 to the largest absolute value, 0 for no rounding; and whether the first layer and the head round
    too."""

    steps: Any
    ends: bool


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What is done; None is nothing."""

    dropout: Dropout | None = None
    rounding: Rounding | None = None


_NOTHING = Hooks()
_ACTIVE: contextvars.ContextVar[Hooks] = contextvars.ContextVar("hooks", default=_NOTHING)


@contextlib.contextmanager
def during(hooks: Hooks) -> Iterator[None]:
    """Models that are traced inside do as `hooks` say; dropout needs a key under the name DROPOUT in `rngs`."""
    token = _ACTIVE.set(hooks)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def dropped(module: nn.Module, x: jax.Array) -> jax.Array:
    """Numbers (B, ...) of a branch or a hidden layer of `module`, a share of them 0 and the others larger, so that the
    mean stays (Srivastava et al. 2014, section 10).

    Each example's own follow from the step's key, the module, and the example: the same however a batch is cut.
    """
    dropout = _ACTIVE.get().dropout
    if dropout is None:
        return x
    layer = module.make_rng(DROPOUT)
    keys_B = jax.vmap(lambda example: jax.random.fold_in(layer, example))(dropout.examples_B)
    bits = jax.vmap(lambda key: jax.random.bits(key, x.shape[1:], jnp.uint16))(keys_B)
    kept = bits >= (dropout.rate * _LEVELS).astype(jnp.float32)
    return jnp.where(kept, x / (1 - dropout.rate).astype(x.dtype), jnp.zeros((), x.dtype))


def rounded(x: jax.Array, axes: tuple[int, ...] = (-1,), end: bool = False) -> jax.Array:
    """What a product is made of, in its dtype, each part along `axes` with a scale of its own: so that nothing depends
    on other examples, nor a place of a text on later ones. `end`: of the first layer, or of the head."""
    rounding = _ACTIVE.get().rounding
    if rounding is None or (end and not rounding.ends):
        return x

    def coarse(x: jax.Array) -> jax.Array:
        values = x.astype(jnp.float32)
        return rounded_to(values, jnp.abs(values).max(axis=axes, keepdims=True), rounding.steps).astype(x.dtype)

    # fused with what stands around it, it would change in which order that sums; on a GPU a condition would wait
    if on_cpu(x):
        return jax.lax.cond(rounding.steps > 0, coarse, lambda x: x, x)
    return coarse(x)
