"""Approach 1: the lower envelope of the training curves, and the size that reaches it at each C.

    python -m analysis.envelope --runs=WORKDIR --bootstrap=1000 --out=envelope.json --figures=figures

The exponent is read again without the smallest and the largest sizes: what it owes to the runs that were kept.
"""

from pathlib import Path
from typing import Any

import numpy as np

from analysis.budgets import RULE
from analysis.envelope import Envelope
from analysis.load import DataError
from scaling_laws.units import loss_text

FIGURES = ("loss_over_flops", "frontier_scaling")
SHOWN = 9  # values of C in the printed table


def run(values: Any = None) -> None:
    """Reads the flags, prints the envelope and its exponent, writes `--out` and the figures. Raises DataError."""
    from absl import flags

    from analysis import options, summary
    from analysis.study import study_of

    values = flags.FLAGS if values is None else values
    study = study_of(values.runs, options.from_flags(values))
    if study.envelope is None:
        raise DataError(f"{study.runs.source}: {study.why('envelope')}")
    print("\n".join(lines(study.envelope)))
    if values.out:
        found = study.envelope.to_json() | {"source": study.runs.source, "left_out": study.runs.excluded_counts()}
        summary.write_json(Path(values.out), found)
    if values.figures:
        from analysis.figures import draw

        for name in FIGURES:
            print(f"figure: {draw(name, study, Path(values.figures))[0]}")


def lines(found: Envelope) -> list[str]:
    """The printed table: the envelope at a few C, the exponent, and its spread over the sizes kept."""
    text = [f"  {'C (FLOPs)':<12}{'N':<11}{'D':<11}{'loss':<11}run"]
    for i in np.linspace(0, len(found.flops) - 1, SHOWN).round().astype(int):
        place = f"{found.flops[i]:<12.3g}{found.n_params[i]:<11.4g}{found.tokens[i]:<11.3g}"
        place += f"{loss_text(float(found.loss[i])):<11}"
        text.append(f"  {place}{found.run_id[i]}{'  (smallest or largest size)' if found.edge[i] else ''}")
    if not np.isfinite(found.a):
        return [*text, "", "no exponent: the envelope has fewer than two sizes inside", *_notes(found)]
    interval = f" [{found.a_interval[0]:.4g}, {found.a_interval[1]:.4g}] {found.level:.0%}" if found.a_interval else ""
    called = "" if found.name == "exponent" else f"; a {found.name}: {RULE}"
    return [*text, "", f"N* ~ C^a: a = {found.a:.4f}{interval}{called}", *spread_lines(found), *_notes(found)]


def spread_lines(found: Envelope) -> list[str]:
    """How the exponent moves with the sizes that are kept; nothing where there are too few to leave any out."""
    if found.spread is None or len(found.kept) < 2:
        return []
    low, high = (pick((one for one in found.kept if np.isfinite(one.a)), key=lambda one: one.a) for pick in (min, max))
    ends = [f"{one.a:.4f} without {one.smallest} of the smallest, {one.largest} of the largest" for one in (low, high)]
    return [f"over the sizes kept: {ends[0]}; {ends[1]}"]


def _notes(found: Envelope) -> list[str]:
    return [f"note: {note}" for note in found.notes]


def define_flags() -> None:
    """The flags of analysis.fit, and where the figures go."""
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.DEFINE_string("figures", None, "folder of the figures to draw")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
