"""Actors that do as they are told, without Ray: what becomes of runs whose actor is lost."""

import dataclasses

import pytest
from fake_pool import finish

from scaling_laws import table
from scaling_laws.sweep.choice import Choices
from scaling_laws.sweep.cluster.ray_engine import Lost
from scaling_laws.sweep.cluster.ray_pool import RayPool
from scaling_laws.sweep.execute import Limits, SweepError, execute
from scaling_laws.sweep.messages import At, Died, Done, Job, Ready, Stop, Stopped
from scaling_laws.sweep.packing import ALONE
from scaling_laws.sweep.plan import plan


class Actor:
    def __init__(self, setup):
        self.setup, self.news, self.lost, self.told = setup, [Ready(0.1)], "", []


class Question:
    def __init__(self, actor):
        self.actor = actor


class FakeEngine:
    """Actors at once; a job is answered by `answer(run, how often it was given)`, `Died` as the loss of its actor."""

    def __init__(self, planned, answer, room=3):
        self.planned, self.answer, self.capacity = {one.run_id: one for one in planned}, answer, room
        self.actors, self.given, self.closed, self.most = [], [], False, 0
        self.queued = False  # whether actors wait for room for ever

    def room(self):
        return self.capacity

    def start(self, setup):
        self.actors.append(Actor(setup))
        self.most = max(self.most, len(self.living()))
        if self.queued:
            self.actors[-1].news = []
        return self.actors[-1]

    def living(self):
        return [actor for actor in self.actors if not actor.lost]

    def give(self, actor, message):
        actor.told.append(message)
        if isinstance(message, Stop):
            actor.news.append(Stopped())
        if isinstance(message, Job):
            for member in message.members:
                self.given.append(member.run_id)
                found = self.answer(self.planned[member.run_id], self.given.count(member.run_id))
                actor.news += [At(member.run_id, 1), found] if found else []

    def ask(self, actor):
        return Question(actor)

    def answered(self, questions, timeout):
        return [question for question in questions if question.actor.news or question.actor.lost]

    def news(self, question):
        actor = question.actor
        if actor.lost:
            raise Lost(actor.lost)
        found, actor.news = actor.news, []
        if any(isinstance(message, Died) for message in found):
            actor.lost = "was lost with its node"
            raise Lost(actor.lost)
        return found

    def end(self, actor):
        actor.lost = actor.lost or "was ended"

    def close(self):
        self.closed = True


@pytest.fixture
def runs(experiment, facts):
    return plan(experiment(sweep__widths=(8, 16), sweep__depths=(1,), sweep__seeds=(0, 1)), facts).runs


def do(runs, facts, answer, workdir, n_workers=0, **options):
    engine, lines = FakeEngine(runs, answer), []
    engine.queued = options.pop("queued", False)
    with table.Journal(workdir) as journal:
        with RayPool(engine, n_workers, runs[0].run.task, workdir, facts.corpus_hash) as pool:
            summary = execute(runs, facts, pool, journal, say=lines.append, choices=Choices(ALONE), **options)
        return summary, {row["run_id"]: row for row in journal.rows()}, lines, engine


@pytest.mark.parametrize("n_workers, most", [(0, 3), (2, 2), (50, 8)])
def test_every_run_once_on_as_many_actors_as_there_is_room_for(runs, facts, tmp_path, n_workers, most):
    summary, rows, _, engine = do(runs, facts, finish(facts), tmp_path, n_workers)
    assert sorted(engine.given) == sorted(rows) == sorted(one.run_id for one in runs)
    assert summary.count("finished") == 8
    assert engine.most == most
    assert (engine.living(), engine.closed) == ([], True)
    assert {actor.setup.workdir for actor in engine.actors} == {str(tmp_path.resolve())}


def test_actors_without_a_run_give_their_place_back(runs, facts, tmp_path):
    """The last run goes on alone for a while: of three actors one is left."""
    left = []

    def answer(planned, attempt):
        if len(engines[0].given) < len(runs):
            return finish(facts)(planned, attempt)
        return None

    class Watched(FakeEngine):
        def answered(self, questions, timeout):
            found = super().answered(questions, timeout)
            if not found:
                left.append(len(self.living()))
                (running,) = [actor for actor in self.living() if actor.told]
                running.news.append(finish(facts)(self.planned[self.given[-1]], 1))
            return found

    engines = [Watched(runs, answer)]
    with table.Journal(tmp_path) as journal, RayPool(engines[0], 3, runs[0].run.task, tmp_path, "c0ffee") as pool:
        summary = execute(runs, facts, pool, journal, say=lambda line: None, choices=Choices(ALONE))
    assert summary.count("finished") == 8
    assert left == [1]


def test_a_run_whose_actor_is_lost_is_tried_on_another(runs, facts, tmp_path):
    bad = runs[3].run_id

    def answer(planned, attempt):
        return Died(None) if planned.run_id == bad and attempt < 3 else finish(facts)(planned, attempt)

    _, rows, lines, engine = do(runs, facts, answer, tmp_path, limits=Limits(attempts=3))
    assert engine.given.count(bad) == 3
    assert {row["status"] for row in rows.values()} == {"finished"}
    assert sum("was lost with its node; the run is tried once more" in line for line in lines) == 2


def test_a_run_that_loses_every_actor_fails_with_its_reason(runs, facts, tmp_path):
    bad = runs[3].run_id

    def answer(planned, attempt):
        return Died(None) if planned.run_id == bad else finish(facts)(planned, attempt)

    summary, rows, _, engine = do(runs, facts, answer, tmp_path, limits=Limits(attempts=4))
    assert engine.given.count(bad) == 4
    assert (rows[bad]["status"], rows[bad]["reason"]) == ("failed", "worker was lost with its node, 4 times")
    assert (summary.count("finished"), summary.count("failed")) == (7, 1)


def test_an_actor_that_waits_for_room_does_not_hang(runs, facts, tmp_path):
    engine = FakeEngine(runs, finish(facts))
    engine.queued = True
    pool = RayPool(engine, 1, runs[0].run.task, tmp_path, "c0ffee")
    pool.start(1)
    (each,) = pool.workers
    assert not each.hangs(each.heard + 1e9, 1.0)
    engine.actors[0].news.append(Ready(1.0))
    assert [message for _, message in pool.events(0.0)] == [Ready(1.0)]
    each.jobs = list(runs[:1])
    assert each.hangs(each.heard + 1e9, 1.0)


def test_an_actor_that_is_cut_off_is_ended(runs, facts, tmp_path):
    """Else two would train one run when the network is back."""
    ended = []

    class Watched(FakeEngine):
        def end(self, actor):
            ended.append(actor)
            super().end(actor)

    engine = Watched(runs, lambda planned, attempt: Died(None))
    pool = RayPool(engine, 1, runs[0].run.task, tmp_path, "c0ffee")
    pool.start(1)
    list(pool.events(0.0))
    pool.assign(pool.workers[0], [runs[0]], ALONE)
    assert [type(message) for _, message in pool.events(0.0)] == [Died]
    assert ended == engine.actors


def test_actors_that_never_get_ready_end_the_sweep(runs, facts, tmp_path):
    class Broken(FakeEngine):
        def start(self, setup):
            actor = super().start(setup)
            actor.news, actor.lost = [], "was lost (no such module)"
            return actor

    engine = Broken(runs, finish(facts))
    with (
        table.Journal(tmp_path) as journal,
        RayPool(engine, 2, runs[0].run.task, tmp_path, "c0ffee") as pool,
        pytest.raises(SweepError, match="every worker ended before it was ready"),
    ):
        execute(runs, facts, pool, journal, say=lambda line: None, choices=Choices(ALONE))
    assert len(engine.actors) == 4


def test_done_rows_reach_the_table_as_they_were(runs, facts, tmp_path):
    def answer(planned, attempt):
        found = finish(facts)(planned, attempt)
        return dataclasses.replace(found, row=found.row | {"loss": 1.25}) if isinstance(found, Done) else found

    _, rows, _, _ = do(runs, facts, answer, tmp_path)
    assert {row["loss"] for row in rows.values()} == {1.25}
