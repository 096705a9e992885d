"""A world for each test that asks for one, as users of `trioarm.testing` have it."""

from __future__ import annotations

from trioarm.testing.fixtures import pytest_runtest_call, world

__all__ = ["pytest_runtest_call", "world"]
