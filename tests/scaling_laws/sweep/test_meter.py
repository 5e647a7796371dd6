import types

import pytest

from scaling_laws.sweep.meter import Meter


def planned(name, flops, steps=10):
    run = types.SimpleNamespace(train=types.SimpleNamespace(steps=steps))
    return types.SimpleNamespace(run_id=name, flops=flops, own_flops=flops, begins_at=0, run=run)


def test_time_left_from_compute_left_and_speed():
    now = [0.0]
    meter = Meter(clock=lambda: now[0])
    meter.add(planned("a", 100.0))
    meter.add(planned("b", 300.0))
    now[0] = 10.0
    assert meter.seconds_left() is None
    meter.at("b", 2)
    assert meter.share == pytest.approx(60 / 400)
    meter.finished({"run_id": "a"})
    assert meter.share == pytest.approx(160 / 400)
    assert meter.seconds_left() == pytest.approx(10 * 240 / 160)
    meter.finished({"run_id": "b"})
    assert meter.seconds_left() == 0
