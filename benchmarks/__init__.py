"""Benchmarks: what trioarm costs, beside the least that could do the same work.

`python -m benchmarks` prints one table. Every row is a module here; the bare scripts that it is compared
with are in `floors`.
"""
