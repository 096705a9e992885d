"""Panels: how the driver of a partition is configured, one reader for each kind (A1.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from trioarm.arming.model import CommandPanel, PanelSettings, SecretRef, VirtualPanel
from trioarm.arming.panels.command import PLACEHOLDER, READ_WORDS, SET_WORDS
from trioarm.core.reading import Reader, Table, duration, listed, show, suggest, text

DELAY_S_MAX: Final = 3600.0  # of a panel: real ones end at a few minutes
PROGRAM_S_MAX: Final = 60.0  # for a program to answer: more than an attempt has for talking it could not be waited for
KINDS_LATER: Final = ("mqtt", "homeassistant", "http")
_CODE_IS_SEEN: Final = "{code} would be for everybody to see: the program finds the code on its standard input instead"


def read_panel(partition: Table) -> PanelSettings:
    """Read the panel of a partition: the built-in one where nothing is said."""
    table = partition.table("panel")
    if table is None:
        return VirtualPanel()
    kind = table.take("kind", _kind, None)
    if kind is None and "kind" in table:  # whose keys are not known
        return VirtualPanel()
    panel = KINDS[kind or "virtual"](table)
    table.close()
    return panel


def _kind(value: object) -> str:
    kind = text(value)
    if kind in KINDS:
        return kind
    if kind in KINDS_LATER:
        raise ValueError(f"{show(kind)} is not available yet; there is {', '.join(KINDS)}")
    raise ValueError(f"{show(kind)} is no kind of panel{suggest(kind, (*KINDS, *KINDS_LATER))}")


def _virtual(table: Table) -> VirtualPanel:
    return VirtualPanel(
        exit_delay_s=table.take("exit_delay", duration(0, DELAY_S_MAX), 30.0),
        entry_delay_s=table.take("entry_delay", duration(0, DELAY_S_MAX), 30.0),
        open_zones=tuple(table.take("open_zones", listed(text), [])),
        code=read_code(table),
    )


def _command(table: Table) -> PanelSettings:
    setting = table.need("set", _arguments(SET_WORDS), 'name the program, like ["/usr/local/bin/alarm", "{target}"]')
    reading = table.need("read", _arguments(READ_WORDS), 'name the program, like ["/usr/local/bin/alarm", "state"]')
    timeout_s = table.take("timeout", duration(1, PROGRAM_S_MAX), 20.0)
    exit_delay_s = table.take("exit_delay", duration(0, DELAY_S_MAX), 60.0)
    code = read_code(table)
    if not setting or not reading:
        return VirtualPanel()  # stands in while there are problems
    return CommandPanel(set=setting, read=reading, timeout_s=timeout_s, exit_delay_s=exit_delay_s, code=code)


def _arguments(words: tuple[str, ...]) -> Reader[tuple[str, ...]]:
    """Return a reader of a program and its arguments, in which `{word}` stands for what is meant at the time."""

    def read_arguments(value: object) -> tuple[str, ...]:
        found = tuple(listed(text)(value))
        if not found or not found[0]:
            raise ValueError('names no program: write it like ["/usr/local/bin/alarm", "{address}"]')
        for argument in found:
            for word in PLACEHOLDER.findall(argument):
                if word == "code":
                    raise ValueError(_CODE_IS_SEEN)
                if word not in words:
                    shown = show(f"{{{word}}}")
                    raise ValueError(f"{shown} stands for nothing here{suggest(word, words)}")
        return found

    return read_arguments


KINDS: Final[dict[str, Callable[[Table], PanelSettings]]] = {"virtual": _virtual, "command": _command}


# Codes


def read_code(owner: Table) -> SecretRef | None:
    """Read where a code is: a panel's own, or one that is sent with the commands of one partition."""
    table = owner.take("code", _reference, None)
    if table is None:
        return None
    code = Table(table, owner.at("code"), owner.problems)
    env = code.take("env", _place, None)
    file = code.take("file", _place, None)
    code.close()
    return SecretRef(env, file) if env or file else None


def _place(value: object) -> str:
    if found := text(value):
        return found
    raise ValueError("names nothing: a code is in an environment variable or in a file")


def _reference(value: object) -> Mapping[str, object]:
    """Read a table that says where a code is, and never show what stands in its place (A5.2)."""
    if not isinstance(value, Mapping):
        raise ValueError(
            "a code is not written into a file that others read: "
            'name where it is, like { env = "HOUSE_CODE" } or { file = "house.code" }'
        )
    if ("env" in value) == ("file" in value):
        raise ValueError('name one place: { env = "HOUSE_CODE" } or { file = "house.code" }')
    return value
