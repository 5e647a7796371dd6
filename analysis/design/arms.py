"""A real study of a design: the interval of the target from the runs there were, with a design's, with an even grid's.

    python -m analysis.design.arms --runs=runs/demo --arms=design=runs/next,even=runs/even --target=loss \
        --at=flops=1e14 --bootstrap=1000 --seen=runs/later --figures=figures --out=arms.json

Each arm is fitted together with the runs there were. Its interval is of the resamples that every arm gets alike; of a
loss the half-width is that of ln loss. With --seen: runs that no arm was fitted to, beside what each arm foretells.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.fitting import Fit
from analysis.frontier import Frontier
from analysis.load import DataError, Runs
from analysis.options import Options
from analysis.uncertainty import percentile
from scaling_laws.config import ConfigError

ALONE = "without further runs"


@dataclasses.dataclass(frozen=True)
class Arm:
    """What one set of runs says of the target: `new` runs of `flops` together, beside those there were.

    `estimate` and `interval` in the target's own units; `half_width` of ln loss or of the exponent a.
    """

    name: str
    new: Runs | None
    fit: Fit
    flops: float
    estimate: float
    interval: tuple[float, float]
    half_width: float

    @property
    def front(self) -> Frontier:
        """The law's frontier."""
        assert isinstance(self.fit.frontier, Frontier)
        return self.fit.frontier

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        found = {name: getattr(self, name) for name in ("name", "flops", "estimate", "half_width")}
        about = {"runs": 0 if self.new is None else len(self.new), "interval": list(self.interval)}
        return found | about | {"fit": self.fit.to_json(samples=False)}


@dataclasses.dataclass(frozen=True)
class Seen:
    """A run that no arm was fitted to, and what each arm foretells at its N and D."""

    flops: float
    loss: float
    foretold: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"flops": self.flops, "loss": self.loss, "foretold": dict(self.foretold)}


def parse_arms(text: str) -> dict[str, str]:
    """`design=runs/next,even=runs/even` -> name -> table. Raises ConfigError."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, path = (piece.strip() for piece in part.partition("="))
        if not name or not path or name in found or name == ALONE:
            raise ConfigError(f"--arms: {part!r}; allowed: name=table, each name once, separated by commas")
        found[name] = path
    if len(found) < 2:
        raise ConfigError(f"--arms: {text!r}; allowed: two or more, as design=runs/next,even=runs/even")
    return found


def arm(name: str, runs: Runs, new: Runs | None, at: Mapping[str, float], options: Options) -> Arm:
    """The fit to `runs` and `new`, and its word on the loss `at` a compute, or without one on the exponent a.

    Raises DataError where the law has no frontier in closed form.
    """
    from analysis.study import fit_of

    found = fit_of(runs if new is None else together(runs, new), options)
    front = found.frontier
    if not isinstance(front, Frontier) or not found.samples:
        raise DataError(f"arm {name!r}: law {found.law!r} has no frontier with resamples; allowed: others, --bootstrap")
    if at:
        low, high = percentile(np.log(front.loss_samples(at["flops"])), found.level)
        ends, half, estimate = (float(np.exp(low)), float(np.exp(high))), (high - low) / 2, front.loss(at["flops"])
    else:
        ends, estimate = front.intervals["a"], front.a
        half = (ends[1] - ends[0]) / 2
    cost = 0.0 if new is None else float(new["flops"].sum())
    return Arm(name, new, found, cost, float(estimate), ends, float(half))


def together(first: Runs, second: Runs) -> Runs:
    """The rows of two tables in the columns that both have."""
    shared = [name for name in first.columns if name in second]
    return Runs({name: np.concatenate([first[name], second[name]]) for name in shared}, first.source)


def seen_by(arms: Sequence[Arm], runs: Runs) -> tuple[Seen, ...]:
    """Each run beside the arms' losses at its N and D, C ascending."""
    found = []
    for row in np.argsort(runs["flops"], kind="stable"):
        n_params, tokens = float(runs["n_params"][row]), float(runs["tokens"][row])
        foretold = {one.name: float(one.front.value(n_params, tokens)) for one in arms}
        found.append(Seen(float(runs["flops"][row]), float(runs["loss"][row]), foretold))
    return tuple(found)


def lines(arms: Sequence[Arm], seen: Sequence[Seen], what: str) -> list[str]:
    """What each arm says of the target, the ratio of the first arm's interval to the second's, and what came."""
    text = [f"{arms[0].fit.level:.0%} interval of the {what}"]
    for one in arms:
        low, high = one.interval
        cost = f"{len(one.new)} runs, {one.flops:.4g} FLOPs" if one.new is not None else "-"
        text.append(f"  {one.name:<22}{one.estimate:.4f} [{low:.4f}, {high:.4f}]  ± {one.half_width:.4f}  {cost}")
    _, first, second = arms[:3]
    text.append(f"  {first.name} over {second.name}: {first.half_width / second.half_width:.3f}")
    for one in seen:
        errors = ", ".join(f"{name} {loss:.4f} ({loss / one.loss - 1:+.2%})" for name, loss in one.foretold.items())
        text.append(f"at {one.flops:.3g} FLOPs came {one.loss:.4f}; foretold: {errors}")
    return text


def run(values: Any = None) -> None:
    """Reads the flags, fits every arm, prints, and writes the figure and the JSON."""
    from absl import flags

    from analysis import options, summary
    from analysis.design.result import Target
    from analysis.predict import parse_at
    from analysis.study import chosen_runs, runs_of
    from scaling_laws.progress import Progress

    values = flags.FLAGS if values is None else values
    chosen, tables = options.from_flags(values), parse_arms(values.arms)
    target = Target(values.target, parse_at(values.at) if values.at else {})
    if set(target.at) != ({"flops"} if target.name == "loss" else set()):
        raise ConfigError(f"--at: {values.at!r}; allowed: flops=1e14 with --target=loss, none with --target=exponent")
    if not chosen.bootstrap:
        raise ConfigError("--bootstrap: 0; allowed: 1 or more, an interval is of resamples")
    runs, *new = (chosen_runs(runs_of(path, chosen), chosen)[0] for path in (values.runs, *tables.values()))
    later = chosen_runs(runs_of(values.seen, chosen), chosen)[0] if values.seen else None
    with Progress(1 + len(new), "arms") as progress:
        arms = []
        for name, own in zip((ALONE, *tables), (None, *new), strict=True):
            arms.append(arm(name, runs, own, target.at, chosen))
            progress.update(len(arms))
    seen = seen_by(arms, later) if later is not None else ()
    print("\n".join(lines(arms, seen, str(target))))
    if values.figures:
        from analysis.figures import design_arms, static

        print(f"figure: {static.save(design_arms.build(arms, runs, target, later), Path(values.figures))[0]}")
    if values.out:
        found = {"target": str(target), "level": chosen.level, "arms": [one.to_json() for one in arms]}
        summary.write_json(Path(values.out), found | {"seen": [one.to_json() for one in seen]})


def define_flags() -> None:
    """The flags of analysis.fit with resamples by default, and those of the comparison."""
    from absl import flags

    from analysis import options

    options.define_flags()
    flags.FLAGS.set_default("bootstrap", 1000)
    flags.DEFINE_string("arms", None, "tables of further runs, as design=runs/next,even=runs/even", required=True)
    flags.DEFINE_enum("target", "loss", ["loss", "exponent"], "what was to be known better")
    flags.DEFINE_string("at", None, "of a loss: flops=1e14, compute-optimal")
    flags.DEFINE_string("seen", None, "table of runs that no arm is fitted to, beside what each arm foretells")
    flags.DEFINE_string("figures", None, "folder for the figure, with its numbers as CSV")


if __name__ == "__main__":
    from analysis import cli

    define_flags()
    cli.main(run)
