"""Examples from the arrays that lie on the device, inside the compiled step: windows of a text, rows of a table, draws
of a stream. Where several processes train one model each brings the windows of its own share of a batch instead.

Dimensions: B batch, L length, T tokens of a text.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from scaling_laws.spec import Spec

TEXT = "tokens"  # among the arrays of a split
Data = Mapping[str, Any]  # the arrays of a split and those that are the same for all (`tasks.task.Task`)


class Brought(NamedTuple):
    """Windows that the host has read: their starts (..., B) and their tokens (..., B, L + 1)."""

    starts: Any
    tokens: Any


def places(batch: Any) -> Any:
    """The places (..., B) of a batch, which is these places alone or `Brought`."""
    return batch.starts if isinstance(batch, Brought) else batch


def read(spec: Spec, data: Data, starts_B: Any, data_seed: Any = 0) -> tuple[Any, Any]:
    """Inputs (B, ...) and targets (B,) or, of a text, (B, L) at the places `starts` that the host chose.

    Numbers come as float32, pixels too; a stream draws the example `starts[b]` from (its split, `data_seed`, that
    number). What is `Brought` is there already.
    """
    if isinstance(starts_B, Brought):
        return _parted(starts_B.tokens)
    if spec.source == "windows":
        return _parted(data[TEXT][within(spec, starts_B)])
    if spec.source == "stream":
        return _drawn(spec, data, starts_B, data_seed)
    return standardised(data, data["inputs"][starts_B]), data["targets"][starts_B]


def within(spec: Spec, starts: Any, xp: Any = jnp) -> Any:
    """(..., L + 1): where the tokens of windows of a text stand, by their starts (...); `xp`: jax.numpy or numpy."""
    (context,) = spec.shape
    return starts[..., None] + xp.arange(context + 1)


def _parted(windows_BxT: Any) -> tuple[Any, Any]:
    windows_BxT = windows_BxT.astype(jnp.int32)
    return windows_BxT[:, :-1], windows_BxT[:, 1:]


def standardised(data: Data, inputs: Any) -> Any:
    """Inputs (..., as an example has them) as a model sees them."""
    return (inputs.astype(jnp.float32) - data["mean"]) * data["scale"] if "mean" in data else inputs


def blank(spec: Spec) -> jax.ShapeDtypeStruct:
    """The form of a batch of one input."""
    if spec.inputs == "noise":
        return jax.eval_shape(lambda: jax.random.split(jax.random.key(0), 1))
    whole = spec.inputs in ("tokens", "pair", "index")
    return jax.ShapeDtypeStruct((1, *spec.shape), jnp.int32 if whole else jnp.float32)


def _drawn(spec: Spec, data: Data, starts_B: Any, data_seed: Any) -> tuple[Any, Any]:
    from scaling_laws.tasks import streams

    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(0), data["stream"]), data_seed)
    keys_B = jax.vmap(lambda start: jax.random.fold_in(key, start))(starts_B)
    return jax.vmap(lambda key: streams.STREAMS[spec.stream](key, data))(keys_B)
