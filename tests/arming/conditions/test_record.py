"""What conditions decided, as reports, Home Assistant and people see it: no drift, and nothing that failed (A4.5)."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import attrs

from tests.arming.houses import alerts_in, audit_of, panel_of
from tests.config.writing import config_of
from trioarm.arming.audit import AuditEntry
from trioarm.arming.discovery.settings import DiscoverySettings
from trioarm.arming.discovery.view import View
from trioarm.arming.installation import Installation
from trioarm.arming.model import Reported, Target
from trioarm.arming.supervision.expected import Outcome
from trioarm.arming.supervision.report import Report
from trioarm.arming.supervision.reporting import Made
from trioarm.core.instants import parse_instant
from trioarm.core.schedule import Schedule
from trioarm.core.triggers import Once
from trioarm.core.triggers.zones import find_zone
from trioarm.engine.ports import Clock, ScheduleRepository
from trioarm.links.mqtt.settings import MqttBroker
from trioarm.testing import Node, World

HOUSE = """
[site.home]
timezone = "UTC"
[partition.house]
site = "home"
allow_disarm = true
panel = { kind = "virtual", exit_delay = "0s" }
[partition.gate]
site = "home"
panel = { kind = "virtual", exit_delay = "0s" }
[condition.gate_is_closed]
kind = "partition"
partition = "gate"
yes = ["armed_away"]
[[schedule]]
name = "evening"
partition = "house"
target = "armed_away"
cron = "0 22 * * *"
only_if = "gate_is_closed"
MORE
[[schedule]]
name = "morning"
partition = "house"
target = "disarmed"
cron = "0 7 * * *"
"""
MONDAY = (date(2026, 11, 23) - date(1970, 1, 1)).days


async def an_evening(world: World, folder: Path, more: str = "") -> Node:
    """Live from Monday noon to midnight of a house whose gate stands open."""
    world.set_clock("2026-11-23T06:00:00Z")
    node = await world.start(config=config_of(folder, HOUSE.replace("MORE", more)))
    await world.until("2026-11-24T00:00:00Z")
    return node


async def report_of(node: Node) -> Made:
    clock = node.container.get(Clock)
    return await node.container.get(Installation).reports.make(["house"], first=MONDAY, days=1, now=clock.look())


async def shown_of(node: Node) -> dict[str, object]:
    settings = DiscoverySettings(broker=MqttBroker(name="home", host="127.0.0.1"))
    installation = node.container.get(Installation)
    view = View(settings, "1", installation, node.container.get(ScheduleRepository), node.container.get(Clock))
    shown = await view.look({"house": await installation.reported("house")})
    [state] = [
        payload
        for topic, payload in shown.payloads.items()
        if payload is not None and "partition" in topic and "house" in topic and '"desired"' in payload
    ]
    told = json.loads(state)
    assert isinstance(told, dict)
    return told


async def test_what_was_left_is_no_closing_that_failed(world: World, tmp_path: Path) -> None:
    """The house should be what the morning made of it; nobody was to close it, and nothing is a problem."""
    node = await an_evening(world, tmp_path)
    status = await node.container.get(Installation).persons.partition("house")
    assert (status.reported, status.desired) == (Reported.DISARMED, Target.DISARMED)
    shown = await shown_of(node)
    assert (shown["desired"], shown["problem"]) == ("disarmed", "OFF")
    made = await report_of(node)
    [day] = made.days
    assert [(one.expected.name, one.outcome) for one in day.expected] == [("morning/house", Outcome.ALREADY)]
    assert (day.failed, day.overridden, day.alerts) == (0, 0, [])
    assert made.report.wanted("house", parse_instant("2026-11-23T23:00:00Z")) is Target.DISARMED
    assert await alerts_in(world) == []


async def test_another_mode_is_what_it_should_be(world: World, tmp_path: Path) -> None:
    """In Home Assistant, in lists, in the report and for whoever watches it."""
    node = await an_evening(world, tmp_path, 'otherwise = "armed_night"')
    status = await node.container.get(Installation).persons.partition("house")
    assert (status.reported, status.desired) == (Reported.ARMED_NIGHT, Target.ARMED_NIGHT)
    shown = await shown_of(node)
    assert (shown["state"], shown["desired"], shown["problem"]) == ("armed_night", "armed_night", "OFF")
    made = await report_of(node)
    [day] = made.days
    assert [one.outcome for one in day.expected] == [Outcome.ALREADY, Outcome.ON_TIME]
    assert made.report.wanted("house", parse_instant("2026-11-23T23:00:00Z")) is Target.ARMED_NIGHT
    await world.until("2026-11-24T06:00:00Z")  # watched all night
    assert await alerts_in(world) == []
    assert [entry.verb for entry in await audit_of(world)] == ["disarm", "arm"]


async def test_whoever_changes_what_was_left_is_on_record_as_ever(world: World, tmp_path: Path) -> None:
    """What the morning made of it is watched still: who arms it later drifts from that (A3.7)."""
    node = await an_evening(world, tmp_path)
    await panel_of(node).arm(Target.ARMED_HOME, "anna")
    await world.until("2026-11-24T00:10:00Z")
    [alert] = await alerts_in(world)
    assert alert.text.startswith("it did not stay disarmed: anna made it armed_home")


def test_an_entry_that_names_no_run_is_no_trouble() -> None:
    """A report is made of whatever is there."""
    args = {"partition": "house", "target": "armed_away", "conditions": {"only_if": ["gate_is_closed"]}}
    due_at = parse_instant("2026-11-23T22:00:00Z")
    evening = Schedule("evening/house", Once(due_at), handler="arm", args=args)
    report = Report({"house": find_zone("UTC")}, (), [evening], first=MONDAY, days=1, now=due_at)
    for correlation in ("", "evening", "evening/house@never"):
        entry = AuditEntry(
            actor="schedule:evening/house", partition="house", verb="arm_left", reason="", correlation=correlation
        )
        report.add(due_at, entry)
    assert report.wanted("house", due_at) is Target.ARMED_AWAY
    report.add(due_at, attrs.evolve(entry, correlation="evening/house@2026-11-23T22:00:00Z"))
    assert report.wanted("house", due_at) is None
