"""The state of a run: arrays by name, `params/...` and `opt_state/...`, and `average/...` where one is kept.

By name and not as a tree, so that whoever starts, keeps or restores a run needs neither the model nor the optimiser.
"""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from scaling_laws.parametrization import Rules

State = dict[str, Any]
PARAMS, AVERAGE = "params/", "average/"


def named(tree: Any) -> State:
    """The leaves of a tree by their path, root first: `params/block_0/mlp/up`."""
    found = {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
    assert len(found) == len(jax.tree.leaves(tree)), "two leaves of one name"
    return found


def tree(template: Any, state: State) -> Any:
    """The arrays of a state in the structure of `template`."""
    return jax.tree_util.tree_map_with_path(lambda path, _: state[_name(path)], template)


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


def params(state: State) -> State:
    """The parameters alone, under the same names."""
    return {name: leaf for name, leaf in state.items() if name.startswith(PARAMS)}


def averaged(state: State) -> State:
    """The averages of the parameters, under the parameters' names; empty where none are kept."""
    found = {name: leaf for name, leaf in state.items() if name.startswith(AVERAGE)}
    return {PARAMS + name.removeprefix(AVERAGE): leaf for name, leaf in found.items()}


def initial(
    template: Mapping[str, Any], rules: Rules, seed: int, given: Mapping[str, np.ndarray] | None = None
) -> State:
    """Fresh parameters and optimiser state (NumPy) in the shapes and dtypes of `template`.

    Parameters are those `given` by name, or normal with each tensor's mean and deviation by its rule; all else starts
    from zeros. Drawn on
    the host, so that initialising compiles nothing and is the same on every backend and jax version; a tensor's stream
    is seeded by (seed, its name), so that no tensor's values depend on which others exist.
    """
    known = {PARAMS + name: array for name, array in (given or {}).items()}
    return {
        name: known[name]
        if name in known
        else _draw(name.removeprefix(PARAMS), leaf, rules, seed)
        if name.startswith(PARAMS)
        else np.zeros(leaf.shape, leaf.dtype)
        for name, leaf in template.items()
    }


def _draw(name: str, leaf: Any, rules: Rules, seed: int) -> np.ndarray:
    rule = rules.for_path(name.split("/"))
    std = rule.std(leaf.shape[-2] if len(leaf.shape) > 1 else 1)
    if std == 0:
        return np.full(leaf.shape, rule.mean, np.float32)
    stream = np.random.Generator(np.random.PCG64([seed, *name.encode()]))
    return (rule.mean + std * stream.standard_normal(leaf.shape)).astype(np.float32)
