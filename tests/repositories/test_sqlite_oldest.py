"""What a process remembers of a file has a bound, and forgetting costs the same however much was forgotten (S9.3)."""

from __future__ import annotations

import time

import attrs

from tests.making import a_record
from trioarm.repositories.sqlite.oldest import TOGETHER
from trioarm.repositories.sqlite.recall import REMEMBERED_MAX, Recall
from trioarm.repositories.sqlite.rows import DEFINITIONS_MAX, Records

MORE = 30_000  # than fit; one at a time, each would be found behind the gaps of all that went before
SLOWER_MAX = 10  # one at a time it is several hundred times as slow


def test_to_remember_one_more_costs_the_same_however_many_were_forgotten() -> None:
    """The thirty thousandth that makes others go is as cheap as one for which there was room."""
    records = Records()
    recall = Recall(records)
    record = a_record()

    def meet(first: int, count: int) -> float:
        began = time.process_time()
        for key in range(first, first + count):
            records.keep(key, 1, record.schedule)
            recall.remember(attrs.evolve(record, key=key))
        return time.process_time() - began

    assert DEFINITIONS_MAX == REMEMBERED_MAX
    meet(0, REMEMBERED_MAX - MORE)
    before_s = meet(REMEMBERED_MAX - MORE, MORE)
    meet(REMEMBERED_MAX, MORE)
    assert meet(REMEMBERED_MAX + MORE, MORE) < SLOWER_MAX * before_s
    last = REMEMBERED_MAX + 2 * MORE - 1
    assert REMEMBERED_MAX <= len(recall.schedules) <= REMEMBERED_MAX + TOGETHER
    assert last in recall.schedules
    assert 2 * MORE - TOGETHER - 1 not in recall.schedules
