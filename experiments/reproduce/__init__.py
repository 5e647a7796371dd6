"""Figures of the scaling-law papers, again: from one's own sweep at a stated scale, or from published tables.

A paper is one module in `papers` and one line in `catalog`; sweeps that several papers read are trained once
(`sweeps`); what a figure comes to is a `Result`, which `told` prints and writes.
"""
