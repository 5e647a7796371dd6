"""What the benchmark of corpora makes of its measurements."""

import json
import subprocess
import sys

import pytest

from scripts.benchmarks import corpora, resident
from scripts.benchmarks.measure import Cost


def test_the_text_is_as_large_as_asked_and_no_document_is_there_twice(tmp_path):
    corpora.made(tmp_path / "text.jsonl", 300_000)
    texts = [json.loads(line)["text"] for line in (tmp_path / "text.jsonl").read_text().splitlines()]
    assert 300_000 <= sum(len(text.encode()) for text in texts) < 320_000
    assert len(set(texts)) == len(texts) > 30


def test_starting_is_left_out_of_the_second_ratio_alone():
    """1 s to start whatever the number of processes, 10 MB/s each, .9 of twice that together."""
    starts = [(Cost(2.0, 1 + 1.0, 0), Cost(2.0, 1 + 1 / 1.8, 0))] * 3
    pairs = [(Cost(11.0, 1 + 10.0, 0), Cost(11.5, 1 + 10 / 1.8, 0))] * 3
    whole, work = corpora.efficiencies("bytes", 100, starts, pairs)
    assert whole.measured == "0.84 (0.84 to 0.84): 9.1 and 15.3 MB/s in 11.0 and 11.5 CPU-s"  # 11 over twice 6.56
    assert work.measured == "0.90 (0.90 to 0.90): 10.0 and 18.0 MB/s in 9.0 and 9.5 CPU-s"
    assert (whole.what, work.what) == (
        "bytes: two processes over twice one, 100 MB",
        "bytes: the same without starting, 90 MB",
    )
    assert whole.met
    assert work.met


def test_a_look_at_byte_pairs_gives_all_rows(tmp_path):
    rows = corpora.measured(tmp_path, 1, 1, ["bpe"])
    assert [row.what for row in rows] == [
        "bpe: two processes over twice one, 1 MB",
        "bpe: the same without starting, 0.9 MB",
        "bpe: memory of two processes, 1 MB",
    ]
    assert rows[-1].met is not False


@pytest.mark.skipif(not resident.PROCESSES.is_dir(), reason="looks at /proc")
def test_memory_is_that_of_a_command_with_its_processes_and_of_nothing_else():
    hold = "held = b'x' * 60_000_000; import time; time.sleep(0.5)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {hold!r}])"
    ours = b"x" * 300_000_000  # which a child that has not begun yet shares
    with resident.watched("60_000_000") as peak:
        other = subprocess.Popen([sys.executable, "-c", hold.replace("60_", "90_")])
        subprocess.run([sys.executable, "-c", f"{start}"], check=True)
        other.wait()
    assert len(ours) == 300_000_000
    assert 60e6 < peak.n_bytes < 110e6
