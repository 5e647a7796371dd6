"""The settings: frozen dataclasses, a section each, whose fields know their range (`fields`). No JAX here.

Fields with `identity=False` change how a run is executed, never what it computes; they stay out of the run's identity.
"""

import dataclasses

from scaling_laws.cluster import ClusterConfig
from scaling_laws.fields import setting
from scaling_laws.techniques.augmentation import AugmentConfig
from scaling_laws.techniques.boosting import BoostConfig
from scaling_laws.techniques.distillation import DistillConfig
from scaling_laws.techniques.pruning import PruneConfig
from scaling_laws.techniques.quantization import QuantizeConfig
from scaling_laws.techniques.regularisation import RegulariseConfig
from scaling_laws.techniques.transfer import TransferConfig

BASES = {"standard": (), "mup": ("base_width",), "completep": ("base_width", "base_depth")}
OWN_SETTING = "optimizer.learning_rate"  # where a rate comes from that no rule has set
TEXTS = ("text", "shards")  # next token
TASKS = (*TEXTS, "images", "table", "ratings", "labelled_text", "series", "audio", "power_law", "zipf", "manifold")
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
        "what is read; empty: what the task ships. text: `sotu`, `python`, a file or a folder of text. shards: a "
        "folder of prepare_corpus. images: `digits`, `fashion_mnist`, a folder of IDX files, or one with a folder of "
        "pictures a class. table: "
        "`breast_cancer`, `wine`, `iris`, `diabetes`, `houses`, `fraud`, `toy_classes`, `toy_line`, or a CSV. ratings, "
        "labelled_text, series: a CSV. audio: a folder with a folder of WAV files a class",
        neutral="",
    )
    tokenizer: str = setting(
        "bytes",
        "bytes, or byte-pair merges trained on the train split; shards: as they were prepared",
        choices=("bytes", "bpe"),
    )
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
    unique_examples: int = setting(
        0,
        "examples of the train split, or windows of a text, that the run reads, epoch after epoch: the same for every "
        "seed, and those of a smaller number among those of a larger; 0: all",
        low=0,
        high=2**31 - 1,
    )
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
    runs: tuple[str, ...] = setting(
        (),
        "runs one by one, each WIDTHxDEPTHxSTEPSxSEED, in place of a grid of widths, depths, budgets or steps, and "
        "seeds; none: a grid",
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
    max_epochs: float = setting(
        4.0, "refuse a run that reads the train split, or its unique examples, more often", low=0.01, high=1e6
    )
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
    cluster: ClusterConfig = dataclasses.field(default_factory=ClusterConfig)
