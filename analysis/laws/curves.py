"""Laws of one variable: the four forms of Alabdulmohsin et al. 2022, and power laws that break."""

import numpy as np

from analysis.laws import jets
from analysis.laws.jets import Jet
from analysis.laws.law import EXPONENT_GRID, Columns, Law, Parameter, Power, Shape, Term
from analysis.laws.surfaces import named

SOURCE = "Alabdulmohsin, Neyshabur and Zhai 2022, section 3"
FALLING = tuple(-exponent for exponent in EXPONENT_GRID)


def m1(x: str = "tokens") -> Law:
    """A power law."""
    terms = (Term("b", (Power(x, "c", 1.0),)),)
    return Law(named("m1", x, "tokens"), f"y = b {x}^c", SOURCE, terms, exponent_grid=FALLING)


def m2(x: str = "tokens") -> Law:
    """A power law above a floor."""
    terms = (Term("e"), Term("b", (Power(x, "c", 1.0),)))
    return Law(named("m2", x, "tokens"), f"y = b {x}^c + e", SOURCE, terms, exponent_grid=FALLING)


def m3(x: str = "tokens") -> Law:
    """A power law that saturates: c is positive."""
    return Law(
        named("m3", x, "tokens"),
        f"y = b (1 / {x} + g)^c",
        SOURCE,
        (Term("U", (Power(x, 1.0),)), Term("V")),
        outer="c",
        outer_grid=(0.05, 0.1, 0.2, 0.5, 1.0),
        natural=lambda raw: {"b": raw["U"] ** raw["c"], "c": raw["c"], "g": raw["V"] / raw["U"]},
        raw=lambda c: {"U": c["b"] ** (1 / c["c"]), "V": c["g"] * c["b"] ** (1 / c["c"]), "c": c["c"]},
    )


def m4(x: str = "tokens") -> Law:
    """A power law that bends at both ends, between the loss e0 of guessing and the floor e.

    With y = e + (e0 - e) s the equation is s / (1 - s)^a = exp(k (m - ln x)): s falls from 1 to 0 around x = e^m.
    """
    return Law(
        named("m4", x, "tokens"),
        f"(y - e) / (e0 - y)^a = b {x}^c",
        SOURCE,
        (Term("e"), Term("span", (), _sigmoid(x), ("a", "k", "m"))),
        shaped=(
            Parameter("a", (1e-3, 0.3, 1.0, 3.0), 1e-3, 100.0),
            Parameter("k", (0.1, 0.2, 0.4, 0.8), 1e-4, 50.0),
            Parameter("m", lambda inputs: _places(inputs[x], before=(0.0, 3.0, 9.0)), -100.0, 500.0),
        ),
        reads=(x,),
        natural=_m4_natural,
        raw=_m4_raw,
    )


def _m4_natural(raw: dict) -> dict:
    b = np.exp(raw["k"] * raw["m"]) * raw["span"] ** (1 - raw["a"])
    return {"e": raw["e"], "e0": raw["e"] + raw["span"], "a": raw["a"], "b": b, "c": -raw["k"]}


def _m4_raw(c: dict) -> dict:
    span = c["e0"] - c["e"]
    place = (np.log(c["b"]) + (c["a"] - 1) * np.log(span)) / -c["c"]
    return {"e": c["e"], "span": span, "a": c["a"], "k": -c["c"], "m": place}


def _sigmoid(x: str) -> Shape:
    def shape(q: dict[str, Jet], inputs: Columns) -> Jet:
        return log_share(q["k"] * (q["m"] - np.log(inputs[x])), q["a"])

    return shape


def log_share(u: Jet, a: Jet) -> Jet:
    """ln s where s / (1 - s)^a = e^u, with derivatives by the implicit function theorem.

    With s the logistic function of l the equation reads a softplus(l) - softplus(-l) = u, whose slope lies between a
    and 1 and whose curvature has one sign: Newton's steps settle from either side.
    """
    u_value, a_value = np.broadcast_arrays(u.value, a.value)
    place = np.where(u_value < 0, u_value, u_value / a_value)
    for _ in range(60):
        share = 0.5 * (1 + np.tanh(0.5 * place))
        miss = a_value * np.logaddexp(0, place) - np.logaddexp(0, -place) - u_value
        step = miss / (1 + (a_value - 1) * share)
        place = place - step
        if np.abs(step).max(initial=0) < 1e-13 * (1 + np.abs(place).max(initial=0)):
            break
    share, rest, s = 0.5 * (1 + np.tanh(0.5 * place)), 0.5 * (1 - np.tanh(0.5 * place)), np.logaddexp(0, place)
    d, q = 1 + (a_value - 1) * share, share * rest
    first = (rest / d, -s * rest / d)
    second = (-q * a_value / d**3, q * (a_value * s - d) / d**3, q * s * (2 * d - a_value * s) / d**3)
    return jets.compose(u, a, -np.logaddexp(0, -place), first, second)


def broken_power(x: str = "tokens", breaks: str | int = 1) -> Law:
    """A power law whose exponent changes by c_i around x = d_i, over a width f_i in ln x."""
    count = int(breaks)
    numbers = range(1, count + 1)
    shaped = [part for i in numbers for part in _break(i, x)]
    bent = Term("b", (Power(x, "c0"),), _breaks(x, count), tuple(part.name for part in shaped))
    return Law(
        "broken_power" if (x, count) == ("tokens", 1) else f"broken_power({x},{count})",
        f"y = a + b {x}^-c0 prod_i (1 + ({x} / d_i)^(1 / f_i))^(-c_i f_i), {count} break{'s' if count > 1 else ''}",
        "Caballero et al. 2023, equation 1",
        (Term("a"), bent),
        shaped=tuple(shaped),
        natural=lambda raw: {**_swapped(raw, numbers, "ln_d", "d", np.exp)},
        raw=lambda c: {**_swapped(c, numbers, "d", "ln_d", np.log)},
    )


def _break(i: int, x: str) -> tuple[Parameter, ...]:
    return (
        Parameter(f"c{i}", (-0.3, 0.1, 0.3, 1.0, 2.0)),
        Parameter(f"ln_d{i}", lambda inputs: _places(inputs[x])),
        Parameter(f"f{i}", (0.05, 0.2, 0.6), 1e-3, 50.0),
    )


def _breaks(x: str, count: int) -> Shape:
    def shape(q: dict[str, Jet], inputs: Columns) -> Jet:
        logs = np.log(inputs[x])
        parts = [_bend(logs, q[f"c{i}"], q[f"ln_d{i}"], q[f"f{i}"]) for i in range(1, count + 1)]
        return sum(parts[1:], start=parts[0])

    return shape


def _bend(logs: np.ndarray, c: Jet, place: Jet, width: Jet) -> Jet:
    return -(c * width * jets.softplus((logs - place) / width))


def _swapped(values: dict, numbers: range, old: str, new: str, change) -> dict:
    swapped = {f"{old}{i}": f"{new}{i}" for i in numbers}
    return {swapped.get(name, name): change(value) if name in swapped else value for name, value in values.items()}


def _places(x: np.ndarray, before: tuple[float, ...] = ()) -> np.ndarray:
    """Candidate places along ln x: inside the data, and `before` its beginning."""
    logs = np.log(x)
    inside = logs.min() + np.array([0.1, 0.3, 0.5, 0.7, 0.9]) * np.ptp(logs)
    return np.concatenate([logs.min() - np.array(before[::-1]), inside]) if before else inside
