"""What each layer computes over the first steps of training: the data of a coordinate check (Yang et al. 2022, section
D.1). One device, one step a dispatch, every activation looked at, no augmentation.

Dimension letters: B batch, K steps.
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
from scaling_laws.models.build import build
from scaling_laws.models.layers import ACTIVATIONS
from scaling_laws.models.loss import example_losses
from scaling_laws.parametrization import Forward, Rules, Scheme
from scaling_laws.spec import Spec
from scaling_laws.tasks import order
from scaling_laws.tasks.task import Task
from scaling_laws.train import state as states
from scaling_laws.train.reading import Data, blank, read

Row = dict[str, Any]
LOGITS = "logits"
PARTS = ("attention_out", "convolution_out", "mlp_out", "stream")  # of a block, along the forward pass
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
    train = run.train
    built = _built(run.model, task.spec, rules.forward)
    params = built.initial(rules, train.seed)
    by, numbers = jax.tree.map(np.float32, optim.multipliers(rules, params)), hyper.hyperparameters(run)
    kind = form(run).optimizer
    opt_state = optim.optimizer(kind, by, numbers).init(params)
    probe = order.taken(task, "valid", order.evaluated(task, "valid", train.batch_size * task.spec.targets))
    data, starts_KxB = order.taken(task, "train", order.places(task, train.data_seed, 0, steps, train.batch_size))
    data = jax.device_put(data)
    first = built.activations(params, *probe)
    rows = []
    for step in range(steps + 1):
        seen = jax.device_get(built.sizes(params, *probe, first))
        rows += [{"step": step, "layer": layer, **_floats(sizes)} for layer, sizes in seen.items()]
        if step < steps:
            grads = built.gradients(params, data, starts_KxB[step], train.data_seed)
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


def _place(layer: str) -> tuple[int, int, int]:
    """By which layers are sorted: along the forward pass, parts of a block that run beside each other as they come."""
    head, _, rest = layer.partition("/")
    order = {"embedded": 0, "normalised": 2, LOGITS: 3}
    if head in order:
        return order[head], 0, 0
    return 1, int(head.removeprefix("block_")), PARTS.index(rest.rpartition("/")[2])


class _Built:
    """The compiled functions of one shape; they depend on the forward multipliers alone, not on rates or draws."""

    def __init__(self, model: ModelConfig, spec: Spec, forward: Forward):
        plain = parametrization.rules(Scheme(), model)
        self.spec, self.module = spec, build(model, spec, dataclasses.replace(plain, forward=forward))
        self.template: Any = jax.eval_shape(self.module.init, jax.random.key(0), blank(spec))["params"]
        self.gradients = jax.jit(jax.grad(self._loss))
        self.activations = jax.jit(self._activations)
        self.sizes = jax.jit(self._sizes)

    def initial(self, rules: Rules, seed: int) -> Any:
        """Fresh parameters, those of the training loop."""
        named = states.named({"params": self.template})
        return states.tree({"params": self.template}, states.initial(named, rules, seed))["params"]

    def _loss(self, params: Any, data: Data, starts_B: Any, data_seed: Any) -> Any:
        inputs, targets = read(self.spec, data, starts_B, data_seed)
        if self.spec.targets > 1:
            losses: Any = self.module.apply({"params": params}, inputs, targets)
        else:
            losses = example_losses(self.spec, self.module.apply({"params": params}, inputs), targets)
        return losses.mean()

    def _activations(self, params: Any, data: Data, starts_B: Any) -> dict[str, Any]:
        inputs, _ = read(self.spec, data, starts_B)
        logits, seen = self.module.apply({"params": params}, inputs, mutable=[ACTIVATIONS])
        found = {name.removesuffix("/0"): value for name, value in states.named(seen[ACTIVATIONS]).items()}
        layers = {LOGITS: logits}
        for name, value in found.items():
            group, _, rest = name.partition("/")
            if group == "blocks":  # scanned: the layers lie along the first axis
                layers |= {f"block_{index}/{rest}": layer for index, layer in enumerate(value)}
            else:
                layers[name] = value
        return layers

    def _sizes(self, params: Any, data: Data, starts_B: Any, first: dict[str, Any]) -> dict[str, Any]:
        def root_mean_square(x: Any) -> Any:
            return jnp.sqrt(jnp.square(x.astype(jnp.float32)).mean())

        now = self._activations(params, data, starts_B)
        return {
            name: {"scale": root_mean_square(value), "change": root_mean_square(value - first[name])}
            for name, value in now.items()
        }


@functools.lru_cache(maxsize=32)
def _built(model: ModelConfig, spec: Spec, forward: Forward) -> _Built:
    return _Built(model, spec, forward)
