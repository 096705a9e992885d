"""Keys that panels of several kinds have: paths through answers, words for states, and where secrets are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from trioarm.arming.model import Reported
from trioarm.core.reading import Reader, Table, mapping, member, show, text
from trioarm.links.secrets import SecretRef

DELAY_S_MAX: Final = 3600.0  # of a panel: real ones end at a few minutes
ANSWER_S_MAX: Final = 60.0  # for a panel to answer: more than an attempt has for talking it could not be waited for
PATH_MAX: Final = 200  # characters of a path through an answer
WORD_MAX: Final = 100  # characters of a panel's own word for a state
STATES_MAX: Final = 100  # such words


def path(value: object) -> str:
    """Read a path through an answer: keys and numbers of items with dots between them."""
    found = text(value)
    if len(found) > PATH_MAX:
        raise ValueError(f"{show(found)} is longer than {PATH_MAX} characters")
    if not all(found.split(".")):
        raise ValueError(f'{show(found)} is no path: write it like "panel.mode" or "areas.0.mode"')
    return found


def states(value: object) -> dict[str, Reported]:
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


def read_started(table: Table) -> str | None:
    """Read the path of when a panel was started; since when it is as it is has to be known, too."""
    found = table.take("started", path, None)
    if found is not None and "since" not in table:
        table.problems.add(
            table.at("started"), "needs since: what became so when it was started can only be told by both"
        )
    return found


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
