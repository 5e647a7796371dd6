"""Traced programs from disk against those traced afresh."""

import errno
import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from scaling_laws import spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.train import exports, tracing
from scaling_laws.train.functions import DataForms
from scaling_laws.train.layout import Layout
from scaling_laws.train.programs import keep_compiled
from scaling_laws.train.shape import Shape

SMALL = {"model.width": 8, "model.head_dim": 4, "model.depth": 1, "task.context": 16, "train.batch_size": 4}


def forms(train, dtype="uint8"):
    return DataForms((("tokens", (train,), dtype),), (("tokens", (300,), dtype),))


TEXTS = forms(500)


def shape_of(**changes):
    return Shape.of(replace(RunConfig(), SMALL | changes), spec.text(64, 16))


@pytest.fixture
def folder(tmp_path):
    before = jax.config.jax_compilation_cache_dir
    keep_compiled(tmp_path)
    yield tmp_path / exports.FOLDER
    jax.config.update("jax_compilation_cache_dir", before)


def untraceable(*_):
    raise AssertionError("traced again")


def test_what_was_kept_is_not_traced_again_and_does_the_same(folder, monkeypatch):
    shape, layout = shape_of(), Layout(2, "vmap")
    fresh = tracing.functions(shape, layout, TEXTS)
    exports.functions(shape, layout, TEXTS)
    assert [path.name for path in folder.iterdir()] == [exports.key(shape, layout, TEXTS)]
    monkeypatch.setattr(tracing, "functions", untraceable)
    kept = exports.functions(shape, layout, TEXTS)
    assert kept.template == fresh.template
    assert jax.tree.structure(kept.advance_arguments) == jax.tree.structure(fresh.advance_arguments)
    rng = np.random.default_rng(0)
    params, numbers, _, starts_B = fresh.losses_arguments
    params = {name: rng.standard_normal(leaf.shape).astype(leaf.dtype) for name, leaf in params.items()}
    text_T = rng.integers(0, 64, 300).astype(np.uint8)
    numbers = {name: np.zeros(leaf.shape, leaf.dtype) for name, leaf in numbers.items()}
    given = (params, numbers, {"tokens": text_T}, np.arange(*starts_B.shape, dtype=np.int32))
    jax.tree.map(np.testing.assert_array_equal, jax.jit(kept.losses)(*given), jax.jit(fresh.losses)(*given))


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-1], lambda data: data[:100] + bytes([data[100] ^ 1]) + data[101:], lambda _: b""]
)
def test_a_damaged_file_is_traced_anew(folder, damage, monkeypatch):
    shape = shape_of()
    exports.functions(shape, Layout(), TEXTS)
    (path,) = folder.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    with monkeypatch.context() as patch:
        patch.setattr(tracing, "functions", untraceable)
        with pytest.raises(AssertionError, match="traced again"):
            exports.functions(shape, Layout(), TEXTS)
    exports.functions(shape, Layout(), TEXTS)
    assert [each.name for each in folder.iterdir()] == [path.name]
    monkeypatch.setattr(tracing, "functions", untraceable)
    exports.functions(shape, Layout(), TEXTS)


def test_a_disk_that_refuses_only_costs_the_tracing(folder, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    assert exports.functions(shape_of(), Layout(), TEXTS).template
    assert list(folder.iterdir()) == []


def test_the_key_tells_forms_texts_layouts_and_sources_apart(monkeypatch):
    base = (shape_of(), Layout(), TEXTS)
    others = [
        (shape_of(**{"model.depth": 2}), Layout(), TEXTS),
        (shape_of(), Layout(2, "map"), TEXTS),
        (shape_of(), Layout(), forms(501)),
        (shape_of(), Layout(), forms(500, "uint16")),
    ]
    keys = {exports.key(*each) for each in [base, *others]}
    monkeypatch.setattr(exports, "sources", lambda: "changed")
    assert len(keys | {exports.key(*base)}) == len(others) + 2


PROGRAM = f"""
import sys
from pathlib import Path
from scaling_laws import spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.train import loop, placement
from scaling_laws.train.functions import DataForms
from scaling_laws.train.layout import Layout
from scaling_laws.train.programs import keep_compiled
from scaling_laws.train.shape import Shape
keep_compiled(Path(sys.argv[1]))
placement.place(Shape.of(replace(RunConfig(), {SMALL!r}), spec.text(64, 16)), Layout(), {TEXTS!r})
print(*(name for name in ("flax", "optax", "orbax.checkpoint", "tensorboard") if name in sys.modules))
"""


def test_a_worker_whose_programs_are_kept_imports_neither_flax_nor_optax(folder):
    words = [sys.executable, "-c", PROGRAM, str(folder.parent)]
    runs = [subprocess.run(words, capture_output=True, text=True, check=True).stdout.split() for _ in range(2)]
    assert runs == [["flax", "optax"], []]
