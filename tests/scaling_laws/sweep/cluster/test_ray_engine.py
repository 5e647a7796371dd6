"""The actor's body and the words for its end, without Ray."""

import os
import time

import pytest

from scaling_laws.config import TaskConfig
from scaling_laws.sweep import worker
from scaling_laws.sweep.cluster import ray_engine
from scaling_laws.sweep.messages import Ready, Said, Setup, Stop


@pytest.fixture
def setup(tmp_path):
    return Setup("ray-0", -1e9, "c0ffee", None, TaskConfig(), str(tmp_path), cache="", programs="")


def heard(host, count):
    found, until = [], time.monotonic() + 10
    while len(found) < count and time.monotonic() < until:
        found += host.hear(0.05)
    return found


def test_a_host_answers_while_it_works_and_hears_a_stop(setup, monkeypatch, tmp_path):
    """Its caches and its clock are those of its own machine."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("MARK", "")

    def serve(mailbox, own):
        mailbox.send(Ready(time.monotonic() - own.started))
        mailbox.send(Said(f"{own.cache} {os.environ['MARK']}"))
        while not mailbox.stop():
            time.sleep(0.01)
        mailbox.send(Said("stopped"))

    monkeypatch.setattr(worker, "serve", serve)
    host = ray_engine.Host(setup, {"MARK": "set"})
    ready, said = heard(host, 2)
    assert 0 <= ready.seconds < 10
    assert said.text == f"{tmp_path / 'scaling_laws' / 'tasks'} set"
    assert host.hear(0.01) == []
    host.give(Stop())
    assert heard(host, 1) == [Said("stopped")]


def test_a_worker_that_raises_ends_its_process(setup, monkeypatch, capsys):
    ended = []

    def serve(mailbox, own):
        raise MemoryError("no")

    monkeypatch.setattr(worker, "serve", serve)
    monkeypatch.setattr(ray_engine.os, "_exit", ended.append)
    ray_engine.Host(setup, {})
    until = time.monotonic() + 10
    while not ended and time.monotonic() < until:
        time.sleep(0.01)
    assert ended == [1]
    assert "MemoryError: no" in capsys.readouterr().err


class ActorDiedError(Exception):
    pass


@pytest.mark.parametrize(
    "text, words",
    [
        ("The actor died because its node has died. Node Id: 98", "was lost with its node"),
        ("Task was killed due to the node running low on memory (OOM).", "was ended for want of memory"),
        ("x\n" * 500, "was lost (ActorDiedError x x x"),
    ],
)
def test_the_end_of_an_actor_in_a_few_words(text, words):
    found = ray_engine._in_words(ActorDiedError(text))
    assert found.startswith(words)
    assert len(found) < 250
