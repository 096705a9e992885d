"""Secrets: where a code, a token or a key is; what stands in its place in a file is never shown (A5.2)."""

from __future__ import annotations

from collections.abc import Mapping

from trioarm.arming.model import SecretRef
from trioarm.core.reading import Reader, Table, text


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
