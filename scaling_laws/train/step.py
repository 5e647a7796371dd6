"""The compiled programs of one shape: several optimiser steps a dispatch, and the loss of a batch of windows.

A program is keyed by what changes its shape (model, vocabulary, context, batch, kind of optimiser); everything else
is an argument. Dimension letters: B batch, L context, V vocabulary, K steps a dispatch, T length of a split.
"""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from scaling_laws import optim, parametrization
from scaling_laws.config import ModelConfig, OptimizerConfig, RunConfig
from scaling_laws.models import families, traced

State = dict[str, Any]  # params, opt_state


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a compiled program depends on."""

    model: ModelConfig
    parametrization: str
    vocab_size: int
    context: int
    batch_size: int
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


class Programs:
    """The compiled programs of one shape."""

    def __init__(self, shape: Shape, train_tokens: int, eval_tokens: int, dtype: str):
        """Compile for a train split and an evaluation text of so many tokens, of NumPy type `dtype`."""
        self.shape = shape
        self.rules = parametrization.rules(shape.parametrization, shape.model)
        self.module = families.build(shape.model, shape.vocab_size, shape.context, self.rules)
        self.kind = OptimizerConfig(name=shape.optimizer, schedule=shape.schedule, nesterov=shape.nesterov)
        state, hyper = self._abstract_state(), optim.hyperparameters(RunConfig())
        starts_KxB = jax.ShapeDtypeStruct((shape.steps_per_dispatch, shape.batch_size), jnp.int32)
        starts_B = jax.ShapeDtypeStruct((shape.batch_size,), jnp.int32)
        train_T, eval_T = (jax.ShapeDtypeStruct((length,), dtype) for length in (train_tokens, eval_tokens))
        count = jax.ShapeDtypeStruct((), jnp.int32)
        advance, losses = jax.jit(self._advance, donate_argnums=0), jax.jit(self._losses_B)
        self.advance = advance.lower(state, hyper, train_T, starts_KxB, count).compile()
        self.losses_B = losses.lower(state["params"], eval_T, starts_B).compile()
        self.xla_flops_per_step = traced.xla_flops(self.advance)  # the loop's body, hence one step, counts once

    def initial_state(self, seed: int) -> State:
        """Fresh parameters and optimiser state. Drawn on the host from `seed` and each tensor's name, so that
        initialising compiles nothing and is the same on every backend and jax version."""
        params = draw(self._abstract_params(), self.rules, seed)
        hyper = optim.hyperparameters(RunConfig())
        opt_state = jax.tree.map(
            lambda leaf: np.zeros(leaf.shape, leaf.dtype),
            jax.eval_shape(optim.optimizer(self.kind, self.rules, hyper).init, params),
        )
        return {"params": params, "opt_state": opt_state}

    def _abstract_params(self) -> Any:
        tokens_BxL = jax.ShapeDtypeStruct((1, self.shape.context), jnp.int32)
        return jax.eval_shape(self.module.init, jax.random.key(0), tokens_BxL)["params"]

    def _abstract_state(self) -> State:
        params = self._abstract_params()
        opt_state = jax.eval_shape(
            optim.optimizer(self.kind, self.rules, optim.hyperparameters(RunConfig())).init, params
        )
        return {"params": params, "opt_state": opt_state}

    def _losses_B(self, params: Any, corpus_T: jax.Array, starts_B: jax.Array) -> jax.Array:
        """Mean cross-entropy of each window in nats per token, float32."""
        offsets = jnp.arange(self.shape.context + 1)
        windows = corpus_T[starts_B[:, None] + offsets].astype(jnp.int32)
        logits_BxLxV: Any = self.module.apply({"params": params}, windows[:, :-1])
        losses_BxL = optax.softmax_cross_entropy_with_integer_labels(logits_BxLxV, windows[:, 1:])
        return losses_BxL.mean(axis=1)

    def _advance(self, state: State, hyper: Any, corpus_T: jax.Array, starts_KxB: jax.Array, count: jax.Array) -> Any:
        """`count` <= K optimiser steps. Returns the state and the K training losses (zeros beyond `count`)."""
        transform = optim.optimizer(self.kind, self.rules, hyper)

        def body(k: jax.Array, carry: Any) -> Any:
            params, opt_state, losses_K = carry
            loss, grads = jax.value_and_grad(lambda p: self._losses_B(p, corpus_T, starts_KxB[k]).mean())(params)
            updates, opt_state = transform.update(grads, opt_state, params)
            return optax.apply_updates(params, updates), opt_state, losses_K.at[k].set(loss)

        losses_K = jnp.zeros(self.shape.steps_per_dispatch, jnp.float32)
        carry = (state["params"], state["opt_state"], losses_K)
        params, opt_state, losses_K = jax.lax.fori_loop(0, count, body, carry)
        return {"params": params, "opt_state": opt_state}, losses_K


@functools.cache
def programs(shape: Shape, train_tokens: int, eval_tokens: int, dtype: str) -> Programs:
    """The programs of a shape; a second call in this process costs nothing."""
    return Programs(shape, train_tokens, eval_tokens, dtype)
