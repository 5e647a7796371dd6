"""The arithmetic of the benchmark of separable convolutions, on rows made by hand."""

import pytest

from scripts.benchmarks import separable

TIMES = {("standard", 4): 0.1, ("standard", 8): 0.2, ("separable", 8): 0.4}


def row(convolution, budget, width, loss, steps=10, status="finished"):
    made = {"convolution": convolution, "budget": budget, "width": width, "n_params": 10 * width, "steps": steps}
    return made | {"loss": loss, "accuracy": 0.9, "status": status}


ROWS = [
    *(row("standard", 1e9, 4, loss) for loss in (0.2, 0.4)),
    row("standard", 1e9, 4, None, status="diverged"),
    *(row("standard", 1e9, 8, loss) for loss in (0.5, 0.7)),
    *(row("standard", 2e9, 8, loss, 20) for loss in (0.25, 0.25)),
    *(row("separable", 1e9, 8, loss) for loss in (0.2, 0.2)),
    *(row("separable", 2e9, 8, loss, 20) for loss in (0.1, 0.1)),
]


@pytest.fixture
def seen():
    return separable.points(ROWS, TIMES)


def test_means_over_finished_seeds_and_the_time_of_a_run(seen):
    small = next(point for point in seen if (point.convolution, point.width) == ("standard", 4))
    assert (small.seeds, small.loss, small.loss_se) == (2, pytest.approx(0.3), pytest.approx(0.1))
    assert small.seconds == pytest.approx(1.0)


def test_the_best_shape_of_each_budget_and_what_nothing_undercuts_in_less_time(seen):
    assert [(point.budget, point.width) for point in separable.best(seen)["standard"]] == [(1e9, 4), (2e9, 8)]
    assert [point.loss for point in separable.envelope(seen, "standard")] == pytest.approx([0.3, 0.25])
    said = {each.what: each.measured for each in separable.compared(seen)}
    assert "times 4.00" in said["1e+09 FLOPs"]  # 4 s beside 1
    assert "times 2.00" in said["2e+09 FLOPs"]


def test_the_figure_has_a_panel_for_each_kind_of_cost(seen):
    flops, time = separable.drawing(seen).panels
    assert flops.layers[2].x.tolist() == [1e9, 2e9]
    assert time.layers[2].x.tolist() == pytest.approx([1.0, 4.0])
    assert time.layers[5].x.tolist() == pytest.approx([4.0, 8.0])
