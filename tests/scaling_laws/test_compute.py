import subprocess
import sys

import jax
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws import families, parametrization, spec
from scaling_laws.config import ModelConfig
from scaling_laws.models.build import build


def test_a_shape_by_hand():
    counts = families.count(ModelConfig(width=128, depth=4, head_dim=32), spec.text(256, 128))
    # A block: 4 * 128^2 in attention, 2 * 128 * 512 in the MLP, two norms of 128.
    assert counts.n_non_embedding == 4 * (65536 + 131072 + 256) + 128 == 787584
    assert counts.n_params == 787584 + 2 * 256 * 128 == 853120
    # Attention's products, forward: 4 blocks of 2 * (2 * 128 * 128) a token; half of that is 131072.
    assert counts.n_effective == 853120 + 131072
    # 6 (786432 + 32768) for the matrices, 3 * 262144 for attention: 23.4 GFLOP a step of 32 windows.
    assert counts.flops_per_token == 4915200 + 786432
    assert counts.flops_per_token * 32 * 128 == pytest.approx(23.35e9, rel=1e-3)
    assert counts.flops_per_token_non_embedding == 5701632 - 6 * 32768
    assert counts.flops_per_token_6n == 6 * 853120
    assert counts.flops_per_token_effective == 6 * 984192
    assert counts.hardware_flops_per_token == counts.flops_per_token


def test_layers_by_kind():
    model = ModelConfig(width=32, depth=3, norm="layer", positions="learned", qk_norm=True, mlp="swiglu", remat=True)
    counts = families.count(model, spec.text(100, 64))
    assert {layer.kind: layer.n_params for layer in counts.layers} == {
        "embedding": 3200,
        "position": 2048,
        "norm": 3 * (4 * 32 + 2 * 16) + 64,
        "attention": 3 * 4 * 1024,
        "attention_products": 0,
        "mlp": 3 * 3 * 32 * 128,
        "head": 3200,
    }
    assert counts.layer("head").forward == 6400
    assert counts.layer("head").backward == 12800
    assert counts.layer("mlp").training == 6 * 3 * 3 * 32 * 128
    # Again, a block: qkv and out, gate and value, attention's products; not the last product.
    assert counts.recomputed == 3 * (2 * 4096 + 2 * 8192 + 4 * 64 * 32)


def test_a_tied_matrix_counts_once_as_parameters_and_still_costs_its_product():
    tied, free = (
        families.count(ModelConfig(width=32, tie_embeddings=tie), spec.text(256, 64)) for tie in (True, False)
    )
    assert free.n_params - tied.n_params == 256 * 32
    assert free.flops_per_token == tied.flops_per_token
    assert free.n_non_embedding == tied.n_non_embedding


@pytest.mark.parametrize(
    "width, ratio, hidden", [(64, 4, 256), (16, 2.6, 40), (16, 2.75, 48), (3, 1, 8), (8, 0.25, 8), (24, 8 / 3, 64)]
)
def test_hidden_width_is_the_nearest_multiple_of_eight(width, ratio, hidden):
    assert families.transformer.mlp_hidden(ModelConfig(width=width, mlp_ratio=ratio)) == hidden


MODELS = st.builds(
    ModelConfig,
    width=st.sampled_from([8, 16, 48]),
    depth=st.integers(1, 3),
    head_dim=st.sampled_from([4, 8]),
    norm=st.sampled_from(["rms", "layer"]),
    positions=st.sampled_from(["rotary", "learned"]),
    mlp=st.sampled_from(["gelu", "swiglu"]),
    mlp_ratio=st.sampled_from([0.25, 1.0, 2.6, 4.0]),
    qk_norm=st.booleans(),
    tie_embeddings=st.booleans(),
    dtype=st.sampled_from(["float32", "bfloat16"]),
    remat=st.booleans(),
    layers=st.sampled_from(["auto", "unrolled", "scanned"]),
)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(model=MODELS, vocab=st.integers(2, 300), context=st.integers(2, 20))
def test_counts_equal_the_parameter_tree(model, vocab, context):
    module = build(model, spec.text(vocab, context), parametrization.rules(parametrization.Scheme(), model))
    tokens = jax.ShapeDtypeStruct((1, context), "int32")
    params = jax.eval_shape(module.init, jax.random.key(0), tokens)["params"]
    sizes = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        kind = parametrization.kind([entry.key for entry in path])
        sizes[kind] = sizes.get(kind, 0) + leaf.size
    counts = families.count(model, spec.text(vocab, context))
    assert counts.n_params == sum(sizes.values())
    assert counts.n_non_embedding == sizes["hidden"] + sizes["norm"] + sizes.get("bias", 0)
    for kind in ("embedding", "position", "head"):
        assert counts.layer(kind).n_params == sizes.get(kind, 0)
    hidden = counts.layer("attention").n_params + counts.layer("mlp").n_params
    assert hidden == sizes["hidden"]


def test_no_jax_is_imported():
    code = "import sys, scaling_laws.compute, scaling_laws.parametrization; assert 'jax' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
