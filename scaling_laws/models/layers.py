"""Layers that models share, and those of the transformer.

Dimensions: B batch, L length, D width, H heads, K size of a head, F hidden width of the feed-forward branch,
G = B H, I = H K, which is D where all heads are there.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig, head_count, left
from scaling_laws.families.transformer import attention_width, mlp_hidden, up_columns
from scaling_laws.models.hooks import rounded
from scaling_laws.models.kernels import attend, largest_logit, product, rotate
from scaling_laws.parametrization import Rules

ACTIVATIONS = "activations"  # a collection of Flax: what each layer computes, for whoever asks for it
WATCHED = "watched"  # another: signs of instability
EPSILON = 1e-6  # added to the mean square before its root


def parameter(module: nn.Module, rules: Rules, name: str, shape: tuple[int, ...]):
    """The tensor `name` of a module, drawn by the rule for its path; its last dimension but one is its fan-in."""
    rule = rules.for_path((*module.path, name))

    def draw(key, shape, dtype=jnp.float32):
        std = rule.std(shape[-2] if len(shape) > 1 else 1)
        noise = std * jax.random.normal(key, shape, dtype) if std else jnp.zeros(shape, dtype)
        return rule.mean + noise

    return module.param(name, draw, shape)


def dense(x, matrix, dtype=None, end=False):
    """`x @ matrix` over the last dimension of x, in x's dtype, the result in `dtype` (default x's); `end`: of the first
    layer or of the head.

    Flattened to two dimensions: a quarter faster than a three-dimensional product on CPU.
    """
    return product(rounded(x, end=end).reshape(-1, x.shape[-1]), matrix, dtype).reshape(*x.shape[:-1], matrix.shape[-1])


def activated(name: str, x):
    """relu, gelu or tanh of `x`."""
    return {"relu": nn.relu, "gelu": nn.gelu, "tanh": jnp.tanh}[name](x)


class Norm(nn.Module):
    """RMS norm (Zhang and Sennrich 2019, equation 4) or layer norm (Ba et al. 2016, equation 3), in float32."""

    rules: Rules
    centred: bool = False  # layer norm

    @nn.compact
    def __call__(self, x):
        """Normalise the last dimension of `x`; same shape and dtype out."""
        size, values = x.shape[-1:], x.astype(jnp.float32)
        if self.centred:
            values = values - values.mean(-1, keepdims=True)
        values = values * jax.lax.rsqrt(jnp.square(values).mean(-1, keepdims=True) + EPSILON)
        values = values * parameter(self, self.rules, "scale", size)
        if self.centred:
            values = values + parameter(self, self.rules, "bias", size)
        return values.astype(x.dtype)


def by_head(x_BxLxI, heads: int):
    """(B, L, I) to (G, L, K), head h of example b at place b H + h."""
    batch, length, width = x_BxLxI.shape
    split = x_BxLxI.reshape(batch, length, heads, width // heads).transpose(0, 2, 1, 3)
    return split.reshape(batch * heads, length, width // heads)


class Attention(nn.Module):
    """Multi-head self-attention with one fused matrix for queries, keys and values, one after the other."""

    model: ModelConfig
    rules: Rules
    causal: bool = True

    @nn.compact
    def __call__(self, x_BxLxD):
        """(B, L, D) to (B, L, D), position t of the output from positions up to t of the input where it is `causal`."""
        batch, length, width = x_BxLxD.shape
        heads, inner = left(self.model, head_count(self.model)), attention_width(self.model)
        qkv = dense(x_BxLxD, parameter(self, self.rules, "qkv", (width, 3 * inner)))
        q_GxLxK, k_GxLxK, v_GxLxK = (by_head(part, heads) for part in jnp.split(qkv, 3, axis=-1))
        if self.model.qk_norm:
            q_GxLxK = Norm(self.rules, name="query_norm")(q_GxLxK)
            k_GxLxK = Norm(self.rules, name="key_norm")(k_GxLxK)
        if self.model.positions == "rotary":
            q_GxLxK, k_GxLxK = rotate(q_GxLxK), rotate(k_GxLxK)
        if self.is_mutable_collection(WATCHED):  # of the first window: a sample is enough, and costs next to nothing
            largest = largest_logit(q_GxLxK[:heads], k_GxLxK[:heads], self.rules.forward.attention, self.causal)
            self.sow(WATCHED, "attention_logit", largest)
        mixed_GxLxK = attend(q_GxLxK, k_GxLxK, v_GxLxK, self.rules.forward.attention, self.causal)
        mixed_BxLxHxK = mixed_GxLxK.reshape(batch, heads, length, inner // heads).transpose(0, 2, 1, 3)
        out = parameter(self, self.rules, "out", (inner, width))
        return dense(mixed_BxLxHxK.reshape(batch, length, inner), out)


class Mlp(nn.Module):
    """Feed-forward branch: gelu, or swiglu (Shazeer 2020, equation 6) with gate and value in one matrix."""

    model: ModelConfig
    rules: Rules

    @nn.compact
    def __call__(self, x_BxLxD):
        """(B, L, D) to (B, L, D), each position for itself."""
        width = x_BxLxD.shape[-1]
        up = parameter(self, self.rules, "up", (width, up_columns(self.model)))
        down = parameter(self, self.rules, "down", (mlp_hidden(self.model), width))
        return feed_forward(self.model, x_BxLxD, up, down)


def feed_forward(model: ModelConfig, x_BxLxD, up, down):
    """(B, L, D) to (B, L, D) by the two matrices of the branch, (D, F), or (D, 2 F) of a swiglu, and (F, D)."""
    x_BxLxF = dense(x_BxLxD, up)
    if model.mlp == "swiglu":
        gate_BxLxF, value_BxLxF = jnp.split(x_BxLxF, 2, axis=-1)
        return dense(nn.silu(gate_BxLxF) * value_BxLxF, down)
    return dense(nn.gelu(x_BxLxF), down)
