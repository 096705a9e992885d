"""Configuration files for tests, and what is said of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from trioarm.config import SchedulerConfig
from trioarm.core.errors import ConfigurationError

NOTHING: Mapping[str, str] = {}


def write(folder: Path, text: str, name: str = "scheduler.toml") -> Path:
    """Write a file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def config_of(
    folder: Path, text: str, environ: Mapping[str, str] = NOTHING, overrides: Mapping[str, object] = NOTHING
) -> SchedulerConfig:
    """Return the configuration that a file of this text is."""
    return SchedulerConfig.from_file(write(folder, text), environ=environ, overrides=overrides)


def problems_of(
    folder: Path, text: str, environ: Mapping[str, str] = NOTHING, overrides: Mapping[str, object] = NOTHING
) -> tuple[str, ...]:
    """Return what is said of a file of this text; nothing when it can be used."""
    try:
        config_of(folder, text, environ, overrides)
    except ConfigurationError as error:
        return error.problems
    return ()
