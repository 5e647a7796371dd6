"""What the sizes of the weights add to the objective."""

from typing import Any

import jax
import jax.numpy as jnp

from scaling_laws.optim import tensor_names
from scaling_laws.parametrization import Rules
from scaling_laws.techniques.regularisation import RegulariseConfig


def penalty(form: RegulariseConfig, rules: Rules, params: Any, numbers: Any) -> Any:
    """l1 sum |w| + l2 / 2 sum w^2 over the tensors that weight decay would shrink; 0 where neither is in use."""
    if not (form.l1 or form.l2):
        return 0.0
    found = jnp.zeros((), jnp.float32)
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not rules.for_path(tensor_names(path)).weight_decay:
            continue
        if form.l1:
            found += numbers["regularise.l1"] * jnp.abs(leaf).sum()
        if form.l2:
            found += numbers["regularise.l2"] / 2 * jnp.square(leaf).sum()
    return found
