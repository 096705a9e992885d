"""The pulse of a node: whether its engine still looks, told without asking the repository or the wall clock."""

from __future__ import annotations

import trio

from trioarm.container import Container
from trioarm.engine.engine import SchedulingEngine
from trioarm.engine.health import LATE_PASS_S
from trioarm.engine.metrics import Metrics
from trioarm.live import LiveConfig


class Pulse:
    """Looks whether the engine has looked.

    Asked for by a supervisor that kills what has no pulse: a store that is away, or a clock that was set, must not look
    like death. The engine naps for `check_interval` at most, so one that makes no pass for longer hangs.

    Args:
        container: of the node.
    """

    def __init__(self, container: Container) -> None:
        self._metrics = container.get(Metrics)
        self._engine = container.get(SchedulingEngine)
        self._live = container.get(LiveConfig)
        self._passes = -1
        self._seen_at = trio.current_time()

    def beats(self) -> bool:
        """Whether the engine has made a pass lately, or waits to be started."""
        passes, now = self._metrics.passes, trio.current_time()
        if passes != self._passes:
            self._passes, self._seen_at = passes, now
        settings = self._live.config.scheduler
        if self._engine.last_pass_at is None and not settings.auto_start:
            return True
        return now - self._seen_at <= settings.check_interval_s + LATE_PASS_S
