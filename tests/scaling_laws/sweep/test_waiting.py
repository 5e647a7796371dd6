import heapq
import random
import time
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.sweep.waiting import Waiting

RUNS = st.lists(st.tuples(st.integers(1, 5), st.floats(0.1, 100)), min_size=1, max_size=30)


def run(shape, seconds, name="r", trunk="", steps=1):
    of = types.SimpleNamespace(train=types.SimpleNamespace(steps=steps))
    return types.SimpleNamespace(program=(shape, 1, 4), expected_seconds=seconds, run_id=name, trunk=trunk, run=of)


def choose(waiting, compiled, elsewhere, n_workers):
    return Waiting(waiting).choose(compiled, lambda: elsewhere, n_workers)


def by_the_rule(waiting, running, compiled, elsewhere, n_workers):
    """The rule as the module tells it, over all that wait."""
    first = {}
    for each in (*waiting, *running):
        first[each.trunk] = min(first.get(each.trunk, each.run.train.steps), each.run.train.steps)
    ready = [each for each in waiting if not each.trunk or each.run.train.steps == first[each.trunk]]

    def seconds(each):
        alike = [other.expected_seconds for other in waiting if other.trunk == each.trunk]
        return sum(alike) if each.trunk else each.expected_seconds

    def order(each):
        return -seconds(each), each.run_id

    if not ready:
        return None
    longest = min(ready, key=order)
    if seconds(longest) >= sum(map(seconds, ready)) / n_workers:
        return longest
    own = [each for each in ready if each.program in compiled]
    fresh = [each for each in ready if each.program not in elsewhere]
    return min(own or fresh or ready, key=order)


def simulate(runs, n_workers):
    """(end of the last run, shapes compiled over all workers) when workers ask one after another."""
    waiting, clock, compiled = Waiting(runs), [(0.0, i) for i in range(n_workers)], [set() for _ in range(n_workers)]
    ends = [0.0]
    while waiting:
        now, i = heapq.heappop(clock)
        elsewhere = set().union(*(c for j, c in enumerate(compiled) if j != i))
        chosen = waiting.choose(compiled[i], lambda elsewhere=elsewhere: elsewhere, n_workers)
        waiting.take([chosen])
        compiled[i].add(chosen.program)
        ends.append(now + chosen.expected_seconds)
        heapq.heappush(clock, (ends[-1], i))
    return max(ends), sum(map(len, compiled))


def test_stays_with_a_compiled_shape():
    waiting = [run(1, 3, "a"), run(2, 4, "b"), run(2, 2, "c"), run(3, 5, "d")]
    assert choose(waiting, {(2, 1, 4)}, {(1, 1, 4)}, 2) is waiting[1]


def test_else_a_shape_that_nobody_has():
    waiting = [run(1, 4, "a"), run(2, 1, "b"), run(3, 2, "c"), run(3, 1.5, "d")]
    assert choose(waiting, set(), {(1, 1, 4)}, 2) is waiting[2]


def test_else_helps_with_the_longest():
    waiting = [run(1, 3, "a"), run(1, 4, "b"), run(1, 4, "c")]
    assert choose(waiting, {(9, 1, 4)}, {(1, 1, 4)}, 2) is waiting[1]


def test_a_run_that_would_end_last_goes_first():
    waiting = [run(1, 100, "a"), run(2, 3, "b"), run(2, 2, "c")]
    assert choose(waiting, {(2, 1, 4)}, {(1, 1, 4)}, 4) is waiting[0]


def test_none_where_none_is_ready():
    assert choose([], set(), set(), 2) is None


@pytest.mark.parametrize("seed", range(100))
def test_what_is_found_fast_is_what_the_rule_says(seed):
    """Runs of a few programs and trunks, of whole seconds, taken, done, come back and added in any order."""
    rng = random.Random(seed)
    n_workers = rng.randint(1, 8)
    every = [
        run(rng.randint(1, 4), float(rng.randint(1, 9)), f"{i:02d}", rng.choice(("", "", "s", "t")), steps=i)
        for i in range(rng.randint(1, 24))
    ]
    waiting = every[: len(every) // 2]
    later, running, fast = every[len(every) // 2 :], [], Waiting(waiting)
    for _ in range(80):
        compiled = {(shape, 1, 4) for shape in range(1, 5) if rng.random() < 0.3}
        elsewhere = {(shape, 1, 4) for shape in range(1, 5) if rng.random() < 0.3} - compiled
        chosen = fast.choose(compiled, lambda elsewhere=elsewhere: elsewhere, n_workers)
        assert chosen is by_the_rule(waiting, running, compiled, elsewhere, n_workers)
        assert len(fast) == len(waiting)
        deed = rng.random()
        if deed < 0.5 and chosen:
            fast.take([chosen])
            waiting.remove(chosen)
            running.append(chosen)
        elif deed < 0.8 and running:
            ended = running.pop(rng.randrange(len(running)))
            fast.release(ended)
            if rng.random() < 0.3:
                fast.add(ended)
                waiting.append(ended)
        elif later:
            waiting.append(later.pop())
            fast.add(waiting[-1])


@settings(max_examples=100, deadline=None)
@given(RUNS, st.integers(1, 8))
def test_no_core_is_idle_for_long(items, n_workers):
    runs = [run(shape, seconds, str(i)) for i, (shape, seconds) in enumerate(items)]
    total, longest = sum(r.expected_seconds for r in runs), max(r.expected_seconds for r in runs)
    end, _ = simulate(runs, n_workers)
    assert end <= total / n_workers + longest + 1e-6  # Graham's bound of any greedy order


def test_shapes_are_compiled_once_where_balance_allows():
    runs = [run(shape, seconds, f"{shape}{seconds}") for shape in range(8) for seconds in (1, 2, 4, 8)]
    end, programs = simulate(runs, 2)
    assert end <= 60 + 2  # 120 seconds of work on two workers
    assert programs <= 9  # 8 shapes; one more for the balance at the end


def test_a_choice_among_many_costs_hardly_more_than_among_few():
    def each(n):
        runs = [run(i % 50, 1.0 + i % 97, f"{i:06d}") for i in range(n)]
        began = time.process_time()
        simulate(runs, 4)
        return (time.process_time() - began) / n

    assert min(each(8000) for _ in range(3)) < 6 * min(each(500) for _ in range(3))  # 16 where all are looked at
