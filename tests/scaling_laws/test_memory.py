"""The estimate against XLA's own account of compiled programs."""

import numpy as np
import pytest

from scaling_laws import memory, spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.train.functions import DataForms
from scaling_laws.train.layout import Layout
from scaling_laws.train.programs import Programs
from scaling_laws.train.shape import Shape

BASE = {"model.width": 48, "model.depth": 3, "model.n_heads": 3, "task.context": 96, "train.batch_size": 6}
CASES = {
    "one part": {"train.accumulation": 1},
    "two parts": {"train.accumulation": 2},
    "wide": {"model.width": 192, "task.context": 16, "train.accumulation": 1},
    "norms": {"train.accumulation": 1, "model.qk_norm": True, "model.norm": "layer"},
    "scanned": {"train.accumulation": 1, "model.depth": 5, "model.layers": "scanned"},
}

TEXT = {"tokens": np.zeros(500, np.uint8)}


def accounted(run, form, layout):
    """(bytes by XLA's account, parts) of the program that advances a pack."""
    shape = Shape.of(run, form)
    account = Programs(shape, layout, DataForms.of(TEXT, TEXT)).advance_program.memory_analysis()
    lasting = account.argument_size_in_bytes + account.output_size_in_bytes - account.alias_size_in_bytes
    return lasting + account.temp_size_in_bytes, shape.parts


@pytest.mark.parametrize("case", CASES)
def test_within_15_percent_of_the_compilers_account(case):
    run = replace(RunConfig(), BASE | CASES[case])
    form = spec.text(320, run.task.context)
    measured, parts = accounted(run, form, Layout())
    assert memory.estimate(run, form, parts).total == pytest.approx(measured, rel=0.15)


@pytest.mark.parametrize("strategy", ["map", "vmap"])
def test_a_pack_within_20_percent(strategy):
    run = replace(RunConfig(), BASE | {"model.depth": 1, "train.accumulation": 1})
    form = spec.text(256, run.task.context)
    measured, parts = accounted(run, form, Layout(4, strategy))
    assert memory.estimate(run, form, parts, 4, strategy).total == pytest.approx(measured, rel=0.2)


def test_recomputation_of_scanned_blocks_is_counted():
    run = replace(RunConfig(), BASE | {"model.depth": 12, "train.accumulation": 1})
    form = spec.text(256, run.task.context)
    whole, again = memory.estimate(run, form), memory.estimate(replace(run, {"model.remat": True}), form)
    assert whole.state == again.state
    assert whole.work > 4 * again.work


def test_resident_is_above_the_total():
    needed = memory.estimate(replace(RunConfig(), BASE), spec.text(256, 64))
    assert needed.resident > needed.total == needed.state + needed.work
