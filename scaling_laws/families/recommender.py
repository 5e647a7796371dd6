"""Two towers for ratings: width is the size of the vectors (the rank), depth the hidden layers of each tower.

Of depth 0 a matrix factorisation with biases (Koren et al. 2009, equation 4): m + b_user + b_item + p_user . q_item.
Deeper, each vector passes through residual layers before the product (two towers: Covington et al. 2016).
"""

from scaling_laws.compute import Counts, LayerCount
from scaling_laws.config import ModelConfig
from scaling_laws.families.family import Family
from scaling_laws.spec import Spec


def count(model: ModelConfig, spec: Spec) -> Counts:
    """Counts a pair. Looking up vectors and biases is free."""
    width, bias, n_rows = model.width, int(model.bias), sum(spec.sizes)
    layers = (
        LayerCount("embedding", n_rows * width, 0),
        LayerCount("mlp", 2 * model.depth * (width + bias) * width, 4 * model.depth * width * width),
        LayerCount("head", bias * (n_rows + 1), 2 * width),  # the product of the two vectors
    )
    return Counts(layers)


def kept(model: ModelConfig, spec: Spec) -> float:
    """Numbers a pair that the forward pass keeps for the backward pass, roughly."""
    return 2 * (1 + 2 * model.depth) * model.width + 4


RECOMMENDER = Family(
    module="scaling_laws.models.recommender:Recommender",
    count=count,
    inputs=("pair",),
    width="size of a user's and an item's vector, the rank",
    depth="hidden layers of each tower",
    reads=("activation", "bias"),
    least_depth=0,
    blocks=lambda model: model.depth,
    branches=lambda model: model.depth,
    kept=kept,
    drops=lambda model: model.depth > 0,
)
