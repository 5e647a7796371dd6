"""Update rules and schedules whose numbers are arguments of the compiled step.

Only the *kind* of optimiser and of schedule is baked into a program; rates, decays, betas and the horizon arrive as
a dictionary of float32 scalars (`hyperparameters`), so that the next point of a sweep compiles nothing.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling_laws.config import OptimizerConfig, RunConfig
from scaling_laws.parametrization import Rules

Hyper = Mapping[str, Any]  # name -> float32 scalar, traced inside the step

# fields of OptimizerConfig
_NUMBERS = "learning_rate weight_decay beta1 beta2 epsilon momentum clip_norm warmup cooldown final_lr".split()  # noqa: SIM905


def hyperparameters(run: RunConfig) -> dict[str, np.float32]:
    """The run's numbers that the compiled step takes as arguments; `horizon` in steps, `clip_norm` inf for never."""
    values = {name: np.float32(getattr(run.optimizer, name)) for name in _NUMBERS}
    values["horizon"] = np.float32(run.train.steps)
    if run.optimizer.clip_norm == 0:
        values["clip_norm"] = np.float32(np.inf)
    return values


def learning_rate(schedule: str, step: Any, hyper: Hyper) -> jax.Array:
    """Rate of update number `step` (0 is the first) on a horizon of `hyper["horizon"]` steps.

    Linear warm-up over the first `warmup` share: peak (step + 1) / warm-up steps, so that update 0 is not lost.
    Then constant; or a half cosine that reaches `final_lr` x peak at the horizon (Loshchilov and Hutter 2017, eq. 5,
    one cycle); or constant until the last `cooldown` share, then 1 - sqrt(t) down to `final_lr` x peak
    (Haegele et al. 2024, eq. 2).
    """
    peak, final, horizon = hyper["learning_rate"], hyper["final_lr"], hyper["horizon"]
    step = jnp.asarray(step, jnp.float32)
    warm = hyper["warmup"] * horizon
    warming = jnp.minimum(1.0, (step + 1) / jnp.maximum(warm, 1.0))
    if schedule == "constant":
        decay = jnp.ones_like(step)
    elif schedule == "cosine":
        progress = jnp.clip((step - warm) / jnp.maximum(horizon - warm, 1.0), 0.0, 1.0)
        decay = 0.5 * (1 + jnp.cos(jnp.pi * progress))
    elif schedule == "wsd":
        cool = jnp.maximum(hyper["cooldown"] * horizon, 1.0)
        progress = jnp.clip((step - (horizon - cool)) / cool, 0.0, 1.0)
        decay = 1 - jnp.sqrt(progress)
    else:
        raise ValueError(f"schedule: {schedule!r}; allowed: constant, cosine, wsd")
    return peak * warming * (final + (1 - final) * decay)


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
