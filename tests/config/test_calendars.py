"""Calendars and places of a file: what schedules take from them, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import Site
from trioarm.config.additions import read_additions
from trioarm.core.codec import structure_schedule, unstructure_schedule
from trioarm.core.triggers import Cron, Intersect, Sun
from trioarm.core.triggers.day_calendars import DayCalendar, calendar_spans

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
