"""A SLURM whose jobs do as they are told, in this process: through the real files, without training anything."""

from scaling_laws.sweep.cluster import slurm_job, spool
from scaling_laws.sweep.messages import At, Died, Done, Ready, Stopped


class Requeued:
    """The job is queued again in the middle of a run: by the time limit, in order."""


class FakeSlurm:
    """Jobs run when states are asked for. `answer(run_id, how often it was begun)` is what a run comes to: a message,
    `Died` for the end of its job, `Requeued`, or nothing: it goes on for ever."""

    def __init__(self, answer):
        self.answer, self.arrays, self.sizes, self.begun = answer, {}, [], []
        self.cancelled, self.killed, self.cleared = [], [], []
        self.state, self.starts = {}, {}

    def submit(self, folder, count, name, at_once):
        number = str(100 + len(self.arrays))
        self.arrays[number] = folder
        self.sizes.append([len(spool.read_spec(folder, index).packs) for index in range(count)])
        self.state |= {f"{number}_{index}": "PENDING" for index in range(count)}
        assert folder.name == name
        return number

    def states(self, arrays):
        told = {job: state for job, state in self.state.items() if job.split("_")[0] in arrays}
        for job, state in told.items():
            if state in ("PENDING", "REQUEUED"):
                self.state[job] = self._run(job)
        return told

    def _run(self, job):
        number, index = job.split("_")
        start = self.starts.get(job, 0)
        self.starts[job] = start + 1
        book = slurm_job.Logbook(self.arrays[number], int(index), start, clock=lambda: float(len(self.begun)) * 10)
        book.send(Ready(0.5))
        while orders := book.next_job():
            for member in orders.members:
                self.begun.append(member.run_id)
                book.send(At(member.run_id, 1))
                found = self.answer(member.run_id, self.begun.count(member.run_id))
                if found is None:
                    return "RUNNING"
                if isinstance(found, Died):
                    return found.how
                if isinstance(found, Requeued):
                    book.send(Stopped())
                    return "REQUEUED"
                book.send(found)
        return "COMPLETED"

    def cancel(self, jobs, kill=False):
        (self.killed if kill else self.cancelled).extend(jobs)
        for job in [job for job in self.state if job in jobs or job.split("_")[0] in jobs]:
            if self.state[job] in ("PENDING", "RUNNING"):
                if self.state[job] == "RUNNING" and not kill:
                    number, index = job.split("_")
                    spool.Log(self.arrays[number], int(index), self.starts[job] - 1).add(0, Stopped())
                self.state[job] = "CANCELLED"

    def clear(self, names, patience):
        self.cleared += names


def finished(rows):
    """An answer: every run ends with its row."""
    return lambda run_id, attempt: Done(run_id, rows[run_id], [])
