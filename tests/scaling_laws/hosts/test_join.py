"""Ways in and out of a team that need no second process."""

import subprocess
import sys

import pytest

from scaling_laws.hosts import join
from scaling_laws.hosts.team import ALONE

LEFT = """
import atexit, sys
from scaling_laws.hosts import join
atexit.register(lambda: print("handlers ran"))
join._joined.extend([None] * {times})
def work():
    {body}
join.finish(work)
"""


def test_no_place_is_no_team_and_makes_nothing(tmp_path):
    with join.joined(None, tmp_path / "logs") as team:
        assert team is ALONE
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "times, body, code, said",
    [(0, "return 3", 3, "handlers ran\n"), (1, "return 3", 3, ""), (1, "raise KeyError('bug')", 1, "")],
)
def test_the_exit_code_is_that_of_the_work(times, body, code, said):
    script = LEFT.format(times=times, body=body)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (code, said)
    assert ("KeyError" in done.stderr) == ("bug" in body)


@pytest.mark.parametrize(
    "message", ["UNKNOWN: Gloo all-reduce failed: Connection closed by peer", "NCCL operation failed", "heartbeat"]
)
def test_errors_of_collectives_are_told_from_others(message):
    assert join._COLLECTIVES.search(message)
    assert not join._COLLECTIVES.search("shapes do not match")
