import dataclasses

import pytest

from scaling_laws import parametrization
from scaling_laws.config import ConfigError, ModelConfig, TrainConfig

MODEL = ModelConfig(width=64, depth=8, head_dim=16)


@pytest.mark.parametrize(
    "path, kind",
    [
        (("embedding",), "embedding"),
        (("position",), "position"),
        (("head",), "head"),
        (("block_3", "attention", "qkv"), "hidden"),
        (("blocks", "attention", "out"), "hidden"),
        (("blocks", "mlp", "down"), "hidden"),
        (("block_0", "mlp", "up"), "hidden"),
        (("final_norm", "scale"), "norm"),
        (("block_0", "attention", "query_norm", "scale"), "norm"),
        (("final_norm", "bias"), "bias"),
    ],
)
def test_kind_follows_from_the_path(path, kind):
    assert parametrization.kind(path) == kind


@pytest.mark.parametrize("path", [("block_0", "mlp", "middle"), ()])
def test_an_unknown_tensor_is_refused(path):
    with pytest.raises(ValueError, match="no rule for"):
        parametrization.kind(path)


def test_standard_table():
    rules = parametrization.rules("standard", MODEL)
    assert rules.for_path(("block_0", "attention", "qkv")).std(64) == pytest.approx(1 / 8)
    # Two branches a block, eight blocks: what enters the residual stream is a quarter.
    assert rules.for_path(("block_0", "mlp", "down")).std(256) == pytest.approx(1 / 64)
    assert rules.for_path(("final_norm", "scale")) == parametrization.Rule(mean=1.0, weight_decay=0.0)
    assert rules.for_path(("final_norm", "bias")).weight_decay == 0
    for name in ("embedding", "position", "head", "qkv", "out", "up", "down"):
        rule = rules.for_path((name,))
        assert (rule.learning_rate, rule.weight_decay) == (1, 1)
        assert rule.std(64) > 0
    assert rules.forward == parametrization.Forward(embedding=1, residual=1, attention=0.25, logits=1)
    assert rules.embedding.std(256) == 1
    assert hash(rules) == hash(parametrization.rules("standard", MODEL))


def test_a_tied_matrix_gives_a_stream_of_size_one_and_logits_of_size_one():
    rules = parametrization.rules("standard", dataclasses.replace(MODEL, tie_embeddings=True))
    assert rules.embedding.std(256) * rules.forward.embedding == pytest.approx(1)
    assert rules.embedding.std(256) * 64**0.5 == pytest.approx(1)


def test_every_choice_of_the_configuration_has_a_table():
    fields = {field.name: field for field in dataclasses.fields(TrainConfig)}
    assert set(fields["parametrization"].metadata["choices"]) == set(parametrization.TABLES)


def test_an_unknown_parametrization_is_one_clear_line():
    with pytest.raises(
        ConfigError, match=r"train\.parametrization: 'standart'; allowed: standard; did you mean standard"
    ):
        parametrization.rules("standart", MODEL)
