"""Panels: how the driver of a partition is configured, one reader for each kind (A1.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from trioarm.arming.model import CommandPanel, HttpPanel, PanelSettings, Reported, VirtualPanel
from trioarm.arming.panel_urls import SAMPLE, panel_url
from trioarm.arming.panels.command import PLACEHOLDER, READ_WORDS, SET_WORDS
from trioarm.core.reading import Reader, Table, duration, listed, mapping, member, show, suggest, text
from trioarm.links.secrets import SecretRef

DELAY_S_MAX: Final = 3600.0  # of a panel: real ones end at a few minutes
ANSWER_S_MAX: Final = 60.0  # for a panel to answer: more than an attempt has for talking it could not be waited for
PATH_MAX: Final = 200  # characters of a path through an answer
WORD_MAX: Final = 100  # characters of a panel's own word for a state
STATES_MAX: Final = 100  # such words
KINDS_LATER: Final = ("mqtt", "homeassistant")
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
    timeout_s = table.take("timeout", duration(1, ANSWER_S_MAX), 20.0)
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


def _http(table: Table) -> PanelSettings:
    set_url = table.need("set", _url, f'commands are posted to it, like set = "{SAMPLE}"')
    read_url = table.need("read", _url, f'its state is read from there, like read = "{SAMPLE}/state"')
    if set_url is None or read_url is None:
        set_url = read_url = SAMPLE  # what is wrong was said; go on to see what else is
    return HttpPanel(
        set_url=set_url,
        read_url=read_url,
        secret=read_secret(table, "secret"),
        token=read_secret(table, "token"),
        state_path=table.take("state", _path, "state"),
        changed_by_path=table.take("changed_by", _path, None),
        since_path=table.take("since", _path, None),
        open_zones_path=table.take("open_zones", _path, None),
        states=table.take("states", _states, {}),
        timeout_s=table.take("timeout", duration(1, ANSWER_S_MAX), 10.0),
        exit_delay_s=table.take("exit_delay", duration(0, DELAY_S_MAX), 60.0),
        code=read_code(table),
    )


def _url(value: object) -> str:
    return panel_url(text(value))


def _path(value: object) -> str:
    """Read a path through an answer: keys and numbers of items with dots between them."""
    path = text(value)
    if len(path) > PATH_MAX:
        raise ValueError(f"{show(path)} is longer than {PATH_MAX} characters")
    if not all(path.split(".")):
        raise ValueError(f'{show(path)} is no path: write it like "panel.mode" or "areas.0.mode"')
    return path


def _states(value: object) -> dict[str, Reported]:
    """Read what words of a panel mean."""
    table = mapping(value)
    if len(table) > STATES_MAX:
        raise ValueError(f"{len(table)} words are too many: at most {STATES_MAX}")
    found: dict[str, Reported] = {}
    for word, meaning in table.items():
        if len(word) > WORD_MAX:
            raise ValueError(f"{show(word)} is longer than {WORD_MAX} characters")
        try:
            found[word] = member(Reported)(meaning)
        except ValueError as error:
            raise ValueError(f"what {show(word)} means: {error}") from None
    return found


KINDS: Final[dict[str, Callable[[Table], PanelSettings]]] = {"virtual": _virtual, "command": _command, "http": _http}


# Secrets


def read_code(owner: Table) -> SecretRef | None:
    """Read where a code is: a panel's own, or one that is sent with the commands of one partition."""
    return read_secret(owner, "code")


def read_secret(owner: Table, what: str) -> SecretRef | None:
    """Read where a secret is that is called by its key: a code, or what programs show each other."""
    table = owner.take(what, _reference(what), None)
    if table is None:
        return None
    secret = Table(table, owner.at(what), owner.problems)
    env = secret.take("env", _place(what), None)
    file = secret.take("file", _place(what), None)
    secret.close()
    return SecretRef(env, file) if env or file else None


def _place(what: str) -> Reader[str]:
    def read_place(value: object) -> str:
        if found := text(value):
            return found
        raise ValueError(f"names nothing: a {what} is in an environment variable or in a file")

    return read_place


def _reference(what: str) -> Reader[Mapping[str, object]]:
    """Return a reader of a table that says where a secret is, which never shows what stands in its place (A5.2)."""
    places = f'{{ env = "HOUSE_{what.upper()}" }} or {{ file = "house.{what}" }}'

    def read_reference(value: object) -> Mapping[str, object]:
        if not isinstance(value, Mapping):
            raise ValueError(f"a {what} is not written into a file that others read: name where it is, like {places}")
        if ("env" in value) == ("file" in value):
            raise ValueError(f"name one place: {places}")
        return value

    return read_reference
