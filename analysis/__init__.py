"""Fit, forecast and draw from a table of runs; no JAX here."""
