"""What is shown to Home Assistant: what can be said of it in a file, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.writing import config_of, problems_of, write
from trioarm.arming.discovery.settings import DiscoverySettings, beginning, is_meant
from trioarm.config.takeover import take_over
from trioarm.config.unheeded import unheeded
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.live import built_in_schedules

BROKER = '[mqtt.home]\nhost = "broker.lan"\n'
HERE = BROKER + '[discovery]\nbroker = "home"\n'


def test_it_needs_only_its_broker(tmp_path: Path) -> None:
    """Without a word nothing is shown; then all that arms, and nothing may be commanded."""
    assert config_of(tmp_path, BROKER).discovery is None
    found = config_of(tmp_path, HERE).discovery
    assert found == DiscoverySettings(broker=MqttBroker(name="home", host="broker.lan"))
    assert (found.prefix, found.base, found.postpone_s, found.control) == ("homeassistant", "trioarm", 1800.0, False)
    assert found.actor == "mqtt:home"


def test_every_key_is_read(tmp_path: Path) -> None:
    """And means what it says."""
    text = (
        'prefix = "ha"\nbase = "attic/trioarm"\nschedules = ["weeknight/*", "backup"]\npartitions = ["house"]\n'
        'postpone = "1h"\ncontrol = true\n'
    )
    assert config_of(tmp_path, HERE + text).discovery == DiscoverySettings(
        broker=MqttBroker(name="home", host="broker.lan"),
        prefix="ha",
        base="attic/trioarm",
        schedules=("weeknight/*", "backup"),
        partitions=("house",),
        postpone_s=3600.0,
        control=True,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[discovery]\n", "discovery.broker: is missing: say at which broker Home Assistant is, like broker = "),
        ('[discovery]\nbroker = "home"\n', 'discovery.broker: there is no broker "home"; there is none'),
        (HERE + 'prefix = "a/#"\n', 'discovery.prefix: "a/#" is no beginning of a topic: up to 64 letters'),
        (HERE + 'base = "a//b"\n', 'discovery.base: "a//b" is no beginning of a topic'),
        (HERE + 'base = ""\n', 'discovery.base: "" is no beginning of a topic'),
        (HERE + 'base = "homeassistant"\n', 'discovery.base: "homeassistant" is the prefix, too'),
        (HERE + 'schedules = [""]\n', "discovery.schedules: names up to 100 patterns, none of them empty"),
        (HERE + 'postpone = "3h"\n', 'discovery.postpone: "3h" is outside 1m to 2h'),
        (HERE + "control = 1\n", "discovery.control: 1 is neither true nor false"),
        (HERE + 'brocker = "x"\n', "discovery.brocker: unknown key; did you mean broker?"),
    ],
)
def test_what_is_wrong_is_said(text: str, problem: str, tmp_path: Path) -> None:
    """In one line each."""
    [said] = problems_of(tmp_path, text)
    assert said.startswith(problem)


def test_a_broker_that_is_only_for_this_is_used(tmp_path: Path) -> None:
    """And one that nothing is at is named."""
    assert list(unheeded(config_of(tmp_path, HERE))) == []
    assert list(unheeded(config_of(tmp_path, BROKER))) == [
        "mqtt.home: nothing is at this broker, so nobody connects to it"
    ]
    channel = '[notify.bus]\nkind = "mqtt"\nbroker = "home"\ntopic = "a"\n'
    assert list(unheeded(config_of(tmp_path, BROKER + channel))) == []


def test_a_change_waits_for_the_next_start(tmp_path: Path) -> None:
    """What is shown, is shown as it was until then; how often it is looked at follows the setting at once."""
    running = config_of(tmp_path, HERE)
    write(tmp_path, HERE + "control = true\n[scheduler]\ncheck_interval = '30s'\n")
    found = take_over(running, running.read_again())
    assert found.waiting == ("discovery",)
    assert found.config.discovery == running.discovery
    [look] = [one for one in built_in_schedules(found.config) if one.handler == "trioarm.discovery"]
    assert look.trigger.next_after(0) == 30_000_000
    assert not [one for one in built_in_schedules(config_of(tmp_path, BROKER)) if one.handler == "trioarm.discovery"]


def test_what_patterns_mean() -> None:
    """All names without any; where one begins narrows what is looked through."""
    assert is_meant("weeknight/house", None)
    assert is_meant("weeknight/house", ("weekend/*", "weeknight/*"))
    assert not is_meant("weeknight/house", ("weekend/*",))
    assert not is_meant("weeknight/house", ())
    beginnings = [beginning(pattern) for pattern in ("weeknight/*", "a?b", "[ab]c", "backup", "*")]
    assert beginnings == ["weeknight/", "a", "", "backup", ""]
