"""Entries of the journal of operations: written by one codec, and read back as what they were."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from tests.making import NOW
from trioarm.core.errors import InvalidSchedule, RepositoryError
from trioarm.core.operations import JOURNAL, Operation, Verb, entry, read_operation
from trioarm.core.queries import JournalEntry

SKIP = Operation("somebody", Verb.SKIP, "nightly", "guests", revision=3, nominal_at=NOW, until_at=None)


def test_an_entry_is_plain_json_and_reads_back() -> None:
    """Instants are text in UTC, and nothing is lost on the way."""
    for operation in (
        SKIP,
        attrs.evolve(SKIP, verb=Verb.POSTPONE, until_at=NOW + 1),
        Operation("api", Verb.SYNC, "me"),
    ):
        step = entry(operation, NOW)
        assert (step.namespace, step.at) == (JOURNAL, NOW)
        body = json.loads(json.dumps(step.body))
        assert read_operation(JournalEntry(JOURNAL, 1, NOW, body, "")) == operation
    assert entry(SKIP, NOW).body == {
        "actor": "somebody", "verb": "skip", "subject": "nightly", "note": "guests", "count": 1, "revision": 3,
        "nominal_at": "2026-11-23T22:00:00Z", "until_at": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"verb": "arm"}, 'operations 7.verb: "arm" is unknown'),
        ({"nominal_at": 5.5}, "operations 7.nominal_at: "),
        ({"actor": ""}, "operations 7: author is empty"),
        ({"more": 1}, "operations 7: unknown key"),
    ],
)
def test_an_entry_of_somebody_else_is_refused(change: dict[str, Any], message: str) -> None:
    """What was not written here is named by its number, not guessed at."""
    with pytest.raises(RepositoryError, match=f"^{message}"):
        read_operation(JournalEntry(JOURNAL, 7, NOW, entry(SKIP, NOW).body | change, ""))


def test_an_operation_has_an_actor() -> None:
    """Nobody does nothing."""
    with pytest.raises(InvalidSchedule, match=r"^author is empty: say who changes it$"):
        Operation(" ", Verb.FIRE, "nightly")
