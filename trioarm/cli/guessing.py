"""Guessing: which command people mean who name one that there is not, as other programs call it or nearly so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Final

NEAR: Final = 0.7  # how alike two words have to be, of 1: `statsu` is `status`, and `stop` is not `store`
NEAR_PAIR: Final = 0.75  # and how alike commands of two words
GUESSES_MAX: Final = 3  # of a word that several commands end with
WORD_MAX: Final = 40  # characters of a word that is compared: who writes a novel means no command

OTHERWISE: Final[Mapping[str, str]] = {
    "start": "run",
    "serve": "run",
    "validate": "check",
    "lint": "check",
    "test": "check",
    "health": "status",
    "info": "status",
    "stats": "statistics",
    "next": "preview",
    "history": "runs list",
    "vacation": "exceptions add",
    "holiday": "exceptions add",
    "zones": "partitions list",
    "log": "help logs",
    "logs": "help logs",
    "stop": "help exit-codes",
    "version": "--version",
    "ls": "list",
    "get": "show",
    "create": "add",
    "new": "add",
    "delete": "remove",
    "rm": "remove",
    "enable": "resume",
    "disable": "pause",
    "trigger": "fire",
    "snooze": "postpone",
}
"""What other programs call our commands, or the last word of them."""


def guesses(words: Sequence[str], commands: Sequence[str]) -> list[str]:
    """Return the commands that may be meant by these words; none where nothing comes near.

    Args:
        words: those that a command line begins with, without options.
        commands: all there are, each with all of its words.
    """
    said = [OTHERWISE.get(word, word) for word in words[:2] if len(word) <= WORD_MAX]
    if not said:
        return []
    first, last = said[0], said[-1]
    if last in commands or " " in last or last.startswith("-"):
        return [last]
    if pair := nearest_pair(words, commands):
        return [pair]
    ends = [command for command in commands if command.split()[-1] == first]
    return ends[:GUESSES_MAX] or get_close_matches(first, {command.split()[0] for command in commands}, 1, NEAR)


def nearest_pair(words: Sequence[str], commands: Sequence[str]) -> str | None:
    """Return the command of two words that these come near to; None for none."""
    said = [OTHERWISE.get(word, word) for word in words[:2] if len(word) <= WORD_MAX]
    pairs = [command for command in commands if " " in command]
    return next(iter(get_close_matches(" ".join(said), pairs, 1, NEAR_PAIR)), None) if len(said) > 1 else None


def in_words(found: Sequence[str]) -> str:
    """Return the question whether one of these is meant."""
    named = [f"trioarm {command}" for command in found]
    return f"did you mean {' or '.join([', '.join(named[:-1]), named[-1]] if named[:-1] else named)}?"
