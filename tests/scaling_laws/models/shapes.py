"""Small transformers for the tests, their loss, and the same transformer once more in plain NumPy."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from scaling_laws import parametrization, spec
from scaling_laws.config import ModelConfig, head_count
from scaling_laws.models.build import build

VOCAB, CONTEXT = 24, 12
quick_jit = functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})  # half the compile time


def configured(**changes):
    return ModelConfig(**({"width": 16, "depth": 2, "head_dim": 8} | changes))


@functools.cache
def built(model, vocab=VOCAB, context=CONTEXT):
    return build(model, spec.text(vocab, context), parametrization.rules(parametrization.Scheme(), model))


@functools.cache
def shapes(model, vocab=VOCAB, context=CONTEXT):
    tokens_BxL = jax.ShapeDtypeStruct((1, context), "int32")
    return jax.eval_shape(built(model, vocab, context).init, jax.random.key(0), tokens_BxL)["params"]


@functools.cache
def _forward(model):
    return quick_jit(built(model).apply)


def logits(model, params, tokens_BxL):
    return np.asarray(_forward(model)({"params": params}, tokens_BxL))


def initial(model, vocab=VOCAB, context=CONTEXT):
    init = quick_jit(built(model, vocab, context).init)
    return init(jax.random.key(0), jnp.zeros((1, context), "int32"))["params"]


def tokens(batch=2, length=CONTEXT, vocab=VOCAB):
    return jnp.asarray(np.random.default_rng(1).integers(0, vocab, (batch, length)))


def drawn(model, scale=1.0):
    """Parameters far from their initial values, so that no scale is 1, no bias 0 and attention is not uniform."""
    generator = np.random.default_rng(0)

    def draw(path, leaf):
        std = scale * (0.3 if path[-1].key in ("scale", "bias") else leaf.shape[-2] ** -0.5)
        return jnp.asarray((path[-1].key == "scale") + std * generator.normal(size=leaf.shape), "float32")

    return jax.tree_util.tree_map_with_path(draw, shapes(model))


def loss(model, params, tokens_BxL, vocab=VOCAB, context=CONTEXT):
    logits_BxLxV = built(model, vocab, context).apply({"params": params}, tokens_BxL)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits_BxLxV), tokens_BxL[..., None], -1).mean()


def slopes(model, params, tokens_BxL):
    """Loss and its gradient, compiled."""
    value, gradient = quick_jit(jax.value_and_grad(lambda p: loss(model, p, tokens_BxL)))(params)
    return float(value), gradient


def same(got, want, atol):
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=0, atol=atol), got, want)


def stacked(params):
    """The parameters of an unrolled model in the layout of a scanned one."""
    names = sorted((name for name in params if name.startswith("block_")), key=lambda name: int(name[6:]))
    rest = {name: value for name, value in params.items() if name not in names}
    return rest | {"blocks": jax.tree.map(lambda *layers: jnp.stack(layers), *(params[name] for name in names))}


def reference(model, params, sequence):
    """Logits (L, V) of one sequence: one position and one head after the other, in float64."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    x = params["embedding"][np.asarray(sequence)] * (model.width**0.5 if model.tie_embeddings else 1)
    if model.positions == "learned":
        x = x + params["position"][: len(x)]
    x = after_blocks(model, params, x)
    head = params["embedding"].T if model.tie_embeddings else params["head"]
    return x @ head


def after_blocks(model, params, x, causal=True):
    """(L, D): the residual stream (L, D) after all blocks and the last norm, in float64."""
    for index in range(model.depth):
        block = params[f"block_{index}"]
        x = x + _attention(model, block["attention"], _norm(model.norm, block["attention_norm"], x), causal)
        x = x + _mlp(model, block["mlp"], _norm(model.norm, block["mlp_norm"], x))
    return _norm(model.norm, params["final_norm"], x)


def _norm(name, params, x):
    if name == "rms":
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-6) * params["scale"]
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-6) * params["scale"] + params["bias"]


def _attention(model, params, x, causal):
    width, heads = model.width, head_count(model)
    size = width // heads
    out = np.zeros_like(x)
    for head in range(heads):
        queries, keys, values = (
            x @ params["qkv"][:, part * width + head * size : part * width + (head + 1) * size] for part in range(3)
        )
        if model.qk_norm:
            queries, keys = _norm("rms", params["query_norm"], queries), _norm("rms", params["key_norm"], keys)
        if model.positions == "rotary":
            queries, keys = _rotated(queries), _rotated(keys)
        for t in range(len(x)):
            seen = t + 1 if causal else len(x)
            weights = np.exp([queries[t] @ keys[s] / np.sqrt(size) for s in range(seen)])
            out[t, head * size : (head + 1) * size] = weights / weights.sum() @ values[:seen]
    return out @ params["out"]


def _rotated(x):
    """Pairs (i, i + K/2) as complex numbers, turned by t * 10000^(-2 i / K)."""
    half = x.shape[1] // 2
    pairs = x[:, :half] + 1j * x[:, half:]
    turned = pairs * np.exp(1j * np.outer(np.arange(len(x)), 10000.0 ** (-np.arange(half) / half)))
    return np.concatenate([turned.real, turned.imag], axis=1)


def _mlp(model, params, x):
    x = x @ params["up"]
    if model.mlp == "swiglu":
        gate, value = np.split(x, 2, axis=1)
        return (gate / (1 + np.exp(-gate)) * value) @ params["down"]
    return (0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))) @ params["down"]
