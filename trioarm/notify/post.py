"""One channel at work: it looks which alerts are open, tells what is due, and keeps what became of each message."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from trioarm.core.alerts import Alert, AlertQuery, AlertState, Severity, StoredAlert, alerts_of, raising
from trioarm.core.instants import render_instant
from trioarm.core.jsonable import Json
from trioarm.core.outcome import Discard, Retry
from trioarm.core.queries import Page
from trioarm.core.retry_policy import RetryPolicy
from trioarm.engine.alert_commands import AlertCommands
from trioarm.engine.attempt import RunContext
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.notify.channels.base import Answer, Channel, Delivered, Refused, TryAgain, send_within
from trioarm.notify.ledger import Answered, Ledger
from trioarm.notify.message import Told, compose
from trioarm.notify.model import FAILED, ChannelSettings, subject_of
from trioarm.notify.telling import grouped, room

AUTHOR: Final = "trioarm"
RETRY: Final = RetryPolicy(max_retries=4, base_s=5.0, max_s=60.0, factor=3.0)  # two minutes, then it is reported
ADVICE: Final = "mend it, then try: trioarm notify test"
UNRESOLVED: Final = frozenset({AlertState.OPEN, AlertState.ACKNOWLEDGED})

_log = logging.getLogger("trioarm.notify")


class Post:
    """One channel with its settings, and what this node knows of it beside the store.

    Args:
        settings: which alerts take it.
        channel: carries messages.
        repository: where alerts are, and what was told of them.
        clock: what time it is.
    """

    def __init__(
        self, settings: ChannelSettings, channel: Channel, repository: ScheduleRepository, clock: Clock
    ) -> None:
        self.settings = settings
        self.trouble: str | None = None
        """Why the last message was not delivered; None where it was."""
        self._channel = channel
        self._clock = clock
        self._ledger = Ledger(repository)
        self._alerts = AlertCommands(repository, clock)
        self._owed: Answered | None = None  # an answer that is not kept yet: only the end of the process loses it
        self._stumbled: str | None = None  # the alert a try ended at: the next begins with others

    async def look(self, run: RunContext) -> Json:
        """Tell everything that is due now, and return how many messages that took.

        Raises:
            Retry: the channel did not take a message; the last time, an alert about it is kept with the run.
            Discard: it refused one; the others were sent, and an alert about it is kept with the run.
            RepositoryError: nobody knows what is due, or what was answered cannot be kept; then it is kept by the next
                attempt, before anything else is sent.
        """
        await self._settle_up()
        refusals: list[str] = []
        groups = await self._groups()
        for group in groups:
            answer = await self._send(group)
            if isinstance(answer, TryAgain):
                await self._give_up_for_now(run, group, answer)
            elif isinstance(answer, Refused):
                refusals.append(answer.why)
                await self._keep(Answered(group, self._clock.look(), answer.why))
            else:
                refusals += [f"not all of it: {answer.lacking}"] if answer.lacking else []
                await self._keep(Answered(group, self._clock.look()))
        if refusals:
            await self._complain(run, refusals[0])
            raise Discard(refusals[0])
        if groups:
            await self._resolve()
        return len(groups)

    async def _groups(self) -> list[Sequence[Told]]:
        now = self._clock.look()
        dues = await self._ledger.dues(self.settings, now)
        groups = grouped(dues, room(self.settings.limit, await self._ledger.sent(self.settings.name), now))
        return sorted(groups, key=lambda group: any(told.id == self._stumbled for told in group))

    async def _send(self, group: Sequence[Told]) -> Answer:
        """Send one message, and wait for an answer no longer than configured."""
        answer = await send_within(self._channel, compose(self.settings, group), self.settings.timeout_s)
        self.trouble = None if isinstance(answer, Delivered) else answer.why
        return answer

    async def _give_up_for_now(self, run: RunContext, group: Sequence[Told], answer: TryAgain) -> None:
        self._stumbled = group[0].id
        if run.attempt > RETRY.max_retries:
            await self._complain(run, answer.why)
        raise Retry(answer.why)

    # What was answered

    async def _keep(self, answered: Answered) -> None:
        self._owed = answered
        await self._settle_up()

    async def _settle_up(self) -> None:
        if self._owed is not None:
            await self._ledger.keep(self.settings.name, self._owed, self.settings.limit)
            self._owed = None

    # What is said of the channel itself

    async def _complain(self, run: RunContext, why: str) -> None:
        """Raise an alert with the outcome of this attempt, unless one is open."""
        name, now = self.settings.name, self._clock.look()
        subject = subject_of(name)
        if (await self._open_complaints()).rows:
            return
        alert = Alert(
            subject=subject,
            kind=FAILED,
            severity=Severity.ERROR,
            text=f"nobody is told of alerts by {name}: {why}",
            advice=f"{ADVICE} {name}",
            raised_at=now,
        )
        run.keep(raising(f"{alerts_of(subject)}{FAILED}@{render_instant(now)}", alert))

    async def _resolve(self) -> None:
        for stored in (await self._open_complaints()).rows:
            await self._alerts.settle_one(stored.id, by=AUTHOR, note="it delivers again")
            _log.info("channel %s delivers again", self.settings.name)

    async def _open_complaints(self) -> Page[StoredAlert]:
        return await self._alerts.find(AlertQuery(subject=subject_of(self.settings.name), states=UNRESOLVED))
