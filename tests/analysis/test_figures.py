"""The figures: their numbers against the objects they draw, their files, and what happens when something is absent."""

import csv
import dataclasses
import math
import xml.etree.ElementTree

import matplotlib
import numpy as np
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import load
from analysis.budgets import along_budget, shared_budgets
from analysis.figures import FIGURES, NothingToDraw, build_all, draw, draw_all, ticks
from analysis.figures.chart import CSV_COLUMNS, ColourScale
from analysis.figures.static import legend_columns, render
from analysis.figures.style import DARK_STOPS, LIGHT_STOPS, RC, mix, write_atomically
from analysis.options import Options
from analysis.study import Study, make_study, study_of
from analysis.uncertainty import band

OPTIONS = Options(bootstrap=20)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_of(synthetic.workdir(tmp_path_factory.mktemp("sweep")), OPTIONS)


def without_curves(rows, folder):
    """A study of made-up rows without curves."""
    return study_of(synthetic.workdir(folder, rows, curves=False), OPTIONS)


def layers(drawing, name):
    return [layer for panel in drawing.panels for layer in panel.layers if layer.name == name]


def test_every_figure_writes_three_files(study, tmp_path):
    paths, skipped = draw_all(study, tmp_path)
    assert skipped == {}
    assert sorted(path.name for path in paths) == sorted(f"{n}.{k}" for n in FIGURES for k in ("png", "svg", "csv"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in paths)  # no leftovers
    for path in paths:
        if path.suffix == ".png":
            assert path.read_bytes().startswith(b"\x89PNG")
        if path.suffix == ".svg":
            tree = xml.etree.ElementTree.parse(path)
            assert not tree.findall(".//{http://www.w3.org/2000/svg}text")  # glyphs as paths: no font is needed


def test_the_same_numbers_give_the_same_bytes(study, tmp_path):
    first, second = (draw("isoflop_curves", study, tmp_path / name) for name in ("a", "b"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"<dc:date>" not in first[1].read_bytes()


def test_csv_holds_the_numbers_drawn(study, tmp_path):
    path = draw("loss_over_flops", study, tmp_path)[2]
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        assert tuple(reader.fieldnames) == CSV_COLUMNS
        ends = [row for row in reader if row["layer"] == "end of a run (held-out loss)"]
    assert [row["run_id"] for row in ends] == study.runs["run_id"].tolist()
    assert [float(row["x"]) for row in ends] == study.runs["flops"].tolist()
    assert [float(row["y"]) for row in ends] == study.runs["loss"].tolist()
    np.testing.assert_allclose([float(row["high"]) - float(row["y"]) for row in ends], 0.004, rtol=1e-9)


def test_frontier_line_is_the_closed_form_of_the_fit(study):
    (line,) = layers(FIGURES["loss_over_flops"](study), "fitted frontier")
    c = study.fit.coefficients
    n = synthetic.optimal_size(line.x, c)
    np.testing.assert_allclose(line.y, synthetic.law_loss(n, line.x / 6 / n, c), rtol=1e-6)
    assert line.x[-1] == pytest.approx(study.heldout["flops"][0])


def test_forecast_is_the_law_at_the_held_out_run(study):
    drawing = FIGURES["loss_over_flops"](study)
    (forecast,), (held,) = layers(drawing, "forecast"), layers(drawing, "held-out run")
    run = {name: study.heldout[name].astype(float) for name in ("n_params", "tokens")}
    np.testing.assert_allclose(forecast.y, synthetic.law_loss(**run, law=study.fit.coefficients), rtol=1e-6)
    assert held.y[0] == study.heldout["loss"][0]
    assert forecast.low[0] < forecast.y[0] < forecast.high[0]


def test_curves_are_those_of_the_table(study):
    drawn = layers(FIGURES["loss_over_flops"](study), "training curves (validation loss)")
    owners = {layer.run_ids[0] for layer in drawn}
    assert owners == set(study.runs["run_id"]) | set(study.heldout["run_id"])
    for layer in drawn[:5]:
        mine = study.curves["run_id"] == layer.run_ids[0]
        assert set(layer.y) <= set(study.curves["loss"][mine])


def test_minima_are_marked_where_the_parabola_is_lowest(study):
    drawing = FIGURES["isoflop_curves"](study)
    (stars,), parabolas = layers(drawing, "minimum"), layers(drawing, "parabola")
    assert len(stars.x) == len(parabolas) == 5
    for x, y, parabola in zip(stars.x, stars.y, parabolas, strict=True):
        lowest = np.argmin(parabola.y)
        assert parabola.x[lowest] == pytest.approx(x, rel=0.05)
        assert parabola.y[lowest] == pytest.approx(y, rel=1e-3)


def test_edge_minimum_is_dropped_by_name(tmp_path):
    plan = synthetic.Plan(forecast=0, diverged=0, noise=0.0)
    rows = [row for row in synthetic.rows(plan) if row["budget"] > 2e11 or row["n_params"] > 3e4]
    drawing = FIGURES["isoflop_curves"](without_curves(rows, tmp_path))
    (edge,), (stars,) = layers(drawing, "edge minimum, dropped"), layers(drawing, "minimum")
    smallest = min((row for row in rows if row["budget"] == 2e11), key=lambda row: row["n_params"])
    assert (edge.x.tolist(), edge.y.tolist()) == ([smallest["n_params"]], [smallest["loss"]])
    assert edge.mark == "warning"
    assert len(stars.x) == 4
    assert "Dropped: 2·10¹¹ FLOPs (edge" in drawing.caption


def test_seed_bars_span_the_seeds(study):
    bars = layers(FIGURES["isoflop_curves"](study), "spread over seeds")
    runs = study.runs
    for bar in bars:
        for i, size in enumerate(bar.x):
            same = (runs["n_params"] == size) & (runs["budget"] == bar.value[i])
            assert (bar.low[i], bar.high[i]) == (runs["loss"][same].min(), runs["loss"][same].max())


def test_contours_lie_on_the_law(study):
    contours = layers(FIGURES["surface"](study), "contour")
    assert len(contours) >= 10
    for contour in contours:
        loss = synthetic.law_loss(contour.x, contour.y, study.fit.coefficients)
        np.testing.assert_allclose(loss, contour.value, rtol=2e-4)


def test_isoflop_line_spends_the_budget(study):
    for budget, rows in shared_budgets(study.runs):
        n, d = along_budget(study.runs, rows, 7)
        np.testing.assert_allclose(6 * n * d, budget, rtol=1e-4)


def test_three_approaches_are_drawn_for_n_and_d(study):
    drawing = FIGURES["frontier_scaling"](study)
    names = [{layer.name for layer in panel.layers} for panel in drawing.panels]
    assert {"approach 2: IsoFLOP minima", "approach 3: fitted law", "IsoFLOP minimum"} <= names[0] & names[1]
    assert "approach 1: envelope" in names[0]
    for panel, power in zip(drawing.panels, (study.fit.frontier.a, study.fit.frontier.b), strict=True):
        line = next(item for item in panel.layers if item.role == "approach3" and item.kind == "line")
        slope = np.log(line.y[-1] / line.y[0]) / np.log(line.x[-1] / line.x[0])
        assert slope == pytest.approx(power, abs=1e-9)


def test_bands_contain_their_lines(study):
    for panel in FIGURES["frontier_scaling"](study).panels:
        for layer in panel.layers:
            if layer.kind == "band":
                assert np.all(layer.low <= layer.high)
                assert np.mean((layer.low <= layer.y) & (layer.y <= layer.high)) > 0.5


def test_shape_maps_show_means_over_seeds(study):
    drawing = FIGURES["shape_maps"](study)
    runs = study.runs
    for panel, budget in zip(drawing.panels, np.unique(runs["budget"]), strict=True):
        cells, best = panel.layers
        for i in range(len(cells.x)):
            width, depth = panel.x.categories[int(cells.x[i])], panel.y.categories[int(cells.y[i])]
            mine = (runs["budget"] == budget) & (runs["width"] == int(width)) & (runs["depth"] == int(depth))
            assert cells.labels[i] == f"{runs['loss'][mine].mean():.3f}"
            assert set(cells.run_ids[i].split(" + ")) == set(runs["run_id"][mine])
        assert cells.value.min() == 0
        lowest = int(np.argmin(cells.value))
        assert (best.x[0], best.y[0]) == (cells.x[lowest], cells.y[lowest])


def test_one_depth_gives_one_row_of_cells(tmp_path):
    rows = [row for row in synthetic.rows(synthetic.Plan(forecast=0)) if row["depth"] == 2]
    made = without_curves(rows, tmp_path / "in")
    drawing = FIGURES["shape_maps"](made)
    assert {panel.y.categories for panel in drawing.panels} == {("2",)}
    assert len(draw("shape_maps", made, tmp_path / "out")) == 3


def test_losses_fit_into_their_cells(study, tmp_path):
    rows = synthetic.rows(synthetic.Plan(widths=(24, 32, 40, 48, 56, 64, 72), depths=(2,)))
    small = [row | {"loss": row["loss"] and row["loss"] / 10} for row in rows]  # written with a digit more
    for each in (study, without_curves(small, tmp_path)):
        with matplotlib.rc_context(RC):
            figure = render(FIGURES["shape_maps"](each))
            figure.canvas.draw()
            for axes in figure.axes[:-1]:
                left, right = axes.transData.transform([(0, 0), (1, 0)])[:, 0]
                assert axes.texts
                assert all(text.get_window_extent().width < 0.9 * (right - left) for text in axes.texts)


def test_a_table_of_strangers_draws_what_it_can():
    rows = synthetic.rows(synthetic.Plan(forecast=0, diverged=0))
    columns = {name: np.array([row[name] for row in rows], float) for name in ("n_params", "tokens", "loss")}
    made = make_study(load.runs_from(columns), None, OPTIONS)
    built = build_all(made)
    assert list(built.skipped) == ["shape_maps"]
    assert "width" in built.skipped["shape_maps"]
    assert len(built.drawings) == 5


def test_few_runs_are_said_to_be_few(tmp_path):
    made = without_curves(synthetic.rows(synthetic.Plan(forecast=0, diverged=0))[:3], tmp_path / "in")
    assert made.fit is None
    built = build_all(made)
    assert "3 runs" in built.skipped["surface"]
    assert built.drawings[0].name == "loss_over_flops"
    with pytest.raises(NothingToDraw, match="3 runs"):
        draw("surface", made, tmp_path)


def test_a_law_of_compute_alone_has_no_surface(study, tmp_path):
    fitted = make_study(study.runs, None, dataclasses.replace(OPTIONS, law="power"))
    built = build_all(fitted)
    assert "power" in built.skipped["surface"]
    (line,) = layers(built.drawings[0], "fitted frontier")
    np.testing.assert_allclose(np.diff(np.log(line.y), 2), 0, atol=1e-9)  # straight in log-log


def test_one_run_alone_is_drawn(tmp_path):
    made = without_curves(synthetic.rows(synthetic.Plan(forecast=0, diverged=0))[:1], tmp_path / "in")
    paths, skipped = draw_all(made, tmp_path / "out")
    assert [path.stem for path in paths] == ["loss_over_flops"] * 3
    assert set(skipped) == set(FIGURES) - {"loss_over_flops"}


def test_study_says_what_is_absent(study):
    bare = Study(study.runs)
    assert bare.why("curves") == "there is no curves"
    assert bare.level == 0.9
    assert not bare.is_surface()


def test_band_is_the_central_share():
    samples = np.arange(1001.0)[:, None] * np.ones(3)
    low, high = band(samples, 0.9)
    np.testing.assert_allclose(low, 50)
    np.testing.assert_allclose(high, 950)
    assert np.isnan(band(np.full((4, 3), np.nan), 0.9)[0]).all()


def test_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "page.html"
    write_atomically(target, b"old")
    with pytest.raises(TypeError):
        write_atomically(target, "text, not bytes")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-6, 1e20), st.floats(1.0001, 1e12), st.booleans())
def test_axes_always_carry_several_labels_inside_their_limits(low, ratio, si):
    high = low * ratio
    found = ticks.labelled(low, high, log=True, si=si)
    assert 2 <= len(found) <= 13
    places = [place for place, _ in found]
    assert places == sorted(places)
    assert all(low * (1 - 1e-9) <= place <= high * (1 + 1e-9) for place in places)
    texts = [text for _, text in found]
    assert len(set(texts)) == len(texts) or ratio < 1.02


@pytest.mark.parametrize(
    "value, si, text",
    [
        (2e11, False, "2·10¹¹"),
        (1e12, False, "10¹²"),
        (1.5e-4, False, "1.5·10⁻⁴"),
        (0.25, False, "0.25"),
        (33000, True, "33k"),
        (1.2e6, True, "1.2M"),
        (7e9, True, "7B"),
        (0, True, "0"),
        (23240, False, "23\u202f240"),
    ],
)
def test_numbers_read_well(value, si, text):
    assert ticks.write(value, si) == text


def test_limits_survive_one_value_and_nan():
    low, high = ticks.padded(np.array([5.0, np.nan]), log=True)
    assert low < 5 < high
    assert ticks.padded(np.array([np.nan]), log=True) == (1.0, 10.0)


def test_colour_scale_is_logarithmic_and_monotone_in_lightness():
    scale = ColourScale("N", 1e3, 1e5)
    np.testing.assert_allclose(scale.fraction(np.array([1e3, 1e4, 1e5, 1e9])), [0, 0.5, 1, 1])
    for stops in (LIGHT_STOPS, DARK_STOPS):
        lightness = [_lightness(mix(stops, f)) for f in np.linspace(0, 1, 30)]
        assert np.all(np.diff(lightness) > 0)  # so that it reads in grey, too
    assert mix(LIGHT_STOPS, 0) == LIGHT_STOPS[0]
    assert mix(LIGHT_STOPS, 1) == LIGHT_STOPS[-1]


def _lightness(colour):
    """Relative luminance of the sRGB standard (IEC 61966-2-1)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else math.pow((c + 0.055) / 1.055, 2.4) for c in channels]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_a_legend_takes_as_many_columns_as_fit():
    long = ["training curves (validation loss)", "lower envelope of the curves", "90% band of the frontier"]
    assert legend_columns([*long, "fitted frontier", "end of a run (held-out loss)"], 6.6) == 2  # 3 were cut off
    assert legend_columns(["run", "law", "fit", "end"], 6.6) == 3
    assert legend_columns(["x" * 80, "y" * 80], 6.6) == 1
    assert legend_columns(["one"], 6.6) == 1


def test_round_numbers_on_a_short_log_axis_do_not_crowd():
    for low, high in ((0.7, 2.6), (1.01, 4.9), (0.95, 1.08)):
        places = np.array([place for place, _ in ticks.labelled(low, high, log=True, si=False, count=8)])
        assert len(places) >= 3
        assert np.diff(np.log(places)).min() >= 0.099 * np.log(high / low)
