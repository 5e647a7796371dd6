"""The words of the flags against the code behind them, numbers in flags, and that --help stays light."""

import subprocess
import sys

import pytest

from analysis import choices, counts, laws
from analysis.options import Options, parse_numbers
from scaling_laws.config import ConfigError


def test_the_words_are_those_of_the_code():
    assert set(choices.LAWS) == set(laws.LAWS)
    assert set(choices.PARAMS) == set(counts.PARAMS)
    assert set(choices.FLOPS) == set(counts.FLOPS)


def test_laws_get_their_terms():
    assert Options(law="power_sum", terms="width, tokens").law_name == "power_sum(width,tokens)"
    assert Options(law="broken_power", terms="x", breaks=2).law_name == "broken_power(x,2)"
    assert Options().law_name == "chinchilla"


def test_numbers_in_a_flag():
    assert parse_numbers("fixed", "alpha=0.35, E=1.7") == {"alpha": 0.35, "E": 1.7}
    assert Options().held == {}
    with pytest.raises(ConfigError, match="fixed: 'alpha'"):
        parse_numbers("fixed", "alpha")


@pytest.mark.parametrize("module", ["analysis.fit", "analysis.options"])
def test_what_help_needs_is_imported_without_numpy(module):
    code = f"import sys, {module}; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
