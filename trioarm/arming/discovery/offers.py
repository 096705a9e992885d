"""Offers: what can be done about a closing that was announced, by a command or by a press at a broker (A4.1). Pure.

A press is one of those that Home Assistant has a button for: there is one only where `[discovery]` shows the schedule.
"""

from __future__ import annotations

from typing import Final

from trioarm.arming.discovery.entities import PRESS, Part, Thing, Topics, Verb
from trioarm.arming.discovery.settings import POSTPONE_S, DiscoverySettings, is_meant
from trioarm.core.alerts import Action
from trioarm.core.instants import render_duration, render_instant

SCHEDULES: Final = ("trioarm", "schedules")


def offers(schedule: str, nominal_at: int, settings: DiscoverySettings | None) -> tuple[Action, ...]:
    """Return how an occurrence of an arming schedule is postponed, skipped, or carried out now.

    A command names the occurrence, so that an answer which comes a day late postpones no other; a press means the next.

    Args:
        schedule: its name in the store.
        nominal_at: the occurrence.
        settings: what is shown at a broker; None for nothing.
    """
    by = render_duration(POSTPONE_S if settings is None else settings.postpone_s)
    at = ("--at", render_instant(nominal_at))
    return (
        _offer("postpone", ("postpone", schedule, "--by", by, *at), Verb.POSTPONE, settings),
        _offer("skip", ("skip", schedule, *at), Verb.SKIP, settings),
        _offer("arm_now", ("fire", schedule), Verb.RUN, settings),
    )


def _offer(name: str, words: tuple[str, ...], verb: Verb, settings: DiscoverySettings | None) -> Action:
    argv, schedule = (*SCHEDULES, *words), words[1]
    if settings is None or not is_meant(schedule, settings.schedules):
        return Action(name=name, argv=argv)
    topic = Topics(settings).command(Thing(Part.SCHEDULE, schedule), verb)
    return Action(name=name, argv=argv, broker=settings.broker.name, topic=topic, payload=PRESS)
