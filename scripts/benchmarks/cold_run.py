"""One run of the timed sweep as a script of its own would do it: nothing kept, the learning rate a Python constant.

    python -m scripts.benchmarks.cold_run WIDTH DEPTH RATE

The same model, data, batches and evaluation as the sweep's; initialisation is compiled, a step is one compiled function
that closes over its optimiser, and the losses are read at the end. That is a careful script, no straw man: what it
lacks is only that nothing is shared with the next point of the sweep.
"""

import math
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling_laws import parametrization
from scaling_laws.config import RunConfig
from scaling_laws.models.build import build
from scaling_laws.sweep import machine
from scaling_laws.tasks import batches, catalog
from scripts.benchmarks import sweep_grid


def held_out_loss(width: int, depth: int, rate: float) -> float:
    """Trains one run and returns its held-out loss in nats per token."""
    run = sweep_grid.single(width, depth, rate)
    context, size = run.task.context, run.train.batch_size
    task = catalog.load(run.task, machine.task_cache_folder())
    rules = parametrization.rules(parametrization.Scheme.of(run), run.model)
    model = build(run.model, task.spec, rules)
    transform = optimizer(run, rate)

    def mean_loss(params, windows_BxL):
        logits: Any = model.apply({"params": params}, windows_BxL[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(logits, windows_BxL[:, 1:]).mean()

    @jax.jit
    def step(params, opt_state, windows_BxL):
        loss, slopes = jax.value_and_grad(mean_loss)(params, windows_BxL)
        updates, opt_state = transform.update(slopes, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, loss

    params: Any = jax.jit(model.init)(jax.random.key(0), jnp.zeros((1, context), jnp.int32))["params"]
    opt_state = jax.jit(transform.init)(params)
    for starts_B in batches.window_starts(task.length("train"), context, 0, 0, run.train.steps, size):
        params, opt_state, _ = step(params, opt_state, windows(task.train["tokens"], starts_B, context))
    evaluate = jax.jit(mean_loss)
    starts = batches.eval_starts(task.length("heldout"), context, run.train.eval_tokens)
    whole = starts[: len(starts) // size * size].reshape(-1, size)
    return float(np.mean([evaluate(params, windows(task.heldout["tokens"], starts_B, context)) for starts_B in whole]))


def optimizer(run: RunConfig, rate: float) -> optax.GradientTransformation:
    """The run's AdamW under its cosine, every number of it a constant."""
    steps, given = run.train.steps, run.optimizer
    warm = max(1, round(given.warmup * steps))
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, warm, steps)
    adam = optax.adamw(schedule, given.beta1, given.beta2, given.epsilon, weight_decay=given.weight_decay)
    return optax.chain(optax.clip_by_global_norm(given.clip_norm), adam)


def windows(tokens: np.ndarray, starts_B: np.ndarray, context: int) -> np.ndarray:
    """(B, context + 1) tokens from each start on."""
    return tokens[starts_B[:, None] + np.arange(context + 1)].astype(np.int32)


def main() -> None:
    """Runs what the command line names and fails where it has learnt nothing."""
    width, depth, rate = sys.argv[1:]
    loss = held_out_loss(int(width), int(depth), float(rate))
    if not loss < math.log(sweep_grid.VOCAB):
        sys.exit(f"held-out loss {loss:.3f}: nothing was learnt")
    print(loss)


if __name__ == "__main__":
    main()
