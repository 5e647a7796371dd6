"""Ensembles of finished runs that kept their parameters: their outputs put together, as rows of the runs table that
nothing was trained for."""
