"""Resources: what can be said of them, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of
from trioarm.config import SchedulerConfig
from trioarm.config.doubtful import doubts
from trioarm.core.planning import PlanRules
from trioarm.core.resources import Breaker, Rate, Resource

BACKUP = '[[schedule]]\nname = "backup"\nhandler = "log"\nevery = "1h"\nresources = {}\n'


def test_every_key_of_a_resource_is_read(tmp_path: Path) -> None:
    """Limit, gap, rate and breaker; a breaker has its defaults."""
    assert SchedulerConfig().resources == {}
    text = (
        '[resource.nas]\nlimit = 2\ngap = "5s"\nrate = { runs = 10, per = "1m" }\n'
        'breaker = { failures = 3, pause = "2m" }\n[resource.mail]\nbreaker = {}\n'
    ) + BACKUP.format('["nas", "mail"]')
    config = config_of(tmp_path, text)
    assert config.resources == {
        "nas": Resource(limit=2, gap_s=5.0, rate=Rate(10, 60.0), breaker=Breaker(3, 120.0)),
        "mail": Resource(breaker=Breaker(5, 60.0)),
    }
    assert config.schedules[0].resources == ("nas", "mail")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[resource.nas]\n", "resource.nas: says nothing: give it a limit, a gap, a rate or a breaker"),
        ("[resource.nas]\nlimit = 0\n", "resource.nas.limit: 0 is outside 1 to 10000"),
        ("[resource.nas]\nlimits = 1\n", "resource.nas.limits: unknown key; did you mean limit?"),
        ('[resource.nas]\ngap = "x"\n', "resource.nas.gap: 'x' is no duration: write it like 90s, 5m, 2h, 1h30m or 1d"),
        (
            "[resource.nas]\nrate = { runs = 3 }\n",
            'resource.nas.rate.per: is missing: say within which time, such as per = "1m"',
        ),
        ("[resource.nas]\nbreaker = { failure = 3 }\n", "resource.nas.breaker.failure: unknown key; did you mean"),
        ('[resource."Nas"]\nlimit = 1\n', "resource.Nas: resource 'Nas': a name starts with a small letter or digit"),
        (
            "[resource.nas]\nlimit = 1\n" + BACKUP.format('["nsa"]'),
            'schedule "backup".resources: there is no resource "nsa"; did you mean nas?',
        ),
        (BACKUP.format('"nas"'), 'schedule "backup".resources: "nas" is no list: put it between [ and ]'),
        (BACKUP.format('["a", "a", "a", "a", "a", "a", "a", "a", "a"]'), "9 resources are too many: at most 8"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, text: str, line: str) -> None:
    """What is wrong is said with its path, its value and what would be right."""
    assert any(line in problem for problem in problems_of(tmp_path, text)), problems_of(tmp_path, text)


def test_a_breaker_that_would_hold_back_arming_is_doubted(tmp_path: Path) -> None:
    """Each panel has one that lets every schedule ask once; what else may be shared is nothing to warn of."""
    arming = (
        '[site.home]\ntimezone = "UTC"\n[partition.house]\nsite = "home"\n'
        "[resource.line]\nbreaker = {}\n[resource.modem]\nlimit = 1\n" + BACKUP.format('["line"]') + "[[schedule]]\n"
        'name = "night"\npartition = "house"\ntarget = "armed_night"\nweekly = { days = ["mon"], at = "22:30" }\n'
    )
    assert list(doubts(config_of(tmp_path, arming + 'resources = ["modem"]\n'), 0, PlanRules())) == []
    assert list(doubts(config_of(tmp_path, arming + 'resources = ["modem", "line"]\n'), 0, PlanRules())) == [
        'schedule "night": the breaker of resource "line" keeps it from asking its panel, however well that answers; '
        "arming has a breaker of its own for each panel: give this resource none"
    ]
