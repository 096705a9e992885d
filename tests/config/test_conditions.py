"""Conditions in a file, and schedules that depend on them: what can be said, and what is said of mistakes (A4.5)."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from tests.config.writing import config_of, problems_of
from trioarm.arming.compile import ASKS_S, attempt_s, depends_in, engine_schedules
from trioarm.arming.conditions.settings import (
    ON_ONE_MAX,
    CommandCondition,
    Depends,
    HomeAssistantCondition,
    MqttCondition,
    OnUnknown,
    PartitionCondition,
)
from trioarm.arming.model import Reported, Target
from trioarm.config.conditions import CONDITIONS_MAX
from trioarm.config.config import compile_problems
from trioarm.config.takeover import take_over
from trioarm.config.unheeded import unheeded

HOUSE = (
    '[site.home]\ntimezone = "Europe/Prague"\n[mqtt.home]\nhost = "broker.lan"\n'
    '[homeassistant.home]\nurl = "http://homeassistant.lan:8123"\ntoken = { env = "HOME_TOKEN" }\n'
    '[partition.house]\nsite = "home"\nallow_disarm = true\n'
)
OUT = '[condition.out]\nkind = "command"\nrun = ["true"]\n[condition.ill]\nkind = "command"\nrun = ["false"]\n'
NIGHT = '[[schedule]]\nname = "night"\npartition = "house"\ntarget = "armed_away"\nevery = "24h"\n'
TOPIC = 'kind = "mqtt"\nbroker = "home"\ntopic = "presence"\nyes = ["home"]\nno = ["away"]\n'
ENTITY = 'kind = "homeassistant"\ninstance = "home"\nentity = "group.family"\nyes = ["home"]\nno = ["not_home"]\n'
PANEL = 'kind = "partition"\npartition = "house"\nyes = ["armed_away"]\n'


def test_every_kind_of_condition_is_read(tmp_path: Path) -> None:
    """All that each says, and what it need not say."""
    text = (
        f'[condition.a]\n{PANEL}timeout = "5s"\n[condition.b]\nkind = "command"\nrun = ["ping", "-c1", "phone"]\n'
        f'[condition.c]\n{TOPIC}path = "who.0"\nmax_age = "2h"\n[condition.d]\n{ENTITY}'
    )
    assert config_of(tmp_path, HOUSE + text).premises.conditions == {
        "a": PartitionCondition(name="a", partition="house", yes=frozenset({Reported.ARMED_AWAY}), timeout_s=5.0),
        "b": CommandCondition(name="b", run=("ping", "-c1", "phone")),
        "c": MqttCondition(
            name="c",
            broker="home",
            topic="presence",
            path="who.0",
            yes=frozenset({"home"}),
            no=frozenset({"away"}),
            max_age_s=7200.0,
        ),
        "d": HomeAssistantCondition(
            name="d", instance="home", entity="group.family", yes=frozenset({"home"}), no=frozenset({"not_home"})
        ),
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", 'kind: is missing: say whom to ask, like kind = "partition": there is partition, command, mqtt, home'),
        ('kind = "mqqt"', 'kind: "mqqt" is no kind of condition; did you mean mqtt?'),
        (PANEL.replace("house", "hose"), 'partition: there is no partition "hose"; did you mean house?'),
        ('kind = "partition"\npartition = "house"', "yes: is missing: say in which states it holds, like"),
        (PANEL.replace("armed_away", "armed"), 'yes: "armed" is unknown'),
        (PANEL.replace('"armed_away"', ""), "yes: names no state: write it like"),
        (PANEL.replace("armed_away", "unavailable"), 'yes: "unavailable" is what is reported when nobody can tell'),
        ('kind = "command"', "run: is missing: name the program, like run ="),
        ('kind = "command"\nrun = []', "run: names no program: write it like"),
        ('kind = "command"\nrun = "true"', 'run: "true" is no list: put it between [ and ]'),
        ('kind = "command"\nrun = ["true"]\ntimeout = "1m"', 'timeout: "1m" is outside 1s to 20s'),
        (TOPIC.replace('"home"\nt', '"hut"\nt'), 'broker: there is no broker "hut"; there is home'),
        (TOPIC.replace('"presence"', '"a/#"'), "topic: "),
        (TOPIC.replace('no = ["away"]', ""), 'no: is missing: say for which words it does not, like no = ["off"]'),
        (TOPIC.replace('["away"]', '["home"]'), 'no: "home" means yes, too: a word means one of the two'),
        (TOPIC.replace('["away"]', "[]"), "no: 0 words: there must be 1 to 100"),
        (TOPIC.replace('["away"]', '[""]'), 'no: "" is no word: it has 1 to 100 characters'),
        (TOPIC + 'path = "a..b"', 'path: "a..b" is no path'),
        (TOPIC + 'max_age = "0s"', 'max_age: "0s" is outside 1s to 30d'),
        (ENTITY.replace('"home"\ne', '"hut"\ne'), 'instance: there is no homeassistant "hut"; there is home'),
        (ENTITY.replace("group.family", "Family"), 'entity: "Family" is no entity: those are like "group.family"'),
        (ENTITY + 'max_age = "2h"', "max_age: unknown key"),
    ],
)
def test_a_mistake_with_a_condition_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """With its path, its value and what would be right."""
    [problem] = problems_of(tmp_path, f"{HOUSE}[condition.in]\n{text}")
    assert problem.startswith(f"condition.in.{line}")


def test_there_are_not_too_many(tmp_path: Path) -> None:
    """Each may keep a topic, or an entity, under watch."""
    text = "".join(f'[condition.c{number}]\nkind = "command"\nrun = ["true"]\n' for number in range(CONDITIONS_MAX + 1))
    assert problems_of(tmp_path, text) == ("condition: 101 conditions are too many: at most 100",)


# Schedules


@pytest.mark.parametrize(
    ("text", "depends"),
    [
        ("", None),
        ('only_if = "out"', Depends(only_if=("out",))),
        ('not_if = ["ill"]\non_unknown = "wait"', Depends(not_if=("ill",), on_unknown=OnUnknown.WAIT)),
        (
            'only_if = ["out"]\nnot_if = ["ill"]\notherwise = "armed_night"',
            Depends(only_if=("out",), not_if=("ill",), otherwise=Target.ARMED_NIGHT),
        ),
    ],
)
def test_a_schedule_depends_on_what_it_says(text: str, depends: Depends | None, tmp_path: Path) -> None:
    """And so does each that the engine runs, in its arguments, with the time to ask; what warns of it does not."""
    config = config_of(tmp_path, HOUSE + OUT + NIGHT + 'warn = ["5m"]\n' + text)
    [arming] = config.premises.schedules
    assert arming.depends == depends
    schedule, warning = engine_schedules(config.premises)
    assert depends_in(schedule.args) == depends
    assert depends_in(warning.args) is None
    asks_s = 0.0 if depends is None else ASKS_S
    assert schedule.timeout_s == attempt_s(config.premises.partitions["house"]) + asks_s


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('only_if = ["outt"]', 'only_if: there is no condition "outt"; did you mean out?'),
        ("only_if = []", "only_if: names no condition: leave it out"),
        ('only_if = ["out", "out"]', "only_if: out is named twice"),
        ('only_if = ["out"]\nnot_if = ["out"]', "not_if: out is in only_if, too: both together are never so"),
        ('on_unknown = "wait"', "on_unknown: is of no use without only_if or not_if"),
        ('otherwise = "armed_home"', "otherwise: is of no use without only_if or not_if"),
        ('only_if = "out"\non_unknown = "hope"', 'on_unknown: "hope" is unknown; there is proceed, wait, block'),
        ('only_if = "out"\notherwise = "armed_away"', 'otherwise: "armed_away" is the target, too'),
        ('only_if = "out"\notherwise = "disarmed"', "otherwise: a schedule that arms does not disarm instead"),
    ],
)
def test_a_mistake_with_what_it_depends_on_is_one_line(text: str, line: str, tmp_path: Path) -> None:
    """With its path, and what would be right."""
    [problem] = problems_of(tmp_path, HOUSE + OUT + NIGHT + text)
    assert problem.startswith(f'schedule "night".{line}')


def test_what_disarms_does_not_arm_instead(tmp_path: Path) -> None:
    """That is another schedule."""
    text = NIGHT.replace("armed_away", "disarmed") + 'only_if = "out"\notherwise = "armed_home"'
    [problem] = problems_of(tmp_path, HOUSE + OUT + text)
    assert problem.startswith('schedule "night".otherwise: a schedule that disarms does not arm instead')


def test_one_schedule_depends_on_a_few(tmp_path: Path) -> None:
    """All are asked each time."""
    names = [f"c{number}" for number in range(ON_ONE_MAX + 1)]
    conditions = "".join(f'[condition.{name}]\nkind = "command"\nrun = ["true"]\n' for name in names)
    [problem] = problems_of(tmp_path, f"{HOUSE}{conditions}{NIGHT}only_if = {names!r}")
    assert problem == 'schedule "night".only_if: 11 conditions are too many for one schedule: at most 10'


def test_what_does_not_arm_depends_on_nothing(tmp_path: Path) -> None:
    """The engine knows nothing of conditions."""
    text = '[[schedule]]\nname = "tick"\nevery = "1h"\nhandler = "log"\nonly_if = ["out"]\n'
    assert problems_of(tmp_path, HOUSE + OUT + text) == (
        'schedule "tick".only_if: is for schedules that arm: name a partition, or leave it out',
    )


@pytest.mark.parametrize(
    ("depends", "line"),
    [
        (Depends(only_if=("gone",)), "there is no condition 'gone'"),
        (Depends(only_if=("out",), otherwise=Target.DISARMED), "otherwise is for what arms, and does not disarm"),
    ],
)
def test_what_is_made_in_code_is_judged_too(depends: Depends, line: str, tmp_path: Path) -> None:
    """With the name of the schedule."""
    premises = config_of(tmp_path, HOUSE + OUT + NIGHT).premises
    wrong = tuple(attrs.evolve(one, depends=depends) for one in premises.schedules)
    assert list(compile_problems(attrs.evolve(premises, schedules=wrong))) == [f'schedule "night": night: {line}']


def test_an_exception_that_names_the_other_mode_leaves_nothing_to_choose(tmp_path: Path) -> None:
    """Its target is what the conditions are about; that it should not be instead of itself."""
    text = NIGHT + 'only_if = "out"\notherwise = "armed_night"\n'
    exception = '[[exception]]\non = "2026-12-24"\nschedule = "night"\ntarget = "armed_night"\n'
    config = config_of(tmp_path, HOUSE + OUT + text + exception)
    assert len(config.premises.declared_exceptions) == 1
    [arming] = config.premises.schedules
    changed = attrs.evolve(arming, target=Target.ARMED_NIGHT)
    [schedule] = engine_schedules(attrs.evolve(config.premises, schedules=(changed,)))
    assert depends_in(schedule.args) == Depends(only_if=("out",))


def test_a_condition_that_nothing_depends_on_is_a_warning(tmp_path: Path) -> None:
    """A broker and an instance that only conditions are at are no longer for nothing."""
    text = f"[condition.c]\n{TOPIC}[condition.d]\n{ENTITY}{NIGHT}only_if = ['c']\n"
    assert list(unheeded(config_of(tmp_path, HOUSE + text))) == ["condition.d: no schedule depends on it"]


def test_a_running_node_keeps_its_conditions(tmp_path: Path) -> None:
    """What they are reached over is made when it starts: they and schedules that name them wait for that."""
    running = config_of(tmp_path, HOUSE + OUT + NIGHT + 'only_if = "out"')
    wanted = config_of(tmp_path, HOUSE + OUT.replace('"true"', '"false"') + NIGHT + 'only_if = "ill"')
    found = take_over(running, wanted)
    assert found.config.premises == running.premises
    assert found.waiting == ("condition.out", 'schedule "night"')
    wanted = config_of(tmp_path, HOUSE + OUT + NIGHT + 'only_if = "ill"')
    found = take_over(running, wanted)
    assert (found.config.premises, found.waiting) == (wanted.premises, ())
