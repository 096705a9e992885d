"""An alarm panel as Home Assistant shows it: its state turned into a report, and what a refusal means. Pure.

Integrations differ in what they add: what is not there, or of another kind, says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from trioarm.arming.model import Reported, Target
from trioarm.arming.panels.base import NAME_MAX, OURSELVES, ZONES_MAX, FailureKind, PanelReport
from trioarm.arming.panels.printed import one_line
from trioarm.links.homeassistant import Refused, State
from trioarm.links.secrets import Mask

SERVICES: Final = {
    Target.DISARMED: "alarm_disarm",
    Target.ARMED_HOME: "alarm_arm_home",
    Target.ARMED_AWAY: "alarm_arm_away",
    Target.ARMED_NIGHT: "alarm_arm_night",
    Target.ARMED_VACATION: "alarm_arm_vacation",
    Target.ARMED_CUSTOM_BYPASS: "alarm_arm_custom_bypass",
}
FEATURES: Final = {  # bits of `supported_features`
    Target.ARMED_HOME: 1,
    Target.ARMED_AWAY: 2,
    Target.ARMED_NIGHT: 4,
    Target.ARMED_CUSTOM_BYPASS: 16,
    Target.ARMED_VACATION: 32,
}
ENTITY: Final = re.compile(r"[a-z0-9_]{1,64}\.[a-z0-9_]{1,200}")
TOWARD: Final = ("next_state", "arm_mode")  # what `arming` leads to: of `manual`, of Alarmo
CLOSED: Final = frozenset({"off", "closed", "locked"})  # of a sensor; what cannot be told is open
FINAL_CODES: Final = frozenset(  # codes of answers that no later call will meet otherwise
    {"service_validation_error", "invalid_format", "unauthorized", "not_allowed", "not_supported"}
)
FINAL_STATUSES: Final = ("the answer is 400", "the answer is 500")
TELLING: Final = ("code", "support")  # words in what integrations say of a wrong code, or of a mode they do not have
CODE_HINT: Final = "over REST that is all it says of a wrong code: look at code, and at the log of Home Assistant"


def report_of(state: State, open_zones: tuple[str, ...], mask: Mask, *, ours: bool) -> PanelReport:
    """Return what an entity says of a partition; a word that is no state of a panel is `unknown`.

    Args:
        state: of the entity.
        open_zones: by name.
        mask: takes secrets out of names.
        ours: whether a call of ours made it so.
    """
    toward = toward_of(state)
    changed_by = OURSELVES if ours else name_of(state.attributes.get("changed_by"), mask)
    return PanelReport(
        state=reported_of(state, toward),
        since_at=state.changed_at,
        changed_by=changed_by,
        open_zones=open_zones,
        toward=toward,
        restarted=state.is_fallen_back and changed_by is None,
    )


def reported_of(state: State, toward: Target | None) -> Reported:
    """Return what the word for a state means. `manual_mqtt` calls its exit delay `pending`, and says what follows."""
    try:
        reported = Reported(state.state)
    except ValueError:
        return Reported.UNKNOWN
    return Reported.ARMING if reported is Reported.PENDING and toward is not None else reported


def toward_of(state: State) -> Target | None:
    """Return what a panel on its way will become, where it says so."""
    match state.state:
        case Reported.ARMING:
            words = [state.attributes.get(key) for key in TOWARD]
        case Reported.PENDING:
            words = [state.attributes.get("post_pending_state")]
        case _:
            return None
    return next((target for word in words for target in FEATURES if word == target.value), None)


def has_mode(state: State, target: Target) -> bool:
    """Whether an entity has a mode; one that names no mode at all may have any."""
    features = state.attributes.get("supported_features")
    if target is Target.DISARMED or not isinstance(features, int) or not features:
        return True
    return bool(features & FEATURES[target])


def sensors_of(state: State) -> tuple[str, ...]:
    """Return the sensors that kept it from arming when it was last told to, as Alarmo remembers them.

    It keeps them until it is told again, closed or not: each has to be looked at.
    """
    sensors = state.attributes.get("open_sensors")
    names = sensors if isinstance(sensors, Mapping | list) else ()
    return tuple(name for name in names if isinstance(name, str) and ENTITY.fullmatch(name))[:ZONES_MAX]


def is_open(sensor: State | None) -> bool:
    """Whether a sensor may stand open."""
    return sensor is None or sensor.state not in CLOSED


def name_of(value: object, mask: Mask) -> str | None:
    """Return a name that can be shown anywhere; None where there is none."""
    if not isinstance(value, str) or not value.strip():
        return None
    line = one_line(mask(value))
    return line if len(line) <= NAME_MAX else line[:NAME_MAX] + "..."


def refusal_of(refusal: Refused, mask: Mask) -> tuple[FailureKind, str]:
    """Return what it means that a call was refused, and how to say it.

    What an integration says of a wrong code is an error like any other, and only its words tell. Without them, and
    where the device did not answer the integration, a later call may be taken.
    """
    said = name_of(refusal.message, mask) or ""
    if refusal.code.startswith(FINAL_STATUSES):
        hint = CODE_HINT if refusal.code.startswith("the answer is 500") else said
        return FailureKind.REJECTED, f"{refusal.code}: {hint}" if hint else refusal.code
    code = name_of(refusal.code, mask) or "unknown_error"
    tells = any(word in said.lower() for word in TELLING)
    kind = FailureKind.REJECTED if code in FINAL_CODES or tells else FailureKind.UNAVAILABLE
    return kind, f"it refuses: {said} ({code})" if said else f"it refuses: {code}"
