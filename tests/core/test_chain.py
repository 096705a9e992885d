"""The chain of a journal: whatever is changed in it afterwards shows, and where (A5.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import attrs
import pytest

from tests.making import NOW
from trioarm.core.chain import NOTHING, broken_links, seal
from trioarm.core.jsonable import write_json
from trioarm.core.queries import JournalEntry

Journal = list[JournalEntry]


def _journal(count: int) -> Journal:
    entries: Journal = []
    before = NOTHING
    for seq in range(1, count + 1):
        before = seal(before, "audit", seq, NOW + seq, write_json({"n": seq}))
        entries.append(JournalEntry("audit", seq, NOW + seq, {"n": seq}, before))
    return entries


def _with(entries: Journal, place: int, **changes: object) -> Journal:
    return [*entries[:place], attrs.evolve(entries[place], **changes), *entries[place + 1 :]]


def _resealed(entries: Journal, place: int) -> Journal:
    """Somebody changes an entry and seals it anew, without sealing those behind it."""
    body = {"n": "changed"}
    forged = seal(entries[place - 1].seal, "audit", place + 1, entries[place].at, write_json(body))
    return _with(entries, place, body=body, seal=forged)


def test_a_seal_is_what_it_is_documented_to_be() -> None:
    """SHA-256 of five lines: who wants to can check a journal without this program."""
    text = 'abc\naudit\n7\n5\n{"who":"José"}'
    assert seal("abc", "audit", 7, 5, '{"who":"José"}') == hashlib.sha256(text.encode()).hexdigest()


def test_a_journal_that_nobody_touched_holds() -> None:
    """From its first entry on, or from the first that is left when its beginning was forgotten."""
    entries = _journal(5)
    for whole in (True, False):
        assert list(broken_links(entries, whole=whole)) == []
        assert list(broken_links([], whole=whole)) == []
    assert list(broken_links(entries[2:], whole=False)) == []


CHANGED = "entry {} is not what it was when it was written"
GONE = "entry {} follows {}: what was between is gone"


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        (lambda entries: _with(entries, 2, body={"n": 0}), [CHANGED.format(3)]),
        (lambda entries: _with(entries, 0, at=NOW), [CHANGED.format(1)]),
        (lambda entries: _resealed(entries, 2), [CHANGED.format(4)]),
        (lambda entries: entries[:2] + entries[3:], [GONE.format(4, 2)]),
        (lambda entries: entries[1:], [GONE.format(2, 0)]),
        (lambda entries: [entries[0], entries[2], entries[1], *entries[3:]],
         [GONE.format(3, 1), GONE.format(2, 3), GONE.format(4, 2)]),
    ],
)  # fmt: skip
def test_what_was_done_to_a_journal_shows(tamper: Callable[[Journal], Journal], found: list[str]) -> None:
    """An entry that was changed, sealed anew, taken out or moved is named by its number."""
    assert list(broken_links(tamper(_journal(5)), whole=True)) == [f"journal audit: {line}" for line in found]


def test_the_first_entry_of_all_follows_nothing() -> None:
    """Also where the beginning may have been forgotten: number 1 is the first of all."""
    [entry] = _journal(1)
    forged = attrs.evolve(entry, seal=seal("elsewhere", "audit", 1, entry.at, write_json(entry.body)))
    assert list(broken_links([forged], whole=False)) == [f"journal audit: {CHANGED.format(1)}"]
