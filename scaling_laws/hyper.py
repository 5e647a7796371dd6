"""The numbers that a compiled step takes as arguments, and the schedule that reads them.

Rates, decays, betas, the horizon and the seed of the data arrive as a dictionary of scalars (`hyperparameters`), so
that the next point of a sweep compiles nothing. Neither Optax nor Flax is imported here: a worker whose programs are
kept needs none.
"""

import math
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from scaling_laws.config import RunConfig
from scaling_laws.techniques import catalog, pruning

Hyper = Mapping[str, Any]  # name -> float32 scalar, the seed int32, traced inside the step

_NUMBERS = (  # of OptimizerConfig
    *("learning_rate", "weight_decay", "beta1", "beta2", "epsilon", "momentum", "clip_norm"),
    *("warmup", "warmup_steps", "cooldown", "final_lr"),
)


def hyperparameters(run: RunConfig) -> dict[str, np.generic]:
    """The run's numbers that the compiled step takes as arguments; `horizon` in steps, `clip_norm` inf for never.

    The window of `average_weight` is the updates `average_first`, `average_first` + `average_every`, ..., `horizon`.
    """
    values: dict[str, np.generic] = {name: np.float32(getattr(run.optimizer, name)) for name in _NUMBERS}
    values["horizon"] = np.float32(pruning.horizon(run.prune, run.train.steps))
    values["z_loss"] = np.float32(run.train.z_loss)
    values["balance"] = np.float32(run.model.balance)
    values["auxiliary_weight"] = np.float32(run.train.auxiliary_weight)
    values |= {path: np.float32(value) for path, value in catalog.arguments(run).items()}
    values["data_seed"] = np.int32(run.train.data_seed)
    if run.optimizer.clip_norm == 0:
        values["clip_norm"] = np.float32(np.inf)
    train = run.train
    width = max(1, math.floor(train.average_window * train.steps))
    first = train.steps - (width - 1) // train.average_every * train.average_every
    averaging = {"ema_decay": train.ema_decay, "average_first": first, "average_every": train.average_every}
    return values | {name: np.float32(value) for name, value in averaging.items()}


def learning_rate(schedule: str, step: Any, hyper: Hyper, xp: Any = jnp) -> Any:
    """Rate of update number `step` (0 is the first) on a horizon of `hyper["horizon"]` steps.

    Linear warm-up over the first `warmup_steps`, or over the first `warmup` share where those are 0: peak (step + 1) /
    warm-up steps, so that update 0 is not lost.
    Then constant; or a half cosine that reaches `final_lr` x peak at the horizon (Loshchilov and Hutter 2017, eq. 5,
    one cycle); or constant until the last `cooldown` share, then 1 - sqrt(t) down to `final_lr` x peak
    (Haegele et al. 2024, eq. 2). With `xp=numpy` on the host, where every operation of JAX would be compiled first.
    """
    peak, final, horizon = hyper["learning_rate"], hyper["final_lr"], hyper["horizon"]
    step = xp.asarray(step, xp.float32)
    warm = xp.where(hyper["warmup_steps"] > 0, hyper["warmup_steps"], hyper["warmup"] * horizon)
    warming = xp.minimum(1.0, (step + 1) / xp.maximum(warm, 1.0))
    if schedule == "constant":
        decay = xp.ones_like(step)
    elif schedule == "cosine":
        progress = xp.clip((step - warm) / xp.maximum(horizon - warm, 1.0), 0.0, 1.0)
        decay = 0.5 * (1 + xp.cos(xp.pi * progress))
    elif schedule == "wsd":
        cool = xp.maximum(hyper["cooldown"] * horizon, 1.0)
        progress = xp.clip((step - (horizon - cool)) / cool, 0.0, 1.0)
        decay = 1 - xp.sqrt(progress)
    else:
        raise ValueError(f"schedule: {schedule!r}; allowed: constant, cosine, wsd")
    return peak * warming * (final + (1 - final) * decay)


def average_weight(average: str, step: Any, hyper: Hyper) -> Any:
    """Weight w of the parameters after update number `step` (1 is the first) in their average, A + w (parameters - A).

    `ema`: (1 - decay) / (1 - decay^step), the exponential average without its bias to the start (Kingma and Ba 2015,
    section 3). `window`: 1 / n for the n-th step of the window, 0 outside: the plain mean (Kaddour 2022).
    """
    step = jnp.asarray(step, jnp.float32)
    if average == "ema":
        decay = hyper["ema_decay"]
        return (1 - decay) / (1 - decay**step)
    if average == "window":
        since = step - hyper["average_first"]
        counts = (since >= 0) & (jnp.mod(since, hyper["average_every"]) == 0)
        return jnp.where(counts, 1 / (jnp.maximum(since, 0) / hyper["average_every"] + 1), 0.0)
    raise ValueError(f"average: {average!r}; allowed: ema, window")
