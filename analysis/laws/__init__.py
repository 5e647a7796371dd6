"""Scaling laws behind one interface: name, formula, inputs, value, gradient, units. A further law is one entry."""

from analysis.laws.catalog import LAWS, get, with_terms
from analysis.laws.design import Design, design, value, value_and_gradient, value_each
from analysis.laws.law import EXPONENT_GRID, Law, Parameter, Power, Term, natural, parameters_of

__all__ = [
    "EXPONENT_GRID",
    "LAWS",
    "Design",
    "Law",
    "Parameter",
    "Power",
    "Term",
    "design",
    "get",
    "natural",
    "parameters_of",
    "value",
    "value_and_gradient",
    "value_each",
    "with_terms",
]
