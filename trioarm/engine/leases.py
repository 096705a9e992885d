"""The lease of a node: the right to hold runs, for as long as it is renewed in time (S7.1, S7.2).

A node that could not renew stops what it runs before anybody else may begin it. That holds for handlers that reach a
checkpoint; what a blocked loop or a thread does, only the token fences (`run.token`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf
from typing import Final

import attrs
import trio

from trioarm.core.counting import counted
from trioarm.core.errors import RepositoryError
from trioarm.core.states import Reason
from trioarm.engine.executor import RunExecutor
from trioarm.engine.loop_watch import LoopWatch
from trioarm.engine.ports import Clock, ScheduleRepository

LEASE_S: Final = 30.0  # from the beginning of a renewal until others may take over what the node holds
RENEW_S: Final = 10.0  # between two renewals: two may fail before anything is lost
MARGIN_S: Final = 5.0  # before its end: handlers need time to stop
AGAIN_S: Final = 1.0  # after a renewal that failed

_log = logging.getLogger("trioarm.lease")


@attrs.frozen(slots=True)
class Terms:
    """How a lease is kept, in seconds: by default as the constants of this module say."""

    lease_s: float = LEASE_S
    renew_s: float = RENEW_S
    margin_s: float = MARGIN_S
    again_s: float = AGAIN_S

    @classmethod
    def of(cls, lease_s: float) -> Terms:
        """Return the terms of a lease that lasts so long, in the usual proportions."""
        scale = lease_s / LEASE_S
        return cls(lease_s, RENEW_S * scale, MARGIN_S * scale, AGAIN_S * scale)

    @property
    def trust_s(self) -> float:
        """From the beginning of a renewal until the node stops what it holds."""
        return self.lease_s - self.margin_s


class Lease:
    """Renews the lease of one node, and gives up its runs when that fails for too long.

    Args:
        repository: that counts leases.
        executor: whose runs they are for; it begins none that are not trusted.
        clock: for the naps between renewals.
        node: whose lease it is.
        renew_s: between two renewals, in seconds; a third of the lease if not given.
        loop_watch: makes what renews it while trio's loop does not turn; None where time is not real.
        regained: called when nobody else can have taken over what this node holds, after somebody could.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        executor: RunExecutor,
        clock: Clock,
        node: str,
        *,
        renew_s: float | None = None,
        loop_watch: Callable[..., LoopWatch] | None = None,
        regained: Callable[[], None] = lambda: None,
    ) -> None:
        self._repository = repository
        self._executor = executor
        self._clock = clock
        self.node = node
        self._renew_s = renew_s
        self._loop_watch = loop_watch
        self._regained = regained
        self._terms = Terms()

    @property
    def is_trusted(self) -> bool:
        """Whether nobody else can have taken over what this node holds."""
        until = self._executor.trusted_until
        return until == inf or trio.current_time() < until  # infinite where no lease is needed

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take the lease and renew it until cancelled; where the repository knows none, only watch the loop.

        Raises:
            RepositoryError: there is no first lease.

        Cancellation: at any checkpoint; the lease ends by itself.
        """
        lease_s = self._repository.lease_s
        if lease_s is None:
            task_status.started()
            if self._loop_watch is not None:  # who blocks the loop is named there, too, but an idle node is left to nap
                await self._watch_loop(self._loop_watch, lambda: self._executor.running > 0).run()
            return
        self._terms = Terms.of(lease_s)
        self._executor.trusted_until = -inf
        await self._join()
        task_status.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._stop_in_time)
            if self._loop_watch is not None:
                nursery.start_soon(self._watch_loop(self._loop_watch).run)
            await self._keep(self._terms.renew_s if self._renew_s is None else self._renew_s)

    async def _join(self) -> None:
        began = trio.current_time()
        await self._repository.join(self.node, self._clock.now())
        self._trust(began)

    def _trust(self, began: float) -> None:
        """Count on a renewal that was begun then."""
        self._executor.trusted_until = max(self._executor.trusted_until, began + self._terms.trust_s)

    # Renewing

    async def _keep(self, renew_s: float) -> None:
        pause_s = renew_s
        while True:
            await self._nap(pause_s)
            began = trio.current_time()
            renewed = await self._renewed()
            next_at = began + renew_s if renewed else began  # a renewal that took long counts from its beginning
            pause_s = max(self._terms.again_s, next_at - trio.current_time())

    async def _nap(self, seconds: float) -> None:
        with self._clock.nap_until(self._clock.now(), at_least_s=seconds):
            await trio.sleep_forever()

    async def _renewed(self) -> bool:
        """Renew, and return whether that worked; what takes longer than the lease is no renewal."""
        began = trio.current_time()
        was_trusted = self.is_trusted
        with trio.move_on_after(self._terms.lease_s):
            try:
                if await self._repository.renew(self.node, self._clock.now()):
                    self._trust(began)
                else:
                    self._given_up()
                    was_trusted = False
                    await self._join()
            except RepositoryError as error:
                _log.debug("the lease was not renewed: %s", error)
                return False
            if not was_trusted and self.is_trusted:
                self._regained()
            return True
        return False

    # Stopping in time

    async def _stop_in_time(self) -> None:
        """Stop what runs when the trust ends, whatever a renewal waits for (S7.2)."""
        while True:
            await trio.sleep_until(self._executor.trusted_until)
            if not self.is_trusted:
                self._stop_everything("the lease of this node could not be renewed in time")
                await self._nap(self._terms.again_s)

    def _given_up(self) -> None:
        self._executor.trusted_until = -inf
        self._stop_everything("this node was given up for gone: it did not renew its lease in time")

    def _stop_everything(self, why: str) -> None:
        if stopped := self._executor.cancel_all(Reason.LOST):
            one, many = "run is stopped, others may carry it on", "runs are stopped, others may carry them on"
            _log.error("%s: %s", why, counted(stopped, one, many))

    # While the loop does not turn

    def _watch_loop(self, loop_watch: Callable[..., LoopWatch], needed: Callable[[], bool] = lambda: True) -> LoopWatch:
        terms, clock = self._terms, trio.lowlevel.current_clock()

        def stand_in() -> float:
            """Renew in another thread, and return when to do so again: only the last of it touches what trio's sees."""
            began = clock.current_time()
            try:
                renewed = self._repository.renew_blocking(self.node, self._clock.now())
            except RepositoryError as error:
                _log.debug("the lease was not renewed by its watch: %s", error)
                return terms.again_s
            if renewed:  # else the loop finds out, and what is held is stopped then
                self._trust(began)
            return terms.renew_s

        return loop_watch(stand_in, ask_s=terms.renew_s, answer_s=terms.again_s, until_s=terms.trust_s, needed=needed)
