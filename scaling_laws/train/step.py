"""The training step of one shape, as pure functions: a batch's losses, and several optimiser steps a dispatch.

What changes a program's form (model, vocabulary, context, batch, kind of optimiser) makes its `Shape`; everything else
is an argument. Dimension letters: B batch, L context, V vocabulary, K steps a dispatch, T length of a text.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling_laws import optim, parametrization
from scaling_laws.config import ModelConfig, OptimizerConfig, RunConfig
from scaling_laws.models import families
from scaling_laws.train import parts

State = dict[str, Any]  # params, opt_state


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a compiled program depends on."""

    model: ModelConfig
    parametrization: str
    vocab_size: int
    context: int
    batch_size: int
    parts: int  # of a batch, worked through one after the other
    steps_per_dispatch: int
    optimizer: str
    schedule: str
    nesterov: bool

    @classmethod
    def of(cls, run: RunConfig, vocab_size: int) -> "Shape":
        """The shape of a run on a task with `vocab_size` tokens."""
        return cls(
            model=run.model,
            parametrization=run.train.parametrization,
            vocab_size=vocab_size,
            context=run.task.context,
            batch_size=run.train.batch_size,
            parts=parts.of(run, vocab_size),
            steps_per_dispatch=run.train.steps_per_dispatch,
            optimizer=run.optimizer.name,
            schedule=run.optimizer.schedule,
            nesterov=run.optimizer.nesterov,
        )


def draw(shapes: Any, rules: parametrization.Rules, seed: int) -> Any:
    """Parameters (NumPy, float32) for a tree of shapes: normal with each tensor's mean and deviation by its rule.

    A tensor's stream is seeded by (seed, its path), so that no tensor's values depend on which others exist.
    """

    def one(path: Any, shape: Any) -> np.ndarray:
        names = optim.tensor_names(path)
        rule = rules.for_path(names)
        fan_in = shape.shape[-2] if len(shape.shape) > 1 else 1
        std = rule.std(fan_in)
        if std == 0:
            return np.full(shape.shape, rule.mean, np.float32)
        stream = np.random.Generator(np.random.PCG64([seed, *"/".join(names).encode()]))
        return (rule.mean + std * stream.standard_normal(shape.shape)).astype(np.float32)

    return jax.tree_util.tree_map_with_path(one, shapes)


class Step:
    """The functions of one shape. With `axis`, gradients and losses are averaged over that mapped axis."""

    def __init__(self, shape: Shape, axis: str | None = None):
        self.shape, self.axis = shape, axis
        self.rules = parametrization.rules(shape.parametrization, shape.model)
        self.module = families.build(shape.model, shape.vocab_size, shape.context, self.rules)
        self.kind = OptimizerConfig(name=shape.optimizer, schedule=shape.schedule, nesterov=shape.nesterov)

    def initial_state(self, seed: int) -> State:
        """Fresh parameters and optimiser state (NumPy). Drawn on the host from `seed` and each tensor's name, so that
        initialising compiles nothing and is the same on every backend and jax version."""
        state = self.abstract_state()
        zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), state["opt_state"])
        return {"params": draw(state["params"], self.rules, seed), "opt_state": zeros}

    def abstract_state(self) -> State:
        """Shapes and dtypes of a state."""
        tokens_BxL = jax.ShapeDtypeStruct((1, self.shape.context), jnp.int32)
        params: Any = jax.eval_shape(self.module.init, jax.random.key(0), tokens_BxL)["params"]
        transform = optim.optimizer(self.kind, self.rules, optim.hyperparameters(RunConfig()))
        return {"params": params, "opt_state": jax.eval_shape(transform.init, params)}

    def losses_B(self, params: Any, text_T: jax.Array, starts_B: jax.Array) -> jax.Array:
        """Mean cross-entropy of each window in nats per token, float32."""
        if self.shape.parts == 1:
            return self._windows_losses(params, text_T, starts_B)
        found = jax.lax.map(lambda part: self._windows_losses(params, text_T, part), self._in_parts(starts_B))
        return found.T.reshape(-1)

    def advance(
        self, state: State, hyper: Any, text_T: jax.Array, starts_KxB: jax.Array, count: jax.Array, alive: jax.Array
    ) -> tuple[State, jax.Array]:
        """`count` <= K optimiser steps; the parameters rest unless `alive`. Returns the state and the K training
        losses (zeros beyond `count`)."""
        transform = optim.optimizer(self.kind, self.rules, hyper)

        def body(k: jax.Array, carry: Any) -> Any:
            params, opt_state, losses_K = carry
            loss, grads = self._loss_and_gradients(params, text_T, starts_KxB[k])
            updates, opt_state = transform.update(grads, opt_state, params)
            updates = jax.tree.map(lambda update: jnp.where(alive, update, 0), updates)
            return optax.apply_updates(params, updates), opt_state, losses_K.at[k].set(loss)

        losses_K = jnp.zeros(self.shape.steps_per_dispatch, jnp.float32)
        carry = (state["params"], state["opt_state"], losses_K)
        params, opt_state, losses_K = jax.lax.fori_loop(0, count, body, carry)
        return {"params": params, "opt_state": opt_state}, losses_K

    def _windows_losses(self, params: Any, text_T: jax.Array, starts_B: jax.Array) -> jax.Array:
        offsets = jnp.arange(self.shape.context + 1)
        windows = text_T[starts_B[:, None] + offsets].astype(jnp.int32)
        logits_BxLxV: Any = self.module.apply({"params": params}, windows[:, :-1])
        losses_BxL = optax.softmax_cross_entropy_with_integer_labels(logits_BxLxV, windows[:, 1:])
        return losses_BxL.mean(axis=1)

    def _in_parts(self, starts_B: jax.Array) -> jax.Array:
        """(parts, B / parts); every part takes from everywhere, so that a batch split over devices stays split."""
        return starts_B.reshape(-1, self.shape.parts).T

    def _loss_and_gradients(self, params: Any, text_T: jax.Array, starts_B: jax.Array) -> tuple[jax.Array, Any]:
        """The batch's mean loss and its gradients: the mean over parts of equal size, and over devices."""

        def mean_loss(params: Any, starts: jax.Array) -> jax.Array:
            return self._windows_losses(params, text_T, starts).mean()

        def add(total: Any, starts: jax.Array) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, jax.value_and_grad(mean_loss)(params, starts)), None

        n_parts = self.shape.parts
        if n_parts == 1:
            found = jax.value_and_grad(mean_loss)(params, starts_B)
        else:
            nothing = (jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, params))
            total, _ = jax.lax.scan(add, nothing, self._in_parts(starts_B))
            found = jax.tree.map(lambda leaf: leaf / n_parts, total)
        return found if self.axis is None else jax.lax.pmean(found, self.axis)
