"""Workers that do as they are told, without processes."""

from scaling_laws.sweep.messages import At, Done, Said, Tried
from scaling_laws.sweep.pool import Worker


def row_of(planned, facts):
    row = facts.described(planned.run, planned.counts, planned.run_id)
    found = {"status": "finished", "loss": 2.0, "bits_per_byte": 3.0, "steps_done": 1, "wall_seconds": 1.0}
    return row | found | {"reason": "", "purpose": planned.purpose, "budget": planned.budget}


class FakePool:
    """Answers each run by `answer(planned, how often it was assigned)`, one message a call of `events`."""

    exhausted = False

    def __init__(self, answer, n_workers=2, rates=None):
        self.rates, self.tried = rates or {}, []
        self.workers = [Worker(f"worker-{i}", None) for i in range(n_workers)]
        self.answer, self.assigned, self.stopped, self.started = answer, [], False, 0

    @property
    def at_once(self):
        return len(self.workers)

    def start(self, count):
        self.started = max(self.started, count)
        for each in self.workers:
            each.ready = True

    def try_out(self, each, planned, options):
        assert each.idle
        each.trial = (planned, options)
        self.tried.append(planned.form)

    def assign(self, each, pack, packing, awaited=()):
        assert each.idle
        each.jobs = list(pack)
        self.assigned += [planned.run_id for planned in pack]

    def ask_to_stop(self):
        self.stopped = True

    def events(self, timeout):
        for each in self.workers:
            if each.trial:
                yield each, Tried(tuple(self.rates[option] for option in each.trial[1]))
            for planned in list(each.jobs):
                yield each, Said("busy")
                yield each, At(planned.run_id, 1)
                if planned in each.jobs:
                    yield each, self.answer(planned, self.assigned.count(planned.run_id))


def finish(facts):
    return lambda planned, attempt: Done(planned.run_id, row_of(planned, facts), [])
