"""The numbers of an optimiser that a compiled step takes as arguments, and the schedule that reads them.

Rates, decays, betas and the horizon arrive as a dictionary of float32 scalars (`hyperparameters`), so that the next
point of a sweep compiles nothing. Neither Optax nor Flax is imported here: a worker whose programs are kept needs none.
"""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from scaling_laws.config import RunConfig

Hyper = Mapping[str, Any]  # name -> float32 scalar, traced inside the step

# fields of OptimizerConfig
_NUMBERS = "learning_rate weight_decay beta1 beta2 epsilon momentum clip_norm warmup cooldown final_lr".split()  # noqa: SIM905


def hyperparameters(run: RunConfig) -> dict[str, np.float32]:
    """The run's numbers that the compiled step takes as arguments; `horizon` in steps, `clip_norm` inf for never."""
    values = {name: np.float32(getattr(run.optimizer, name)) for name in _NUMBERS}
    values["horizon"] = np.float32(run.train.steps)
    values["z_loss"] = np.float32(run.train.z_loss)
    if run.optimizer.clip_norm == 0:
        values["clip_norm"] = np.float32(np.inf)
    return values


def learning_rate(schedule: str, step: Any, hyper: Hyper, xp: Any = jnp) -> Any:
    """Rate of update number `step` (0 is the first) on a horizon of `hyper["horizon"]` steps.

    Linear warm-up over the first `warmup` share: peak (step + 1) / warm-up steps, so that update 0 is not lost.
    Then constant; or a half cosine that reaches `final_lr` x peak at the horizon (Loshchilov and Hutter 2017, eq. 5,
    one cycle); or constant until the last `cooldown` share, then 1 - sqrt(t) down to `final_lr` x peak
    (Haegele et al. 2024, eq. 2). With `xp=numpy` on the host, where every operation of JAX would be compiled first.
    """
    peak, final, horizon = hyper["learning_rate"], hyper["final_lr"], hyper["horizon"]
    step = xp.asarray(step, xp.float32)
    warm = hyper["warmup"] * horizon
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
