"""Who may start now: pools with room, free lanes, idle workers for what runs at most once (S5.5, S6.1, S6.6).

Planning says what should run; this says what can. It takes room as it admits, so one pass never admits too much.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import attrs

from trioarm.core.run import BACKFILL, RunRecord
from trioarm.core.schedule import Delivery
from trioarm.core.states import CLAIMED, PENDING


@attrs.define(slots=True, eq=False)
class Room:
    """What one pool can still take.

    Args:
        free: runs it may claim.
        idle: workers with nothing to do; the only ones that a run is claimed for that runs at most once (S2.2), or
            needs resources, so that it begins when these say.
        reserved: how many of them no backfilled run is claimed for (S5.3).
    """

    free: int
    idle: int
    reserved: int = 0


class Admission:
    """One pass of admitting runs to the pools of one node.

    Args:
        rooms: by handler; handlers of one pool share one room. A handler that is not there is not registered here.
        busy_lanes: lanes that a run holds already.
    """

    __slots__ = ("_busy_lanes", "_rooms", "_taken_lanes")

    def __init__(self, rooms: Mapping[str, Room], busy_lanes: Container[str]) -> None:
        self._rooms = rooms
        self._busy_lanes = busy_lanes
        self._taken_lanes: set[str] = set()

    def admit(self, run: RunRecord) -> bool:
        """Take room for a pending run and return True, or return False when it cannot start now."""
        schedule = run.schedule.schedule
        room = self._rooms.get(schedule.handler)
        if room is None or room.free <= 0:
            return False
        if room.idle <= 0 and (schedule.resources or schedule.delivery is Delivery.AT_MOST_ONCE):
            return False
        if run.origin is BACKFILL and min(room.free, room.idle) <= room.reserved:
            return False
        lane = run.lane
        if lane is not None:
            if lane in self._taken_lanes or (lane in self._busy_lanes and not run.holds_lane):
                return False
            self._taken_lanes.add(lane)
        room.free -= 1
        room.idle -= 1
        return True


def start_at_once(decided: Iterable[RunRecord], admission: Admission, node: str) -> None:
    """Turn newly decided runs that can start now into claimed ones, before they are first written (S6.2).

    The node may start them once they are kept. What needs resources is claimed later, by a look at them.
    """
    for run in decided:
        if run.state is not PENDING or run.due_at > run.decided_at or run.schedule.schedule.resources:
            continue
        if admission.admit(run):
            run.state = CLAIMED
            run.waiting_for = run.give_up_at = None
            run.attempt = run.token = 1
            run.node = node
