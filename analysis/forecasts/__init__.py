"""Forecasts that were written down before the run: made, kept in a ledger that shows any change, and graded.

python -m analysis.predict --runs=WORKDIR --at=flops=1e14 --register=forecasts.jsonl
python -m analysis.forecasts --ledger=forecasts.jsonl --runs=WORKDIR
"""
