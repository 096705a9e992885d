"""What a warning offers, as it was sent, is pressed and run: it does what it says, to what was announced (A4.1)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import trio

from tests.arming.discovery.home import WITHIN_S, Home, a_home
from tests.arming.discovery.test_discovery import PARTITION, SCHEDULE, house
from tests.cli.programs import command, started
from tests.links.broker import Mosquitto, a_broker, subscribed
from tests.notify.houses import Inbox, an_inbox
from trioarm.arming.discovery.offers import offers
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.core.instants import parse_instant
from trioarm.links.mqtt.settings import MqttBroker

NOMINAL = "2026-11-23T22:30:00Z"
AT = ("--at", NOMINAL)
NAMES = ("postpone", "skip", "arm_now")


def file_of(broker: Mosquitto, inbox: Inbox, due_at: datetime) -> str:
    """Return a configuration that warns by a webhook and at the broker, moments after its start."""
    return f"""
        {house(broker, 'postpone = "45m"')}
        [notify.hook]
        kind = "webhook"
        url = "{inbox.web.url("/hook")}"
        [notify.bus]
        kind = "mqtt"
        broker = "home"
        topic = "house/alerts"
        [[schedule]]
        name = "weeknight"
        partition = "house"
        target = "armed_night"
        once = "{due_at.isoformat()}"
        warn = ["1h"]
        """


def actions_of(message: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what a message offers, by name."""
    [alert] = message["alerts"]
    assert alert["kind"] in ("closing_soon", "closing_changed")
    return {action["name"]: action for action in alert["actions"]}


async def press(home: Home, action: dict[str, Any]) -> None:
    """Publish what an action says, where it says."""
    assert action["broker"] == "home"
    await home.link.publish(action["topic"], action["payload"], within_s=WITHIN_S)


async def test_what_is_offered_works_as_it_was_sent(tmp_path: Path) -> None:
    """At the broker and to a webhook alike: a press postpones, the command skips, a press arms now."""
    due_at = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1, seconds=15)
    later = f"{due_at + timedelta(minutes=45):%Y-%m-%dT%H:%M:%SZ}"
    with a_broker(tmp_path) as broker, an_inbox() as inbox:
        (tmp_path / "scheduler.toml").write_text(file_of(broker, inbox, due_at), encoding="utf-8")
        async with (
            a_home(broker) as home,
            subscribed(home.link, "house/alerts") as alerts,
            started(tmp_path, ("-m", "trioarm", "run")),
        ):
            await home.shows(f"{SCHEDULE}_enabled", "ON")
            with trio.fail_after(WITHIN_S):
                actions = actions_of(json.loads((await alerts.receive()).payload))
            await inbox.has(1)
            assert tuple(actions) == NAMES
            assert actions_of(inbox.messages[0]) == actions
            await press(home, actions["postpone"])
            await home.shows(f"{SCHEDULE}_next_run", later)
            _, *words = actions["skip"]["argv"]
            code, _, errors = await command(tmp_path, *words, "--as", "ann")
            assert (code, errors) == (0, "")
            await home.shows(f"{SCHEDULE}_next_run", None)
            await press(home, actions["arm_now"])
            await home.shows(f"{PARTITION}_state", "armed_night")


def test_a_command_names_the_occurrence_and_a_press_what_is_shown() -> None:
    """Where nothing is shown, or not this schedule, there is nothing to press."""
    nominal_at = parse_instant(NOMINAL)
    plain = offers("night/house", nominal_at, None)
    assert [(one.name, one.argv, one.topic) for one in plain] == [
        ("postpone", ("trioarm", "schedules", "postpone", "night/house", "--by", "30m", *AT), None),
        ("skip", ("trioarm", "schedules", "skip", "night/house", *AT), None),
        ("arm_now", ("trioarm", "schedules", "fire", "night/house"), None),
    ]
    broker = MqttBroker(name="home", host="127.0.0.1")
    shown = offers("night/house", nominal_at, DiscoverySettings(broker=broker, base="ours"))
    assert [(one.broker, one.topic, one.payload) for one in shown] == [
        ("home", f"ours/schedule/night_2fhouse/{verb}", "PRESS") for verb in ("postpone", "skip", "run")
    ]
    hidden = offers("night/house", nominal_at, DiscoverySettings(broker=broker, schedules=("other/*",)))
    assert hidden == plain
