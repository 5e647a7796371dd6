"""Every law once more: plain formulas written from the papers, with coefficients and inputs where they make sense."""

import numpy as np

COEFFICIENTS = {
    "chinchilla": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28},
    "kaplan": {"N_c": 6.4e13, "D_c": 1.8e13, "alpha_N": 0.076, "alpha_D": 0.103},
    "gadre": {"E": 1.5, "a": 100.0, "b": 190.0, "eta": 0.12},
    "data_constrained": {"E": 1.87, "A": 521.0, "B": 1488.0, "alpha": 0.34, "beta": 0.36, "R_D": 15.4, "R_N": 5.3},
    "sparsity": {"c": 0.65, "a_S": 16.8, "c_S": 10.0, "b_S": 0.722, "b_N": 0.245, "b_D": 0.203, "a_D": 6.9e8},
    "routing": {"a": -0.083, "b": -0.118, "c": 0.0099, "d": 1.114, "E_start": 1.85, "E_max": 314.0},
    "transfer": {"k": 1.9e4, "alpha": 0.18, "beta": 0.38},
    "error": {"eps": 0.85, "k": 2.0, "gamma": 1.5},
    "power": {"A": 50.0, "gamma": 0.05},
    "power_floor": {"E": 1.5, "A": 1e3, "gamma": 0.15},
    "power_sum": {"E": 1.69, "A_n_params": 406.4, "A_tokens": 410.7, "a_n_params": 0.34, "a_tokens": 0.28},
    "m1": {"b": 20.0, "c": -0.1},
    "m2": {"b": 200.0, "c": -0.3, "e": 1.0},
    "m3": {"b": 10.0, "c": 0.2, "g": 1e-9},
    "m4": {"e": 1.0, "e0": 6.0, "a": 0.8, "b": 300.0, "c": -0.3},
    "broken_power": {"a": 0.5, "b": 30.0, "c0": 0.1, "c1": 0.3, "d1": 1e8, "f1": 0.4},
    "precision": {"E": 1.69, "A": 406.4, "B": 410.7, "alpha": 0.34, "beta": 0.28, "gamma_weight_bits": 2.67},
    "learning_rate": {"k": 1.8, "x_n_params": -0.713, "x_tokens": 0.307},
    "batch": {"k": 0.58, "x_tokens": 0.571},
}


def inputs(points=40, seed=0):
    """Every column that a law reads, in the ranges where the papers used it."""
    rng = np.random.default_rng(seed)
    logs = {
        "n_params": (10, 20), "tokens": (15, 25), "unique_tokens": (13, 22), "density": (-2, -0.01),
        "weight_bits": (0.7, 2.7), "experts": (0.01, 6), "finetune_tokens": (10, 20), "loss": (0.5, 1.2),
    }  # fmt: skip
    columns = {name: np.exp(rng.uniform(*limits, points)) for name, limits in logs.items()}
    return columns | {"flops": 6 * columns["n_params"] * columns["tokens"]}


def value(name, c, x):
    """The law `name` at `x`, by its published formula."""
    n, d, s = x["n_params"], x["tokens"], x["density"]
    if name == "kaplan":
        return ((c["N_c"] / n) ** (c["alpha_N"] / c["alpha_D"]) + c["D_c"] / d) ** c["alpha_D"]
    if name == "gadre":
        m = d / n
        return c["E"] + (c["a"] * m ** c["eta"] + c["b"] * m ** -c["eta"]) * (6 * n * d) ** -c["eta"]
    if name == "data_constrained":
        return data_constrained(c, n, d, x["unique_tokens"])
    if name == "sparsity":
        sparse = c["a_S"] * s ** c["b_S"] + c["c_S"]
        return sparse * n ** -c["b_N"] + (c["a_D"] / d) ** c["b_D"] + c["c"]
    if name == "routing":
        inner = 1 / (x["experts"] - 1 + 1 / (1 / c["E_start"] - 1 / c["E_max"])) + 1 / c["E_max"]
        e = np.log10(1 / inner)
        return 10 ** (c["a"] * np.log10(n) + c["b"] * e + c["c"] * np.log10(n) * e + c["d"])
    if name == "m4":
        return m4(c, d)
    if name == "broken_power":
        return c["a"] + c["b"] * d ** -c["c0"] * (1 + (d / c["d1"]) ** (1 / c["f1"])) ** (-c["c1"] * c["f1"])
    if name in ("chinchilla", "precision"):
        share = 1 - np.exp(-x["weight_bits"] / c["gamma_weight_bits"]) if name == "precision" else 1.0
        return c["E"] + c["A"] / (n * share) ** c["alpha"] + c["B"] / d ** c["beta"]
    return {
        "transfer": lambda: c["k"] * x["finetune_tokens"] ** c["alpha"] * n ** c["beta"],
        "error": lambda: c["eps"] - c["k"] * np.exp(-c["gamma"] * x["loss"]),
        "power": lambda: c["A"] / x["flops"] ** c["gamma"],
        "power_floor": lambda: c["E"] + c["A"] / x["flops"] ** c["gamma"],
        "power_sum": lambda: c["E"] + c["A_n_params"] / n ** c["a_n_params"] + c["A_tokens"] / d ** c["a_tokens"],
        "m1": lambda: c["b"] * d ** c["c"],
        "m2": lambda: c["b"] * d ** c["c"] + c["e"],
        "m3": lambda: c["b"] * (1 / d + c["g"]) ** c["c"],
        "learning_rate": lambda: c["k"] * n ** c["x_n_params"] * d ** c["x_tokens"],
        "batch": lambda: c["k"] * d ** c["x_tokens"],
    }[name]()


def data_constrained(c, n, d, u):
    """Muennighoff et al. 2023: a repeated token and a parameter beyond the optimum for U are worth ever less."""
    u = np.minimum(u, d)
    g = (c["alpha"] * c["A"] / (c["beta"] * c["B"])) ** (1 / (c["alpha"] + c["beta"]))
    flops_6 = (u * g) ** ((c["alpha"] + c["beta"]) / c["alpha"])  # where D* = u
    u_n = np.minimum(n, g * flops_6 ** (c["beta"] / (c["alpha"] + c["beta"])))
    d_eff = u + u * c["R_D"] * (1 - np.exp(-(d / u - 1) / c["R_D"]))
    n_eff = u_n + u_n * c["R_N"] * (1 - np.exp(-(n / u_n - 1) / c["R_N"]))
    return c["E"] + c["A"] / n_eff ** c["alpha"] + c["B"] / d_eff ** c["beta"]


def m4(c, x):
    """By bisection of (y - e) / (e0 - y)^a = b x^c."""
    low, high = np.full(len(x), c["e"]), np.full(len(x), c["e0"])
    for _ in range(200):
        y = 0.5 * (low + high)
        above = np.log(y - c["e"]) - c["a"] * np.log(c["e0"] - y) > np.log(c["b"]) + c["c"] * np.log(x)
        low, high = np.where(above, low, y), np.where(above, y, high)
    return 0.5 * (low + high)
