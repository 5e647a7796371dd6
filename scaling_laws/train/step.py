"""The training step of one shape, as pure functions: a batch's losses, and several optimiser steps a dispatch.

A batch is the places of its examples, or `reading.Brought`. Dimension letters: B batch, O outputs, K steps a dispatch.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import optax

from scaling_laws import families, hyper, optim, parametrization
from scaling_laws.config import OptimizerConfig, RunConfig
from scaling_laws.memory import JOINED
from scaling_laws.models.build import build
from scaling_laws.models.layers import WATCHED
from scaling_laws.train import flat, resting, stability, zeros
from scaling_laws.train.objective import Objective
from scaling_laws.train.reading import Data, blank, read
from scaling_laws.train.shape import Shape

NOTHING: Mapping[str, Any] = MappingProxyType({})
Tree = dict[str, Any]  # params, opt_state, and average where one is kept


class Step:
    """The functions of one shape.

    With `axis`, gradients and losses are averaged over that mapped axis. With `sharded`, every tensor keeps to itself.
    """

    def __init__(self, shape: Shape, axis: str | None = None, sharded: bool = False):
        self.shape, self.axis, self.sharded = shape, axis, sharded
        self.rules = parametrization.rules(shape.scheme, shape.model)
        self.module = build(shape.model, shape.spec, self.rules)
        self.objective = Objective(shape, self.module, self.rules)
        self.n_blocks = families.of(shape.model).blocks(shape.model)
        self.kind = OptimizerConfig(
            name=shape.scheme.optimizer,
            schedule=shape.schedule,
            nesterov=shape.nesterov,
            independent_decay=shape.scheme.independent_decay,
        )

    def abstract_state(self) -> Tree:
        """Shapes and dtypes of a state."""
        params: Any = jax.eval_shape(self.module.init, jax.random.key(0), blank(self.shape.spec))["params"]
        _, learning = resting.split(self.shape.frozen, params)
        transform = self._optimizer(learning, flat.Tensors(), hyper.hyperparameters(RunConfig()))
        state = {"params": params, "opt_state": jax.eval_shape(transform.init, learning)}
        return state | ({"average": params} if self.averages else {})

    @property
    def averages(self) -> bool:
        """Whether the state holds an average of the parameters beside them."""
        return self.shape.average != "none"

    def losses_B(self, params: Any, numbers: Any, data: Data, starts_B: Any) -> jax.Array:
        """Loss of each example, of each window of a text the mean in nats per token, float32; of a stream examples by
        the seed in `numbers` (`hyper`)."""
        return self.evaluate_B(params, numbers, data, starts_B)[0]

    def evaluate_B(self, params: Any, numbers: Any, data: Data, starts_B: Any) -> tuple[jax.Array, Tree]:
        """`losses_B`, and what else is seen of the batch.

        Signs of instability, both of a sample of it: `attention_logit`, the largest of each block (depth,), none where
        a model has no attention, and `logit_mean` () of the output. Where an example has one target also `outputs`
        (B, O), of which scores are made.
        """

        def part(starts: Any) -> Any:
            examples = read(self.shape.spec, data, starts, numbers["data_seed"])
            seen = self.objective.evaluated(params, numbers, data, examples, starts)
            return seen.losses_B, self._signs(seen.sown[WATCHED]), seen.outputs

        if self.shape.parts == 1:
            losses_B, signs, outputs = part(starts_B)
        else:
            losses, signs, outputs = jax.lax.map(part, self._in_parts(starts_B))
            losses_B = losses.T.reshape(-1)
            signs = {"attention_logit": signs["attention_logit"].max(axis=0), "logit_mean": signs["logit_mean"].mean()}
            outputs = jax.tree.map(lambda each: each.swapaxes(0, 1).reshape(-1, each.shape[-1]), outputs)
        return losses_B, signs | ({} if outputs is None else {"outputs": outputs})

    def _signs(self, watched: Tree) -> Tree:
        return {
            "attention_logit": stability.attention_logits(watched, self.n_blocks),
            "logit_mean": watched["logit_mean"][0],
        }

    def advance(
        self, state: Tree, numbers: Any, data: Data, starts_KxB: Any, count: jax.Array, alive: jax.Array
    ) -> tuple[Tree, jax.Array, jax.Array, jax.Array]:
        """`count` <= K optimiser steps; the parameters rest unless `alive`, and the frozen ones always: the optimiser
        never sees them.

        Returns the state, the K training losses and the K norms of the gradient before clipping (zeros beyond
        `count`), and (2, G) of the last step: what `stability.gradients_and_updates` sees in it.
        """
        frozen, opt_state, prunes = self.shape.frozen, state["opt_state"], self.shape.techniques.prune.sparsity > 0
        still, params = resting.split(frozen, state["params"])
        form = self._form(params)
        transform = self._optimizer(params, form, numbers)
        by_layer = form.split if stability.STACKED in params else form.parts

        def body(k: jax.Array, carry: Any) -> Any:
            joined, opt_state, average, losses_K, norms_K, _ = carry
            params = form.split(joined)
            step = optim.steps_done(opt_state)
            batch = jax.tree.map(lambda each_KxB: each_KxB[k], starts_KxB)
            loss, tensors = self._loss_and_gradients(params, numbers, data, batch, step, still)
            grads = zeros.without(form.join(tensors), joined) if prunes else form.join(tensors)
            updates, opt_state = transform.update(grads, opt_state, joined)
            updates = jax.tree.map(lambda update: jnp.where(alive, update, 0), updates)
            losses_K, norms_K = losses_K.at[k].set(loss), norms_K.at[k].set(optax.tree.norm(grads))
            # at every step: under a condition gradients and updates would have to be kept, half as much memory again
            trees = by_layer(grads), by_layer(updates), by_layer(joined)
            layers_2xG = stability.gradients_and_updates(*trees, self.n_blocks)
            after = optax.apply_updates(joined, updates)
            joined = zeros.kept(after, joined) if prunes else after
            average = self._averaged(average, joined, opt_state, numbers)
            return joined, opt_state, average, losses_K, norms_K, layers_2xG

        nothing_K = jnp.zeros(self.shape.steps_per_dispatch, jnp.float32)
        nothing_2xG = jnp.zeros((2, len(stability.layer_names(self.n_blocks))), jnp.float32)
        average = form.join(resting.split(frozen, state["average"])[1]) if self.averages else ()
        joined_opt_state = flat.within(form.join, opt_state, opt_state)
        carry = (form.join(params), joined_opt_state, average, nothing_K, nothing_K, nothing_2xG)
        joined, joined_opt_state, average, *seen = jax.lax.fori_loop(0, count, body, carry)
        opt_state = flat.within(form.split, opt_state, joined_opt_state)
        after = {"params": still | form.split(joined), "opt_state": opt_state}
        after |= {"average": still | form.split(average)} if self.averages else {}
        return after, *seen

    def _averaged(self, average: Any, params: Any, opt_state: Any, numbers: Any) -> Any:
        """The average with the new parameters in it; nothing where none is kept."""
        if not self.averages:
            return average
        weight = hyper.average_weight(self.shape.average, optim.steps_done(opt_state), numbers)
        return jax.tree.map(lambda mean, param: mean + weight * (param - mean), average, params)

    def _form(self, params: Any) -> flat.Tensors:
        size = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(params))
        return flat.Tensors() if self.sharded or size > JOINED else flat.Vector(params)

    def _optimizer(self, params: Any, form: flat.Tensors, numbers: Any) -> optax.GradientTransformation:
        by = optim.multipliers(self.rules, params)
        return optim.optimizer(self.kind, optim.Multipliers(*map(form.share, by)), numbers)

    def _in_parts(self, starts_B: Any) -> Any:
        """(parts, B / parts); every part takes from everywhere, so that a batch split over devices stays split."""
        return jax.tree.map(lambda each: each.reshape(-1, self.shape.parts, *each.shape[1:]).swapaxes(0, 1), starts_B)

    def _loss_and_gradients(
        self,
        params: Any,
        numbers: Any,
        data: Data,
        starts_B: Any,
        step: Any = 0,
        still: Mapping[str, Any] = NOTHING,
    ) -> tuple[jax.Array, Any]:
        """The batch's mean loss and the objective's gradients: means over parts of equal size, and over devices.

        `step` optimiser steps have been taken before. Gradients of `params` alone; beside them those that are `still`,
        so that no product for these is in the backward pass.
        """

        def objective(params: Any, *about: Any) -> Any:
            return self.objective({**still, **params}, *about)

        def part(starts: Any) -> Any:
            (_, loss), grads = jax.value_and_grad(objective, has_aux=True)(params, numbers, data, starts, step)
            return loss, grads

        def add(total: Any, starts: Any) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, part(starts)), None

        n_parts = self.shape.parts
        if n_parts == 1:
            found = part(starts_B)
        else:
            nothing = (jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, params))
            total, _ = jax.lax.scan(add, nothing, self._in_parts(starts_B))
            found = jax.tree.map(lambda leaf: leaf / n_parts, total)
        return found if self.axis is None else jax.lax.pmean(found, self.axis)
