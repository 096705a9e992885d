"""What a mapping must be to be a schedule, what is said of one that is not, and that nothing is lost on the way."""

from __future__ import annotations

import json
import tomllib
from datetime import UTC, date, datetime, timedelta, timezone

import attrs
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.making import NOW
from trioarm.core.codec import (
    Defaults,
    InvalidDefinition,
    from_json,
    run_to_json,
    schedule_to_json,
    structure_schedule,
    to_json,
    unstructure_schedule,
)
from trioarm.core.errors import InvalidSchedule
from trioarm.core.forecast import explain
from trioarm.core.forms import FOR_PEOPLE as KINDS
from trioarm.core.forms.spans import on_weekdays
from trioarm.core.instants import EARLIEST, LATEST, parse_instant
from trioarm.core.jsonable import Json
from trioarm.core.planning import PlanRules
from trioarm.core.reading import PROBLEMS_MAX
from trioarm.core.record import Amendment, AmendmentKind, Pause, ScheduleRecord, ScheduleState, StoredSchedule
from trioarm.core.retry_policy import RetryPolicy
from trioarm.core.run import Run, RunRecord
from trioarm.core.schedule import Delivery, Misfire, Overlap, Schedule
from trioarm.core.states import Reason, State
from trioarm.core.triggers import (
    After,
    Ahead,
    Cron,
    Every,
    Excepted,
    Exclude,
    Fold,
    Gap,
    Interval,
    MonthEnd,
    Monthly,
    Once,
    Stretch,
    Trigger,
    Union,
    Weekly,
    Yearly,
)
from trioarm.core.triggers.day_calendars import DayCalendar, calendar_spans

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._/-]{0,20}", fullmatch=True)
ZONES = st.sampled_from(["UTC", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
INSTANTS = st.integers(EARLIEST, LATEST)
PERIODS = st.floats(0.001, 3660 * 86400.0)
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
JSON_SCALARS = st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON_VALUES: st.SearchStrategy[Json] = st.recursive(
    JSON_SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=6
)
DAYS = st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1)
TIMES = st.lists(st.times().map(lambda at: at.strftime("%H:%M:%S")), min_size=1, max_size=4)
GAPS, FOLDS, MONTH_ENDS = st.sampled_from(Gap), st.sampled_from(Fold), st.sampled_from(MonthEnd)
CRONS = st.sampled_from(
    [
        "30 2 * * *",
        "*/5 * * * *",
        "@daily",
        "0 22-2 1,15 jan-mar fri-mon",
        "  7  7 29 2 * ",
        "*/7 0 6 L-2,15W * +friL 2030",
    ]
)
MONTH_DAYS = st.lists(
    st.integers(1, 29) | st.sampled_from(["last", "2nd tue", "Last Friday", "first workday"]), min_size=1, max_size=4
)
MONTHS = st.integers(1, 12) | st.sampled_from(["jan", "February"])
CIVIL = {"timezone": ZONES, "gap": GAPS, "fold": FOLDS, "dst": st.booleans(), "month_end": MONTH_ENDS}
TRIGGERS: st.SearchStrategy[Trigger] = (
    st.builds(Once, INSTANTS)
    | st.builds(Every, PERIODS, anchor=st.just(0) | INSTANTS)
    | st.builds(After, PERIODS)
    | st.builds(Weekly, DAYS, TIMES, ZONES, gap=GAPS, fold=FOLDS, dst=st.booleans())
    | st.builds(Monthly, MONTH_DAYS, TIMES, months=st.none() | st.lists(MONTHS, min_size=1, max_size=3), **CIVIL)
    | st.builds(Yearly, MONTHS, MONTH_DAYS, TIMES, **CIVIL)
    | st.builds(
        lambda unit, count, **rest: Interval(**{unit: count}, **rest),
        st.sampled_from(["days", "weeks", "months", "years"]),
        st.integers(1, 100),
        at=TIMES,
        start=st.dates(),
        **CIVIL,
    )
    | st.builds(Cron, CRONS, ZONES, gap=st.none() | GAPS, fold=st.none() | FOLDS, dst=st.booleans())
    | st.builds(lambda at, zone, by_s: Ahead(Weekly("mon", at, zone), by_s), TIMES, ZONES, st.floats(1.0, 86_400.0))
    | st.builds(
        lambda at, zone, start, inside: Excepted(
            Weekly("mon", at, zone), [Stretch(start, start + 1, "anna: guests")], inside=inside
        ),
        TIMES,
        ZONES,
        INSTANTS.filter(lambda at: at < LATEST),
        st.booleans(),
    )
    | st.builds(
        lambda at, zone: Exclude(
            [Weekly("mon", at, zone), calendar_spans("workday", DayCalendar("CZ", working=["2026-12-24"]), zone)]
        ),
        TIMES,
        ZONES,
    )
    | st.builds(lambda days, at, zone: Union([Weekly(days, at, zone), Every(3600)]), DAYS, TIMES, ZONES)
    | st.builds(lambda at, zone: Exclude([Weekly(["mon", "tue"], at, zone), on_weekdays(["tue"], zone)]), TIMES, ZONES)
)
RETRIES = st.builds(
    RetryPolicy,
    max_retries=st.integers(0, 1000),
    base_s=st.floats(0, 366 * 86400.0),
    max_s=st.floats(0, 366 * 86400.0),
    factor=st.floats(1, 100) | st.integers(1, 100),
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw any valid schedule."""
    lane = draw(st.none() | NAMES)
    overlap = draw(st.sampled_from(Overlap))
    bounds = sorted(draw(st.tuples(INSTANTS, INSTANTS)))
    supersede = lane is not None and not overlap.keeps_apart and draw(st.booleans())
    return Schedule(
        draw(NAMES),
        draw(TRIGGERS),
        handler=draw(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)),
        args=draw(st.dictionaries(TEXT, JSON_VALUES, max_size=3)),
        tolerance_s=draw(st.none() | st.floats(0, 86400)),
        misfire=draw(st.sampled_from(Misfire)),
        misfire_window_s=draw(st.none() | st.floats(0, 366 * 86400.0)),
        overlap=overlap,
        lane=lane,
        supersede=supersede,
        precedence=draw(st.integers(0, 999)) if supersede else 0,
        timeout_s=draw(st.none() | st.floats(0.001, 366 * 86400.0) | st.integers(1, 366 * 86400)),
        retry=draw(st.none() | RETRIES),
        delivery=draw(st.sampled_from(Delivery)),
        priority=draw(st.integers(0, 9)),
        jitter_s=draw(st.none() | st.floats(0, 86400)),
        start_at=draw(st.none() | st.just(bounds[0])),
        end_at=draw(st.none() | st.just(bounds[1])),
        max_runs=draw(st.none() | st.integers(1, 2**53)),
        tags=draw(st.lists(NAMES, max_size=3)),
        owner=draw(st.none() | TEXT),
        enabled=draw(st.booleans()),
    )


@given(schedules())
def test_nothing_is_lost_between_a_schedule_and_its_form(schedule: Schedule) -> None:
    """Every schedule is read back equal from its form, from JSON text of it, and from TOML text of it."""
    form = unstructure_schedule(schedule)
    assert structure_schedule(form) == schedule
    assert structure_schedule(json.loads(json.dumps(form))) == schedule
    assert structure_schedule(tomllib.loads(tomli_w.dumps(form))) == schedule


@given(schedules())
def test_a_form_is_read_back_as_the_same_form(schedule: Schedule) -> None:
    """Writing what was read changes not one key: how a trigger was put is kept too."""
    form = unstructure_schedule(schedule)
    assert unstructure_schedule(structure_schedule(form)) == form


def problems_of(tree: object) -> tuple[str, ...]:
    """Return what is said of a mapping; nothing when it is a schedule."""
    try:
        structure_schedule(tree)
    except InvalidDefinition as error:
        return error.problems
    return ()


@given(
    JSON_VALUES
    | st.dictionaries(
        st.sampled_from(
            [*unstructure_schedule(Schedule("a", Every(1), handler="b")), "cron", "weekly", "retry", "x\n"]
        ),
        JSON_VALUES
        | st.dictionaries(st.sampled_from(["days", "at", "base", "period", "anchor"]), JSON_VALUES)
        | st.just(float("nan"))
        | st.just(10**400)
        | st.just(16**5000)
        | st.datetimes()
        | st.dates(),
    )
)
@settings(max_examples=300)
def test_anything_else_is_an_invalid_definition(tree: object) -> None:
    """Whatever stands in place of a schedule, the answer is a schedule or lines of one line each."""
    lines = problems_of(tree)
    assert all(line and "\n" not in line for line in lines)


RULE = "a name starts with a small letter or digit and goes on with up to 62 more of a-z 0-9 . _ / -"
PLAIN = {"name": "backup", "handler": "command"}


@pytest.mark.parametrize(
    ("keys", "trigger"),
    [
        ({"once": "2026-12-24T18:00:00+01:00"}, Once(parse_instant("2026-12-24T17:00:00Z"))),
        (
            {"once": datetime(2026, 12, 24, 18, tzinfo=timezone(timedelta(hours=1)))},
            Once(parse_instant("2026-12-24T17:00:00Z")),
        ),
        ({"every": "10s"}, Every(10)),
        ({"every": 2}, Every(2)),
        ({"every": 0.25}, Every(0.25)),
        ({"every": {"period": "1h", "anchor": "2026-01-01T00:10:00Z"}}, Every(3600, anchor=600_000_000)),
        ({"after": "5m"}, After(300)),
        ({"weekly": {"days": ["mon", "sun"], "at": "22:30"}}, Weekly(["mon", "sun"], "22:30")),
        (
            {
                "weekly": {"days": "mon", "at": ["06:30", "22:30"]},
                "timezone": "Europe/Prague",
                "gap": "shift",
                "fold": "both",
            },
            Weekly("mon", ["06:30", "22:30"], "Europe/Prague", gap=Gap.SHIFT, fold=Fold.BOTH),
        ),
        ({"cron": "30 2 * * *"}, Cron("30 2 * * *")),
        (
            {"cron": "30 2 * * *", "timezone": "Europe/Prague", "gap": "skip", "fold": "second", "dst": False},
            Cron("30 2 * * *", "Europe/Prague", gap=Gap.SKIP, fold=Fold.SECOND, dst=False),
        ),
    ],
)
def test_each_trigger_has_its_key(keys: dict[str, object], trigger: Trigger) -> None:
    """Every trigger is written under its own key, its zone and what happens at a change of the clocks beside it."""
    assert structure_schedule({**PLAIN, **keys}).trigger == trigger


def test_every_policy_has_its_key() -> None:
    """Policies are read from their keys: durations as text or seconds, instants as ISO 8601, retry as a table."""
    tree = {
        **PLAIN,
        "every": "1m",
        "args": {"argv": ["/usr/bin/true"]},
        "tolerance": "2m",
        "misfire": "each",
        "misfire_window": 7200,
        "overlap": "allow",
        "resources": ["nas"],
        "lane": "disk",
        "supersede": True,
        "timeout": "1h30m",
        "retry": {"max_retries": 5, "base": "2s", "max": 60, "factor": 1.5},
        "delivery": "at_most_once",
        "priority": 9,
        "precedence": 530,
        "start": "2026-01-01T00:00:00Z",
        "end": datetime(2027, 1, 1, tzinfo=UTC),
        "max_runs": 10,
        "tags": ["nightly"],
        "owner": "me",
        "enabled": False,
    }
    assert structure_schedule(tree) == Schedule(
        "backup",
        Every(60),
        handler="command",
        args={"argv": ["/usr/bin/true"]},
        tolerance_s=120,
        misfire=Misfire.EACH,
        misfire_window_s=7200,
        overlap=Overlap.ALLOW,
        resources=("nas",),
        lane="disk",
        supersede=True,
        timeout_s=5400,
        retry=RetryPolicy(5, 2, 60, 1.5),
        delivery=Delivery.AT_MOST_ONCE,
        priority=9,
        precedence=530,
        start_at=datetime(2026, 1, 1, tzinfo=UTC),
        end_at=datetime(2027, 1, 1, tzinfo=UTC),
        max_runs=10,
        tags=["nightly"],
        owner="me",
        enabled=False,
    )


def test_defaults_fill_only_what_is_not_said() -> None:
    """Zone, daylight saving, handler and owner come from the defaults where the mapping is silent."""
    defaults = Defaults(timezone="Europe/Prague", dst=False, handler="arm", owner="file:x.toml")
    silent = structure_schedule({"name": "a", "cron": "0 0 * * *"}, defaults=defaults)
    assert silent == Schedule("a", Cron("0 0 * * *", "Europe/Prague", dst=False), handler="arm", owner="file:x.toml")
    said = structure_schedule({"name": "a", "cron": "0 0 * * *", "timezone": "UTC", "dst": True}, defaults=defaults)
    assert said.trigger == Cron("0 0 * * *")


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"every": "5"}, ".every: '5' is no duration: write it like 90s, 5m, 2h, 1h30m or 1d"),
        ({"every": True}, '.every: true is no duration: write it like "90s", "5m", "2h", "1h30m" or "1d"'),
        ({"every": 0}, ".every: 0.0 is no duration in seconds from 0.001 to 316224000 (ten years)"),
        ({"every": {"perod": "1s"}}, '.every.period: is missing: write it like period = "10s"'),
        (
            {"once": "2026-12-24T18:00"},
            '.once: "2026-12-24T18:00" names no instant without an offset from UTC: end it with +01:00 or Z',
        ),
        (
            {"once": datetime(2026, 12, 24, 18)},  # noqa: DTZ001 - the case in question
            ".once: 2026-12-24T18:00:00 names no instant without an offset from UTC: end it with +01:00 or Z",
        ),
        ({"once": date(2026, 12, 24)}, ".once: 2026-12-24 is no instant: write it like 2026-12-24T18:00:00+01:00"),
        ({"once": 5}, ".once: 5 is no instant: write it like 2026-12-24T18:00:00+01:00"),
        (
            {"once": "0001-01-01T00:00:00+14:00"},
            ".once: -62135647200000000 microseconds lie outside the years 1 to 9999",
        ),
        (
            {"once": "2026-12-24T18:00Z", "timezone": "UTC"},
            ".timezone: once counts real time and sees no time zone: leave timezone out, or use weekly or cron",
        ),
        (
            {"after": "5m", "fold": "both"},
            ".fold: after counts real time and sees no time zone: leave fold out, or use weekly or cron",
        ),
        (
            {"cron": "61 * * * *"},
            ".cron: cron expression '61 * * * *': minute (field 1 of 5): '61' is not within 0 to 59",
        ),
        ({"cron": 5}, '.cron: 5 is no text: put it between quotes, like "text"'),
        (
            {"cron": "0 0 * * *", "timezone": "Europe/Prag"},
            ".timezone: time zone 'Europe/Prag' is unknown: did you mean Europe/Prague?",
        ),
        ({"cron": "0 0 * * *", "gap": "skipp"}, '.gap: "skipp" is unknown; did you mean skip?'),
        ({"cron": "0 0 * * *", "fold": "x"}, '.fold: "x" is unknown; there is first, second, both'),
        ({"weekly": "mon 22:30"}, '.weekly: "mon 22:30" is no table: write it like { key = value }'),
        (
            {"weekly": {"days": ["moon"], "at": "22:30"}},
            ".weekly.days: 'moon' is no day of the week: write mon, tue, wed, thu, fri, sat or sun",
        ),
        (
            {"weekly": {"days": ["mon"], "at": "25:00"}},
            ".weekly.at: '25:00' is no time of day: write it like 22:30 or 22:30:15",
        ),
        ({"weekly": {"at": "22:30"}}, '.weekly.days: is missing: write them like days = ["mon", "tue"]'),
        ({"weekly": {"days": {"mon": 1}, "at": "22:30"}}, ".weekly.days: a table is no list: put it between [ and ]"),
        ({}, f": says nothing of when: give it one of {', '.join(KINDS)}"),
        ({"every": 5, "cron": "0 0 * * *"}, ": every and cron are given: a schedule has one trigger"),
        (
            {"sun": "sunset"},
            ".sun: is seen from nowhere: give latitude = 50.08 and longitude = 14.43 here, or to the site",
        ),
    ],
)
def test_a_mistaken_trigger_is_one_line(keys: dict[str, object], line: str) -> None:
    """What is wrong with a trigger is said with its path, its value and what would be right."""
    with pytest.raises(InvalidDefinition) as caught:
        structure_schedule({**PLAIN, **keys}, 'schedule "backup"')
    assert f'schedule "backup"{line}' in caught.value.problems


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        (
            "name",
            "Backup",
            f": schedule 'Backup': {RULE}",
        ),
        ("name", 5, ': 5 is no text: put it between quotes, like "text"'),
        ("handler", "", ': "" is no name of a handler: it has 1 to 255 characters'),
        ("args", ["x"], ": a list is no table: write it like { key = value }"),
        (
            "args",
            {"day": date(2026, 1, 1)},
            ": args.day: a date cannot be kept: use None, numbers, text, lists and mappings",
        ),
        ("tolerance", "2d", ': "2d" is outside 0s to 1d'),
        ("tolerance", -1, ": -1 is outside 0s to 1d"),
        ("misfire", "lates", ': "lates" is unknown; did you mean latest?'),
        ("misfire_window", float("nan"), ": nan is outside 0s to 366d"),
        ("overlap", "buffer_on", ': "buffer_on" is unknown; did you mean buffer_one?'),
        (
            "lane",
            "The Disk",
            f": lane 'The Disk': {RULE}",
        ),
        ("supersede", True, ": needs a lane: say which runs replace each other"),
        ("supersede", 1, ": 1 is neither true nor false"),
        ("precedence", 1, ": has no meaning without supersede: leave one of the two out"),
        ("precedence", 1000, ": 1000 is outside 0 to 999"),
        ("timeout", 0, ": 0 is outside 1ms to 366d"),
        ("timeout", "soon", ": 'soon' is no duration: write it like 90s, 5m, 2h, 1h30m or 1d"),
        (
            "timeout",
            10**400,
            f': 1{"0" * 39}... is no duration: write it like "90s", "5m", "2h", "1h30m" or "1d"',
        ),
        ("retry", 3, ": 3 is no table: write it like { key = value }"),
        ("retry", {"max_retries": 1001}, ".max_retries: 1001 is outside 0 to 1000"),
        ("retry", {"factor": 0.5}, ".factor: 0.5 is outside 1 to 100"),
        ("retry", {"factor": "2"}, '.factor: "2" is no number: write it like 1.5'),
        ("retry", {"retries": 1}, ".retries: unknown key; did you mean max_retries?"),
        ("delivery", "once", ': "once" is unknown; there is at_least_once, at_most_once'),
        ("priority", 10, ": 10 is outside 0 to 9"),
        ("priority", "5", ': "5" is no whole number: write it like 5'),
        ("priority", True, ": true is no whole number: write it like 5"),
        ("priority", 5.0, ": 5.0 is no whole number: write it like 5"),
        ("jitter", "2d", ': "2d" is outside 0s to 1d'),
        ("start", "tomorrow", ': "tomorrow" is no instant: write it like 2026-12-24T18:00:00+01:00'),
        ("max_runs", 0, ": 0 is below 1"),
        ("tags", "nightly", ': "nightly" is no list: put it between [ and ]'),
        ("tags", ["a"] * 33, ": 33 tags are too many: at most 32"),
        ("owner", None, ': None is no text: put it between quotes, like "text"'),
        ("enabled", "yes", ': "yes" is neither true nor false'),
        ("timezon", "UTC", ": unknown key; did you mean timezone?"),
    ],
)
def test_a_mistaken_key_is_one_line(key: str, value: object, line: str) -> None:
    """What is wrong with a key is said with its path, its value and what would be right."""
    with pytest.raises(InvalidDefinition) as caught:
        structure_schedule({**PLAIN, "every": "1m", key: value})
    assert caught.value.problems == (f"schedule.{key}{line}",)


def test_an_odd_key_stays_on_its_line() -> None:
    """A key that no person would write is quoted, and all that there are follow."""
    (line,) = problems_of({**PLAIN, "every": 1, "a\nb": 1})
    assert line.startswith(r'schedule."a\nb": unknown key; there is name, once, every, after, ')


def test_an_end_before_the_start_is_refused() -> None:
    """Start and end are compared, and both are shown."""
    tree = {**PLAIN, "every": "1m", "start": "2026-01-02T00:00Z", "end": "2026-01-01T00:00+01:00"}
    with pytest.raises(InvalidDefinition) as caught:
        structure_schedule(tree)
    assert caught.value.problems == ("schedule.end: 2025-12-31T23:00:00Z is before start, 2026-01-02T00:00:00Z",)


def test_all_problems_are_told_at_once() -> None:
    """Nobody has to repair one key to hear of the next."""
    tree = {"name": "X", "cron": "61 * * * *", "timezone": "Mars", "retry": {"base": "x"}, "priority": 11, "tag": []}
    with pytest.raises(InvalidDefinition) as caught:
        structure_schedule(tree)
    paths = [problem.partition(": ")[0] for problem in caught.value.problems]
    assert sorted(paths) == [
        "schedule.cron",
        "schedule.handler",
        "schedule.name",
        "schedule.priority",
        "schedule.retry.base",
        "schedule.tag",
        "schedule.timezone",
    ]


def test_where_resources_are_known_another_is_a_mistake() -> None:
    """A file knows its resources: a name that is none of them is told, with what was perhaps meant."""
    tree = {**PLAIN, "every": "1m", "resources": ["nas"]}
    assert structure_schedule(tree, defaults=Defaults(resources={"nas"})).resources == ("nas",)
    with pytest.raises(InvalidDefinition) as caught:
        structure_schedule(tree, defaults=Defaults(resources={"nass"}))
    assert caught.value.problems == ('schedule.resources: there is no resource "nas"; did you mean nass?',)


def test_no_more_problems_are_told_than_anybody_reads() -> None:
    """A mapping of a thousand mistakes ends after a hundred lines and one that says so."""
    with pytest.raises(InvalidDefinition) as caught:
        structure_schedule({f"key{number}": 1 for number in range(1000)})
    assert len(caught.value.problems) == PROBLEMS_MAX + 1
    assert caught.value.problems[-1] == "these 100 are not all: put them right first"


@pytest.mark.parametrize("tree", [None, 5, "every 5m", ["x"], {1: 2}])
def test_only_a_mapping_is_a_schedule(tree: object) -> None:
    """Anything that is no mapping of texts is refused in one line."""
    with pytest.raises(InvalidDefinition, match=r"^schedule: .* is no (table|text)"):
        structure_schedule(tree)


def test_the_codec_has_the_bounds_of_the_core() -> None:
    """What the codec lets through the core accepts, and what lies beyond the core refuses too."""
    edges = {"tolerance": 86400, "misfire_window": 366 * 86400, "timeout": 366 * 86400, "priority": 9}
    assert structure_schedule({**PLAIN, "every": 1, **edges})
    assert structure_schedule({**PLAIN, "every": 1, "retry": {"max_retries": 1000, "factor": 100}})
    plain = Schedule("a", Every(1), handler="b")
    beyond: tuple[dict[str, float], ...] = (
        {"tolerance_s": 86401},
        {"misfire_window_s": 366 * 86401},
        {"timeout_s": 366 * 86401},
        {"priority": 10},
    )
    for values in beyond:
        with pytest.raises(InvalidSchedule):
            attrs.evolve(plain, **values)
    for values in ({"max_retries": 1001}, {"factor": 101}):
        with pytest.raises(InvalidSchedule):
            RetryPolicy(**values)


def test_a_trigger_of_somebody_else_cannot_be_written() -> None:
    """A trigger that has no key is refused instead of being kept as something else."""

    class Other:
        anchored = describe = next_after = previous_before = count = shift_at = None

    with pytest.raises(InvalidSchedule, match=r"^a Other is no trigger that can be written down$"):
        unstructure_schedule(attrs.evolve(Schedule("a", Every(1), handler="b"), trigger=Other()))


RECORD = ScheduleRecord(
    key=1,
    schedule=Schedule(
        "nightly", Cron("30 2 * * *", "Europe/Prague"), handler="report", owner="me", tags=["a"], lane="disk"
    ),
    revision=3,
    cursor_at=0,
    next_due_at=parse_instant("2026-12-24T01:30:00Z"),
    anchor_at=0,
    runs=7,
)


def test_what_was_written_before_there_was_precedence_takes_none() -> None:
    """A document of an older version has no such key, and one that takes none is written without it: it is the same."""
    lane = {"lane": "house", "supersede": True}
    schedule = structure_schedule({**PLAIN, "every": "1m", **lane})
    assert schedule.precedence == 0
    assert "precedence" not in unstructure_schedule(schedule)
    assert unstructure_schedule(attrs.evolve(schedule, precedence=530))["precedence"] == 530


def test_a_listed_schedule_says_what_people_ask() -> None:
    """A listing is plain JSON: name, state, revision, what is next in UTC with Z, and the rule in words."""
    assert schedule_to_json(RECORD) == {
        "name": "nightly",
        "state": "active",
        "revision": 3,
        "next_due_at": "2026-12-24T01:30:00Z",
        "handler": "report",
        "owner": "me",
        "tags": ["a"],
        "trigger": "every day at 02:30 in Europe/Prague",
        "resources": [],
        "lane": "disk",
        "priority": 5,
        "precedence": 0,
        "runs": 7,
        "paused_by": None,
        "paused_at": None,
        "paused_why": None,
        "paused_until": None,
        "amendments": [],
    }


def test_a_paused_schedule_says_who_paused_it() -> None:
    """A pause is listed with its author, its time and its reason."""
    record = attrs.evolve(RECORD, state=ScheduleState.PAUSED, next_due_at=None, pause=Pause("somebody", "holiday", 0))
    listed = schedule_to_json(record)
    assert (listed["state"], listed["next_due_at"]) == ("paused", None)
    assert (listed["paused_by"], listed["paused_at"], listed["paused_why"]) == (
        "somebody",
        "1970-01-01T00:00:00Z",
        "holiday",
    )
    assert listed["paused_until"] is None
    until = attrs.evolve(record, pause=Pause("somebody", "holiday", 0, 60_000_000))
    assert schedule_to_json(until)["paused_until"] == "1970-01-01T00:01:00Z"


def test_a_listed_schedule_says_what_people_changed() -> None:
    """What is skipped and what is postponed, to when and by whom; what is over is not listed any more."""
    amendments = (
        Amendment(AmendmentKind.SKIP, 60_000_000, None, "somebody", "guests", 5),
        Amendment(AmendmentKind.POSTPONE, 120_000_000, 180_000_000, "another", "", 6, 2),
    )
    skipped = {
        "kind": "skip", "nominal_at": "1970-01-01T00:01:00Z", "until_at": None, "author": "somebody", "note": "guests",
    }  # fmt: skip
    postponed = {
        "kind": "postpone", "nominal_at": "1970-01-01T00:02:00Z", "until_at": "1970-01-01T00:03:00Z",
        "author": "another", "note": "",
    }  # fmt: skip
    for cursor_at, listed in ((0, [skipped, postponed]), (60_000_000, [postponed]), (180_000_000, [])):
        record = attrs.evolve(RECORD, cursor_at=cursor_at, amendments=amendments)
        assert schedule_to_json(record)["amendments"] == listed
        assert len(StoredSchedule.of(record).amendments) == len(listed)
    for amendment in amendments:
        assert from_json(Amendment, to_json(amendment), "amendment", InvalidDefinition) == amendment


def test_a_listed_run_says_what_people_ask() -> None:
    """A listing is plain JSON: identity, instants in UTC with Z, state and reason, and how late it was."""
    due_at = parse_instant("2026-12-24T01:30:00Z")
    record = RunRecord(
        RECORD,
        due_at,
        due_at,
        due_at,
        state=State.FAILED,
        reason=Reason.ERROR,
        waiting_for=None,
        attempt=4,
        node="n1",
        started_at=due_at + 1_500_000,
        finished_at=due_at + 2_000_000,
        error="no disk",
    )
    assert run_to_json(Run.of(record)) == {
        "id": "nightly@2026-12-24T01:30:00Z",
        "schedule": "nightly",
        "due_at": "2026-12-24T01:30:00Z",
        "state": "failed",
        "reason": "error",
        "attempt": 4,
        "origin": "schedule",
        "started_at": "2026-12-24T01:30:01.500000Z",
        "finished_at": "2026-12-24T01:30:02Z",
        "late_s": 1.5,
        "nominal_at": "2026-12-24T01:30:00Z",
        "last_at": None,
        "occurrences": 1,
        "handler": "report",
        "waiting_for": None,
        "error": "no disk",
        "result": None,
        "node": "n1",
        "voided_at": None,
        "progress": None,
    }


def test_a_run_that_waits_says_for_what() -> None:
    """A pending run has no reason, has not begun, and names what it waits for."""
    listed = run_to_json(Run.of(RunRecord(RECORD, 0, 0, 0)))
    assert (listed["state"], listed["waiting_for"]) == ("pending", "due")
    assert listed["reason"] is listed["started_at"] is listed["late_s"] is None


@attrs.frozen
class Inner:
    """A value in a value."""

    state: State
    share: float


@attrs.frozen(kw_only=True)
class Outer:
    """One field of every kind that is kept in documents."""

    name: str
    count: int
    on: bool
    seen_at: int
    ended_at: int | None
    words: tuple[str, ...]
    inner: Inner
    others: tuple[Inner, ...] = ()
    note: str | None = None


OUTER = Outer(
    name="house", count=3, on=True, seen_at=NOW, ended_at=None, words=("a", "b"), inner=Inner(State.FAILED, 0.5)
)


@given(
    st.builds(
        Outer,
        name=TEXT,
        count=st.integers(),
        on=st.booleans(),
        seen_at=INSTANTS,
        ended_at=st.none() | INSTANTS,
        words=st.lists(TEXT, max_size=3).map(tuple),
        inner=st.builds(Inner, st.sampled_from(State), st.floats(allow_nan=False)),
        others=st.lists(st.builds(Inner, st.sampled_from(State), st.floats(allow_nan=False)), max_size=2).map(tuple),
        note=st.none() | TEXT,
    )
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_a_value_is_read_back_as_it_was_written(value: Outer) -> None:
    """A frozen value becomes plain JSON, survives as text, and comes back equal."""
    written = json.loads(json.dumps(to_json(value)))
    assert from_json(Outer, written, "document", InvalidDefinition) == value


def test_a_written_value_says_instants_as_people_do() -> None:
    """A key for each field; what its name calls an instant is text in UTC, whatever the type behind it."""
    assert to_json(OUTER) == {
        "name": "house",
        "count": 3,
        "on": True,
        "seen_at": "2026-11-23T22:00:00Z",
        "ended_at": None,
        "words": ["a", "b"],
        "inner": {"state": "failed", "share": 0.5},
        "others": [],
        "note": None,
    }
    stored = to_json(StoredSchedule.of(RECORD))
    assert (stored["schedule"], stored["pause"]) == (unstructure_schedule(RECORD.schedule), None)
    assert stored["next_due_at"] == "2026-12-24T01:30:00Z"
    explained = to_json(explain(RECORD, NOW, PlanRules()))
    assert (explained["previous_at"], len(explained["next_at"] or ())) == ("2026-11-23T01:30:00Z", 5)


@pytest.mark.parametrize(
    ("change", "lines"),
    [
        ({"count": "3"}, ['document.count: "3" is no whole number: write it like 5']),
        ({"count": True}, ["document.count: true is no whole number: write it like 5"]),
        ({"on": 1}, ["document.on: 1 is neither true nor false"]),
        ({"name": 5}, ['document.name: 5 is no text: put it between quotes, like "text"']),
        ({"seen_at": 5}, ["document.seen_at: 5 is no instant: write it like 2026-12-24T18:00:00+01:00"]),
        ({"seen_at": None}, ["document.seen_at: None is no instant: write it like 2026-12-24T18:00:00+01:00"]),
        ({"words": "ab"}, ['document.words: "ab" is no list: put it between [ and ]']),
        ({"inner": {"state": "fail", "share": 1}}, ['document.inner.state: "fail" is unknown; did you mean failed?']),
        ({"inner": {"state": "failed", "share": "x"}}, ['document.inner.share: "x" is no number: write it like 1.5']),
        ({"not": 1}, ["document: unknown key not; did you mean note?"]),
        (
            {"count": None, "on": None},
            [
                "document.count: None is no whole number: write it like 5",
                "document.on: None is neither true nor false",
            ],
        ),
    ],
)
def test_a_value_that_was_spoilt_is_never_guessed_at(change: dict[str, Json], lines: list[str]) -> None:
    """Nothing is coerced, nothing unknown is passed over, and every problem is named by its path."""
    with pytest.raises(InvalidDefinition) as raised:
        from_json(Outer, {**to_json(OUTER), **change}, "document", InvalidDefinition)
    assert list(raised.value.problems) == lines


def test_a_value_without_one_of_its_fields_is_not_read() -> None:
    """A default stands for what a program leaves out, and for nothing that is missing in what was kept."""
    form = to_json(OUTER)
    del form["note"], form["count"]
    with pytest.raises(InvalidDefinition) as raised:
        from_json(Outer, form, "document", InvalidDefinition)
    assert raised.value.problems == ("document.count: is missing", "document.note: is missing")
