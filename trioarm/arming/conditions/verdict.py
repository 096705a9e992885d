"""What follows from what conditions say: three-valued logic, and what it means for an occurrence (A4.5). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import TypeAlias

import attrs

from trioarm.arming.conditions.settings import Depends, OnUnknown
from trioarm.arming.words import Target


class Truth(StrEnum):
    """What a condition says."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@attrs.frozen(slots=True)
class Answer:
    """What a condition says now.

    Args:
        truth: whether it holds.
        why: what was seen, or why nobody can tell, in words.
    """

    truth: Truth
    why: str


@attrs.frozen(slots=True)
class Proceed:
    """It is carried out.

    Args:
        target: what the partition becomes.
        why: what the conditions say, in words.
        is_sure: whether that is known, rather than hoped.
    """

    target: Target
    why: str
    is_sure: bool = True


@attrs.frozen(slots=True)
class Leave:
    """It is not: a condition says so. The partition stays as it is."""

    why: str


@attrs.frozen(slots=True)
class Await:
    """Nobody can tell, and it waits until somebody can."""

    why: str


@attrs.frozen(slots=True)
class Block:
    """Nobody can tell, and so it is not carried out."""

    why: str


Verdict: TypeAlias = Proceed | Leave | Await | Block


def negated(truth: Truth) -> Truth:
    """Return the opposite; of what nobody knows nobody knows that either."""
    match truth:
        case Truth.YES:
            return Truth.NO
        case Truth.NO:
            return Truth.YES
        case Truth.UNKNOWN:
            return Truth.UNKNOWN


def all_of(truths: Iterable[Truth]) -> Truth:
    """Return whether all hold, as Kleene has it: one that does not decides, whatever nobody knows of the others."""
    found = set(truths)
    if Truth.NO in found:
        return Truth.NO
    return Truth.UNKNOWN if Truth.UNKNOWN in found else Truth.YES


def verdict(depends: Depends, target: Target, answers: Mapping[str, Answer]) -> Verdict:
    """Return what becomes of an occurrence.

    Args:
        depends: on which conditions.
        target: what it makes of its partition where they hold.
        answers: what every one of them says now.
    """
    wanted = {name: answers[name].truth for name in depends.only_if}
    wanted |= {name: negated(answers[name].truth) for name in depends.not_if}
    truth = all_of(wanted.values())
    why = "; ".join(describe(name, answers[name]) for name in wanted if wanted[name] is truth)
    match truth:
        case Truth.YES:
            return Proceed(target, why)
        case Truth.NO if depends.otherwise is not None:
            return Proceed(depends.otherwise, why)
        case Truth.NO:
            return Leave(why)
        case Truth.UNKNOWN:
            return _unknown(depends.unknown_for(target), target, why)


def _unknown(wanted: OnUnknown, target: Target, why: str) -> Verdict:
    match wanted:
        case OnUnknown.PROCEED:
            return Proceed(target, why, is_sure=False)
        case OnUnknown.WAIT:
            return Await(why)
        case OnUnknown.BLOCK:
            return Block(why)


def describe(name: str, answer: Answer) -> str:
    """Return what a condition says, in words."""
    if answer.truth is Truth.UNKNOWN:
        return f"nobody can tell {name} ({answer.why})"
    return f"{name} says {answer.truth} ({answer.why})"
