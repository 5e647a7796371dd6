"""The columns of the runs table that are known before a run starts: its settings and its counts."""

import json
from typing import Any

from scaling_laws import config, families
from scaling_laws.compute import Counts
from scaling_laws.config import RunConfig
from scaling_laws.spec import Spec
from scaling_laws.techniques import catalog
from scaling_laws.techniques.quantization import FULL


def describe(
    run: RunConfig,
    counts: Counts,
    *,
    run_id: str,
    spec: Spec,
    unique_tokens: int,
    sampled_tokens: int | None = None,
    corpus_hash: str,
    steps: int | None = None,
) -> dict[str, Any]:
    """Column name -> value, compute in training FLOPs; what came out (status, losses, times) is left to the caller.

    `unique_tokens` is the length of the task's train split, `sampled_tokens` what a sample has of it; `steps`: how many
    were taken where a run ended early. Width and heads are 0 for a model that has none.
    """
    one_pass = config.pass_tokens(run.train, unique_tokens, spec.targets)
    read = one_pass if sampled_tokens is None else sampled_tokens
    tokens = (steps or run.train.steps) * run.train.batch_size * spec.targets
    source = run.transfer.source
    has_heads = "n_heads" in families.of(run.model).reads
    return {
        "run_id": run_id,
        "family": run.model.family,
        "task": run.task.name,
        "trunk": config.trunk_identity(run, corpus_hash),
        "parametrization": run.train.parametrization,
        **config.base_shape(run.train),
        "width": run.model.width if config.has_width(run.model) else 0,
        "depth": run.model.depth,
        "n_heads": config.head_count(run.model) if has_heads else 0,
        "vocab_size": spec.outputs,
        "context": spec.targets,
        "loss_kind": spec.loss,
        "batch_size": run.train.batch_size,
        "steps": run.train.steps,
        "n_params": counts.n_params,
        "n_non_embedding": counts.n_non_embedding,
        "n_effective": counts.n_effective,
        "tokens": tokens,
        "unique_tokens": min(tokens, read),
        "epochs": tokens / one_pass,
        "flops": float(counts.flops_per_token * tokens),
        "flops_6nd": 6.0 * counts.n_params * tokens,
        "flops_non_embedding": float(counts.flops_per_token_non_embedding * tokens),
        "flops_effective": float(counts.flops_per_token_effective * tokens),
        "hardware_flops": float(counts.hardware_flops_per_token * tokens),
        "optimizer": run.optimizer.name,
        "schedule": run.optimizer.schedule,
        "learning_rate": run.optimizer.learning_rate,
        "weight_decay": run.optimizer.weight_decay,
        "seed": run.train.seed,
        "data_seed": run.train.data_seed,
        "source_run": source or None,
        "finetune_tokens": min(tokens, read) if source else None,
        "frozen_params": counts.n_frozen if source else None,
        **_of_technique(run, counts),
        "corpus_hash": corpus_hash,
        "config": json.dumps(config.non_defaults(run), sort_keys=True),
    }


def _of_technique(run: RunConfig, counts: Counts) -> dict[str, Any]:
    technique, strength = catalog.of(run)
    return {
        "technique": technique,
        "strength": strength,
        "n_active": counts.n_active if counts.n_active < counts.n_params else None,
        "experts": run.model.experts,
        "density": 1 - run.prune.sparsity,
        "weight_bits": run.quantize.weight_bits or FULL,
        "activation_bits": run.quantize.activation_bits or FULL,
        "teacher_run": run.distill.teacher or None,
    }
