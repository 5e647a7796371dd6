import dataclasses

import pytest
from shapes import configured

from scaling_laws import parametrization
from scaling_laws.config import ConfigError, ModelConfig
from scaling_laws.models import families


def test_every_choice_of_the_configuration_has_a_family():
    fields = {field.name: field for field in dataclasses.fields(ModelConfig)}
    assert set(fields["family"].metadata["choices"]) == set(families.FAMILIES)


def test_an_unknown_family_is_one_clear_line():
    model = configured(family="transformr")
    with pytest.raises(ConfigError, match="'transformr'; allowed: transformer; did you mean transformer"):
        families.build(model, 24, 12, parametrization.rules(parametrization.Scheme(), model))
