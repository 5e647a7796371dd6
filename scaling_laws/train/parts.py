"""In how many parts a batch is worked through, gradients summed: for a CPU's caches, or for a device's memory; and in
how many chunks its loss, where the vocabulary is large."""

import math

from scaling_laws import families
from scaling_laws.config import RunConfig
from scaling_laws.spec import Spec

LOGITS = 1 << 30  # bytes on a device
ENOUGH_TOKENS = 256  # a part with fewer makes matrix products too small to be fast


def of(run: RunConfig, spec: Spec, on_cpu: bool) -> int:
    """`train.accumulation`; where that is 0, one on an accelerator and, of texts, `cached` on a CPU."""
    return run.train.accumulation or (cached(run, spec) if on_cpu and spec.inputs == "tokens" else 1)


def cached(run: RunConfig, spec: Spec) -> int:
    """The most parts that leave ENOUGH_TOKENS in each, and activations no fewer than the gradients that each adds.

    A batch in one piece writes every activation out to memory and reads it back: with busy neighbours on the machine,
    width 128, depth 4 and 4096 tokens a step took 1.26 times as long in one piece as in eight, width 32 1.27 times as
    long as in four. A function of the configuration alone: a run that is resumed elsewhere goes on with the same sums.
    """
    batch, n_devices = run.train.batch_size, run.train.data_devices * run.train.fsdp_devices
    family = families.of(run.model)
    least = max(ENOUGH_TOKENS, family.count(run.model, spec).n_params / family.kept(run.model, spec))
    share = batch // n_devices
    return max((n for n in _divisors(share) if share // n * spec.targets >= least), default=1)


def of_loss(run: RunConfig, spec: Spec, n_parts: int) -> int:
    """In how many chunks the loss of a part is worked through: the fewest that keep its logits within LOGITS bytes."""
    share = run.train.batch_size // (n_parts * run.train.data_devices * run.train.fsdp_devices)
    window = 4 * spec.targets * spec.outputs
    return next((n for n in _divisors(share) if share // n * window <= LOGITS), max(share, 1))


def _divisors(share: int) -> list[int]:
    """Ascending."""
    small = [n for n in range(1, math.isqrt(share) + 1) if share % n == 0]
    return sorted({*small, *(share // n for n in small)})
