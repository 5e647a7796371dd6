"""A tree of tensors as one vector, so that what treats every number alike compiles as one loop, not one a tensor."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class Tensors:
    """The tree as it is: for large or sharded tensors, of which nobody wants another copy."""

    def join(self, tree: Any) -> Any:
        """The tensors of a tree, as they are updated."""
        return tree

    def split(self, joined: Any) -> Any:
        """The tree of what was joined."""
        return joined

    def parts(self, joined: Any) -> Any:
        """The name of each part of the tree -> its tensors, of any shape: for sums over all their numbers."""
        return joined

    def share(self, tree: Any) -> Any:
        """A number for each tensor, in the form of what is joined."""
        return tree


class Vector(Tensors):
    """The tensors of trees like `like`, all float32, one behind the other in a vector."""

    def __init__(self, like: Any):
        leaves, self._structure = jax.tree.flatten(like)
        self._shapes = [leaf.shape for leaf in leaves]
        self._sizes = [leaf.size for leaf in leaves]
        self._ends = np.cumsum(self._sizes).tolist()
        names = sorted(like)  # the order of a flattened dictionary
        ends = np.cumsum([sum(leaf.size for leaf in jax.tree.leaves(like[name])) for name in names]).tolist()
        self._spans = {name: slice(*span) for name, span in zip(names, itertools.pairwise([0, *ends]), strict=True)}

    def join(self, tree: Any) -> Any:
        """The tensors of a tree as one vector (n,)."""
        return jnp.concatenate([leaf.reshape(-1) for leaf in jax.tree.leaves(tree)])

    def split(self, joined: Any) -> Any:
        """The tree whose tensors the vector (n,) holds."""
        parts = zip(self._ends, self._sizes, self._shapes, strict=True)
        leaves = [joined[end - size : end].reshape(shape) for end, size, shape in parts]
        return jax.tree.unflatten(self._structure, leaves)

    def parts(self, joined: Any) -> Any:
        """Each part of the tree as one vector: a sum compiles once a part, not once a tensor."""
        return {name: joined[span] for name, span in self._spans.items()}

    def share(self, tree: Any) -> Any:
        """One number where all are the same, else a vector of them."""
        numbers = jax.tree.leaves(tree)
        if len(set(numbers)) == 1:
            return numbers[0]
        return jnp.concatenate(
            [jnp.full(size, number, jnp.float32) for number, size in zip(numbers, self._sizes, strict=True)]
        )


def within(change: Callable[[Any], Any], like: Any, tree: Any) -> Any:
    """`change` of every part of `tree` that stands where `like`, an optimiser's state, holds a tree of tensors; the
    rest, such as a count of steps, as it is."""
    tensors = lambda part: isinstance(part, dict)  # noqa: E731 (parameters are nested dictionaries, states are tuples)
    return jax.tree.map(lambda part, own: change(own) if tensors(part) else own, like, tree, is_leaf=tensors)
