"""Which rows enter a fit: a safe row expression, forecasts set apart, the largest budgets held out."""

import ast
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from scaling_laws.config import ConfigError, nearest

if TYPE_CHECKING:
    from analysis.load import Runs

COMPARE = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
ALLOWED = "column names, numbers, quoted text, < <= > >= == != in, and or not, + - * / **"


def rows_where(expression: str, columns: Mapping[str, np.ndarray], length: int) -> np.ndarray:
    """(length,) booleans of an expression over columns, as "family == 'transformer' and flops <= 1e12".

    The text is parsed and walked over a short list of node kinds; nothing in it is ever executed. Raises ConfigError.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"where: {expression!r} is not an expression; allowed: {ALLOWED}") from error
    try:
        with np.errstate(all="ignore"):
            result = np.asarray(_walk(tree.body, columns))
    except (TypeError, np.exceptions.DTypePromotionError, ArithmeticError) as error:
        raise ConfigError(
            f"where: {expression!r} mixes text and numbers, or divides by zero; allowed: {ALLOWED}"
        ) from error
    if result.dtype != bool:
        raise ConfigError(f"where: {expression!r} is no yes-or-no question; allowed: a comparison, as loss < 5")
    return np.broadcast_to(result, (length,))


def _walk(node: ast.AST, columns: Mapping[str, np.ndarray]) -> Any:
    match node:
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return value if isinstance(value, bool | str) else float(value)
        case ast.Name(id=name):
            if name not in columns:
                raise ConfigError(f"where: no column {name!r}{nearest(name, columns)}")
            return columns[name]
        case ast.BoolOp(op=op, values=values):
            combine = np.logical_and if isinstance(op, ast.And) else np.logical_or
            return combine.reduce([_truth(value, columns) for value in values])
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_truth(operand, columns)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_walk(operand, columns)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in ARITHMETIC:
            return ARITHMETIC[type(op)](_walk(left, columns), _walk(right, columns))
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            return _compare(left, ops, comparators, columns)
    raise ConfigError(f"where: {ast.unparse(node)!r} is not allowed; allowed: {ALLOWED}")


def _truth(node: ast.AST, columns: Mapping[str, np.ndarray]) -> np.ndarray:
    value = np.asarray(_walk(node, columns))
    if value.dtype != bool:
        raise ConfigError(f"where: {ast.unparse(node)!r} is no yes-or-no question; allowed: a comparison, as loss < 5")
    return value


def _compare(left: ast.AST, ops: list[ast.cmpop], right: list[ast.expr], columns: Mapping[str, np.ndarray]) -> Any:
    result, value = np.bool_(True), _walk(left, columns)
    for op, node in zip(ops, right, strict=True):
        if isinstance(op, ast.In | ast.NotIn) and isinstance(node, ast.Tuple | ast.List):
            member = np.isin(value, [_walk(item, columns) for item in node.elts])
            result = result & (member if isinstance(op, ast.In) else ~member)
        elif type(op) in COMPARE:
            other = _walk(node, columns)
            result = result & COMPARE[type(op)](value, other)
            value = other
        else:
            raise ConfigError(f"where: {ast.unparse(node)!r} after `in`; allowed: a list such as (1, 2)")
    return result


def split_forecasts(runs: "Runs") -> tuple["Runs", "Runs | None"]:
    """(runs to fit, forecast runs): rows with purpose `forecast` were predicted before they were trained."""
    if "purpose" not in runs:
        return runs, None
    forecast = runs["purpose"] == "forecast"
    if not forecast.any():
        return runs, None
    return runs.select(~forecast, "a forecast, held out"), runs.select(forecast, "no forecast")


def split_holdout(runs: "Runs", holdout: str) -> tuple["Runs", "Runs"]:
    """(runs to fit, runs held out). `4`: budgets above the largest / 4; `budgets=2`: the two largest budgets.

    Raises ConfigError for another form, or where nothing would be left on either side.
    """
    budgets = runs["budget"] if "budget" in runs and np.isfinite(runs["budget"]).all() else runs["flops"]
    limit = _limit(holdout, budgets)
    keep = budgets <= limit * (1 + 1e-9)
    if keep.all() or not keep.any():
        raise ConfigError(
            f"holdout: {holdout!r} leaves {int(keep.sum())} of {len(keep)} runs to fit; allowed: some on both sides"
        )
    return runs.select(keep, f"held out (above {limit:.4g} FLOPs)"), runs.select(~keep, "used for the fit")


def _limit(holdout: str, budgets: np.ndarray) -> float:
    name, _, count = holdout.rpartition("=")
    try:
        number = float(count)
    except ValueError:
        number = 0.0
    levels = np.unique(budgets)
    if name.strip() == "budgets" and number == int(number) and 1 <= number < len(levels):
        return float(levels[-1 - int(number)])
    if not name and number > 1:
        return float(levels[-1] / number)
    raise ConfigError(f"holdout: {holdout!r}; allowed: a factor above 1, or budgets=1 to budgets={len(levels) - 1}")
