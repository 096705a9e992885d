"""The way to one physical panel: its partitions take turns, with the minimum gap between two commands (A3.8), and one
that does not answer is left alone for a while."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import attrs
import trio

from trioarm.arming.commanding.breaker import FAILURES_MAX, Breaker
from trioarm.arming.ledger import Ledger
from trioarm.arming.panels.base import FailureKind, Panel, PanelFailure
from trioarm.core.instants import microseconds, render_instant

STEP_S: Final = 1.0  # from the end of a pause to the first partition that asks, and on to the next: one asks for all

_log = logging.getLogger("trioarm.arming")


class NotAsked(PanelFailure):
    """A panel was left alone, because it has not answered for a while.

    Args:
        message: one sentence for people.
        until_at: when it is asked again; microseconds since 1970 UTC.
    """

    def __init__(self, message: str, until_at: int) -> None:
        super().__init__(FailureKind.UNAVAILABLE, message)
        self.until_at = until_at


@attrs.define(slots=True, eq=False)
class Line:
    """The way to one physical panel.

    Args:
        name: of the panel.
        partitions: those that share it.
        turn: held from the read that decides to send until the command is sent.
        sent_at: when this process last sent it a command; None when it did not.
        recorded: when it was sent commands, by whatever process, as far as that was looked up.
        breaker: whether it answers.
        returned: set when it answers again after it was left alone; who heeds that puts a new one in its place.
    """

    name: str
    partitions: tuple[str, ...]
    turn: trio.Lock = attrs.Factory(trio.Lock)
    sent_at: int | None = None
    recorded: tuple[int, ...] = ()
    breaker: Breaker = attrs.Factory(Breaker)
    returned: trio.Event = attrs.Factory(trio.Event)

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

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Let what is asked within the context show whether the panel answers.

        A refusal is an answer, and so is that a partition is unavailable where that is what the panel reports. Who is
        cancelled has found out nothing.
        """
        breaker = self.breaker
        breaker.asking += 1
        try:
            yield
        except PanelFailure as failure:
            if failure.kind is not FailureKind.UNAVAILABLE:
                self.heard()
            elif breaker.failed(trio.current_time()):
                _log.warning(
                    "%s has not answered %d times in a row, and is left alone for %.0f s: %s",
                    self.name,
                    breaker.failures,
                    breaker.pause_s,
                    failure,
                )
            raise
        else:
            self.heard()
        finally:
            breaker.asking -= 1

    def leave_alone(self, partition: str, now: int, deadline: int) -> None:
        """Return if a run may ask the panel about its partition again.

        Args:
            partition: one of those that share it.
            now: microseconds since 1970 UTC.
            deadline: the latest instant at which an answer is of use: who could not ask again by then asks now.

        Raises:
            NotAsked: it is left alone.
        """
        wait_s = self.breaker.wait_s(trio.current_time())
        until_at = now + microseconds(wait_s + STEP_S * (1 + self.partitions.index(partition)))
        if not wait_s or until_at > deadline:
            return
        failures = max(self.breaker.failures, FAILURES_MAX)
        again = f"and is asked again at {render_instant(until_at)}"
        raise NotAsked(f"not asked: it has not answered {failures} times in a row, {again}", until_at)

    def left_alone_since(self, now: int) -> int | None:
        """Return when it last gave no answer for which it is left alone, as the wall clock says; None if it is not.

        Args:
            now: microseconds since 1970 UTC.
        """
        failed_at = self.breaker.failed_at
        return None if failed_at is None else now - microseconds(trio.current_time() - failed_at)

    def heard(self) -> None:
        """Heed that it answers, whoever has asked."""
        if self.breaker.answered():
            _log.info("%s answers again", self.name)
            self.returned.set()


def lines_to(panels: Mapping[str, Panel]) -> dict[str, Line]:
    """Return the way to the panel of each partition: one for all whose panels have the same name."""
    sharing: dict[str, list[str]] = {}
    for partition, panel in panels.items():
        sharing.setdefault(panel.name, []).append(partition)
    ways = {name: Line(name, tuple(partitions)) for name, partitions in sharing.items()}
    return {partition: ways[panel.name] for partition, panel in panels.items()}
