"""Joint regions: exact for a straight line, bounded by the profiles, and the figure that draws them."""

import numpy as np
import pytest
import synthetic
from known import HOFFMANN, isoflop_runs
from posing import posed, quantities
from scipy import stats

from analysis import uncertainty
from analysis.figures import FIGURES, NothingToDraw
from analysis.figures.regions import build
from analysis.fit import fit
from analysis.load import DataError
from analysis.options import Options
from analysis.study import Study, make_study, study_of
from analysis.uncertainty.regions import threshold
from scaling_laws.config import ConfigError

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)


def noisy(points=8, seed=0, noise=0.005):
    return isoflop_runs(BUDGETS, 10, points=points, noise=noise, seed=seed)


def pair_of(at, *names):
    found = quantities(at)
    return tuple(found[name] for name in names)


def test_the_threshold_is_scipys():
    for level, dof in ((0.9, 35), (0.95, 3), (0.5, 1000)):
        assert threshold(level, dof) == pytest.approx(2 * stats.f.ppf(level, 2, dof), rel=1e-9)


def test_the_region_of_a_straight_line_is_the_textbook_ellipse():
    runs = noisy()
    at = posed(runs, "power")
    polygon = uncertainty.joint(at, pair_of(at, "A", "gamma"), 0.9)
    x, y = np.log(runs["flops"]), np.log(runs["loss"])
    design = np.stack([np.ones(len(x)), -x], axis=1)
    best, rss, *_ = np.linalg.lstsq(design, y, rcond=None)
    away = np.stack([np.log(polygon[:, 0]), polygon[:, 1]], axis=1) - best
    statistic = np.einsum("mi,ij,mj->m", away, design.T @ design, away) / (2 * rss[0] / (len(x) - 2))
    assert statistic == pytest.approx(stats.f.ppf(0.9, 2, len(x) - 2), rel=0.03)
    assert len(polygon) > 40
    assert np.array_equal(polygon[0], polygon[-1])


def test_the_corners_of_the_profile_region_lie_on_its_level():
    runs = noisy()
    at = posed(runs)
    polygon = uncertainty.joint(at, pair_of(at, "alpha", "beta"), 0.95)
    lowest = at.objective_at(at.theta[None])[0]
    for alpha, beta in polygon[::12]:
        held = fit(runs, objective="log_mse", fixed={"alpha": alpha, "beta": beta})
        f = (held.objective["value"] - lowest) / (2 * lowest / (len(runs) - 5))
        assert f == pytest.approx(stats.f.ppf(0.95, 2, len(runs) - 5), rel=0.05)


def test_the_shadow_of_the_region_is_the_profile_at_the_same_rise():
    at = posed(noisy())
    q = quantities(at)
    polygon = uncertainty.joint(at, (q["alpha"], q["E"]), 0.9)
    for column, name in enumerate(("alpha", "E")):
        ends = np.array([polygon[:, column].min(), polygon[:, column].max()])
        rises = uncertainty.rise_at(at, q[name], ends)
        assert rises == pytest.approx(threshold(0.9, len(at.task.y_N) - 5), rel=0.06)


def test_the_ellipse_has_the_sandwichs_errors():
    at = posed(noisy())
    polygon = uncertainty.joint(at, pair_of(at, "alpha", "beta"), 0.9, "ellipse")
    errors = np.sqrt(np.diag(at.covariance)[[3, 4]])
    reach = errors * np.sqrt(threshold(0.9, 35))
    assert np.ptp(polygon, axis=0) == pytest.approx(2 * reach, rel=5e-3)


def test_ellipse_and_profile_agree_where_there_is_much_data_and_little_noise():
    runs = noisy(points=60, noise=0.001)
    found = fit(runs, objective="log_mse")
    profile, ellipse = (found.region(runs, ("alpha", "beta"), 0.9, kind) for kind in ("profile", "ellipse"))
    assert np.ptp(profile, axis=0) == pytest.approx(np.ptp(ellipse, axis=0), rel=0.15)
    assert profile.mean(axis=0) == pytest.approx([HOFFMANN["alpha"], HOFFMANN["beta"]], abs=0.002)


def test_a_region_that_reaches_a_vanishing_floor_is_closed():
    c = np.geomspace(1e15, 1e18, 30)
    loss = (0.3 + 50 * c**-0.08) * np.exp(0.01 * np.random.default_rng(1).standard_normal(30))
    at = posed({"flops": c, "loss": loss}, "power_floor")
    polygon = uncertainty.joint(at, pair_of(at, "A", "gamma"), 0.9)
    assert np.isfinite(polygon).all()
    assert np.array_equal(polygon[0], polygon[-1])


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    return study_of(synthetic.workdir(tmp_path_factory.mktemp("sweep")), Options(bootstrap=30))


def test_the_figure_shows_region_cloud_fit_and_published_values(study):
    drawing = build(study)
    layers = {layer.name: layer for layer in drawing.panels[0].layers}
    assert set(layers) == {"resample", "ellipse", "fit", "Hoffmann et al. 2022", "Besiroglu et al. 2024"}
    assert layers["resample"].x.tolist() == study.fit.samples["alpha"].tolist()
    assert (layers["fit"].x[0], layers["fit"].y[0]) == (study.fit.coefficients["alpha"], study.fit.coefficients["beta"])
    assert layers["ellipse"].x.min() < layers["fit"].x[0] < layers["ellipse"].x.max()
    assert (layers["Hoffmann et al. 2022"].x[0], layers["Hoffmann et al. 2022"].y[0]) == (0.34, 0.28)
    assert "regions" in FIGURES


def test_who_asks_for_profiles_sees_the_region_of_the_profile():
    runs = isoflop_runs((1e18, 1e19, 1e20), 6, points=6, noise=0.005)
    drawing = build(make_study(runs, None, Options(interval="profile")))
    layers = {layer.name: layer for layer in drawing.panels[0].layers}
    assert layers["profile"].x.min() < layers["fit"].x[0] < layers["profile"].x.max()


def test_without_a_fit_there_is_nothing_to_draw(study):
    with pytest.raises(NothingToDraw, match="no fit"):
        build(Study(study.runs))


def test_bad_requests_are_refused():
    runs = noisy()
    found = fit(runs, objective="log_mse")
    with pytest.raises(ConfigError, match="allowed: E, A, B, alpha, beta"):
        found.region(runs, ("alpa", "beta"))
    with pytest.raises(ConfigError, match="allowed: profile, ellipse"):
        found.region(runs, kind="oval")
    with pytest.raises(ConfigError, match="level"):
        found.region(runs, level=1.5)
    with pytest.raises(ConfigError, match="do not vary apart"):
        fit(runs, fixed={"alpha": 0.34}).region(runs)
    with pytest.raises(DataError, match="39 runs"):
        found.region(runs.select(np.arange(40) > 0, "first"))
