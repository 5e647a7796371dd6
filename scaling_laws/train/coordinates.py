"""What each layer computes over the first steps of training: the data of a coordinate check (Yang et al. 2022, section
D.1). One device, one step a dispatch, every activation looked at.

Dimension letters: B batch, L context, D width, V vocabulary, T length of a text.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling_laws import hyper, optim, parametrization
from scaling_laws.config import ModelConfig, OptimizerConfig, RunConfig, form, replace
from scaling_laws.models import families
from scaling_laws.models.transformer import ACTIVATIONS
from scaling_laws.parametrization import Forward, Rules, Scheme
from scaling_laws.tasks import batches
from scaling_laws.tasks.task import Task
from scaling_laws.train import state as states

Row = dict[str, Any]
LOGITS = "logits"
AT_PEAK = {"optimizer.schedule": "constant", "optimizer.warmup": 0.0, "optimizer.warmup_steps": 0}


def isolated(rules: Rules, role: str) -> Rules:
    """The same table with the tensors of one role learning alone. Raises ValueError for an unknown role."""
    names = [field.name for field in dataclasses.fields(rules) if field.name != "forward"]
    if role not in names:
        raise ValueError(f"role: {role!r}; allowed: {', '.join(names)}")
    resting = {
        name: dataclasses.replace(getattr(rules, name), learning_rate=0.0, weight_decay=0.0)
        for name in names
        if name != role
    }
    return dataclasses.replace(rules, **resting)


def record(run: RunConfig, task: Task, steps: int, rules: Rules | None = None) -> list[Row]:
    """`{"step", "layer", "scale", "change"}` for steps 0 to `steps` and every layer, in the order of the forward pass.

    `scale` is the root mean square of what the layer computes on a fixed batch of the validation split, `change` that
    of its difference from step 0. Trains at the peak rate throughout, so that the first steps tell; `rules`: another
    table than the run's own.
    """
    run = replace(run, AT_PEAK | {"train.steps": max(2, steps)})
    rules = rules or parametrization.rules(Scheme.of(run), run.model)
    context, train = run.task.context, run.train
    built = _built(run.model, task.vocab_size, context, rules.forward)
    params = built.initial(rules, train.seed)
    by, numbers = jax.tree.map(np.float32, optim.multipliers(rules, params)), hyper.hyperparameters(run)
    kind = form(run).optimizer
    opt_state = optim.optimizer(kind, by, numbers).init(params)
    probe = _windows(task.valid, batches.eval_starts(len(task.valid), context, train.batch_size * context), context)
    starts_KxB = batches.window_starts(len(task.train), context, train.data_seed, 0, steps, train.batch_size)
    first = built.activations(params, probe)
    rows = []
    for step in range(steps + 1):
        seen = jax.device_get(built.sizes(params, probe, first))
        rows += [{"step": step, "layer": layer, **_floats(sizes)} for layer, sizes in seen.items()]
        if step < steps:
            grads = built.gradients(params, _windows(task.train, starts_KxB[step], context))
            params, opt_state = _updated(kind, by, numbers, grads, opt_state, params)
    return sorted(rows, key=lambda row: (row["step"], _place(row["layer"])))


@functools.partial(jax.jit, static_argnums=0)
def _updated(
    kind: OptimizerConfig, by: optim.Multipliers, numbers: Any, grads: Any, opt_state: Any, params: Any
) -> tuple[Any, Any]:
    updates, opt_state = optim.optimizer(kind, by, numbers).update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def _floats(sizes: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in sizes.items()}


def _windows(text_T: np.ndarray, starts_B: np.ndarray, context: int) -> np.ndarray:
    """(B, L + 1): inputs and, one further, their targets."""
    return text_T[starts_B[:, None] + np.arange(context + 1)].astype(np.int32)


def _place(layer: str) -> tuple[int, int, int]:
    """By which layers are sorted: along the forward pass."""
    head, _, rest = layer.partition("/")
    order = {"embedded": 0, "normalised": 2, LOGITS: 3}
    if head in order:
        return order[head], 0, 0
    return 1, int(head.removeprefix("block_")), ("attention_out", "mlp_out", "stream").index(rest)


class _Built:
    """The compiled functions of one shape; they depend on the forward multipliers alone, not on rates or draws."""

    def __init__(self, model: ModelConfig, vocab_size: int, context: int, forward: Forward):
        plain = parametrization.rules(Scheme(), model)
        self.module = families.build(model, vocab_size, context, dataclasses.replace(plain, forward=forward))
        tokens_BxL = jax.ShapeDtypeStruct((1, context), jnp.int32)
        self.template: Any = jax.eval_shape(self.module.init, jax.random.key(0), tokens_BxL)["params"]
        self.gradients = jax.jit(jax.grad(self._loss))
        self.activations = jax.jit(self._activations)
        self.sizes = jax.jit(self._sizes)

    def initial(self, rules: Rules, seed: int) -> Any:
        """Fresh parameters, those of the training loop."""
        named = states.named({"params": self.template})
        return states.tree({"params": self.template}, states.initial(named, rules, seed))["params"]

    def _loss(self, params: Any, windows: Any) -> Any:
        losses_BxL: Any = self.module.apply({"params": params}, windows[:, :-1], windows[:, 1:])
        return losses_BxL.mean()

    def _activations(self, params: Any, windows: Any) -> dict[str, Any]:
        logits, seen = self.module.apply({"params": params}, windows[:, :-1], mutable=[ACTIVATIONS])
        found = {name.removesuffix("/0"): value for name, value in states.named(seen[ACTIVATIONS]).items()}
        layers = {LOGITS: logits}
        for name, value in found.items():
            group, _, rest = name.partition("/")
            if group == "blocks":  # scanned: the layers lie along the first axis
                layers |= {f"block_{index}/{rest}": layer for index, layer in enumerate(value)}
            else:
                layers[name] = value
        return layers

    def _sizes(self, params: Any, windows: Any, first: dict[str, Any]) -> dict[str, Any]:
        def root_mean_square(x: Any) -> Any:
            return jnp.sqrt(jnp.square(x.astype(jnp.float32)).mean())

        now = self._activations(params, windows)
        return {
            name: {"scale": root_mean_square(value), "change": root_mean_square(value - first[name])}
            for name, value in now.items()
        }


@functools.lru_cache(maxsize=32)
def _built(model: ModelConfig, vocab_size: int, context: int, forward: Forward) -> _Built:
    return _Built(model, vocab_size, context, forward)
