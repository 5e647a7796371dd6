"""Unstructured magnitude pruning inside one run: settings, and at which steps how much is pruned. No JAX here; what is
done at those steps stands in `scaling_laws.train.pruning`.

Of a run of T steps that is rewound, the first training takes H of them, and after each of R prunings another goes on
from step k of the first to its end, H - k steps. T = H + R (H - k) exactly: H - k is the greatest whole number with
k >= `rewind` H, which k exceeds by less than R + 1 steps.
"""

import dataclasses
import math
from typing import NamedTuple

from scaling_laws.compute import OUTER_KINDS, Counts
from scaling_laws.fields import ConfigError, setting


@dataclasses.dataclass(frozen=True)
class PruneConfig:
    """Weights that are 0 at the end, and how they get there. What is pruned are the matrices that weight decay would
    shrink; no number here is in a program, so a new value compiles nothing."""

    sparsity: float = setting(0.0, "share of the matrices' weights that are 0 at the end", low=0, high=0.99)
    method: str = setting(
        "gradual",
        "one_shot: all at prune.begin, and trained on; gradual: in prune.events prunings from prune.begin to "
        "prune.end, ever smaller ones; rewind: prune.rounds times trained to the end, pruned and set back",
        choices=("one_shot", "gradual", "rewind"),
    )
    scope: str = setting("layer", "the smallest of each matrix, or of all together", choices=("layer", "global"))
    outer: bool = setting(False, "the embedding, positions and the head are pruned too")
    begin: float = setting(
        0.25, "one_shot, gradual: share of the steps that are dense; 1: pruned after the last step", low=0, high=1
    )
    end: float = setting(0.75, "gradual: share of the steps after which nothing more is pruned", low=0, high=1)
    events: int = setting(20, "gradual: how many prunings", low=1, high=10000)
    rounds: int = setting(3, "rewind: how many prunings, each of the same share of what is left", low=1, high=100)
    rewind: float = setting(
        0.05, "rewind: share of the first training to whose end weights, moments and schedule go back", low=0, high=0.99
    )


class Event(NamedTuple):
    """After `step` steps the smallest weights become 0, so that `share` of them are."""

    step: int
    share: float


def unread(prune: PruneConfig) -> tuple[str, ...]:
    """Settings that nothing reads where others are as they are."""
    if not prune.sparsity:
        return ("method", "scope", "outer", "begin", "end", "events", "rounds", "rewind")
    others = {"one_shot": ("end", "events", "rounds", "rewind"), "gradual": ("rounds", "rewind")}
    return others.get(prune.method, ("begin", "end", "events"))


def form(prune: PruneConfig) -> PruneConfig:
    """What a program depends on: whether anything is pruned."""
    return PruneConfig(sparsity=float(prune.sparsity > 0))


def rewinds(prune: PruneConfig) -> bool:
    """Whether the run goes back to where it was."""
    return prune.sparsity > 0 and prune.method == "rewind"


def horizon(prune: PruneConfig, steps: int) -> int:
    """Steps of the schedule, in a run of so many: H."""
    return steps - prune.rounds * _again(prune, steps) if rewinds(prune) else steps


def rewound_to(prune: PruneConfig, steps: int) -> int:
    """The step k to which a run goes back."""
    return horizon(prune, steps) - _again(prune, steps)


def update(prune: PruneConfig, steps: int, index: int) -> int:
    """Which update of the schedule the update number `index` of a run is; both from 0."""
    first = horizon(prune, steps)
    return index if index < first else rewound_to(prune, steps) + (index - first) % _again(prune, steps)


def _again(prune: PruneConfig, steps: int) -> int:
    """Steps of each training after the first: H - k."""
    kept = 1 - prune.rewind
    return math.floor(steps * kept / (1 + prune.rounds * kept))


def events(prune: PruneConfig, steps: int) -> list[Event]:
    """The prunings of a run of so many steps, earliest first; none at sparsity 0.

    Gradual: the cubic of Zhu and Gupta 2017, eq. 1, from 0 on; of those that fall on one step the last. Rewind: the
    density falls by the same factor every time (Frankle et al. 2020, section 2).
    """
    final = prune.sparsity
    if not final:
        return []
    if prune.method == "one_shot":
        return [Event(round(prune.begin * steps), final)]
    if prune.method == "gradual":
        parts = [n / prune.events for n in range(1, prune.events + 1)]
        places = [round((prune.begin + part * (prune.end - prune.begin)) * steps) for part in parts]
        shares = [final * (1 - (1 - part) ** 3) for part in parts]
        return [Event(*each) for each in dict(zip(places, shares, strict=True)).items()]
    again, left = _again(prune, steps), 1 - final
    shares = [1 - left ** (n / prune.rounds) for n in range(1, prune.rounds)] + [final]
    return [Event(horizon(prune, steps) + n * again, share) for n, share in enumerate(shares)]


def check(prune: PruneConfig, steps: int) -> None:
    """Raises ConfigError where a run of so many steps cannot be pruned so."""
    if not prune.sparsity:
        return
    if prune.method == "gradual" and prune.end <= prune.begin:
        raise ConfigError(f"prune.end: {prune.end:g}; allowed: above prune.begin = {prune.begin:g}")
    if prune.method == "rewind" and not _again(prune, steps):
        raise ConfigError(f"prune.rounds: {prune.rounds}; allowed: fewer in a run of {steps} steps")


def check_counts(prune: PruneConfig, counts: Counts, family: str) -> None:
    """Raises ConfigError where a model has nothing that would be pruned."""
    kinds = {layer.kind for layer in counts.layers if layer.n_params and not layer.rests} - {"norm"}
    if prune.sparsity and not (kinds if prune.outer else kinds - {*OUTER_KINDS}):
        raise ConfigError(
            f"prune.sparsity: {prune.sparsity:g}; allowed: 0 with a model.family={family} that learns nothing but "
            "embedding and head, or prune.outer"
        )
