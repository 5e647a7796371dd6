import dataclasses

import jax
import pytest
from example_models import PAIRS, PICTURES, shapes

from scaling_laws import families, parametrization
from scaling_laws.config import ConfigError, ModelConfig
from scaling_laws.spec import Spec


def test_every_choice_of_the_configuration_has_a_family():
    fields = {field.name: field for field in dataclasses.fields(ModelConfig)}
    assert set(fields["family"].metadata["choices"]) == set(families.FAMILIES)


def test_an_unknown_family_is_one_clear_line():
    with pytest.raises(ConfigError, match=r"'transformr'; allowed: transformer, .*; did you mean transformer"):
        families.of(ModelConfig(family="transformr"))


TEXTS = Spec("tokens", (32,), 3, sizes=(256,))


@pytest.mark.parametrize(
    "changes, spec, said",
    [
        ({"family": "mlp"}, TEXTS, "model.family: mlp takes no tokens; allowed with this task: transformer"),
        ({"family": "mlp"}, PAIRS, "model.family: mlp takes no pair; allowed with this task: recommender"),
        (
            {"family": "recommender"},
            PICTURES,
            "model.family: recommender takes no image; allowed with this task: .*vit",
        ),
        ({"family": "vit", "patch": 3}, PICTURES, "model.patch: 3; allowed: a divisor of height and width .*, 8 x 4"),
        ({"family": "vit", "patch": 8}, PICTURES, "model.patch: 8; allowed: a divisor"),
    ],
)
def test_examples_that_a_family_does_not_take_are_refused(changes, spec, said):
    with pytest.raises(ConfigError, match=said):
        families.count(ModelConfig(**changes), spec)


@pytest.mark.parametrize(
    "changes, said",
    [
        ({"family": "vit", "depth": 0}, r"model\.depth: 0; allowed: 1 or more \(blocks\)"),
        ({"family": "vit", "width": 24, "head_dim": 16}, r"model\.width: 24; allowed: a multiple of model\.head_dim"),
        (
            {"family": "vit", "positions": "learned"},
            r"model\.positions: learned; allowed: rotary, for model\.family=vit",
        ),
        ({"family": "mlp", "slim": 0.5}, r"model\.slim: 0.5; allowed: 1.0, for model\.family=mlp does not read it"),
        ({"family": "recommender", "slim": 0.5}, r"model\.slim: 0.5; allowed: 1.0"),
        ({"family": "mlp", "patch": 2}, r"model\.patch: 2; allowed: 4, for model\.family=mlp does not read it"),
        ({"family": "recommender", "residual": False}, r"model\.residual: False; allowed: True"),
        (
            {"family": "recommender", "head_init": "small"},
            r"model\.head_init: small; allowed: fan_in, for .*recommender",
        ),
        ({"family": "memoriser", "head_init": "small"}, r"model\.head_init: small; allowed: fan_in"),
    ],
)
def test_models_that_cannot_be_are_refused(changes, said):
    with pytest.raises(ConfigError, match=said):
        families.check(ModelConfig(**changes))


FORMS = {"transformer": TEXTS, "recommender": PAIRS, "memoriser": Spec("index", (), 1, sizes=(9,))}


@pytest.mark.parametrize("family", families.FAMILIES)
def test_a_family_reads_how_a_head_is_drawn_where_it_draws_one(family):
    spec = FORMS.get(family, PICTURES)
    paths = jax.tree_util.tree_leaves_with_path(shapes(ModelConfig(family=family, width=16, depth=1), spec))
    roles = {parametrization.role([entry.key for entry in path]) for path, _ in paths}
    assert ("head_init" in families.FAMILIES[family].reads) == ("head" in roles)


@pytest.mark.parametrize("family, depth", [("mlp", 0), ("recommender", 0), ("vit", 1)])
def test_the_least_depths_are_taken(family, depth):
    families.check(ModelConfig(family=family, depth=depth))
