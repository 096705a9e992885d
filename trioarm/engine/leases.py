"""The lease of a node: the right to hold runs, for as long as it is renewed in time (S7.1, S7.2).

A node that could not renew stops what it runs before anybody else may begin it. That holds for handlers that reach a
checkpoint; what a blocked loop or a thread does, only the token fences (`run.token`).
"""

from __future__ import annotations

import logging
from typing import Final

import trio

from trioarm.core.errors import RepositoryError
from trioarm.core.states import Reason
from trioarm.engine.executor import RunExecutor
from trioarm.engine.ports import Clock, ScheduleRepository

LEASE_S: Final = 30.0  # from the beginning of a renewal until others may take over what the node holds
RENEW_S: Final = 10.0  # between two renewals: two may fail before anything is lost
MARGIN_S: Final = 5.0  # before its end: handlers need time to stop
AGAIN_S: Final = 1.0  # after a renewal that failed

_log = logging.getLogger("trioarm.lease")


class Lease:
    """Renews the lease of one node, and gives up its runs when that fails for too long.

    Args:
        repository: that counts leases.
        executor: whose runs they are for.
        clock: for the naps between renewals.
        node: whose lease it is.
        renew_s: between two renewals, in seconds.
    """

    def __init__(
        self,
        repository: ScheduleRepository,
        executor: RunExecutor,
        clock: Clock,
        node: str,
        *,
        renew_s: float = RENEW_S,
    ) -> None:
        self._repository = repository
        self._executor = executor
        self._clock = clock
        self.node = node
        self._renew_s = renew_s
        self._trusted_until = float("inf")

    @property
    def is_trusted(self) -> bool:
        """Whether nobody else can have taken over what this node holds."""
        return trio.current_time() < self._trusted_until

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Take the lease and renew it until cancelled; where the repository knows none, return at once.

        Raises:
            RepositoryError: there is no first lease.

        Cancellation: at any checkpoint; the lease ends by itself.
        """
        if not self._repository.leased:
            task_status.started()
            return
        began = trio.current_time()
        await self._repository.join(self.node, self._clock.now())
        self._trusted_until = began + LEASE_S - MARGIN_S
        task_status.started()
        while True:
            await self._nap(self._renew_s if self.is_trusted else AGAIN_S)
            await self._renew()

    async def _nap(self, seconds: float) -> None:
        with self._clock.nap_until(self._clock.now(), at_least_s=seconds):
            await trio.sleep_forever()

    async def _renew(self) -> None:
        """Renew, again and again until it worked; what runs is stopped when the trust ends before."""
        while True:
            began = trio.current_time()
            with trio.move_on_at(self._trusted_until if self.is_trusted else began + LEASE_S):
                if await self._renewed():
                    self._trusted_until = began + LEASE_S - MARGIN_S
                    return
                await self._nap(AGAIN_S)
            if not self.is_trusted:
                self._stop_everything("the lease of this node could not be renewed in time")

    async def _renewed(self) -> bool:
        try:
            if not await self._repository.renew(self.node, self._clock.now()):
                self._stop_everything("this node was given up for gone: it did not renew its lease in time")
                await self._repository.join(self.node, self._clock.now())
        except RepositoryError as error:
            _log.debug("the lease was not renewed: %s", error)
            return False
        return True

    def _stop_everything(self, why: str) -> None:
        held = self._executor.held
        if held:
            _log.error("%s: %d runs are stopped, others may carry them on", why, len(held))
        for run_id in held:
            self._executor.cancel(run_id, Reason.LOST)
