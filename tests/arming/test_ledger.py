"""What arming reads back of its own records, also when somebody has spoilt them."""

from __future__ import annotations

import pytest
from trio.testing import MockClock

from tests.arming.premises import EVENING, NIGHT, a_node, arming, the_premises
from trioarm.arming.commanding.line import Line
from trioarm.arming.commanding.recovery import LastSeen
from trioarm.arming.ledger import Ledger
from trioarm.arming.model import Reported
from trioarm.core.changes import Change, PutDocument, Verdict
from trioarm.core.instants import SECOND
from trioarm.repositories.memory import InMemoryScheduleRepository


async def test_what_a_run_saw_last_is_read_back(autojump_clock: MockClock) -> None:
    """State and person, as the panel gave them."""
    async with a_node(the_premises(arming("night", NIGHT, 10))) as node:
        ledger = Ledger(node.repository)
        assert await ledger.last_seen("house", EVENING) is None
        await node.at(60)
        assert await ledger.last_seen("house", EVENING) == LastSeen(reported=Reported.ARMED_NIGHT, changed_by="trioarm")
        assert await ledger.commanded_at("house") == [EVENING + 10 * SECOND]


@pytest.mark.parametrize("namespace", ["partition", "command", "person_command"])
async def test_a_spoilt_record_counts_as_none(namespace: str) -> None:
    """Nothing is guessed from it: nothing was recorded, no command is known of."""
    repository = InMemoryScheduleRepository()
    put = PutDocument(namespace, "house", 0, {"reported": "armed_night", "sent_at": 5})
    assert await repository.commit([Change(documents=[put])]) == [Verdict.DONE]
    assert await Ledger(repository).last_seen("house", EVENING) is None
    assert await Ledger(repository).commanded_at("house") == []


def test_a_panel_is_free_a_gap_after_the_latest_command_that_lies_in_the_past() -> None:
    """Whoever sent it; what the clock was set back behind counts no more (S3.3)."""
    line = Line("bench", ("house",))
    assert line.free_at(5, 100) == 100
    line.sent_at, line.recorded = 90, (97, 200)
    assert line.free_at(5, 100) == 102
    assert line.free_at(5, 300) == 205
