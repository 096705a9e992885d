"""What the families of forms share: what holds around a trigger, and how its local time is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

import attrs

from trioarm.core.jsonable import Json
from trioarm.core.reading import Table, flag, listed, member, text
from trioarm.core.triggers import Fold, Gap, Trigger
from trioarm.core.triggers.calendar import Events
from trioarm.core.triggers.day_calendars import DayCalendar
from trioarm.core.triggers.zones import zone_name

CIVIL: Final = ("timezone", "gap", "fold", "dst")  # what only triggers of local time understand

DEPTH_MAX: Final = 8  # triggers inside triggers

Form: TypeAlias = "dict[str, Json]"


@attrs.frozen(slots=True)
class Around:
    """What holds for a trigger where its table says nothing.

    Args:
        timezone: of a trigger of local time that names none.
        dst: whether it follows daylight saving where it does not say (S4.5).
        latitude: degrees north from where a trigger of the sun sees it that names no place; None for nowhere.
        longitude: degrees east of the same place.
        calendars: which working days and holidays may be meant by name.
        depth: how many triggers it is a member of, one inside the other.
        feeds: what is known of calendars, by name.
    """

    timezone: str = "UTC"
    dst: bool = True
    latitude: float | None = None
    longitude: float | None = None
    calendars: Mapping[str, DayCalendar] = MappingProxyType({})
    depth: int = 0
    feeds: Mapping[str, Events] = attrs.field(factory=dict)

    def deeper(self) -> Around:
        """Return what holds for a trigger inside this one."""
        return attrs.evolve(self, depth=self.depth + 1)

    def is_too_deep(self, table: Table, key: str) -> bool:
        """Whether nobody could tell any more when it happens, which is then a problem."""
        if self.depth > DEPTH_MAX:
            table.problems.add(table.at(key), f"lies inside {DEPTH_MAX} others: say it more simply")
        return self.depth > DEPTH_MAX


ReadTrigger: TypeAlias = Callable[[Table, str, Around], Trigger | None]


@attrs.frozen(slots=True)
class Civil:
    """What a table says of local time; None for gap and fold where it leaves them to the kind of trigger."""

    timezone: str
    gap: Gap | None
    fold: Fold | None
    dst: bool


def read_civil(table: Table, around: Around) -> Civil:
    """Read the keys of local time that stand beside a trigger's own."""
    return Civil(
        timezone=table.take("timezone", zone, around.timezone),
        gap=table.take("gap", member(Gap), None),
        fold=table.take("fold", member(Fold), None),
        dst=table.take("dst", flag, around.dst),
    )


def civil_form(timezone: str, gap: Gap | None, fold: Fold | None, dst: bool) -> Form:
    """Write the keys of local time."""
    form: Form = {"timezone": timezone}
    if gap is not None:
        form["gap"] = gap.value
    if fold is not None:
        form["fold"] = fold.value
    if not dst:
        form["dst"] = False
    return form


def zone(value: object) -> str:
    """Read the name of a time zone."""
    return zone_name(text(value))


def texts(value: object) -> list[str]:
    """Read one text, or a list of them."""
    return [value] if isinstance(value, str) else listed(text)(value)


def one_or_all(values: tuple[str, ...]) -> Json:
    """Write several texts as a list, one as it is."""
    return values[0] if len(values) == 1 else [*values]
