"""Columns and sheets: what people have to copy stays whole where it can, and no line is wider than the terminal."""

from __future__ import annotations

import pytest

from trioarm.cli.columns import Columns
from trioarm.cli.sheet import say_sheet

ROWS = [
    ("warning", "the panel has not answered for a long time, and nobody knows why", "partition/house:silent#3"),
    ("notice", "all is well", "partition/garage:report#4"),
]


def lines(capsys: pytest.CaptureFixture[str], *, ids: bool = False) -> list[str]:
    """Return the table of them, line by line."""
    columns = Columns("SEVERITY", "WHAT", "ID", ids=ids)
    for row in ROWS:
        columns.add(row)
    columns.flush()
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("ids", [False, True])
@pytest.mark.parametrize("width", [55, 80, 120])
def test_the_widest_column_gives_way_to_all_others(
    width: int, ids: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is last is whole, and under each other; what is cut says so."""
    monkeypatch.setenv("COLUMNS", str(width))
    table = lines(capsys, ids=ids)
    assert [line.rsplit(maxsplit=1)[1] for line in table] == ["ID", *(row[2] for row in ROWS)]
    assert len({line.index(last) for line, last in zip(table, ("ID", ROWS[0][2], ROWS[1][2]), strict=True)}) == 1
    assert max(map(len, table)) <= width
    assert ("…" in table[1]) == (width < 120)


def test_where_that_would_leave_nothing_of_it_lines_are_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half a word of each column is no table."""
    monkeypatch.setenv("COLUMNS", "40")
    table = lines(capsys)
    assert table[1] == "warning   the panel has not answered fo…"
    assert max(map(len, table)) == 40


@pytest.mark.parametrize("width", [20, 30, 45])
def test_ids_have_lines_of_their_own_where_there_is_no_room_beside_the_rest(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever acknowledges an alert has to have the whole of its id, however narrow a terminal is."""
    monkeypatch.setenv("COLUMNS", str(width))
    table = lines(capsys, ids=True)
    assert table[1::2] == ["  ID", *(f"  {row[2]}" for row in ROWS)]
    assert [line.split()[0] for line in table[::2]] == ["SEVERITY", "warning", "notice"]
    assert max(map(len, table[::2])) <= width
    assert table[2].endswith("…")


def test_no_id_is_cut_because_it_is_the_widest(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is copied, not read."""
    monkeypatch.setenv("COLUMNS", "30")
    columns = Columns("WHAT", "ID", ids=True)
    columns.add(("it is well", "partition/garage:report#4"))
    columns.flush()
    assert capsys.readouterr().out.splitlines() == ["WHAT", "  ID", "it is well", "  partition/garage:report#4"]


def test_lines_for_programs_stay_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing says how wide they may be."""
    monkeypatch.delenv("COLUMNS", raising=False)
    assert lines(capsys)[1] == f"warning   {ROWS[0][1]}  {ROWS[0][2]}"


def test_a_label_never_touches_what_it_is_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Alerts have facts with names of their own, as long as these may be."""
    say_sheet("an alert", [("state", "open"), ("last state", "disarmed"), ("", "or so")])
    assert capsys.readouterr().out.splitlines() == [
        "an alert",
        "  state      open",
        "  last state disarmed",
        "             or so",
    ]
