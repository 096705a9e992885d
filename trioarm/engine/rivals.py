"""Rivals: what a command does when somebody else changes the same thing at the same time. It reads again."""

from __future__ import annotations

from typing import Final

TRIES: Final = 10  # times a command reads again after somebody else was faster
FASTER: Final = "somebody else changed it at the same time: read it again, then repeat the change"
