"""What is minimised, and what is seen of a batch under a model.

Dimension letters: B batch, L context, O outputs.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from scaling_laws.config import ModelConfig
from scaling_laws.models import hooks
from scaling_laws.models.auxiliary import AUXILIARY, auxiliary
from scaling_laws.models.experts import BALANCE, balance
from scaling_laws.models.hooks import DROPOUT, Dropout, Hooks
from scaling_laws.models.layers import WATCHED
from scaling_laws.models.loss import cross_entropy, example_losses
from scaling_laws.parametrization import Rules
from scaling_laws.tasks import host
from scaling_laws.train import augment, penalties, reading, rounding, teaching
from scaling_laws.train.boosting import OFFSET
from scaling_laws.train.reading import Data
from scaling_laws.train.shape import Shape

STREAM = 0xD80  # of keys for dropout, beside those of examples that are drawn or augmented


class Seen(NamedTuple):
    """A batch under the model: losses (B,), of a text means over its places; where they were asked for ln Z and the
    loss of a guess spread over all classes, (B, L) or (B,); outputs (B, O) where an example has one target, of texts
    (B, L, O) where they were asked for; what was sown, by collection."""

    losses_B: Any
    log_z: Any
    spread: Any
    outputs: Any
    sown: Mapping[str, Any]


def _collections(model: ModelConfig) -> list[str]:
    """What a model sows that is minimised too."""
    there = {BALANCE: model.experts > 1, AUXILIARY: model.auxiliary != "none"}
    return [name for name, is_there in there.items() if is_there]


class Objective:
    """What is minimised of models of one shape."""

    def __init__(self, shape: Shape, module: nn.Module, rules: Rules):
        self.shape, self.module, self.rules = shape, module, rules
        self.teaching = teaching.Teaching(shape.teacher, shape.spec) if shape.teacher else None

    def seen(
        self,
        params: Any,
        data: Data,
        examples: tuple[Any, Any],
        starts_B: Any,
        *,
        with_sums: bool = False,
        collections: Sequence[str] = (),
        with_outputs: bool = False,
        rngs: Mapping[str, Any] | None = None,
    ) -> Seen:
        """A batch of (inputs, targets), those at `starts` of `data`, under the model with `params`; of what it sows
        `collections` are kept: WATCHED, BALANCE, AUXILIARY."""
        spec, variables = self.shape.spec, {"params": params}
        inputs, targets = examples
        about: dict[str, Any] = {"mutable": list(collections), "rngs": rngs}
        if spec.targets > 1:
            chunks, outputs_BxLxO = self.shape.loss_chunks, None
            if with_outputs:
                outputs_BxLxO, sown = self.module.apply(variables, inputs, **about)
                found = cross_entropy(lambda logits: logits, outputs_BxLxO, targets, with_sums=with_sums)
            else:
                found, sown = self.module.apply(variables, inputs, targets, chunks, with_sums, **about)
            if not with_sums:
                return Seen(found.mean(axis=1), None, None, outputs_BxLxO, sown)
            losses_BxL, log_z_BxL, mean_BxL = found
            return Seen(losses_BxL.mean(axis=1), log_z_BxL, log_z_BxL - mean_BxL, outputs_BxLxO, sown)
        outputs_BxO, sown = self.module.apply(variables, inputs, **about)
        if OFFSET in data:
            outputs_BxO += data[OFFSET][starts_B]
        weights_O = data.get("class_weights")
        losses_B = example_losses(spec, outputs_BxO, targets, weights_O)
        log_z_B = spread_B = None
        if with_sums:
            log_z_B = jax.nn.logsumexp(outputs_BxO, axis=-1)
            spread_B = example_losses(spec, outputs_BxO, jnp.full_like(outputs_BxO, 1 / spec.outputs), weights_O)
        return Seen(losses_B, log_z_B, spread_B, outputs_BxO, sown)

    def evaluated(self, params: Any, numbers: Any, data: Data, examples: tuple[Any, Any], starts_B: Any) -> Seen:
        """A batch of (inputs, targets), those at `starts`, under the model as it is evaluated, with what it sows as
        WATCHED."""
        quantize = self.shape.techniques.quantize
        with hooks.during(Hooks(rounding=rounding.activations(quantize, numbers))):
            used = rounding.weights(quantize, params, numbers)
            return self.seen(used, data, examples, starts_B, collections=[WATCHED])

    def __call__(self, params: Any, numbers: Any, data: Data, starts_B: Any, step: Any) -> tuple[Any, Any]:
        """What is minimised, and the mean loss, the examples as they are trained on; `step` were taken before.

        They differ by the z-loss (Chowdhery et al. 2022, section 5), label smoothing (Szegedy et al. 2016, section 7),
        the distance from a teacher (Hinton et al. 2015, section 2), the balance of experts (Fedus et al. 2021,
        equation 4), what a second head misses and the penalties.
        """
        shape, regularise, quantize = self.shape, self.shape.techniques.regularise, self.shape.techniques.quantize
        examples = augment.read(shape.techniques.augment, shape.spec, data, numbers, starts_B, step)
        smoothed, taught = regularise.label_smoothing > 0, self.teaching is not None
        active, rngs = self._hooks(numbers, data, starts_B, step)
        sums, collections = shape.z_loss or smoothed, _collections(shape.model)
        used = rounding.weights(quantize, params, numbers) if quantize.when == "training" else params
        with hooks.during(active):
            about = {"with_sums": sums, "with_outputs": taught, "collections": collections}
            seen = self.seen(used, data, examples, starts_B, **about, rngs=rngs)
        loss = minimised = seen.losses_B.mean()
        if smoothed:
            minimised += numbers["regularise.label_smoothing"] * (seen.spread.mean() - loss)
        if self.teaching is not None:
            weight, distance = numbers["distill.weight"], self._distance(seen.outputs, data, examples, numbers)
            minimised = (1 - weight) * minimised + weight * distance
        if shape.z_loss:
            minimised += numbers["z_loss"] * jnp.square(seen.log_z).mean()
        if BALANCE in collections:
            minimised += numbers["balance"] * balance(seen.sown)
        if AUXILIARY in collections:
            minimised += numbers["auxiliary_weight"] * auxiliary(seen.sown)
        return minimised + penalties.penalty(regularise, self.rules, params, numbers), loss

    def _distance(self, outputs: Any, data: Data, examples: tuple[Any, Any], numbers: Any) -> Any:
        """The mean distance from the teacher, who sees the same examples; each counts by the weight of its class."""
        assert self.teaching is not None
        inputs, targets = examples
        taught = self.teaching.outputs(data, inputs)
        found = teaching.distances(self.shape.spec, outputs, taught, numbers["distill.temperature"])
        if "class_weights" in data:
            weights_O = data["class_weights"]
            found = found * (weights_O[targets] if targets.ndim == 1 else targets @ weights_O)
        return found.mean()

    def _hooks(self, numbers: Any, data: Data, starts_B: Any, step: Any) -> tuple[Hooks, Mapping[str, Any] | None]:
        """What is done in the forward pass of a step, and the keys that it needs."""
        quantize = self.shape.techniques.quantize
        coarse = rounding.activations(quantize, numbers) if quantize.when == "training" else None
        if not self.shape.techniques.regularise.dropout:
            return Hooks(rounding=coarse), None
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(STREAM), numbers["data_seed"]), step)
        names_B = host.names(self.shape.spec, data, reading.places(starts_B))
        return Hooks(Dropout(numbers["regularise.dropout"], names_B), coarse), {DROPOUT: key}
