"""Columns: a table that is written while its rows are read, so that a million of them need no memory.

A column is as wide as what came so far. On a terminal no line is longer than it is wide: its widest column gives way
where that lets people see all others; else the line is cut. Ids, which other commands ask for, are never cut: where
they do not fit beside the rest each has a line of its own below it. Lines that are read by programs stay whole.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from trioarm.cli.terminal import Style, paint, say
from trioarm.core.cutting import cut

CHUNK: Final = 200  # rows whose widths are known before the first of them is written
GAP: Final = "  "
CUT_MIN: Final = 10  # what is left of a column that gives way: less says nothing


class Columns:
    """Writes rows to stdout in columns.

    Args:
        headings: of the columns; the last one may be cut.
        ids: whether the last one is what other commands ask for.
    """

    def __init__(self, *headings: str, ids: bool = False) -> None:
        self._headings = headings
        self._ids = ids
        self._widths = [len(heading) for heading in headings]
        self._waiting: list[tuple[Sequence[str], Style | None]] = []
        self._begun = False
        self._line_max = _line_max()

    @property
    def empty(self) -> bool:
        """Whether no row came."""
        return not self._begun and not self._waiting

    def add(self, cells: Sequence[str], style: Style | None = None) -> None:
        """Write a row, now or soon.

        Args:
            cells: one for each column.
            style: how all of it looks on a terminal.
        """
        self._waiting.append((cells, style))
        if len(self._waiting) >= CHUNK:
            self.flush()

    def flush(self) -> None:
        """Write what waits."""
        if not self._waiting:
            return
        for cells, _ in self._waiting:
            self._widths = [max(width, len(cell)) for width, cell in zip(self._widths, cells, strict=True)]
        if not self._begun:
            self._begun = True
            self._say(self._headings, Style.FAINT)
        for cells, style in self._waiting:
            self._say(cells, style)
        self._waiting.clear()

    def _say(self, cells: Sequence[str], style: Style | None) -> None:
        for line in self._lines(cells):
            say(line if style is None else paint(line, style, sys.stdout))

    def _lines(self, cells: Sequence[str]) -> Iterator[str]:
        if not self._ids or self._line_max is None:
            yield self._line(cells, _fitting(self._widths, self._line_max))
            return
        *beside, id_ = cells
        *widths, of_ids = self._widths
        fitting = _fitting(widths, self._line_max - len(GAP) - of_ids)
        if fitting is not None:
            yield self._line(cells, [*fitting, of_ids])
        else:
            yield self._line(beside, _fitting(widths, self._line_max))
            yield f"{GAP}{id_}"

    def _line(self, cells: Sequence[str], fitting: Sequence[int] | None) -> str:
        widths = self._widths[: len(cells)] if fitting is None else fitting
        line = GAP.join(cut(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        return line if self._line_max is None else cut(line, self._line_max)


def _fitting(widths: Sequence[int], line_max: int | None) -> Sequence[int] | None:
    """Return widths by which columns fit into a line, with a narrower one for the widest if need be; None if not."""
    whole = sum(widths) + len(GAP) * (len(widths) - 1)
    if line_max is None or whole <= line_max:
        return widths
    widest = widths.index(max(widths))
    width = widths[widest] - (whole - line_max)
    return None if width < CUT_MIN else [*widths[:widest], width, *widths[widest + 1 :]]


def _line_max() -> int | None:
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return max(2, shutil.get_terminal_size().columns)
    return None
