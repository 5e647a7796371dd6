"""The second head of a model that learns two tasks, for whoever asks for its loss: nothing else computes it.

Dimensions: B batch, L length, D width, F features of an input.
"""

from typing import Any

import jax
import jax.numpy as jnp

from scaling_laws.models.layers import dense, parameter
from scaling_laws.models.loss import cross_entropy

AUXILIARY = "auxiliary"  # a collection of Flax: losses of the second head
NAME = "auxiliary_head"


def look_ahead(module: Any, x_BxLxD: Any, tokens_BxL: Any, chunks: int) -> None:
    """Sow the (B, L - 2) losses of the token after the next one, which the window itself has."""
    rules = module.rules
    if module.model.auxiliary == "next":
        head = parameter(module, rules, NAME, (x_BxLxD.shape[-1], module.spec.outputs))

        def logits(x: Any) -> Any:
            return rules.forward.logits * dense(x, head, jnp.float32, end=True)

        if module.is_mutable_collection(AUXILIARY):
            module.sow(AUXILIARY, "losses", cross_entropy(logits, x_BxLxD[:, :-2], tokens_BxL[:, 2:], chunks))


def give_back(module: Any, x_BxD: Any, inputs: Any) -> None:
    """Sow the (B, F) squared errors of the inputs, laid out in a row, as the second head has them."""
    rules = module.rules
    if module.model.auxiliary == "inputs":
        inputs_BxF = inputs.reshape(len(inputs), -1).astype(jnp.float32)
        head = parameter(module, rules, NAME, (x_BxD.shape[-1], inputs_BxF.shape[1]))
        if module.is_mutable_collection(AUXILIARY):
            found_BxF = rules.forward.logits * dense(x_BxD, head, jnp.float32, end=True)
            module.sow(AUXILIARY, "losses", jnp.square(found_BxF - inputs_BxF))


def auxiliary(sown: Any) -> Any:
    """(): the mean of what was sown as AUXILIARY, None where nothing was asked for."""
    found = jax.tree.leaves(sown.get(AUXILIARY, {}))
    return found[0].mean() if found else None
