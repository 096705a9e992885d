"""Presses: what is asked for over a broker, checked, obeyed once, answered, and on record (A5.3).

Whoever may publish at the broker may ask, so little is trusted: what is retained is old and ignored (A3.6), what is
unknown is garbage, of which the log is told once a minute, and a flood is cut off. What is newest counts: of each topic
one press waits at most.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import trio

from trioarm.arming.discovery.answers import Answer, Answers
from trioarm.arming.discovery.entities import ACTIONS, ON, PAYLOADS, VERBS, Part, Thing, Topics, Verb
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.discovery.view import next_occurrence, shortened
from trioarm.arming.holds import PARTITION
from trioarm.arming.installation import Installation
from trioarm.arming.model import Target
from trioarm.core.errors import InvalidSchedule, RepositoryError, TrioarmError, UnknownSchedule
from trioarm.core.instants import microseconds, render_instant
from trioarm.core.schedule import Overlap
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.engine.scheduler import Scheduler
from trioarm.links.mqtt import Message, Mqtt, Subscription

PRESSES_MAX: Final = 30  # obeyed within FLOOD_S, of all topics together; what is more is dropped
FLOOD_S: Final = 10.0
TOLD_S: Final = 60.0  # between two lines on what was not obeyed

_log = logging.getLogger("trioarm.discovery")


class Presses:
    """Hears and obeys.

    Args:
        settings: what may be asked for.
        link: to the broker.
        installation: whose partitions are commanded.
        repository: where schedules are looked up, and answers kept.
        clock: what time it is.
        scheduler: whose schedules are commanded; late, because it knows the executor that knows us.
        answered: called once something new is to be shown.
    """

    def __init__(
        self,
        settings: DiscoverySettings,
        link: Mqtt,
        installation: Installation,
        repository: ScheduleRepository,
        clock: Clock,
        scheduler: Callable[[], Scheduler],
        answered: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._installation = installation
        self._repository = repository
        self._clock = clock
        self._scheduler = scheduler
        self._answered = answered
        self._answers = Answers(repository, clock)
        self._topics = Topics(settings)
        self._known: Mapping[str, tuple[Thing, Verb]] = {}
        self._commanding: dict[str, trio.CancelScope] = {}
        self._obeyed_at: list[float] = []
        self._ignored = 0
        self._told_at: float | None = None
        self._subscriptions = [link.subscribe(pattern, self._heed) for pattern in self._topics.asked]

    @property
    def refusal(self) -> str | None:
        """Why the broker does not let something be heard that may be asked for; None if it lets all be."""
        refused = (
            f"{one.filter} is not heard: {one.refusal}" for one in self._subscriptions if one.refusal is not None
        )
        return next(refused, None)

    def know(self, things: Sequence[Thing]) -> None:
        """Obey what is asked of these things, and of no others."""
        parts = Part if self._settings.control else (Part.SCHEDULE,)
        self._known = {
            self._topics.command(thing, verb): (thing, verb)
            for thing in things
            if thing.part in parts
            for verb in VERBS[thing.part]
        }

    async def run(self) -> None:
        """Hear and obey until cancelled. What is on its way to a panel then is recorded, not taken back."""
        async with trio.open_nursery() as nursery:
            for subscription in self._subscriptions:
                nursery.start_soon(self._hear, subscription, nursery)

    async def _hear(self, presses: Subscription, nursery: trio.Nursery) -> None:
        async for message in presses:
            found = self._known.get(message.topic)
            if found is None:
                continue  # it is no longer shown
            thing, verb = found
            payload = message.payload.decode()
            if verb is Verb.COMMAND:  # a panel may take minutes, and others must not wait for it
                nursery.start_soon(self._command, thing, payload)
            elif await self._is_ours(thing, verb, payload):
                await self._carry_out(thing, verb, payload)

    # What is heard, as it comes

    def _heed(self, message: Message) -> bool:
        """Whether it is something to be obeyed; of what is not, the log is told."""
        if message.payload == b"":
            return False  # somebody removes what was retained
        _, verb = self._known.get(message.topic, (None, None))
        if message.is_retained:
            return self._ignore(f"a retained message on {message.topic[:100]!r}: it may be old, so it is not obeyed")
        if verb is None:
            return self._ignore(f"{message.topic[:100]!r} asks for nothing that is shown")
        if message.payload not in {payload.encode() for payload in PAYLOADS[verb]}:
            known = ", ".join(sorted(PAYLOADS[verb]))
            return self._ignore(f"{message.payload[:50]!r} on {message.topic!r} means nothing: say {known}")
        now = trio.current_time()
        self._obeyed_at = [at for at in self._obeyed_at if now - at < FLOOD_S]
        if len(self._obeyed_at) >= PRESSES_MAX:
            return self._ignore(f"more than {PRESSES_MAX} presses within {FLOOD_S:g} s")
        self._obeyed_at.append(now)
        return True

    def _ignore(self, why: str) -> bool:
        self._ignored += 1
        now = trio.current_time()
        if self._told_at is None or now - self._told_at >= TOLD_S:
            self._told_at = now
            _log.warning("%s: ignored, %d so far: %s", self._settings.actor, self._ignored, why)
        return False

    # What is done

    async def _command(self, thing: Thing, payload: str) -> None:
        """Command a partition; what it was commanded before, otherwise, is given up."""
        if not await self._is_ours(thing, Verb.COMMAND, payload):
            return
        if (before := self._commanding.get(thing.name)) is not None:
            before.cancel()
        with trio.CancelScope() as self._commanding[thing.name]:
            await self._carry_out(thing, Verb.COMMAND, payload)

    async def _is_ours(self, thing: Thing, verb: Verb, payload: str) -> bool:
        """Whether this node is to obey: no other does, nor did this one moments ago."""
        try:
            return await self._answers.is_mine(self._settings.base, self._topics.command(thing, verb), payload)
        except RepositoryError as error:
            _log.warning("%s: %s: %s %s: not obeyed: %s", self._settings.actor, thing.key, verb, payload, error)
        return False

    async def _carry_out(self, thing: Thing, verb: Verb, payload: str) -> None:
        """Do what is asked for, and keep what came of it."""
        asked_at = self._clock.look()
        try:
            said = await self._done(thing, verb, payload)
        except TrioarmError as error:
            said = f"refused: {error}"
        _log.info("%s: %s: %s %s: %s", self._settings.actor, thing.key, verb, payload, said)
        try:
            await self._answers.keep(thing.key, Answer(shortened(said), asked_at))
        except RepositoryError as error:
            _log.warning("%s: %s: what came of it cannot be kept: %s", self._settings.actor, thing.key, error)
        self._answered()

    async def _done(self, thing: Thing, verb: Verb, payload: str) -> str:
        """Do what is asked for, and return what came of it.

        Raises:
            TrioarmError: it is refused.
            PanelFailure: the panel does not become so.
        """
        schedules, by = self._scheduler().schedules, self._settings.actor
        match verb:
            case Verb.ENABLE if payload == ON:
                await schedules.resume(thing.name, author=by)
                return "resumed"
            case Verb.ENABLE:
                await schedules.pause(thing.name, author=by)
                return "paused"
            case Verb.SKIP:
                await schedules.skip_next(thing.name, author=by)
                return "the next run is skipped"
            case Verb.POSTPONE:
                return await self._postpone(thing.name)
            case Verb.RUN:
                run = await self._scheduler().runs.fire(thing.name, overlap=Overlap.SKIP, author=by)
                return f"begun: {run.id}"
            case Verb.COMMAND:
                return await self._arm(thing.name, ACTIONS[payload])
            case Verb.HOLD:
                return await self._hold(PARTITION + thing.name, payload == ON)

    async def _postpone(self, name: str) -> str:
        """Postpone what is next by a span, from when it is to start now; the engine knows how far that may go (A4.2).

        Raises:
            TrioarmError: it is refused.
        """
        record = await self._repository.get_schedule(name)
        if record is None:
            raise UnknownSchedule(f"there is no schedule {name!r}")
        found = next_occurrence(record, self._clock.look())
        if found is None:
            raise InvalidSchedule("nothing of it is to come")
        nominal_at, starts_at = found
        until_at = starts_at + microseconds(self._settings.postpone_s)
        await self._scheduler().schedules.postpone(name, nominal_at, until=until_at, author=self._settings.actor)
        return f"postponed to {render_instant(until_at)}"

    async def _arm(self, name: str, target: Target) -> str:
        """Arm or disarm as a person does; the code is between the panel and what is configured for it.

        Raises:
            TrioarmError: it is refused.
            PanelFailure: the panel does not become so.
        """
        arm = partial(self._installation.persons.arm, by=self._settings.actor, confirm=False)
        report = await arm(name, target)
        return f"{target}: it reports {report.state}"

    async def _hold(self, on: str, is_wanted: bool) -> str:
        persons, by = self._installation.persons, self._settings.actor
        if is_wanted:
            await persons.hold(on, by=by)
            return "held"
        return "released" if await persons.release(on, by=by) else "nobody held it"
