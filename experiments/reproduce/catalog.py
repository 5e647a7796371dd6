"""The papers by name. A paper is one line here."""

import importlib

from experiments.reproduce.entry import Figure, Paper
from scaling_laws.fields import ConfigError, nearest

NAMES = (
    "kaplan",
    "chinchilla",
    "besiroglu",
    "porian",
    "pearce_song",
    "isoflop_bias",
    "gemstones",
    "gadre",
    "muennighoff",
    "steplaw",
    "mutransfer",
    "wortsman",
    "broken_laws",
    "forms",
    "techniques",
    "haegele",
    "critical_batch",
    "distillation",
    "ensembles",
    "transfer",
    "theory",
)


def paper(name: str) -> Paper:
    """The entry of a paper. Raises ConfigError for an unknown one, naming the nearest."""
    if name not in NAMES:
        raise ConfigError(f"--paper: {name!r}; allowed: {', '.join(NAMES)}{nearest(name, NAMES)}")
    return importlib.import_module(f"experiments.reproduce.papers.{name}").PAPER


def figures(name: str, number: str = "") -> dict[str, Figure]:
    """The figures of a paper, or the one asked for. Raises ConfigError for an unknown one."""
    found = paper(name).figures
    if not number:
        return dict(found)
    if number not in found:
        raise ConfigError(f"--figure: {number!r}; allowed for {name}: {', '.join(found)}{nearest(number, found)}")
    return {number: found[number]}


def lines() -> list[str]:
    """Every paper with its figures, and where their data may come from."""
    said = []
    for name in NAMES:
        entry = paper(name)
        said.append(f"{name}: {entry.reference}")
        said.append(f"  {entry.claim}")
        for number, figure in entry.figures.items():
            own = [f"own runs ({', '.join(figure.sweeps)})" if figure.sweeps else "no runs"] if figure.own else []
            theirs = [f"published ({', '.join(figure.files)})"] if figure.published else []
            said.append(f"  --figure={number:<12} {figure.claim} [{'; '.join(own + theirs)}]")
    return said
