"""Approach 1: the lower envelope of the training curves over C, and the size that reaches it."""

from analysis.envelope.hull import POINTS, Envelope, Kept, curve_loss, envelope

__all__ = ["POINTS", "Envelope", "Kept", "curve_loss", "envelope"]
