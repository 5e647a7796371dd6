"""The run that another learns from, as its row of the runs table tells of it. No JAX here."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scaling_laws import families
from scaling_laws.compute import Counts
from scaling_laws.config import ConfigError, ModelConfig, RunConfig, leaves, of_settings, said
from scaling_laws.parametrization import Scheme
from scaling_laws.spec import Spec
from scaling_laws.train import source

FREE = ("task.path", "task.balance")  # settings of a task that change neither its splits nor its examples
ARRAYS = "teacher/"  # names of a teacher's parameters among the arrays to train on


@dataclasses.dataclass(frozen=True)
class Form:
    """What a program depends on of a teacher."""

    model: ModelConfig
    scheme: Scheme


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A finished run that others learn from."""

    row: Mapping[str, Any]
    form: Form
    counts: Counts


def workdir_of(run: RunConfig, workdir: Path) -> Path:
    """Where the teacher of a run is, which itself is in `workdir`."""
    return Path(run.distill.teacher_workdir or workdir)


def of(run: RunConfig, workdir: Path, spec: Spec, corpus_hash: str) -> Teacher | None:
    """The teacher of a run on a task of this form and content; None where it has none.

    Raises as `source.finished`, and ConfigError where the teacher is rounded or a stage of boosting, has other
    outputs, learnt from other splits of the same data, or from other data, whose outputs mean something else: but for
    the bytes of another text.
    """
    if not run.distill.teacher:
        return None
    row = source.finished("distill.teacher", run.distill.teacher, workdir_of(run, workdir))
    theirs = of_settings(json.loads(row["config"]))
    _check(run, theirs, row, spec, corpus_hash)
    return Teacher(row, Form(theirs.model, Scheme.of(theirs)), families.count(theirs.model, spec))


def _check(run: RunConfig, theirs: RunConfig, row: Mapping[str, Any], spec: Spec, corpus_hash: str) -> None:
    source.check_full("distill.teacher", row["run_id"], theirs)
    what = f"distill.teacher: run {row['run_id']}"
    if theirs.boost.previous:
        raise ConfigError(f"{what} is a stage of boosting, no model by itself; allowed: any other")
    if (row["task"], row["vocab_size"], row["loss_kind"]) != (run.task.name, spec.outputs, spec.loss):
        raise ConfigError(
            f"{what} has {row['vocab_size']} outputs under {row['loss_kind']} of task {row['task']}; allowed: "
            f"{spec.outputs} under {spec.loss} of {run.task.name}"
        )
    if row["corpus_hash"] == corpus_hash:
        context = ("task.context",) if spec.source == "windows" else ()
        given = {path: value for path, _, value in leaves(theirs)}
        for path, _, value in leaves(run):
            if path.startswith("task.") and path not in (*FREE, *context) and value != given[path]:
                raise ConfigError(f"{path}: {said(value)}; allowed: {said(given[path])}, as {what} has it")
    elif spec.source != "windows" or {run.task.tokenizer, theirs.task.tokenizer} != {"bytes"}:
        raise ConfigError(f"{what} is of other data; allowed: of the same, or of any text with task.tokenizer=bytes")
    if theirs.model.positions == "learned" and theirs.task.context != run.task.context:
        raise ConfigError(
            f"task.context: {run.task.context}; allowed: {theirs.task.context}, the learned positions of {what}"
        )
