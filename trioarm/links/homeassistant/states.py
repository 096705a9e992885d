"""States, as Home Assistant tells them: JSON turned into what is known of an entity. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from trioarm.core.instants import LATEST, MINUTE
from trioarm.core.reading import moment

AWAY: Final = frozenset({"unavailable", "unknown"})  # of an entity whose integration has not begun, or has lost it
STARTING: Final = 5 * MINUTE  # after its oldest state, Home Assistant may still be putting states back


class Garbled(Exception):
    """What was received is not what Home Assistant sends; one line."""


@attrs.frozen(slots=True, kw_only=True)
class State:
    """What is known of an entity.

    Args:
        state: the word for it.
        attributes: whatever its integration adds.
        changed_at: when it became so, in microseconds since 1970 UTC; None where that is when it was put back, after a
            start of Home Assistant or a time away, or where this is not known.
        context: names what made it so: a call of ours has the same.
        is_fallen_back: whether a start of Home Assistant made it so, and nobody.
    """

    state: str
    attributes: Mapping[str, object] = attrs.field(factory=dict)
    changed_at: int | None = None
    context: str | None = None
    is_fallen_back: bool = False


def parsed(text: str | bytes) -> object:
    """Return the JSON of a message.

    Raises:
        Garbled: it is none.
    """
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError):
        raise Garbled("it sends what is no JSON") from None
    return found


def table_of(value: object, what: str) -> Mapping[str, object]:
    """Return a value that should be a JSON object.

    Raises:
        Garbled: it is something else.
    """
    if not isinstance(value, dict):
        raise Garbled(f"it sends {what} that is no JSON object")
    return value


def state_of(value: object) -> State:
    """Return what a state object says.

    Raises:
        Garbled: it says no state.
    """
    told = table_of(value, "a state")
    state, attributes, context = told.get("state"), told.get("attributes"), told.get("context")
    if not isinstance(state, str):
        raise Garbled("it sends a state without a word for it")
    return State(
        state=state,
        attributes=attributes if isinstance(attributes, dict) else {},
        changed_at=_instant(told.get("last_changed")),
        context=context_of(context),
    )


def context_of(value: object) -> str | None:
    """Return the name of a context, as states and answers hold it."""
    name = value.get("id") if isinstance(value, dict) else None
    return name if isinstance(name, str) else None


def was_away(old: object) -> bool:
    """Whether an entity had no state before, by the state object of then."""
    word = old.get("state") if isinstance(old, dict) else None
    return not isinstance(word, str) or word in AWAY


def as_changed(old: object, new: State) -> State:
    """Return a new state without its instant where it was put back, and did not change (A2.2).

    Args:
        old: the state object before it.
        new: what came after.
    """
    return attrs.evolve(new, changed_at=None) if was_away(old) else new


def read_all(value: object, wanted: Iterable[str]) -> dict[str, State]:
    """Return the states of the entities that are wanted, out of all there are.

    A start of Home Assistant puts every state back, and gives them that instant. So what became so within minutes of
    the oldest of all has none: nobody can tell it from that.

    Raises:
        Garbled: it is no list of states.
    """
    if not isinstance(value, list):
        raise Garbled("it sends states that are no list")
    found: dict[str, State] = {}
    instants: list[int] = []
    names = frozenset(wanted)
    for one in value:
        told = table_of(one, "a state")
        if (at := _instant(told.get("last_changed"))) is not None:
            instants.append(at)
        name = told.get("entity_id")
        if isinstance(name, str) and name in names:
            found[name] = state_of(told)
    steady_at = min(instants, default=0) + STARTING
    return {
        name: attrs.evolve(state, changed_at=None) if (state.changed_at or 0) <= steady_at else state
        for name, state in found.items()
    }


def _instant(value: object) -> int | None:
    """Return an instant of Home Assistant; None for what is none."""
    try:
        found = moment(value) if isinstance(value, str) else -1
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found <= LATEST else None
