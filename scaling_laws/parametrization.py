"""One table per parametrisation: how each kind of tensor is drawn, how fast it learns, and what the forward pass
multiplies. The initialiser, the optimiser and the forward pass all read the same table.

No JAX here. A new parametrisation is one function from the model to `Rules` and one line in `TABLES`.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

from scaling_laws import families
from scaling_laws.config import ConfigError, ModelConfig, RunConfig, base_shape, head_count, nearest

# The last name of a parameter's path tells its role, a row of the table; a norm's also whose norm it is.
ROLES = {
    "embedding": "embedding",
    "position": "position",
    "head": "head",
    "auxiliary_head": "head",
    "input": "input",
    "input_bias": "input_bias",
    "head_bias": "head_bias",
    "user_table": "table",
    "item_table": "table",
    "user_bias": "head_bias",
    "item_bias": "head_bias",
    "projection": "given",
    "scales": "given",
    "teacher": "given",
    "spread": "given",
    "linear": "linear",
    "linear_bias": "linear",
    "hidden": "plain",
    "residual": "branch_output",
    "qkv": "hidden",
    "up": "hidden",
    "out": "branch_output",
    "down": "branch_output",
    "router": "router",
    "depthwise": "depthwise",
    "transition": "transition",
    "scale": "norm",
    "bias": "norm",
}
KINDS = {
    "input": "embedding",
    "input_bias": "embedding",
    "table": "embedding",
    "plain": "hidden",
    "branch_output": "hidden",
    "head_norm": "norm",
    "final_norm": "norm",
    "head_bias": "head",
    "linear": "head",
}
NORM_ROLES = {"final_norm": "final_norm", "query_norm": "head_norm", "key_norm": "head_norm"}
# Of a layer that stands alone, what keeps the size of what it sees: He et al. 2015, equation 10 (gelu is half of its
# inputs too), and for what is odd Glorot and Bengio 2010, equation 12.
GAINS = {"relu": math.sqrt(2), "gelu": math.sqrt(2), "tanh": 1.0}
SMALL = 0.02  # standard deviation of a matrix to logits that are to be about equal at the start
FIRST_PRODUCT = 0.1  # size of the product of two vectors from tables at the start, of ratings of deviation 1


@dataclasses.dataclass(frozen=True)
class Scheme:
    """What a table depends on beside the model: its name, the shape at which it is standard's, the update rule."""

    name: str = "standard"
    base_width: int = 0
    base_depth: int = 0
    optimizer: str = "adamw"
    independent_decay: bool = False

    @classmethod
    def of(cls, run: RunConfig) -> "Scheme":
        """The scheme of a run; a base shape that its table does not read is left out."""
        train, rule = run.train, run.optimizer
        about = {"optimizer": rule.name, "independent_decay": rule.independent_decay}
        return cls(train.parametrization, **base_shape(train), **about)


@dataclasses.dataclass(frozen=True)
class Rule:
    """How one kind of tensor is drawn and updated; the last three multiply the optimiser's own settings."""

    mean: float = 0.0
    scale: float = 0.0  # standard deviation before the division by fan_in ** fan_in_exponent
    fan_in_exponent: float = 0.0
    learning_rate: float = 1.0
    weight_decay: float = 1.0
    epsilon: float = 1.0

    def std(self, fan_in: int) -> float:
        """Standard deviation of the initial values of a tensor that sums over `fan_in` inputs."""
        return self.scale * fan_in**-self.fan_in_exponent


@dataclasses.dataclass(frozen=True)
class Forward:
    """Multipliers of the forward pass: of the embedding, of each residual branch, of q.k, and of the logits, those by
    which a place is sent to an expert too."""

    embedding: float
    residual: float
    attention: float
    logits: float


@dataclasses.dataclass(frozen=True)
class Rules:
    """A parametrisation of one model: a Rule per role and the forward multipliers."""

    embedding: Rule
    input: Rule  # the matrix on numbers that a task gives, whose inputs are as many at every width
    input_bias: Rule
    position: Rule
    table: Rule  # vectors of which a product is the output
    hidden: Rule
    plain: Rule  # a hidden layer to whose output nothing is added
    branch_output: Rule
    router: Rule  # to a logit for each expert, of which there are as many at every width
    depthwise: Rule  # kernels of a channel each, whose inputs are as many at every width
    transition: Rule  # the stream itself through a matrix
    head: Rule
    head_bias: Rule
    linear: Rule  # a model without a width
    given: Rule  # what never learns
    norm: Rule
    head_norm: Rule
    final_norm: Rule
    forward: Forward

    def for_path(self, path: Sequence[str]) -> Rule:
        """The rule of the tensor at `path`, names from the root down. Raises ValueError for an unknown name."""
        rule = getattr(self, role(path))
        return dataclasses.replace(rule, mean=0.0) if path[-1] == "bias" else rule


def role(path: Sequence[str]) -> str:
    """The row of the table that holds for the tensor at `path`. Raises ValueError for an unknown name."""
    name = path[-1] if path else ""
    if name not in ROLES:
        raise ValueError(f"parameter {'/'.join(path)!r}: no rule for {name!r}; known: {', '.join(ROLES)}")
    if ROLES[name] == "norm":
        return NORM_ROLES.get(path[-2] if len(path) > 1 else "", "norm")
    return ROLES[name]


def kind(path: Sequence[str]) -> str:
    """The kind of layer in `compute` that the tensor at `path` counts to, `given` where to none.

    Raises ValueError for an unknown name.
    """
    name = role(path)
    return KINDS.get(name, name)


def is_head(path: Sequence[str]) -> bool:
    """Whether the tensor at `path` belongs to the head, which depends on what is predicted."""
    return ROLES.get(path[-1]) in ("head", "head_bias", "linear")


def standard(model: ModelConfig, scheme: Scheme) -> Rules:
    """The usual practice: hidden matrices 1/sqrt(fan_in), and by the root of the number of branches less on what enters
    the residual stream (Radford et al. 2019, section 2.3), 1/sqrt(2 depth) of a transformer; one learning rate for all;
    no decay on norms and biases.

    The residual stream starts at size 1: at width 48, after 240 to 300 steps, that was .06 and .2 nats (free head, two
    seeds) and .4 nats (tied, one seed) better than an embedding of .02. So do the logits: a head of .02 ended .09 nats
    higher at width 32 and .05 at 128 (docs/results/transfer). A tied matrix is the head too, where values of size 1
    would give logits of sqrt(width); so it is drawn smaller and its lookup multiplied back (Vaswani et al. 2017,
    section 3.4).
    """
    family = families.of(model)
    head = SMALL if model.head_init == "small" else 1 / math.sqrt(family.head_inputs(model))
    lookup = math.sqrt(model.width) if model.tie_embeddings else 1.0
    norm, intercept = Rule(mean=1.0, weight_decay=0.0), Rule(weight_decay=0.0)
    return Rules(
        embedding=Rule(scale=1 / lookup),
        input=Rule(scale=1.0, fan_in_exponent=0.5),
        input_bias=intercept,
        position=Rule(scale=0.02),
        table=Rule(scale=math.sqrt(FIRST_PRODUCT) / model.width**0.25),
        hidden=Rule(scale=1.0, fan_in_exponent=0.5),
        plain=Rule(scale=GAINS[model.activation], fan_in_exponent=0.5),
        branch_output=Rule(scale=1 / math.sqrt(max(1, family.branches(model))), fan_in_exponent=0.5),
        router=Rule(scale=SMALL),
        depthwise=Rule(scale=1.0, fan_in_exponent=0.5),
        transition=Rule(scale=1.0, fan_in_exponent=0.5),
        head=Rule(scale=head),
        head_bias=intercept,
        linear=Rule(),
        given=Rule(scale=1.0, fan_in_exponent=0.5, learning_rate=0.0, weight_decay=0.0),
        norm=norm,
        head_norm=norm,
        final_norm=norm,
        forward=Forward(embedding=lookup, residual=1.0, attention=_head_size(model) ** -0.5, logits=1.0),
    )


def mup(model: ModelConfig, scheme: Scheme) -> Rules:
    """Maximal update (Yang and Hu 2021): over width, activations and their changes keep their size.

    Tables 3 and 8 of Tensor Programs V (Yang et al. 2022), in the form with a multiplier on the logits; at the base
    width it is standard's table. Depth is treated as standard does.
    """
    return _scaled(model, scheme, dataclasses.replace(model, width=scheme.base_width))


def completep(model: ModelConfig, scheme: Scheme) -> Rules:
    """CompleteP (Dey et al. 2025, table 1, alpha = 1): over width and depth; at the base shape standard's table."""
    return _scaled(model, scheme, dataclasses.replace(model, width=scheme.base_width, depth=scheme.base_depth))


def _scaled(model: ModelConfig, scheme: Scheme, base: ModelConfig) -> Rules:
    """Standard's table at `base`, carried over to `model`, m times as wide and k times as deep.

    All follows from two sizes a role, relative to the base: that of its gradient, given the forward multipliers 1/m on
    the logits and 1/k on the branches; and that of the change of each entry which keeps the change of what is computed
    at one size: 1/m where m times as many inputs add up. A branch's change needs no 1/k of its own, its multiplier has
    it. Adam moves an entry by its rate, so that is the change, and epsilon goes with the gradient; SGD moves it by its
    rate times the gradient.
    """
    branches = families.of(model).branches
    wider, deeper = model.width / base.width, max(1, branches(model)) / max(1, branches(base))
    more_heads = head_count(model) / head_count(base)
    outside, inside = 1 / wider, 1 / (wider * deeper)  # of the blocks
    # Heads that share a scale add up as random numbers do: with 16 times as many, 32 to 512 wide, the gradient of a
    # scale fell as m^-.2 to m^-.6 over 100 steps (m^-.5 at the first), trained together with all else (SGD and AdamW,
    # three seeds). With larger heads it falls as m^-1.5 at first, but as m^-1 from step 30 on, and that is what counts.
    shared = inside * math.sqrt(more_heads)
    gradients = {"hidden": inside, "branch_output": inside, "norm": inside, "head_norm": shared}
    # A router's logits have the head's multiplier, and what a place loses by its probability the branch's.
    gradients |= {"depthwise": inside, "router": inside}
    gradients |= {"head_bias": 1.0, "linear": 1.0}  # nothing shrinks what they see
    changes: dict[str, float] = dict.fromkeys(("hidden", "plain", "branch_output", "transition"), 1 / wider)
    table = standard(base, scheme)

    def carried(role: str) -> Rule:
        rule, gradient, change = getattr(table, role), gradients.get(role, outside), changes.get(role, 1.0)
        rate = change / gradient if scheme.optimizer == "sgd" else change
        # rate x decay stays: what is forgotten in a step does not depend on the size (Dey et al. 2025, section 4)
        decay = rule.weight_decay if scheme.independent_decay else rule.weight_decay / rate
        return dataclasses.replace(rule, learning_rate=rule.learning_rate * rate, weight_decay=decay, epsilon=gradient)

    forward = dataclasses.replace(
        table.forward,
        residual=table.forward.residual / deeper,
        attention=table.forward.attention * _head_size(base) / _head_size(model),  # 1/d_head, not its root
        logits=table.forward.logits / wider,
    )
    rows = [field.name for field in dataclasses.fields(Rules) if field.name != "forward"]
    return Rules(**{row: carried(row) for row in rows}, forward=forward)


def _head_size(model: ModelConfig) -> float:
    """Of a base too, which nobody trains: heads need not divide its width."""
    return model.width / head_count(model)


TABLES: dict[str, Callable[[ModelConfig, Scheme], Rules]] = {"standard": standard, "mup": mup, "completep": completep}


def rules(scheme: Scheme, model: ModelConfig) -> Rules:
    """The table of a scheme for `model`, whose width and depth must be set. Raises ConfigError for a wrong name."""
    if scheme.name not in TABLES:
        allowed = ", ".join(TABLES)
        raise ConfigError(f"train.parametrization: {scheme.name!r}; allowed: {allowed}{nearest(scheme.name, TABLES)}")
    return TABLES[scheme.name](model, scheme)
