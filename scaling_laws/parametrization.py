"""One table per parametrisation: how each kind of tensor is drawn, how fast it learns, and what the forward pass
multiplies. The initialiser, the optimiser and the forward pass all read the same table.

No JAX here. A new parametrisation is one function from the model to `Rules` and one line in `TABLES`.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

from scaling_laws.config import ConfigError, ModelConfig, head_size, nearest

# The last name of a parameter's path tells its role; a role is one row of the table.
ROLES = {
    "embedding": "embedding",
    "position": "position",
    "head": "head",
    "qkv": "hidden",
    "up": "hidden",
    "out": "branch_output",
    "down": "branch_output",
    "scale": "norm",
    "bias": "bias",
}


@dataclasses.dataclass(frozen=True)
class Rule:
    """How one kind of tensor is drawn and updated; the last two multiply the optimiser's own settings."""

    mean: float = 0.0
    scale: float = 0.0  # standard deviation before the division by fan_in ** fan_in_exponent
    fan_in_exponent: float = 0.0
    learning_rate: float = 1.0
    weight_decay: float = 1.0

    def std(self, fan_in: int) -> float:
        """Standard deviation of the initial values of a tensor that sums over `fan_in` inputs."""
        return self.scale * fan_in**-self.fan_in_exponent


@dataclasses.dataclass(frozen=True)
class Forward:
    """Multipliers of the forward pass: of the embedding, of each residual branch, of q.k, and of the logits."""

    embedding: float
    residual: float
    attention: float
    logits: float


@dataclasses.dataclass(frozen=True)
class Rules:
    """A parametrisation of one model: a Rule per role and the forward multipliers."""

    embedding: Rule
    position: Rule
    hidden: Rule
    branch_output: Rule
    head: Rule
    norm: Rule
    bias: Rule
    forward: Forward

    def for_path(self, path: Sequence[str]) -> Rule:
        """The rule of the tensor at `path`, names from the root down. Raises ValueError for an unknown name."""
        return getattr(self, role(path))


def role(path: Sequence[str]) -> str:
    """The row of the table that holds for the tensor at `path`. Raises ValueError for an unknown name."""
    name = path[-1] if path else ""
    if name not in ROLES:
        raise ValueError(f"parameter {'/'.join(path)!r}: no rule for {name!r}; known: {', '.join(ROLES)}")
    return ROLES[name]


def kind(path: Sequence[str]) -> str:
    """embedding, position, hidden, head, norm or bias. Raises ValueError for an unknown name."""
    name = role(path)
    return "hidden" if name == "branch_output" else name


def standard(model: ModelConfig) -> Rules:
    """The usual practice: hidden matrices 1/sqrt(fan_in), and 1/sqrt(2 depth) less on what enters the residual
    stream (Radford et al. 2019, section 2.3); one learning rate for all; no decay on norms and biases.

    The residual stream starts at size 1: at width 48, after 240 to 300 steps, that was .06 and .2 nats (free head, two
    seeds) and .4 nats (tied, one seed) better than an embedding of .02. A tied matrix is the head too,
    where values of size 1 would give logits of sqrt(width); so it is drawn smaller and its lookup multiplied back
    (Vaswani et al. 2017, section 3.4).
    """
    lookup = math.sqrt(model.width) if model.tie_embeddings else 1.0
    undecayed = Rule(weight_decay=0.0)
    return Rules(
        embedding=Rule(scale=1 / lookup),
        position=Rule(scale=0.02),
        hidden=Rule(scale=1.0, fan_in_exponent=0.5),
        branch_output=Rule(scale=1 / math.sqrt(2 * model.depth), fan_in_exponent=0.5),
        head=Rule(scale=0.02),
        norm=dataclasses.replace(undecayed, mean=1.0),
        bias=undecayed,
        forward=Forward(embedding=lookup, residual=1.0, attention=head_size(model) ** -0.5, logits=1.0),
    )


TABLES: dict[str, Callable[[ModelConfig], Rules]] = {"standard": standard}


def rules(name: str, model: ModelConfig) -> Rules:
    """The table called `name` for `model`, whose width and depth must be set. Raises ConfigError for a wrong name."""
    if name not in TABLES:
        raise ConfigError(f"train.parametrization: {name!r}; allowed: {', '.join(TABLES)}{nearest(name, TABLES)}")
    return TABLES[name](model)
