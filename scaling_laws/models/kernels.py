"""The products, rotations and attention of the layers, laid out for the processor they run on.

On a CPU each has a backward pass of its own, written so that every matrix product meets its operands in the order that
is fast there; XLA would otherwise fold the transpositions back into the products. At width 128, depth 4 and 4096
tokens a step: 560 ms instead of 650 on one core. Elsewhere XLA's own derivatives serve, and attention in half
precision on a GPU is cuDNN's.

Dimensions: T tokens, I inputs, O outputs, G batch x heads, Q queries, S keys (both the length L), K size of a head.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

ROTARY_BASE = 10000.0

_as_it_is = jax.lax.optimization_barrier  # what stands inside is computed and stored in this order


def on_cpu(x: jax.Array) -> bool:
    """Whether a computation traced now on `x` is laid out for a CPU."""
    return jax.default_backend() == "cpu" and x.dtype == jnp.float32


def product(x_TxI: jax.Array, matrix_IxO: jax.Array, dtype=None) -> jax.Array:
    """`x @ matrix` (T, O), in x's dtype, the result in `dtype` (default x's)."""
    if on_cpu(x_TxI) and dtype in (None, jnp.float32):
        return _product(x_TxI, matrix_IxO)
    return jnp.dot(x_TxI, matrix_IxO.astype(x_TxI.dtype), preferred_element_type=dtype)


@jax.custom_vjp
def _product(x_TxI, matrix_IxO):
    return x_TxI @ matrix_IxO


def _product_forward(x_TxI, matrix_IxO):
    return x_TxI @ matrix_IxO, (x_TxI, matrix_IxO)


def _product_backward(kept, slope_TxO):
    """The matrix's gradient sums over tokens: the narrower factor is transposed first, or the product strides."""
    x_TxI, matrix_IxO = kept
    if x_TxI.shape[1] <= slope_TxO.shape[1]:
        gradient = _as_it_is(x_TxI.T) @ slope_TxO
    else:
        gradient = _as_it_is(_as_it_is(slope_TxO.T) @ x_TxI).T
    return slope_TxO @ matrix_IxO.T, gradient


_product.defvjp(_product_forward, _product_backward)


def rotate(x_GxLxK: jax.Array) -> jax.Array:
    """Rotary positions (Su et al. 2021, equation 34), the pairs being (i, i + K/2); the last dimension is even."""
    return _rotate(x_GxLxK) if on_cpu(x_GxLxK) else _turned(x_GxLxK, 1)


def _turned(x_GxLxK, sign):
    length, size = x_GxLxK.shape[-2:]
    frequency = ROTARY_BASE ** (-np.arange(0, size, 2) / size)
    angle = np.arange(length)[:, None] * frequency
    cos, sin = jnp.asarray(np.cos(angle), x_GxLxK.dtype), jnp.asarray(sign * np.sin(angle), x_GxLxK.dtype)
    first, second = jnp.split(x_GxLxK, 2, axis=-1)
    return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


@jax.custom_vjp
def _rotate(x_GxLxK):
    return _turned(x_GxLxK, 1)


# A rotation's transpose is the rotation backwards: cheaper than the padded sums that a split's derivative makes.
_rotate.defvjp(lambda x: (_turned(x, 1), None), lambda _, slope: (_as_it_is(_turned(slope, -1)),))


def attend(q_GxLxK: jax.Array, k_GxLxK: jax.Array, v_GxLxK: jax.Array, scale: float, causal: bool = True) -> jax.Array:
    """Attention: softmax(scale q k^T) v over positions up to the query's own, or over all of them where it is not
    `causal`; the softmax in float32."""
    if on_cpu(q_GxLxK):
        return _attend(q_GxLxK, k_GxLxK, v_GxLxK, scale, causal)
    one_head = [x[:, :, None, :] for x in (q_GxLxK, k_GxLxK, v_GxLxK)]
    kernel = "cudnn" if _has_cudnn_attention(q_GxLxK) else "xla"
    return jax.nn.dot_product_attention(*one_head, scale=scale, is_causal=causal, implementation=kernel)[:, :, 0]


def largest_logit(q_GxLxK: jax.Array, k_GxLxK: jax.Array, scale: float, causal: bool = True) -> jax.Array:
    """The greatest entry () of scale q k^T that attention sees, in float32."""
    scores_GxLxL = scale * _batched(q_GxLxK, k_GxLxK, 2, 2).astype(jnp.float32)
    if not causal:
        return scores_GxLxL.max()
    seen_LxL = np.tril(np.ones(scores_GxLxL.shape[1:], bool))
    return jnp.where(seen_LxL, scores_GxLxL, -jnp.inf).max()


def _has_cudnn_attention(q_GxLxK) -> bool:
    """cuDNN's attention takes half precision and heads of up to 128 in steps of 8."""
    half, size = q_GxLxK.dtype in (jnp.bfloat16, jnp.float16), q_GxLxK.shape[-1]
    return jax.default_backend() == "gpu" and half and size % 8 == 0 and size <= 128


def _batched(a, b, axis_a, axis_b):
    """Products of the matrices of two stacks, contracting one axis of each."""
    return jax.lax.dot_general(a, b, (((axis_a,), (axis_b,)), ((0,), (0,))))


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _attend(q_GxQxK, k_GxSxK, v_GxSxK, scale, causal):
    return _attend_forward(q_GxQxK, k_GxSxK, v_GxSxK, scale, causal)[0]


def _attend_forward(q_GxQxK, k_GxSxK, v_GxSxK, scale, causal):
    """An added mask and a division after the second product: fewer passes over the scores than a softmax takes."""
    q_GxQxK = scale * q_GxQxK
    scores_GxQxS = _batched(q_GxQxK, k_GxSxK, 2, 2)
    if causal:
        places = np.arange(q_GxQxK.shape[1])
        mask_QxS = np.where(places[:, None] >= places, np.float32(0), np.float32(-np.inf))
        scores_GxQxS = scores_GxQxS + mask_QxS
    weights_GxQxS = jnp.exp(scores_GxQxS - scores_GxQxS.max(-1, keepdims=True))
    share_GxQx1 = 1 / weights_GxQxS.sum(-1, keepdims=True)
    mixed_GxQxK = _batched(weights_GxQxS, v_GxSxK, 2, 1) * share_GxQx1
    return mixed_GxQxK, (q_GxQxK, k_GxSxK, v_GxSxK, weights_GxQxS, share_GxQx1, mixed_GxQxK)


def _attend_backward(scale, _, kept, slope_GxQxK):
    q_GxQxK, k_GxSxK, v_GxSxK, weights_GxQxS, share_GxQx1, mixed_GxQxK = kept
    shared_GxQxK = slope_GxQxK * share_GxQx1
    along_GxQx1 = (shared_GxQxK * mixed_GxQxK).sum(-1, keepdims=True)
    bend_GxQxS = weights_GxQxS * (_batched(shared_GxQxK, v_GxSxK, 2, 2) - along_GxQx1)
    slope_q = scale * _batched(bend_GxQxS, k_GxSxK, 2, 1)
    return slope_q, _over_queries(bend_GxQxS, q_GxQxK), _over_queries(weights_GxQxS, shared_GxQxK)


def _over_queries(a_GxQxS, b_GxQxK):
    """a^T b (G, S, K), as the transpose of b^T a: twice as fast, for the large factor is read in its own order."""
    return _as_it_is(_batched(b_GxQxK, a_GxQxS, 1, 1)).transpose(0, 2, 1)


_attend.defvjp(_attend_forward, _attend_backward)
