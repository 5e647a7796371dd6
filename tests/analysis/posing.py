"""A law posed on runs: the optimum as the interval methods see it."""

import numpy as np

from analysis import laws, solver, uncertainty


def posed(runs, law_name="chinchilla", objective="log_mse", delta=1e-3, units=None, weights=None):
    """The problem at its optimum."""
    law = laws.get(law_name)
    points = laws.design(law, {name: runs[name] for name in law.inputs})
    task = solver.problem(points, np.log(runs[law.target]), solver.Objective(objective, delta))
    units = np.arange(len(runs["loss"])) if units is None else units
    return uncertainty.Posed(task, solver.solve(task, weights).theta, units, weights)


def quantities(at):
    """The law's coefficients."""
    return uncertainty.coefficients(at.task.points, at.theta)
