"""Columns and sheets: what people have to copy stays whole where it can, and no line is wider than the terminal."""

from __future__ import annotations

import pytest

from trioarm.cli.columns import Columns
from trioarm.cli.sheet import say_sheet

ROWS = [
    ("warning", "the panel has not answered for a long time, and nobody knows why", "partition/house:silent#3"),
    ("notice", "all is well", "partition/garage:report#4"),
]


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the table of them, line by line."""
    columns = Columns("SEVERITY", "WHAT", "ID")
    for row in ROWS:
        columns.add(row)
    columns.flush()
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [55, 80, 120])
def test_the_widest_column_gives_way_to_all_others(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The ids are whole, and under each other; what is cut says so."""
    monkeypatch.setenv("COLUMNS", str(width))
    table = lines(capsys)
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
