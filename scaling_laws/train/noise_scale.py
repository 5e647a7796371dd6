"""The gradient noise scale: the batch at which the noise of the gradient is as large as the gradient itself.

B_simple = tr(Sigma) / |G|^2 (McCandlish et al. 2018, equation 2.9), G the gradient and Sigma the covariance of the
gradients of single examples. Both are estimated from squared lengths at two batch sizes (their appendix A.1), here of
groups of examples and of all n of them; with groups of one that is the sample variance.

A loss is `loss(params, examples)`: the mean over examples, whose leaves have a leading axis of them.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

Loss = Callable[[Any, Any], jax.Array]


@dataclasses.dataclass(frozen=True)
class Moments:
    """Of one batch: the mean of |g|^2 over its groups of `group` examples, and |g|^2 of all `examples` together."""

    of_groups: float
    of_all: float
    group: int
    examples: int

    def unbiased(self) -> tuple[float, float]:
        """Estimates of |G|^2 and of tr(Sigma) of one example (McCandlish et al. 2018, appendix A.1).

        E|g|^2 = |G|^2 + tr(Sigma) / B at either batch size B, which is solved for the two.
        """
        small, large = self.group, self.examples
        square = (large * self.of_all - small * self.of_groups) / (large - small)
        return square, (self.of_groups - self.of_all) / (1 / small - 1 / large)


@dataclasses.dataclass(frozen=True)
class NoiseScale:
    """B_simple in examples with its central interval; nan where |G|^2 is not told from 0 by so many batches."""

    examples: float
    low: float
    high: float
    square: float  # |G|^2
    trace: float  # tr(Sigma) of one example
    batches: int


def moments(loss: Loss, params: Any, examples: Any, group: int = 1) -> tuple[jax.Array, jax.Array]:
    """(mean of |g|^2 over groups, |g|^2 of all): traceable; two gradients are in memory at a time, whatever n is.

    `examples`: leaves (n, ...), n a multiple of `group` and at least two groups, else ValueError.
    """
    n = len(jax.tree.leaves(examples)[0])
    if group < 1 or n % group or n < 2 * group:
        raise ValueError(f"group: {group} of {n} examples; allowed: a divisor that leaves two groups or more")
    n_groups = n // group
    grouped = jax.tree.map(lambda leaf: leaf.reshape(n_groups, group, *leaf.shape[1:]), examples)

    def add(carry: Any, members: Any) -> tuple[Any, None]:
        total, squares = carry
        gradient = jax.grad(loss)(params, members)
        return (jax.tree.map(jnp.add, total, gradient), squares + _square(gradient)), None

    nothing = (jax.tree.map(jnp.zeros_like, params), jnp.zeros((), jnp.float32))
    (total, squares), _ = jax.lax.scan(add, nothing, grouped)
    return squares / n_groups, _square(total) / n_groups**2


def _square(tree: Any) -> jax.Array:
    return sum((jnp.vdot(leaf, leaf).real for leaf in jax.tree.leaves(tree)), jnp.zeros((), jnp.float32))


def noise_scale(batches: Sequence[Moments], level: float = 0.9) -> NoiseScale:
    """tr(Sigma) / |G|^2 from the means of both over batches, which are independent draws.

    The interval is of ln B by the jackknife over batches and Student's t: the two means are far from independent, and
    their ratio is skewed. Raises ValueError below two batches.
    """
    from scipy import stats

    if len(batches) < 2:
        raise ValueError(f"batches: {len(batches)}; allowed: two or more, for an interval")
    found_Kx2 = np.array([batch.unbiased() for batch in batches])
    n = len(found_Kx2)
    square, trace = found_Kx2.mean(axis=0)
    left_Kx2 = (found_Kx2.sum(axis=0) - found_Kx2) / (n - 1)  # the means without each
    if square <= 0 or trace <= 0 or (left_Kx2 <= 0).any():
        return NoiseScale(math.nan, math.nan, math.nan, float(square), float(trace), n)
    logs_K = np.log(left_Kx2[:, 1] / left_Kx2[:, 0])
    error = math.sqrt((n - 1) * float(np.mean((logs_K - logs_K.mean()) ** 2)))
    reach = math.exp(float(stats.t.ppf((1 + level) / 2, n - 1)) * error)
    ratio = float(trace / square)
    return NoiseScale(ratio, ratio / reach, ratio * reach, float(square), float(trace), n)
