"""The training step of one shape, as pure functions: a batch's losses, and several optimiser steps a dispatch.

Dimension letters: B batch, L context, V vocabulary, K steps a dispatch, T length of a text.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from scaling_laws import hyper, optim, parametrization
from scaling_laws.config import OptimizerConfig, RunConfig
from scaling_laws.memory import JOINED
from scaling_laws.models import families
from scaling_laws.models.layers import WATCHED
from scaling_laws.train import flat, stability
from scaling_laws.train.shape import Shape

Tree = dict[str, Any]  # params, opt_state, and average where one is kept


class Step:
    """The functions of one shape.

    With `axis`, gradients and losses are averaged over that mapped axis. With `sharded`, every tensor keeps to itself.
    """

    def __init__(self, shape: Shape, axis: str | None = None, sharded: bool = False):
        self.shape, self.axis, self.sharded = shape, axis, sharded
        self.rules = parametrization.rules(shape.scheme, shape.model)
        self.module = families.build(shape.model, shape.vocab_size, shape.context, self.rules)
        self.kind = OptimizerConfig(
            name=shape.scheme.optimizer,
            schedule=shape.schedule,
            nesterov=shape.nesterov,
            independent_decay=shape.scheme.independent_decay,
        )

    def abstract_state(self) -> Tree:
        """Shapes and dtypes of a state."""
        tokens_BxL = jax.ShapeDtypeStruct((1, self.shape.context), jnp.int32)
        params: Any = jax.eval_shape(self.module.init, jax.random.key(0), tokens_BxL)["params"]
        transform = self._optimizer(params, flat.Tensors(), hyper.hyperparameters(RunConfig()))
        state = {"params": params, "opt_state": jax.eval_shape(transform.init, params)}
        return state | ({"average": params} if self.averages else {})

    @property
    def averages(self) -> bool:
        """Whether the state holds an average of the parameters beside them."""
        return self.shape.average != "none"

    def losses_B(self, params: Any, text_T: jax.Array, starts_B: jax.Array) -> jax.Array:
        """Mean cross-entropy of each window in nats per token, float32."""
        return self.evaluate_B(params, text_T, starts_B)[0]

    def evaluate_B(self, params: Any, text_T: jax.Array, starts_B: jax.Array) -> tuple[jax.Array, Tree]:
        """Mean cross-entropy of each window in nats per token, float32, and signs of instability: `attention_logit`,
        the largest of each block (depth,), and `logit_mean` () of the output; both of a sample of the windows."""

        def part(starts: jax.Array) -> Any:
            losses_BxL, seen = self._apply(params, text_T, starts, mutable=[WATCHED])
            return losses_BxL.mean(axis=1), self._signs(seen[WATCHED])

        if self.shape.parts == 1:
            return part(starts_B)
        found, signs = jax.lax.map(part, self._in_parts(starts_B))
        signs = {"attention_logit": signs["attention_logit"].max(axis=0), "logit_mean": signs["logit_mean"].mean()}
        return found.T.reshape(-1), signs

    def _signs(self, watched: Tree) -> Tree:
        if "blocks" in watched:
            (logits,) = watched["blocks"]["attention"]["attention_logit"]
        else:
            blocks = [watched[f"block_{index}"] for index in range(self.shape.model.depth)]
            logits = jnp.stack([block["attention"]["attention_logit"][0] for block in blocks])
        return {"attention_logit": logits, "logit_mean": watched["logit_mean"][0]}

    def advance(
        self, state: Tree, numbers: Any, text_T: jax.Array, starts_KxB: jax.Array, count: jax.Array, alive: jax.Array
    ) -> tuple[Tree, jax.Array, jax.Array, jax.Array]:
        """`count` <= K optimiser steps; the parameters rest unless `alive`.

        Returns the state, the K training losses and the K norms of the gradient before clipping (zeros beyond
        `count`), and (2, G) of the last step: what `stability.gradients_and_updates` sees in it.
        """
        params, opt_state = state["params"], state["opt_state"]
        form = self._form(params)
        transform = self._optimizer(params, form, numbers)
        by_layer = form.split if stability.STACKED in params else form.parts

        def body(k: jax.Array, carry: Any) -> Any:
            joined, opt_state, average, losses_K, norms_K, _ = carry
            params = form.split(joined)
            loss, tensors = self._loss_and_gradients(params, numbers, text_T, starts_KxB[k])
            grads = form.join(tensors)
            updates, opt_state = transform.update(grads, opt_state, joined)
            updates = jax.tree.map(lambda update: jnp.where(alive, update, 0), updates)
            losses_K, norms_K = losses_K.at[k].set(loss), norms_K.at[k].set(optax.tree.norm(grads))
            # at every step: under a condition gradients and updates would have to be kept, half as much memory again
            layers_2xG = stability.gradients_and_updates(by_layer(grads), by_layer(updates), by_layer(joined))
            joined = optax.apply_updates(joined, updates)
            average = self._averaged(average, joined, opt_state, numbers)
            return joined, opt_state, average, losses_K, norms_K, layers_2xG

        nothing_K = jnp.zeros(self.shape.steps_per_dispatch, jnp.float32)
        nothing_2xG = jnp.zeros((2, len(stability.layer_names(self.shape.model.depth))), jnp.float32)
        average = form.join(state["average"]) if self.averages else ()
        joined_opt_state = flat.within(form.join, opt_state, opt_state)
        carry = (form.join(params), joined_opt_state, average, nothing_K, nothing_K, nothing_2xG)
        joined, joined_opt_state, average, *seen = jax.lax.fori_loop(0, count, body, carry)
        after = {"params": form.split(joined), "opt_state": flat.within(form.split, opt_state, joined_opt_state)}
        after |= {"average": form.split(average)} if self.averages else {}
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

    def _windows_losses(self, params: Any, text_T: jax.Array, starts_B: jax.Array) -> jax.Array:
        return self._apply(params, text_T, starts_B).mean(axis=1)

    def _apply(
        self, params: Any, text_T: jax.Array, starts_B: jax.Array, with_log_z: bool = False, **options: Any
    ) -> Any:
        """Losses (B, L) of windows, and with `with_log_z` ln Z (B, L); `options` are Flax's."""
        offsets = jnp.arange(self.shape.context + 1)
        windows = text_T[starts_B[:, None] + offsets].astype(jnp.int32)
        inputs, targets = windows[:, :-1], windows[:, 1:]
        return self.module.apply({"params": params}, inputs, targets, self.shape.loss_chunks, with_log_z, **options)

    def _objective(self, params: Any, numbers: Any, text_T: jax.Array, starts_B: jax.Array) -> tuple[Any, Any]:
        """What is minimised, and the mean loss: they differ by the z-loss (Chowdhery et al. 2022, section 5)."""
        if not self.shape.z_loss:
            loss = self._windows_losses(params, text_T, starts_B).mean()
            return loss, loss
        losses_BxL, log_z_BxL = self._apply(params, text_T, starts_B, with_log_z=True)
        loss = losses_BxL.mean()
        return loss + numbers["z_loss"] * jnp.square(log_z_BxL).mean(), loss

    def _in_parts(self, starts_B: jax.Array) -> jax.Array:
        """(parts, B / parts); every part takes from everywhere, so that a batch split over devices stays split."""
        return starts_B.reshape(-1, self.shape.parts).T

    def _loss_and_gradients(
        self, params: Any, numbers: Any, text_T: jax.Array, starts_B: jax.Array
    ) -> tuple[jax.Array, Any]:
        """The batch's mean loss and the objective's gradients: means over parts of equal size, and over devices."""

        def part(starts: jax.Array) -> Any:
            (_, loss), grads = jax.value_and_grad(self._objective, has_aux=True)(params, numbers, text_T, starts)
            return loss, grads

        def add(total: Any, starts: jax.Array) -> tuple[Any, None]:
            return jax.tree.map(jnp.add, total, part(starts)), None

        n_parts = self.shape.parts
        if n_parts == 1:
            found = part(starts_B)
        else:
            nothing = (jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, params))
            total, _ = jax.lax.scan(add, nothing, self._in_parts(starts_B))
            found = jax.tree.map(lambda leaf: leaf / n_parts, total)
        return found if self.axis is None else jax.lax.pmean(found, self.axis)
