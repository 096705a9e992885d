"""Precedence: which of several commands for a partition counts at one nominal instant (A4.4). Pure.

The engine orders equal instants by priority, then by a number it does not understand. It is made here: the priority
that somebody declared, then how specific a schedule is, then how protective, a digit each.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from trioarm.arming.model import Target
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Excepted, Exclude, Intersect, Once, Union
from trioarm.core.triggers.algebra import Member

PROTECTION: Final = {
    Target.DISARMED: 0,
    Target.ARMED_CUSTOM_BYPASS: 1,  # only the panel knows what it leaves out: nothing can be said but that it is armed
    Target.ARMED_HOME: 2,
    Target.ARMED_NIGHT: 3,
    Target.ARMED_AWAY: 4,
    Target.ARMED_VACATION: 4,
}


class Specificity(IntEnum):
    """How much of a plan for this one occurrence a schedule is."""

    RECURRING = 0
    EXCEPTION = 1  # what somebody wants for some days
    ONCE = 2  # what somebody wants at named instants


def specificity_of(trigger: Member) -> Specificity:
    """Return whether a trigger, as declared, names its instants or recurs."""
    return Specificity.ONCE if _is_once(trigger) else Specificity.RECURRING


def precedence(priority: int, specificity: Specificity, target: Target) -> int:
    """Return what equal instants are ordered by once the engine has compared their priorities.

    Args:
        priority: as declared, 0 to 9: what the engine is told may be the same for the highest of them.
        specificity: of the schedule.
        target: what it makes of its partition.
    """
    return 10 * rank(priority, specificity) + PROTECTION[target]


def rank(priority: int, specificity: Specificity) -> int:
    """Return what counts before the target does: the declared priority and the specificity."""
    return 10 * priority + specificity


def ranked(schedule: Schedule) -> str:
    """Return what an engine schedule counts by, in words, such as `priority 5, once, armed_away`."""
    priority, specificity = divmod(rank_of(schedule), 10)
    return f"priority {priority}, {Specificity(specificity).name.lower()}, {schedule.args['target']}"


def rank_of(schedule: Schedule) -> int:
    """Return the rank of an engine schedule, as its precedence has it."""
    return schedule.precedence // 10


def _is_once(member: Member) -> bool:
    match member:
        case Once():
            return True
        case Excepted(of):
            return _is_once(of)
        case Union(members):
            return all(map(_is_once, members))
        case Intersect(members):
            return any(map(_is_once, members))
        case Exclude(members):
            return _is_once(members[0])
        case _:
            return False
