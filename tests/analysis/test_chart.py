"""Step coordinates: their derivatives against differences along the retraction, and what they are for."""

import numpy as np
import pytest
from known import isoflop_runs

from analysis import laws, solver
from analysis.solver.chart import Chart, own_exponents
from analysis.solver.descent import VANISHED


def task_of(law="chinchilla"):
    runs = isoflop_runs((1e18, 1e19, 1e20), 6, points=6, noise=0.01)
    entry = laws.get(law)
    points = laws.design(entry, {name: runs[name] for name in entry.inputs})
    return solver.problem(points, np.log(runs["loss"]), solver.Objective("log_mse"))


@pytest.mark.parametrize("law", ["chinchilla", "power_floor", "gadre"])
@pytest.mark.parametrize("follow", [True, False])
def test_gradient_and_hessian_along_the_retraction(law, follow):
    task = task_of(law)
    entry = task.points.law
    theta = solver.starts(task.points, task.y_N)[[1]]
    theta[:, entry.floor] = task.y_N.min() - 0.5
    chart = Chart.at(entry, theta, float(task.y_N.min()), VANISHED, follow)
    _, gradient, hessian = task.evaluate(theta)
    gradient, hessian = chart.derivatives(gradient, hessian)

    def value(step):
        return task.evaluate(chart.retract(step[None]))[0][0]

    n, h = theta.shape[1], 1e-4
    eye = h * np.eye(n)
    slope = np.array([(value(e / 10) - value(-e / 10)) / (0.2 * h) for e in eye])
    assert slope == pytest.approx(gradient[0], rel=1e-5, abs=1e-6 * np.abs(gradient).max())
    bend = [[value(e + d) - value(e - d) - value(d - e) + value(-e - d) for d in eye] for e in eye]
    assert np.array(bend) / (4 * h * h) == pytest.approx(hessian[0], rel=1e-3, abs=1e-5 * np.abs(hessian).max())


def test_a_step_of_nothing_leads_nowhere():
    task = task_of()
    theta = solver.starts(task.points, task.y_N)[:5]
    chart = Chart.at(task.points.law, theta, float(task.y_N.min()), VANISHED)
    assert chart.retract(np.zeros_like(theta)) == pytest.approx(theta, abs=1e-12)


def test_exponents_shared_or_inside_shapes_have_no_chart():
    assert own_exponents(laws.get("chinchilla"))[0].tolist() == [1, 2]
    assert own_exponents(laws.get("gadre"))[0].tolist() == []
    assert own_exponents(laws.get("data_constrained"))[0].tolist() == []


def test_a_column_without_influence_is_settled_in_its_valley():
    """E + A_depth depth^-a is a line in ln depth as a vanishes: the valley runs to E = 0."""
    rng = np.random.default_rng(5)
    width, depth = 64.0 * rng.integers(2, 33, 120), 1.0 * rng.integers(2, 41, 120)
    tokens = 10 ** rng.uniform(8, 11, 120)
    loss = (1.7 + 20 * width**-0.5 + 300 * tokens**-0.3) * np.exp(0.005 * rng.standard_normal(120))
    law = laws.get("power_sum(width,depth,tokens)")
    points = laws.design(law, {"width": width, "depth": depth, "tokens": tokens})
    found = solver.solve(solver.problem(points, np.log(loss), solver.Objective("huber", 1e-3)))
    assert found.gradient_norm < 1e-8
    assert found.agreeing_fraction > 0.1
