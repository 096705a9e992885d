"""Recurrence rules against a slow oracle, which asks of every local time whether RFC 5545 means it, and dateutil."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import product
from zoneinfo import ZoneInfo

import attrs
from dateutil.rrule import rrulestr
from hypothesis import given, settings
from hypothesis import strategies as st

from trioarm.core.errors import InvalidTrigger
from trioarm.core.instants import LATEST, instant
from trioarm.core.triggers import Fold, Gap, RRule

FREQS = ("SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY")
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
REACH = {"SECONDLY": 0.02, "MINUTELY": 0.5, "HOURLY": 4, "DAILY": 30, "WEEKLY": 80, "MONTHLY": 400, "YEARLY": 1500}
ZONES = ("Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia", "America/Santiago", "Africa/Cairo")
FOUND_MAX = 300  # occurrences compared at once: a denser rule is looked at more closely
SECOND, MINUTE, ONE_DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


@attrs.frozen
class Drawn:
    """A rule as its parts, each part the numbers listed; weekdays as (place, day)."""

    freq: str
    interval: int
    start: datetime
    by: dict[str, tuple[int, ...]]
    days: tuple[tuple[int, int], ...]
    wkst: int

    @property
    def text(self) -> str:
        parts = [f"FREQ={self.freq}", f"INTERVAL={self.interval}", f"WKST={DAYS[self.wkst]}"]
        parts += [f"{name}={','.join(map(str, numbers))}" for name, numbers in self.by.items()]
        if self.days:
            parts.append("BYDAY=" + ",".join(f"{place or ''}{DAYS[day]}" for place, day in self.days))
        return ";".join(parts)

    def expands(self, part: str) -> bool:
        """Whether the RFC's table says of a part that it expands a period of the rule."""
        freq = FREQS.index(self.freq)
        return freq > {"BYSECOND": 0, "BYMINUTE": 1, "BYHOUR": 2}[part]

    def period(self, at: datetime) -> int:
        """The number of the period that a local time is in."""
        match self.freq:
            case "YEARLY":
                return at.year
            case "MONTHLY":
                return at.year * 12 + at.month
            case "WEEKLY":
                return (at.toordinal() - 1 - self.wkst) // 7
            case "DAILY":
                return at.toordinal()
        unit = {"HOURLY": 3600, "MINUTELY": 60, "SECONDLY": 1}[self.freq]
        return (at - local("0001-01-01")) // timedelta(seconds=unit)

    def bounds(self, at: datetime) -> tuple[date, date]:
        """The first day of the period that a local time is in, and the first day after it."""
        day = at.date()
        match self.freq:
            case "YEARLY":
                return date(day.year, 1, 1), date(day.year + 1, 1, 1)
            case "MONTHLY":
                return day.replace(day=1), (day.replace(day=28) + timedelta(days=4)).replace(day=1)
            case "WEEKLY":
                first = day - timedelta(days=(day.weekday() - self.wkst) % 7)
                return first, first + timedelta(days=7)
        return day, day + ONE_DAY


def local(text: str) -> datetime:
    return datetime.fromisoformat(text)


def week_of(day: date, wkst: int) -> tuple[int, int]:
    """The number of the week a day is in, from both ends of the year that has most of its days."""
    fourth = day - timedelta(days=(day.weekday() - wkst) % 7) + timedelta(days=3)
    return places(fourth, date(fourth.year, 1, 1), date(fourth.year, 12, 31), 7)


def places(day: date, first: date, last: date, step: int = 1) -> tuple[int, int]:
    """The place of a day among those from the first to the last, every nth counted from itself, from both ends."""
    return (day - first).days // step + 1, -((last - day).days // step) - 1


def days_between(first: date, end: date) -> list[date]:
    return [first + timedelta(days=place) for place in range((end - first).days)]


def day_is_meant(rule: Drawn, day: date) -> bool:
    """Whether all parts on days have a day; a day that no part says is that of the start."""
    by = rule.by
    year = date(day.year, 1, 1), date(day.year, 12, 31)
    month = day.replace(day=1), (day.replace(day=28) + timedelta(days=4)).replace(day=1) - ONE_DAY
    if "BYMONTH" in by and day.month not in by["BYMONTH"]:
        return False
    if "BYWEEKNO" in by and not set(week_of(day, rule.wkst)) & set(by["BYWEEKNO"]):
        return False
    if "BYYEARDAY" in by and not set(places(day, *year)) & set(by["BYYEARDAY"]):
        return False
    if "BYMONTHDAY" in by and not set(places(day, *month)) & set(by["BYMONTHDAY"]):
        return False
    if rule.days:
        scope = month if rule.freq == "MONTHLY" or "BYMONTH" in by else year
        wanted = {place for place, weekday in rule.days if weekday == day.weekday()}
        return bool(wanted & {0, *places(day, *scope, 7)})
    if by.keys() & {"BYYEARDAY", "BYMONTHDAY"} or FREQS.index(rule.freq) < FREQS.index("WEEKLY"):
        return True
    if rule.freq == "WEEKLY" or "BYWEEKNO" in by:
        return day.weekday() == rule.start.weekday()
    return day.day == rule.start.day and (rule.freq == "MONTHLY" or "BYMONTH" in by or day.month == rule.start.month)


def time_is_meant(rule: Drawn, at: datetime) -> bool:
    """Whether hour, minute and second are listed; one that expands and is not listed is that of the start."""
    for part, value, started in (
        ("BYHOUR", at.hour, rule.start.hour),
        ("BYMINUTE", at.minute, rule.start.minute),
        ("BYSECOND", at.second, rule.start.second),
    ):
        if value not in rule.by.get(part, (started,) if rule.expands(part) else (value,)):
            return False
    return True


def times_of_day(rule: Drawn, day: date) -> list[datetime]:
    """All times of a day that could be meant, for rules whose periods are not shorter."""
    start = rule.start
    listed = [
        rule.by.get(part, (value,))
        for part, value in (("BYHOUR", start.hour), ("BYMINUTE", start.minute), ("BYSECOND", start.second))
    ]
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001
    return sorted(midnight + timedelta(hours=h, minutes=m, seconds=s) for h, m, s in product(*listed))


def members(rule: Drawn, at: datetime) -> list[datetime]:
    """All local times of the period of `at` that the rule has before BYSETPOS, INTERVAL aside."""
    if FREQS.index(rule.freq) >= FREQS.index("DAILY"):
        days = [day for day in days_between(*rule.bounds(at)) if day_is_meant(rule, day)]
        return [moment for day in days for moment in times_of_day(rule, day)]
    first, minutes, seconds = at.replace(second=0), (at.minute,), (at.second,)
    if rule.freq == "HOURLY":
        minutes = rule.by.get("BYMINUTE", (rule.start.minute,))
    if rule.freq != "SECONDLY":
        seconds = rule.by.get("BYSECOND", (rule.start.second,))
    return sorted(first.replace(minute=minute, second=second) for minute, second in product(minutes, seconds))


def scan(rule: Drawn, first: datetime, end: datetime) -> list[datetime]:
    """Every local time in `[first, end)` that the rule means, each looked at by itself."""
    is_day = cache(lambda day: day_is_meant(rule, day))
    seen: dict[int, list[datetime]] = {}

    def is_meant(at: datetime) -> bool:
        if at < rule.start or (rule.period(at) - rule.period(rule.start)) % rule.interval:
            return False
        if not (time_is_meant(rule, at) and is_day(at.date())):
            return False
        if "BYSETPOS" not in rule.by:
            return True
        number = rule.period(at)
        if number not in seen:
            seen[number] = members(rule, at)
        row, place = seen[number], seen[number].index(at)
        return place + 1 in rule.by["BYSETPOS"] or place - len(row) in rule.by["BYSETPOS"]

    return [at for at in candidates(rule, first, end) if is_meant(at)]


def candidates(rule: Drawn, first: datetime, end: datetime) -> Iterator[datetime]:
    """Local times in `[first, end)`: every second, minute, or listed time of every day."""
    if FREQS.index(rule.freq) >= FREQS.index("DAILY"):
        for day in days_between(first.date(), end.date() + ONE_DAY):
            yield from (at for at in times_of_day(rule, day) if first <= at < end)
        return
    seconds = rule.by.get("BYSECOND", (rule.start.second,) if rule.freq != "SECONDLY" else tuple(range(60)))
    at = first.replace(second=0)
    while at < end:
        yield from (one for second in seconds if first <= (one := at.replace(second=second)) < end)
        at += MINUTE


def happens(local: datetime, name: str, gap: Gap, fold: Fold) -> set[datetime]:
    """The instants of a local time, by zoneinfo alone."""
    zone = ZoneInfo(name)
    early, late = (local.replace(tzinfo=zone, fold=which).astimezone(UTC) for which in (0, 1))
    if early.astimezone(zone).replace(tzinfo=None, fold=0) == local:
        return {Fold.FIRST: {early}, Fold.SECOND: {late}, Fold.BOTH: {early, late}}[fold]
    match gap:
        case Gap.SKIP:
            return set()
        case Gap.SHIFT:
            return {early}
    while late.astimezone(zone).utcoffset() != early.astimezone(zone).utcoffset():
        late += SECOND
    return {late}


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The days, in UTC, before which the zone's offset changed, from 1972 to 2037."""
    zone = ZoneInfo(name)
    days = [datetime(1972, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(66 * 365)]
    offsets = [day.astimezone(zone).utcoffset() for day in days]
    return tuple(day for day, before, after in zip(days[1:], offsets, offsets[1:], strict=False) if before != after)


def listed(low: int, high: int, *, size: int = 4, signed: bool = False) -> st.SearchStrategy[tuple[int, ...]]:
    number = st.integers(low, high)
    if signed:
        number = number | number.map(lambda value: -value)
    return st.frozensets(number, min_size=1, max_size=size).map(lambda values: tuple(sorted(values)))


PARTS: dict[str, st.SearchStrategy[tuple[int, ...]]] = {
    "BYMONTH": listed(1, 12, size=8),
    "BYWEEKNO": listed(1, 53, signed=True, size=6) | listed(1, 2, signed=True) | listed(51, 53, signed=True),
    "BYYEARDAY": listed(1, 366, signed=True, size=40),
    "BYMONTHDAY": listed(1, 31, signed=True, size=12),
    "BYHOUR": listed(0, 4, size=3) | listed(0, 23, size=3),
    "BYMINUTE": listed(0, 59, size=2) | st.just((0, 30)),
    "BYSECOND": listed(0, 59, size=2),
    "BYSETPOS": listed(1, 4, signed=True) | listed(1, 40, signed=True, size=8),
}


def allowed(freq: str) -> list[str]:
    """The parts that may stand beside a FREQ, by the RFC's table."""
    not_there = {
        "YEARLY": (),
        "MONTHLY": ("BYWEEKNO", "BYYEARDAY"),
        "WEEKLY": ("BYWEEKNO", "BYYEARDAY", "BYMONTHDAY"),
        "DAILY": ("BYWEEKNO", "BYYEARDAY"),
    }.get(freq, ("BYWEEKNO",))
    return [part for part in PARTS if part not in not_there and part != "BYSETPOS"]


@st.composite
def rules(draw: st.DrawFn, around: datetime, freqs: tuple[str, ...] = FREQS) -> Drawn:
    """A rule that starts at most some hundred periods before a moment, or a little after it."""
    freq = draw(st.sampled_from(freqs))
    chosen = draw(st.lists(st.sampled_from(allowed(freq)), max_size=3, unique=True))
    by = {part: draw(PARTS[part]) for part in chosen}
    places = freq in ("MONTHLY", "YEARLY") and "BYWEEKNO" not in by
    most = 5 if freq == "MONTHLY" or "BYMONTH" in by else 53
    place = st.integers(-most, most) if places else st.just(0)
    days = draw(st.just(()) | st.lists(st.tuples(place, st.integers(0, 6)), max_size=5, unique=True))
    if (by or days) and draw(st.booleans()):
        by["BYSETPOS"] = draw(PARTS["BYSETPOS"])
    sub_daily = FREQS.index(freq) < FREQS.index("DAILY")
    interval = draw(st.integers(1, 3) | st.integers(1, 200 if sub_daily else 14))
    reach = int(REACH[freq] * 86400)
    start = around + timedelta(seconds=draw(st.integers(-8 * reach, reach // 2)))
    if draw(st.booleans()):
        start = start.replace(second=0, minute=draw(st.sampled_from([0, 15, 30])))
    return Drawn(freq, interval, start, by, tuple(sorted(days)), draw(st.integers(0, 6)))


@st.composite
def situations(draw: st.DrawFn) -> tuple[Drawn, str, datetime]:
    name = draw(st.sampled_from(ZONES))
    change = draw(st.sampled_from(changes(name)))
    moment = change + timedelta(minutes=draw(st.integers(-1440, 0)))
    return draw(rules(moment.astimezone(ZoneInfo(name)).replace(tzinfo=None, fold=0))), name, moment


def built(rule: Drawn, name: str = "UTC", gap: Gap = Gap.SHIFT, fold: Fold = Fold.FIRST) -> RRule | None:
    """The trigger; None where it is refused because it never happens."""
    try:
        return RRule(rule.text, name, rule.start, gap=gap, fold=fold)
    except InvalidTrigger as error:
        if "never happens" not in str(error):
            raise
        return None


def stepped(step: Callable[[int], int | None], at: int | None, inside: Callable[[int], bool]) -> list[int]:
    found: list[int] = []
    while at is not None and (at := step(at)) is not None and inside(at):
        found.append(at)
    assert len(set(found)) == len(found)
    return found


@settings(max_examples=50, deadline=None)
@given(situation=situations(), gap=st.sampled_from(Gap), fold=st.sampled_from(Fold), part=st.integers(1, 99))
def test_a_rule_has_the_occurrences_that_a_scan_of_local_times_finds(
    situation: tuple[Drawn, str, datetime], gap: Gap, fold: Fold, part: int
) -> None:
    """Around a change of the clocks nothing is skipped or made up, forwards, backwards and counted."""
    rule, name, moment = situation
    reach = timedelta(days=REACH[rule.freq]) / 2
    shown = moment.astimezone(ZoneInfo(name)).replace(tzinfo=None, fold=0)
    margin = timedelta(hours=2 if rule.freq == "SECONDLY" and name != "Pacific/Apia" else 26)  # more than any change
    found = scan(rule, shown - reach - margin, shown + reach + margin)
    reach *= min(1.0, FOUND_MAX / max(1, len(found)))
    low, high = moment - reach, moment + reach
    near = [local for local in found if abs(local - shown) <= reach + margin]
    instants = {at for local in near for at in happens(local, name, gap, fold)}
    expected = [instant(at) for at in sorted(instants) if low < at <= high]
    start, end = instant(low), instant(high)
    middle = start + (end - start) * part // 100
    trigger = built(rule, name, gap, fold)
    if trigger is None:
        assert expected == []
        return
    assert stepped(trigger.next_after, start, lambda at: at <= end) == expected
    assert stepped(trigger.previous_before, end + 1, lambda at: at > start) == expected[::-1]
    assert trigger.count(start, end) == len(expected)
    assert trigger.count(start, middle) == sum(at <= middle for at in expected)
    assert trigger.count(middle, end) == sum(at > middle for at in expected)


def both_define(rule: Drawn) -> bool:
    """Whether dateutil means the same by such a rule.

    It takes BYWEEKNO alone for all days of the week, MO beside 1MO for days that are both, the first week of a rule
    with BYSETPOS from DTSTART on, and is not sure of the weeks at both ends of a year.
    """
    if len({place == 0 for place, _ in rule.days}) > 1:
        return False
    weeks = rule.by.get("BYWEEKNO", ())
    if weeks and (not rule.days or any(not 2 <= abs(week) <= 50 for week in weeks)):
        return False
    return not (rule.freq == "WEEKLY" and "BYSETPOS" in rule.by and rule.start.weekday() != rule.wkst)


@st.composite
def late_rules(draw: st.DrawFn) -> Drawn:
    """A rule that starts some periods before the end of the year 9999: dateutil has no other end of a search."""
    freq = draw(st.sampled_from(FREQS))
    end = local("9999-12-24T23:59:59" if freq == "WEEKLY" else "9999-12-31T23:59:59") - timedelta(days=REACH[freq] * 5)
    return draw(rules(end, (freq,)).filter(both_define))


def end_of(rule: Drawn) -> int:
    """Where the comparison ends: dateutil stumbles over weeks that reach beyond the year 9999."""
    return instant(datetime.fromisoformat("9999-12-25T00:00Z")) if rule.freq == "WEEKLY" else LATEST


def dateutil_says(rule: Drawn) -> list[int]:
    """All occurrences; where dateutil finds by itself that there are none, it refuses the rule."""
    found = []
    try:
        for at in rrulestr(rule.text, dtstart=rule.start):
            found.append(instant(at.replace(tzinfo=UTC)))
    except ValueError as error:
        if "Invalid" not in str(error) and "year 10000" not in str(error):
            raise
    return [at for at in found if at < end_of(rule)]


@settings(max_examples=150, deadline=None)
@given(rule=late_rules(), part=st.integers(0, 99))
def test_on_naive_times_a_rule_means_what_dateutil_says(rule: Drawn, part: int) -> None:
    """Both find the same local times from the start to the end of the calendar."""
    theirs = dateutil_says(rule)
    ours = built(rule)
    if ours is None:
        assert theirs == []
        return
    end = end_of(rule)
    first = instant(rule.start.replace(tzinfo=UTC))
    middle = first + (end - first) * part // 100
    early, late = (theirs[FOUND_MAX], theirs[-FOUND_MAX]) if len(theirs) > FOUND_MAX else (end, 0)
    assert stepped(ours.next_after, first - 1, lambda at: at < early) == theirs[:FOUND_MAX]
    assert stepped(ours.previous_before, end, lambda at: at >= late) == theirs[: -FOUND_MAX - 1 : -1]
    assert ours.count(middle, end - 1) == sum(at > middle for at in theirs)
    assert ours.count(first - 1, middle) == sum(at <= middle for at in theirs)
    counted = RRule(f"{rule.text};COUNT=3", start=rule.start)
    assert stepped(counted.next_after, first - 1, lambda at: at < end) == theirs[:3]
