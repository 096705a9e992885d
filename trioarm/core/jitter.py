"""Jitter: a delay added on purpose to an occurrence, so that a thousand houses do not ask one server at once (S4.6).

It is a hash, not chance: every node comes to the same, and a restart changes nothing.
"""

from __future__ import annotations

from hashlib import blake2b

from trioarm.core.instants import microseconds
from trioarm.core.schedule import Schedule


def jitter_of(schedule: Schedule, nominal_at: int, following: int | None) -> int:
    """Return by how many microseconds an occurrence starts later: less than it may, and before the next one is due.

    Args:
        nominal_at: the occurrence.
        following: the next one; None when there is none.
    """
    if not schedule.jitter_s:
        return 0
    most = microseconds(schedule.jitter_s)
    if following is not None:
        most = min(most, following - nominal_at)
    digest = blake2b(f"{schedule.name}@{nominal_at}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) * most >> 64
