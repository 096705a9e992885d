"""What an exception puts in the place of a schedule is shown beside it, pressed for itself, and gone with it (A4.3)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.arming.discovery.home import a_home
from tests.arming.discovery.test_discovery import SCHEDULE, house
from tests.cli.programs import said, started
from tests.links.broker import a_broker

STEAD = "trioarm_schedule_weeknight_2fhouse_2fe1"
BUTTONS = ("skip", "postpone", "run")


async def test_what_stands_in_is_shown_pressed_and_gone(tmp_path: Path) -> None:
    """Said while the node runs: a device of its own, with why; it is skipped alone; then that is taken back."""
    first = (datetime.now(UTC) + timedelta(days=2)).date()
    night = f"""
        [[schedule]]
        name = "weeknight"
        partition = "house"
        target = "armed_night"
        timezone = "UTC"
        cron = "30 22 * * *"
        start = "{first}T00:00:00Z"
        """
    ever, after = f"{first}T22:30:00Z", f"{first + timedelta(days=1)}T22:30:00Z"
    with a_broker(tmp_path) as broker:
        text = house(broker).replace("Europe/Prague", "UTC") + night
        (tmp_path / "scheduler.toml").write_text(text, encoding="utf-8")
        async with a_home(broker) as home, started(tmp_path, ("-m", "trioarm", "run")):
            await home.shows(f"{SCHEDULE}_next_run", ever)
            add = ("exceptions", "add", "--on", f"{first}", "--schedule", "weeknight", "--at", "23:45")
            await said(tmp_path, *add, "--as", "ann", "--note", "guests")
            await home.shows(f"{STEAD}_next_run", f"{first}T23:45:00Z")
            await home.shows(f"{SCHEDULE}_next_run", after)
            told = json.loads(home.values["trioarm/schedule/weeknight_2fhouse_2fe1/state"])
            assert told["exception"] == "exception 1 of ann: guests"
            assert {f"{STEAD}_{button}" for button in BUTTONS} <= home.entities.keys()
            await home.press(f"{STEAD}_skip")
            await home.shows(f"{STEAD}_next_run", None)
            assert home.state(f"{SCHEDULE}_next_run") == after
            await said(tmp_path, "exceptions", "remove", "1", "--as", "ann")
            await home.shows(f"{SCHEDULE}_next_run", ever)
            await home.until(lambda: not any(unique.startswith(STEAD) for unique in home.entities))
            assert home.values["trioarm/schedule/weeknight_2fhouse_2fe1/state"] == b""
