"""The columns of the runs table and of the curves table: type, unit, meaning, and whether they are a result.

Result columns are what a run found or was: they are compared and hashed. Provenance says where and how fast.
"""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from scaling_laws.config import nearest
from scaling_laws.spec import LOSSES

# 2: init_seconds apart from compile_seconds; 3: spikes, bad_step, good_loss, grad_norm; Parquet sealed;
# 4: own_steps, averaged_loss, averaged_loss_se; trunk filled; lr_source; signs of instability on the curve;
# 5: base_width, base_depth; 6: loss_kind, and the scores beside the loss, accuracy to mean_absolute_error;
# 7: source_run, finetune_tokens, pretrain_flops, frozen_params;
# 8: n_active, experts, density, weight_bits, activation_bits, nonzero_params, teacher_run, extra_flops, model_bytes
VERSION = 8
VERSION_KEY = b"scaling_laws.version"
REQUIRED = object()  # the default of a column that a row must bring along
LOSS_UNIT = "by loss_kind"  # nats/target (a token of a text, else an example: the column context) or squared error
ARROW = {str: pa.string(), int: pa.int64(), float: pa.float64(), list: pa.list_(pa.float64())}


class TableError(ValueError):
    """A row or a file that is no runs table, said in one line: what, where, what is allowed, the nearest right name."""


@dataclasses.dataclass(frozen=True)
class Column:
    """One column. `default` REQUIRED: a row must have it; None: it may be absent; else the value of an absent one."""

    name: str
    type: type
    unit: str
    doc: str
    default: Any = REQUIRED
    role: str = "result"
    choices: tuple[str, ...] = ()

    def field(self) -> pa.Field:
        """The Arrow field, with unit, doc and role in its metadata."""
        metadata = {"unit": self.unit, "doc": self.doc, "role": self.role}
        return pa.field(self.name, ARROW[self.type], metadata=metadata)


def _provenance(name: str, kind: type, unit: str, doc: str, default: Any = None) -> Column:
    return Column(name, kind, unit, doc, default, "provenance")


STATUSES = ("finished", "diverged", "dead", "spiked", "stopped", "failed")
SETTLED = ("finished", "diverged", "dead", "spiked")  # what a run came to; any other status is tried again
PURPOSES = ("grid", "extra_seed", "lr_check", "forecast", "single", "batch", "lr_sweep", "search")
PURPOSES += ("technique", "ensemble")

RUN_COLUMNS = (
    Column("run_id", str, "", "identity: hash of the settings that differ from their defaults and of the corpus"),
    Column("status", str, "", "how the run ended", choices=STATUSES),
    Column("reason", str, "", "why it did not finish", ""),
    Column("purpose", str, "", "why the run was made", choices=PURPOSES),
    Column("family", str, "", "what a width and a depth mean"),
    Column("task", str, "", "data and loss"),
    Column("technique", str, "", "what is studied on top of the baseline, several joined by +", "none"),
    Column(
        "strength",
        float,
        "",
        "strength of the technique (of rounding one over the bits); 0 is neutral; of several the sum",
        0.0,
    ),
    Column("trunk", str, "", "what cooldown branches share: the identity of the run without its horizon", ""),
    Column("parametrization", str, "", "rules for initialisation, rates and multipliers"),
    Column("base_width", int, "", "width at which the parametrisation is standard; 0 where it reads none", 0),
    Column("base_depth", int, "", "depth at which it is; 0 where it reads none", 0),
    Column("width", int, "", "residual width, channels, hidden units, rank or features: by family"),
    Column("depth", int, "", "number of blocks or hidden layers: by family"),
    Column("n_heads", int, "", "attention heads"),
    Column("vocab_size", int, "", "outputs: size of the vocabulary, or classes, or 1 for a number"),
    Column("context", int, "tokens", "targets an example: length of a window, else 1"),
    Column("batch_size", int, "examples", "examples an optimiser step; of a text windows"),
    Column("steps", int, "steps", "optimiser steps planned: the horizon of the schedule, but of runs that are rewound"),
    Column("steps_done", int, "steps", "optimiser steps taken"),
    Column("n_params", int, "parameters", "N: with embedding and head"),
    Column("nonzero_params", int, "parameters", "those of n_params that pruning leaves; flops count all of them", None),
    Column("n_non_embedding", int, "parameters", "N without embedding, positions and head"),
    Column("n_effective", int, "parameters", "N by products a token, attention's included"),
    Column("n_active", int, "parameters", "those of n_params that one place uses, where not all: of experts one", None),
    Column("experts", int, "", "feed-forward branches a block, of which a place takes one", 1),
    Column("density", float, "", "share of the weights that pruning leaves, of those that it is about", 1.0),
    Column("weight_bits", int, "bits", "of the weights that are rounded; 32: none are", 32),
    Column("activation_bits", int, "bits", "of what they multiply; 32: in full precision", 32),
    Column("tokens", int, "tokens", "D: tokens trained on"),
    Column("unique_tokens", int, "tokens", "U: distinct tokens of the train split that were read"),
    Column("epochs", float, "", "passes over the train split, or over train.unique_examples of it"),
    Column(
        "flops", float, "FLOP", "C: dense products of training, forward and backward, counted from the architecture"
    ),
    Column("flops_6nd", float, "FLOP", "6 N D with n_params"),
    Column("flops_non_embedding", float, "FLOP", "C without the head"),
    Column("flops_effective", float, "FLOP", "C by n_effective"),
    Column("budget", float, "FLOP", "C shared by the run's IsoFLOP group", None),
    Column("optimizer", str, "", "update rule"),
    Column("schedule", str, "", "shape of the learning rate over the run"),
    Column("learning_rate", float, "", "peak learning rate"),
    Column("weight_decay", float, "", "decoupled decay, multiplied by the rate"),
    Column("seed", int, "", "seed of the initialisation"),
    Column("data_seed", int, "", "seed of the order of the data"),
    Column("loss_kind", str, "", "unit of losses: nats/target or squared error", LOSSES[0], choices=LOSSES),
    Column("loss", float, LOSS_UNIT, "mean loss on the held-out split after training", None),
    Column("loss_se", float, LOSS_UNIT, "standard error of loss across examples", None),
    Column("bits_per_byte", float, "bits/byte", "held-out loss a byte of text", None),
    # on the held-out split, after training, by tasks.scores
    Column("accuracy", float, "", "share of the examples whose class is predicted", None),
    Column("precision_macro", float, "", "precision, mean over classes", None),
    Column("recall_macro", float, "", "recall, mean over classes", None),
    Column("f1_macro", float, "", "F1, mean over classes", None),
    Column("precision_micro", float, "", "precision of all classes together", None),
    Column("recall_micro", float, "", "recall of all classes together", None),
    Column("f1_micro", float, "", "F1 of all classes together", None),
    Column("pr_auc", float, "", "average precision: of the rarer of two classes, else mean over classes", None),
    Column("roc_auc", float, "", "area under the ROC curve, of two classes", None),
    Column("calibration_error", float, "", "expected calibration error of the predicted class, 15 bins", None),
    Column("brier", float, "", "Brier score: squared error of the probabilities", None),
    Column("r2", float, "", "share of the targets' variance that is explained", None),
    Column("mean_absolute_error", float, "", "mean distance from the targets, in their unit", None),
    Column("eval_tokens", int, "tokens", "held-out tokens behind loss", None),
    Column("averaged_loss", float, LOSS_UNIT, "held-out loss of the averaged parameters (train.average)", None),
    Column("averaged_loss_se", float, LOSS_UNIT, "standard error of averaged_loss across examples", None),
    Column("spikes", int, "steps", "steps whose loss or gradient stood far above those before", 0),
    Column("bad_step", int, "steps", "step at which the run diverged, or its last train of spikes began", None),
    Column("good_loss", float, LOSS_UNIT, "mean training loss before bad_step", None),
    Column("source_run", str, "", "run_id of the run whose last parameters this one began from", None),
    Column("finetune_tokens", int, "tokens", "D_F: distinct tokens that a run with a source was trained on", None),
    Column("pretrain_flops", float, "FLOP", "C of the runs behind it: source, teacher, theirs; flops is its own", None),
    Column("frozen_params", int, "parameters", "those of n_params that rest as the source has them", None),
    Column("teacher_run", str, "", "run_id of the run whose outputs this one learnt from", None),
    Column(
        "extra_flops",
        float,
        "FLOP",
        "FLOPs beside flops that a technique needs in training: a teacher's forward passes, the other members of an "
        "ensemble",
        None,
    ),
    Column("model_bytes", int, "bytes", "of a model with rounded weights, as it would be stored", None),
    Column("corpus_hash", str, "", "hash of the raw content: documents, or examples"),
    Column("config", str, "", "JSON text of the settings that differ from their neutral values"),
    # not a result: one run may be asked for in several ways
    _provenance(
        "lr_source", str, "", "what set learning rate and batch: a setting, or a rule and what it rests on", ""
    ),
    # not a result: where the curve is read decides what it averages over
    _provenance("train_loss", float, LOSS_UNIT, "mean training loss between the last two points of the curve"),
    _provenance("own_steps", int, "steps", "steps_done without those that came with a checkpoint of its trunk"),
    _provenance("hardware_flops", float, "FLOP", "flops and what rematerialisation computes again"),
    _provenance("xla_flops", float, "FLOP", "XLA's total: elementwise work too, but a scan over layers counts once"),
    _provenance("wall_seconds", float, "s", "from start to row, compiling and evaluation included"),
    _provenance("compile_seconds", float, "s", "tracing and compiling, or loading what was compiled before"),
    _provenance("init_seconds", float, "s", "initialising, and placing state and data"),
    _provenance("step_seconds", float, "s", "spent in optimiser steps, own_steps of them"),
    _provenance("eval_seconds", float, "s", "spent in evaluation"),
    _provenance("tokens_per_second", float, "tokens/s", "tokens of own_steps over step_seconds"),
    _provenance("device", str, "", "kind of the device"),
    _provenance("backend", str, "", "cpu, gpu or tpu"),
    _provenance("n_devices", int, "devices", "devices the run was spread over"),
    _provenance("jax_version", str, "", "version of JAX"),
    _provenance("python_version", str, "", "version of Python"),
    _provenance("source_revision", str, "", "revision of the source"),
    _provenance("worker", str, "", "which process trained it"),
    _provenance("started_at", str, "ISO 8601, UTC", "when the run started"),
    _provenance("resumed", int, "", "how often the run was resumed from a checkpoint", 0),
)

CURVE_COLUMNS = (
    Column("run_id", str, "", "the run this point belongs to"),
    Column("step", int, "steps", "optimiser steps taken"),
    Column("tokens", int, "tokens", "tokens trained on so far"),
    Column("flops", float, "FLOP", "training FLOPs so far"),
    Column("learning_rate", float, "", "learning rate of the step"),
    Column("train_loss", float, LOSS_UNIT, "mean training loss since the last point", None),
    Column("grad_norm", float, "", "mean norm of the gradient, before clipping, since the last point", None),
    Column("loss", float, LOSS_UNIT, "loss on the validation split", None),
    Column("logit_mean", float, "", "mean of the output logits, over a sample of the validation examples", None),
    Column("attention_logits", list, "", "largest attention logit of each block, over the same sample", None),
    Column("layer_grad_norms", list, "", "norm of the gradient at this step: embedding, each block, head", None),
    Column("layer_update_ratios", list, "", "norm of the step's update over that of the parameters, likewise", None),
)


def _schema(columns: tuple[Column, ...]) -> pa.Schema:
    return pa.schema([column.field() for column in columns], metadata={VERSION_KEY: str(VERSION).encode()})


ABSENT = {column.name: column.default for column in RUN_COLUMNS if column.default is not REQUIRED}
DEFAULTS = {name: value for name, value in ABSENT.items() if value is not None}
RUNS = _schema(RUN_COLUMNS)
CURVES = _schema(CURVE_COLUMNS)


def result_columns(schema: pa.Schema = RUNS) -> list[str]:
    """Names of the columns that are results, not provenance, in order."""
    return [field.name for field in schema if (field.metadata or {}).get(b"role") == b"result"]


def checked(row: Mapping[str, Any], columns: tuple[Column, ...], where: str) -> dict[str, Any]:
    """The row as plain Python values, in the order of the columns, absent ones at their defaults.

    A number that is not finite becomes None where the column may be absent: a diverged run has no loss.
    Raises TableError on an unknown or missing column, a wrong type, or a value outside the choices.
    """
    if not row.keys() <= {column.name for column in columns}:
        check_names(row, [column.name for column in columns], where)
    return {column.name: _value(row.get(column.name, column.default), column, where) for column in columns}


def check_version(version: Any, where: str) -> None:
    """Raises TableError when a table's `version` is no number, or newer than this program's."""
    if not isinstance(version, int):
        raise TableError(f"{where}: its version is no whole number; allowed: 1 to {VERSION}")
    if version > VERSION:
        raise TableError(f"{where}: version {version} of the runs table; this program reads up to {VERSION}, update it")


def check_names(given: Any, allowed: list[str], where: str) -> None:
    """Raises TableError when one of the `given` names is not `allowed`, with the nearest that is."""
    for name in given:
        if name not in allowed:
            raise TableError(f"{where}: no column {name!r}{nearest(str(name), allowed)}")


def _value(value: Any, column: Column, where: str) -> Any:
    if type(value) is column.type and not column.choices and _is_plain(value):
        return value
    if value is REQUIRED and column.default is REQUIRED:
        raise TableError(f"{where}: column {column.name!r} is missing; a row needs it ({column.doc})")
    if value is None and column.default is None:
        return None
    plain = _plain(value, column.type)
    if plain is None:
        kind = {str: "text", int: "a whole number", float: "a number", list: "a list of numbers"}[column.type]
        raise TableError(f"{where}: {column.name} is {value!r}, a {type(value).__name__}; allowed: {kind}")
    if column.choices and plain not in column.choices:
        raise TableError(
            f"{where}: {column.name} is {value!r}; allowed: {', '.join(column.choices)}{nearest(plain, column.choices)}"
        )
    if column.type is float and not math.isfinite(plain):
        if column.default is None:
            return None
        raise TableError(f"{where}: {column.name} is {value!r}; allowed: a finite number")
    return plain


def _is_plain(value: Any) -> bool:
    """Whether a str, int, float or list is at once what `_plain` would make of it, and finite: nearly all are."""
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(type(item) is float and math.isfinite(item) for item in value)
    return type(value) is str or -(2**63) <= value < 2**63


def _plain(value: Any, kind: type) -> Any:
    """`value` as Python's own str, int (of 64 bits), float or list of floats (None where not finite), NumPy's scalars
    included; None when it is not one."""
    if kind is str:
        return str(value) if isinstance(value, str) else None
    if kind is list:
        return _plain_list(value)
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    if kind is int:
        whole = int(value) if isinstance(value, numbers.Integral) else None
        return whole if whole is not None and -(2**63) <= whole < 2**63 else None
    return float(value)


def _plain_list(value: Any) -> list[float | None] | None:
    if not isinstance(value, list):
        return None
    items = [None if item is None else _plain(item, float) for item in value]
    if any(item is None and given is not None for item, given in zip(items, value, strict=True)):
        return None
    return [item if item is not None and math.isfinite(item) else None for item in items]
