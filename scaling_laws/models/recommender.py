"""Recommender of two towers; of depth 0 a matrix factorisation with biases.

Dimensions: B batch, U users, I items, W width.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.models.hooks import rounded
from scaling_laws.models.layers import ACTIVATIONS, WATCHED, parameter
from scaling_laws.models.mlp import Hidden
from scaling_laws.parametrization import Rules
from scaling_laws.spec import Spec

SIDES = ("user", "item")


class Floor(nn.Module):
    """One hidden layer of both towers."""

    model: ModelConfig
    rules: Rules

    @nn.compact
    def __call__(self, *pair_BxW):
        """Users' and items' vectors, (B, W) each, to the same."""
        return [Hidden(self.model, self.rules, name=side)(x) for side, x in zip(SIDES, pair_BxW, strict=True)]


class Recommender(nn.Module):
    """A user and an item to a number, in float32."""

    model: ModelConfig
    rules: Rules
    spec: Spec

    @nn.compact
    def __call__(self, pairs_Bx2):
        """(B, 2) integers, below the numbers of users and of items, to (B, 1) float32."""
        user_BxW, item_BxW = (
            self.rows("table", k, pairs_Bx2, self.model.width).astype(self.model.dtype) for k in range(2)
        )
        self.sow(ACTIVATIONS, "embedded", jnp.stack([user_BxW, item_BxW]))
        for index in range(self.model.depth):
            user_BxW, item_BxW = Floor(self.model, self.rules, name=f"block_{index}")(user_BxW, item_BxW)
        user_BxW, item_BxW = rounded(user_BxW, end=True), rounded(item_BxW, end=True)
        product_B = jax.lax.dot_general(
            user_BxW, item_BxW, (((1,), (1,)), ((0,), (0,))), preferred_element_type=jnp.float32
        )
        outputs_B = self.rules.forward.logits * product_B
        if self.model.bias:
            for k in range(2):
                outputs_B = outputs_B + self.rows("bias", k, pairs_Bx2)
            outputs_B = outputs_B + parameter(self, self.rules, "head_bias", (1,))
        self.sow(WATCHED, "logit_mean", outputs_B.mean())
        return outputs_B[:, None]

    def rows(self, what, k, pairs_Bx2, *size):
        """(B, *size): of every pair the row of the user's (k = 0) or the item's (k = 1) table of `what`."""
        return parameter(self, self.rules, f"{SIDES[k]}_{what}", (self.spec.sizes[k], *size))[pairs_Bx2[:, k]]
