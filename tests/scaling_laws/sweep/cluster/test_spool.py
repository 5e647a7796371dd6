"""The files between driver and jobs: what is written comes back the same, and only what is whole comes back."""

import dataclasses

import pytest

from scaling_laws import config
from scaling_laws.config import RunConfig
from scaling_laws.sweep.cluster import spool
from scaling_laws.sweep.messages import At, Done, Failed, Job, PackMember, Ready, Said, Stopped, Unable

# settings that belong to no identity, tuples and texts among them
RUN = config.replace(
    RunConfig(), {"train.checkpoint_seconds": 1e-3, "train.backend": "pmap", "task.path": "a folder", "train.seed": 7}
)
ONE = PackMember("r1", RUN, 1e9, "grid", "rule", keep_trunk=True)
OTHER = PackMember("r2", RunConfig(), None, "technique", "rule", keep_trunk=False, arm=("prune", 0.5))
SPEC = spool.Spec("scaling-x", "/work", "c0ffee", 3, 60, (Job((ONE, OTHER), "vmap", 2), Job((OTHER,), "map", 1)))


def test_orders_come_back_to_the_last_setting(tmp_path):
    spool.write_spec(tmp_path, 4, SPEC)
    assert spool.read_spec(tmp_path, 4) == SPEC
    with pytest.raises(FileNotFoundError):
        spool.read_spec(tmp_path, 5)


CURVE = [{"step": 1, "loss": 0.1 + 0.2}]
DONE = Done("r1", {"loss": 2.345678901234567, "spikes": None, "config": "{}"}, CURVE)


@pytest.mark.parametrize(
    "message", [spool.Begun(), At("r1", 3), Failed("x: é"), Ready(1.5), Said("a\nb"), Stopped(), Unable("full"), DONE]
)
def test_what_a_job_says_comes_back(tmp_path, message):
    spool.Log(tmp_path, 0, 0).add(1, message)
    assert spool.said(tmp_path, 0) == [spool.Line(1, message)]


def test_a_tail_gives_whole_lines_once_and_starts_in_their_order(tmp_path):
    tail = spool.Tail()

    def new():
        return tail.new(spool.by_job(tmp_path).get(0, []))

    assert new() == []
    first = spool.Log(tmp_path, 0, 0)
    first.add(0, At("r1", 1))
    assert [line.message for line in new()] == [At("r1", 1)]
    assert new() == []
    path = tmp_path / "0.0.jsonl"
    whole = path.read_bytes()
    first.add(0, At("r1", 2))
    added = path.read_bytes()[len(whole) :]
    path.write_bytes(whole + added[:20])
    assert new() == []
    path.write_bytes(whole + added)
    assert [line.message for line in new()] == [At("r1", 2)]
    for restart in (10, 2):
        spool.Log(tmp_path, 0, restart).add(0, At("r1", restart))
    spool.Log(tmp_path, 1, 0).add(0, At("of another job", 1))
    assert [line.message.step for line in new()] == [2, 10]
    assert [line.message.step for line in spool.said(tmp_path, 0)] == [1, 2, 2, 10]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_torn_line_costs_nothing_around_it(tmp_path, cut):
    spool.Log(tmp_path, 0, 0).add(0, Said("before"))
    path = tmp_path / "0.0.jsonl"
    before = path.read_bytes()
    spool.Log(tmp_path, 0, 0).add(0, Done("r1", {}, []))
    path.write_bytes(before + path.read_bytes()[len(before) :][:cut])
    spool.Log(tmp_path, 0, 0).add(0, Said("after"))
    assert [line.message.text for line in spool.said(tmp_path, 0)] == ["before", "after"]
    assert spool.rows([tmp_path]) == {}


def test_a_line_of_somebody_else_is_no_message(tmp_path):
    """A checksum that is right does not make it one of the few kinds that are read."""
    from scaling_laws.sealed import seal

    (tmp_path / "0.0.jsonl").write_bytes(seal({"pack": 0, "kind": "Popen", "fields": {"args": "ls"}}))
    assert spool.said(tmp_path, 0) == []


def test_rows_of_all_jobs_by_run_and_nothing_left_after_clearing(tmp_path):
    spool.write_spec(tmp_path, 0, SPEC)
    done = [Done(run_id, {"run_id": run_id}, []) for run_id in ("r1", "r2")]
    for index, message in enumerate(done):
        spool.Log(tmp_path, index, 0).add(0, message)
    assert spool.rows([tmp_path]) == {message.run_id: message for message in done}
    (tmp_path / "12_0_0_log.out").write_text("what the job printed")
    spool.clear(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["12_0_0_log.out"]


def test_orders_say_every_setting_of_a_run():
    """A setting added later must reach the jobs too: all leaves of a run are written."""
    written = spool._member(ONE)["run"]
    assert written.keys() == {path for path, _, _ in config.leaves(RUN)}
    assert {field.name for field in dataclasses.fields(ONE)} == spool._member(ONE).keys()
