"""Update rules whose numbers are arguments of the compiled step (`hyper.hyperparameters`).

Only the *kind* of optimiser and of schedule is baked into a program.
"""

import operator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from scaling_laws.config import OptimizerConfig
from scaling_laws.hyper import Hyper, learning_rate
from scaling_laws.parametrization import Rules


def _direction(config: OptimizerConfig, by: "Multipliers", hyper: Hyper) -> optax.GradientTransformation:
    if config.name == "sgd":
        return optax.trace(decay=hyper["momentum"], nesterov=config.nesterov)
    adam = optax.scale_by_adam(b1=hyper["beta1"], b2=hyper["beta2"], eps=hyper["epsilon"])
    return adam if _all_one(by.epsilon) else optax.chain(_divide(by.epsilon), adam)


def _all_one(numbers: Any) -> bool:
    return all(isinstance(number, float) and number == 1 for number in jax.tree.leaves(numbers))


def _divide(by: Any) -> optax.GradientTransformation:
    """Before Adam: m / (sqrt(v) + c epsilon) of a gradient is m / (sqrt(v) + epsilon) of that gradient over c."""
    return optax.stateless(lambda updates, _: jax.tree.map(lambda update, number: update / number, updates, by))


def tensor_names(path: Any) -> tuple[str, ...]:
    """The names along a key path of a parameter tree, root first."""
    return tuple(str(key.key) for key in path)


class Multipliers(NamedTuple):
    """By which rate, decay and epsilon are multiplied: numbers or arrays, in trees like the parameters' own."""

    learning_rate: Any
    weight_decay: Any
    epsilon: Any


def multipliers(rules: Rules, params: Any) -> Multipliers:
    """Those of each tensor, from the parametrisation's table."""
    found = jax.tree_util.tree_map_with_path(lambda path, _: rules.for_path(tensor_names(path)), params)
    return Multipliers(*(jax.tree.map(operator.attrgetter(name), found) for name in Multipliers._fields))


def _scale(config: OptimizerConfig, by: Multipliers, hyper: Hyper) -> optax.GradientTransformation:
    """Add the decoupled decay, then scale; decay that is independent of the rates is divided by the peak, by which the
    schedule will multiply it."""
    decay = hyper["weight_decay"]
    independent = decay / jnp.maximum(hyper["learning_rate"], jnp.finfo(jnp.float32).tiny)

    def one(update: jax.Array, param: jax.Array, rate: Any, share: Any) -> jax.Array:
        if isinstance(share, float) and share == 0:
            return update * rate
        if config.independent_decay:
            return update * rate + independent * share * param
        return (update + decay * share * param) * rate

    def scale(updates: Any, params: Any) -> Any:
        return jax.tree.map(one, updates, params, by.learning_rate, by.weight_decay)

    return optax.stateless(scale)


def steps_done(state: Any) -> jax.Array:
    """How many updates an optimiser's state has seen: the count of its schedule, the last of the chain."""
    return state[-1].count


def optimizer(config: OptimizerConfig, by: Multipliers, hyper: Hyper) -> optax.GradientTransformation:
    """Clip, direction, decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), rates by tensor and by step.

    The state's structure depends on `config.name` alone, so it may be built with concrete numbers and advanced with
    traced ones. Norms and biases are exempt from decay through their multiplier.
    """
    return optax.chain(
        optax.clip_by_global_norm(hyper["clip_norm"]),
        _direction(config, by, hyper),
        _scale(config, by, hyper),
        optax.scale_by_schedule(lambda step: -learning_rate(config.schedule, step, hyper)),
    )
