import heapq
import types

from hypothesis import given, settings
from hypothesis import strategies as st

from scaling_laws.sweep.schedule import choose


def run(shape, seconds, name="r"):
    return types.SimpleNamespace(program=(shape, 1, 4), expected_seconds=seconds, run_id=name, trunk="")


def simulate(runs, n_workers):
    """(end of the last run, shapes compiled over all workers) when workers ask one after another."""
    waiting, clock, compiled = list(runs), [(0.0, i) for i in range(n_workers)], [set() for _ in range(n_workers)]
    ends = [0.0]
    while waiting:
        now, i = heapq.heappop(clock)
        elsewhere = set().union(*(c for j, c in enumerate(compiled) if j != i))
        chosen = choose(waiting, compiled[i], elsewhere, n_workers, {})
        waiting.remove(chosen)
        compiled[i].add(chosen.program)
        ends.append(now + chosen.expected_seconds)
        heapq.heappush(clock, (ends[-1], i))
    return max(ends), sum(map(len, compiled))


def test_stays_with_a_compiled_shape():
    waiting = [run(1, 3), run(2, 4), run(2, 2), run(3, 5)]
    assert choose(waiting, {(2, 1, 4)}, {(1, 1, 4)}, 2, {}) is waiting[1]


def test_else_a_shape_that_nobody_has():
    waiting = [run(1, 4), run(2, 1), run(3, 2), run(3, 1.5)]
    assert choose(waiting, set(), {(1, 1, 4)}, 2, {}) is waiting[2]


def test_else_helps_with_the_longest():
    waiting = [run(1, 3), run(1, 4), run(1, 4)]
    assert choose(waiting, {(9, 1, 4)}, {(1, 1, 4)}, 2, {}) in waiting[1:]


def test_a_run_that_would_end_last_goes_first():
    waiting = [run(1, 100), run(2, 3), run(2, 2)]
    assert choose(waiting, {(2, 1, 4)}, {(1, 1, 4)}, 4, {}) is waiting[0]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 5), st.floats(0.1, 100)), min_size=1, max_size=30), st.integers(1, 8))
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
