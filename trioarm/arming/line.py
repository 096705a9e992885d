"""The way to one physical panel: its partitions take turns, with the minimum gap between two commands (A3.8)."""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio

from trioarm.arming.ledger import Ledger
from trioarm.arming.panels.base import Panel


@attrs.define(slots=True, eq=False)
class Line:
    """The way to one physical panel.

    Args:
        partitions: those that share it.
        turn: held from the read that decides to send until the command is sent.
        sent_at: when this process last sent it a command; None when it did not.
        recorded: when it was sent commands, by whatever process, as far as that was looked up.
    """

    partitions: tuple[str, ...]
    turn: trio.Lock = attrs.Factory(trio.Lock)
    sent_at: int | None = None
    recorded: tuple[int, ...] = ()

    async def look_up(self, ledger: Ledger) -> None:
        """Find out what other processes have sent."""
        self.recorded = tuple([at for name in self.partitions for at in await ledger.commanded_at(name)])

    def free_at(self, gap: int, now: int) -> int:
        """Return when the panel takes its next command.

        Args:
            gap: the least time between two commands, in microseconds.
            now: a command that the clock was set back behind counts no more (S3.3).
        """
        sent = [at for at in (self.sent_at, *self.recorded) if at is not None and at <= now]
        return max(sent) + gap if sent else now


def lines_to(panels: Mapping[str, Panel]) -> dict[str, Line]:
    """Return the way to the panel of each partition: one for all whose panels have the same name."""
    sharing: dict[str, list[str]] = {}
    for partition, panel in panels.items():
        sharing.setdefault(panel.name, []).append(partition)
    ways = {name: Line(tuple(partitions)) for name, partitions in sharing.items()}
    return {partition: ways[panel.name] for partition, panel in panels.items()}
