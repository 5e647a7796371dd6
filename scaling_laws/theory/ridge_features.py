"""Ridge regression on random features: Maloney, Roberts and Sully 2022, "A Solvable Model of Neural Scaling Laws".

Latent variables x_I of variance I^-(1+a), labels y = <w, x> with random w, N random linear features of x, T training
examples. The paper's losses are means over w with entries of variance 1; here they are +1 or -1, which have it too and
spread the losses of single seeds least. With the best ridge the test loss falls as N^-a where T >> N and as T^-a where
N >> T.
A row of the runs table is one (N, T, ridge, seed): n_params = N, tokens = unique_tokens = T.
"""

import functools

import numpy as np

from scaling_laws.config import ConfigError
from scaling_laws.theory import gaussian_features
from scaling_laws.theory.gaussian_features import COORDINATES, Spectrum, power_tail


def size_exponent(alpha: float) -> float:
    """a: loss ~ N^-a with T >> N."""
    return alpha


def example_exponent(alpha: float) -> float:
    """a: loss ~ T^-a with N >> T."""
    return alpha


@functools.lru_cache(maxsize=4)
def spectrum(alpha: float, width: int, seed: int, coordinates: int = COORDINATES) -> Spectrum:
    """What a fit sees of the features and of the labels of `seed`; kept, for many T and ridges share one."""
    if not alpha > 0:
        raise ConfigError(f"task.alpha: {alpha:g}; allowed: more than 0")
    W_vxd = gaussian_features.projection(width, seed, coordinates)
    labels_v = np.random.default_rng((seed, 1)).choice([-1.0, 1.0], coordinates)
    variance_v = np.arange(1, coordinates + 1, dtype=np.float64) ** -(1 + alpha)
    tail = power_tail(1 + alpha, coordinates)
    return gaussian_features.spectrum(W_vxd, variance_v, labels_v, tail, tail)


def solve(
    alpha: float,
    width: int,
    n_examples: int,
    ridges: np.ndarray,
    seed: int,
    data_seed: int = 0,
    coordinates: int = COORDINATES,
) -> np.ndarray:
    """Expected squared error (k,) over fresh examples of the fits with each of `ridges` (k,), all above 0.

    A fit minimises the mean squared error over the examples plus ridge |theta|^2: one singular value decomposition
    serves all. `seed` sets features and labels, and with it (data_seed, T) the examples.
    """
    ridges_k = np.asarray(ridges, np.float64)
    if not (ridges_k > 0).all():
        raise ConfigError(f"ridge: {float(ridges_k.min()):g}; allowed: more than 0")
    view = spectrum(alpha, width, seed, coordinates)
    features_TxN, labels_T = view.sample(np.random.default_rng((seed, data_seed, n_examples)), n_examples)
    left, singular, right = np.linalg.svd(features_TxN, full_matrices=False)
    shrunk_kxr = singular / (np.square(singular) + n_examples * ridges_k[:, None])
    return view.risk(shrunk_kxr * (left.T @ labels_T) @ right)


def is_interior(losses: np.ndarray) -> bool:
    """Whether the least of `losses` (k,), ordered by their ridge, lies between two others."""
    return 0 < int(np.argmin(losses)) < len(losses) - 1
