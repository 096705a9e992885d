"""The core against answers found another way, slowly, and against any input at all.

They lie beside `tests/core`, whose examples cover every branch by themselves: only those are traced, these are not.
"""
