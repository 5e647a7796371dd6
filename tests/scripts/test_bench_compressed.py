"""What the benchmark of compressed models says of a side that is made by hand."""

from scaling_laws.train.latency import Speed
from scripts.benchmarks import compressed
from scripts.benchmarks.compressed import Side


def test_a_row_has_loss_bytes_and_speed_and_is_met_where_outputs_are_equal():
    speed = Speed(32, 123456.0, 0.00125, 0.0345)
    said = compressed.row(Side("4 bits", 2.5, 0.01, 4000, 700, 1800, True, speed, 2e4, 21234.0))
    assert said.measured == (
        "2.5000 ± 0.0100 nats, 700 bytes (file 1,800), 20,000 FLOPs a token (XLA 21,234), 123,456 tokens/s, "
        "1.25 ms (99 %: 34.50)"
    )
    plain = compressed.row(Side("full", 2.4, 0.01, 4000, None, 5800, False, speed, 2e4, None))
    assert "4,000 bytes (file 5,800)" in plain.measured
    assert (said.met, plain.met, plain.values["speed"]["batch"]) == (True, False, 32)
