import math

import pytest

from scaling_laws.sweep.pace import DEFAULT_RATE, measured_pace


def row(n_params, flops, seconds, status="finished"):
    return {"n_params": n_params, "flops": flops, "step_seconds": seconds, "status": status}


def test_default_until_something_is_measured():
    assert measured_pace([]).rate(1000) == DEFAULT_RATE
    assert measured_pace([row(1000, 1e9, 1.0, "failed"), row(10, 1e9, None)]).rate(1000) == DEFAULT_RATE


def test_rate_of_the_nearest_size():
    pace = measured_pace([row(1000, 1e9, 1.0), row(1000, 3e9, 1.0), row(100000, 1e9, 0.1)])
    assert pace.rate(1000) == pytest.approx(2e9)  # 4e9 FLOPs in 2 s
    assert pace.rate(9000) == pytest.approx(2e9)  # ln 9 < ln 11.1
    assert pace.rate(11000) == pytest.approx(1e10)


def test_rows_that_nobody_could_have_measured_do_not_count():
    rows = [row(0, 1e9, 1.0), row(10, -1e9, 1.0), row(10, 1e9, math.inf), row(None, 1e9, 1.0), row(10, 0.0, 1.0)]
    assert measured_pace(rows).rate(1000) == DEFAULT_RATE
