"""Regression on a manifold of known dimension: Sharma and Kaplan 2020, "A Neural Scaling Law from the Dimension of the
Data Manifold".

A point z, uniform in the cube [-1, 1]^d, is carried into D dimensions by an orthonormal map; the target is a smooth
function of it, a fixed random network with tanh units. A student of ReLU units is piecewise linear: its N parameters
cut the manifold into about N pieces of side N^(-1/d), on which a smooth function is missed by the side squared, and the
squared error by its fourth power.
"""

import dataclasses

import numpy as np

from scaling_laws.config import ConfigError

TEACHER_UNITS = 1024  # few could be found one by one, each a function of one direction
NORMALISING = 16384  # points from which the target's mean and deviation are taken


@dataclasses.dataclass(frozen=True, eq=False)
class Manifold:
    """The fixed arrays of a task, float32.

    `embedding` (D, d), orthonormal columns; `weights` (d, h), `biases` (h,) and `output` (h,) of the teacher. Targets
    have mean 0 and deviation 1, through `output` and `shift`.
    """

    embedding: np.ndarray
    weights: np.ndarray
    biases: np.ndarray
    output: np.ndarray
    shift: np.ndarray

    def inputs(self, latent: np.ndarray) -> np.ndarray:
        """(n, D) of points (n, d)."""
        return latent @ self.embedding.T

    def targets(self, latent: np.ndarray) -> np.ndarray:
        """(n,) of points (n, d)."""
        return np.tanh(latent @ self.weights + self.biases) @ self.output - self.shift


def points(rng: np.random.Generator, n_examples: int, dimension: int) -> np.ndarray:
    """(n, d) float32, uniform in [-1, 1]^d."""
    return rng.uniform(-1, 1, (n_examples, dimension)).astype(np.float32)


def manifold(dimension: int, ambient: int, seed: int) -> Manifold:
    """The task of a seed, `dimension` d in `ambient` D dimensions. Raises ConfigError where D is less than d."""
    if not 1 <= dimension <= ambient:
        raise ConfigError(f"task.dimension: {dimension}; allowed: 1 to {ambient}, the inputs' dimensions")
    rng = np.random.default_rng((seed, dimension, ambient))
    embedding = np.linalg.qr(rng.standard_normal((ambient, dimension)))[0]
    weights = rng.standard_normal((dimension, TEACHER_UNITS)) * np.sqrt(6 / dimension)  # sums of deviation sqrt(2)
    biases, output = rng.standard_normal(TEACHER_UNITS), rng.standard_normal(TEACHER_UNITS)
    values = np.tanh(points(rng, NORMALISING, dimension) @ weights + biases) @ output
    scale = values.std()
    arrays = embedding, weights, biases, output / scale, values.mean() / scale
    return Manifold(*(np.asarray(array, np.float32) for array in arrays))


def size_exponent(dimension: int) -> float:
    """4/d: squared error ~ N^(-4/d) of a piecewise linear student with data and training enough (section 2)."""
    return 4 / dimension
