"""The source of a condition: whoever is asked, whatever it is, answers yes, no, or why nobody can tell (A4.5)."""

from __future__ import annotations

from typing import Protocol

from trioarm.arming.conditions.verdict import Answer, Truth


class Source(Protocol):
    """Answers for one condition."""

    async def ask(self) -> Answer:
        """Return what it says now, within its own limit; whatever goes wrong is an answer that nobody can tell.

        Cancellation: at any checkpoint.
        """


def unknown(why: str) -> Answer:
    """Return that nobody can tell, and why."""
    return Answer(Truth.UNKNOWN, why)


def understood(word: str, yes: frozenset[str], no: frozenset[str], what: str) -> Answer:
    """Return what a word means.

    Args:
        word: as it was said.
        yes: words for which the condition holds.
        no: words for which it does not.
        what: the word and where it was said, as it may be shown.
    """
    if word in yes:
        return Answer(Truth.YES, what)
    return Answer(Truth.NO, what) if word in no else unknown(f"{what}, which is among neither yes nor no")
