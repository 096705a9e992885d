"""Supervision of opening and closing: whoever does it, somebody is told when nobody did (A4.6).

Each expected opening and closing is a run of its own. It waits for the end of its window, as what was postponed waits,
so that neither a restart nor a clock that is set loses one; then it looks, and commands nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import trio

from trioarm.arming.alerts import not_as_expected, subject_of
from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.model import SUPERVISE, Hours, Premises, Reported
from trioarm.arming.panels.base import PanelFailure
from trioarm.arming.watch import latest
from trioarm.core.alerts import raising
from trioarm.core.forecast import local_time
from trioarm.core.instants import MINUTE, instant, microseconds
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard, Snooze
from trioarm.core.schedule import Overlap, Schedule
from trioarm.core.triggers.zones import find_zone
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import Clock

READ_S: Final = 20.0  # for a panel to answer
GRACE_S: Final = 12 * 3600.0  # after the end of a window, in which a node that was down still tells of it
SETTLING: Final = 10 * MINUTE  # for a panel that is on its way when the window ends
ON_ITS_WAY: Final = (Reported.ARMING, Reported.DISARMING)
OPENS, CLOSES = "opens", "closes"


def schedule_names(hours: str) -> tuple[str, str]:
    """Return the names of the built-in schedules that look after an opening, and a closing."""
    return f"trioarm/{OPENS}/{hours}", f"trioarm/{CLOSES}/{hours}"


def supervising_schedules(hours: Iterable[Hours]) -> list[Schedule]:
    """Return the built-in schedules that tell of partitions that nobody opened, or closed."""
    found = []
    for one in hours:
        for name, what, trigger in zip(schedule_names(one.name), (OPENS, CLOSES), (one.opens, one.closes), strict=True):
            if trigger is not None:
                found.append(
                    Schedule(
                        name,
                        trigger,
                        handler=SUPERVISE,
                        args={"hours": one.name, "expects": what},
                        misfire_window_s=one.late_s + GRACE_S,
                        overlap=Overlap.ALLOW,
                    )
                )
    return found


def is_open(state: Reported) -> bool | None:
    """Whether a partition is open; None while it is on its way, or nobody can tell."""
    if state is Reported.DISARMED:
        return True
    return None if state in (*ON_ITS_WAY, Reported.UNKNOWN, Reported.UNAVAILABLE) else False


class Supervisor:
    """The handler `trioarm.supervise`.

    Args:
        premises: expected hours, and the sites whose local time people know.
        ways: how panels are reached.
        clock: what time it is.
    """

    def __init__(self, premises: Premises, ways: Mapping[str, Way], clock: Clock) -> None:
        self._ways = ways
        self._clock = clock
        self.declare(premises)

    def declare(self, premises: Premises) -> None:
        """Go by other hours from the next look on."""
        self._premises = premises
        self._hours = {one.name: one for one in premises.hours}

    async def supervise(self, run: RunContext) -> Json:
        """Look at the end of a window whether its partition was opened, or closed.

        Returns:
            what was found, in words.

        Raises:
            Snooze: the window has not ended.
            Discard: the arguments mean nothing that there is.

        Cancellation: at any checkpoint.
        """
        hours, closes = self._hours.get(str(run.args.get("hours"))), run.args.get("expects") == CLOSES
        if hours is None or hours.partition not in self._ways:
            raise Discard(f"{run.schedule} looks after nothing there is: remove it, or declare it anew")
        expected_at, now = instant(run.nominal_at), self._clock.look()
        until = expected_at + microseconds(hours.late_s)
        if now < until:
            raise Snooze(until, "its window has not ended")
        state = await self._state(hours.partition)
        if state in ON_ITS_WAY and now < until + SETTLING:
            raise Snooze(now + MINUTE, "it is on its way")
        opened = None if state is None else is_open(state)
        if state is None or opened is None:
            return f"nobody can tell what {hours.partition} is"
        if opened is not closes:
            return f"{hours.partition} is {state}, as expected"
        zone = find_zone(self._premises.sites[self._premises.partitions[hours.partition].site].timezone)
        shown = [f"{local_time(at, zone):%H:%M}" for at in (expected_at, until)]
        alert = not_as_expected(hours.partition, closes=closes, expected=shown[0], until=shown[1], last=state, now=now)
        run.keep(raising(run.alert_id(subject_of(hours.partition), alert.kind), alert))
        return f"{hours.partition} is {state}: somebody is told"

    async def _state(self, partition: str) -> Reported | None:
        """Return what a partition is; what it was last when its panel does not answer, or is on its way."""
        way = self._ways[partition]
        with trio.move_on_after(READ_S):
            try:
                found = (await way.read_state()).state
                if is_open(found) is not None or found in ON_ITS_WAY:
                    return found
            except PanelFailure:
                pass
        watched, _ = await way.ledger.watched(partition)
        return latest(watched, await way.ledger.known(partition))[0]
