"""Tables that are made up, by formulas that are known: what can be learnt of them is known too."""

import statistics
from collections.abc import Callable, Mapping

import numpy as np

from scaling_laws.config import TaskConfig
from scaling_laws.tasks.columns import Column, Numbers, Table, Words
from scaling_laws.tasks.generated import count, generator, noise

DISTRICTS = {"centre": 0.45, "hill": 0.3, "north": 0.0, "riverside": 0.25, "south": 0.05, "station": -0.2}
KINDS = {"detached": 0.25, "flat": 0.0, "semi-detached": 0.12, "terraced": 0.05}
HEATINGS = {"electric": -0.06, "gas": 0.0, "heat pump": 0.1, "oil": -0.1}
CONDITIONS = {"fair": -0.1, "good": 0.0, "poor": -0.3, "very good": 0.12}
GARAGES = {"no": 0.0, "yes": 0.07}
FRAUD_SHARE = 0.01
SHIFTS = np.array([(-1) ** k * 1.5 / np.sqrt(1 + k) if k < 10 else 0.0 for k in range(28)])  # of frauds, in deviations
WIDTHS = np.array([1.6 if k < 6 else 1.0 for k in range(28)])  # deviations of frauds
TOY_DISTANCE = 2.5  # between the classes' centres, in deviations: the best rule is right in 89.4 % of cases


def houses(config: TaskConfig) -> Table:
    """Houses and their skewed prices: six columns of numbers, five of words, a few cells missing at random.

    The price is exp(`log_price` + task.noise x a normal number) thousand, of the cells before some went missing.
    """
    n = count(config, 20_000)
    z_NxK = generator(1901).standard_normal((n, 15))
    area = np.round(np.exp(4.6 + 0.35 * z_NxK[:, 0]), 1)
    values = {
        "area": area,
        "rooms": np.clip(np.round(area / 28 + 0.7 * z_NxK[:, 1]), 1, 12),
        "bathrooms": 1.0 + (z_NxK[:, 2] > 0.5) + (z_NxK[:, 2] > 1.7),
        "age": np.minimum(np.round(np.exp(3.3 + 0.7 * z_NxK[:, 3])), 250),
        "lot": np.round(np.exp(5.8 + 0.6 * z_NxK[:, 4])),
        "distance": np.round(np.exp(1.5 + 0.7 * z_NxK[:, 5]), 1),
    }
    kinds = (DISTRICTS, KINDS, HEATINGS, CONDITIONS, GARAGES)
    names = ("district", "kind", "heating", "condition", "garage")
    words = {name: _choice(z_NxK[:, 6 + k], tuple(kinds[k])) for k, name in enumerate(names)}
    price = np.exp(log_price({**values, **words}) + config.noise * z_NxK[:, 11])
    values["lot"] = np.where(z_NxK[:, 12] < -1.64, np.nan, values["lot"])  # 5 %
    values["age"] = np.where(z_NxK[:, 13] < -2.05, np.nan, values["age"])  # 2 %
    words["heating"] = np.where(z_NxK[:, 14] < -1.88, "", words["heating"])  # 3 %
    columns: list[Column] = [Numbers(name, column) for name, column in values.items()]
    columns += [Words(name, tuple(column.tolist())) for name, column in words.items()]
    return _table("houses", [*columns, Numbers("price", price)], "price")


def log_price(columns: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n,) natural logarithm of a house's price in thousands, without noise, by the columns of `houses`.

    Elasticities of area and lot, a fall with age and with distance that is steeper in the centre, and a summand for
    each word.
    """
    found = 1.9 + 0.7 * np.log(columns["area"]) + 0.08 * np.log(columns["lot"]) + 0.05 * columns["bathrooms"]
    found += 0.01 * columns["rooms"] - 0.3 * np.tanh(columns["age"] / 60)
    slope = np.where(columns["district"] == "centre", 0.3, 0.15)
    found -= slope * np.log1p(columns["distance"])
    effects = {"district": DISTRICTS, "kind": KINDS, "heating": HEATINGS, "condition": CONDITIONS, "garage": GARAGES}
    for name, effect in effects.items():
        found += np.array([effect[word] for word in columns[name]])
    return found


def fraud(config: TaskConfig) -> Table:
    """Payments, one in a hundred a fraud: a skewed amount, the hour, and 28 numbers of which 10 tell something.

    Of a class `v0` to `v27` are independent and normal, of deviation 1 and mean 0 for the honest and of `WIDTHS` and
    `SHIFTS` for a fraud, and the amount is log-normal, so that the best rule is known in closed form.
    """
    z_NxK = generator(1902).standard_normal((count(config, 50_000), 31))
    bad = z_NxK[:, 0] < statistics.NormalDist().inv_cdf(FRAUD_SHARE)
    amount = np.exp(3.2 + 1.1 * z_NxK[:, 1] + 0.7 * bad)
    hour = np.where(bad, 3 + 4 * z_NxK[:, 2], 14 + 4 * z_NxK[:, 2]) % 24
    v_NxV = np.where(bad[:, None], SHIFTS + WIDTHS * z_NxK[:, 3:], z_NxK[:, 3:])
    named = {"amount": np.round(amount, 2), "hour": hour, **{f"v{k}": v_NxV[:, k].copy() for k in range(28)}}
    columns = [Numbers(name, column) for name, column in named.items()]
    return _table("fraud", [*columns, Numbers("class", bad.astype(np.float64))], "class", ("honest", "fraud"))


def toy_classes(config: TaskConfig) -> Table:
    """Two normal clouds of deviation 1 in 10 dimensions, their centres `TOY_DISTANCE` apart along the diagonal."""
    z_NxK = generator(1903).standard_normal((count(config, 100), 11))
    second = z_NxK[:, 0] > 0
    shift = TOY_DISTANCE / np.sqrt(10) * (second - 0.5)
    columns = [Numbers(f"x{k}", z_NxK[:, 1 + k] + shift) for k in range(10)]
    return _table("toy_classes", [*columns, Numbers("class", second.astype(np.float64))], "class")


def toy_line(config: TaskConfig) -> Table:
    """y = 2 + 3 x + noise, of deviation .5 unless task.noise says another; x normal.

    task.standardise=false leaves the line's own intercept and slope to be found.
    """
    z_Nx2 = generator(1904).standard_normal((count(config, 100), 2))
    y = 2 + 3 * z_Nx2[:, 0] + noise(config, 0.5) * z_Nx2[:, 1]
    return _table("toy_line", [Numbers("x", z_Nx2[:, 0].copy()), Numbers("y", y)], "y")


GENERATED: dict[str, Callable[[TaskConfig], Table]] = {
    "houses": houses,
    "fraud": fraud,
    "toy_classes": toy_classes,
    "toy_line": toy_line,
}


NOISY = ("houses", "toy_line")  # of them, those that read task.noise


def _choice(z: np.ndarray, words: tuple[str, ...]) -> np.ndarray:
    """(n,) words, equally likely, by normal numbers."""
    normal = statistics.NormalDist()
    bounds = [normal.inv_cdf(k / len(words)) for k in range(1, len(words))]
    return np.array(words)[np.searchsorted(bounds, z)]


def _table(source: str, columns: list[Column], target: str, classes: tuple[str, ...] = ()) -> Table:
    return Table(source, tuple(columns), range(1, len(columns[0].values) + 1), target, classes)
