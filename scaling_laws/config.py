"""The configuration: frozen dataclasses whose fields know their range (`fields`), and what makes a run's identity.

Fields with `identity=False` change how a run is executed, never what it computes; they stay out of the run's identity.
No JAX here: planning, `--help` and the analysis side import this module for nothing.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from scaling_laws.fields import MOST_VALUES as MOST_VALUES
from scaling_laws.fields import ConfigError as ConfigError
from scaling_laws.fields import allowed as allowed
from scaling_laws.fields import check_fields as check_fields
from scaling_laws.fields import field_types as field_types
from scaling_laws.fields import leaves as leaves
from scaling_laws.fields import nearest as nearest
from scaling_laws.fields import replace as replace
from scaling_laws.fields import said as said
from scaling_laws.fields import setting
from scaling_laws.techniques import distillation, pruning, quantization, regularisation, section
from scaling_laws.techniques.augmentation import AugmentConfig as AugmentConfig
from scaling_laws.techniques.boosting import BoostConfig as BoostConfig
from scaling_laws.techniques.distillation import DistillConfig as DistillConfig
from scaling_laws.techniques.pruning import PruneConfig as PruneConfig
from scaling_laws.techniques.quantization import QuantizeConfig as QuantizeConfig
from scaling_laws.techniques.regularisation import RegulariseConfig as RegulariseConfig
from scaling_laws.techniques.transfer import TransferConfig as TransferConfig

# what a parametrisation reads of its base shape
BASES = {"standard": (), "mup": ("base_width",), "completep": ("base_width", "base_depth")}
OWN_SETTING = "optimizer.learning_rate"  # where a rate comes from that no rule has set
TASKS = ("text", "images", "table", "ratings", "labelled_text", "series", "audio", "power_law", "zipf", "manifold")
FAMILIES = ("transformer", "mlp", "convnet", "vit", "recommender", "features", "memoriser")
CONVOLUTIONS = ("standard", "separable")
AXIS = 0  # the value of `model.width` or `model.depth` that leaves it to the sweep's axis


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What is trained. Width and depth are independent; 0 leaves either to the sweep's axis."""

    family: str = setting("transformer", "what a width and a depth mean", choices=FAMILIES)
    width: int = setting(64, "residual width, channels, hidden units or rank; 0: from sweep.widths", low=0, high=65536)
    depth: int = setting(
        2,
        "number of blocks or hidden layers; 0: in a sweep from sweep.depths, else none: a linear model (mlp), a matrix "
        "factorisation (recommender)",
        low=0,
        high=1024,
    )
    head_dim: int = setting(16, "size of an attention head; the head count follows", low=1, high=1024)
    n_heads: int = setting(0, "number of heads; 0: width / head_dim", low=0, high=1024)
    norm: str = setting("rms", "normalisation before each branch and before the head", choices=("rms", "layer"))
    positions: str = setting("rotary", "how a token learns its place", choices=("rotary", "learned"))
    mlp: str = setting("gelu", "feed-forward branch", choices=("gelu", "swiglu"))
    mlp_ratio: float = setting(4.0, "hidden width of the feed-forward branch over width", low=0.25, high=16)
    experts: int = setting(
        1, "feed-forward branches a block, of which a router sends each place to one", low=1, high=256
    )
    capacity: float = setting(
        1.25,
        "experts: places of a window that each takes at most, over an equal share; the branch skips what is left",
        low=0.01,
        high=256,
    )
    balance: float = setting(0.01, "experts: weight of the loss by which a router spreads places", low=0, high=1e3)
    qk_norm: bool = setting(False, "normalise queries and keys per head, with learned scales")
    tie_embeddings: bool = setting(False, "the head reuses the embedding matrix")
    slim: float = setting(
        1.0,
        "share of each block's heads and hidden units, or of a convnet's inner channels, that is there at all",
        low=0.001,
        high=1,
    )
    activation: str = setting("relu", "mlp, convnet, recommender, features", choices=("relu", "gelu", "tanh"))
    bias: bool = setting(True, "mlp, recommender: intercepts")
    residual: bool = setting(True, "mlp: hidden layers after the first add to what they see")
    convolution: str = setting(
        "standard", "convnet: full kernels, or a kernel a channel and a product over channels", choices=CONVOLUTIONS
    )
    patch: int = setting(4, "vit: side of the squares that a picture is cut into", low=1, high=256)
    head_init: str = setting(
        "fan_in",
        "standard deviation of an untied head's first values: 1/sqrt(width), or small: .02 at every width",
        choices=("fan_in", "small"),
        neutral="small",
    )
    auxiliary: str = setting(
        "none",
        "a second head that learns from the same numbers: next, the token after the next one of a text; inputs, the "
        "input itself (mlp, convnet, vit)",
        choices=("none", "next", "inputs"),
    )
    dtype: str = setting("float32", "dtype of the products; parameters stay float32", choices=("float32", "bfloat16"))
    remat: bool = setting(False, "recompute each block in the backward pass")
    layers: str = setting(
        "auto", "python loop or lax.scan; auto scans from 12 on", choices=("auto", "unrolled", "scanned")
    )


@dataclasses.dataclass(frozen=True)
class TaskConfig:
    """Data and loss."""

    name: str = setting("text", "which task", choices=TASKS)
    path: str = setting(
        "",
        "what is read; empty: what the task ships. text: `sotu`, a file or a folder of text. images: `digits`, "
        "`fashion_mnist`, a folder of IDX files, or one with a folder of pictures a class. table: `breast_cancer`, "
        "`wine`, `iris`, `diabetes`, `houses`, `fraud`, `toy_classes`, `toy_line`, or a CSV. ratings, "
        "labelled_text, series: a CSV. audio: a folder with a folder of WAV files a class",
        neutral="",
    )
    tokenizer: str = setting("bytes", "bytes, or byte-pair merges trained on the train split", choices=("bytes", "bpe"))
    vocab_size: int = setting(256, "vocabulary; 256 exactly for bytes", low=256, high=65536)
    context: int = setting(128, "tokens a window", low=8, high=65536)
    split_seed: int = setting(0, "which documents are held out", low=0, high=2**31 - 1)
    valid_fraction: float = setting(
        0.05, "share of the bytes or examples for the curve's evaluation", low=0.001, high=0.4
    )
    heldout_fraction: float = setting(
        0.1, "share of the bytes or examples for the final evaluation", low=0.001, high=0.4
    )
    folds: int = setting(
        0, "cross-validation: equal shares, one of which is held out; 0: by the fractions", low=0, high=1000
    )
    fold: int = setting(0, "which of the folds is held out, from 0", low=0, high=999)
    target: str = setting("", "table, series, labelled_text: the column that is predicted; empty: what the file ships")
    ignore: str = setting("", "table: columns that are left out, separated by commas")
    loss: str = setting(
        "auto",
        "table, images, audio: auto takes classes for words and for few whole numbers, else a number",
        choices=("auto", "cross_entropy", "squared_error"),
    )
    impute: str = setting(
        "median",
        "table: what a missing number becomes (from the train split; a missing word is a word of its own), or refuse",
        choices=("median", "mean", "zero", "refuse"),
    )
    standardise: bool = setting(
        True, "all but text: numbers, targets too, to mean 0 and deviation 1 of the train split"
    )
    balance: bool = setting(False, "classes weighted by one over their share of the train split")
    examples: int = setting(0, "data that are generated: how many examples; 0: as the task has it", low=0, high=1 << 30)
    noise: float = setting(
        0.0,
        "data that are generated: standard deviation of what cannot be learnt; 0: as the task has it",
        low=0,
        high=1e6,
    )
    rank: int = setting(4, "ratings that are generated: true rank", low=1, high=4096)
    alpha: float = setting(1.0, "power_law, zipf: exponent a of the inputs' spectrum", low=0.01, high=100)
    beta: float = setting(0.25, "power_law: exponent b of the target", low=0.01, high=100)
    dimension: int = setting(4, "manifold: its dimension", low=1, high=4096)


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """The update rule. Numbers here are arguments of the compiled step, so a new value compiles nothing."""

    name: str = setting("adamw", "update rule", choices=("adam", "adamw", "sgd"))
    learning_rate: float = setting(3e-3, "peak rate; in a sweep the rule of sweep.lr_* replaces it", low=0, high=1e3)
    weight_decay: float = setting(
        0.0, "decoupled decay, multiplied by the rate; norms and biases exempt", low=0, high=1e3
    )
    independent_decay: bool = setting(False, "decay follows the schedule alone, not the peak rate")
    beta1: float = setting(0.9, "Adam: decay of the first moment", low=0, high=0.99999)
    beta2: float = setting(0.95, "Adam: decay of the second moment", low=0, high=0.999999)
    epsilon: float = setting(1e-8, "Adam: added to the root", low=0, high=1)
    momentum: float = setting(0.9, "SGD: momentum", low=0, high=0.99999)
    nesterov: bool = setting(False, "SGD: look ahead")
    clip_norm: float = setting(1.0, "global gradient norm is clipped to this; 0: never", low=0, high=1e6)
    schedule: str = setting("cosine", "shape of the rate over the run", choices=("constant", "cosine", "wsd"))
    warmup: float = setting(0.05, "share of the run with linear warm-up", low=0, high=1)
    warmup_steps: int = setting(
        0,
        "steps of linear warm-up, whatever the horizon; 0: optimizer.warmup. With wsd, runs that differ in train.steps "
        "alone are then branches of one trunk",
        low=0,
        high=1 << 22,
    )
    cooldown: float = setting(0.2, "wsd: share of the run with the final decay", low=0, high=1)
    final_lr: float = setting(0.0, "rate at the horizon over peak rate", low=0, high=1)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """One run: how much, from which seeds, and what is watched on the way."""

    parametrization: str = setting(
        "completep",
        "rules for initialisation, rates and multipliers; with mup the best rate holds over width, with completep over "
        "width and depth",
        choices=("standard", "mup", "completep"),
        neutral="standard",
    )
    base_width: int = setting(
        64, "mup, completep: width at which the rules are standard's", low=0, high=65536, neutral=0
    )
    base_depth: int = setting(2, "completep: depth at which the rules are standard's", low=0, high=1024, neutral=0)
    batch_size: int = setting(16, "windows a step", low=1, high=1 << 20)
    steps: int = setting(
        1000, "optimiser steps: the horizon of the schedule; set by the budget in a sweep", low=2, high=1 << 40
    )
    seed: int = setting(0, "initialisation", low=0, high=2**31 - 1)
    data_seed: int = setting(0, "order of the data", low=0, high=2**31 - 1)
    bag: int = setting(
        0,
        "seed of a bootstrap sample of the train split, examples or windows, that the run reads in its place; 0: none",
        low=0,
        high=2**31 - 1,
    )
    folds: int = setting(
        0,
        "examples: equal parts of the train split, one of which the run does not read; 0: it reads all",
        low=0,
        high=1000,
    )
    fold: int = setting(0, "which of them, from 0", low=0, high=999)
    eval_tokens: int = setting(131072, "held-out tokens of the final loss", low=256, high=1 << 40)
    average: str = setting(
        "none",
        "also evaluate an average of the parameters: exponential over all steps, or plain over the last ones",
        choices=("none", "ema", "window"),
    )
    ema_decay: float = setting(0.99, "ema: decay a step", low=0, high=0.999999)
    average_window: float = setting(0.1, "window: share of the run that is averaged", low=0, high=1)
    average_every: int = setting(1, "window: steps between two parameters that are averaged", low=1, high=1 << 22)
    curve_points: int = setting(20, "log-spaced points of the training curve", low=2, high=10000, identity=False)
    curve_eval_tokens: int = setting(16384, "validation tokens a curve point", low=256, high=1 << 40, identity=False)
    steps_per_dispatch: int = setting(50, "optimiser steps a dispatch", low=1, high=100000, identity=False)
    accumulation: int = setting(
        0,
        "parts of a batch whose gradients are summed; 0: as suits the caches of a CPU, one elsewhere",
        low=0,
        high=1 << 20,
        identity=False,
    )
    backend: str = setting("jit", "how devices share a batch", choices=("jit", "pmap"), identity=False)
    data_devices: int = setting(1, "devices that each take a share of the windows", low=1, high=1 << 16, identity=False)
    fsdp_devices: int = setting(
        1, "the same, each also keeping a slice of every large tensor", low=1, high=1 << 16, identity=False
    )
    checkpoint_seconds: float = setting(30.0, "seconds between checkpoints; 0: none", low=0, high=1e6, identity=False)
    keep_parameters: bool = setting(
        False, "a finished run leaves its last parameters in the workdir, under parameters/", identity=False
    )
    z_loss: float = setting(0.0, "weight of ln(Z)^2 in the training objective, Z the softmax' sum", low=0, high=1e3)
    auxiliary_weight: float = setting(
        0.3, "weight of the loss of model.auxiliary in the training objective", low=0, high=1e3
    )
    stop_loss: float = setting(
        20.0, "a training loss above this, or not finite, ends the run as diverged", low=1, high=1e9
    )


@dataclasses.dataclass(frozen=True)
class RunConfig:
    """Everything that determines one run."""

    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    task: TaskConfig = dataclasses.field(default_factory=TaskConfig)
    optimizer: OptimizerConfig = dataclasses.field(default_factory=OptimizerConfig)
    train: TrainConfig = dataclasses.field(default_factory=TrainConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    regularise: RegulariseConfig = dataclasses.field(default_factory=RegulariseConfig)
    prune: PruneConfig = dataclasses.field(default_factory=PruneConfig)
    quantize: QuantizeConfig = dataclasses.field(default_factory=QuantizeConfig)
    transfer: TransferConfig = dataclasses.field(default_factory=TransferConfig)
    distill: DistillConfig = dataclasses.field(default_factory=DistillConfig)
    boost: BoostConfig = dataclasses.field(default_factory=BoostConfig)


@dataclasses.dataclass(frozen=True)
class SweepConfig:
    """A family over width and depth at fixed compute budgets; see scaling_laws.sweep.plan."""

    budgets: tuple[float, ...] = setting(
        (1e11, 2e11, 4e11, 8e11), "training FLOPs of each IsoFLOP group", low=1e4, high=1e30
    )
    steps: tuple[int, ...] = setting(
        (),
        "optimiser steps, in place of budgets: every shape for so many each, a grid over N and D; none: budgets",
        low=2,
        high=1 << 40,
    )
    widths: tuple[int, ...] = setting((16, 24, 32, 48, 64), "widths tried", low=1, high=65536)
    depths: tuple[int, ...] = setting((2,), "depths tried; with aspect_ratio: limits", low=0, high=1024)
    aspect_ratio: float = setting(
        0.0, "width / depth: depth follows from width; 0: the full grid width x depth", low=0, high=4096
    )
    shapes_per_budget: int = setting(0, "keep this many shapes nearest the budget's centre; 0: all", low=0, high=1000)
    center: float = setting(0.0, "N at the centre of a budget of 1e12 FLOPs, for shapes_per_budget", low=0, high=1e15)
    center_exponent: float = setting(0.5, "how that centre grows with the budget", low=0, high=1.5)
    seeds: tuple[int, ...] = setting((0,), "seeds of every shape", low=0, high=2**31 - 1)
    extra_seeds: tuple[int, ...] = setting((), "further seeds at extra_seed_shapes shapes", low=0, high=2**31 - 1)
    extra_seed_shapes: int = setting(3, "shapes a budget, nearest its centre, that get extra_seeds", low=0, high=1000)
    extra_seed_budgets: int = setting(0, "how many budgets, smallest first, get extra_seeds; 0: all", low=0, high=1000)
    lr_coefficient: float = setting(
        0.0, "rule lr = coefficient N^lr_n_exponent D^lr_d_exponent; 0: optimizer.learning_rate", low=0, high=1e6
    )
    rule: str = setting(
        "",
        "file of python -m analysis.rule: learning rate and batch by what was fitted; empty: lr_* and train.batch_size",
    )
    lr_n_exponent: float = setting(0.0, "exponent of N in the rule", low=-3, high=3)
    lr_d_exponent: float = setting(0.0, "exponent of D in the rule", low=-3, high=3)
    lr_multipliers: tuple[float, ...] = setting(
        (1.0,), "each rate of the rule is tried times these", low=1e-6, high=1e6
    )
    lr_check: bool = setting(
        True, "at each budget's best shape also try half and twice the rate, and extend at an edge"
    )
    lr_max_extensions: int = setting(4, "how often an edge minimum over the rates may extend the grid", low=0, high=20)
    forecast_factor: float = setting(4.0, "held-out budget over the largest fitted one; 0: none", low=0, high=1e6)
    forecast_seeds: tuple[int, ...] = setting((0, 1), "seeds trained at the held-out budget", low=0, high=2**31 - 1)
    max_epochs: float = setting(4.0, "refuse a run that reads the train split more often", low=0.01, high=1e6)
    min_steps: int = setting(50, "refuse a run with fewer optimiser steps", low=2, high=1 << 40)
    workers: int = setting(0, "processes; 0: one a core", low=0, high=4096, identity=False)
    strategy: str = setting(
        "auto",
        "how runs of one shape share a device: processes (one run each), map or vmap (packs), devices (a pack over "
        "them); auto: processes on a CPU, vmap on an accelerator, devices on several, or what a short measurement of a "
        "form finds faster where its runs take minutes",
        choices=("auto", "processes", "map", "vmap", "devices"),
        identity=False,
    )
    pack_size: int = setting(0, "most runs a pack; 0: 32", low=0, high=65536, identity=False)
    stop_seconds: float = setting(
        25.0,
        "after SIGTERM or Ctrl-C, seconds that workers have for their checkpoints before they are ended; Slurm's own "
        "patience is 30",
        low=0,
        high=1e6,
        identity=False,
    )
    hang_seconds: float = setting(
        1800.0,
        "a worker that says nothing for so long is ended and its run tried once more; one that is stepping already "
        "after a minute, or twenty times its longest silence so far; 0: never",
        low=0,
        high=1e6,
        identity=False,
    )


@dataclasses.dataclass(frozen=True)
class ExperimentConfig(RunConfig):
    """A run and the sweep around it: what `--config` names."""

    sweep: SweepConfig = dataclasses.field(default_factory=SweepConfig)


def form(run: RunConfig) -> RunConfig:
    """What runs share that one program can advance together: all but the seeds, the numbers of the optimiser, of the
    techniques, of the balance of experts and of an auxiliary loss, and what they begin from."""
    numbers = [path for path, kind in field_types(run.optimizer, "optimizer.").items() if kind is float]
    averaging = {"train.ema_decay": 0.0, "train.average_window": 0.0, "train.average_every": 1}
    others = {"optimizer.warmup_steps": 0, "train.seed": 0, "train.data_seed": 0}
    others |= {"model.balance": 0.0, "train.auxiliary_weight": 0.0}
    others |= {"train.bag": 0, "train.folds": 0, "train.fold": 0}  # the host's, not a program's
    begun = {"transfer.source": "", "transfer.source_workdir": "", "transfer.new_head": False}
    alike = replace(run, dict.fromkeys(numbers, 0.0) | averaging | others | begun)
    return dataclasses.replace(
        alike,
        augment=section.form(run.augment),
        regularise=regularisation.form(run.regularise),
        prune=pruning.form(run.prune),
        distill=distillation.form(run.distill),
        quantize=quantization.form(run.quantize),
    )


def on_trunk(run: RunConfig) -> bool:
    """Whether the run is a cooldown branch: until its cooldown it is any run of the same settings and more steps."""
    return run.optimizer.schedule == "wsd" and run.optimizer.warmup_steps > 0


def trunk_steps(run: RunConfig) -> int:
    """Steps of a `wsd` run at its full rate, before its cooldown: (1 - cooldown) x steps, rounded down."""
    return min(math.floor((1 - run.optimizer.cooldown) * run.train.steps), run.train.steps - 1)


def warmup_limit(run: RunConfig) -> int:
    """The most `optimizer.warmup_steps` that a run has room for, before its cooldown where it has one."""
    return trunk_steps(run) if run.optimizer.schedule == "wsd" else pruning.horizon(run.prune, run.train.steps)


def base_shape(train: TrainConfig) -> dict[str, int]:
    """`base_width` and `base_depth` as the parametrisation reads them: 0 for one that it does not."""
    read = BASES.get(train.parametrization, ())
    return {name: getattr(train, name) if name in read else 0 for name in BASES["completep"]}


def has_width(model: ModelConfig) -> bool:
    """Whether there is anything that a width could be the width of: a perceptron of depth 0 has no hidden layer."""
    return model.family != "mlp" or model.depth > 0


def head_count(model: ModelConfig) -> int:
    """Number of attention heads before `model.slim`: `n_heads`, or width / head_dim (at least one)."""
    return model.n_heads or max(1, model.width // model.head_dim)


def left(model: ModelConfig, count: int) -> int:
    """Of `count` heads, hidden units or channels those that `model.slim` leaves: to the nearest, at least one."""
    return max(1, math.floor(model.slim * count + 0.5))


def head_size(model: ModelConfig) -> int:
    """Size of one attention head."""
    return model.width // head_count(model)


def non_defaults(config: RunConfig) -> dict[str, Any]:
    """Dotted path -> value of the settings that differ from their neutral values and belong to the identity.

    A value is given in the declared type, so that 1 and 1.0 are one setting. What is not read, a base shape by the
    parametrisation or `head_init` by a tied head, is left out.
    """
    run = run_part(config)
    types = field_types(run)
    unread = {f"train.{name}" for name, size in base_shape(run.train).items() if not size}
    unread |= {"model.head_init"} if run.model.tie_embeddings or not has_width(run.model) else set()
    unread |= set() if has_width(run.model) else {"model.width"}
    unread |= {f"quantize.{name}" for name in quantization.unread(run.quantize)}
    unread |= {f"prune.{name}" for name in pruning.unread(run.prune)}
    return {
        path: float(value) if types[path] is float else value
        for path, field, value in leaves(run)
        if field.metadata["identity"] and value != field.metadata["neutral"] and path not in unread
    }


def of_settings(settings: Mapping[str, Any]) -> RunConfig:
    """The run of which `non_defaults` are these settings, as the column `config` of the runs table has them; settings
    that it left out as unread, or that belong to no identity, are neutral or at their defaults.

    Raises ConfigError for a setting that there is none of.
    """
    neutral = {path: field.metadata["neutral"] for path, field, _ in leaves(RunConfig())}
    return replace(RunConfig(), {**neutral, **settings})


def run_part(config: RunConfig) -> RunConfig:
    """The RunConfig inside an ExperimentConfig; a RunConfig comes back as it is."""
    return RunConfig(**{field.name: getattr(config, field.name) for field in dataclasses.fields(RunConfig)})


def identity(config: RunConfig, corpus_hash: str) -> str:
    """16 hexadecimal digits: hash of the non-default settings and of the corpus' content.

    `task.path` is left out: the content counts, not its place. A field added later with a neutral default
    leaves old identities as they are.
    """
    facts = {path: value for path, value in non_defaults(config).items() if path != "task.path"}
    text = json.dumps([facts, corpus_hash], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def trunk_identity(run: RunConfig, corpus_hash: str) -> str:
    """The identity that runs of one trunk share, that of no horizon; empty where a run is no branch (`on_trunk`)."""
    return identity(replace(run, {"train.steps": 0}), corpus_hash) if on_trunk(run) else ""
