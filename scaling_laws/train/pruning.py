"""Magnitude pruning of a run's state between two dispatches, on the host (NumPy).

A pruned weight is -0 (`zeros`), and so it stays in the programs of runs that prune; its moments and its average are 0.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from scaling_laws import families, parametrization
from scaling_laws.compute import OUTER_KINDS
from scaling_laws.config import RunConfig
from scaling_laws.techniques import pruning
from scaling_laws.train import resting, zeros
from scaling_laws.train.stability import STACKED
from scaling_laws.train.state import AVERAGE, PARAMS, State

REWIND = "rewind/"  # names of the state that a run goes back to, in its checkpoints
_OF_TENSOR = re.compile(rf"(?:{PARAMS}|{AVERAGE}|opt_state/.*?/(?:mu|nu|trace)/)(.+)")


def smallest(weights: Sequence[np.ndarray], share: float) -> list[np.ndarray]:
    """Which of all these weights together are the smallest in size, a `share` of them, rounded to a whole number.

    Pruned ones are, however many; of weights alike the first ones.
    """
    sizes_n = np.concatenate([np.where(zeros.pruned(each, np), -1, np.abs(each)).reshape(-1) for each in weights])
    chosen_n, count = sizes_n == -1, round(share * sizes_n.size)
    if count > chosen_n.sum():
        limit = np.partition(sizes_n, count - 1)[count - 1]
        chosen_n = sizes_n < limit
        chosen_n[np.flatnonzero(sizes_n == limit)[: count - chosen_n.sum()]] = True
    parts = np.split(chosen_n, np.cumsum([each.size for each in weights])[:-1])
    return [part.reshape(each.shape) for part, each in zip(parts, weights, strict=True)]


def masks(weights: Mapping[str, np.ndarray], share: float, scope: str) -> dict[str, np.ndarray]:
    """Which weights of the tensors named are pruned: the smallest of each `layer` (of stacked blocks each its own), or
    of all of them (`global`)."""
    if scope == "global":
        return dict(zip(weights, smallest([*weights.values()], share), strict=True))
    layers = {name: list(leaf) if _is_stacked(name) else [leaf] for name, leaf in weights.items()}
    found = {name: np.stack([smallest([each], share)[0] for each in parts]) for name, parts in layers.items()}
    return {name: mask.reshape(weights[name].shape) for name, mask in found.items()}


def zeroed(state: State, masks: Mapping[str, np.ndarray]) -> State:
    """A state in which the weights that `masks` (by tensor) say are pruned, with all that is kept of them."""
    found = dict(state)
    for name, leaf in state.items():
        tensor = _OF_TENSOR.fullmatch(name)
        if tensor and tensor[1] in masks:
            found[name] = np.where(masks[tensor[1]], leaf.dtype.type(-0.0 if name.startswith(PARAMS) else 0), leaf)
    return found


class Pruner:
    """The prunings of one run. `state`: what it goes back to, by name, once it has been there."""

    def __init__(self, run: RunConfig):
        self.prune, self.rewinds = run.prune, pruning.rewinds(run.prune)
        self.events = {event.step: event for event in pruning.events(run.prune, run.train.steps)}
        self.rewound_to = pruning.rewound_to(run.prune, run.train.steps) if self.rewinds else -1
        self.state: State = {}
        self._rules = parametrization.rules(parametrization.Scheme.of(run), run.model)
        self._frozen = families.frozen(run.model, run.transfer)

    @property
    def steps(self) -> set[int]:
        """Steps after which there is something to do."""
        return {*self.events, self.rewound_to} - {-1}

    def at(self, step: int, state: State) -> State:
        """The state with which the run goes on after so many steps; done twice it is the same."""
        if step == self.rewound_to:
            self.state = dict(state)
        if step not in self.events:
            return state
        weights = self.weights(state)
        found = masks(weights, self.events[step].share, self.prune.scope)
        return zeroed(self.state if self.rewinds else state, found)

    def weights(self, state: State) -> State:
        """The tensors of a state that are pruned, by name without `params/`."""
        found = {name.removeprefix(PARAMS): leaf for name, leaf in state.items() if name.startswith(PARAMS)}
        return {name: leaf for name, leaf in found.items() if self._is_pruned(name.split("/"))}

    def n_pruned(self, state: State) -> int:
        """How many weights are pruned."""
        return sum(int(zeros.pruned(leaf, np).sum()) for leaf in self.weights(state).values())

    def beside(self, state: State) -> State:
        """What a checkpoint holds beside `state`: that to which the run goes back, until then anything alike."""
        return {REWIND + name: leaf for name, leaf in (self.state or state).items()} if self.rewinds else {}

    def parted(self, kept: State) -> State:
        """The state in a checkpoint without what stood beside it, which is taken over."""
        self.state = {name.removeprefix(REWIND): leaf for name, leaf in kept.items() if name.startswith(REWIND)}
        return {name: leaf for name, leaf in kept.items() if not name.startswith(REWIND)}

    def _is_pruned(self, path: Sequence[str]) -> bool:
        inner = self.prune.outer or parametrization.kind(path) not in OUTER_KINDS
        shrinks = self._rules.for_path(path).weight_decay > 0 and not path[-1].endswith("bias")
        return inner and shrinks and not resting.rests(self._frozen, path[0])


def _is_stacked(name: str) -> bool:
    return name.split("/")[0] == STACKED
