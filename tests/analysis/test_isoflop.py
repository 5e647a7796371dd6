"""Approach 2 by three methods: known biases, Akima's interpolation, published points, minima that are not inside."""

import json
import subprocess
import sys

import numpy as np
import pytest
import synthetic
from known import CHINCHILLA_COLUMNS, chinchilla_points, isoflop_runs, published
from scipy import optimize
from scipy.interpolate import Akima1DInterpolator

from analysis import frontier, isoflop, laws
from analysis.fitting import fit
from analysis.isoflop import akima, parabola
from analysis.load import DataError, runs_from
from analysis.published import HOFFMANN_2022
from scaling_laws.config import ConfigError

BUDGETS = (1e18, 1e19, 1e20, 1e21, 1e22)
PAIR = (-0.002, 0.002)
BIASES = [(2, 0.00142), (4, 0.00569), (8, 0.01279), (16, 0.02273)]


def exact():
    surface = laws.get("chinchilla").surface(HOFFMANN_2022.coefficients)
    assert surface is not None
    return frontier.Frontier(surface, frontier.Compute())


@pytest.fixture(scope="module")
def law():
    """A fit that every test may read its bias from: the true surface, found from noiseless runs."""
    return fit(isoflop_runs(BUDGETS, 8))


def joined(*parts):
    return runs_from({name: np.concatenate([part[name] for part in parts]) for name in parts[0].columns})


@pytest.mark.parametrize(("half_width", "bias"), BIASES)
def test_the_parabola_has_its_known_bias_and_the_exact_slope(half_width, bias):
    found = isoflop.isoflop(isoflop_runs(BUDGETS, half_width))
    for group in found.groups:
        assert not group.edge
        assert np.log10(group.n_opt / exact().n_opt(group.budget)) == pytest.approx(bias, abs=6e-6)
        assert group.bias_log10_n == pytest.approx(bias, abs=1e-4)  # computed, not measured: from the fitted surface
    assert found.a == pytest.approx(exact().a, abs=1e-9)
    assert found.a_bias == pytest.approx(0, abs=1e-4)
    assert found.b == pytest.approx(1 - exact().a, abs=1e-9)
    assert found.n_opt(3e19) * found.d_opt(3e19) * 6 == pytest.approx(3e19)
    assert found.name == "exponent"
    assert "moves log10 N*" in isoflop.table.bias_sentence(found)


def test_the_bias_is_the_same_at_every_c_but_not_for_the_logarithm_of_the_loss():
    logarithmic = []
    for budget in (1e18, 1e20, 1e22):
        n = exact().n_opt(budget) * np.geomspace(1 / 16, 16, 15)
        assert isoflop.shift_log10(exact(), budget, n, parabola.place) == pytest.approx(0.02273, abs=6e-6)
        logarithmic.append(isoflop.shift_log10(exact(), budget, n, lambda x, loss: parabola.place(x, np.log(loss))))
    assert logarithmic[1] == pytest.approx(0.02183, abs=6e-6)
    assert logarithmic[0] + 2e-4 < logarithmic[1] < logarithmic[2] - 2e-4  # as the loss nears E: the slope is biased


def test_grids_that_drift_across_the_valley_bias_the_slope_and_the_surface_does_not(law):
    drift = np.geomspace(1 / 3, 3, 5)
    runs = joined(*(isoflop_runs((c,), 8, center=center) for c, center in zip(BUDGETS, drift, strict=True)))
    found = isoflop.isoflop(runs, fitted=law)
    assert abs(found.a - exact().a) > 0.002
    assert found.a_bias == pytest.approx(found.a - exact().a, abs=1e-5)
    straight = isoflop.isoflop(runs, method="surface")
    assert straight.a == pytest.approx(exact().a, abs=1e-6)
    assert straight.n_opt(1e20) == pytest.approx(exact().n_opt(1e20), rel=1e-5)
    assert straight.a_bias == 0
    with_seeds = isoflop.isoflop(runs, method="surface", bootstrap=20)
    assert with_seeds.a_interval == pytest.approx((exact().a,) * 2, abs=1e-5)
    assert with_seeds.b_interval == pytest.approx((1 - exact().a,) * 2, abs=1e-5)


def test_a_minimum_outside_or_at_the_edge_of_the_sizes_is_dropped_by_name(law):
    inside = isoflop_runs(BUDGETS[:3], 4)
    above = isoflop_runs(BUDGETS[3:4], 3, center=1 / 5)
    below = isoflop_runs(BUDGETS[4:], 3, center=5)
    runs = joined(inside, above, below)
    for method in isoflop.METHODS:
        found = isoflop.isoflop(runs, method, fitted=law)
        assert [group.edge for group in found.groups] == [False] * 3 + [True] * 2
        assert len(found.notes) == 2
        assert "1e+21" in found.notes[0]
        assert "1e+21" in "\n".join(isoflop.table.lines({method: found}, method, {}))
        assert found.name == "local slope"
    found = isoflop.isoflop(runs, fitted=law)
    assert "largest" in found.groups[3].reason
    assert "smallest" in found.groups[4].reason
    assert found.a == pytest.approx(exact().a, abs=1e-9)


def test_a_measured_minimum_at_the_edge_is_dropped_though_the_parabola_turns_inside():
    n = np.geomspace(1e6, 1e7, 5)
    loss = np.array([3.0, 3.2, 3.1, 3.3, 3.9])
    columns = {"n_params": n, "tokens": 1e15 / n, "flops": np.full(5, 6e15), "loss": loss}
    group = isoflop.isoflop(runs_from(columns)).groups[0]
    assert n[0] < group.n_opt < n[-1]
    assert group.edge
    assert "lowest loss is at the smallest" in group.reason


def test_a_curve_that_opens_downwards_is_dropped_and_no_law_is_no_bias():
    n = np.geomspace(1e6, 1e7, 4)
    columns = {"n_params": n, "tokens": 1e15 / n, "flops": np.full(4, 6e15), "loss": 3 - np.log(n / 3e6) ** 2 / 9}
    found = isoflop.isoflop(runs_from(columns))
    assert "opens downwards" in found.groups[0].reason
    assert np.isnan(found.a)
    assert "bias unknown: " in found.notes[-1]
    assert isoflop.table.bias_sentence(found) == ""


def test_seeds_are_points_of_their_own_and_parabolas_agree_with_polyfit(law):
    both = joined(*(isoflop_runs(BUDGETS, 4, points=6, noise=0.01, seed=seed) for seed in (0, 1)))
    for group in isoflop.isoflop(both, fitted=law).groups:
        assert len(group.loss) == 12
        fitted = np.polyfit(np.log(group.n_params), group.loss, 2)
        grid = np.geomspace(group.n_params[0], group.n_params[-1], 7)
        assert group.curve(grid) == pytest.approx(np.polyval(fitted, np.log(grid)), rel=1e-8)
        assert np.log(group.n_opt) == pytest.approx(-fitted[1] / (2 * fitted[0]), rel=1e-8)


@pytest.mark.parametrize("method", isoflop.METHODS)
def test_the_loss_of_the_minima_is_a_power_of_c_where_nothing_is_irreducible(method):
    pure = {**HOFFMANN_2022.coefficients, "E": 0.0}
    c = pure["alpha"] * pure["beta"] / (pure["alpha"] + pure["beta"])  # Hoffmann et al. 2022, equation 4, put into L
    noiseless = isoflop_runs(BUDGETS, 8, law=pure)
    found = isoflop.isoflop(noiseless, method)
    assert found.c == pytest.approx(c, abs=1e-6)
    hits = 0
    for seed in range(20):
        drawn = isoflop.isoflop(isoflop_runs(BUDGETS, 8, 9, pure, 0.01, seed), method, bootstrap=100, seed=seed)
        hits += drawn.c_interval[0] < c < drawn.c_interval[1]
    assert hits >= 14  # 90 % nominal


def test_a_parabola_of_ln_loss_counts_a_run_by_its_ratio_to_the_curve():
    rng = np.random.default_rng(0)
    runs = isoflop_runs(BUDGETS, 8, 9, {**HOFFMANN_2022.coefficients, "E": 0.0})
    loss = runs["loss"] * np.where(rng.uniform(size=len(runs)) < 0.1, 1.05, 1.0)
    for group in isoflop.isoflop(runs_from({**runs.columns, "loss": loss}), "log_parabola").groups:
        fitted = np.polyfit(np.log(group.n_params), np.log(group.loss), 2)
        assert np.log(group.n_opt) == pytest.approx(-fitted[1] / (2 * fitted[0]), rel=1e-8)
        assert group.loss_opt == pytest.approx(np.exp(np.polyval(fitted, np.log(group.n_opt))), rel=1e-8)


def test_akima_is_scipys_interpolation_and_its_lowest_point():
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(0, 9, (40, 9)), axis=1)
    y = (x - 4.5) ** 2 / 10 + 0.3 * rng.standard_normal(x.shape)
    y[0] = np.abs(x[0] - x[0, 4])  # straight pieces: the slopes pair up equal
    places, heights = akima.lowest(x, y)
    slopes = akima.slopes(x, y)
    for row in range(len(x)):
        ours, grid = Akima1DInterpolator(x[row], y[row]), np.linspace(x[row, 0], x[row, -1], 20001)
        assert slopes[row] == pytest.approx(ours.derivative()(x[row]), abs=1e-9)
        best = grid[ours(grid).argmin()]
        if best in grid[[0, -1]]:
            assert np.isnan(places[row])
            continue
        found = optimize.minimize_scalar(ours, bounds=(best - 1e-3, best + 1e-3), options={"xatol": 1e-12})
        assert heights[row] == pytest.approx(float(found.fun), abs=1e-9)
        assert places[row] == pytest.approx(float(found.x), abs=1e-5)
    assert np.isfinite(places).sum() > 30


def test_akima_averages_seeds_and_follows_the_surface(law):
    runs = isoflop_runs(BUDGETS, 8)
    up, down = (runs.with_columns(loss=runs["loss"] * factor) for factor in (1.01, 0.99))
    alone, both = (isoflop.isoflop(table, "akima", fitted=law) for table in (runs, joined(up, down)))
    assert both.a == pytest.approx(alone.a, abs=1e-12)
    for group in alone.groups:
        assert np.log(group.n_opt / exact().n_opt(group.budget)) == pytest.approx(0, abs=5e-3)
        assert group.bias_log10_n == pytest.approx(np.log10(group.n_opt / exact().n_opt(group.budget)), abs=1e-6)


def test_akima_resamples_with_noise_that_was_given_or_measured_and_weighs_by_it(law):
    runs = isoflop_runs(BUDGETS, 8)
    quiet, loud = (isoflop.isoflop(runs, "akima", 200, noise=noise, fitted=law) for noise in (1e-4, 3e-3))
    assert np.diff(quiet.a_interval)[0] < np.diff(loud.a_interval)[0]
    assert loud.weights == "inverse_variance"
    assert "seed noise of 0.003" in loud.draws
    equal = isoflop.isoflop(runs, "akima", 200, noise=3e-3, weights="equal", fitted=law)
    sd = np.array([group.n_opt_sd for group in loud.groups])
    places = np.log([group.n_opt for group in loud.groups])
    assert loud.a == pytest.approx(frontier_slope(places, 1 / sd), abs=1e-9)
    assert equal.a == pytest.approx(frontier_slope(places, None), abs=1e-9)
    shape = {"width": runs["n_params"], "depth": np.ones(75), "learning_rate": np.ones(75)}
    seeds = [
        runs.with_columns(loss=runs["loss"] * f, seed=np.full(75, k), **shape) for k, f in enumerate((1.002, 0.998))
    ]
    assert "seed noise of 0.00283" in isoflop.isoflop(joined(*seeds), "akima", 9, fitted=law).draws
    assert isoflop.isoflop(runs, "akima", 9, fitted=law).draws == "runs within each budget"


def frontier_slope(places, weights):
    return np.polyfit(np.log(BUDGETS), places, 1, w=weights)[0]


def test_a_budget_whose_resamples_mostly_end_at_the_edge_is_dropped_by_akima(law):
    loss = np.array([3.0, 3.6, 2.9999, 3.6, 3.0])  # with noise, one of the ends is lowest in two thirds of the draws
    n, budget = np.geomspace(1e9, 1e10, 5), np.full(5, 1e23)
    shy = runs_from({"n_params": n, "tokens": budget / (6 * n), "flops": budget, "budget": budget, "loss": loss})
    runs = joined(isoflop_runs(BUDGETS, 8), shy)
    assert not isoflop.isoflop(runs, "akima", fitted=law).groups[-1].edge
    found = isoflop.isoflop(runs, "akima", 400, noise=0.01, fitted=law)
    assert "of the resamples have an interior minimum" in found.groups[-1].reason
    assert not any(group.edge for group in found.groups[:-1])


@pytest.mark.parametrize(
    ("method", "extra"), [("parabola", {}), ("log_parabola", {}), ("akima", {}), ("akima", {"noise": 0.003})]
)
def test_intervals_cover_the_truth(method, extra, law):
    truth = exact().a
    hits = 0
    for seed in range(30):
        runs = isoflop_runs(BUDGETS, 6, points=9, noise=0.003, seed=seed)
        low, high = isoflop.isoflop(runs, method, bootstrap=200, seed=seed, fitted=law, **extra).a_interval
        hits += low <= truth <= high
    assert 24 <= hits <= 30  # 90 % nominal


@pytest.mark.slow
@pytest.mark.parametrize("method", isoflop.METHODS)
def test_the_95_percent_interval_covers_in_90_to_99_percent_of_200_draws(method, law):
    hits = 0
    for seed in range(200):
        runs = isoflop_runs(BUDGETS, 8, noise=0.005, seed=seed)
        fitted = None if method == "surface" else law
        low, high = isoflop.isoflop(runs, method, bootstrap=200, seed=seed, level=0.95, fitted=fitted).a_interval
        hits += low <= exact().a <= high
    assert 180 <= hits <= 198


def test_the_published_points_give_the_published_slope():
    found = isoflop.isoflop(chinchilla_points(), bootstrap=100)
    assert 0.462 < found.a < 0.534  # Hoffmann et al. 2022, table 2: .49 (.462, .534)
    assert found.a_interval[0] < 0.5 < found.a_interval[1]
    assert len(list(isoflop.interior(found))) >= 9
    surface = isoflop.isoflop(chinchilla_points(), "surface")
    assert surface.a == pytest.approx(0.5139, abs=5e-4)


def test_json_holds_the_bias_and_the_reasons(law):
    runs = joined(isoflop_runs(BUDGETS[:4], 8), isoflop_runs(BUDGETS[4:], 3, center=5))
    data = json.loads(json.dumps(isoflop.isoflop(runs, bootstrap=10, fitted=law).to_json()))
    assert data["method"] == "parabola"
    assert data["groups"][0]["bias_log10_n"] == pytest.approx(0.01279, abs=1e-4)
    assert data["groups"][-1]["reason"].startswith("edge")
    assert data["a_bias"] == pytest.approx(0, abs=1e-4)
    assert len(data["a_interval"]) == 2


def test_bad_input_is_one_line(law):
    runs = isoflop_runs(BUDGETS, 4, points=3)
    with pytest.raises(DataError, match="no budget has 4 sizes"):
        isoflop.isoflop(runs)
    with pytest.raises(ConfigError, match="did you mean parabola"):
        isoflop.isoflop(runs, method="parabole")
    runs = isoflop_runs(BUDGETS, 4)
    with pytest.raises(ConfigError, match="without resamples"):
        isoflop.isoflop(runs, "akima", weights="inverse_variance")
    with pytest.raises(ConfigError, match="did you mean equal"):
        isoflop.isoflop(runs, weights="equals")
    with pytest.raises(ConfigError, match="noise"):
        isoflop.isoflop(runs, "akima", noise=-1.0)
    with pytest.raises(ConfigError, match="with a frontier"):
        isoflop.isoflop(runs, "surface", fitted=fit(runs, law="power"))


def run_command(*words):
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, check=False)


def test_the_command_line(tmp_path):
    table = published("epoch_chinchilla/svg_extracted_data.csv")
    common = (f"--runs={table}", f"--columns={CHINCHILLA_COLUMNS}", "--where=loss < 3.44", "--bootstrap=20")
    done = run_command("analysis.isoflop", *common, "--method=akima", f"--out={tmp_path / 'o.json'}")
    assert (done.returncode, done.stderr) == (0, "")
    for words in ("Akima", "parabola", "surface", "0.5139", "left out: 5 x not loss < 3.44"):
        assert words in done.stdout
    data = json.loads((tmp_path / "o.json").read_text())
    assert data["method"] == "akima"
    assert set(data["methods"]) == {"parabola", "log_parabola", "akima", "surface"}
    for words in ((*common, "--method=akimo"), (*common, "--line_weights=odd"), ("--runs=nothing.csv",)):
        failed = run_command("analysis.isoflop", *words)
        assert failed.returncode == 2
        assert len(failed.stderr.strip().splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("method", isoflop.METHODS)
def test_the_figures_of_the_command_line(tmp_path, method):
    folder = synthetic.workdir(tmp_path / "sweep")
    words = (f"--runs={folder}", f"--method={method}", "--bootstrap=20", f"--figures={tmp_path / 'f'}")
    assert run_command("analysis.isoflop", *words).returncode == 0
    assert {path.name for path in (tmp_path / "f").iterdir()} >= {"isoflop_curves.png", "frontier_scaling.csv"}
    drawn = (tmp_path / "f" / "isoflop_curves.csv").read_text()
    assert "N* of the fitted law" in drawn
    assert ("interpolation" in drawn) == (method == "akima")
