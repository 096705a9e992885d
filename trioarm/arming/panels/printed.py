"""What a program prints of a panel, strictly read: one word, or one line of JSON. Anything else is no report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final, cast

from trioarm.arming.model import Reported
from trioarm.arming.panels.base import NAME_MAX, UNREAD, ZONES_MAX, PanelReport
from trioarm.core.codec import from_json, to_json
from trioarm.core.errors import TrioarmError
from trioarm.core.jsonable import Json
from trioarm.core.reading import mapping, suggest
from trioarm.links.program import Output

_UNSAID: Final = {key: value for key, value in to_json(UNREAD).items() if key != "state"}


class NoReport(TrioarmError):
    """What a program printed says nothing of a panel; the message says why, in a few words."""


def parse_report(output: Output) -> PanelReport:
    """Read what a program printed: a state, or an object of JSON with the fields of `PanelReport`, `state` at least.

    Raises:
        NoReport: it is neither.
    """
    if output.cut:
        raise NoReport("too much")
    try:
        said = output.data.decode().strip()
    except UnicodeDecodeError:
        raise NoReport("no UTF-8") from None
    lines = len(said.splitlines())
    if lines != 1:
        raise NoReport(f"{lines} lines instead of one")
    if said.startswith("{"):
        return _checked(_structured(said))
    if said not in {*Reported}:
        raise NoReport(f"no state{suggest(said, [*Reported])}")
    return PanelReport(state=Reported(said))


def _structured(said: str) -> PanelReport:
    try:
        form = mapping(json.loads(said, object_pairs_hook=_each_once))
    except (ValueError, RecursionError):
        raise NoReport("no JSON in which each key stands once") from None
    given = cast(Mapping[str, Json], form)  # it comes from JSON
    return from_json(PanelReport, {**_UNSAID, **given}, "report", lambda lines: NoReport("; ".join(lines)))


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _checked(report: PanelReport) -> PanelReport:
    """Return a report whose names can be shown anywhere."""
    if len(report.open_zones) > ZONES_MAX:
        raise NoReport(f"more than {ZONES_MAX} open zones")
    for name in (*report.open_zones, *([] if report.changed_by is None else [report.changed_by])):
        if not name or len(name) > NAME_MAX or not name.isprintable():
            raise NoReport(f"a name that is not one line of 1 to {NAME_MAX} characters")
    return report


def one_line(said: str) -> str:
    """Return a text on one line; what cannot be shown is a question mark."""
    return "".join(each if each.isprintable() else "?" for each in " ".join(said.split()))
