"""`trioarm config`: every setting, what it is, and who said so; and one of them changed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from trioarm.cli.configuration import config_path, read_config
from trioarm.cli.exits import Exit, UsageError
from trioarm.cli.options import AsJson, ConfigFile, read_value
from trioarm.cli.terminal import Style, paint, say, say_json, wrapped
from trioarm.config import Description
from trioarm.config.config import read_local
from trioarm.config.keys import Key
from trioarm.config.local import alone, changed, find_key, write_local
from trioarm.config.sources import LOCAL, read_toml
from trioarm.core.errors import ConfigurationError
from trioarm.core.jsonable import Json
from trioarm.core.reading import suggest


def show(
    *keys: Annotated[
        str, Parameter(name="KEY", help="Only these, such as scheduler.drain, or a section, such as history.")
    ],
    config: ConfigFile = None,
    json: AsJson = False,
) -> Exit:
    """Show the settings: each value, who said so, what is allowed, and the environment variable that sets it.

    Passwords in URLs are masked; codes of panels are not settings, and are shown nowhere.

    For example:

    - `trioarm config show`
    - `trioarm config show scheduler.retention history`
    - `trioarm config show --json`
    """
    settings = _asked_for(keys, read_config(config).describe())
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


def _asked_for(keys: Sequence[str], settings: Sequence[Description]) -> Sequence[Description]:
    """Return the settings that have these keys, or are in these sections; all when nothing is named."""
    found = {key: [one for one in settings if one.key == key or one.key.startswith(f"{key}.")] for key in keys}
    for key, of_it in found.items():
        if not of_it:
            raise UsageError(f"there is no setting {key}, and no section{suggest(key, [one.key for one in settings])}")
    named = {one.key for of_it in found.values() for one in of_it}
    return [one for one in settings if one.key in named] if keys else settings


def set_(
    key: Annotated[str, Parameter(name="KEY", help="Such as scheduler.drain.")],
    value: Annotated[str | None, Parameter(name="VALUE", help="As in the file; text needs no quotes.")] = None,
    /,
    *,
    unset: Annotated[bool, Parameter(help="Say nothing of it any more.")] = False,
    config: ConfigFile = None,
) -> Exit:
    """Set one setting, in scheduler.local.toml beside the file; the file itself is never changed.

    The whole configuration is checked first. A running node takes a live setting over within a second.

    For example:

    - `trioarm config set scheduler.drain 1m`
    - `trioarm config set log.level debug`
    - `trioarm config set --unset scheduler.drain`
    """
    path = config_path(config)
    known = find_key(key)
    if (value is None) is not unset:
        raise UsageError(f"config set {key}: give a value, or --unset and none")
    said = None if value is None else read_value(value)
    if said is not None:
        _judge(key, known, said)
    read_toml(path)  # before anything is looked for beside it
    with alone(path):
        tree = changed(read_local(path), key, said)
        found = read_config(config, local=tree)
        write_local(path, tree)
    now = next(setting for setting in found.describe() if setting.key == key)
    when = "a running node takes it over at once" if known.live else "from the next start on"
    overruled = "" if unset or now.source == LOCAL else f"; but {now.source} says otherwise"
    say(f"{key} = {now.value} ({now.source}): {when}{overruled}")
    return Exit.CLEAN


def _judge(key: str, known: Key, said: object) -> None:
    try:
        known.read(said)
    except ValueError as error:
        raise ConfigurationError((f"{key}: {error}",)) from None


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
