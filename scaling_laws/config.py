"""The configuration: settings of a run and of a sweep (`settings`), what follows from them, and a run's identity.

No JAX here: planning, `--help` and the analysis side import this module for nothing.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from scaling_laws.cluster import ClusterConfig as ClusterConfig
from scaling_laws.fields import MOST_VALUES as MOST_VALUES
from scaling_laws.fields import ConfigError as ConfigError
from scaling_laws.fields import allowed as allowed
from scaling_laws.fields import check_fields as check_fields
from scaling_laws.fields import field_types as field_types
from scaling_laws.fields import leaves as leaves
from scaling_laws.fields import nearest as nearest
from scaling_laws.fields import replace as replace
from scaling_laws.fields import said as said
from scaling_laws.settings import AXIS as AXIS
from scaling_laws.settings import BASES as BASES
from scaling_laws.settings import CONVOLUTIONS as CONVOLUTIONS
from scaling_laws.settings import FAMILIES as FAMILIES
from scaling_laws.settings import OWN_SETTING as OWN_SETTING
from scaling_laws.settings import TASKS as TASKS
from scaling_laws.settings import TEXTS as TEXTS
from scaling_laws.settings import ExperimentConfig as ExperimentConfig
from scaling_laws.settings import ModelConfig as ModelConfig
from scaling_laws.settings import OptimizerConfig as OptimizerConfig
from scaling_laws.settings import RunConfig as RunConfig
from scaling_laws.settings import SweepConfig as SweepConfig
from scaling_laws.settings import TaskConfig as TaskConfig
from scaling_laws.settings import TrainConfig as TrainConfig
from scaling_laws.techniques import distillation, pruning, quantization, regularisation, section
from scaling_laws.techniques.augmentation import AugmentConfig as AugmentConfig
from scaling_laws.techniques.boosting import BoostConfig as BoostConfig
from scaling_laws.techniques.distillation import DistillConfig as DistillConfig
from scaling_laws.techniques.pruning import PruneConfig as PruneConfig
from scaling_laws.techniques.quantization import QuantizeConfig as QuantizeConfig
from scaling_laws.techniques.regularisation import RegulariseConfig as RegulariseConfig
from scaling_laws.techniques.transfer import TransferConfig as TransferConfig


def form(run: RunConfig) -> RunConfig:
    """What runs share that one program can advance together: all but the seeds, the numbers of the optimiser, of the
    techniques, of the balance of experts and of an auxiliary loss, and what they begin from."""
    numbers = [path for path, kind in field_types(run.optimizer, "optimizer.").items() if kind is float]
    averaging = {"train.ema_decay": 0.0, "train.average_window": 0.0, "train.average_every": 1}
    others = {"optimizer.warmup_steps": 0, "train.seed": 0, "train.data_seed": 0}
    others |= {"model.balance": 0.0, "train.auxiliary_weight": 0.0}
    others |= {"train.bag": 0, "train.folds": 0, "train.fold": 0, "train.unique_examples": 0}  # the host's alone
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


def pass_tokens(train: TrainConfig, whole: int, targets: int) -> int:
    """Targets of one pass over what a run reads of a train split of `whole`, of which an example has `targets`."""
    return train.unique_examples * targets or whole


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
