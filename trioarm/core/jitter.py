"""When an occurrence starts that starts later than its instant: a person postponed it, or jitter spreads it (S4.6).

Jitter is a delay added on purpose, so that a thousand houses do not ask one server at once. It is a hash, not chance:
every node comes to the same, and a restart changes nothing.
"""

from __future__ import annotations

from hashlib import blake2b

from trioarm.core.instants import microseconds
from trioarm.core.run import Origin, RunRecord
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


def starts_at(run: RunRecord) -> int:
    """Return when a run was to start first: what its lateness counts from.

    What a person postponed is known as long as its schedule keeps that: until it has passed and the schedule changes.
    """
    if run.origin is not Origin.SCHEDULE:
        return run.nominal_at
    for one in run.schedule.amendments:
        if one.nominal_at == run.nominal_at and one.until_at is not None:
            return one.until_at
    schedule = run.schedule.schedule
    following = schedule.next_after(run.nominal_at, run.schedule.trigger)
    return run.nominal_at + jitter_of(schedule, run.nominal_at, following)
