"""One model trained by two hosts, which are network namespaces of this machine, and the cable between them cut."""

import os
import random
import shutil
import subprocess

import pytest
import started

pytestmark = pytest.mark.slow
OURS, THEIRS = "10.231.77.1", "10.231.77.2"
GO_ON = "the same command on all of them goes on from the last checkpoint"


def data(folder):
    """Settings of a task whose text is written into `folder`."""
    source = random.Random(0)
    for number in range(40):
        (folder / f"{number}.txt").write_text("".join(source.choices("abcdefgh ", k=2000)))
    return {"task.path": folder}


def ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True)


@pytest.fixture
def other():
    """Words that run a command on another host, reached at THEIRS as this one is at OURS."""
    name = f"host{os.getpid()}"
    if not shutil.which("ip") or ip("netns", "add", name, check=False).returncode:
        pytest.skip("no network namespaces here: root and the command ip are needed")
    try:
        ip("link", "add", f"a{os.getpid()}", "type", "veth", "peer", "name", "there", "netns", name)
        for within, device, address in (([], f"a{os.getpid()}", OURS), (["-n", name], "there", THEIRS)):
            ip(*within, "addr", "add", f"{address}/24", "dev", device)
            ip(*within, "link", "set", device, "up")
        ip("-n", name, "link", "set", "lo", "up")
        yield name
    finally:
        ip("netns", "del", name)


def test_hosts_that_lose_each_other_leave_in_time(start, other, tmp_path):
    within = {1: ["ip", "netns", "exec", other]}
    settings = {"train__steps": 10**6, "train__checkpoint_seconds": 0.5}
    team = start(tmp_path, 2, host=OURS, within=within, **settings)
    cut = ("-n", other, "link", "set", "there", "down")
    seconds, left = started.lost_at_a_checkpoint(team, tmp_path, lambda: ip(*cut))
    assert seconds < 10
    for number, (code, _, errors) in enumerate(left):
        assert code == 75
        last = errors.splitlines()[-1]
        assert last.startswith(f"error: process {1 - number} of 2 is gone: ")
        assert last.endswith(GO_ON)
