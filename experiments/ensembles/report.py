"""What ensembles came to: a table, a law over K, a figure."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np

from analysis.figures import over_members as figure
from analysis.figures import static, style
from analysis.over_members import ROW, OverMembers, over_members
from experiments.ensembles.study import WHOLE, Made
from scaling_laws.sweep.show import align
from scaling_laws.units import of_row

FILE = "ensembles.csv"


def write(found: Sequence[Made], workdir: Path) -> None:
    """ensembles.csv, the figure, and a line of each size; a law where an arm has several sizes."""
    arms, laws = matrices(found), {}
    for name, (members_K, losses_SxK) in arms.items():
        if len(members_K) > 1 and name.endswith(WHOLE):
            laws[name] = over_members(members_K, losses_SxK)
    lines = rows(found, arms, laws)
    style.write_atomically(workdir / FILE, style.csv_bytes(lines, ROW))
    cells = [[_text(line[name]) for name in ROW] for line in lines]
    print("\n".join(align([list(ROW), *cells])))
    for one in found:
        if one.row["technique"].endswith("stacking"):
            print(f"seed {one.seed}: {beside_best(one)}")
    for name, law in laws.items():
        print(f"{name}: {said(law)}")
    if arms:
        drawing = figure.losses_over_members(arms, laws, of_row(found[0].row))
        print(f"figure: {static.save(drawing, workdir / 'figures')[0]}")


def matrices(found: Sequence[Made]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Arm -> its sizes (K,) and losses (S, K), of the seeds that have every size."""
    arms = {}
    for name in dict.fromkeys(one.arm for one in found):
        own = {(one.seed, one.size): one.row["loss"] for one in found if one.arm == name}
        sizes = sorted({size for _, size in own})
        whole = [seed for seed in sorted({seed for seed, _ in own}) if all((seed, size) in own for size in sizes)]
        if whole:
            arms[name] = np.array(sizes), np.array([[own[seed, size] for size in sizes] for seed in whole])
    return arms


def rows(
    found: Sequence[Made], arms: dict[str, tuple[np.ndarray, np.ndarray]], laws: dict[str, OverMembers]
) -> list[dict[str, object]]:
    """A line of each arm and size, as ROW has them; empty where there is no law."""
    lines = []
    for name, (members_K, losses_SxK) in arms.items():
        law = laws.get(name)
        for place, size in enumerate(members_K.tolist()):
            own = [one.row for one in found if one.arm == name and one.size == size]
            losses = losses_SxK[:, place]
            error = float(losses.std(ddof=1) / len(losses) ** 0.5) if len(losses) > 1 else ""
            accuracies = [row["accuracy"] for row in own if row.get("accuracy") is not None]
            line = {"arm": name, "members": size, "n_params": own[0]["n_params"], "seeds": len(losses)}
            line |= {"flops": own[0]["flops"] + (own[0]["extra_flops"] or 0.0), "loss": float(losses.mean())}
            line |= {"loss_se": error, "accuracy": fmean(accuracies) if accuracies else ""}
            line |= {"fitted": law.c + law.b / size if law else ""}
            line |= {"residual": float(law.residuals[place]) if law else ""}
            line |= {"reach": float(law.reaches[place]) if law else ""}
            lines.append(line)
    return lines


def beside_best(one: Made) -> str:
    """An ensemble beside the best of its members on the held-out examples."""
    best = min(one.members, key=lambda row: row["loss"])
    name = f"{best['family']} {best['width']} x {best['depth']}"
    gain = (one.row["loss"] - best["loss"]) / best["loss_se"]
    losses = f"{one.row['loss']:.4f} ± {one.row['loss_se']:.4f} beside {best['loss']:.4f} ± {best['loss_se']:.4f}"
    return f"{losses} of {name}, the best of {one.size}: {gain:+.2f} of its standard errors"


def said(law: OverMembers) -> str:
    """The law in one line."""
    ends = [f"[{low:.4g}, {high:.4g}]" for low, high in (law.c_interval, law.b_interval)]
    verdict = "every size within its interval" if law.follows else "not every size within its interval"
    return f"loss = c + b / K with c {law.c:.4g} {ends[0]}, b {law.b:.4g} {ends[1]}; {verdict}"


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
