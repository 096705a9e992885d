"""`trioarm config show`: every setting, what it is, and who said so."""

from __future__ import annotations

import sys

from trioarm.cli.configuration import read_config
from trioarm.cli.exits import Exit
from trioarm.cli.options import AsJson, ConfigFile
from trioarm.cli.terminal import Style, paint, say, say_json, wrapped
from trioarm.config import Description
from trioarm.core.jsonable import Json


def show(*, config: ConfigFile = None, json: AsJson = False) -> Exit:
    """Show every setting: its value, who said so, what is allowed, and the environment variable that sets it.

    Passwords in URLs are masked; codes of panels are not settings, and are shown nowhere.

    For example:

    - `trioarm config show`
    - `trioarm config show --json`
    """
    settings = read_config(config).describe()
    if json:
        for setting in settings:
            say_json(_as_json(setting))
        return Exit.CLEAN
    width = max(len(f"{setting.key} = {setting.value}") for setting in settings)
    for setting in settings:
        said = paint(setting.source, Style.FAINT if setting.source == "default" else Style.NOTICE, sys.stdout)
        say(f"{setting.key} = {setting.value}".ljust(width) + f"  {said}")
        for line in wrapped(about(setting), "    "):
            say(paint(line, Style.FAINT, sys.stdout))
    return Exit.CLEAN


def about(setting: Description) -> str:
    """Return what there is to know of a setting beside its value, as one line."""
    parts = [setting.what, setting.bounds, setting.env or "", "live" if setting.live else ""]
    return " · ".join(part for part in parts if part)


def _as_json(setting: Description) -> dict[str, Json]:
    return {
        "key": setting.key,
        "value": setting.value,
        "source": setting.source,
        "default": setting.default,
        "bounds": setting.bounds,
        "env": setting.env,
        "live": setting.live,
        "what": setting.what,
    }
