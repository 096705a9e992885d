"""Content of an ICS text: its events and time zones, each property with the line it stands in (RFC 5545, 3.1).

Only what says when something happens is kept. Titles, attendees, attachments and alarms are passed over, so that
nothing wrong with them matters, and neither do bytes in them that are no text.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from io import StringIO
from typing import Final

import attrs
from icalendar.parser import Contentline

from trioarm.core.errors import InvalidCalendar
from trioarm.core.reading import show
from trioarm.feeds.patience import Patience

EVENTS_READ_MAX: Final = 20_000  # events in a text, those long past included: 8 MB hold about as many usual ones
ZONES_MAX: Final = 200  # time zones that a text describes: there are four hundred, and a person knows a few
DEPTH_MAX: Final = 8  # components inside components; four are usual
VALUE_MAX: Final = 128 * 1024  # characters of one property: a list of seven thousand days
PROPERTIES_MAX: Final = 1_000  # of one component: each may be a list of its own
LINES_PER_QUESTION: Final = 1_000

KEPT: Final = {
    "VEVENT": frozenset(
        (
            *("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXRULE", "EXDATE"),
            *("RECURRENCE-ID", "UID", "SEQUENCE", "STATUS"),
        )
    ),
    "VTIMEZONE": frozenset(("TZID",)),
    "STANDARD": frozenset(("DTSTART", "RRULE", "RDATE", "TZOFFSETFROM", "TZOFFSETTO")),
    "DAYLIGHT": frozenset(("DTSTART", "RRULE", "RDATE", "TZOFFSETFROM", "TZOFFSETTO")),
}
INSIDE: Final = {"VEVENT": "VCALENDAR", "VTIMEZONE": "VCALENDAR", "STANDARD": "VTIMEZONE", "DAYLIGHT": "VTIMEZONE"}


def wrong(line: int, message: str) -> InvalidCalendar:
    """Return the error that says what is wrong in a line."""
    return InvalidCalendar(f"line {line}: {message}")


@attrs.frozen(slots=True)
class Property:
    """One property: `TZID` is the only parameter that is looked at, and `RANGE`.

    Args:
        line: in which it begins, from 1.
        name: in capitals.
        value: as written, unfolded.
        params: names in capitals.
    """

    line: int
    name: str
    value: str
    params: dict[str, str]


@attrs.define(slots=True, eq=False)
class Component:
    """An event, a time zone or a part of one.

    Args:
        kind: in capitals, such as `VEVENT`.
        line: in which it begins, from 1.
    """

    kind: str
    line: int
    properties: list[Property] = attrs.field(factory=list)
    parts: list[Component] = attrs.field(factory=list)

    def every(self, name: str) -> list[Property]:
        """Return the properties of a name."""
        return [one for one in self.properties if one.name == name]

    def one(self, name: str) -> Property | None:
        """Return the property of a name, None when there is none.

        Raises:
            InvalidCalendar: there are several.
        """
        found = self.every(name)
        if len(found) > 1:
            raise wrong(found[1].line, f"a second {name}: the first is in line {found[0].line}")
        return found[0] if found else None


def read_content(text: str, patience: Patience) -> tuple[list[Component], list[Component]]:
    """Return the events of a text, and the time zones it describes.

    Raises:
        InvalidCalendar: it is no calendar, is cut off, or holds too much.
    """
    reading = _Reading()
    for number, content in _unfold(text, patience):
        reading.take(number, content)
    reading.close()
    return reading.events, reading.zones


def _unfold(text: str, patience: Patience) -> Iterator[tuple[int, str]]:
    """Yield content lines with the numbers they begin at; a line that begins with a space goes on with the one before.

    Empty lines say nothing.
    """
    begun, parts = 0, list[str]()
    for number, raw in enumerate(StringIO(text.removeprefix("\ufeff"), newline=None), start=1):
        if number % LINES_PER_QUESTION == 0:
            patience.ask()
        line = raw.rstrip("\n")
        if line[:1] in (" ", "\t") and parts:
            parts.append(line[1:])
        elif line:
            if parts:
                yield begun, "".join(parts)
            begun, parts = number, [line]
    if parts:
        yield begun, "".join(parts)


@attrs.define(slots=True, eq=False)
class _Reading:
    """What is open while a text is read."""

    events: list[Component] = attrs.field(factory=list)
    zones: list[Component] = attrs.field(factory=list)
    open: list[Component] = attrs.field(factory=list)
    seen: bool = False

    def take(self, line: int, content: str) -> None:
        name = content[: _end_of_name(content)].strip().upper()
        if name == "BEGIN":
            self._begin(line, _value(content))
        elif not self.open:
            raise wrong(line, f"{show(content)} where BEGIN:VCALENDAR should stand: this is no calendar")
        elif name == "END":
            self._end(line, _value(content))
        elif name in KEPT.get(self.open[-1].kind, ()):
            self._keep(line, name, content)

    def close(self) -> None:
        if self.open:
            raise wrong(self.open[-1].line, f"{self.open[-1].kind} begins here and does not end: the text is cut off")
        if not self.seen:
            raise wrong(1, "nothing stands here: this is no calendar")

    def _begin(self, line: int, kind: str) -> None:
        outer = self.open[-1].kind if self.open else None
        if outer is None and kind != "VCALENDAR":
            raise wrong(line, f"BEGIN:{_word(kind)} where BEGIN:VCALENDAR should stand: this is no calendar")
        if INSIDE.get(kind, outer) != outer:
            raise wrong(line, f"{kind} begins inside {_word(outer)}: it belongs into {INSIDE[kind]}")
        if len(self.open) == DEPTH_MAX:
            raise wrong(line, f"{_word(kind)} lies inside {DEPTH_MAX} others")
        self.seen = True
        self.open.append(Component(kind, line))

    def _end(self, line: int, kind: str) -> None:
        ended = self.open.pop()
        if ended.kind != kind:
            raise wrong(line, f"END:{_word(kind)} where {_word(ended.kind)} of line {ended.line} should end")
        match kind:
            case "VEVENT":
                _add(self.events, ended, EVENTS_READ_MAX, "events")
            case "VTIMEZONE":
                _add(self.zones, ended, ZONES_MAX, "time zones")
            case "STANDARD" | "DAYLIGHT":
                _add(self.open[-1].parts, ended, PROPERTIES_MAX, "changes of one time zone")

    def _keep(self, line: int, name: str, content: str) -> None:
        if len(content) > VALUE_MAX:
            raise wrong(line, f"{name} has {len(content)} characters: at most {VALUE_MAX}")
        if len(self.open[-1].properties) == PROPERTIES_MAX:
            raise wrong(line, f"more than {PROPERTIES_MAX} properties of one {self.open[-1].kind}")
        head, colon, value = content.partition(":")
        params: dict[str, str] = {}
        if ";" in head or not colon:
            try:
                _, found, value = Contentline(content).parts()  # type: ignore[no-untyped-call]
                params = {key.upper(): _one(param) for key, param in found.items()}
            except ValueError:
                raise wrong(line, f"{show(content)} is no property: write it like {name}:value") from None
        self.open[-1].properties.append(Property(line, name, value.strip(), params))


def _add(known: list[Component], new: Component, most: int, what: str) -> None:
    if len(known) == most:
        raise wrong(new.line, f"the calendar has more than {most} {what}: give a smaller one")
    known.append(new)


def _end_of_name(content: str) -> int:
    ends = [place for sign in ";:" if (place := content.find(sign, 0, 64)) >= 0]
    return min(ends, default=0)


def _value(content: str) -> str:
    return content.partition(":")[2].strip().upper()


def _word(kind: str | None) -> str:
    return show(kind or "").strip('"')


def _one(param: str | Iterable[str]) -> str:
    return param if isinstance(param, str) else ",".join(param)
