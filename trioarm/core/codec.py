"""The one codec: schedules, runs, documents and whatever else crosses a border, to plain JSON-able mappings and back.

A schedule has the form it has in scheduler.toml, and `structure_schedule(unstructure_schedule(s)) == s`. Every other
frozen value goes through one strict converter: a key for each field, instants (`*_at`) as text. Nothing is coerced on
the way back, whoever reads: the scalars are those of `reading`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from types import MappingProxyType
from typing import Final, TypeVar, get_args, get_origin

import attrs
from cattrs import BaseValidationError, Converter, ForbiddenExtraKeysError, transform_error
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from trioarm.core.bounds import DURATION_S_MAX
from trioarm.core.errors import InvalidSchedule, TrioarmError
from trioarm.core.forms import Around, read_trigger, write_trigger
from trioarm.core.forms.retry import read_retry, write_retry
from trioarm.core.forms.scalars import write_duration, write_instant
from trioarm.core.instants import render_instant
from trioarm.core.jsonable import Json, as_json
from trioarm.core.reading import (
    Problems,
    Reader,
    Table,
    duration,
    flag,
    integer,
    listed,
    mapping,
    member,
    moment,
    number,
    show,
    suggest,
    text,
    whole,
)
from trioarm.core.record import Amendment, ScheduleRecord
from trioarm.core.run import Run
from trioarm.core.schedule import (
    HANDLER_LENGTH_MAX,
    JITTER_S_MAX,
    PAUSE_AFTER_MAX,
    PRECEDENCE_MAX,
    RESOURCES_MAX,
    TAGS_MAX,
    Delivery,
    Misfire,
    Overlap,
    Schedule,
    check_name,
)
from trioarm.core.triggers import Events, Every
from trioarm.core.triggers.day_calendars import DayCalendar

TOLERANCE_S_MAX: Final = 86400.0  # the core's own bound, said here once more per key


class InvalidDefinition(InvalidSchedule):
    """A mapping that is no schedule; `problems` has one line each, with its path."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@attrs.frozen(slots=True, kw_only=True)
class Defaults:
    """What a schedule means where its mapping says nothing.

    Args:
        timezone: for triggers of local time.
        dst: whether they follow daylight saving (S4.5).
        latitude: degrees north from where triggers of the sun see it; None for nowhere.
        longitude: degrees east of the same place.
        calendars: which working days and holidays may be meant by name.
        handler: None where the mapping must name one.
        owner: who declares it.
        feeds: what is known of calendars, by name.
        resources: those that may be named; None for any.
    """

    timezone: str = "UTC"
    dst: bool = True
    latitude: float | None = None
    longitude: float | None = None
    calendars: Mapping[str, DayCalendar] = MappingProxyType({})
    handler: str | None = None
    owner: str | None = None
    feeds: Mapping[str, Events] = attrs.field(factory=dict)
    resources: Collection[str] | None = None


PLAIN: Final = Defaults()

_NOTHING: Final = Schedule("nothing", Every(86400.0), handler="nothing")  # stands in while there are problems


def structure_schedule(tree: object, path: str = "schedule", defaults: Defaults = PLAIN) -> Schedule:
    """Turn a mapping into a schedule.

    Args:
        tree: as parsed from TOML or JSON.
        path: how problems name it.
        defaults: what it means where it says nothing.

    Raises:
        InvalidDefinition: with every problem of the mapping.
    """
    problems = Problems(InvalidDefinition)
    try:
        table = Table(mapping(tree), path, problems)
    except ValueError as error:
        raise InvalidDefinition((f"{path}: {error}",)) from None
    schedule = read_schedule(table, defaults)
    table.close()
    if schedule is None or problems.lines:
        raise InvalidDefinition(tuple(problems.lines))
    return schedule


def read_schedule(table: Table, defaults: Defaults = PLAIN) -> Schedule | None:
    """Read a schedule out of a table that its caller closes; None when it has problems, which the table keeps."""
    before = len(table.problems.lines)
    schedule = attrs.evolve(
        _NOTHING,
        name=table.need("name", named("schedule"), 'write one like name = "backup"') or _NOTHING.name,
        trigger=read_trigger(table, _around(defaults)) or _NOTHING.trigger,
        handler=defaults.handler or _read_handler(table),
        args=table.take("args", _args, {}),
        retry=read_retry(table),
        resources=table.take("resources", _few("resource", RESOURCES_MAX, defaults.resources), ()),
        tags=table.take("tags", _few("tag", TAGS_MAX), ()),
        owner=table.take("owner", text, defaults.owner),
        enabled=table.take("enabled", flag, True),
    )
    schedule = _read_bounds(table, _read_policies(table, schedule))
    return schedule if len(table.problems.lines) == before else None


def _around(defaults: Defaults) -> Around:
    return Around(
        defaults.timezone,
        defaults.dst,
        defaults.latitude,
        defaults.longitude,
        defaults.calendars,
        feeds=defaults.feeds,
    )


def _read_policies(table: Table, schedule: Schedule) -> Schedule:
    lane = table.take("lane", named("lane"), None)
    supersede = table.take("supersede", flag, False)
    if supersede and "lane" not in table:
        table.problems.add(table.at("supersede"), "needs a lane: say which runs replace each other")
    precedence = table.take("precedence", whole(0, PRECEDENCE_MAX), 0)
    if precedence and not supersede:
        table.problems.add(table.at("precedence"), "has no meaning without supersede: leave one of the two out")
    supersede = supersede and lane is not None
    return attrs.evolve(
        schedule,
        tolerance_s=table.take("tolerance", duration(0, TOLERANCE_S_MAX), None),
        misfire=table.take("misfire", member(Misfire), schedule.misfire),
        misfire_window_s=table.take("misfire_window", duration(0, DURATION_S_MAX), None),
        overlap=table.take("overlap", member(Overlap), schedule.overlap),
        lane=lane,
        supersede=supersede,
        timeout_s=table.take("timeout", duration(0.001, DURATION_S_MAX), None),
        delivery=table.take("delivery", member(Delivery), schedule.delivery),
        priority=table.take("priority", whole(0, 9), schedule.priority),
        precedence=precedence if supersede else 0,
        jitter_s=table.take("jitter", duration(0, JITTER_S_MAX), None),
        pause_after_failures=table.take("pause_after_failures", whole(1, PAUSE_AFTER_MAX), None),
    )


def _read_bounds(table: Table, schedule: Schedule) -> Schedule:
    start_at = table.take("start", moment, None)
    end_at = table.take("end", moment, None)
    if start_at is not None and end_at is not None and end_at < start_at:
        table.problems.add(table.at("end"), f"{render_instant(end_at)} is before start, {render_instant(start_at)}")
        return schedule
    return attrs.evolve(schedule, start_at=start_at, end_at=end_at, max_runs=table.take("max_runs", whole(1), None))


def _read_handler(table: Table) -> str:
    return table.need("handler", _handler, 'name what to call, like handler = "command"') or _NOTHING.handler


def named(what: str) -> Reader[str]:
    """Return a reader of names of schedules, lanes, partitions and the like (S2.4)."""
    return lambda value: check_name(text(value), what)


def _handler(value: object) -> str:
    name = text(value)
    if 0 < len(name) <= HANDLER_LENGTH_MAX:
        return name
    raise ValueError(f"{show(name)} is no name of a handler: it has 1 to {HANDLER_LENGTH_MAX} characters")


def _args(value: object) -> dict[str, Json]:
    copy = as_json(mapping(value), what="args")
    return copy if isinstance(copy, dict) else {}


def _few(what: str, most: int, known: Collection[str] | None = None) -> Reader[tuple[str, ...]]:
    """Return a reader of so many names of something at most, of those that are known if that is said."""

    def read(value: object) -> tuple[str, ...]:
        names = tuple(listed(named(what))(value))
        if len(names) > most:
            raise ValueError(f"{len(names)} {what}s are too many: at most {most}")
        for name in names:
            if known is not None and name not in known:
                raise ValueError(f"there is no {what} {show(name)}{suggest(name, known)}")
        return names

    return read


# What a form says after name, handler and trigger, in order: the key, the field, and how it is written.
_SAID: Final[tuple[tuple[str, str, Callable[[Schedule], Json]], ...]] = (
    ("args", "args", lambda one: one.args),
    ("tolerance", "tolerance_s", lambda one: write_duration(one.tolerance_s)),
    ("misfire", "misfire", lambda one: one.misfire.value),
    ("misfire_window", "misfire_window_s", lambda one: write_duration(one.misfire_window_s)),
    ("overlap", "overlap", lambda one: one.overlap.value),
    ("lane", "lane", lambda one: one.lane),
    ("supersede", "supersede", lambda one: one.supersede),
    ("timeout", "timeout_s", lambda one: write_duration(one.timeout_s)),
    ("retry", "retry", lambda one: None if one.retry is None else write_retry(one.retry)),
    ("delivery", "delivery", lambda one: one.delivery.value),
    ("jitter", "jitter_s", lambda one: write_duration(one.jitter_s)),
    ("priority", "priority", lambda one: one.priority),
    ("precedence", "precedence", lambda one: one.precedence),
    ("start", "start_at", lambda one: write_instant(one.start_at)),
    ("end", "end_at", lambda one: write_instant(one.end_at)),
    ("max_runs", "max_runs", lambda one: one.max_runs),
    ("resources", "resources", lambda one: [*one.resources]),
    ("pause_after_failures", "pause_after_failures", lambda one: one.pause_after_failures),
    ("tags", "tags", lambda one: [*one.tags]),
    ("owner", "owner", lambda one: one.owner),
    ("enabled", "enabled", lambda one: one.enabled),
)
_values = attrgetter(*(field for _, field, _ in _SAID))
_DEFAULTS: Final = _values(_NOTHING)


def unstructure_schedule(schedule: Schedule) -> dict[str, Json]:
    """Turn a schedule into a mapping that `structure_schedule` reads back as an equal one. Defaults are left out."""
    return {
        "name": schedule.name,
        "handler": schedule.handler,
        **write_trigger(schedule.trigger),
        **unstructure_options(schedule),
    }


def unstructure_options(schedule: Schedule) -> dict[str, Json]:
    """Return what its form says after name, handler and trigger: what is no default."""
    values = _values(schedule)
    if values == _DEFAULTS:
        return {}
    said = zip(_SAID, values, _DEFAULTS, strict=True)
    return {key: write(schedule) for (key, _, write), value, default in said if value != default}


def schedule_to_json(record: ScheduleRecord) -> dict[str, Json]:
    """Render a kept schedule for listings and `--json`."""
    schedule = record.schedule
    return {
        "name": schedule.name,
        "state": record.state.value,
        "revision": record.revision,
        "next_due_at": write_instant(record.next_due_at),
        "handler": schedule.handler,
        "owner": schedule.owner,
        "tags": [*schedule.tags],
        "trigger": schedule.trigger.describe(),
        "lane": schedule.lane,
        "resources": [*schedule.resources],
        "priority": schedule.priority,
        "precedence": schedule.precedence,
        "runs": record.runs,
        "paused_by": None if record.pause is None else record.pause.author,
        "paused_at": None if record.pause is None else write_instant(record.pause.since_at),
        "paused_why": None if record.pause is None else record.pause.note,
        "paused_until": None if record.pause is None else write_instant(record.pause.until_at),
        "amendments": [_amendment_form(amendment) for amendment in record.amended],
    }


def _amendment_form(amendment: Amendment) -> dict[str, Json]:
    return {
        "kind": amendment.kind.value,
        "nominal_at": write_instant(amendment.nominal_at),
        "until_at": write_instant(amendment.until_at),
        "author": amendment.author,
        "note": amendment.note,
    }


def run_to_json(run: Run) -> dict[str, Json]:
    """Render a run for listings and `--json`."""
    return {key: value for key, value in to_json(run).items() if key not in _RUN_UNLISTED}


_RUN_UNLISTED: Final = ("key", "token")  # numbers of the repository, and of no use outside

T = TypeVar("T", bound=attrs.AttrsInstance)


def to_json(value: attrs.AttrsInstance) -> dict[str, Json]:
    """Write a frozen value as a mapping of plain JSON, a key for each field."""
    form: dict[str, Json] = _CONVERTER.unstructure(value)
    return form


def from_json(
    kind: type[T], form: Mapping[str, Json], path: str, error: Callable[[tuple[str, ...]], TrioarmError]
) -> T:
    """Read back what `to_json` wrote. Every field must be there, and nothing else: what was kept is never guessed at.

    Args:
        kind: what it is.
        form: as kept.
        path: how problems name it.
        error: the kind of error that carries them.

    Raises:
        TrioarmError: of the kind asked for, with a line for every problem.
    """
    problems = Problems(error)
    for field in attrs.fields(kind):
        if field.name not in form:
            problems.add(f"{path}.{field.name}", "is missing")
    problems.settle()
    try:
        return _CONVERTER.structure(form, kind)
    except BaseValidationError as found:
        for line in transform_error(found, "", _say):
            message, _, place = line.rpartition(" @ ")
            problems.add(path + place, message)
        raise error(tuple(problems.lines)) from None


def _say(error: BaseException, kind: type | None) -> str:
    if isinstance(error, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(error.cl)]
        return "; ".join(f"unknown key {key}{suggest(key, known)}" for key in sorted(error.extra_fields))
    return str(error)


def _instants(kind: type[attrs.AttrsInstance]) -> dict[str, object]:
    """Return how the fields are converted whose names say that their numbers are instants."""
    attrs.resolve_types(kind)
    always = override(unstruct_hook=write_instant, struct_hook=lambda value, _: moment(value))
    perhaps = override(
        unstruct_hook=write_instant, struct_hook=lambda value, _: None if value is None else moment(value)
    )
    return {
        field.name: always if field.type is int else perhaps
        for field in attrs.fields(kind)
        if field.name.endswith("_at") and field.type in (int, int | None)
    }


# Called with overrides by field name, which their own signatures cannot tell from their options.
_write_fields: Final[Callable[..., Callable[..., object]]] = make_dict_unstructure_fn
_read_fields: Final[Callable[..., Callable[..., object]]] = make_dict_structure_fn


def _is_several(kind: object) -> bool:
    return get_origin(kind) is tuple


def _several(kind: type) -> Callable[[object, object], tuple[object, ...]]:
    item = get_args(kind)[0]
    read = listed(lambda value: _CONVERTER.structure(value, item))
    return lambda value, _: tuple(read(value))


def _converter() -> Converter:
    """Return a converter that writes what JSON can hold, and coerces nothing when it reads."""
    made = Converter(forbid_extra_keys=True, detailed_validation=True)
    made.register_unstructure_hook(datetime, write_instant)
    made.register_unstructure_hook(Schedule, unstructure_schedule)
    made.register_unstructure_hook_factory(
        lambda kind: attrs.has(kind) and kind is not Schedule,
        lambda kind: _write_fields(kind, made, **_instants(kind)),
    )
    made.register_structure_hook_factory(
        attrs.has,
        lambda kind: _read_fields(kind, made, _cattrs_forbid_extra_keys=True, **_instants(kind)),
    )
    for scalar, read in ((str, text), (int, integer), (float, number), (bool, flag)):
        made.register_structure_hook(scalar, lambda value, _, read=read: read(value))
    made.register_structure_hook(StrEnum, lambda value, kind: member(kind)(value))
    made.register_structure_hook_factory(_is_several, _several)
    return made


_CONVERTER: Final = _converter()
