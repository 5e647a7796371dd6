"""Mixture of experts in the feed-forward branch: each place of a window goes to the one that its router prefers (Fedus
et al. 2021, "Switch Transformers", section 2).

A window is routed by itself and in its order: what a place becomes depends neither on later places nor on the other
windows of a batch, however that is cut into parts. An expert's places lie one after the other, so that its products
are dense ones of a fixed size; what leads there and back are indices.

Dimensions: B batch, L length, D width, E experts, C places that an expert takes of a window, S = E C.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.families.transformer import expert_places, mlp_hidden, up_columns
from scaling_laws.models.layers import dense, feed_forward, parameter
from scaling_laws.parametrization import Rules

BALANCE = "balance"  # a collection of Flax: by how much each router misses an even spread, for who minimises it


class Experts(nn.Module):
    """Feed-forward branches of which each place takes one, times the router's probability."""

    model: ModelConfig
    rules: Rules

    @nn.compact
    def __call__(self, x_BxLxD):
        """(B, L, D) to (B, L, D); 0 at a place whose expert has been taken by as many before it as it has places."""
        model, rules, width = self.model, self.rules, x_BxLxD.shape[-1]
        size = expert_places(model, x_BxLxD.shape[1])
        router_DxE = parameter(self, rules, "router", (width, model.experts))
        up = parameter(self, rules, "up", (model.experts, width, up_columns(model)))
        down = parameter(self, rules, "down", (model.experts, mlp_hidden(model), width))
        logits_BxLxE = rules.forward.logits * dense(x_BxLxD.astype(jnp.float32), router_DxE)
        shares_BxLxE, chosen_BxL = jax.nn.softmax(logits_BxLxE), logits_BxLxE.argmax(axis=-1)
        if self.is_mutable_collection(BALANCE):
            self.sow(BALANCE, "balance", imbalance(shares_BxLxE, chosen_BxL))
        slots_BxL, places_BxS = routes(chosen_BxL, model.experts, size)
        taken_BxSxD = moved(x_BxLxD, places_BxS, slots_BxL)
        # one product after the other: a CPU is slower at stacks of them
        parts = jnp.split(taken_BxSxD, model.experts, axis=1)
        given = [feed_forward(model, part_BxCxD, *pair) for part_BxCxD, *pair in zip(parts, up, down, strict=True)]
        back_BxLxD = moved(jnp.concatenate(given, axis=1), slots_BxL, places_BxS)
        return shares_BxLxE.max(axis=-1, keepdims=True).astype(back_BxLxD.dtype) * back_BxLxD


def routes(chosen_BxL: jax.Array, experts: int, size: int) -> tuple[jax.Array, jax.Array]:
    """Where each place goes, (B, L) below S = experts x size, or S where its expert has no room; and which place is in
    each slot, (B, S) below L, or L where it is empty."""
    own_BxLxE = (chosen_BxL[..., None] == jnp.arange(experts)).astype(jnp.int32)
    before_BxL = (own_BxLxE * jnp.cumsum(own_BxLxE, axis=1)).sum(axis=-1) - 1
    slots_BxL = jnp.where(before_BxL < size, size * chosen_BxL + before_BxL, experts * size)
    length = chosen_BxL.shape[1]

    def inverse(slots_L):
        return jnp.full(experts * size, length).at[slots_L].set(jnp.arange(length), mode="drop")

    return slots_BxL, jax.vmap(inverse)(slots_BxL)


@jax.custom_vjp
def moved(x_BxNxD: jax.Array, to_BxM: jax.Array, back_BxN: jax.Array) -> jax.Array:
    """(B, M, D): at m the vector at `to[m]`, 0 where that is N; `back` the inverse, M where nothing takes it."""
    return jax.vmap(lambda x, index: x.at[index].get(mode="fill", fill_value=0))(x_BxNxD, to_BxM)


def _moved_forward(x_BxNxD, to_BxM, back_BxN):
    return moved(x_BxNxD, to_BxM, back_BxN), (to_BxM, back_BxN)


def _moved_backward(kept, slope_BxMxD):
    """The way back is read off too, where a derivative by itself would add rows up one by one."""
    to_BxM, back_BxN = kept
    return moved(slope_BxMxD, back_BxN, to_BxM), None, None


moved.defvjp(_moved_forward, _moved_backward)


def imbalance(shares_BxLxE: jax.Array, chosen_BxL: jax.Array) -> jax.Array:
    """(): experts x the sum over them of the share of places that chose one times its mean probability, 1 where all
    have as many (Fedus et al. 2021, equation 4, without its weight); of each window, and then the mean, so that it is
    the same however a batch is cut."""
    experts = shares_BxLxE.shape[-1]
    chosen_BxE = (chosen_BxL[..., None] == jnp.arange(experts)).mean(axis=1)
    return experts * (chosen_BxE * shares_BxLxE.mean(axis=1)).sum(axis=-1).mean()


def balance(sown: Any) -> Any:
    """(): the mean over blocks of what they sowed as BALANCE; None where nothing was asked for.

    Fedus et al. add the blocks up. Here the loss grows with no depth, as little as what a block adds to the stream.
    """
    found = jax.tree.leaves(sown.get(BALANCE, {}))
    return jnp.concatenate([jnp.ravel(each) for each in found]).mean() if found else None
