"""Counts of fine-tuning, where layers rest, against the traced training step and the parameters themselves."""

import dataclasses

import jax
import pytest

from scaling_laws import families, hyper, spec
from scaling_laws.config import RunConfig, replace
from scaling_laws.models import convolution
from scaling_laws.models.traced import product_flops
from scaling_laws.spec import Spec
from scaling_laws.train import resting
from scaling_laws.train.shape import Shape
from scaling_laws.train.step import Step

VECTORS, PICTURES, TEXT = Spec("vector", (10,), 3), Spec("image", (8, 8, 3), 5), spec.text(24, 12)
MLP = {"family": "mlp", "width": 6, "depth": 4}
BLOCKS = {"width": 16, "depth": 3, "head_dim": 8}
VIT = BLOCKS | {"family": "vit", "patch": 4}
CONVNET = {"family": "convnet", "width": 4, "depth": 2}
EVERYWHERE = ("embedding", 1, "body")
CASES = [
    *((MLP, VECTORS, part) for part in (*EVERYWHERE, 3)),
    *((MLP | {"depth": 1, "bias": False, "residual": False}, VECTORS, part) for part in ("embedding", "body")),
    *((BLOCKS, TEXT, part) for part in (*EVERYWHERE, 3)),
    (BLOCKS | {"norm": "layer", "qk_norm": True, "mlp": "swiglu", "positions": "learned"}, TEXT, 2),
    *((BLOCKS | {"remat": True}, TEXT, part) for part in EVERYWHERE),
    *((BLOCKS | {"layers": "scanned", "remat": True}, TEXT, part) for part in ("embedding", "body")),
    *((VIT, PICTURES, part) for part in (*EVERYWHERE, 3)),
    *((CONVNET, PICTURES, part) for part in (*EVERYWHERE, 2, 3, 6)),
    (CONVNET | {"convolution": "separable", "norm": "layer"}, PICTURES, 2),
]
B = 2


def run_of(model, part):
    frozen = {"frozen": part} if isinstance(part, str) else {"frozen": "blocks", "frozen_blocks": part}
    changes = {f"model.{name}": value for name, value in model.items()} | {"train.batch_size": B}
    changes |= {f"transfer.{name}": value for name, value in (frozen | {"source": "0" * 16}).items()}
    return replace(RunConfig(), changes)


def batch(form):
    if form.source == "windows":
        return {"tokens": jax.ShapeDtypeStruct((99,), "uint8")}
    return {"inputs": jax.ShapeDtypeStruct((9, *form.shape), "float32"), "targets": jax.ShapeDtypeStruct((9,), "int32")}


@pytest.mark.parametrize("model, form, part", CASES)
def test_counts_equal_the_traced_step_and_the_parameters(monkeypatch, model, form, part):
    """Separable kernels are traced as the grouped convolutions of accelerators: a CPU's shifted products are none."""
    monkeypatch.setattr(convolution, "on_cpu", lambda _: model.get("convolution") != "separable")
    run = run_of(model, part)
    step, counts = Step(Shape.of(run, form)), families.count_run(run, form)
    params = step.abstract_state()["params"]
    still, learning = resting.split(step.shape.frozen, params)

    def traced(learning, still, data, starts):
        return step._loss_and_gradients(learning, hyper.hyperparameters(run), data, starts, still=still)

    found = product_flops(traced, learning, still, batch(form), jax.ShapeDtypeStruct((B,), "int32"))
    assert found == counts.hardware_flops_per_token * B * form.targets
    sizes = [sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (params, still)]
    assert sizes == [counts.n_params, counts.n_frozen]
    whole = families.count(run.model, form)
    assert (counts.n_params, counts.forward, counts.n_non_embedding) == (
        whole.n_params,
        whole.forward,
        whole.n_non_embedding,
    )
    assert counts.flops_per_token <= whole.flops_per_token


def test_a_probe_by_hand():
    """Of depth 1 on ten numbers: 2 x 10 x 6 forward, 2 x 6 x 3 forward and once more for the head's gradient."""
    run = run_of(MLP | {"depth": 1}, "body")
    assert families.count_run(run, VECTORS).flops_per_token == 120 + 2 * 36
    free = dataclasses.replace(run, transfer=dataclasses.replace(run.transfer, frozen="none"))
    assert families.count_run(free, VECTORS).flops_per_token == 2 * 120 + 3 * 36


@pytest.mark.parametrize(
    "part, resting_parts",
    [
        ("embedding", {"embedding", "position"}),
        (1, {"embedding", "position", "block_0"}),
        ("body", {"embedding", "position", "block_0", "block_1", "block_2", "final_norm"}),
    ],
)
def test_what_rests_by_name(part, resting_parts):
    step = Step(Shape.of(run_of(BLOCKS | {"positions": "learned"}, part), TEXT))
    still, learning = resting.split(step.shape.frozen, step.abstract_state()["params"])
    assert set(still) == resting_parts
    assert not set(learning) & set(still)
    assert "head" in learning
