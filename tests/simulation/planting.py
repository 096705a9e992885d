"""Planting: what a fault is that is put into trioarm on purpose, and how histories for it begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from tests.simulation.history import History
from trioarm import Once, RetryPolicy, Schedule
from trioarm.core.instants import MINUTE
from trioarm.testing.world import BEGIN


def once(name: str, minutes: int, **policies: Any) -> Schedule:
    """Return a schedule with one occurrence, so many minutes after the world begins."""
    policies = {"timeout_s": 100.0, "retry": RetryPolicy(2, 5.0), **policies}
    return Schedule(name, Once(BEGIN + minutes * MINUTE), **policies)


@attrs.frozen
class Planted:
    """A fault in trioarm itself.

    Args:
        rule: of the contract, that it breaks.
        what: it does.
        plant: puts it in place.
        dies: what it raises out of a node, if it does.
        made: a history made for it, where it takes hundreds of drawn ones.
    """

    rule: str
    what: str
    plant: Callable[[pytest.MonkeyPatch], None]
    dies: type[Exception] | None = None
    made: History | None = None
