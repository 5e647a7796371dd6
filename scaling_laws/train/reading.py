"""Examples from the arrays that lie on the device, inside the compiled step: windows of a text, rows of a table, draws
of a stream.

Dimensions: B batch, L length, T tokens of a text.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from scaling_laws.spec import Spec

Data = Mapping[str, Any]  # the arrays of a split and those that are the same for all (`tasks.task.Task`)


def read(spec: Spec, data: Data, starts_B: Any, data_seed: Any = 0) -> tuple[Any, Any]:
    """Inputs (B, ...) and targets (B,) or, of a text, (B, L) at the places `starts` that the host chose.

    Numbers come as float32, pixels too; a stream draws the example `starts[b]` from (its split, `data_seed`, that
    number).
    """
    if spec.source == "windows":
        (context,) = spec.shape
        windows = data["tokens"][starts_B[:, None] + jnp.arange(context + 1)].astype(jnp.int32)
        return windows[:, :-1], windows[:, 1:]
    if spec.source == "stream":
        return _drawn(spec, data, starts_B, data_seed)
    return standardised(data, data["inputs"][starts_B]), data["targets"][starts_B]


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
