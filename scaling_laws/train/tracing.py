"""A pack's functions from the model and the optimiser. The only way from the loop to Flax and Optax."""

from typing import Any

import jax
import jax.numpy as jnp

from scaling_laws import hyper
from scaling_laws.config import RunConfig
from scaling_laws.train import state as states
from scaling_laws.train.functions import DataForms, Functions
from scaling_laws.train.layout import Layout, over_members
from scaling_laws.train.reading import TEXT, Brought
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

OVER_STATE = (0, 0, None, 0, None, 0)  # state, hyper, data, starts, count, alive
OVER_PARAMS = (0, 0, None, None)  # parameters, hyper, data, starts


def functions(shape: Shape, layout: Layout, forms: DataForms, axis: str | None = None) -> Functions:
    """The functions of a pack, not yet traced; `axis` as in `Step`."""
    step = Step(shape, axis, sharded=layout.n_devices > 1)
    template = step.abstract_state()

    def advance(state: Any, numbers: Any, data: Any, starts: Any, count: Any, alive: Any) -> Any:
        if layout.strategy != "vmap":  # one after the other, those that are not alive take no step at all
            count, alive = jnp.where(alive, count, 0), jnp.ones((), bool)
        after, *seen = step.advance(states.tree(template, state), numbers, data, starts, count, alive)
        return states.named(after), *seen

    def losses(params: Any, numbers: Any, data: Any, starts: Any) -> Any:
        tree = states.tree({"params": template["params"]}, params)
        return step.evaluate_B(tree["params"], numbers, data, starts)

    train_data, eval_data = forms.structs()
    brought = layout.brings(shape.spec)
    starts_KxB = _batch((shape.steps_per_dispatch, shape.batch_size), shape, train_data, brought)
    starts_B = _batch((shape.eval_batch,), shape, eval_data, brought)
    count, alive = jax.ShapeDtypeStruct((), jnp.int32), jax.ShapeDtypeStruct((), jnp.bool_)
    packed = (states.named(template), hyper.hyperparameters(RunConfig()), starts_KxB, alive)
    state, numbers, starts_MxKxB, alive_M = _with_members(packed, layout.members)
    return Functions(
        advance=over_members(advance, layout.strategy, OVER_STATE),
        advance_arguments=(state, numbers, train_data, starts_MxKxB, count, alive_M),
        losses=over_members(losses, layout.strategy, OVER_PARAMS),
        losses_arguments=(states.params(state), numbers, eval_data, starts_B),
    )


def _batch(size: tuple[int, ...], shape: Shape, data: dict[str, Any], brought: bool) -> Any:
    """The form of a batch, or of several, of `data`; where its windows are brought, the text is not among these."""
    starts = jax.ShapeDtypeStruct(size, jnp.int32)
    if not brought:
        return starts
    (context,) = shape.spec.shape
    return Brought(starts, jax.ShapeDtypeStruct((*size, context + 1), data.pop(TEXT).dtype))


def _with_members(tree: Any, members: int) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((members, *leaf.shape), leaf.dtype), tree)
