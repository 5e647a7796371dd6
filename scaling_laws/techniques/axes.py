"""Techniques by name, as axes of a sweep: which settings a strength stands for. A technique is one line here. No JAX.

A strength of 0 is the baseline. What an axis adds to a run is written over the baseline's own settings.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from scaling_laws.fields import ConfigError, nearest

Changes = Mapping[str, Any]  # dotted path -> value
SOURCES = ("", "own", "teacher", "other", "members")
_SOURCE, _TEACHER = "transfer.source", "distill.teacher"


@dataclasses.dataclass(frozen=True)
class Axis:
    """`changes`: settings at a strength. `source`: the run that an arm needs, and `source_path` the setting that names
    it: the baseline's of its own cell and seed, or of a teacher's cell and the same seed; with `other` one on other
    data, of its own width, depth and seed, whose steps are so many times the cell's. With `members` an arm is made of
    runs of the baseline and of so many further seeds beside each."""

    doc: str
    changes: Callable[[float], Changes]
    source: str = ""
    source_path: str = ""


def _of(path: str, kind: Callable[[float], Any] = float, **fixed: Any) -> Callable[[float], Changes]:
    others = {name.replace("__", "."): value for name, value in fixed.items()}
    return lambda strength: {path: kind(strength), **others}


def _is(path: str, value: Any) -> Callable[[float], Changes]:
    return lambda strength: {path: _only(strength, 1.0) and value}


def _only(strength: float, allowed: float) -> float:
    """The strength. Raises ConfigError where it is not the only one that there is, or not what comes of it."""
    if abs(strength - allowed) > 1e-6:
        raise ConfigError(f"--strength: {strength:g}; allowed here: {allowed:g}")
    return strength


def _whole(strength: float) -> int:
    return int(_only(strength, max(1, round(strength))))


def _auxiliary(task: str) -> Callable[[float], Changes]:
    return _of("train.auxiliary_weight", model__auxiliary=task)


def _slim(strength: float) -> Changes:
    return {"model.slim": 1 - strength}


def _members(strength: float) -> Changes:
    _whole(strength)
    return {}


def _none(strength: float) -> Changes:
    return {}


def _patience(strength: float) -> Changes:
    patience = max(1, round(1 / strength))
    return {"regularise.patience": int(_only(strength, 1 / patience) and patience)}


AXES: dict[str, Axis] = {
    "dropout": Axis("share that is dropped", _of("regularise.dropout")),
    "l1": Axis("weight of the weights' sizes in the objective", _of("regularise.l1")),
    "l2": Axis("weight of half their squares there", _of("regularise.l2")),
    "weight_decay": Axis("decoupled decay", _of("optimizer.weight_decay")),
    "label_smoothing": Axis("share of a target that is spread over all classes", _of("regularise.label_smoothing")),
    "early_stopping": Axis("one over the looks in vain that end a run", _patience),
    "crop": Axis("pixels by which pictures are moved", _of("augment.crop", _whole)),
    "flip": Axis("1: every other picture is mirrored", _is("augment.flip", True)),
    "noise": Axis("deviation of what is added to inputs", _of("augment.noise")),
    "mixup": Axis("Beta(strength, strength) of the shares", _of("augment.mixup")),
    "prune": Axis("share of the weights that are pruned, gradually", _of("prune.sparsity")),
    "prune_one_shot": Axis("the same at once, then trained on", _of("prune.sparsity", prune__method="one_shot")),
    "prune_rewind": Axis("the same in rounds with rewinding", _of("prune.sparsity", prune__method="rewind")),
    "quantize_weights": Axis("bits of the weights", _of("quantize.weight_bits", _whole)),
    "quantize_activations": Axis("bits of what they multiply", _of("quantize.activation_bits", _whole)),
    "quantize_after": Axis(
        "bits of the weights after training", _of("quantize.weight_bits", _whole, quantize__when="after")
    ),
    "multi_task": Axis("weight of what a second head misses of the inputs", _auxiliary("inputs")),
    "multi_token": Axis("weight of what a second head misses of the token after the next", _auxiliary("next")),
    "slim": Axis("share of heads, hidden units or channels that a retrained model lacks", _slim, "own", _SOURCE),
    "transfer": Axis("steps of a source on other data (--pretrain_path) over one's own", _none, "other", _SOURCE),
    "distill": Axis("share of the objective that a teacher gives", _of("distill.weight"), "teacher", _TEACHER),
    "ensemble": Axis("members beside the first, their logits averaged", _members, "members"),
    "experts": Axis("feed-forward branches of which a place takes one", _of("model.experts", _whole)),
    "separable": Axis("1: separable convolutions", _is("model.convolution", "separable")),
    "gelu": Axis("1: this activation", _is("model.activation", "gelu")),
    "tanh": Axis("1: this activation", _is("model.activation", "tanh")),
    "swiglu": Axis("1: this feed-forward branch", _is("model.mlp", "swiglu")),
}


def axis(name: str) -> Axis:
    """The axis of a technique. Raises ConfigError for an unknown one, naming the nearest."""
    if name not in AXES:
        raise ConfigError(f"--technique: {name!r}; allowed: {', '.join(AXES)}{nearest(name, AXES)}")
    return AXES[name]
