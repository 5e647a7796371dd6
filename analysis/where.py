"""Row expressions such as "family == 'transformer' and flops <= 1e12", parsed and walked, never executed."""

import ast
import operator
from collections.abc import Mapping
from typing import Any

import numpy as np

from scaling_laws.config import ConfigError, nearest

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
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
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
                raise ConfigError(
                    f"where: no column {name!r}{nearest(name, columns)} (--columns={name}=... names one for this)"
                )
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
