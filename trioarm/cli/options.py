"""Options that several commands share, and what they mean."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from trioarm.arming.model import HANDLER
from trioarm.bootstrap import BUILT_IN
from trioarm.cli.exits import UsageError
from trioarm.config import FILE, FILE_ENV, SchedulerConfig

ConfigFile: TypeAlias = Annotated[
    Path | None,
    Parameter(name=["--config", "-c"], help=f"The configuration file; otherwise ${FILE_ENV}, else {FILE}."),
]
AsJson: TypeAlias = Annotated[
    bool, Parameter(name="--json", negative="", help="One JSON object per line, instants in UTC with Z.")
]

HANDLERS = frozenset({*BUILT_IN, HANDLER})  # what a configuration file may name


def config_path(config: Path | None) -> Path:
    """Return the file that is meant."""
    return config or Path(os.environ.get(FILE_ENV) or FILE)


def read_config(config: Path | None, overrides: Mapping[str, object] | None = None) -> SchedulerConfig:
    """Read the configuration that is meant.

    Raises:
        ConfigurationError: with a line for every problem.
    """
    return SchedulerConfig.from_file(config_path(config), overrides=overrides or {})


def read_overrides(settings: Iterable[str]) -> dict[str, object]:
    """Read `KEY=VALUE` settings: a value is meant as in the file, and text needs no quotes.

    Raises:
        UsageError: one has no `=`.
    """
    overrides: dict[str, object] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals or "." not in key:
            raise UsageError(f"--set {setting}: write it like --set scheduler.check_interval=30s")
        overrides[key.strip()] = _value(value.strip())
    return overrides


def _value(text: str) -> object:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
