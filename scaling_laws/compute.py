"""What an architecture is counted to cost: parameters and training FLOPs, layer by layer (no JAX).

Convention: only dense products and convolutions count, 2 m n k each, padding included; attention's two products in
full, without what a causal kernel skips; the backward pass has a product for each operand that learns or leads to
what learns; looking up an embedding is free. The counts of every family (`scaling_laws.families`) equal the products
in the traced program exactly (see `scaling_laws.models.traced`).
"""

import dataclasses
from fractions import Fraction

OUTER_KINDS = ("embedding", "position", "head")  # left out of n_non_embedding
Flops = int | Fraction


def ratio(above: Flops, below: int) -> Flops:
    """`above / below` exactly, an int where it is one."""
    quotient = Fraction(above) / below
    return quotient.numerator if quotient.denominator == 1 else quotient


@dataclasses.dataclass(frozen=True)
class LayerCount:
    """All layers of one kind together: parameters that learn, or that `rests` says have learnt in another run, and
    FLOPs a target of the forward and the backward pass: exact, a fraction where targets do not share them evenly.

    `slopes`: products of the backward pass for one of the forward pass: the gradient of the input and that of the
    other operand; 1 for a layer that stands on the data themselves, 0 where nothing below it learns. `idle`: of the
    parameters those that one place does not use, of the experts that it is not sent to.
    """

    kind: str
    n_params: int
    forward: Flops
    slopes: int = 2
    rests: bool = False
    idle: int = 0

    @property
    def backward(self) -> Flops:
        """FLOPs a target of the backward pass."""
        return self.slopes * self.forward

    @property
    def training(self) -> Flops:
        """FLOPs a target of forward and backward pass together."""
        return self.forward + self.backward


@dataclasses.dataclass(frozen=True)
class Counts:
    """Counts of one architecture, a target: a token of text, an example elsewhere. Every `flops_per_token*` is for
    training, forward and backward. Where something rests, layers of a kind may stand in several parts.
    """

    layers: tuple[LayerCount, ...]
    recomputed: Flops = 0  # FLOPs a target that rematerialisation does again in the backward pass

    @property
    def n_params(self) -> int:
        """N: every parameter that learns, or rests in fine-tuning; a tied matrix once."""
        return sum(layer.n_params for layer in self.layers)

    @property
    def n_active(self) -> int:
        """Those of N that one place uses: of the experts one (Fedus et al. 2021, section 1)."""
        return sum(layer.n_params - layer.idle for layer in self.layers)

    @property
    def n_frozen(self) -> int:
        """Those of N that rest in fine-tuning."""
        return sum(layer.n_params for layer in self.layers if layer.rests)

    @property
    def n_non_embedding(self) -> int:
        """N without the embedding, position and head matrices (Kaplan et al. 2020, section 2.1)."""
        return sum(layer.n_params for layer in self.layers if layer.kind not in OUTER_KINDS)

    @property
    def n_effective(self) -> int:
        """N plus the parameters whose products cost as much as attention's: its forward FLOPs a target / 2."""
        return self.n_params + self._forward("attention_products") // 2

    @property
    def forward(self) -> Flops:
        """FLOPs a target of the forward pass."""
        return sum(layer.forward for layer in self.layers)

    @property
    def flops_per_token(self) -> Flops:
        """C / D: every dense product, exactly."""
        return sum(layer.training for layer in self.layers)

    @property
    def flops_per_token_6n(self) -> int:
        """The rule of thumb 6 N, with N = n_params (Kaplan et al. 2020, section 2.1)."""
        return 6 * self.n_params

    @property
    def flops_per_token_non_embedding(self) -> Flops:
        """C / D without the head's product."""
        return sum(layer.training for layer in self.layers if layer.kind != "head")

    @property
    def flops_per_token_effective(self) -> int:
        """6 n_effective: the rule of thumb with attention; above the exact count by the lookups that are free."""
        return 6 * self.n_effective

    @property
    def hardware_flops_per_token(self) -> Flops:
        """`flops_per_token` plus what rematerialisation recomputes."""
        return self.flops_per_token + self.recomputed

    def layer(self, kind: str) -> LayerCount:
        """The layers of `kind`. Raises KeyError where there are none of that name."""
        return {layer.kind: layer for layer in self.layers}[kind]

    def _forward(self, kind: str) -> Flops:
        return sum(layer.forward for layer in self.layers if layer.kind == kind)
