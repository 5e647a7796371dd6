"""What a start of a job does, by what earlier starts of it have said."""

import dataclasses

import pytest

from scaling_laws.config import RunConfig
from scaling_laws.sweep.cluster import slurm_job, spool
from scaling_laws.sweep.messages import At, Done, Failed, Job, PackMember, Stopped, Unable


def member(run_id):
    return PackMember(run_id, RunConfig(), 1e9, "grid", "rule", keep_trunk=False)


PACKS = (Job((member("a"), member("b")), "vmap", 1), Job((member("c"),), "map", 1))


@pytest.fixture
def start(tmp_path):
    spool.write_spec(tmp_path, 0, spool.Spec("scaling-x", str(tmp_path), "c0ffee", 3, 60, PACKS))
    restarts = iter(range(100))

    def started(clock=lambda: 0.0):
        return slurm_job.Logbook(tmp_path, 0, next(restarts), clock)

    return started


def ids(job):
    return None if job is None else [one.run_id for one in job.members]


def test_packs_in_order_and_what_is_done_not_again(start):
    book = start()
    assert ids(book.next_job()) == ["a", "b"]
    book.send(Done("a", {}, []))
    again = start()
    left = again.next_job()
    assert (ids(left), left.strategy) == (["b"], "map")
    again.send(Done("b", {}, []))
    assert ids(again.next_job()) == ["c"]
    again.send(Failed("OSError: no"))
    assert again.next_job() is None
    assert start().next_job() is None
    assert not start().worth_another_start()


def test_a_run_under_which_the_job_dies_again_and_again_fails(start, tmp_path):
    for _ in range(3):
        assert ids(start().next_job()) == ["a", "b"]
    assert ids(start().next_job()) == ["c"]
    said = [line for line in spool.said(tmp_path, 0) if isinstance(line.message, Failed)]
    assert said == [spool.Line(0, Failed("its job died 3 times under it"))]


def test_an_end_in_order_is_no_death(start):
    for _ in range(10):
        book = start()
        assert ids(book.next_job()) == ["a", "b"]
        book.asked_to_stop = True
        assert book.stop()
        book.send(Stopped())
        assert book.next_job() is None


def test_a_text_that_changed_is_said_once(start, tmp_path):
    book = start()
    book.next_job()
    book.send(Unable("changed"))
    assert book.next_job() is None
    assert not book.worth_another_start()


def test_a_time_limit_without_a_step_is_not_waited_for_again(start, tmp_path):
    clock = iter([0.0, 0.0, 1.0, 10.0, 10.0, 20.0, 20.0])
    book = start(lambda: next(clock))
    book.next_job()
    book.send(At("a", 5))
    assert not any(isinstance(line.message, Failed) for line in spool.said(tmp_path, 0))
    book.send(At("a", 6))  # too soon to be told
    book.send(At("a", 9))
    assert [line.message.step for line in spool.said(tmp_path, 0) if isinstance(line.message, At)] == [5, 9]
    book.send(Stopped())
    assert book.worth_another_start()
    for _ in range(3):
        stuck = start()
        assert ids(stuck.next_job()) == ["a", "b"]
        stuck.send(At("a", 9))
        stuck.send(Stopped())
        assert stuck.worth_another_start()  # at last with the pack that is left
    failed = [line for line in spool.said(tmp_path, 0) if isinstance(line.message, Failed)]
    assert failed == [spool.Line(0, Failed("not one step within the time limit of 60 min, 3 times"))]
    assert ids(start().next_job()) == ["c"]


def test_the_setup_of_a_job_needs_nothing_of_the_driver(start, tmp_path, monkeypatch):
    """`main` without training: the worker is given the first run's task, and ends with code 0."""
    seen = {}
    start()
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    monkeypatch.setattr(slurm_job.worker, "serve", lambda book, setup: seen.update(dataclasses.asdict(setup)))
    monkeypatch.setattr(slurm_job.signal, "signal", lambda *_: None)
    assert slurm_job.main(tmp_path) == 0
    assert (seen["workdir"], seen["corpus_hash"], seen["name"]) == (str(tmp_path), "c0ffee", "scaling-x-0")
