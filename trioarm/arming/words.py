"""Words: what a partition can be told to become, and what its panel can say that it is (A1.4)."""

from __future__ import annotations

from enum import StrEnum


class Target(StrEnum):
    """What a partition can be told to become; Home Assistant's names (A1.4)."""

    DISARMED = "disarmed"
    ARMED_HOME = "armed_home"
    ARMED_AWAY = "armed_away"
    ARMED_NIGHT = "armed_night"
    ARMED_VACATION = "armed_vacation"
    ARMED_CUSTOM_BYPASS = "armed_custom_bypass"


class Reported(StrEnum):
    """What a panel can say of a partition: a target reached, or something on the way or in the way (A1.4)."""

    DISARMED = "disarmed"
    ARMED_HOME = "armed_home"
    ARMED_AWAY = "armed_away"
    ARMED_NIGHT = "armed_night"
    ARMED_VACATION = "armed_vacation"
    ARMED_CUSTOM_BYPASS = "armed_custom_bypass"
    ARMING = "arming"
    PENDING = "pending"
    TRIGGERED = "triggered"
    DISARMING = "disarming"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"
