"""Approach 2: at each compute budget the loss over ln N has a minimum; its N over the budgets is a power of C.

Hoffmann et al. 2022, section 3.2. Three ways to find the minima: a parabola a budget, which is biased where
alpha != beta though the data be noiseless; Akima's interpolation, which follows each budget's points; the fitted
surface, which is read off at each budget. A minimum at the edge of the sizes tried says only that N* lies beyond:
dropped, and said.
"""

from analysis.isoflop import table
from analysis.isoflop.approach import METHODS, isoflop
from analysis.isoflop.bias import shift_log10
from analysis.isoflop.parabola import parabolas, vertices
from analysis.isoflop.result import Group, Isoflop, interior

__all__ = ["METHODS", "Group", "Isoflop", "interior", "isoflop", "parabolas", "shift_log10", "table", "vertices"]
