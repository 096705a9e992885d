"""Killed again and again: nothing is lost, nothing is doubled; and whoever says so would have seen it (S2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.crash.by_hand import said_by
from tests.crash.evidence import Line
from tests.crash.matching import PROMPTLY, violations
from tests.making import NOW, SECOND, a_record, a_run, a_schedule
from trioarm import Every, Reason, State
from trioarm.core.run import RunRecord
from trioarm.core.schedule import Delivery


@pytest.mark.parametrize(("nodes", "kills"), [(1, 20), (2, 12)])
def test_kills_lose_nothing_and_double_nothing(tmp_path: Path, nodes: int, kills: int) -> None:
    """Every instant has one decision, every run an end or a reason, no result is accepted twice, whatever is killed."""
    how = ["--kills", str(kills), "--nodes", str(nodes), "--seed", "3"]
    assert f"{kills} kills: " in said_by("tests.crash.torture", *how, "--folder", str(tmp_path))


# The witness itself: two runs in a lane, each decided, begun once and ended well; then something is not so.

RECORD = a_record(a_schedule("one", Every(1.0), delivery=Delivery.AT_MOST_ONCE, lane="lane"), cursor_at=NOW)
RECORD.cursor_at = NOW + 2 * SECOND


def _row(second: int) -> RunRecord:
    nominal_at = NOW + second * SECOND
    row = a_run(RECORD, nominal_at, attempt=1, token=1, state=State.SUCCEEDED, result="7:1", waiting_for=None)
    row.run_id, row.finished_at = second, nominal_at + 500
    return row


def _id(second: int) -> str:
    return f"one@2026-11-23T22:00:0{second}Z"


def _lines(second: int) -> list[Line]:
    at = NOW + second * SECOND
    said = {"pid": 7, "run": _id(second), "attempt": 1, "token": 1}
    return [Line(what="start", at=at + 100, **said), Line(what="end", at=at + 400, **said)]


World = tuple[list[Line], list[RunRecord]]


def _world() -> World:
    return [*_lines(1), *_lines(2)], [_row(1), _row(2)]


def _again(world: World, **changes: object) -> None:
    """Let the first run be begun once more, after its end."""
    world[0].append(attrs.evolve(world[0][0], at=NOW + SECOND + 450, **changes))


def _undecided(world: World) -> None:
    del world[1][1], world[0][2:]


def _unfinished(world: World) -> None:
    world[1][1].state, world[1][1].finished_at = State.RUNNING, None


def _unexplained(world: World) -> None:
    world[1][1].state = State.FAILED


def _skipped(world: World) -> None:
    world[1][1].state, world[1][1].reason = State.SKIPPED, Reason.OVERLAP


def _accepted_twice(world: World) -> None:
    world[0].extend([attrs.evolve(world[0][1], what="accepted")] * 2)


def _stale(world: World) -> None:
    world[1][0].token = 2


def _other_result(world: World) -> None:
    world[1][0].result = "8:1"


def _too_early(world: World) -> None:
    world[0][0] = attrs.evolve(world[0][0], at=NOW)


def _overlapping(world: World) -> None:
    world[0][1] = attrs.evolve(world[0][1], at=NOW + 2 * SECOND + 300)


def _nobodys(world: World) -> None:
    world[0][0] = attrs.evolve(world[0][0], run="other@2026-11-23T22:00:00Z")


def _goes_on(world: World) -> None:
    """Let the first run be taken over while its process is halted, and its handler not end once that goes on."""
    start, end = world[0][:2]
    since = start.at + 100
    world[0][1] = attrs.evolve(end, at=since + 100 + PROMPTLY + 1)
    world[0].extend([Line(what="halted", pid=7, at=since), Line(what="continued", pid=7, at=since + 100)])
    _again(world, pid=8, token=2, attempt=2)


FAULTS: list[tuple[Callable[[World], None], str]] = [
    (_undecided, "1 of 2 instants were never decided"),
    (lambda world: world[1].append(_row(2)), "1 instants were decided twice"),
    (lambda world: world[1].append(_row(3)), "1 instants were decided that are none"),
    (_unfinished, "is lost: it is still running"),
    (_unexplained, "is failed, and nobody says why"),
    (_skipped, "was begun though it is skipped"),
    (lambda world: _again(world, token=2, attempt=2), "runs at most once, and was begun 2 times"),
    (lambda world: _again(world, attempt=2), "token 1 follows 1"),
    (lambda world: _again(world, token=2), "attempt 1 follows 1"),
    (_accepted_twice, "2 results were accepted"),
    (_stale, "succeeded under token 2, and no such attempt"),
    (_other_result, "is not what its last attempt returned"),
    (_too_early, "was begun before it was due and decided"),
    (_overlapping, "lane lane: one@2026-11-23T22:00:02Z began before"),
    (_nobodys, "was begun, and nobody decided so"),
    (_goes_on, "attempt 1 was taken over, and went on when its process did"),
]


def test_a_world_in_which_all_is_well_has_no_violations() -> None:
    """Two decided runs, each begun once and ended well, are nothing to complain of."""
    lines, rows = _world()
    assert list(violations(lines, rows, [RECORD])) == []


@pytest.mark.parametrize(("fault", "said"), FAULTS, ids=[said for _, said in FAULTS])
def test_a_fault_in_the_evidence_is_found(fault: Callable[[World], None], said: str) -> None:
    """Whatever is lost or doubled in the evidence, the witness says so."""
    world = _world()
    fault(world)
    assert any(said in text for text in violations(*world, [RECORD])), list(violations(*world, [RECORD]))
