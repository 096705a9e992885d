"""Declared schedules: whose they are, which of them arm, and where they clash."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.model import ArmingSchedule, Target
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Cron, Every, Weekly

HOUSES = """
[site.home]
timezone = "Europe/Prague"
[site.cabin]
timezone = "America/New_York"
[partition.house]
site = "home"
allow_disarm = true
[partition.garage]
site = "home"
[partition.hut]
site = "cabin"
"""
NIGHT = 'weekly = { days = ["mon"], at = "22:30" }'


def arming(name: str, keys: str, *, when: str = NIGHT) -> str:
    """Return the text of a schedule that arms."""
    return f'\n[[schedule]]\nname = "{name}"\n{when}\n{keys}\n'


def test_a_declared_schedule_belongs_to_its_file(tmp_path: Path) -> None:
    """What a file declares is owned by it, so that it can be kept in step (S5.8)."""
    config = config_of(tmp_path, '[[schedule]]\nname = "beat"\nhandler = "log"\nevery = "10s"')
    assert config.schedules == (Schedule("beat", Every(10), handler="log", owner="file:scheduler.toml"),)
    assert config.owner == "file:scheduler.toml"


def test_local_times_are_those_of_the_node_where_nothing_is_said(tmp_path: Path) -> None:
    """[scheduler] timezone is the default of schedules; a schedule's own is stronger."""
    text = """
    [scheduler]
    timezone = "Europe/Prague"
    [[schedule]]
    name = "a"
    handler = "log"
    cron = "@daily"
    [[schedule]]
    name = "b"
    handler = "log"
    cron = "@daily"
    timezone = "UTC"
    """
    assert [each.trigger for each in config_of(tmp_path, text).schedules] == [
        Cron("@daily", "Europe/Prague"),
        Cron("@daily", "UTC"),
    ]


def test_without_daylight_saving_declared_schedules_ignore_it(tmp_path: Path) -> None:
    """features.dst = false makes every declared local time standard time, in the file or by variable (S4.5)."""
    text = HOUSES + arming("night", 'partition = "house"\ntarget = "armed_night"')
    text += '[[schedule]]\nname = "b"\nhandler = "log"\ncron = "@daily"\n'
    for config in (
        config_of(tmp_path, "[features]\ndst = false\n" + text),
        config_of(tmp_path, text, {"SCHEDULER_ENABLE_DST": "false"}),
    ):
        assert config.schedules[0].trigger == Cron("@daily", dst=False)
        assert config.premises.schedules[0].schedule.trigger == Weekly("mon", "22:30", "Europe/Prague", dst=False)


def test_a_schedule_with_a_partition_arms(tmp_path: Path) -> None:
    """Partition and target make an arming schedule, in the site's local time, warnings longest first (A1.5)."""
    keys = 'partition = "house"\ntarget = "armed_night"\nwarn = ["1m", "15m", "60s"]\npriority = 7'
    config = config_of(tmp_path, HOUSES + arming("weeknight", keys))
    assert config.schedules == ()
    assert config.premises.schedules == (
        ArmingSchedule(
            schedule=Schedule(
                "weeknight",
                Weekly("mon", "22:30", "Europe/Prague"),
                handler="arm",
                owner="file:scheduler.toml",
                priority=7,
            ),
            partitions=("house",),
            target=Target.ARMED_NIGHT,
            warn_s=(900, 60),
        ),
    )


def test_several_partitions_are_named_in_a_list(tmp_path: Path) -> None:
    """Partitions are kept in their order."""
    config = config_of(tmp_path, HOUSES + arming("night", 'partitions = ["garage", "house"]\ntarget = "armed_away"'))
    assert config.premises.schedules[0].partitions == ("garage", "house")


def test_partitions_of_different_zones_share_the_zone_that_is_said(tmp_path: Path) -> None:
    """With a time zone of its own a schedule may arm what lies in different ones; real time needs none."""
    keys = 'partitions = ["house", "hut"]\ntarget = "armed_away"\n'
    config = config_of(tmp_path, HOUSES + arming("night", keys + 'timezone = "UTC"'))
    assert config.premises.schedules[0].schedule.trigger == Weekly("mon", "22:30", "UTC")
    assert config_of(tmp_path, HOUSES + arming("night", keys, when='once = "2026-12-24T18:00:00Z"'))


ARMED = 'partition = "house"\ntarget = "armed_night"\n'


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ('partition = "hose"\ntarget = "armed_night"', '.partition: there is no partition "hose"; did you mean house?'),
        (
            'partitions = ["house", "gate"]\ntarget = "armed_night"',
            '.partitions: there is no partition "gate"; did you mean garage?',
        ),
        ('target = "armed_night"', ": names no partition; there is house, garage, hut"),
        ('partitions = []\ntarget = "armed_night"', ": names no partition; there is house, garage, hut"),
        ('partitions = ["house", "house"]\ntarget = "armed_night"', ".partitions: house is named twice"),
        (ARMED + 'partitions = ["garage"]', ".partitions: stands beside partition: give one of the two"),
        (
            'partition = "house"',
            ".target: is missing: say what to become: disarmed, armed_home, armed_away, armed_night, armed_vacation, "
            "armed_custom_bypass",
        ),
        ('partition = "house"\ntarget = "armed_nigt"', '.target: "armed_nigt" is unknown; did you mean armed_night?'),
        (
            ARMED + 'handler = "log"',
            ".handler: a schedule that arms has its own handler: leave it out, or leave out the partition",
        ),
        (ARMED + "args = {}", ".args: a schedule that arms has its own args: leave it out, or leave out the partition"),
        (
            ARMED + 'lane = "x"',
            ".lane: a schedule that arms has its own lane: leave it out, or leave out the partition",
        ),
        (
            ARMED + "supersede = false",
            ".supersede: a schedule that arms has its own supersede: leave it out, or leave out the partition",
        ),
        (ARMED + 'warn = ["2d"]', '.warn: "2d" is outside 1s to 1d'),
        (ARMED + 'warn = "5m"', '.warn: "5m" is no list: put it between [ and ]'),
        (ARMED + f"warn = {[*range(1, 12)]}", ".warn: 11 warnings are too many: at most 10"),
        (
            'partition = "house"\ntarget = "disarmed"\nwarn = ["5m"]',
            ".warn: people are warned before arming, not before disarming: leave it out",
        ),
        (
            'partition = "garage"\ntarget = "disarmed"',
            '.target: "disarmed" needs leave: add allow_disarm = true to [partition.garage] if schedules may disarm it',
        ),
        (
            'partitions = ["house", "hut"]\ntarget = "armed_away"',
            ".timezone: is missing: the partitions lie in different time zones, so say whose time is meant",
        ),
        (ARMED + 'owner = "me"', ".owner: what a file declares is owned by it, file:scheduler.toml: leave it out"),
        (ARMED + "warm = []", ".warm: unknown key; did you mean warn?"),
    ],
)
def test_a_mistake_in_an_arming_schedule_is_one_line(keys: str, line: str, tmp_path: Path) -> None:
    """What is wrong is said once, with its path, its value and what would be right."""
    assert problems_of(tmp_path, HOUSES + arming("night", keys)) == (f'schedule "night"{line}',)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("schedule = 5", "schedule: write [[schedule]], with two brackets on each side: there can be many"),
        ("[schedule]\n", "schedule: write [[schedule]], with two brackets on each side: there can be many"),
        ("schedule = [5]", "schedule[0]: 5 is no table: write it like { key = value }"),
        (
            '[[schedule]]\nname = "a"\nhandler = "log"\nevery = "1m"\n[[schedule]]\nhandler = "log"\nevery = "1m"',
            'schedule[1].name: is missing: write one like name = "backup"',
        ),
        (
            '[[schedule]]\nname = "a"\nhandler = "log"\nevery = "1m"\nowner = "me"',
            'schedule "a".owner: what a file declares is owned by it, file:scheduler.toml: leave it out',
        ),
        (
            '[[schedule]]\nname = "a"\nhandler = "log"\nevery = "1m"\npartion = "house"',
            'schedule "a".partion: unknown key; did you mean partition?',
        ),
    ],
)
def test_a_mistake_in_a_schedule_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """A schedule without a usable name goes by its place in the file, from 0 on."""
    assert problems_of(tmp_path, text) == (line,)


def test_the_lane_of_a_partition_is_kept_for_arming(tmp_path: Path) -> None:
    """Another run in it could hold up an arm; other lanes are free, whatever they are called."""
    own = '[[schedule]]\nname = "backup"\nhandler = "log"\nevery = "1h"\nlane = "{}"\n'
    (line,) = problems_of(tmp_path, HOUSES + own.format("partition/house"))
    assert line == (
        'schedule "backup".lane: "partition/house" belongs to partition house and to the schedules that arm it: '
        "choose another"
    )
    for lane in ("house", "partition/elsewhere"):
        assert problems_of(tmp_path, HOUSES + own.format(lane)) == ()


BEAT = '\n[[schedule]]\nname = "{}"\nhandler = "log"\nevery = "1m"\n'


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    """A second schedule of a name is refused."""
    line = 'schedule "a".name: "a" is taken by schedule "a": choose another'
    assert problems_of(tmp_path, BEAT.format("a") * 2) == (line,)


def test_schedules_made_of_an_arming_schedule_take_their_names(tmp_path: Path) -> None:
    """`night/house` comes of `night`, so nothing else can have that name, whichever stands first (A1.5)."""
    night, other = arming("night", ARMED), BEAT.format("night/house")
    line = 'schedule "{}".name: "night/house" is taken by schedule "{}": choose another'
    assert problems_of(tmp_path, HOUSES + night + other) == (line.format("night/house", "night"),)
    assert problems_of(tmp_path, HOUSES + other + night) == (line.format("night", "night/house"),)


def test_a_name_leaves_room_for_the_partition(tmp_path: Path) -> None:
    """A name that is too long once the partition is added is refused before anything is made of it."""
    (line,) = problems_of(tmp_path, HOUSES + arming("n" * 60, ARMED))
    assert line.endswith("/house would have more than 63 characters")


def test_a_contradiction_is_refused(tmp_path: Path) -> None:
    """Two targets for one partition at the same instants with the same priority cannot both be meant (A4.4)."""
    other = 'partitions = ["garage", "house"]\ntarget = "armed_away"\n'
    assert problems_of(tmp_path, HOUSES + arming("a", ARMED) + arming("b", other)) == (
        'schedule "b": wants house armed_away whenever "a" wants it armed_night: '
        "give one another time or a higher priority",
    )


@pytest.mark.parametrize(
    "other",
    [
        arming("b", 'partition = "house"\ntarget = "armed_night"'),
        arming("b", 'partition = "garage"\ntarget = "armed_away"'),
        arming("b", 'partition = "house"\ntarget = "armed_away"\npriority = 6'),
        arming("b", 'partition = "house"\ntarget = "armed_away"', when='cron = "0 23 * * *"'),
    ],
    ids=["same target", "other partition", "other priority", "other time"],
)
def test_what_only_looks_like_a_contradiction_is_allowed(other: str, tmp_path: Path) -> None:
    """Same target, another partition, another priority or another time is no contradiction."""
    assert problems_of(tmp_path, HOUSES + arming("a", ARMED) + other) == ()
