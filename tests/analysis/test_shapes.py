"""Shapes near a wanted N, against a search over all of them; the family's own count, and the table's shapes."""

import dataclasses

import numpy as np
import pytest
import synthetic

from analysis import shapes
from analysis.load import Runs
from scaling_laws import config, describe, families, spec

FORM = spec.text(256, 64)


def table(rows):
    """Rows of the runs table as columns."""
    return Runs({name: np.array([row[name] for row in rows]) for name in rows[0] if rows[0][name] is not None})


def counted(width, depth):
    run = config.RunConfig()
    model = dataclasses.replace(run.model, width=width, depth=depth, n_heads=1)
    task = dataclasses.replace(run.task, context=FORM.targets, vocab_size=256)
    run = dataclasses.replace(run, model=model, task=task)
    facts = {"run_id": f"{width}x{depth}", "spec": FORM, "unique_tokens": 10**6, "corpus_hash": ""}
    return describe.describe(run, families.count_run(run, FORM), **facts) | {"loss": 5 - 0.001 * width}


@pytest.fixture(scope="module")
def text():
    return table([counted(width, depth) for depth in (2, 4) for width in (16, 32, 48, 64)])


def test_the_familys_count_decides(text):
    model = dataclasses.replace(config.ModelConfig(), depth=4, n_heads=1)
    for wanted in (4e5, 2e6, 5e7):
        found = shapes.shape_at(text, wanted, 1e8)
        assert found.exact
        own = dataclasses.replace(model, width=found.width, depth=found.depth)
        assert found.n_params == families.count(own, FORM).n_params
        assert found.n_params == pytest.approx(wanted, rel=0.15)
        assert found.width % 16 == 0


def test_the_nearest_of_all_widths(text):
    model = dataclasses.replace(config.ModelConfig(), n_heads=1)
    sizes = {
        (width, depth): families.count(dataclasses.replace(model, width=width, depth=depth), FORM).n_params
        for width in range(16, 2048, 16)
        for depth in (2, 4)
    }
    for wanted in np.geomspace(1e4, 3e7, 12):
        found = shapes.shape_at(text, wanted, 1e8)
        miss = {shape: abs(np.log(size / wanted)) for shape, size in sizes.items()}
        assert miss[found.width, found.depth] <= max(min(miss.values()), shapes.NEAR) + 1e-9


def test_steps_at_the_usual_batch(text):
    found = shapes.shape_at(text, 1e6, 1e8)
    batch = int(text["batch_size"][0]) * FORM.targets
    assert found.batch_tokens == batch
    assert found.steps == round(1e8 / batch)


def test_another_table_by_its_own_shapes():
    runs = table([row for row in synthetic.rows() if row["loss"] is not None])
    for wanted in (3e4, 1e5, 4e5):
        found = shapes.shape_at(runs, wanted, 1e8)
        assert not found.exact
        assert found.width % 8 == 0
        assert synthetic.size_of(found.width, found.depth) == pytest.approx(found.n_params, rel=0.03)
        assert found.n_params == pytest.approx(wanted, rel=0.12)
    assert shapes.shape_at(runs, 1e7, 1e8).width > 96  # beyond the widest


def test_tables_without_shapes_have_none():
    runs = Runs({"n_params": np.ones(3), "loss": np.ones(3)})
    assert shapes.shape_at(runs, 1e6, 1e8) is None
    assert shapes.shape_at(table(synthetic.rows()[:5]), float("nan"), 1e8) is None
