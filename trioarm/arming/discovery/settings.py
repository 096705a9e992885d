"""What is shown to Home Assistant, where, and what may be done from there: `[discovery]`."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Final

import attrs

from trioarm.links.mqtt.settings import MqttBroker

SCHEDULES_MAX: Final = 100  # shown: six entities each, more of which nobody finds his way in
PARTITIONS_MAX: Final = 100
POSTPONE_S: Final = 1800.0

_WILD: Final = re.compile(r"[*?\[]")


@attrs.frozen(slots=True, kw_only=True)
class DiscoverySettings:
    """What is shown, and where.

    Args:
        broker: where Home Assistant is.
        prefix: what Home Assistant discovers under, and says under that it has come.
        base: what our own topics begin with; each installation at a broker needs its own.
        schedules: patterns of names; None for those that the configuration declares and that arm.
        partitions: patterns of names; None for all.
        postpone_s: by how much a press of the button postpones, in seconds.
        control: whether partitions may be armed, disarmed, held and released from there.
    """

    broker: MqttBroker
    prefix: str = "homeassistant"
    base: str = "trioarm"
    schedules: tuple[str, ...] | None = None
    partitions: tuple[str, ...] | None = None
    postpone_s: float = POSTPONE_S
    control: bool = False

    @property
    def actor(self) -> str:
        """Who does what is asked for over this broker, as journals name it: nobody there says who pressed (A5.3)."""
        return f"mqtt:{self.broker.name}"


def is_meant(name: str, patterns: tuple[str, ...] | None) -> bool:
    """Return whether one of the patterns means a name; None means every name."""
    return patterns is None or any(fnmatchcase(name, pattern) for pattern in patterns)


def beginning(pattern: str) -> str:
    """Return what all names begin with that a pattern means."""
    return _WILD.split(pattern, maxsplit=1)[0]
