"""Events: in order, to whoever asked, never at the expense of the engine (S6.9)."""

from __future__ import annotations

import trio
import trio.testing

from trioarm.core.events import (
    Event,
    NodeStarted,
    NodeStopping,
    ObserverLagged,
    ScheduleChange,
    ScheduleChanged,
)
from trioarm.engine.hub import BUFFER, Hub, Subscription


async def received(events: Subscription) -> list[Event]:
    """Return everything until the hub closes."""
    return [event async for event in events]


async def test_every_observer_receives_every_event_in_order() -> None:
    """However many listen."""
    hub = Hub()
    with hub.subscribe() as one, hub.subscribe() as two:
        for index in range(100):
            hub.publish(NodeStarted(str(index)))
        hub.close()
        expected = [NodeStarted(str(index)) for index in range(100)]
        assert await received(one) == expected
        assert await received(two) == expected


async def test_an_observer_receives_only_the_kinds_it_asked_for() -> None:
    """Others neither reach it nor take room in its buffer."""
    hub = Hub()
    with hub.subscribe(NodeStopping, ScheduleChanged) as events:
        for index in range(2 * BUFFER):
            hub.publish(NodeStarted(str(index)))
        hub.publish(NodeStopping("a"))
        hub.publish(ScheduleChanged("one", ScheduleChange.PUT))
        hub.close()
        assert await received(events) == [NodeStopping("a"), ScheduleChanged("one", ScheduleChange.PUT)]


async def test_a_slow_observer_is_told_how_many_it_lost() -> None:
    """The hub waits for nobody; what comes after the gap comes after its announcement."""
    hub = Hub()
    with hub.subscribe() as slow, hub.subscribe() as fast:
        for index in range(BUFFER + 7):
            hub.publish(NodeStarted(str(index)))
            if index == BUFFER - 1:
                async for event in fast:
                    if event == NodeStarted(str(index)):
                        break
        for expected in range(10):
            assert await anext(aiter(slow)) == NodeStarted(str(expected))
        hub.publish(NodeStopping("a"))
        hub.close()
        rest = await received(slow)
        assert rest[: BUFFER - 10] == [NodeStarted(str(index)) for index in range(10, BUFFER)]
        assert rest[BUFFER - 10 :] == [ObserverLagged(7), NodeStopping("a")]
        assert await received(fast) == [NodeStarted(str(BUFFER + index)) for index in range(7)] + [NodeStopping("a")]


async def test_what_is_lost_and_received_adds_up() -> None:
    """Even when there is room for the announcement only."""
    hub = Hub()
    with hub.subscribe() as events:
        for index in range(BUFFER + 3):
            hub.publish(NodeStarted(str(index)))
        assert await anext(aiter(events)) == NodeStarted("0")
        hub.publish(NodeStarted("announced, but lost itself"))
        for _ in range(2):
            await anext(aiter(events))
        hub.publish(NodeStopping("a"))
        hub.close()
        rest = await received(events)
    assert [event.lost for event in rest if isinstance(event, ObserverLagged)] == [3, 1]
    assert rest[-1] == NodeStopping("a")


async def test_an_event_that_nobody_hears_need_not_be_made() -> None:
    """The hub says whether anybody listens."""
    hub = Hub()
    assert not hub.observed
    hub.publish(NodeStarted("a"))
    with hub.subscribe() as events:
        assert hub.observed
    assert not hub.observed
    hub.publish(NodeStarted("b"))
    assert await received(events) == []


async def test_after_the_end_there_is_nothing_to_hear() -> None:
    """A late observer ends at once, and a late event hurts nobody."""
    hub = Hub()
    with hub.subscribe() as early:
        hub.close()
        hub.publish(NodeStarted("late"))
        assert await received(early) == []
    with hub.subscribe() as late:
        hub.publish(NodeStarted("later"))
        assert await received(late) == []
    hub.close()


async def test_an_observer_may_leave_in_the_middle(autojump_clock: trio.testing.MockClock) -> None:
    """Leaving its context ends its iteration, wherever that is."""
    hub = Hub()
    with hub.subscribe() as events:
        hub.publish(NodeStarted("a"))
        async for event in events:
            assert event == NodeStarted("a")
            break
    with trio.fail_after(1):
        assert await received(events) == []
