"""The file that `trioarm init` writes: schedules that run as they stand, and every setting with its default."""

from __future__ import annotations

from typing import Final

from trioarm.config.config import SchedulerConfig
from trioarm.config.description import Description

_HEAD: Final = """\
# What trioarm does, and when. `trioarm check` says what is wrong with this file, `trioarm preview` what will happen.
# Durations are "90s", "5m", "1h30m" or "1d", or numbers of seconds. A line that begins with # says nothing.

# A sign of life. Handlers that come with trioarm: log writes a line, command runs a program.
[[schedule]]
name = "heartbeat"
handler = "log"
args = { message = "still here" }
every = "30s"

# A program, started every night at half past two, local time. In the night that has no 02:30 it runs at 03:00.
[[schedule]]
name = "backup"
handler = "command"
args = { argv = ["/usr/bin/true"] }
cron = "30 2 * * *"
timezone = "Europe/Prague"
retry = { max_retries = 2, base = "1m", max = "10m" }

# A house with an alarm panel; this one is built in, so that everything can be tried without any hardware.
[site.home]
timezone = "Europe/Prague"

[partition.house]
site = "home"
allow_disarm = true                       # without this line no schedule may disarm it
panel = { kind = "virtual", exit_delay = "30s", entry_delay = "30s" }
# A code is never written here: add code = { env = "HOUSE_CODE" } or code = { file = "house.code" } to the panel.

[[schedule]]
name = "weeknight"
partition = "house"
target = "armed_night"
weekly = { days = ["mon", "tue", "wed", "thu", "sun"], at = "22:30" }
warn = ["15m", "1m"]

[[schedule]]
name = "weekend-night"
partition = "house"
target = "armed_night"
weekly = { days = ["fri", "sat"], at = "23:45" }
warn = ["15m", "1m"]

[[schedule]]
name = "weekday-morning"
partition = "house"
target = "disarmed"
weekly = { days = ["mon", "tue", "wed", "thu", "fri"], at = "06:30" }

# Settings, as they are when nothing is said.
"""


def default_toml() -> str:
    """Return a commented scheduler.toml that can be used as it is."""
    sections: dict[str, list[str]] = {}
    for setting in SchedulerConfig().describe():
        section, _, name = setting.key.partition(".")
        sections.setdefault(section, []).extend(_comment(name, setting))
    return _HEAD + "".join(f"\n[{section}]\n" + "\n".join(lines) + "\n" for section, lines in sections.items())


def _comment(name: str, setting: Description) -> list[str]:
    said_elsewhere = f"; {setting.env} says it too" if setting.env else ""
    allowed = f" ({setting.bounds})" if setting.bounds else ""
    return [f"# {setting.what}{allowed}{said_elsewhere}", f"# {name} = {setting.example}"]
