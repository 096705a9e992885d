"""Progress: how far a handler says it is, kept with its run, so that a retry or another node need not begin anew.

A handler may say it a million times; what is written is the latest, at most once a second for all runs of a node
together, and in any case with the outcome. Every write is fenced by the token of the claim (S2.3).
"""

from __future__ import annotations

import json
from typing import Final

import attrs

from trioarm.core.jsonable import Json, as_json

PROGRESS_BYTES_MAX: Final = 4_096  # of one value, written as JSON: a place in the work, not the work


@attrs.define(slots=True, eq=False)
class Progress:
    """What one attempt says of how far it is.

    Args:
        before: what the attempts before it said last.
        value: what it said last.
        kept: whether that is written.
    """

    before: Json = None
    value: Json = None
    kept: bool = True

    def say(self, value: Json) -> None:
        """Take the place of what was said before."""
        self.value = value
        self.kept = False

    def written(self, value: Json) -> None:
        """Note that a value is kept; one that was said since is not yet."""
        if self.value is value:
            self.kept = True


def bounded(value: object) -> Json:
    """Return a copy of a value that is small enough to be kept again and again.

    Raises:
        ValueError: it is too large, or no JSON.
    """
    said = as_json(value, what="progress")
    size = len(json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())
    if size > PROGRESS_BYTES_MAX:
        raise ValueError(f"progress: {size} bytes of JSON cannot be kept: at most {PROGRESS_BYTES_MAX}")
    return said
