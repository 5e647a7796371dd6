"""Published tables as the analysis reads them: columns, subsets, options. The files themselves are other people's."""

import dataclasses
from pathlib import Path

import numpy as np

from analysis import load
from analysis.load import Runs
from analysis.options import Options


def options(bootstrap: int, **changes: object) -> Options:
    """The fit's options with as many resamples."""
    return Options(bootstrap=bootstrap, **changes)  # pyright: ignore[reportArgumentType]


def chinchilla(folder: Path) -> Runs:
    """The 240 points of Hoffmann et al. 2022, figure 4, as Besiroglu et al. 2024 read them off: all but the five
    highest losses."""
    runs = load.load(folder / "epoch_chinchilla/svg_extracted_data.csv", "n_params=Model Size,flops=Training FLOP")
    return runs.select(runs["loss"] < np.sort(runs["loss"])[-5], "one of the five highest losses")


PORIAN_SETS = {"RefinedWeb": "summary_df", "OpenWebText2": "summary_df_owt2"}  # data set -> their name of it
PORIAN_SETTINGS = {  # each mends one thing of the one before
    "Kaplan's": "warmup == 'long' and decay == 'kaplan' and param_count == 'kaplan'",
    "head": "warmup == 'long' and decay == 'kaplan' and param_count == 'standard'",
    "warm-up": "warmup == 'short' and decay == 'kaplan' and param_count == 'standard'",
    "cosine": "decay == 'chinchilla' and param_count == 'standard'",
    "tuned": "hparams == 'tuned' and param_count == 'standard'",
}


def porian_points(folder: Path, corpus: str, setting: str) -> Runs:
    """The losses over N and D at each budget of one of PORIAN_SETS under one of PORIAN_SETTINGS."""
    where = _porian_where(corpus, setting)
    return load.load(folder / "porian/isoflop_points.csv", "n_params=N,tokens=D", where)


def porian_minima(folder: Path, corpus: str, setting: str) -> Runs:
    """Their own minima: flops, n_params and tokens of each budget with one."""
    return load.load(folder / "porian/optimal_pairs.csv", "n_params=n,tokens=t", _porian_where(corpus, setting))


def porian_interval(folder: Path, corpus: str, setting: str) -> tuple[float, float]:
    """Their 95 % interval of the exponent of N* in C, minima weighted alike."""
    names, where = ("n_exp_lo95", "n_exp_hi95"), f"{_porian_where(corpus, setting)} and kind == 'bootstrap'"
    found = load.load(folder / "porian/published_bootstrap_ci.csv", where=where, needs=names)
    return float(found[names[0]][0]), float(found[names[1]][0])


def _porian_where(corpus: str, setting: str) -> str:
    return f"file == '{PORIAN_SETS[corpus]}' and {PORIAN_SETTINGS[setting]}"


def repetition(folder: Path) -> Runs:
    """The 296 runs of Muennighoff et al. 2023, with `unique_tokens` and `epochs`, how often each of these was read."""
    names = {"n_params": "N", "tokens": "D", "unique_tokens": "U_unique_tokens"}
    runs = load.load(folder / "datablations/parametric_fit_points.csv", names)
    return runs.with_columns(epochs=runs["tokens"] / runs["unique_tokens"])


def over_trained(folder: Path) -> Runs:
    """The 98 runs of Gadre et al. 2024, with `multiple` (D / N), loss on C4's held-out text, and `error`: the mean over
    17 tasks."""
    names = {"n_params": "N", "tokens": "D", "multiple": "tok_mult", "loss": "loss_c4_val", "error": "err_avg_subset"}
    return load.load(folder / "gadre/runs_full.csv", names)


def step_law(folder: Path) -> Runs:
    """The 1911 runs of Li et al. 2025 over 17 cells of N and D, loss smoothed as they did, `batch_tokens` a step."""
    names = {"n_params": "N", "tokens": "D", "learning_rate": "lr", "loss": "smooth loss"}
    runs = load.load(folder / "steplaw/dense_lr_bs_loss.csv", names)
    return runs.with_columns(batch_tokens=2048 * runs["bs"])


def step_law_fits(folder: Path) -> dict[str, np.ndarray]:
    """Column -> (1000,) coefficients of their bootstrap fits, intercepts as logarithms."""
    path = folder / "steplaw/1004_fitted_lr_bs_scaling_model_parameters.csv"
    names = ("lr_intercept", "lr_coefN", "lr_coefD", "bs_intercept", "bs_coefD")
    return {name: load.load(path, needs=()).only_numbers(name) for name in names}


def addition(folder: Path) -> Runs:
    """Error `loss` of four-digit addition over `x` examples, `split` train or test (Caballero et al. 2023)."""
    return load.load(folder / "bnsl/four_digit_addition.csv", "loss=y", needs=("x", "loss"))


@dataclasses.dataclass(frozen=True)
class Curve:
    """A learning curve (n,) of Alabdulmohsin et al. 2022: examples seen, loss, and which points are fitted."""

    domain: str
    name: str
    x: np.ndarray
    loss: np.ndarray
    fitted: np.ndarray


def language_curves(folder: Path) -> list[Curve]:
    """The 20 curves of language, each x once."""
    runs = load.load(folder / "revisiting_nsl/language.csv", "x=Seen Examples,loss=Loss", needs=("x", "loss"))
    names = list(zip(*(runs[name].astype(str).tolist() for name in ("Domain", "Task", "Model")), strict=True))
    found = []
    for key in dict.fromkeys(names):
        own = np.flatnonzero([name == key for name in names])
        x, first = np.unique(runs["x"][own], return_index=True)
        rows = own[first]
        found.append(Curve(key[0], " ".join(key[1:]), x, runs["loss"][rows], runs["Training"][rows] == 1))
    return found


def language_reference(folder: Path) -> dict[tuple[str, str], float]:
    """(domain, form) -> the mean score of the reference implementation over the curves of a domain."""
    runs = load.load(folder / "revisiting_nsl/reference_language.csv", needs=("rmse",))
    domains, forms = runs["domain"], runs["mode"]
    keys = dict.fromkeys(zip(domains.tolist(), forms.tolist(), strict=True))
    return {(d, f): float(runs["rmse"][(domains == d) & (forms == f)].mean()) for d, f in keys}


def compared(folder: Path, *techniques: str) -> Runs:
    """The baseline and some techniques out of a table of techniques, as `analysis.technique` reads them."""
    from analysis.technique import load_runs

    runs = load_runs(folder / "runs.parquet")
    return runs.select(np.isin(runs["technique"], ("none", *techniques)), "another technique")
