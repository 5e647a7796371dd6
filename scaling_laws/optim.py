"""Update rules whose numbers are arguments of the compiled step (`hyper.hyperparameters`).

Only the *kind* of optimiser and of schedule is baked into a program.
"""

from typing import Any

import jax
import optax

from scaling_laws.config import OptimizerConfig
from scaling_laws.hyper import Hyper, learning_rate
from scaling_laws.parametrization import Rules


def _direction(config: OptimizerConfig, hyper: Hyper) -> optax.GradientTransformation:
    if config.name == "sgd":
        return optax.trace(decay=hyper["momentum"], nesterov=config.nesterov)
    return optax.scale_by_adam(b1=hyper["beta1"], b2=hyper["beta2"], eps=hyper["epsilon"])


def tensor_names(path: Any) -> tuple[str, ...]:
    """The names along a key path of a parameter tree, root first."""
    return tuple(str(key.key) for key in path)


def _scale_by_rule(rules: Rules, decay: Any) -> optax.GradientTransformation:
    """Add each tensor's decoupled decay, then scale by its rate multiplier; both from the parametrisation's table."""

    def scale(updates: Any, params: Any) -> Any:
        def one(path: Any, update: jax.Array, param: jax.Array) -> jax.Array:
            rule = rules.for_path(tensor_names(path))
            decayed = update + decay * rule.weight_decay * param if rule.weight_decay else update
            return decayed * rule.learning_rate

        return jax.tree_util.tree_map_with_path(one, updates, params)

    return optax.stateless(scale)


def optimizer(config: OptimizerConfig, rules: Rules, hyper: Hyper) -> optax.GradientTransformation:
    """Clip, direction, decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), rates by tensor and by step.

    The state's structure depends on `config.name` alone, so it may be built with concrete numbers and advanced with
    traced ones. Norms and biases are exempt from decay through their rule.
    """
    return optax.chain(
        optax.clip_by_global_norm(hyper["clip_norm"]),
        _direction(config, hyper),
        _scale_by_rule(rules, hyper["weight_decay"]),
        optax.scale_by_schedule(lambda step: -learning_rate(config.schedule, step, hyper)),
    )
