"""Conditions as they are configured: whom each asks, what answers mean, and what schedules make of them (A4.5)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

import attrs

from trioarm.arming.words import Reported, Target

LIMIT_S: Final = 20.0  # for any condition to be told: people stand at the door meanwhile
USUAL_S: Final = 10.0  # where nobody says otherwise
ON_ONE_MAX: Final = 10  # conditions that one schedule depends on


class OnUnknown(StrEnum):
    """What becomes of an occurrence whose conditions cannot be told."""

    PROCEED = "proceed"  # it is carried out, and people are told that nobody knew
    WAIT = "wait"  # until they can be told, for as long as it may be carried out
    BLOCK = "block"  # it is not carried out, and people are told


@attrs.frozen(slots=True, kw_only=True)
class PartitionCondition:
    """What a partition's panel reports.

    Args:
        name: as configured.
        partition: which.
        yes: states for which it holds; it does not for any other, but those in which nobody knows.
        timeout_s: how long the panel may take to answer.
    """

    name: str
    partition: str
    yes: frozenset[Reported]
    timeout_s: float = USUAL_S


@attrs.frozen(slots=True, kw_only=True)
class CommandCondition:
    """What a program says by its exit code: 0 for yes, 1 for no, anything else that it does not know.

    Args:
        name: as configured.
        run: the program, and its arguments; no shell touches them.
        timeout_s: how long it may take.
    """

    name: str
    run: tuple[str, ...]
    timeout_s: float = USUAL_S


@attrs.frozen(slots=True, kw_only=True)
class MqttCondition:
    """What was published last on a topic.

    Args:
        name: as configured.
        broker: name of the one where the topic is.
        topic: which.
        path: where the word is, in JSON; None where it is the whole message.
        yes: words for which it holds.
        no: words for which it does not; any other is no answer.
        max_age_s: how long ago it may have been published, in seconds; None for however long. What was retained when
            we subscribed has no age.
        timeout_s: how long the broker may take to be reached, and to tell.
    """

    name: str
    broker: str
    topic: str
    path: str | None = None
    yes: frozenset[str]
    no: frozenset[str]
    max_age_s: float | None = None
    timeout_s: float = USUAL_S


@attrs.frozen(slots=True, kw_only=True)
class HomeAssistantCondition:
    """The state of an entity of Home Assistant.

    Args:
        name: as configured.
        instance: name of the one where the entity is.
        entity: its id, such as `group.family`.
        yes: states for which it holds.
        no: states for which it does not; any other is no answer, as are `unknown` and `unavailable`.
        timeout_s: how long Home Assistant may take to answer.
    """

    name: str
    instance: str
    entity: str
    yes: frozenset[str]
    no: frozenset[str]
    timeout_s: float = USUAL_S


Condition: TypeAlias = PartitionCondition | CommandCondition | MqttCondition | HomeAssistantCondition


@attrs.frozen(slots=True, kw_only=True)
class Depends:
    """On which conditions a schedule is carried out: all of `only_if` hold, and none of `not_if`.

    Args:
        only_if: names of conditions.
        not_if: likewise.
        on_unknown: what becomes of it where that cannot be told; None for what is usual for its target.
        otherwise: what its partitions become where they do not; None for nothing.
    """

    only_if: tuple[str, ...] = ()
    not_if: tuple[str, ...] = ()
    on_unknown: OnUnknown | None = None
    otherwise: Target | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """All conditions it names, in order."""
        return tuple(dict.fromkeys((*self.only_if, *self.not_if)))

    def unknown_for(self, target: Target) -> OnUnknown:
        """Return what becomes of it where nobody can tell: what arms proceeds, what disarms does not (A4.5)."""
        if self.on_unknown is not None:
            return self.on_unknown
        return OnUnknown.BLOCK if target is Target.DISARMED else OnUnknown.PROCEED

    def describe(self) -> str:
        """Return it in words, such as `only if everybody_out, otherwise armed_night`."""
        parts = [f"only if {name}" for name in self.only_if] + [f"not if {name}" for name in self.not_if]
        rest = [] if self.otherwise is None else [f"otherwise {self.otherwise}"]
        rest += [] if self.on_unknown is None else [f"{self.on_unknown} if unknown"]
        return ", ".join([" and ".join(parts), *rest])
