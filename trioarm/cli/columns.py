"""Columns: a table that is written while its rows are read, so that a million of them need no memory.

A column is as wide as what came so far. On a terminal no line is longer than it is wide: its widest column gives way
where that lets people see all others, such as the ids that other commands ask for; else the line is cut. Lines that are
read by programs stay whole.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
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
    """

    def __init__(self, *headings: str) -> None:
        self._headings = headings
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
            say(paint(self._line(self._headings), Style.FAINT, sys.stdout))
        for cells, style in self._waiting:
            line = self._line(cells)
            say(line if style is None else paint(line, style, sys.stdout))
        self._waiting.clear()

    def _line(self, cells: Sequence[str]) -> str:
        widths = self._fitting()
        padded = (cut(cell, width).ljust(width) for cell, width in zip(cells, widths, strict=True))
        line = GAP.join(padded).rstrip()
        return line if self._line_max is None else cut(line, self._line_max)

    def _fitting(self) -> list[int]:
        """Return the widths of the columns, with a narrower one for the widest where that makes all of them fit."""
        whole, line_max = sum(self._widths) + len(GAP) * (len(self._widths) - 1), self._line_max
        if line_max is None or whole <= line_max:
            return self._widths
        widest = self._widths.index(max(self._widths))
        width = self._widths[widest] - (whole - line_max)
        return self._widths if width < CUT_MIN else [*self._widths[:widest], width, *self._widths[widest + 1 :]]


def _line_max() -> int | None:
    if sys.stdout.isatty() or os.environ.get("COLUMNS"):
        return max(2, shutil.get_terminal_size().columns)
    return None
