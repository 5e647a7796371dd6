"""What `python -m analysis.design` says of the next runs, as lines."""

import math

from analysis.design.result import NextRuns, Promise


def lines(found: NextRuns) -> list[str]:
    """The runs, then the expected interval before, after them and after the even grid of equal cost."""
    cost = f"{found.after.flops:.4g} of {found.limits.budget:.4g} FLOPs"
    head = f"next runs for the {found.target}: {found.after.runs} runs, {cost}"
    return [head, *_table(found), "", *_promises(found), *_beliefs(found), *(f"note: {note}" for note in found.notes)]


def _table(found: NextRuns) -> list[str]:
    rows = found.rows()
    shaped, stepped = any(row["width"] for row in rows), any(row["steps"] for row in rows)
    names = ["width", "depth"] * shaped + ["N", "D"] + ["steps"] * stepped + ["seeds", "C of all", "share"]
    text = ["  " + "".join(f"{name:<11}" for name in names).rstrip()]
    for row in rows:
        cells = [row["width"], row["depth"]] if shaped else []
        cells += [f"{row['n_params']:.4g}", f"{row['tokens']:.4g}"] + [row["steps"]] * stepped
        cells += [row["seeds"], f"{row['flops']:.3g}", f"{row['flops'] / found.limits.budget:.1%}"]
        text.append("  " + "".join(f"{cell!s:<11}" for cell in cells).rstrip())
    return text


def _promises(found: NextRuns) -> list[str]:
    text = [f"expected {found.level:.0%} interval of the {found.target}"]
    for name, promise in (("now", found.before), ("after these runs", found.after), ("after an even grid", found.even)):
        cost = f"{promise.runs} runs, {promise.flops:.3g} FLOPs" if promise.runs else "-"
        text.append(f"  {name:<22}{said(found, promise):<34}{cost}")
    text.append(f"  these runs over the even grid of equal cost: {found.ratio:.3f}")
    return text


def said(found: NextRuns, promise: Promise) -> str:
    """An interval in words."""
    half = promise.half_width
    if found.target.name == "choice":
        return f"the rival is {promise.distance:.3g} sd off"
    if found.target.name == "exponent" or found.estimate is None:
        return f"{found.estimate:.4f} ± {half:.4f}"
    ends = (found.estimate * math.exp(sign * half) for sign in (-1, 1))
    return "{:.4g} to {:.4g} (± {:.2%})".format(*ends, half)


def _beliefs(found: NextRuns) -> list[str]:
    noise = found.errors.noise_J
    spread = f"{noise.min():.4f}" + (f" to {noise.max():.4f}" if noise.max() > 1.01 * noise.min() else "")
    text = f"counted on: ln loss varies by {spread} between seeds, the law misses by {found.errors.misfit:.4f} beyond"
    if found.costs.cooldown is not None:
        text += f"; runs of a shape and seed share a trunk, {found.costs.cooldown:.0%} of each is its own"
        text += f", their noise correlated by {found.errors.trunk:g}"
    return [text]
