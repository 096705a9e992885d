"""Calendars and places of a file: what schedules take from them, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import Site
from trioarm.config.additions import read_additions
from trioarm.config.known import knowing, ready, waiting
from trioarm.core.codec import structure_schedule, unstructure_schedule
from trioarm.core.errors import ConfigurationError
from trioarm.core.triggers import Calendar, Cron, Events, EventSpans, Exclude, Intersect, Sun
from trioarm.core.triggers.day_calendars import DayCalendar, calendar_spans
from trioarm.feeds.source import FeedSource

HOME = '[site.home]\ntimezone = "Europe/Prague"\nlatitude = 50.08\nlongitude = 14.43\n'
CABIN = '[site.cabin]\ntimezone = "Europe/Prague"\nlatitude = 50.7\nlongitude = 15\n'
HOUSE = HOME + '[partition.house]\nsite = "home"\n'
HUT = CABIN + '[partition.hut]\nsite = "cabin"\n'
DUSK = '[[schedule]]\nname = "dusk"\npartition = "house"\ntarget = "armed_night"\n'
WORK = '[calendar.work]\ncountry = "CZ"\ndates = [2026-12-23, "2026-12-27/2027-01-02", "12-31"]\n'
WORK += 'weekdays = ["mon", "tue"]\n'
CLOCK = '[[schedule]]\nname = "clock"\nhandler = "log"\ncron = "30 6 * * *"\n'
CALENDAR = DayCalendar("CZ", dates=["2026-12-23", "2026-12-27/2027-01-02", "12-31"], weekdays=["mon", "tue"])
NOWHERE = "is seen from nowhere: give latitude = 50.08 and longitude = 14.43 here, or to the site"


def test_a_site_may_say_where_it_is(tmp_path: Path) -> None:
    """The sun of its partitions' schedules is seen from there."""
    text = HOUSE + DUSK + 'sun = { event = "sunset", offset = "-30m", latest = "22:00" }\n'
    premises = config_of(tmp_path, text).premises
    assert premises.sites == {"home": Site("home", "Europe/Prague", 50.08, 14.43)}
    assert premises.schedules[0].schedule.trigger == Sun(
        "sunset", 50.08, 14.43, "Europe/Prague", offset_s=-1800, latest="22:00"
    )


def test_the_short_form_of_the_sun_is_enough(tmp_path: Path) -> None:
    """With a site that knows where it is; a schedule without one says where itself."""
    (arming,) = config_of(tmp_path, HOUSE + DUSK + 'sun = "dusk"\n').premises.schedules
    assert arming.schedule.trigger == Sun("dusk", 50.08, 14.43, "Europe/Prague")
    plain = '[[schedule]]\nname = "a"\nhandler = "log"\nsun = "dusk"\n'
    assert problems_of(tmp_path, HOUSE + plain) == (f'schedule "a".sun: {NOWHERE}',)


def test_partitions_of_two_places_see_no_sun_in_common(tmp_path: Path) -> None:
    """One zone is not one place: whose sunset is meant has to be said."""
    text = HOUSE + HUT + DUSK.replace('partition = "house"', 'partitions = ["house", "hut"]')
    assert problems_of(tmp_path, text + 'sun = "dusk"\n') == (f'schedule "dusk".sun: {NOWHERE}',)
    said = 'sun = { event = "dusk", latitude = 50, longitude = 15 }\n'
    (arming,) = config_of(tmp_path, text + said).premises.schedules
    assert arming.schedule.trigger == Sun("dusk", 50, 15, "Europe/Prague")


def test_a_calendar_is_meant_by_its_name(tmp_path: Path) -> None:
    """Wherever it stands in the file; and the stored schedule can be read without it."""
    config = config_of(tmp_path, CLOCK + 'on = { days = "workday", calendar = "work" }\n' + WORK)
    (schedule,) = config.schedules
    assert config.calendars == {"work": CALENDAR}
    assert schedule.trigger == Intersect([Cron("30 6 * * *"), calendar_spans("workday", CALENDAR, "UTC")])
    assert structure_schedule(unstructure_schedule(schedule)) == schedule


def test_schedules_that_arm_know_calendars_too(tmp_path: Path) -> None:
    """Their days are those of the site's zone."""
    text = WORK + HOUSE + DUSK + 'cron = "0 22 * * *"\nnot_on = { days = "before_holiday", calendar = "work" }\n'
    trigger = config_of(tmp_path, text).premises.schedules[0].schedule.trigger
    assert trigger.describe() == (
        "every day at 22:00 in Europe/Prague, except on days before a holiday of CZ "
        "with holidays on 12-31 and 2026-12-23 and 2026-12-27/2027-01-02 in Europe/Prague"
    )


def test_schedules_added_by_command_know_the_calendars_of_the_file(tmp_path: Path) -> None:
    """They are read beside those of the file, by the same words."""
    tree = {"name": "a", "handler": "log", "cron": "@daily", "on": {"days": "workday", "calendar": "work"}}
    (schedule,) = read_additions(config_of(tmp_path, WORK), [tree], "me")
    assert schedule.trigger == Intersect([Cron("@daily"), calendar_spans("workday", CALENDAR, "UTC")])


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (HOME.replace("longitude = 14.43\n", ""), ("site.home.longitude: is missing: latitude alone is no place",)),
        (HOME.replace("latitude = 50.08\n", ""), ("site.home.latitude: is missing: longitude alone is no place",)),
        (HOME.replace("50.08", "95"), ("site.home.latitude: latitude 95.0 is no number from -90 to 90",)),
        (HOME.replace("14.43", "'x'"), ('site.home.longitude: "x" is no number: write it like 1.5',)),
        (HOME.replace("longitude", "longtude"), (
            "site.home.longitude: is missing: latitude alone is no place",
            "site.home.longtude: unknown key; did you mean longitude?",
        )),
        ("calendar = 5", ("calendar: 5 is no table: write it like { key = value }",)),
        (
            "[calendar.cz]\n",
            ('calendar.cz: there are no holidays without a country or dates: write them, like country = "CZ"',),
        ),
        (
            "[calendar.cz]\ncountry = 'CZ'\nsubdivison = 'x'\n",
            ("calendar.cz.subdivison: unknown key; did you mean subdivision?",),
        ),
        (
            "[calendar.cz]\ncountry = 'Czech'\n" + CLOCK + "on = { days = 'workday', calendar = 'cz' }",
            ('calendar.cz.country: country "Czech" is unknown; did you mean CZ?',),  # nobody else is blamed for it
        ),
        (
            "[calendar.'My own']\ndates = '12-24'\n",
            (
                "calendar.\"My own\": calendar 'My own': a name starts with a small letter or digit "
                "and goes on with up to 62 more of a-z 0-9 . _ / -",
            ),
        ),
        (
            CLOCK + "on = { days = 'workday', calendar = 'wrk' }\n" + WORK,
            ('schedule "clock".on.calendar: there is no calendar "wrk"; did you mean work?',),
        ),
        (
            CLOCK + "on = { days = 'workday', calendar = 'wrk' }",
            ('schedule "clock".on.calendar: there is no calendar "wrk"; there is none',),
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_one_line(text: str, lines: tuple[str, ...], tmp_path: Path) -> None:
    """With its path, its value and what would be right."""
    assert problems_of(tmp_path, text) == lines


SCHOOL = '[calendar.school]\nics = "school.ics"\n'
BELL = '[[schedule]]\nname = "bell"\nhandler = "log"\n'
UNREAD = Events.unread("school")


def test_a_calendar_may_be_one_of_events(tmp_path: Path) -> None:
    """A file lies beside the one that names it, times without a zone are those of the node, or of its own."""
    config = config_of(tmp_path, f'[scheduler]\ntimezone = "Europe/Prague"\n{SCHOOL}')
    path = str(tmp_path / "school.ics")
    assert config.feeds == {"school": FeedSource(name="school", address=path, timezone="Europe/Prague")}
    assert config.calendars == {}
    text = SCHOOL.replace('"school.ics"', '"webcal://example.org/x"') + 'refresh = "6h"\ntimezone = "Asia/Tokyo"\n'
    asked = FeedSource(name="school", address="webcal://example.org/x", timezone="Asia/Tokyo", refresh_s=21600)
    assert config_of(tmp_path, text).feeds == {"school": asked}


def test_an_address_may_be_secret(tmp_path: Path) -> None:
    """It may come from a variable, and nothing that is said of a mistake in it, or of the calendar, shows it."""
    text = '[calendar.school]\nics = { env = "SCHOOL" }\n'
    config = config_of(tmp_path, text, {"SCHOOL": "https://example.org/secret"})
    assert config.feeds["school"].address == "https://example.org/secret"
    assert "secret" not in repr(config.feeds)
    (problem,) = problems_of(tmp_path, text, {"SCHOOL": "gopher://example.org/secret"})
    assert problem.startswith("calendar.school.ics: the address is none of the web")
    assert "secret" not in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('ics = { env = "SCHOOL" }', '.ics: environment variable "SCHOOL" is not set: it should hold the address'),
        ('ics = { file = "x" }', '.ics: is an address, or says where one is: { env = "SCHOOL_ICS" }'),
        ("ics = 1", '.ics: is an address, or says where one is: { env = "SCHOOL_ICS" }'),
        ('ics = " "', '.ics: names no file: write it like ics = "school.ics", or an address of the web'),
        ('ics = "https://"', ".ics: the address is none of the web: write it like https://example.org/school.ics"),
        ('ics = "a"\nrefresh = "59s"', '.refresh: "59s" is outside 1m to 7d'),
        ('ics = "a"\ntimezone = "Mars"', ".timezone: time zone 'Mars' is unknown"),
        ('ics = "a"\ncountry = "CZ"', ".country: stands beside ics: a calendar has days or events"),
        ('ics = "a"\nrefesh = "1h"', ".refesh: unknown key; did you mean refresh?"),
        ('refresh = "1h"', ".refresh: belongs to a calendar of events: say where they are"),
    ],
)
def test_a_mistake_in_a_calendar_of_events_is_one_clear_line(tmp_path: Path, text: str, problem: str) -> None:
    """It says where, what, and what would be right."""
    found = problems_of(tmp_path, f"[calendar.school]\n{text}\n")
    assert found[0].startswith(f"calendar.school{problem}")


def test_a_name_leaves_room_for_the_schedule_that_refreshes_it(tmp_path: Path) -> None:
    """Which has a name of its own."""
    (problem,) = problems_of(tmp_path, SCHOOL.replace("school]", f"{'s' * 47}]"))
    assert "the schedule that refreshes it" in problem


def test_schedules_name_calendars_of_events_before_anybody_has_read_them(tmp_path: Path) -> None:
    """At their edges, during them, or not during them."""
    text = SCHOOL + BELL + 'calendar = "school"\n'
    assert config_of(tmp_path, text).schedules[0].trigger == Calendar(UNREAD)
    text = SCHOOL + BELL + 'cron = "0 6 * * *"\nnot_on = { during = "school" }\n'
    assert config_of(tmp_path, text).schedules[0].trigger == Exclude([Cron("0 6 * * *"), EventSpans(UNREAD)])
    text = SCHOOL + BELL + 'cron = "0 6 * * *"\non = { during = "school" }\n'
    assert config_of(tmp_path, text).schedules[0].trigger == Intersect([Cron("0 6 * * *"), EventSpans(UNREAD)])


def test_days_and_events_are_told_apart(tmp_path: Path) -> None:
    """Who names a calendar of the other kind is told how to write it."""
    text = SCHOOL + WORK + BELL
    assert problems_of(tmp_path, text + 'calendar = "work"\n') == (
        'schedule "bell".calendar: calendar "work" has days, not events: write { days = "holiday", calendar = "work" }',
    )
    wrong = 'cron = "0 6 * * *"\nnot_on = { days = "holiday", calendar = "school" }\n'
    assert problems_of(tmp_path, text + wrong) == (
        'schedule "bell".not_on.calendar: calendar "school" has events, not days: write { during = "school" }',
    )


def test_what_is_known_of_a_calendar_reaches_every_schedule_that_names_it(tmp_path: Path) -> None:
    """Until then they wait, and are left out; those that arm as well."""
    arms = HOUSE + '[[schedule]]\nname = "night"\npartition = "house"\ntarget = "armed_night"\n'
    arms += 'cron = "30 22 * * *"\nnot_on = { during = "school" }\n'
    config = config_of(tmp_path, SCHOOL + BELL + 'calendar = "school"\n' + CLOCK + arms)
    assert waiting(config) == {"school": ("bell", "night")}
    left = ready(config)
    assert ([one.name for one in left.schedules], left.premises.schedules) == (["clock"], ())
    events = Events("school", [(0, 1)], 2)
    known = knowing(config, {"school": events})
    assert waiting(known) == {}
    assert ready(known) == known
    assert known.schedules[0].trigger == Calendar(events)
    assert known.premises.schedules[0].schedule.trigger == Exclude(
        [Cron("30 22 * * *", "Europe/Prague"), EventSpans(events)]
    )
    assert known.schedules[1] is config.schedules[1]


def test_what_is_added_by_command_knows_calendars_or_is_refused(tmp_path: Path) -> None:
    """A schedule nobody could say the next instant of is not stored."""
    config, tree = config_of(tmp_path, SCHOOL), {"name": "bell", "handler": "log", "calendar": "school"}
    events = Events("school", [(0, 1)], 2)
    (schedule,) = read_additions(config, [tree], "cli", {"school": events})
    assert schedule.trigger == Calendar(events)
    with pytest.raises(ConfigurationError) as refused:
        read_additions(config, [tree], "cli")
    assert refused.value.problems == ('schedule "bell": no node has read calendar school yet: wait until one has',)
