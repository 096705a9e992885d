"""`[discovery]`: what is shown to Home Assistant, and what may be done from there (A6.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from trioarm.arming.discovery.settings import POSTPONE_S, DiscoverySettings
from trioarm.config.named import one_of
from trioarm.core.amending import POSTPONED_MAX
from trioarm.core.instants import SECOND
from trioarm.core.reading import Table, duration, flag, listed, show, text
from trioarm.links.mqtt.settings import MqttBroker

DISCOVERY: Final = "discovery"
LEVELS_MAX: Final = 64  # characters of what topics begin with
PATTERNS_MAX: Final = 100
POSTPONE_S_MIN: Final = 60.0
_LEVELS: Final = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


def read_discovery(whole: Table, brokers: Mapping[str, MqttBroker]) -> DiscoverySettings | None:
    """Read `[discovery]`; None where there is none, or so much is wrong that nothing can be made of it.

    Args:
        whole: all that is declared.
        brokers: those that are configured.
    """
    table = whole.table(DISCOVERY)
    if table is None:
        return None
    hint = 'say at which broker Home Assistant is, like broker = "home", which [mqtt.home] describes'
    broker = table.need("broker", lambda value: brokers[one_of(brokers, "broker")(value)], hint)
    usual = DiscoverySettings(broker=broker or MqttBroker(name="", host="localhost"))
    found = DiscoverySettings(
        broker=usual.broker,
        prefix=table.take("prefix", _levels, usual.prefix),
        base=table.take("base", _levels, usual.base),
        schedules=table.take("schedules", _patterns, None),
        partitions=table.take("partitions", _patterns, None),
        postpone_s=table.take("postpone", duration(POSTPONE_S_MIN, POSTPONED_MAX / SECOND), POSTPONE_S),
        control=table.take("control", flag, usual.control),
    )
    if found.base == found.prefix:
        table.problems.add(table.at("base"), f"{show(found.base)} is the prefix, too: our own topics begin otherwise")
    table.close()
    return None if broker is None else found


def _levels(value: object) -> str:
    found = text(value)
    if len(found) <= LEVELS_MAX and _LEVELS.fullmatch(found):
        return found
    raise ValueError(
        f"{show(found)} is no beginning of a topic: up to {LEVELS_MAX} letters, digits, _ and -, with / between levels"
    )


def _patterns(value: object) -> tuple[str, ...]:
    found = tuple(listed(text)(value))
    if not all(found) or len(found) > PATTERNS_MAX:
        raise ValueError(f'names up to {PATTERNS_MAX} patterns, none of them empty: write it like ["weeknight/*"]')
    return found
