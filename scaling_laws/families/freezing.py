"""Layers that rest in fine-tuning, from the input on: which, whether a model has them, and what they leave to count.

What rests is computed forward as ever. Of its products the backward pass has none, and none for the input of what
stands on it directly.
"""

import dataclasses

from scaling_laws.compute import Counts, LayerCount, ratio
from scaling_laws.config import ConfigError, ModelConfig, TransferConfig
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec

BELOW = ("embedding", "position")  # kinds of the first layer


@dataclasses.dataclass(frozen=True)
class Frozen:
    """`first`: the embedding, with positions; `blocks`: how many after it; `body`: all but the head."""

    first: bool = False
    blocks: int = 0
    body: bool = False

    @classmethod
    def of(cls, family: Family, model: ModelConfig, transfer: TransferConfig) -> "Frozen":
        """What rests of a model."""
        if transfer.frozen == "body":
            return cls(True, family.blocks(model), True)
        return cls(transfer.frozen != "none", transfer.frozen_blocks)

    @property
    def n_layers(self) -> int:
        """The first layer and blocks."""
        return self.first + self.blocks


def check(family: Family, model: ModelConfig, transfer: TransferConfig) -> None:
    """Raises ConfigError where a model has not the layers that are to rest, or cannot keep them apart."""
    if model.tie_embeddings and (transfer.frozen != "none" or transfer.new_head):
        name = "frozen" if transfer.frozen != "none" else "new_head"
        allowed = "none" if name == "frozen" else "False"
        raise ConfigError(
            f"transfer.{name}: {getattr(transfer, name)}; allowed: {allowed} with model.tie_embeddings, for the head "
            "is the embedding"
        )
    if transfer.frozen == "none":
        return
    if family.below is None or model.depth == 0:
        raise ConfigError(
            f"transfer.frozen: {transfer.frozen}; allowed: none, for model.family={model.family} of depth "
            f"{model.depth} has no layers one after the other below its head"
        )
    n_blocks = family.blocks(model)
    if transfer.frozen == "blocks" and not 1 <= transfer.frozen_blocks <= n_blocks:
        raise ConfigError(f"transfer.frozen_blocks: {transfer.frozen_blocks}; allowed: 1 to {n_blocks} in this model")
    if transfer.frozen == "blocks" and family.scanned(model):
        raise ConfigError(
            "transfer.frozen: blocks; allowed: none, embedding, body where blocks are stacked under a scan, or "
            "model.layers=unrolled"
        )


def counts(family: Family, model: ModelConfig, spec: Spec, frozen: Frozen) -> Counts:
    """Counts of a model of which something rests: the same parameters and forward pass, fewer products backward."""
    whole, n_blocks = family.count(model, spec), family.blocks(model)
    layers = [part for layer in whole.layers for part in _parts(layer, family, model, spec, frozen)]
    recomputed = ratio(whole.recomputed * (n_blocks - frozen.blocks), max(n_blocks, 1))  # in as many as learn
    return Counts(tuple(layers), recomputed)


def _parts(layer: LayerCount, family: Family, model: ModelConfig, spec: Spec, frozen: Frozen) -> tuple[LayerCount, ...]:
    """What rests of the layers of one kind, what of them stands on that directly, and the others."""
    if layer.kind == "head":
        lowest = frozen.body or (frozen.blocks == family.blocks(model) and "head" in family.direct)
        return (dataclasses.replace(layer, slopes=layer.slopes - lowest),)
    if frozen.body or layer.kind in BELOW:
        return (dataclasses.replace(layer, slopes=0, rests=True),)
    resting = _first(layer.kind, family, model, spec, frozen.blocks)
    lowest = resting
    if layer.kind in family.direct:
        lowest = _first(layer.kind, family, model, spec, min(frozen.blocks + 1, family.blocks(model)))
    found = (
        dataclasses.replace(resting, slopes=0, rests=True),
        _between(layer, resting, lowest, layer.slopes - 1),
        _between(layer, lowest, layer, layer.slopes),
    )
    return tuple(part for part in found if part.n_params or part.forward)


def _first(kind: str, family: Family, model: ModelConfig, spec: Spec, n_blocks: int) -> LayerCount:
    """The layers of one kind in the first blocks."""
    assert family.below is not None, model.family
    found = {layer.kind: layer for layer in family.below(model, spec, n_blocks)}
    return found.get(kind, LayerCount(kind, 0, 0))


def _between(layer: LayerCount, low: LayerCount, high: LayerCount, slopes: int) -> LayerCount:
    n_params, forward = high.n_params - low.n_params, high.forward - low.forward
    return LayerCount(layer.kind, n_params, forward, slopes, idle=high.idle - low.idle)
