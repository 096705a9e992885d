"""A condition that is what a partition's panel reports (A4.5)."""

from __future__ import annotations

import trio

from trioarm.arming.commanding.pursuit import Way
from trioarm.arming.conditions.base import unknown
from trioarm.arming.conditions.settings import PartitionCondition
from trioarm.arming.conditions.verdict import Answer, Truth
from trioarm.arming.words import Reported
from trioarm.core.errors import TrioarmError
from trioarm.core.instants import render_duration


class PartitionSource:
    """Asks a panel. Implements `trioarm.arming.conditions.base.Source`.

    Args:
        settings: as configured.
        way: to its partition.
    """

    def __init__(self, settings: PartitionCondition, way: Way) -> None:
        self._settings = settings
        self._way = way

    async def ask(self) -> Answer:
        """Return whether the panel reports one of the states.

        Cancellation: at any checkpoint.
        """
        name = self._settings.partition
        with trio.move_on_after(self._settings.timeout_s):
            try:
                report = await self._way.read_state()
            except TrioarmError as error:  # of the panel; or of the store, where the built-in one is kept
                return unknown(f"{name}: {error}")
            if report.state in (Reported.UNKNOWN, Reported.UNAVAILABLE):
                return unknown(f"the panel of {name} reports {report.state}")
            holds = report.state in self._settings.yes
            return Answer(Truth.YES if holds else Truth.NO, f"{name} is {report.state}")
        return unknown(f"the panel of {name} gave no answer within {render_duration(self._settings.timeout_s)}")
