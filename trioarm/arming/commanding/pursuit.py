"""A pursuit: one partition is brought to one target, step by step, whoever wants it so (A3.1, A3.2).

It reads, waits, takes its panel's turn and sends. Whether to send is for `judge`, and what to keep before for
`announce`: a scheduled run and a person answer these differently.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import attrs

from trioarm.arming.commanding.line import Line
from trioarm.arming.commanding.verify import Done, Fail, KeepTurn, Limits, NextStep, Send, Sent, Wait, is_progress
from trioarm.arming.ledger import Ledger
from trioarm.arming.model import Partition, Target
from trioarm.arming.panels.base import FailureKind, Panel, PanelFailure, PanelReport
from trioarm.core.instants import microseconds
from trioarm.engine.ports import Clock
from trioarm.links.secrets import SecretUnreadable, read_code


@attrs.define(slots=True, eq=False)
class Way:
    """How a partition is reached.

    Args:
        partition: its settings.
        panel: its driver.
        line: shared with the other partitions of the physical panel.
        ledger: what was sent before.
        clock: what limits and waits count by.
    """

    partition: Partition
    panel: Panel
    line: Line
    ledger: Ledger
    clock: Clock

    async def read_state(self) -> PanelReport:
        """Ask the panel what the partition is now, whoever was left without an answer before.

        Raises:
            PanelFailure: it is `unavailable`.

        Cancellation: at any checkpoint.
        """
        with self.line.asking():
            return await self.panel.read_state()

    async def command(self, target: Target, code: str | None, by: str) -> None:
        """Tell the panel what the partition is to become; see `Panel.command`.

        Raises:
            PanelFailure: it is `rejected`, `blocked` or `unavailable`.

        Cancellation: at any checkpoint; the command may or may not have been sent.
        """
        with self.line.asking():
            await self.panel.command(target, code, by)


class Pursuit(ABC):
    """Brings a partition to a target.

    Args:
        way: to the partition.
        target: what it is to become.
        by: who wants it so, as the panel is told.
        limits: what it is held to.

    Attributes:
        sent: what was sent so far.
        first: the first report; None before it.
        report: the latest report.
    """

    def __init__(self, way: Way, target: Target, by: str, limits: Limits) -> None:
        self.way = way
        self.target = target
        self.by = by
        self.limits = limits
        self.sent = Sent()
        self.first: PanelReport | None = None
        self.report: PanelReport | None = None

    @abstractmethod
    async def judge(self, report: PanelReport, now: int, free_at: int) -> NextStep:
        """Return what to do after a fresh read.

        Args:
            report: what the panel just said.
            now: microseconds since 1970 UTC.
            free_at: when the physical panel takes its next command.
        """

    @abstractmethod
    async def announce(self, now: int) -> Sent:
        """Keep that one more command is about to be sent, and return what was sent then (A3.1).

        Raises:
            PanelFailure: `unavailable`, because it is not certain to be kept.
        """

    async def read(self) -> PanelReport:
        """Ask the panel what the partition is now.

        Raises:
            PanelFailure: it is `unavailable`.
        """
        return await self.way.read_state()

    async def command(self, code: str | None) -> None:
        """Tell the panel what the partition is to become; see `Panel.command`.

        Raises:
            PanelFailure: it is `rejected`, `blocked` or `unavailable`.
        """
        await self.way.command(self.target, code, self.by)

    async def carry_out(self) -> PanelReport:
        """Take step after step until the panel reports the target.

        Raises:
            PanelFailure: it will not, in this attempt.

        Cancellation: at any checkpoint. A command that was announced may have been sent.
        """
        while True:
            report, step = await self._look()
            match step:
                case Done():
                    return report
                case Fail(kind, message, zones):
                    raise PanelFailure(kind, message, zones)
                case Wait(until):
                    await self._nap(until)
                case Send() | KeepTurn():
                    await self._take_turn()

    async def _look(self) -> tuple[PanelReport, NextStep]:
        """Read the panel and decide."""
        report = await self.read()
        self.first = self.first or report
        self.report = report
        if self.sent.sends and is_progress(report, self.target):
            self.sent = attrs.evolve(self.sent, progressed=True)
        now = self.way.clock.look()
        free_at = self.way.line.free_at(microseconds(self.way.partition.min_gap_s), now)
        return report, await self.judge(report, now, free_at)

    async def _take_turn(self) -> None:
        """Send when it is this partition's turn, if a fresh read still says so then (A3.2, A3.8)."""
        async with self.way.line.turn:
            await self.way.line.look_up(self.way.ledger)
            while True:
                _, step = await self._look()
                match step:
                    case KeepTurn(until):
                        await self._nap(until)
                    case Send():
                        return await self._send()
                    case _:
                        return None

    async def _send(self) -> None:
        """Store what is about to be sent, then send it (A3.1)."""
        code = _code(self.way.partition)
        self.sent = await self.announce(self.way.clock.look())
        self.way.line.sent_at = self.way.clock.look()  # to be kept may have taken seconds
        await self.command(code)

    async def _nap(self, until: int) -> None:
        """Wait for an instant, or for news of the panel. A nap may end early: who took it reads and decides again."""
        with self.way.clock.nap_until(until):
            await self.way.panel.changed()


def _code(partition: Partition) -> str | None:
    """Return the code a command needs, at the moment it does (A5.2)."""
    ref = partition.code or partition.panel.code
    if ref is None:
        return None
    try:
        return read_code(ref)
    except SecretUnreadable as error:
        raise PanelFailure(FailureKind.REJECTED, f"nothing was sent, the code cannot be read: {error}") from error
