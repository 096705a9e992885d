"""The page on discovery: its example is discovered and pressed, and its tables are true."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

from tests.arming.discovery.home import WITHIN_S, a_home
from tests.cli.programs import said, started
from tests.config.writing import config_of, write
from tests.links.broker import a_broker, subscribed
from trioarm.arming.discovery.announcer import BIRTH_S_MAX, DAMPING_S
from trioarm.arming.discovery.answers import SAME
from trioarm.arming.discovery.discovery import SCHEDULE
from trioarm.arming.discovery.entities import PAYLOADS, VERBS, Part, Thing, Topics, announcements
from trioarm.arming.discovery.presses import FLOOD_S, PRESSES_MAX, TOLD_S
from trioarm.arming.discovery.settings import PARTITIONS_MAX, SCHEDULES_MAX, DiscoverySettings
from trioarm.arming.model import Partition, VirtualPanel
from trioarm.config.discovery import POSTPONE_S_MIN, read_discovery
from trioarm.core.amending import POSTPONED_MAX, POSTPONED_TIMES_MAX
from trioarm.core.instants import HOUR, SECOND, render_duration
from trioarm.core.reading import Problems, Table
from trioarm.links.mqtt.broker import PORT
from trioarm.links.mqtt.settings import MqttBroker

PAGE = (files("trioarm") / "docs" / "home-assistant.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())
[EXAMPLE] = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| ")]
USUAL = DiscoverySettings(broker=MqttBroker(name="home", host="x"))
HOUSE = "trioarm_schedule_weeknight_2fhouse"


async def test_its_example_is_discovered_and_pressed(tmp_path: Path) -> None:
    """Node, broker and what behaves like Home Assistant; all that is changed is the port, and an alert is published."""
    with a_broker(tmp_path) as broker:
        write(tmp_path, EXAMPLE.replace(f"port = {PORT}", f"port = {broker.port}"))
        async with a_home(broker) as home, started(tmp_path, ("-m", "trioarm", "run")) as program:
            await program.line_with("started")
            await home.shows(f"{HOUSE}_enabled", "ON")
            before = home.state(f"{HOUSE}_next_run")
            await home.link.publish("trioarm/schedule/weeknight_2fhouse/postpone", "PRESS", within_s=WITHIN_S)
            await home.until(lambda: str(home.state(f"{HOUSE}_last_result")).startswith("postponed to "))
            assert home.state(f"{HOUSE}_next_run") > before
            assert "mqtt:home" in await said(tmp_path, "schedules", "show", "weeknight/house")
            async with subscribed(home.link, "house/alerts") as alerts:
                await said(tmp_path, "notify", "test", "bus")
                assert json.loads((await alerts.receive()).payload)["title"] == "trioarm: a test"


def test_its_settings_are_those_there_are(tmp_path: Path) -> None:
    """Each key is read, none is left out, and the defaults are true."""
    table = Table({"discovery": {"qqq": 1}}, "", Problems(lambda lines: AssertionError(lines)))
    read_discovery(table, {})
    keys = [row[0].strip("`") for row in ROWS if len(row) == 3 and row[0].startswith("`") and "," not in row[0]]
    assert table.problems.lines[-1] == f"discovery.qqq: unknown key; there is {', '.join(keys)}"
    defaults = {row[0].strip("`"): row[1] for row in ROWS if len(row) == 3}
    assert defaults["prefix"] == f'`"{USUAL.prefix}"`'
    assert defaults["base"] == f'`"{USUAL.base}"`'
    assert defaults["postpone"] == f'`"{render_duration(USUAL.postpone_s)}"`'
    assert defaults["control"] == f"`{str(USUAL.control).lower()}`"
    assert f"{render_duration(POSTPONE_S_MIN)} to {render_duration(POSTPONED_MAX / SECOND)}" in TEXT
    assert config_of(tmp_path, EXAMPLE).discovery is not None


def test_its_entities_are_those_that_are_announced() -> None:
    """By kind and name."""
    told = {(row[0], row[1].strip("`")) for row in ROWS if len(row) == 3 and row[1].strip("`") in KINDS}
    topics = Topics(DiscoverySettings(broker=USUAL.broker, control=True))
    partition = Partition(name="house", site="home", panel=VirtualPanel())
    found = announcements(Thing(Part.SCHEDULE, "weeknight/house"), topics, "1")
    found |= announcements(Thing(Part.PARTITION, "house"), topics, "1", partition)
    announced = set()
    for topic, form in found.items():
        part = "schedule" if "schedule_" in topic else "partition"
        announced.add((json.loads(form)["name"] or f"(the {part})", topic.split("/")[1]))
    assert told == announced


KINDS = ("switch", "sensor", "button", "binary_sensor", "alarm_control_panel")


def test_its_topics_and_payloads_are_those_that_are_obeyed() -> None:
    """Each verb of each part, and all that may be said there."""
    rows = {row[0]: row[1] for row in ROWS if len(row) == 2}
    for part, verbs in VERBS.items():
        for verb in verbs:
            [payloads] = [said for topics, said in rows.items() if f"`trioarm/{part}/NAME/{verb}`" in topics]
            assert set(re.findall(r"`(\w+)`", payloads)) == PAYLOADS[verb]
    topics = Topics(USUAL)
    assert topics.state(Thing(Part.SCHEDULE, "weeknight/house")) == "trioarm/schedule/weeknight_2fhouse/state"
    assert f"`{topics.availability}`" in TEXT


def test_its_numbers_are_true() -> None:
    """Of times and limits."""
    words = {
        "up to two hours and three times": (POSTPONED_MAX, POSTPONED_TIMES_MAX) == (2 * HOUR, 3),
        "within two seconds is one press": SAME == 2 * SECOND,
        f"Up to {PRESSES_MAX} presses are obeyed within ten seconds": FLOOD_S == 10.0,
        "once a minute at most": TOLD_S == 60.0,
        "at most once a second": DAMPING_S == 1.0,
        "within five seconds after": BIRTH_S_MAX == 5.0,
        f"Up to {SCHEDULES_MAX} schedules and {PARTITIONS_MAX} partitions": True,
        f"a run of `{SCHEDULE}`": True,
    }
    assert [said for said, is_true in words.items() if not (is_true and said in TEXT)] == []
