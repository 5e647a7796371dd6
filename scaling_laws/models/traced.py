"""FLOPs of the dense products and convolutions in a traced program: the second opinion on scaling_laws.compute."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import jax
from jax.interpreters import partial_eval

# Products this module cannot count, and calls whose body runs an unknown number of times.
UNCOUNTED = ("ragged_dot", "ragged_dot_general", "pallas_call", "shard_map", "xla_pmap")


def product_flops(function: Callable, *arguments: Any) -> int:
    """FLOPs of every dense product that `function(*arguments)` traces to, 2 m n k each, and of every convolution, two
    for each product of a number of the input (or of its padding) and one of the kernel.

    The body of a scan counts once per iteration. Raises ValueError where the count is not determined: a product in
    a while loop, branches of a conditional that differ, a custom kernel. What no result depends on is left out, as the
    compiler does: a derivative that is written out by hand has one for the data too.
    """
    jaxpr = jax.make_jaxpr(function)(*arguments).jaxpr
    needed, _ = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    return jaxpr_flops(needed)


def jaxpr_flops(jaxpr: Any) -> int:
    """FLOPs of the products and convolutions in `jaxpr` and in those inside. Raises ValueError as `product_flops`."""
    return sum(_equation_flops(equation) for equation in jaxpr.eqns)


def xla_flops(compiled: Any) -> float | None:
    """XLA's own total for a compiled program; None where its backend reports none.

    Elementwise work is included, and the body of a loop counts once, however often it runs.
    """
    return (compiled.cost_analysis() or {}).get("flops")


def _equation_flops(equation: Any) -> int:
    name = equation.primitive.name
    if name in UNCOUNTED:
        raise ValueError(f"{name}: its products cannot be counted from the traced program")
    if name == "dot_general":
        return _dot_flops(equation)
    if name == "conv_general_dilated":
        return _convolution_flops(equation)
    inner = [jaxpr_flops(jaxpr) for jaxpr in _inner_jaxprs(equation.params)]
    if name == "scan":
        return equation.params["length"] * sum(inner)
    if name == "while" and any(inner):
        raise ValueError("while: holds dense products and runs an unknown number of times")
    if name == "cond":
        if len(set(inner)) > 1:
            raise ValueError(f"cond: its branches differ in dense products ({inner} FLOPs)")
        return inner[0]
    return sum(inner)


def _dot_flops(equation: Any) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    left, result = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
    return 2 * math.prod(result) * math.prod(left[axis] for axis in contracted)


def _convolution_flops(equation: Any) -> int:
    """Each number of the result sums over the kernel's extent and over the input channels of its group.

    That holds for the derivatives too, with strides or groups: the kernel's dimension of inputs is already that of one
    group, and a batch in groups has that many fewer results.
    """
    kernel, form = equation.invars[1].aval.shape, equation.params["dimension_numbers"].rhs_spec
    return 2 * math.prod(equation.outvars[0].aval.shape) * math.prod(kernel) // kernel[form[0]]


def _inner_jaxprs(params: dict[str, Any]) -> Iterator[Any]:
    for value in params.values():
        for item in value if isinstance(value, tuple | list) else (value,):
            if hasattr(item, "eqns"):
                yield item
            elif hasattr(item, "jaxpr") and hasattr(item.jaxpr, "eqns"):
                yield item.jaxpr
