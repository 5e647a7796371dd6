"""What techniques do inside a forward pass while a model trains, at places that the models name.

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

DROPOUT = "dropout"  # the name of a stream of keys in Flax
_LEVELS = 1 << 16  # of the chance to be dropped: 16 random bits decide


@dataclasses.dataclass(frozen=True)
class Dropout:
    """The share that is dropped, and a number (B,) of each example from which, with the step's key, its own follow."""

    rate: Any
    examples_B: Any


@dataclasses.dataclass(frozen=True)
class Hooks:
    """What is done; None is nothing."""

    dropout: Dropout | None = None


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
