"""The figures of a search: the stair of best values, the places on the axes, and what lies off the scale."""

import csv

import numpy as np
import pytest

from analysis.figures.searches import best_so_far, draw_search, parallel_coordinates

AXES = [
    {"field": "optimizer.learning_rate", "points": [], "low": 1e-3, "high": 1e-1, "log": True},
    {"field": "model.norm", "points": ["rms", "layer"], "low": 0.0, "high": 0.0, "log": False},
]


def trial(number, value, place, norm, rung=0):
    places = {"optimizer.learning_rate": place, "model.norm": norm}
    runs = [{"run_id": f"r{number}"}]
    facts = {"number": number, "value": value, "rung": rung, "first": number, "runs": runs, "flops": 10.0}
    return facts | {"places": places, "changes": {"optimizer.learning_rate": 0.01, "model.norm": "rms"}}


def search(trials, best, steps=(10,)):
    named = next((each for each in trials if each["number"] == best), None)
    return {
        "sampler": "gp",
        "objective": "loss",
        "unit": "nats/token",
        "space": AXES,
        "steps": list(steps),
        "trials": trials,
        "best": named,
    }


@pytest.fixture
def found():
    values = [3.0, 2.5, 2.8, None, 2.2, 9.0]
    return search([trial(i, value, 0.2 * i, float(i % 2)) for i, value in enumerate(values)], best=4)


def layer(drawing, name):
    (only,) = [each for each in drawing.panels[0].layers if each.name == name]
    return only


def test_the_stair_goes_down_at_each_new_best(found):
    stair = layer(best_so_far(found), "best so far")
    np.testing.assert_array_equal(stair.x, [10, 20, 20, 50, 50, 60])
    np.testing.assert_array_equal(stair.y, [3.0, 3.0, 2.5, 2.5, 2.2, 2.2])


def test_every_trial_with_a_value_is_a_point_and_the_worst_stands_at_the_top(found):
    drawing = best_so_far(found)
    np.testing.assert_array_equal(layer(drawing, "trial").y, [3.0, 2.5, 2.8, 2.2])
    above = layer(drawing, "off scale")
    assert (above.x.tolist(), above.y.tolist()) == ([60.0], [pytest.approx(2.2 + 3 * (2.8 - 2.2))])


def test_earlier_rungs_are_drawn_apart_and_lead_no_stair():
    trials = [trial(0, 2.0, 0, 0), trial(1, 2.1, 1, 1), trial(2, 2.4, 0, 0, rung=1)]
    drawing = best_so_far(search(trials, best=2, steps=(10, 20)))
    np.testing.assert_array_equal(layer(drawing, "earlier rung").y, [2.0, 2.1])
    np.testing.assert_array_equal(layer(drawing, "best so far").y, [2.4, 2.4])


def test_lines_pass_through_the_places_of_their_settings(found):
    drawing = parallel_coordinates(found)
    lines = [each for each in drawing.panels[0].layers if each.name == "trial"]
    assert len(lines) == 5
    best = layer(drawing, "best trial")
    np.testing.assert_allclose(best.y, [0.8, 0.0, 0.0])
    assert best.run_ids == ("r4",) * 3
    worst = next(each for each in lines if each.run_ids[0] == "r5")
    np.testing.assert_allclose(worst.y, [1.0, 1.0, 1.0])
    rulers = [each.labels for each in drawing.panels[0].layers if each.name == "axis"]
    assert rulers[:2] == [("0.001", "0.01", "0.1"), ("rms", "layer")]


def test_files_and_nothing_to_draw(found, tmp_path):
    paths = draw_search(found, tmp_path)
    names = [f"{name}.{kind}" for name in ("best_so_far", "parallel_coordinates") for kind in ("csv", "png", "svg")]
    assert sorted(path.name for path in paths) == names
    rows = list(csv.DictReader((tmp_path / "best_so_far.csv").open()))
    assert {row["run_id"] for row in rows if row["layer"] == "trial"} == {"r0", "r1", "r2", "r4"}
    assert draw_search(search([trial(0, None, 0, 0)], best=None), tmp_path / "none") == []


def test_equal_values_are_drawn():
    trials = [trial(0, 2.0, 0.5, 0), trial(1, 2.0, 0.7, 1)]
    assert parallel_coordinates(search(trials, best=0)).colours.high > 2.0


def test_labels_are_the_objective_with_its_unit(found):
    drawing = best_so_far(found | {"unit": "squared error"})
    assert (drawing.panels[0].y.label, drawing.panels[0].y.log) == ("loss (squared error)", False)
    assert parallel_coordinates(found | {"objective": "bits_per_byte"}).colours.label == "bits per byte (nats/token)"
    old = {name: value for name, value in found.items() if name != "unit"} | {"objective": "r2"}
    assert best_so_far(old).panels[0].y.label == parallel_coordinates(old).colours.label == "r2"


def test_values_far_apart_stand_on_a_logarithmic_axis():
    values = [1e-5, 1e-3, 1e-2, 1e-4]
    found = search([trial(i, value, 0.2 * i, float(i % 2)) for i, value in enumerate(values)], best=0)
    assert best_so_far(found).panels[0].y.log
    drawing = parallel_coordinates(found)
    lines = {each.run_ids[0]: each for each in drawing.panels[0].layers if each.name == "trial"}
    top = 1e-5 + 3 * (5.5e-4 - 1e-5)  # three times as far above the best as the median
    assert lines["r3"].y[-1] == pytest.approx(np.log(10) / np.log(top / 1e-5))
    assert (lines["r0"].y[-1], lines["r2"].y[-1]) == pytest.approx((0, 1))


def test_equal_tiny_values_keep_their_scale():
    trials = [trial(0, 1e-5, 0.5, 0), trial(1, 1e-5, 0.7, 1)]
    assert parallel_coordinates(search(trials, best=0)).colours.high == pytest.approx(1e-5, rel=0.01)
