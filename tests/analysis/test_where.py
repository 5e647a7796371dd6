"""Row expressions against masks by hand; hypothesis on any text."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.where import rows_where
from scaling_laws.config import ConfigError


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("kind == 'a' and x <= 2", [True, True, False, False]),
        ("not (kind == 'a') or x < 2", [True, False, True, True]),
        ("1 < x <= 3", [False, True, True, False]),
        ("kind in ('b', 'c')", [False, False, True, True]),
        ("kind not in ['b']", [True, True, False, True]),
        ("x * 2 - 1 == 3", [False, True, False, False]),
        ("x ** 2 / 4 >= 4 or -x > -1.5", [True, False, False, True]),
    ],
)
def test_expressions_mean_what_they_say(where, expected):
    columns = {"kind": np.array(["a", "a", "b", "c"]), "x": np.array([1.0, 2.0, 3.0, 4.0])}
    assert list(rows_where(where, columns, 4)) == expected


@given(st.text(max_size=30))
def test_no_text_does_anything_but_select_or_refuse(text):
    columns = {"x": np.array([1.0, 2.0]), "kind": np.array(["a", "b"])}
    try:
        mask = rows_where(text, columns, 2)
    except ConfigError:
        return
    assert mask.dtype == bool
    assert mask.shape == (2,)
