"""Backoff: how long to wait before a lost connection is tried again, so that a server that is back is not overrun."""

from __future__ import annotations

from typing import Final

from trioarm.engine.ports import Chance

BACKOFF_S_MAX: Final = 60.0  # between two attempts; before, 1, 2, 4 ... s, after the first, which is made at once
STEADY_S: Final = 10.0  # how long a connection must stand for the next loss to be the first again


def pause_s(failures: int, chance: Chance) -> float:
    """Return the time until the next attempt: none if the last one stood, else half to all of the backoff.

    Args:
        failures: attempts in a row of which nothing came that stood.
        chance: spreads the attempts of many nodes that lost the same server.
    """
    if failures == 0:
        return 0.0
    return min(BACKOFF_S_MAX, 2.0 ** min(failures - 1, 10)) * (1 + chance.random()) / 2
