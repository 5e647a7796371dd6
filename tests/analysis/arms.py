"""Made-up arms beside a baseline on a grid of N and D: a Chinchilla law with seed noise, part of it shared by pairs."""

import numpy as np

from analysis.load import Runs

LAW = {"E": 1.5, "A": 80.0, "B": 120.0, "alpha": 0.40, "beta": 0.35}
SIZES, LENGTHS = np.geomspace(1e4, 1e6, 4), np.geomspace(1e6, 1e8, 4)


def law_loss(n, d):
    """E + A/N^alpha + B/D^beta."""
    return LAW["E"] + LAW["A"] * n ** -LAW["alpha"] + LAW["B"] * d ** -LAW["beta"]


def row(technique, strength, n, d, seed, loss, **more):
    """A finished run with C = 6 N D."""
    known = {"technique": technique, "strength": strength, "n_params": n, "tokens": d, "flops": 6 * n * d}
    return known | {"seed": seed, "loss": loss} | more


def rows(arms=(), sizes=SIZES, lengths=LENGTHS, seeds=3, noise=0.003, shared=0.5, paired=True, seed=0):
    """The baseline's rows and those of `arms`: (technique, strength, loss of N and D, sizes, lengths).

    `shared`: the part of the noise's variance that runs of one size, length and seed have in common.
    """
    rng, common, out = np.random.default_rng(seed), {}, []
    for technique, strength, loss, own_sizes, own_lengths in (("none", 0.0, law_loss, sizes, lengths), *arms):
        apart = 100 if technique != "none" and not paired else 0
        for n in own_sizes:
            for d in own_lengths:
                for s in range(apart, apart + seeds):
                    same = common.setdefault((n, d, s), rng.standard_normal())
                    off = noise * (np.sqrt(shared) * same + np.sqrt(1 - shared) * rng.standard_normal())
                    out.append(row(technique, strength, n, d, s, loss(n, d) * np.exp(off)))
    return out


def better(m, shift=0.0):
    """The loss of a technique that makes N count `m` (a number, or a function of N and D) times, and shifts E."""
    return lambda n, d: law_loss(n * (m(n, d) if callable(m) else m), d) + shift


def table(found):
    """Rows, diverged ones too, as runs; what a row lacks is NaN, or an empty text."""
    names = dict.fromkeys(name for one in found for name in one)
    gaps = {name: "" if any(isinstance(one.get(name), str) for one in found) else np.nan for name in names}
    filled = {name: [gaps[name] if one.get(name) is None else one[name] for one in found] for name in names}
    return Runs({name: np.array(values) for name, values in filled.items()})
