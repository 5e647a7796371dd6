"""Every law by name. Some take arguments: `power_sum(width,depth,tokens)`, `broken_power(tokens,2)`."""

import inspect
from collections.abc import Callable

from analysis.laws import curves, rates, surfaces, techniques
from analysis.laws.law import Law
from scaling_laws.config import ConfigError, nearest

FIXED = (
    surfaces.CHINCHILLA,
    surfaces.KAPLAN,
    surfaces.GADRE,
    surfaces.DATA_CONSTRAINED,
    techniques.SPARSITY,
    techniques.ROUTING,
    techniques.TRANSFER,
    techniques.ERROR,
)
MAKERS: dict[str, Callable[..., Law]] = {
    maker.__name__: maker
    for maker in (
        surfaces.power,
        surfaces.power_floor,
        surfaces.power_sum,
        curves.m1,
        curves.m2,
        curves.m3,
        curves.m4,
        curves.broken_power,
        techniques.precision,
        rates.learning_rate,
        rates.batch,
    )
}
LAWS: dict[str, Law] = {law.name: law for law in FIXED} | {name: maker() for name, maker in MAKERS.items()}


def get(name: str) -> Law:
    """The law of that name, with its arguments in parentheses. Raises ConfigError naming the nearest."""
    bare, _, rest = name.partition("(")
    bare, arguments = bare.strip(), [part.strip() for part in rest.rstrip(") ").split(",") if part.strip()]
    if bare not in LAWS:
        raise ConfigError(f"law: {bare!r}; allowed: {', '.join(LAWS)}{nearest(bare, LAWS)}")
    if not arguments:
        return LAWS[bare]
    if bare not in MAKERS:
        raise ConfigError(f"law: {name!r}: {bare} takes no columns; allowed with columns: {', '.join(MAKERS)}")
    return _made(bare, arguments)


def with_terms(name: str, terms: str | None, breaks: int | None = None) -> str:
    """The full name of `name` over the columns in `terms`, and with `breaks` where it breaks."""
    parts = [part.strip() for part in (terms or "").split(",") if part.strip()]
    if breaks is not None:
        if name != "broken_power":
            raise ConfigError(f"breaks: law {name!r} has none; allowed with --law=broken_power")
        parts = [*(parts or ["tokens"]), str(breaks)]
    return f"{name}({','.join(parts)})" if parts else name


def _made(bare: str, arguments: list[str]) -> Law:
    maker = MAKERS[bare]
    if len(set(arguments)) < len(arguments):
        raise ConfigError(f"law: {bare}({','.join(arguments)}): a column twice; allowed: each once")
    try:
        inspect.signature(maker).bind(*arguments)
    except TypeError:
        allowed = ", ".join(inspect.signature(maker).parameters)
        raise ConfigError(f"law: {bare}({','.join(arguments)}); allowed: {bare}({allowed})") from None
    if bare == "broken_power" and len(arguments) > 1 and not (arguments[1].isdigit() and 1 <= int(arguments[1]) <= 8):
        raise ConfigError(f"breaks: {arguments[1]!r}; allowed: 1 to 8")
    return maker(*arguments)
