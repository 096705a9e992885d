"""Layering: one value for every setting, out of its default and all the layers that may say otherwise.

A value that a stronger layer replaces is still judged, and so is an environment nobody chose: what is wrong is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs

from trioarm.config.keys import Setting, file_key, keys_of
from trioarm.config.settings import (
    ENVIRONMENT,
    ArmingSettings,
    ExecutorSettings,
    FeatureSettings,
    HistorySettings,
    LogSettings,
    SchedulerSettings,
)
from trioarm.config.sources import Layer, Tree, overlay
from trioarm.core.reading import Problems, Table, suggest

SECTIONS: Final[dict[str, type[attrs.AttrsInstance]]] = {
    "scheduler": SchedulerSettings,
    "executor": ExecutorSettings,
    "history": HistorySettings,
    "arming": ArmingSettings,
    "features": FeatureSettings,
    "log": LogSettings,
}
DECLARED: Final = (  # what else a file has
    "owner",
    "calendar",
    "handler",
    "notify",
    "resource",
    "site",
    "homeassistant",
    "mqtt",
    "discovery",
    "partition",
    "condition",
    "closing",
    "schedule",
    "exception",
)
SECTIONS_LATER: Final = ("http",)
COMMAND_LINE: Final = "command line"
ENVIRONMENT_ENV: Final = "SCHEDULER_ENV"


@attrs.define(slots=True, eq=False)
class SettingsReader:
    """Reads layer after layer, the weakest first, and remembers who had the last word.

    Args:
        problems: where what is wrong is noted.
        values: by section, then by field.
        sources: who said it, by key; what is not there is the default.
    """

    problems: Problems
    values: dict[str, dict[str, Setting]] = attrs.field(factory=lambda: {name: {} for name in SECTIONS}, init=False)
    sources: dict[str, str] = attrs.field(factory=dict, init=False)

    def read_layer(self, layer: Layer) -> None:
        """Read the settings of a layer, and note what does not belong into any."""
        whole = Table(layer.tree, layer.path, self.problems)
        whole.knows(*DECLARED, *SECTIONS)
        whole.refuse("environment", "stands in scheduler.toml alone, and not in another one")
        for section in SECTIONS_LATER:
            whole.refuse(section, f"[{section}] is not available yet: leave it out")
        for section in SECTIONS:
            table = whole.table(section)
            if table is not None:
                self._read_section(section, table, layer.source)
        whole.close()

    def read_variables(self, environ: Mapping[str, str]) -> None:
        """Read environment variables; an empty one says nothing."""
        for section, settings in SECTIONS.items():
            for field, key in keys_of(settings).items():
                text = environ.get(key.env, "") if key.env else ""
                if text:
                    try:
                        self.values[section][field] = key.read_variable(text)
                    except ValueError as error:
                        self.problems.add(str(key.env), str(error))
                    self.sources[f"{section}.{file_key(field, key)}"] = f"environment variable {key.env}"

    def _read_section(self, section: str, table: Table, source: str) -> None:
        for field, key in keys_of(SECTIONS[section]).items():
            name = file_key(field, key)
            if name in table:
                value = table.take(name, key.read, None)
                self.sources[f"{section}.{name}"] = source
                if value is not None:
                    self.values[section][field] = value
            table.knows(name)
        table.close()


def read_settings(
    file: Layer, local: Layer, environ: Mapping[str, str], overrides: Mapping[str, object], problems: Problems
) -> tuple[SettingsReader, Tree]:
    """Read all layers.

    Args:
        file: scheduler.toml.
        local: what `config set` wrote beside it.
        environ: environment variables.
        overrides: settings of the command line by key, such as `scheduler.store`.
        problems: where what is wrong is noted.

    Returns:
        the settings, and a tree of the sites, partitions and schedules of all layers together.
    """
    command_line = Layer(COMMAND_LINE, f"{COMMAND_LINE}:", _as_tree(overrides))
    name, said_by = _environment(command_line, environ, local, file)
    own = Layer(file.source, file.path, {key: value for key, value in file.tree.items() if key != "environment"})
    chosen = _choose(file, name, said_by, problems)
    settings = SettingsReader(problems)
    for layer in (own, chosen, local):
        settings.read_layer(layer)
    settings.read_variables(environ)
    settings.read_layer(command_line)
    settings.values["scheduler"]["environment"] = name
    rest: Tree = {}
    for layer in (own, chosen, local):
        rest = overlay(rest, {key: value for key, value in layer.tree.items() if key in DECLARED})
    return settings, rest


def _choose(file: Layer, name: str, said_by: str, problems: Problems) -> Layer:
    """Return the chosen environment as a layer, an empty one if it says nothing, and judge the others."""
    chosen = Layer(f"{file.source} [environment.{name}]", "", {})
    environments = Table(file.tree, file.path, problems).table("environment")
    if environments is None:
        return chosen  # the name is a mere label where no file knows environments
    for other in environments.tree:
        table = environments.table(other)
        if table is None:
            continue
        section = table.tree.get("scheduler")
        if isinstance(section, Mapping) and "environment" in section:
            problems.add(f"{table.path}.scheduler.environment", "an environment cannot choose another: leave it out")
        elif other == name:
            chosen = Layer(chosen.source, table.path, table.tree)
        else:
            SettingsReader(problems).read_layer(Layer(chosen.source, table.path, table.tree))
    if name not in environments and name != ENVIRONMENT:
        problems.add(said_by, f"there is no [{environments.at(name)}]{suggest(name, [*environments.tree])}")
    return chosen


def _environment(command_line: Layer, environ: Mapping[str, str], local: Layer, file: Layer) -> tuple[str, str]:
    """Return the name of the environment, and who chose it."""
    if environ.get(ENVIRONMENT_ENV):
        variable = Layer("", ENVIRONMENT_ENV, {"scheduler": {"environment": environ[ENVIRONMENT_ENV]}})
    else:
        variable = Layer("", "", {})
    for layer in (command_line, variable, local, file):
        section = layer.tree.get("scheduler")
        name = section.get("environment") if isinstance(section, Mapping) else None
        if isinstance(name, str) and name:
            return name, layer.path or "scheduler.environment"
    return ENVIRONMENT, ""


def _as_tree(overrides: Mapping[str, object]) -> Tree:
    tree: dict[str, dict[str, object]] = {}
    for key, value in overrides.items():
        section, _, name = key.partition(".")
        tree.setdefault(section, {})[name] = value
    return tree
