"""What `python -m analysis.isoflop` says: the minima of one method, then the line of every method side by side."""

import math
from collections.abc import Mapping

from analysis.budgets import RULE
from analysis.isoflop.result import Group, Isoflop, interior
from scaling_laws.units import loss_text

COLUMNS = (10, 6, 10, 22, 10, 11, 11)
LINE_COLUMNS = (14, 9, 19, 10, 10, 11, 19, 0)
HEAD = ("C (FLOPs)", "sizes", "N*", "interval", "D*", "loss*", "N* biased")


def lines(results: Mapping[str, Isoflop], method: str, missing: Mapping[str, str]) -> list[str]:
    """The printed table: `results` by method, `method` the one whose minima are listed, `missing`: name -> reason."""
    found = results[method]
    text = [
        f"minima by {_named(method)} at each budget",
        _row(HEAD),
        *(_minimum(group) for group in found.groups if group.fitted),
    ]
    text += ["", _cells(("N* ~ C^a", "a", "interval", "a biased", "D* ~ C^b", "L* ~ C^-c", "interval", "from"))]
    text += [_line(result) for result in results.values()]
    text += [f"{_cells((name, '-'))}  {reason}" for name, reason in missing.items()]
    drawn = {name: item.draws for name, item in results.items() if item.draws}
    text += [f"{found.level:.0%} intervals by {name}: resampled {draws}" for name, draws in drawn.items()]
    text += filter(None, [bias_sentence(found)])
    text += (
        [f"a local slope, not an exponent: {RULE}"] if any(item.name != "exponent" for item in results.values()) else []
    )
    return text + [f"note: {note}" for note in found.notes if " dropped: " not in note]  # the table says those


def bias_sentence(found: Isoflop) -> str:
    """The method's own bias at these sizes, in words; empty where no law was fitted or there is no bias."""
    shifts = [group.bias_log10_n for group in interior(found) if math.isfinite(group.bias_log10_n)]
    if not shifts or found.method == "surface":
        return ""
    low, high = min(shifts), max(shifts)
    span = f"{low:+.4f}" if high - low < 5e-5 else f"{low:+.4f} to {high:+.4f}"
    slope = f" and its slope by {found.a_bias:+.4f}" if math.isfinite(found.a_bias) else ""
    law = f"on the noiseless fitted law (which misses these runs by {found.law_residual_sd:.2%})"
    return f"{law} {_named(found.method)} at these sizes moves log10 N* by {span}{slope}"


def _named(method: str) -> str:
    names = {"parabola": "a parabola in ln N", "log_parabola": "a parabola of ln loss in ln N"}
    names |= {"akima": "Akima's interpolation", "surface": "the fitted law"}
    return names[method]


def _minimum(group: Group) -> str:
    sizes = str(len(set(group.n_params.tolist())))
    reason = f"  dropped, {group.reason}" if group.edge else ""
    if not math.isfinite(group.n_opt):
        return _row((f"{group.budget:.4g}", sizes)) + reason
    biased = "" if math.isnan(group.bias_log10_n) else f"{10**group.bias_log10_n - 1:+.1%}"
    optimum = (_short(group.n_opt), _interval(group.n_opt_interval), _short(group.d_opt), loss_text(group.loss_opt))
    return (_row((f"{group.budget:.4g}", sizes, *optimum, biased)) + reason).rstrip()


def _line(found: Isoflop) -> str:
    kept = f"{sum(1 for _ in interior(found))} of {len(found.groups)} budgets"
    called = "" if found.name == "exponent" else f"; a {found.name}"
    weighed = ", weighted by 1/sd^2" if found.weights == "inverse_variance" else ""
    if not math.isfinite(found.a):
        return _cells((found.method, "-")) + "  fewer than two budgets with an interior minimum"
    biased = f"{found.a_bias:+.4f}" if math.isfinite(found.a_bias) else ""
    size = f"{found.a:.4f}", _interval(found.a_interval, 4), biased, f"{found.b:.4f}"
    loss = f"{found.c:.4f}", _interval(found.c_interval, 4)
    return _cells((found.method, *size, *loss, f"{kept}{weighed}{called}"))


def _cells(cells: tuple[str, ...]) -> str:
    return "".join(f"{cell:<{width}}" for cell, width in zip(cells, LINE_COLUMNS, strict=False)).rstrip()


def _row(cells: tuple[str, ...]) -> str:
    return "  " + "".join(f"{cell:<{width}}" for cell, width in zip(cells, COLUMNS, strict=False)).rstrip()


def _interval(pair: tuple[float, float] | None, digits: int = 3) -> str:
    return "" if pair is None or math.isnan(pair[0]) else f"[{pair[0]:.{digits}g}, {pair[1]:.{digits}g}]"


def _short(value: float) -> str:
    return f"{value:.3g}"
