"""Measurements, run by hand: `python -m bench.NAME` from the repository root."""
