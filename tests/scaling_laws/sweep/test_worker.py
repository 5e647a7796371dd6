"""A worker and the end of the process that started it."""

import dataclasses
import errno
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from scaling_laws.config import RunConfig, TaskConfig
from scaling_laws.sweep import messages, worker
from scaling_laws.tasks import catalog

BUSY = """
import multiprocessing, os, time
from scaling_laws import processes

def busy():
    processes.die_with_parent()
    print(os.getpid(), flush=True)
    time.sleep(100)  # as a compilation would: nothing is read from the pipe

if __name__ == "__main__":
    started = multiprocessing.get_context("forkserver").Process(target=busy)
    started.start()
    started.join()
"""


class Post:
    """A mailbox without a parent."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)

    def next_job(self):
        return None


def a_setup(tmp_path, corpus_hash):
    verses = "\n\n".join(f"{number}: to be or not to be, that is the question" for number in range(2000))
    (tmp_path / "text.txt").write_text(verses)
    task = TaskConfig(path=str(tmp_path / "text.txt"))
    folders = {"workdir": str(tmp_path), "cache": str(tmp_path), "programs": str(tmp_path / "programs")}
    return messages.Setup("worker-0", time.monotonic(), corpus_hash, None, task, **folders)


@pytest.fixture
def no_programs(monkeypatch):
    monkeypatch.setattr("scaling_laws.train.programs.keep_compiled", lambda folder: None)


def test_a_text_that_is_not_the_plans_is_refused(tmp_path, no_programs):
    post = Post()
    worker.serve(post, a_setup(tmp_path, "c0ffee"))
    (message,) = post.sent
    assert isinstance(message, messages.Unable)
    assert "text.txt has changed since the sweep began" in message.reason
    right = catalog.load(TaskConfig(path=str(tmp_path / "text.txt")), tmp_path).content_hash
    worker.serve(post, a_setup(tmp_path, right))
    assert isinstance(post.sent[-1], messages.Ready)


def test_further_tasks_are_loaded_once_and_must_be_of_the_same_text(tmp_path, monkeypatch):
    setup = a_setup(tmp_path, "")
    right = catalog.load(setup.task, tmp_path).content_hash
    loaded, load = [], catalog.load
    monkeypatch.setattr(catalog, "load", lambda task, cache: (loaded.append(task), load(task, cache))[1])
    tasks = worker.Tasks(tmp_path, right)
    folds = [dataclasses.replace(setup.task, folds=2, fold=fold) for fold in (0, 1)]
    first, second = (tasks.of(fold) for fold in folds)
    assert set(first.documents["heldout"]).isdisjoint(second.documents["heldout"])
    assert tasks.of(folds[0]) is first
    assert loaded == folds
    member = messages.PackMember("r", RunConfig(task=setup.task), 1.0, "search", "search", keep_trunk=False)
    job = messages.Job((member,), "map", 1)
    (tmp_path / "text.txt").write_text("\n\n".join(f"{number}: other words" * 9 for number in range(2000)))
    found = worker._outcome(job, tasks, Post(), setup)
    assert isinstance(found, messages.Unable)
    assert "text.txt has changed" in found.reason


@pytest.mark.parametrize(
    "error, kind, said",
    [
        (OSError(errno.ENOSPC, "No space left on device"), messages.Unable, "No space left on device"),
        (OSError(errno.EROFS, "Read-only", "a/b"), messages.Unable, "a/b: Read-only"),
        (FileExistsError(errno.EEXIST, "File exists", "a/b"), messages.Failed, "FileExistsError"),
        (MemoryError("Unable to allocate 4 GiB"), messages.Failed, "MemoryError: Unable to allocate 4 GiB"),
    ],
)
def test_what_is_the_runs_and_what_the_machines(tmp_path, monkeypatch, error, kind, said):
    def train(*_):
        raise error

    monkeypatch.setattr(worker, "_train", train)
    found = worker._outcome(messages.Job((), "map", 1), None, Post(), a_setup(tmp_path, ""))
    assert isinstance(found, kind)
    assert said in found.reason


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_that_is_busy_ends_with_the_sweep(tmp_path):
    (tmp_path / "parent.py").write_text(BUSY)
    words = [sys.executable, str(tmp_path / "parent.py")]
    parent = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3])
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    os.kill(child, 0)
    parent.kill()
    parent.wait()
    until = time.monotonic() + 10
    while Path(f"/proc/{child}").exists():
        assert time.monotonic() < until, "the worker lives on"
        time.sleep(0.02)
