"""What panels answer in JSON, turned into a report, or one line on what was found instead. Pure.

Nothing is guessed: a path that leads nowhere, a word that means nothing and a value of another kind are no state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Final, NoReturn, TypeVar

from trioarm.arming.model import HttpPanel, MqttPanel, Reported
from trioarm.arming.panels.base import NAME_MAX, ZONES_MAX, FailureKind, PanelReport
from trioarm.core.instants import LATEST, SECOND, microseconds, render_instant
from trioarm.core.reading import SHOWN_MAX, moment, number, show
from trioarm.links.secrets import Mask
from trioarm.links.web import PASSING

STARTING: Final = 5 * SECOND  # from when a panel says that it was started until it says since when it is as it is
KEYS_SHOWN: Final = 6  # of a table in which another was looked for

HINTS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "look at secret, token, and both clocks",
    HTTPStatus.NOT_FOUND: "look at the URL and the address of the partition",
}

T = TypeVar("T")


class Unclear(ValueError):
    """The answer tells no state; one line, without codes and keys."""


def parsed(content: bytes, mask: Mask) -> object:
    """Return the JSON of an answer.

    Raises:
        Unclear: it is none, or one that can be understood in several ways.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unclear("its answer is no JSON: it is no UTF-8") from None
    try:
        return json.loads(text, parse_constant=_no_number, object_pairs_hook=partial(_table, mask=mask))
    except RecursionError:
        raise Unclear("its answer is nested too deep") from None
    except Unclear:
        raise
    except ValueError:
        raise Unclear(f"its answer is no JSON: it is {show(mask(text))}") from None


def report_of(answer: object, settings: HttpPanel | MqttPanel, mask: Mask) -> PanelReport:
    """Return what an answer says of a partition; without a path to it, the answer is the state.

    Raises:
        Unclear: it does not say the state, or something else that it should.
    """
    path = settings.state_path
    zones = _optional(answer, settings.open_zones_path, zones_of, mask)
    since_at = _optional(answer, settings.since_path, _instant, mask)
    changed_by = _optional(answer, settings.changed_by_path, name_of, mask)
    started_at = _optional(answer, settings.started_path, _instant, mask)
    return PanelReport(
        state=_state(word_of(answer, path, path or "state", mask), path or "state", settings.states, mask),
        since_at=since_at,
        changed_by=changed_by,
        open_zones=zones or (),
        restarted=changed_by is None and _became_so_by_starting(since_at, started_at),
    )


def _became_so_by_starting(since_at: int | None, started_at: int | None) -> bool:
    """Whether it became so when the panel was started; before that and after it, it was somebody's doing."""
    return since_at is not None and started_at is not None and started_at <= since_at <= started_at + STARTING


def refusal_of(status: int, content: bytes, mask: Mask) -> tuple[FailureKind, str, tuple[str, ...]] | None:
    """Return why a command was not taken, by the table in docs/panels-http.md; None where it was."""
    if 200 <= status < 300:
        return None
    said = _complaint(content, mask)
    if status == HTTPStatus.CONFLICT and (zones := _named_zones(said, mask)):
        return FailureKind.BLOCKED, f"zones are open: {', '.join(zones)}", zones
    is_final = 400 <= status < 500 and status not in PASSING
    reason = said.get("error")
    shown = name_of(reason, "error", mask) if isinstance(reason, str) and reason else HINTS.get(status, "")
    message = f"{status_of(status)}: {shown}" if shown else status_of(status)
    return FailureKind.REJECTED if is_final else FailureKind.UNAVAILABLE, message, ()


def status_of(status: int) -> str:
    """Return a status as people know it."""
    try:
        return f"the answer is {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"the answer is {status}"


def name_of(value: object, path: str, mask: Mask) -> str:
    """Return a name, or a few words, of the panel's: one line, of bounded length."""
    if not isinstance(value, str) or not value:
        raise Unclear(f"its {path} is {_found(value, mask)}, which is no name")
    line = " ".join(mask(value).split())
    if not line.isprintable():
        line = ascii(line)[1:-1]
    return line if len(line) <= NAME_MAX else line[:NAME_MAX] + "..."


def zones_of(value: object, path: str, mask: Mask) -> tuple[str, ...]:
    """Return names of zones, of too many the first."""
    if not isinstance(value, list):
        raise Unclear(f"its {path} is {_found(value, mask)}, which is no list of names")
    return tuple(name_of(zone, path, mask) for zone in value[:ZONES_MAX])


# Parts of an answer


def word_of(answer: object, path: str | None, name: str, mask: Mask) -> str:
    """Return the word at a path: text, a whole number, true or false; without a path, the answer is the word.

    Args:
        name: how messages call it.

    Raises:
        Unclear: there is none.
    """
    value = answer if path is None else _at(answer, path, mask)
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case _:
            raise Unclear(f"its {name} is {_found(value, mask)}, which is no state")


def _state(word: str, path: str, states: Mapping[str, Reported], mask: Mask) -> Reported:
    if word in states:
        return states[word]
    try:
        return Reported(word)
    except ValueError:
        shown = show(mask(word))
        raise Unclear(
            f'its {path} is {shown}, which means nothing here: say it in states, like {{ {shown} = "armed_away" }}'
        ) from None


def _instant(value: object, path: str, mask: Mask) -> int:
    """Return an instant: ISO 8601 text with an offset, or seconds since 1970."""
    try:
        found = moment(value) if isinstance(value, str) else microseconds(number(value))
    except (ValueError, OverflowError):
        found = -1
    if not 0 <= found <= LATEST:
        raise Unclear(
            f"its {path} is {_found(value, mask)}, which is no instant: "
            f"those are like {render_instant(0)}, or seconds since then"
        )
    return found


def _optional(answer: object, path: str | None, read: Callable[[object, str, Mask], T], mask: Mask) -> T | None:
    """Read what need not be there; null where there is nothing to be said."""
    if path is None:
        return None
    value = _at(answer, path, mask)
    return None if value is None else read(value, path, mask)


def _at(answer: object, path: str, mask: Mask) -> object:
    """Follow a path: keys of tables and numbers of items."""
    here, walked = answer, list[str]()
    for step in path.split("."):
        match here:
            case dict() if step in here:
                here = here[step]
            case list() if step.isdecimal() and int(step) < len(here):
                here = here[int(step)]
            case _:
                where = f"its {'.'.join(walked)}" if walked else "the whole"
                raise Unclear(f"its answer has no {path}: {where} is {_found(here, mask)}")
        walked.append(step)
    return here


def _found(value: object, mask: Mask) -> str:
    match value:
        case None:
            return "null"
        case str():
            return show(mask(value))
        case dict() if value:
            keys = [show(mask(key)) for key in list(value)[:KEYS_SHOWN]]
            return f"a table of {', '.join(keys)}{', ...' if len(value) > KEYS_SHOWN else ''}"
        case dict():
            return "an empty table"
        case list():
            return f"a list of {len(value)}"
        case bool():
            return show(value)
        case _:
            digits = mask(repr(value))
            return digits if len(digits) <= SHOWN_MAX else digits[:SHOWN_MAX] + "..."


def _complaint(content: bytes, mask: Mask) -> Mapping[str, object]:
    try:
        answer = parsed(content, mask)
    except Unclear:  # a refusal counts without words too
        return {}
    return answer if isinstance(answer, dict) else {}


def _named_zones(said: Mapping[str, object], mask: Mask) -> tuple[str, ...]:
    try:
        return zones_of(said.get("open_zones"), "open_zones", mask)
    except Unclear:
        return ()


def _no_number(word: str) -> NoReturn:
    raise Unclear(f"its answer is no JSON: {word} is no number of it")


def _table(pairs: list[tuple[str, object]], mask: Mask) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise Unclear(f"its answer says {show(mask(key))} twice")
        found[key] = value
    return found
