"""Description: a setting as people see it, with its value, who said it, its bounds, and what it does."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from trioarm.config.keys import Setting, file_key, keys_of
from trioarm.config.layering import SECTIONS


@attrs.frozen(slots=True)
class Description:
    """One setting as people see it.

    Args:
        key: as in the file, such as `scheduler.store`.
        value: as a person would write it, without passwords.
        source: `default`, `code`, or who said it.
        default: what it would be if nobody said anything.
        example: the default as TOML.
        bounds: what is allowed, in words.
        env: the environment variable that sets it, if there is one.
        live: whether a running node takes a change over.
        what: what it does.
    """

    key: str
    value: str
    source: str
    default: str
    example: str
    bounds: str
    env: str | None
    live: bool
    what: str


def describe_section(name: str, section: attrs.AttrsInstance, sources: Mapping[str, str]) -> list[Description]:
    """Return every setting of a section.

    Args:
        name: of the section, as in the file.
        section: its settings.
        sources: who said what, by key; what is not there is the default, or was said in code.
    """
    values: dict[str, Setting] = attrs.asdict(section)
    defaults: dict[str, Setting] = attrs.asdict(SECTIONS[name]())
    lines = []
    for field, key in keys_of(SECTIONS[name]).items():
        full = f"{name}.{file_key(field, key)}"
        unsaid = "default" if values[field] == defaults[field] else "code"
        lines.append(
            Description(
                key=full,
                value=key.render(values[field]),
                source=sources.get(full, unsaid),
                default=key.render(defaults[field]),
                example=key.example(defaults[field]),
                bounds=key.bounds,
                env=key.env,
                live=key.live,
                what=key.what,
            )
        )
    return lines
